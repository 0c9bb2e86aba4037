/**
 * How fast is the whole receiving cell, from a file to verdicts with connections and counters, against the number of connections in the file?
 * With `flows` packets are added up by flow as well, as a report needs it.
 */
import { frames, traceOf } from './harness.ts';
import { ask, type Case } from './question.ts';

const MUST: Readonly<Record<number, readonly [must: number, aim: number]>> = { 100000: [0.8, 1.7], 1000000: [0.5, 1] };

const caseOf = (connections: number, work: string): Case => {
  // Two packets of each connection at least.
  const count = Math.max(frames(), connections > 1_000_000 ? connections * 2 : 0);
  const trace = traceOf({ seed: 42, frames: count, flows: connections, policies: 10_000, hitRate: 0.8 });
  const [must, aim] = (work === 'verdicts' ? MUST[connections] : undefined) ?? [];
  return {
    fields: { connections, work, policies: 10_000 },
    trace,
    program: 'replay-once.js',
    words: [trace.capture, trace.foundation, 'cell-1', '7', work],
    ...(must === undefined || aim === undefined ? {} : { must, aim }),
  };
};

ask('flows', [
  ...[1, 100, 10_000, 100_000, 1_000_000, 2_000_000].map((connections) => caseOf(connections, 'verdicts')),
  ...[10_000, 100_000, 1_000_000].map((connections) => caseOf(connections, 'flows')),
]);
