/**
 * One worker of `workers-once.ts`: prepares its share, waits until all are ready, judges it, and says what that took.
 */
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { prepare, type Task } from '../src/cli/replay/prepare.ts';
import type { Sources } from '../src/cli/sources/options.ts';
import type { Share } from '../src/dataplane/share.ts';
import { plan } from '../src/foundation/plan.ts';
import { readFoundation } from '../src/foundation/read.ts';
import { play } from '../src/replay/player.ts';
import { quiet, threadNanoseconds } from './measure.ts';

export interface Work {
  readonly capture: string;
  readonly foundation: string;
  readonly cell: string;
  readonly rounds: number;
  readonly share: Share;
  /** Counts the workers that are ready, over all rounds. */
  readonly ready: Int32Array<SharedArrayBuffer>;
  /** Follow TCP windows and add packets up by flow as well. */
  readonly windows: boolean;
  readonly flows: boolean;
}

/** Of one round: CPU time of the thread, and when it began and ended, in nanoseconds of one clock. */
export interface Spent {
  readonly thread: number;
  readonly began: number;
  readonly ended: number;
  readonly packets: number;
}

const { capture, foundation: file, cell, rounds, share, ready, windows, flows } = workerData as Work;
const foundation = readFoundation(readFileSync(file, 'utf8'), file);
const ruleset = plan(foundation, cell);
const sources: Sources = {
  foundation,
  rules: new Map([[cell, { ruleset, backend: 'nft' }]]),
  cells: [cell],
  origins: [],
  warnings: [],
};
const task: Task = {
  captures: [capture],
  sources,
  strictChecksums: false,
  tcpWindows: windows,
  connections: 1 << 22,
  keepLogs: false,
  flows,
};
const spent: Spent[] = [];
for (let round = 1; round <= rounds; round++) {
  const { dataplane, source, table } = await prepare(task, share);
  await quiet();
  meet(round * share.of);
  const began = process.hrtime.bigint();
  const before = threadNanoseconds();
  const { damage } = await play(source, dataplane, [], { flows: table });
  const thread = threadNanoseconds() - before;
  spent.push({
    thread,
    began: Number(began),
    ended: Number(process.hrtime.bigint()),
    packets: dataplane.counters.read,
  });
  if (damage !== null) throw damage;
  await source.close();
}
parentPort!.postMessage(spent);

function meet(all: number): void {
  Atomics.add(ready, 0, 1);
  Atomics.notify(ready, 0);
  for (let seen = Atomics.load(ready, 0); seen < all; seen = Atomics.load(ready, 0)) Atomics.wait(ready, 0, seen);
}
