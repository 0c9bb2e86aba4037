/**
 * The reference evaluator: walks the chains of a table as the kernel does. It defines what rules mean and is never
 * optimised; the compiled matcher is held against it.
 *
 * Source: ipt_do_table (net/ipv4/netfilter/ip_tables.c); nft_do_chain says the same for what iptables-nft loads. A rule
 * that matches counts, then its target acts. A jump remembers where it came from, a goto does not; RETURN and the end of a
 * user-defined chain go back to behind the last jump, or to the policy of the built-in chain when there is none. A target
 * this project does not know counts and goes on.
 */
import { builtInChain, indexChains } from './chains.ts';
import { type Backend, createCounters, type Evaluator, type TraceStep } from './evaluator.ts';
import type { InterfaceNames } from './interfaces.ts';
import { miss } from './match.ts';
import { createMeters, type Meters } from './meters.ts';
import type { Table } from './model.ts';
import { type Outcome, RULE_VERDICT, type RulePacket } from './packet.ts';
import { numberRules } from './table.ts';
import { applyTarget, CONTINUE, verdictOf } from './target.ts';

export interface ReferenceOptions {
  readonly backend: Backend;
  /** Where limits are kept; full ones of its own unless given. */
  readonly meters?: Meters;
  /** Told of every rule a walk comes to, in order. Without it a walk allocates nothing. */
  readonly trace?: (step: TraceStep) => void;
}

/** Make the reference evaluator of `table`. Throws ChainError when its chains do not fit together. */
export function createReference(table: Table, interfaces: InterfaceNames, options: ReferenceOptions): Evaluator {
  const rules = numberRules(table);
  const chains = indexChains(rules);
  const { backend, trace } = options;
  const meters = options.meters ?? createMeters(rules, backend);
  const counters = createCounters(rules.rules.length, chains.names.length);
  const callers = new Int32Array(chains.names.length);

  function evaluate(chain: number, packet: RulePacket, outcome: Outcome): void {
    outcome.mark = packet.mark;
    outcome.connectionMark = packet.connectionMark;
    outcome.logCount = 0;
    let current = chain;
    let depth = 0;
    let id = chains.first[chain]!;
    for (;;) {
      if (id === chains.end[current]) {
        if (depth === 0) break;
        depth -= 1;
        id = callers[depth]! + 1;
        current = chains.chainOf[id - 1]!;
        continue;
      }
      const rule = rules.rules[id]!.rule;
      const why = miss(rule, id, packet, outcome, interfaces, meters, backend);
      trace?.({ rule: id, miss: why, mark: outcome.mark });
      if (why === 'hotdrop') {
        decide(RULE_VERDICT.DROP, id, outcome);
        return;
      }
      if (why !== '') {
        id += 1;
        continue;
      }
      counters.packets[id]! += 1;
      counters.bytes[id]! += packet.length;
      const target = rule.target;
      const verdict = verdictOf(target);
      if (verdict !== CONTINUE) {
        decide(verdict, id, outcome);
        return;
      }
      if (target.kind === 'jump') callers[depth++] = id;
      if (target.kind === 'jump' || target.kind === 'goto') {
        current = chains.target[id]!;
        id = chains.first[current]!;
      } else if (target.kind === 'RETURN') {
        id = chains.end[current]!;
      } else {
        applyTarget(target, id, packet, outcome);
        id += 1;
      }
    }
    decideByPolicy(chain, packet, outcome);
  }

  function decideByPolicy(chain: number, packet: RulePacket, outcome: Outcome): void {
    counters.policyPackets[chain]! += 1;
    counters.policyBytes[chain]! += packet.length;
    decide(chains.policy[chain] === 1 ? RULE_VERDICT.ACCEPT : RULE_VERDICT.DROP, -1, outcome);
  }

  return {
    meters,
    rules,
    backend,
    prepare: (name) => builtInChain(chains, name),
    evaluate,
    plan: () => null,
    release: () => {},
    counters: () => counters,
  };
}

function decide(verdict: Outcome['verdict'], rule: number, outcome: Outcome): void {
  outcome.verdict = verdict;
  outcome.rule = rule;
}
