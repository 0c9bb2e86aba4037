/**
 * What do rules without exact fields cost? The matcher by itself, in memory, on rulesets like those of ClassBench (`families.ts`), against
 * their family and number.
 */
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAMILIES, type Family, foundationOf, rulesOf, saved, writeFamily } from './families.ts';
import { FOLDER, frames, type Trace } from './harness.ts';
import { ask, type Case } from './question.ts';

const SEED = 42;

/** The capture, foundation and rules, written now if they are not there yet. */
function traceOf(family: Family, count: number): Trace & { readonly rules: string } {
  mkdirSync(FOLDER, { recursive: true });
  const name = join(FOLDER, [family, count, frames(), SEED].join('-'));
  const trace = { capture: `${name}.pcap`, foundation: `${name}.json`, rules: `${name}.rules` };
  if (!existsSync(trace.capture)) {
    const rules = rulesOf(family, count, SEED);
    writeFileSync(trace.rules, saved(rules));
    writeFileSync(trace.foundation, JSON.stringify(foundationOf()));
    writeFamily(rules, SEED, frames(), `${trace.capture}.partial`);
    renameSync(`${trace.capture}.partial`, trace.capture);
  }
  return trace;
}

const caseOf = (family: Family, rules: number): Case => {
  const trace = traceOf(family, rules);
  return {
    fields: { family, rules },
    trace,
    program: 'match-once.js',
    words: [trace.capture, trace.foundation, 'cell-1', '7', 'match', 'memory', trace.rules],
  };
};

ask(
  'families',
  FAMILIES.flatMap((family) => [100, 1000, 10_000].map((count) => caseOf(family, count))),
);
