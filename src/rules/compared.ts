/**
 * Compared: an evaluator whose answers are held against those of two others: the rules before a change, and the rules after it.
 *
 * While an agent changes rules step by step, packets meet rules that nobody asked for. What they would have met is found by asking
 * all three the same packet in the same state of its connection. The others have limits of their own, which begin full.
 */
import type { Evaluator } from './evaluator.ts';
import { createOutcome, type Outcome, type RulePacket, type RuleVerdict } from './packet.ts';

/** Packets that are kept as examples. */
const EXAMPLES = 8;

/** A packet that was answered differently, as the rules saw it. */
export interface Difference {
  /** Nanoseconds of capture time. */
  readonly time: number;
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly verdict: RuleVerdict;
  readonly before: RuleVerdict;
  readonly after: RuleVerdict;
}

export interface Comparison {
  /** Walks through the rules, one for each packet and cell. */
  walks: number;
  /** Of these, walks whose verdict was not that of the rules before, not that of the rules after, and neither of both. */
  unlikeBefore: number;
  unlikeAfter: number;
  unlikeBoth: number;
  /** The first ones of them all. */
  readonly examples: Difference[];
}

export const createComparison = (): Comparison => ({
  walks: 0,
  unlikeBefore: 0,
  unlikeAfter: 0,
  unlikeBoth: 0,
  examples: [],
});

/** `real`, which counts in `comparison` how its answers differ. Nothing of it can be remembered: it has no plans. */
export function compared(real: Evaluator, before: Evaluator, after: Evaluator, comparison: Comparison): Evaluator {
  const chains: (readonly [number, number])[] = [];
  const [old, next] = [createOutcome(), createOutcome()];
  return {
    ...real,
    prepare(name, known) {
      const chain = real.prepare(name, known);
      chains[chain] = [before.prepare(name, known), after.prepare(name, known)];
      return chain;
    },
    evaluate(chain, packet, outcome) {
      real.evaluate(chain, packet, outcome);
      const [one, other] = chains[chain]!;
      before.evaluate(one, packet, old);
      after.evaluate(other, packet, next);
      compare(comparison, packet, outcome, old, next);
    },
    plan: () => null,
    release() {
      for (const evaluator of [real, before, after]) evaluator.release();
    },
  };
}

function compare(comparison: Comparison, packet: RulePacket, outcome: Outcome, old: Outcome, next: Outcome): void {
  const { verdict } = outcome;
  const unlikeBefore = verdict !== old.verdict;
  const unlikeAfter = verdict !== next.verdict;
  comparison.walks += 1;
  if (unlikeBefore) comparison.unlikeBefore += 1;
  if (unlikeAfter) comparison.unlikeAfter += 1;
  if (unlikeBefore && unlikeAfter) comparison.unlikeBoth += 1;
  if (!(unlikeBefore || unlikeAfter) || comparison.examples.length === EXAMPLES) return;
  const { time, source, destination, protocol, sourcePort, destinationPort } = packet;
  const ends = { source, destination, protocol, sourcePort, destinationPort };
  comparison.examples.push({ time, ...ends, verdict, before: old.verdict, after: next.verdict });
}
