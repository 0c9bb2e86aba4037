/**
 * Several workers on one capture, for `workers.bench.ts`.
 *
 *   node --expose-gc workers-once.js CAPTURE FOUNDATION CELL WORKERS ROUNDS verdicts|flows|windows
 *
 * Prints a line of JSON: per round, wall nanoseconds per packet from the first worker's first octet to the last one's last packet,
 * and the CPU nanoseconds per packet of the thread that took most.
 */
import { Worker } from 'node:worker_threads';
import type { Spent, Work } from './workers-thread.ts';

const [capture, foundation, cell, workers, rounds, kind] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string,
];
const ready = new Int32Array(new SharedArrayBuffer(4));
const answers = Array.from({ length: Number(workers) }, (_, number) => {
  const work: Work = {
    capture,
    foundation,
    cell,
    rounds: Number(rounds),
    share: { number, of: Number(workers) },
    ready,
    windows: kind === 'windows',
    flows: kind === 'flows',
  };
  const thread = new Worker(new URL('./workers-thread.js', import.meta.url), { workerData: work });
  return new Promise<Spent[]>((resolve, reject) => thread.once('message', resolve).once('error', reject));
});
const spent = await Promise.all(answers);
const perRound = Array.from({ length: Number(rounds) }, (_, round) => spent.map((of) => of[round]!));
const packets = perRound[0]!.reduce((sum, one) => sum + one.packets, 0);
const most = (numbers: readonly number[]): number => Math.max(...numbers);
process.stdout.write(
  `${JSON.stringify({
    packets,
    wall: perRound.map(
      (of) => (most(of.map(({ ended }) => ended)) - Math.min(...of.map(({ began }) => began))) / packets,
    ),
    thread: perRound.map((of) => most(of.map(({ thread }) => thread)) / packets),
  })}\n`,
);
