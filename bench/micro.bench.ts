/**
 * What do the small things cost that the dataplane is made of: a checksum, a header, a hash, a look-up? One burst per call, by the package
 * benchmark, each in a process of its own; rounds alternate between all of them. Ratios are to reading one word of each row, in the same
 * process before and after it.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { median, ROOT, rounds, tell } from './harness.ts';
import { CASES, ROWS } from './micro-cases.ts';
import { rounded } from './question.ts';

interface Ran {
  readonly nanoseconds: number;
  readonly word: number;
  readonly error: number;
}

function run(name: string): Ran {
  const ran = spawnSync(process.execPath, [join(ROOT, 'dist', 'bench', 'micro-once.js'), name], { encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(ran.stderr);
  return JSON.parse(ran.stdout) as Ran;
}

const names = Object.keys(CASES);
const found = Array.from({ length: rounds() }, () => new Map(names.map((name) => [name, run(name)])));
for (const name of names) {
  const all = found.map((round) => round.get(name)!);
  const ratios = all.map(({ nanoseconds, word }) => nanoseconds / word);
  tell({
    bench: 'micro',
    what: name,
    rows: ROWS,
    rounds: all.length,
    nanoseconds: Number(median(all.map(({ nanoseconds }) => nanoseconds)).toFixed(2)),
    errorPercent: Number(median(all.map(({ error }) => error)).toFixed(1)),
    perWord: rounded(median(ratios)),
    perWordLeast: rounded(Math.min(...ratios)),
    perWordMost: rounded(Math.max(...ratios)),
  });
}
