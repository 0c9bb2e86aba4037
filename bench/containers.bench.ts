/**
 * What do containers cost? The whole cell, from a file to verdicts, against their number; and 250 of them with five security groups of
 * ten rules each and logging on; and 60,000 policies on one cell.
 */
import { frames, traceOf } from './harness.ts';
import { ask, type Case } from './question.ts';

const caseOf = (containers: number, policies: number, logging: boolean): Case => {
  const shape = { seed: 42, frames: frames(), flows: 100_000, policies, hitRate: 0.8, containers };
  const trace = traceOf(logging ? { ...shape, logging } : shape);
  return {
    fields: { containers, policies, logging },
    trace,
    program: 'replay-once.js',
    words: [trace.capture, trace.foundation, 'cell-1', '7', 'verdicts'],
  };
};

ask('containers', [
  ...[1, 10, 50, 250].map((containers) => caseOf(containers, 10_000, false)),
  caseOf(250, 10_000, true),
  caseOf(250, 60_000, false),
]);
