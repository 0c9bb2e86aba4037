/**
 * How fast is a replay from a file to verdicts and flows, with 10,000 policies, beside the yardstick?
 *
 * Rounds alternate between the two, each in a process of its own. Ours replays several times in one process and counts the
 * median of the later rounds (the first ones are V8 warming up) as `steady`, the first as `cold`. Figures are CPU time of the
 * one thread that replays; `process` has what V8 does beside it as well. With 100,000 flows every tenth packet is the first
 * of its flow.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { measureYardstick, median, ROOT, tell, traceOf, yardstick } from './harness.ts';

const ROUNDS = 5;
const FRAMES = 1_000_000;
const POLICIES = 10_000;

interface Ran {
  readonly nanoseconds: readonly number[];
  readonly processNanoseconds: readonly number[];
  readonly verdicts: Readonly<Record<string, number>>;
}

const ours = (capture: string, foundation: string): Ran => {
  const program = join(ROOT, 'dist', 'bench', 'replay-once.js');
  const ran = spawnSync(process.execPath, ['--expose-gc', program, capture, foundation, 'cell-1', '7'], {
    encoding: 'utf8',
  });
  if (ran.status !== 0) throw new Error(ran.stderr);
  return JSON.parse(ran.stdout) as Ran;
};

const built = yardstick();
if ('missing' in built) console.error(`SKIP the yardstick: ${built.missing}; figures are ours alone`);
for (const flows of [1000, 10_000, 100_000]) {
  const { capture, foundation } = traceOf({ seed: 42, frames: FRAMES, flows, policies: POLICIES, hitRate: 0.8 });
  const rounds = Array.from({ length: ROUNDS }, () => {
    const peer = 'program' in built ? measureYardstick(built.program, capture) : Number.NaN;
    const { nanoseconds, processNanoseconds, verdicts } = ours(capture, foundation);
    const [cold, steady, coldProcess] = [nanoseconds[0]!, median(nanoseconds.slice(2)), processNanoseconds[0]!];
    return { peer, cold, steady, coldProcess, steadyProcess: median(processNanoseconds.slice(2)), verdicts };
  });
  const ratios = rounds.map(({ peer, steady }) => peer / steady);
  tell({
    bench: 'replay',
    frames: FRAMES,
    flows,
    policies: POLICIES,
    yardstickNanoseconds: Math.round(median(rounds.map(({ peer }) => peer))),
    steadyNanoseconds: Math.round(median(rounds.map(({ steady }) => steady))),
    coldNanoseconds: Math.round(median(rounds.map(({ cold }) => cold))),
    steadyProcessNanoseconds: Math.round(median(rounds.map(({ steadyProcess }) => steadyProcess))),
    coldProcessNanoseconds: Math.round(median(rounds.map(({ coldProcess }) => coldProcess))),
    ratio: Number(median(ratios).toFixed(3)),
    ratioLeast: Number(Math.min(...ratios).toFixed(3)),
    ratioMost: Number(Math.max(...ratios).toFixed(3)),
    verdicts: rounds[0]!.verdicts,
  });
}
