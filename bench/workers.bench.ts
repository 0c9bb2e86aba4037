/**
 * What do two workers gain over one, and four over one?
 *
 * Rounds alternate between the numbers of workers, each in a process of its own, on one capture. `gain` is the CPU time of one worker by that of the
 * busiest thread of several, which other work on the machine disturbs least; `wallGain` is the same by the clock, and tells something only
 * where so many processors are free. `verdicts` is what machine code does by itself, `flows` has packets added up by flow as
 * a report needs it, `windows` follows TCP in TypeScript.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { median, ROOT, tell, traceOf } from './harness.ts';

const ROUNDS = 5;
const REPLAYS = 5;
const WORKERS = [1, 2, 4];

interface Ran {
  readonly wall: readonly number[];
  readonly thread: readonly number[];
}

function once(capture: string, foundation: string, workers: number, kind: string): { wall: number; thread: number } {
  const program = join(ROOT, 'dist', 'bench', 'workers-once.js');
  const words = ['--expose-gc', program, capture, foundation, 'cell-1', String(workers), String(REPLAYS), kind];
  const ran = spawnSync(process.execPath, words, { encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(ran.stderr);
  const { wall, thread } = JSON.parse(ran.stdout) as Ran;
  return { wall: median(wall.slice(2)), thread: median(thread.slice(2)) };
}

for (const flows of [100_000, 1_000_000]) {
  const { capture, foundation } = traceOf({ seed: 42, frames: 1_000_000, flows, policies: 10_000, hitRate: 0.8 });
  for (const kind of ['verdicts', 'flows', 'windows']) {
    const rounds = Array.from({ length: ROUNDS }, () =>
      WORKERS.map((workers) => once(capture, foundation, workers, kind)),
    );
    for (const [index, workers] of WORKERS.entries()) {
      const gains = rounds.map((round) => round[0]!.thread / round[index]!.thread);
      tell({
        bench: 'workers',
        work: kind,
        flows,
        workers,
        threadNanoseconds: Math.round(median(rounds.map((round) => round[index]!.thread))),
        gain: Number(median(gains).toFixed(2)),
        gainLeast: Number(Math.min(...gains).toFixed(2)),
        gainMost: Number(Math.max(...gains).toFixed(2)),
        wallGain: Number(median(rounds.map((round) => round[0]!.wall / round[index]!.wall)).toFixed(2)),
      });
    }
  }
}
