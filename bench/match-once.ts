/**
 * Locate, or locate and match, one capture in a process of its own, for `locate.bench.ts` and `match.bench.ts`.
 *
 *   node match-once.js CAPTURE FOUNDATION CELL ROUNDS locate|match memory|file
 *
 * Prints a line of JSON: CPU nanoseconds per packet of every round, of the thread that does the work, and what came out of the last. With
 * `memory` the file is in memory when the clock starts.
 */
import { readFileSync, statSync } from 'node:fs';
import { openSource } from '../src/capture/file.ts';
import { type CaptureReader, open } from '../src/capture/reader.ts';
import { chooseLoops } from '../src/cli/loops.ts';
import { type Burst, create as createBurst } from '../src/dataplane/burst.ts';
import { createMatcher, type Matcher, matchAll, outlineBurst } from '../src/dataplane/match.ts';
import { OUTLINE, OUTLINE_WORDS } from '../src/dataplane/outline.ts';
import { createDataplane } from '../src/dataplane/setup.ts';
import { VERDICT_NAMES } from '../src/dataplane/verdict.ts';
import { plan } from '../src/foundation/plan.ts';
import { readFoundation } from '../src/foundation/read.ts';
import { heap, reserve } from '../src/memory/arena.ts';
import { locate } from '../src/wire/layers.ts';
import { quiet, threadNanoseconds } from './measure.ts';

const [capture, foundationFile, cell, rounds, work, where] = process.argv.slice(2);
const foundation = readFoundation(readFileSync(foundationFile!, 'utf8'), foundationFile!);
const ruleset = plan(foundation, cell!);
const nanoseconds: number[] = [];
let verdicts = {};
let plain = 0;

/** Locate the layers of every packet: outlines of plain frames, and the general code for others. */
async function locateAll(reader: CaptureReader, matcher: Matcher, burst: Burst): Promise<void> {
  const { dataplane, outlines } = matcher;
  const { records } = burst;
  do {
    while (reader.fill(records) > 0) {
      outlineBurst(matcher, burst);
      for (let i = 0; i < records.count; i++) {
        if (outlines[i * OUTLINE_WORDS + OUTLINE.PROTOCOL] !== 0) continue;
        const { view, at, end, originalLength, linkType } = records;
        const { layers, options } = dataplane;
        locate(view, at[i]!, end[i]!, at[i]! + originalLength[i]!, linkType[i]!, options.vxlanPort, layers);
        plain -= 1;
      }
      plain += records.count;
      dataplane.counters.read += records.count;
    }
  } while (await reader.refill());
}

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
  plain = 0;
  const before = threadNanoseconds();
  await (work === 'locate' ? locateAll : matchAll)(reader, matcher, burst);
  nanoseconds.push((threadNanoseconds() - before) / dataplane.counters.read);
  await reader.close();
  verdicts = Object.fromEntries(VERDICT_NAMES.map((name, index) => [name, dataplane.counters.verdicts[index]!]));
}
const result = work === 'locate' ? { plain } : { verdicts };
process.stdout.write(`${JSON.stringify({ nanoseconds, ...result })}\n`);
