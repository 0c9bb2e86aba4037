/**
 * One replay of a capture in a process of its own, for benchmarks of the whole cell.
 *
 *   node replay-once.js CAPTURE FOUNDATION CELL [ROUNDS] [flows|verdicts] [CHUNK|memory]
 *
 * CHUNK is the octets of a read; with `memory` all is read before the clock starts. Replays ROUNDS times, everything built anew each time, memory too, and prints a line of JSON: nanoseconds per packet of every round,
 * counts of the last, and the largest resident size of the process. Nanoseconds are CPU time from the first octet read to
 * the last packet counted, and with `flows` added to its flow, as a report needs it: of the thread that replays, and of the whole process, where V8 compiles beside it.
 */
import { readFileSync, statSync } from 'node:fs';
import { openSource } from '../src/capture/file.ts';
import { open } from '../src/capture/reader.ts';
import { chooseLoops } from '../src/cli/loops.ts';
import { createDataplane } from '../src/dataplane/setup.ts';
import { VERDICT_NAMES } from '../src/dataplane/verdict.ts';
import { plan } from '../src/foundation/plan.ts';
import { readFoundation } from '../src/foundation/read.ts';
import { heap, reserve } from '../src/memory/arena.ts';
import { createEnds } from '../src/replay/ends.ts';
import * as flows from '../src/replay/flows.ts';
import { play } from '../src/replay/player.ts';
import { quiet, threadNanoseconds } from './measure.ts';

const [capture, foundationFile, cell, rounds = '1', work = 'flows', chunk] = process.argv.slice(2) as [
  string,
  string,
  string,
  string?,
  string?,
  string?,
];
const chunkLength = chunk === 'memory' ? statSync(capture).size + 1 : Number(chunk ?? 1 << 20);
const foundation = readFoundation(readFileSync(foundationFile, 'utf8'), foundationFile);
const ruleset = plan(foundation, cell);
const nanoseconds: number[] = [];
const processNanoseconds: number[] = [];
let verdicts: Record<string, number> = {};
for (let round = 0; round < Number(rounds); round++) {
  const arena = reserve(2 ** 31, chooseLoops(process.env)) ?? heap;
  const options = {
    vxlanPort: foundation.overlay.port,
    strictChecksums: false,
    judged: [cell],
    connectionLimit: 1 << 22,
    arena,
  };
  const dataplane = createDataplane(foundation, new Map([[cell, { ruleset, backend: 'nft' }]]), options);
  const table = work === 'flows' ? flows.create(createEnds(dataplane.directory), dataplane.straight) : null;
  const reader = await open(await openSource(capture), { arena, chunkLength });
  await quiet();
  const before = process.cpuUsage();
  const threadBefore = threadNanoseconds();
  const playback = await play(reader, dataplane, [], { flows: table });
  const threadAfter = threadNanoseconds();
  const { user, system } = process.cpuUsage(before);
  await reader.close();
  if (playback.damage !== null) throw playback.damage;
  const whole = (user + system) * 1000;
  const thread = Number.isNaN(threadAfter) ? whole : threadAfter - threadBefore;
  nanoseconds.push(thread / dataplane.counters.read);
  processNanoseconds.push(whole / dataplane.counters.read);
  verdicts = Object.fromEntries(VERDICT_NAMES.map((name, index) => [name, dataplane.counters.verdicts[index]!]));
}
process.stdout.write(
  `${JSON.stringify({ nanoseconds, processNanoseconds, verdicts, residentKilobytes: process.resourceUsage().maxRSS })}\n`,
);
