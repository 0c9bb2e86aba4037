/**
 * How fast are the layers of every packet located, and how fast does the compiled matcher say what the rules say of it by itself,
 * without connections? From memory and from a file, with 10,000 and 60,000 policies.
 */
import { frames, traceOf } from './harness.ts';
import { ask, type Case } from './question.ts';

const caseOf = (work: string, where: string, policies: number, must: number, aim: number): Case => {
  const trace = traceOf({ seed: 42, frames: frames(), flows: frames(), policies, hitRate: 0.8 });
  return {
    fields: { work, where, policies },
    trace,
    program: 'match-once.js',
    words: [trace.capture, trace.foundation, 'cell-1', '9', work, where],
    must,
    aim,
  };
};

ask('match', [
  caseOf('locate', 'memory', 10_000, 5, 9),
  caseOf('match', 'memory', 10_000, 3, 4.5),
  caseOf('match', 'memory', 60_000, 2.2, 3.1),
  caseOf('match', 'file', 10_000, 1.6, 3),
  caseOf('match', 'file', 60_000, 1.6, 3),
]);
