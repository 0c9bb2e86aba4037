/**
 * What does the number of rows of a burst cost? The whole cell and the match, from memory, in programs that differ in nothing else
 * (`rows.ts`). What is put in for 256 has to come to the same verdicts with every number, and is compared.
 */

import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { frames, traceOf } from './harness.ts';
import { ask, type Case } from './question.ts';
import { programWith } from './rows.ts';

const ROWS = [16, 64, 256, 1024, 4096];
const POLICIES = 10_000;
const CONNECTIONS = 100_000;

const shape = { seed: 42, frames: frames(), policies: POLICIES, hitRate: 0.8 };

const cellOf = (rows: number, folder: string): Case => {
  const trace = traceOf({ ...shape, flows: CONNECTIONS });
  return {
    fields: { work: 'cell', rows, connections: CONNECTIONS, policies: POLICIES },
    trace,
    program: join(folder, 'replay-once.js'),
    words: [trace.capture, trace.foundation, 'cell-1', '7', 'verdicts', 'memory'],
  };
};

const matchOf = (rows: number, folder: string): Case => {
  const trace = traceOf({ ...shape, flows: frames() });
  return {
    fields: { work: 'match', rows, policies: POLICIES },
    trace,
    program: join(folder, 'match-once.js'),
    words: [trace.capture, trace.foundation, 'cell-1', '7', 'match', 'memory'],
  };
};

function askAll(folders: readonly string[]): void {
  const cases = [cellOf, matchOf].flatMap((caseOf) => ROWS.map((rows, index) => caseOf(rows, folders[index]!)));
  const verdicts = ask('burst', cases);
  for (const [index, { fields }] of cases.entries()) {
    const first = cases.findIndex((other) => other.fields.work === fields.work);
    if (isDeepStrictEqual(verdicts[index], verdicts[first])) continue;
    console.error(`${fields.work} with ${fields.rows} rows: other verdicts than with ${ROWS[0]}`);
    process.exitCode = 1;
  }
}

// The copies' WebAssembly has bursts of 256.
process.env.TAGPLANE_LOOPS = 'native';
const programs = ROWS.map(programWith);
const missing = programs.find((program) => 'missing' in program);
if (missing !== undefined) console.error(`SKIP burst: ${missing.missing}`);
else askAll(programs.flatMap((program) => ('folder' in program ? program.folder : [])));
