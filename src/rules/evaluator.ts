/**
 * Evaluator: what the rules of one table say of a packet. The reference and the compiled matcher both are one, so that
 * either can stand in the packet path and each can be held against the other.
 */
import type { Known } from './known.ts';
import type { Meters } from './meters.ts';
import type { Outcome, RulePacket } from './packet.ts';
import type { Plan } from './plan.ts';
import type { RuleTable } from './table.ts';

/**
 * Which iptables wrote the rules into the kernel. They differ where a transport header is missing (`-m tcp` and `-m udp`
 * drop the packet in legacy and do not match in nft) and in the clock of `-m limit` (jiffies or nanoseconds).
 */
export type Backend = 'nft' | 'legacy';

/** Counters since the evaluator was made. `packets[id]` and `bytes[id]` are indexed by rule id. */
export interface TableCounters {
  readonly packets: Float64Array;
  readonly bytes: Float64Array;
  /** What reached the policy of a built-in chain, indexed by the number `prepare` gave without `known`; 0 for user-defined chains. */
  readonly policyPackets: Float64Array;
  readonly policyBytes: Float64Array;
}

export interface Evaluator {
  readonly rules: RuleTable;
  readonly backend: Backend;
  /** The state of limits. */
  readonly meters: Meters;
  /**
   * A number of a built-in chain, for `evaluate`. Throws ChainError when the table has no built-in chain `name`. With `known` it is for
   * packets that have this in common, and for no others.
   */
  prepare(name: string, known?: Known): number;
  /**
   * Walk the built-in chain `chain` with `packet` and fill every field of `outcome`. `packet` is left alone. Allocates
   * nothing unless traced. A packet that is dropped because a match could not read its header (the kernel's hotdrop) is
   * DROP with the id of that rule, whose counters and target stay untouched.
   */
  evaluate(chain: number, packet: RulePacket, outcome: Outcome): void;
  /** How built-in chain `chain` is laid out for regular packets; null for an evaluator that reads the rules themselves. */
  plan(chain: number): Plan | null;
  /** Give back what it keeps outside the heap; it may not be asked again, and its counters are gone. */
  release(): void;
  /** Read the counters. The arrays belong to the evaluator and are brought up to date by the next call. */
  counters(): TableCounters;
}

/** One rule that a walk came to. */
export interface TraceStep {
  /** Rule id. */
  readonly rule: number;
  /** The first field that did not agree, `hotdrop`, or the empty text when all did. */
  readonly miss: Miss;
  /** The packet's mark when the rule was asked. */
  readonly mark: number;
}

/** Why a rule did not match: the first thing that failed, in the order in which the kernel asks. */
export type Miss =
  | ''
  /** A match could not read what it was asked to look at, and the kernel drops the packet. */
  | 'hotdrop'
  | 'source'
  | 'destination'
  | 'in-interface'
  | 'out-interface'
  | 'protocol'
  | 'fragment'
  /** The transport header is cut short or in an earlier fragment. */
  | 'transport-header'
  | 'source-port'
  | 'destination-port'
  | 'ports'
  | 'tcp-flags'
  | 'icmp-type'
  | 'source-range'
  | 'destination-range'
  | 'mark'
  | 'connmark'
  | 'ctstate'
  | 'limit'
  | 'hashlimit'
  | 'source-type'
  | 'destination-type'
  | 'unknown-match';

export const createCounters = (rules: number, chains: number): TableCounters => ({
  packets: new Float64Array(rules),
  bytes: new Float64Array(rules),
  policyPackets: new Float64Array(chains),
  policyBytes: new Float64Array(chains),
});
