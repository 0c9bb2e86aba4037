/**
 * Flow: the counters of a plan, read. Every rule that acts counts where it matches; a rule that takes every packet and
 * only counts (an unconditional jump) is no entry at all, and its count is how many walks came past its position:
 * those that started, less those that ended before it and those that skipped over it.
 */
import type { TableCounters } from './evaluator.ts';
import { ACTION } from './flatten.ts';
import { BARRIER, ENTRY_WORDS, type Plan } from './plan.ts';

/** Add the counts of `plan`, whose built-in chain is number `chain`, to `counters`. */
export function addCounters(plan: Plan, chain: number, counters: TableCounters): void {
  counters.policyPackets[chain]! += plan.policy[0]!;
  counters.policyBytes[chain]! += plan.policy[1]!;
  addMatched(plan, 0, counters.packets);
  addMatched(plan, 1, counters.bytes);
  if (plan.flat.called.length > 0) return;
  addPassed(plan, 0, counters.packets);
  addPassed(plan, 1, counters.bytes);
}

function addMatched(plan: Plan, word: number, sums: Float64Array): void {
  for (const [position, rule] of plan.flat.ruleAt.entries()) {
    if (rule >= 0) sums[rule]! += plan.hits[position * 2 + word]!;
  }
}

function addPassed(plan: Plan, word: number, sums: Float64Array): void {
  const { flat, entries } = plan;
  const size = flat.entries.length;
  /** Change of the flow from one position to the next. */
  const change = new Float64Array(size + 1);
  const leave = (position: number, count: number): void => {
    change[position + 1]! -= count;
    change[0]! += count;
  };
  const skip = (position: number, target: number, count: number): void => {
    change[position + 1]! -= count;
    change[target]! += count;
  };
  for (let position = 0; position < size; position += 1) {
    if (flat.entries[position] === null) continue;
    const at = position * ENTRY_WORDS;
    const action = entries[at]! & 0xff;
    const count = plan.hits[position * 2 + word]!;
    if (action < ACTION.COUNT) leave(position, count);
    else if (action === ACTION.SKIP) skip(position, entries[at + 4]!, count);
    if (plan.losses.length === 0) continue;
    if ((entries[at]! & BARRIER) !== 0) skip(position, entries[at + 5]!, plan.losses[position * 4 + word]!);
    leave(position, plan.losses[position * 4 + 2 + word]!);
  }
  let flow = plan.policy[word]!;
  for (let position = 0; position < size; position += 1) {
    flow += change[position]!;
    if (flat.entries[position] === null) sums[flat.ruleAt[position]!]! += flow;
  }
}
