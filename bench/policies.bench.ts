/**
 * What do rules cost? The matcher by itself, in memory, against the number of policies with eight packets in ten allowed, and against the
 * share of packets that are allowed with 10,000 policies: a packet that none allows is looked up in vain.
 */
import { frames, traceOf } from './harness.ts';
import { ask, type Case } from './question.ts';

const caseOf = (policies: number, hitRate: number): Case => {
  const trace = traceOf({ seed: 42, frames: frames(), flows: frames(), policies, hitRate });
  return {
    fields: { policies, hitRate },
    trace,
    program: 'match-once.js',
    words: [trace.capture, trace.foundation, 'cell-1', '7', 'match', 'memory'],
  };
};

ask('policies', [
  ...[10, 100, 1000, 10_000, 60_000, 100_000].map((policies) => caseOf(policies, 0.8)),
  ...[0, 0.1, 0.5, 1].map((hitRate) => caseOf(10_000, hitRate)),
]);
