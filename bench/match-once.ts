/**
 * Locate, or locate and match, one capture in a process of its own, for `locate.bench.ts` and `match.bench.ts`.
 *
 *   node match-once.js CAPTURE FOUNDATION CELL ROUNDS locate|match memory|file [RULES]
 *
 * Prints a line of JSON: CPU nanoseconds per packet of every round, of the thread that does the work, and what came out of the last. With
 * `memory` the file is in memory when the clock starts. RULES is a file of iptables-save; the foundation says them otherwise.
 */
import { readFileSync, statSync } from 'node:fs';
import { openSource } from '../src/capture/file.ts';
import { open } from '../src/capture/reader.ts';
import { chooseLoops } from '../src/cli/loops.ts';
import { create as createBurst } from '../src/dataplane/burst.ts';
import { createMatcher, locateAll, matchAll } from '../src/dataplane/match.ts';
import { createDataplane } from '../src/dataplane/setup.ts';
import { VERDICT_NAMES } from '../src/dataplane/verdict.ts';
import { plan } from '../src/foundation/plan.ts';
import { readFoundation } from '../src/foundation/read.ts';
import { heap, reserve } from '../src/memory/arena.ts';
import { parseRuleset } from '../src/rules/parse.ts';
import { locate } from '../src/wire/layers.ts';
import { quiet, threadNanoseconds } from './measure.ts';

const [capture, foundationFile, cell, rounds, work, where, rulesFile] = process.argv.slice(2);
const foundation = readFoundation(readFileSync(foundationFile!, 'utf8'), foundationFile!);
const ruleset =
  rulesFile === undefined
    ? plan(foundation, cell!)
    : parseRuleset(readFileSync(rulesFile, 'utf8'), { file: rulesFile, unknownMatches: 'error' }).ruleset;
const nanoseconds: number[] = [];
let verdicts = {};
let plain = 0;

for (let round = 0; round < Number(rounds); round++) {
  const arena = reserve(2 ** 31, chooseLoops(process.env)) ?? heap;
  const dataplane = createDataplane(foundation, new Map([[cell!, { ruleset, backend: 'nft' }]]), {
    vxlanPort: foundation.overlay.port,
    strictChecksums: false,
    judged: [cell!],
    connectionLimit: 1 << 16,
    arena,
  });
  const burst = createBurst(undefined, arena);
  const matcher = createMatcher(dataplane, arena);
  // A chunk as large as the file is read when it is opened.
  const chunkLength = where === 'memory' ? statSync(capture!).size + 1 : 1 << 20;
  const reader = await open(await openSource(capture!), { arena, chunkLength });
  await quiet();
  let others = 0;
  const locateOther = (row: number): void => {
    const { view, at, end, originalLength, linkType } = burst.records;
    const wireEnd = at[row]! + originalLength[row]!;
    locate(view, at[row]!, end[row]!, wireEnd, linkType[row]!, foundation.overlay.port, dataplane.layers);
    others += 1;
  };
  const before = threadNanoseconds();
  if (work === 'locate') await locateAll(reader, matcher, burst, locateOther);
  else await matchAll(reader, matcher, burst);
  nanoseconds.push((threadNanoseconds() - before) / reader.packets);
  plain = reader.packets - others;
  await reader.close();
  verdicts = Object.fromEntries(VERDICT_NAMES.map((name, index) => [name, dataplane.counters.verdicts[index]!]));
}
const result = work === 'locate' ? { plain } : { verdicts };
process.stdout.write(`${JSON.stringify({ nanoseconds, ...result })}\n`);
