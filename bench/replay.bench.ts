/**
 * How fast is a replay from a file to verdicts, with 10,000 policies, beside the yardstick? And how fast when packets are added up by
 * flow as well, which the report needs?
 *
 * Rounds alternate between the two, each in a process of its own. Ours replays several times in one process and counts the
 * median of the later rounds (the first ones are V8 warming up) as `steady`, the first as `cold`. Figures are CPU time of the
 * one thread that replays; `process` has what V8 does beside it as well. With 100,000 flows every tenth packet is the first
 * of its flow, with 1,000,000 two in three.
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

const ours = (capture: string, foundation: string, work: string): Ran => {
  const program = join(ROOT, 'dist', 'bench', 'replay-once.js');
  const ran = spawnSync(process.execPath, ['--expose-gc', program, capture, foundation, 'cell-1', '7', work], {
    encoding: 'utf8',
  });
  if (ran.status !== 0) throw new Error(ran.stderr);
  return JSON.parse(ran.stdout) as Ran;
};

const built = yardstick();
if ('missing' in built) console.error(`SKIP the yardstick: ${built.missing}; figures are ours alone`);

type Trace = ReturnType<typeof traceOf>;

interface Round {
  readonly peer: number;
  readonly cold: number;
  readonly steady: number;
  readonly coldProcess: number;
  readonly steadyProcess: number;
  readonly verdicts: Ran['verdicts'];
}

function measure({ capture, foundation }: Trace, work: string): Round {
  const peer = 'program' in built ? measureYardstick(built.program, capture) : Number.NaN;
  const { nanoseconds, processNanoseconds, verdicts } = ours(capture, foundation, work);
  return {
    peer,
    cold: nanoseconds[0]!,
    steady: median(nanoseconds.slice(2)),
    coldProcess: processNanoseconds[0]!,
    steadyProcess: median(processNanoseconds.slice(2)),
    verdicts,
  };
}

for (const flows of [1000, 10_000, 100_000, 1_000_000]) {
  const trace = traceOf({ seed: 42, frames: FRAMES, flows, policies: POLICIES, hitRate: 0.8 });
  const byWork = new Map<string, Round[]>([
    ['verdicts', []],
    ['flows', []],
  ]);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [work, rounds] of byWork) rounds.push(measure(trace, work));
  }
  for (const [work, rounds] of byWork) {
    const ratios = rounds.map(({ peer, steady }) => peer / steady);
    const typical = (pick: (round: Round) => number): number => Math.round(median(rounds.map(pick)));
    tell({
      bench: 'replay',
      work,
      frames: FRAMES,
      flows,
      policies: POLICIES,
      yardstickNanoseconds: typical(({ peer }) => peer),
      steadyNanoseconds: typical(({ steady }) => steady),
      coldNanoseconds: typical(({ cold }) => cold),
      steadyProcessNanoseconds: typical(({ steadyProcess }) => steadyProcess),
      coldProcessNanoseconds: typical(({ coldProcess }) => coldProcess),
      ratio: Number(median(ratios).toFixed(3)),
      ratioLeast: Number(Math.min(...ratios).toFixed(3)),
      ratioMost: Number(Math.max(...ratios).toFixed(3)),
      verdicts: rounds[0]!.verdicts,
    });
  }
}
