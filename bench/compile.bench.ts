/**
 * How long does it take to compile the rules of a cell with 250 containers, and to exchange them for others while packets flow, against the
 * number of policies? `perParse` has it by the time in which the same thread parses the foundation file as JSON.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { median, ROOT, rounds, tell, traceOf } from './harness.ts';

interface Ran {
  readonly parse: number;
  readonly compile: number;
  readonly exchange: number;
  readonly megabytes: number;
}

/** Compile 60,000 policies: milliseconds. */
const MUST = 500;
const AIM = 100;
const PASSES = '5';

function once(foundation: string): Ran {
  const program = join(ROOT, 'dist', 'bench', 'compile-once.js');
  const ran = spawnSync(process.execPath, ['--expose-gc', program, foundation, 'cell-1', PASSES], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (ran.status !== 0) throw new Error(ran.stderr);
  const passes = JSON.parse(ran.stdout) as Ran[];
  const typical = (pick: (pass: Ran) => number): number => median(passes.map(pick));
  return {
    parse: typical(({ parse }) => parse),
    compile: typical(({ compile }) => compile),
    exchange: typical(({ exchange }) => exchange),
    // Later passes find memory that earlier ones gave back.
    megabytes: passes[0]!.megabytes,
  };
}

const COUNTS = [10, 100, 1000, 10_000, 60_000];
const foundations = COUNTS.map(
  (policies) => traceOf({ seed: 42, frames: 100, flows: 100, policies, hitRate: 0.8 }).foundation,
);
const found = Array.from({ length: rounds() }, () => foundations.map(once));
for (const [index, policies] of COUNTS.entries()) {
  const all = found.map((round) => round[index]!);
  const figure = (pick: (ran: Ran) => number, digits = 1): number => Number(median(all.map(pick)).toFixed(digits));
  const compiles = all.map(({ compile }) => compile);
  tell({
    bench: 'compile',
    policies,
    rounds: all.length,
    milliseconds: figure(({ compile }) => compile),
    least: Number(Math.min(...compiles).toFixed(1)),
    most: Number(Math.max(...compiles).toFixed(1)),
    exchangeMilliseconds: figure(({ exchange }) => exchange),
    perParse: figure(({ compile, parse }) => compile / parse, 2),
    megabytes: figure(({ megabytes }) => megabytes),
    ...(policies === 60_000 ? { mustMilliseconds: MUST, aimMilliseconds: AIM } : {}),
  });
}
