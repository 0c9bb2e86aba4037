/** What do long packets cost? The whole cell, from a file to verdicts, against the octets behind the inner TCP header. */
import { frames, traceOf } from './harness.ts';
import { ask, type Case } from './question.ts';

const caseOf = (payload: number): Case => {
  // Files of about the same length.
  const count = Math.round((frames() * 64) / Math.max(payload, 64));
  const trace = traceOf({ seed: 42, frames: count, flows: 10_000, policies: 10_000, hitRate: 0.8, payload });
  return {
    fields: { payload, policies: 10_000, connections: 10_000 },
    trace,
    program: 'replay-once.js',
    words: [trace.capture, trace.foundation, 'cell-1', '7', 'verdicts'],
  };
};

ask('size', [1, 64, 256, 512, 1396].map(caseOf));
