/**
 * What does it cost to begin? CPU time of whole processes, user and system: `--version`, and a replay of a capture of two cells, beside Node doing nothing. Rounds
 * alternate.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { median, ROOT, rounds, tell } from './harness.ts';

const MAIN = join(ROOT, 'dist', 'src', 'cli', 'main.js');
const SCENARIO = join(ROOT, 'captures', 'two-cells');

interface Start {
  readonly what: string;
  readonly words: readonly string[];
  readonly mustMilliseconds?: number;
  readonly aimMilliseconds?: number;
}

const STARTS: readonly Start[] = [
  { what: 'node -e 0', words: ['-e', '0'] },
  { what: 'tagplane --version', words: [MAIN, '--version'], mustMilliseconds: 80, aimMilliseconds: 50 },
  {
    what: 'tagplane replay, 92 packets',
    words: [MAIN, 'replay', join(SCENARIO, 'cell-b.eth0.pcapng'), '--foundation', join(SCENARIO, 'foundation.yaml')],
    mustMilliseconds: 300,
    aimMilliseconds: 150,
  },
];

/** Milliseconds, as the shell's `time` finds them. */
function cost(words: readonly string[]): number {
  const ran = spawnSync(
    'bash',
    ['-c', 'TIMEFORMAT="%3U %3S"; time "$@" >/dev/null', 'bash', process.execPath, ...words],
    {
      encoding: 'utf8',
    },
  );
  if (ran.status !== 0) throw new Error(ran.stderr);
  const [user, system] = ran.stderr.trim().split('\n').at(-1)!.split(' ').map(Number);
  return (user! + system!) * 1000;
}

/** Processes are short: each round has several. */
const found = Array.from({ length: rounds() * 3 }, () => STARTS.map(({ words }) => cost(words)));
for (const [index, { what, mustMilliseconds, aimMilliseconds }] of STARTS.entries()) {
  const all = found.map((round) => round[index]!);
  tell({
    bench: 'startup',
    what,
    ...(mustMilliseconds === undefined ? {} : { mustMilliseconds, aimMilliseconds }),
    rounds: all.length,
    milliseconds: Math.round(median(all)),
    least: Math.round(Math.min(...all)),
    most: Math.round(Math.max(...all)),
    perNode: Number(median(found.map((round) => round[index]! / round[0]!)).toFixed(2)),
  });
}
