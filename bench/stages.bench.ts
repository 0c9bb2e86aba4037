/**
 * What does each stage of a receiving cell cost per packet? Each stage runs with all before it, in a process of its own, in
 * rounds that alternate with the yardstick; what it adds is the difference. The stages at the end replace `judge` and
 * `flows`: the same in TypeScript, by the general way (as `--strict-checksums` does), with TCP windows, and octet for octet in
 * an emulated cell.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { measureYardstick, median, ROOT, tell, traceOf, yardstick } from './harness.ts';

const ROUNDS = 5;
const STAGES: readonly (readonly [stage: string, after: string | null])[] = [
  ['read', null],
  ['layers', 'read'],
  ['judge', 'read'],
  ['flows', 'judge'],
  ['typescript', 'read'],
  ['general', 'read'],
  ['windows', 'read'],
  ['emulate', 'read'],
];

/** Median of the later passes over the capture, in nanoseconds per packet. */
function ours(stage: string, capture: string, foundation: string): number {
  const program = join(ROOT, 'dist', 'bench', 'stages-once.js');
  const ran = spawnSync(process.execPath, ['--expose-gc', program, stage, capture, foundation, 'cell-1', '5'], {
    encoding: 'utf8',
  });
  if (ran.status !== 0) throw new Error(ran.stderr);
  return median((JSON.parse(ran.stdout) as { nanoseconds: number[] }).nanoseconds.slice(2));
}

const built = yardstick();
if ('missing' in built) console.error(`SKIP the yardstick: ${built.missing}; figures are ours alone`);
for (const flows of [1000, 100_000]) {
  const { capture, foundation } = traceOf({ seed: 42, frames: 1_000_000, flows, policies: 10_000, hitRate: 0.8 });
  const rounds = Array.from({ length: ROUNDS }, () => ({
    peer: 'program' in built ? measureYardstick(built.program, capture) : Number.NaN,
    stages: new Map(STAGES.map(([stage]) => [stage, ours(stage, capture, foundation)])),
  }));
  const cost = (stage: string): number => median(rounds.map(({ stages }) => stages.get(stage)!));
  for (const [stage, after] of STAGES) {
    tell({
      bench: 'stages',
      flows,
      stage,
      nanoseconds: Math.round(cost(stage)),
      adds: Math.round(cost(stage) - (after === null ? 0 : cost(after))),
      yardstickNanoseconds: Math.round(median(rounds.map(({ peer }) => peer))),
      ratio: Number(median(rounds.map(({ peer, stages }) => peer / stages.get(stage)!)).toFixed(3)),
    });
  }
}
