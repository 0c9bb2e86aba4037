/** The thread of one worker: replays its share of the captures and sends what it found. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Share } from '../../dataplane/share.ts';
import { flowSums } from '../../replay/flow-sums.ts';
import { partOf } from '../../replay/join.ts';
import { play } from '../../replay/player.ts';
import { EXIT, exitCodeOf } from '../exit.ts';
import { prepare, type Task } from './prepare.ts';
import { attend, type Meeting } from './rendezvous.ts';

export interface Assignment {
  readonly task: Task;
  readonly share: Share;
  readonly meeting: Meeting;
}

const { task, share, meeting } = workerData as Assignment;
const rendezvous = attend(meeting, share.number);
try {
  const { dataplane, source, table } = await prepare(task, share);
  const playback = await play(source, dataplane, [], {
    flows: table,
    until: () => rendezvous.until(source.packets),
  });
  rendezvous.leave(source.packets);
  await source.close();
  // The first worker reports what is wrong with the capture; what is wrong with us is not to be lost.
  if (playback.damage !== null && exitCodeOf(playback.damage) !== EXIT.INPUT) throw playback.damage;
  parentPort!.postMessage(partOf(dataplane, playback, source.packets, table && flowSums(table)));
} finally {
  rendezvous.leave(0);
}
