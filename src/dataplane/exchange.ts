/**
 * Exchange: other rules for a cell while packets flow, as a change by iptables is to the kernel: no packet is judged by parts of
 * both, and nothing else of the cell changes.
 *
 * A rule that stays is the same object in the old ruleset and the new one. It keeps its counters, and its limit where the
 * kernel keeps that (`createMeters`). Connections stay, but what the rules said of their packets is forgotten. To be called
 * between bursts, when everybody has read the last one: rule ids in its rows and in the kept log lines are those of the old rules.
 */

import { heap } from '../memory/arena.ts';
import { type Comparison, compared } from '../rules/compared.ts';
import { compile } from '../rules/compile.ts';
import { sumOf } from '../rules/counted.ts';
import { createCounters, type Evaluator, type TableCounters } from '../rules/evaluator.ts';
import type { Rule, Ruleset } from '../rules/model.ts';
import type { NumberedRule } from '../rules/table.ts';
import { type Cell, inForce } from './cell.ts';
import * as conntrack from './conntrack.ts';
import type { Dataplane } from './dataplane.ts';
import { filterOf } from './setup.ts';

/** What the rules of a cell are held against while they are in force. */
export interface Beside {
  readonly before: Ruleset;
  readonly after: Ruleset;
  readonly comparison: Comparison;
}

/**
 * Put `ruleset` in the place of the rules of `cell`; with `beside`, the general way alone asks them, and counts what differs. Throws
 * ChainError and changes nothing when its chains do not fit together.
 */
export function exchange(dataplane: Dataplane, cell: Cell, ruleset: Ruleset, beside: Beside | null = null): void {
  const { filter } = cell;
  const compiled = compile(filterOf(ruleset), dataplane.interfaces, {
    backend: filter.backend,
    arena: dataplane.options.arena ?? heap,
    earlier: { rules: filter.rules, meters: filter.meters },
  });
  const fresh = beside === null ? compiled : heldAgainst(dataplane, compiled, beside);
  const next = inForce(fresh, cell.arriving);
  const places = placesOf(cell, fresh.rules.rules);
  cell.earlier = keptCounters(cell, next.filter);
  cell.places = places;
  Object.assign(cell, next);
  filter.release();
  conntrack.forget(dataplane.connections, cell.index);
}

function heldAgainst({ interfaces }: Dataplane, real: Evaluator, { before, after, comparison }: Beside): Evaluator {
  const { backend } = real;
  const [old, next] = [before, after].map((each) => compile(filterOf(each), interfaces, { backend }));
  return compared(real, old!, next!, comparison);
}

/** Places of the new rules in `cell.known`, which gets those that were never there. */
function placesOf(cell: Cell, rules: readonly NumberedRule[]): Int32Array {
  const known = new Map<Rule, number>(cell.known.map(({ rule }, place) => [rule, place]));
  return Int32Array.from(rules, (numbered) => {
    const place = known.get(numbered.rule) ?? cell.known.length;
    cell.known[place] = numbered;
    return place;
  });
}

/** What the rules of `fresh` that are in force already have counted. */
function keptCounters({ filter, earlier }: Cell, fresh: Cell['filter']): TableCounters {
  const counters = earlier === null ? filter.counters() : sumOf(filter.counters(), earlier);
  const before = new Map(filter.rules.rules.map(({ rule, id }) => [rule, id]));
  const kept = createCounters(fresh.rules.rules.length, fresh.rules.chains.size);
  for (const { rule, id } of fresh.rules.rules) {
    const old = before.get(rule);
    if (old === undefined) continue;
    kept.packets[id] = counters.packets[old]!;
    kept.bytes[id] = counters.bytes[old]!;
  }
  for (const { name, policy } of fresh.rules.chains.values()) {
    if (policy === null || filter.rules.chains.get(name) === undefined) continue;
    const [to, from] = [fresh.prepare(name), filter.prepare(name)];
    kept.policyPackets[to] = counters.policyPackets[from]!;
    kept.policyBytes[to] = counters.policyBytes[from]!;
  }
  return kept;
}
