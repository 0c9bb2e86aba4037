/**
 * One of the small things of `micro-cases.ts`, in a process of its own, so that V8 has seen no other, between two times the one that it
 * is held against.
 *
 *   node micro-once.js CASE
 *
 * Prints a line of JSON: nanoseconds per row by the clock, of the case and of a word read, and the margin of error of the case in percent.
 */
import Benchmark from 'benchmark';
import { BASELINE, CASES, type Operation, ROWS } from './micro-cases.ts';

/** Time `operation`, which has to come to the same every time. */
function time(name: string, operation: Operation): Benchmark {
  const expected = operation();
  let other = 0;
  const call = (): void => {
    if (operation() !== expected) other += 1;
  };
  const benchmark = new Benchmark(name, call, { maxTime: 0.25, minSamples: 10 }).run();
  if (benchmark.error !== undefined) throw benchmark.error;
  if (other > 0) throw new Error(`${name}: ${other} calls came to something else than ${expected}`);
  return benchmark;
}

const nanosecondsOf = ({ hz }: Benchmark): number => 1e9 / hz / ROWS;

const [name] = process.argv.slice(2) as [string];
const [word, operation] = [await CASES[BASELINE]!(), await CASES[name]!()];
const before = nanosecondsOf(time(BASELINE, word));
const benchmark = time(name, operation);
const after = nanosecondsOf(time(BASELINE, word));
process.stdout.write(
  `${JSON.stringify({ nanoseconds: nanosecondsOf(benchmark), word: (before + after) / 2, error: benchmark.stats.rme })}\n`,
);
