/**
 * How fast are the layers of every packet located, and how fast does the compiled matcher say what the rules say of it by itself,
 * without connections? From memory and from a file, with 10,000 and 60,000 policies, beside the yardstick, which walks
 * the same file through libpcap and decides nothing.
 *
 * Rounds alternate between all of them, each in a process of its own; ours is the median of the later passes there. Figures are
 * CPU time of the one thread that works.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { measureYardstick, median, ROOT, tell, traceOf, yardstick } from './harness.ts';

const ROUNDS = 5;
const PASSES = '9';
const FRAMES = 1_000_000;
const WARMING = 2;

interface Ran {
  readonly nanoseconds: readonly number[];
  readonly verdicts?: Readonly<Record<string, number>>;
  readonly plain?: number;
}

const CASES = [
  { work: 'locate', where: 'memory', policies: 10_000 },
  { work: 'locate', where: 'file', policies: 10_000 },
  { work: 'match', where: 'memory', policies: 10_000 },
  { work: 'match', where: 'memory', policies: 60_000 },
  { work: 'match', where: 'file', policies: 10_000 },
  { work: 'match', where: 'file', policies: 60_000 },
] as const;

function ours({ work, where, policies }: (typeof CASES)[number]): Ran & { peer: number; steady: number } {
  const trace = traceOf({ seed: 42, frames: FRAMES, flows: FRAMES, policies, hitRate: 0.8 });
  const program = join(ROOT, 'dist', 'bench', 'match-once.js');
  const options = ['--expose-gc', program, trace.capture, trace.foundation, 'cell-1', PASSES, work, where];
  const peer = 'program' in built ? measureYardstick(built.program, trace.capture) : Number.NaN;
  const ran = spawnSync(process.execPath, options, { encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(ran.stderr);
  const result = JSON.parse(ran.stdout) as Ran;
  return { ...result, peer, steady: median(result.nanoseconds.slice(WARMING)) };
}

const built = yardstick();
if ('missing' in built) console.error(`SKIP the yardstick: ${built.missing}; figures are ours alone`);
const rounds = Array.from({ length: ROUNDS }, () => CASES.map(ours));
for (const [index, one] of CASES.entries()) {
  const all = rounds.map((round) => round[index]!);
  const ratios = all.map(({ peer, steady }) => peer / steady);
  const rounded = (ratio: number): number => Number(ratio.toFixed(3));
  tell({
    bench: 'match',
    ...one,
    frames: FRAMES,
    yardstickNanoseconds: Math.round(median(all.map(({ peer }) => peer))),
    nanoseconds: Number(median(all.map(({ steady }) => steady)).toFixed(1)),
    ratio: rounded(median(ratios)),
    ratioLeast: rounded(Math.min(...ratios)),
    ratioMost: rounded(Math.max(...ratios)),
    ...(one.work === 'locate' ? { plain: all[0]!.plain } : { verdicts: all[0]!.verdicts }),
  });
}
