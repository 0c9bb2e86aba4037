/**
 * One of the small things of `micro-cases.ts`, in a process of its own, so that V8 has seen no other.
 *
 *   node micro-once.js CASE
 *
 * Prints a line of JSON: nanoseconds per row by the clock, the margin of error in percent, and how many samples there were.
 */
import Benchmark from 'benchmark';
import { CASES, ROWS } from './micro-cases.ts';

const [name] = process.argv.slice(2) as [string];
const operation = await CASES[name]!();
const expected = operation();
let other = 0;
const benchmark = new Benchmark(
  name,
  () => {
    if (operation() !== expected) other += 1;
  },
  { maxTime: 0.5, minSamples: 20 },
).run();
if (benchmark.error !== undefined) throw benchmark.error;
if (other > 0) throw new Error(`${name}: ${other} calls came to something else than ${expected}`);
const { hz, stats } = benchmark;
process.stdout.write(
  `${JSON.stringify({ nanoseconds: 1e9 / hz / ROWS, error: stats.rme, samples: stats.sample.length })}\n`,
);
