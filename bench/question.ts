/**
 * One question of the benchmarks: cases that stand beside the yardstick, in rounds that alternate between all of them.
 *
 * Every case runs in a process of its own, several times over; the median of its later passes is what a round found. A line of
 * JSON for each case has the median of all rounds, with the least and the most, as a ratio to the yardstick of the same
 * round: above 1 is faster than the yardstick, which reads the same header fields of the same file and decides nothing.
 */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { measureYardstick, median, ROOT, rounds, type Trace, tell, yardstick } from './harness.ts';

export interface Case {
  /** What tells it from the others. */
  readonly fields: Readonly<Record<string, string | number | boolean>>;
  readonly trace: Trace;
  /** File in bench/, or the whole path of one elsewhere, and its words. */
  readonly program: string;
  readonly words: readonly string[];
  /** The least ratio that is asked for, and the one that is aimed at. */
  readonly must?: number;
  readonly aim?: number;
}

/** What a program prints. */
interface Ran {
  /** CPU time per packet of each pass. */
  readonly nanoseconds: readonly number[];
  readonly verdicts?: Readonly<Record<string, number>>;
}

interface Round {
  readonly peer: number;
  readonly steady: number;
  readonly verdicts: Ran['verdicts'];
}

/** Passes that V8 takes to warm up. */
const WARMING = 2;

/** One round of a case, behind one of the yardstick `peer`; `steady` is the median of the passes that count. */
export function runCase({ trace, program, words }: Case, peer: string | null): Round {
  const yard = peer === null ? Number.NaN : measureYardstick(peer, trace.capture);
  const ran = spawnSync(process.execPath, ['--expose-gc', resolve(ROOT, 'dist', 'bench', program), ...words], {
    encoding: 'utf8',
  });
  if (ran.status !== 0) throw new Error(ran.stderr);
  const { nanoseconds, verdicts } = JSON.parse(ran.stdout) as Ran;
  return { peer: yard, steady: median(nanoseconds.slice(WARMING)), verdicts };
}

export const rounded = (ratio: number): number => Number(ratio.toFixed(3));

/** Ask for all `cases` and print a line for each, with `question` as its name. Gives the verdicts of each. */
export function ask(question: string, cases: readonly Case[]): Ran['verdicts'][] {
  const built = yardstick();
  if ('missing' in built) console.error(`SKIP the yardstick: ${built.missing}; figures are ours alone`);
  const peer = 'program' in built ? built.program : null;
  const found = Array.from({ length: rounds() }, () => cases.map((one) => runCase(one, peer)));
  for (const [index, { fields, must, aim }] of cases.entries()) {
    const all = found.map((round) => round[index]!);
    const ratios = all.map((round) => round.peer / round.steady);
    tell({
      bench: question,
      ...fields,
      rounds: all.length,
      yardstickNanoseconds: Number(median(all.map((round) => round.peer)).toFixed(1)),
      nanoseconds: Number(median(all.map(({ steady }) => steady)).toFixed(1)),
      ratio: rounded(median(ratios)),
      ratioLeast: rounded(Math.min(...ratios)),
      ratioMost: rounded(Math.max(...ratios)),
      ...(must === undefined ? {} : { must, aim }),
      verdicts: all[0]!.verdicts,
    });
  }
  return found[0]!.map(({ verdicts }) => verdicts);
}
