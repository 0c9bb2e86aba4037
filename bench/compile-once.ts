/**
 * Plan and compile the rules of one cell, and exchange them in a cell that judges, for `compile.bench.ts`.
 *
 *   node --expose-gc compile-once.js FOUNDATION CELL ROUNDS
 *
 * Prints a line of JSON with CPU milliseconds of every round, of the thread: to parse the file as JSON (the same machine's measure of itself), to
 * compile the rules, to exchange them for rules with one policy less, and the resident megabytes that are more than before.
 */
import { readFileSync } from 'node:fs';
import { chooseLoops } from '../src/cli/loops.ts';
import { exchange } from '../src/dataplane/exchange.ts';
import { createDataplane } from '../src/dataplane/setup.ts';
import { plan } from '../src/foundation/plan.ts';
import { readFoundation } from '../src/foundation/read.ts';
import { heap, reserve } from '../src/memory/arena.ts';
import type { Ruleset } from '../src/rules/model.ts';
import { quiet, threadNanoseconds } from './measure.ts';

const [file, cell, rounds] = process.argv.slice(2) as [string, string, string];
const text = readFileSync(file, 'utf8');
const foundation = readFoundation(text, file);
const ruleset = plan(foundation, cell);
const fewer = plan({ ...foundation, policies: foundation.policies.slice(1) }, cell);

function timed(work: () => unknown): number {
  const before = threadNanoseconds();
  work();
  return (threadNanoseconds() - before) / 1e6;
}

const create = (rules: Ruleset) =>
  createDataplane(foundation, new Map([[cell, { ruleset: rules, backend: 'nft' as const }]]), {
    vxlanPort: foundation.overlay.port,
    strictChecksums: false,
    judged: [cell],
    connectionLimit: 1 << 16,
    arena: reserve(2 ** 31, chooseLoops(process.env)) ?? heap,
  });

const results: { parse: number; compile: number; exchange: number; megabytes: number }[] = [];
for (let round = 0; round < Number(rounds); round++) {
  await quiet();
  const parse = timed(() => JSON.parse(text) as unknown);
  await quiet();
  const resident = process.memoryUsage().rss;
  let dataplane: ReturnType<typeof create> | undefined;
  const compile = timed(() => {
    dataplane = create(ruleset);
  });
  await quiet();
  const megabytes = (process.memoryUsage().rss - resident) / 2 ** 20;
  const judging = dataplane!;
  const exchanged = timed(() => exchange(judging, judging.cells.find(({ name }) => name === cell)!, fewer));
  results.push({ parse, compile, exchange: exchanged, megabytes });
}
process.stdout.write(`${JSON.stringify(results)}\n`);
