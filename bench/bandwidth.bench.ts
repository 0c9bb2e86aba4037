/**
 * How close does each stage come to what the memory of the machine gives one core? `bandwidth.c` finds what it gives, in each round; beside
 * it run locate and match from memory, match from a file, and the whole cell with 100,000 connections. What a stage reaches is
 * the octets that it touches (`octets.ts`) in the time that it takes.
 */
import { spawnSync } from 'node:child_process';
import { compiled, frames, median, rounds, tell, traceOf } from './harness.ts';
import { octetsOf, type Stage, type Traffic } from './octets.ts';
import { type Case, rounded, runCase } from './question.ts';

const MEBIBYTES = 512;
const CONNECTIONS = 100_000;
const HIT_RATE = 0.8;
const POLICIES = 10_000;

interface Memory {
  readonly octetsPerSecond: number;
  /** Of a read that waits for the one before it. */
  readonly nanoseconds: number;
}

function measureMemory(program: string): Memory {
  const ran = spawnSync(program, [String(MEBIBYTES)], { encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(ran.stderr);
  const [octetsPerSecond, nanoseconds] = ran.stdout.split(' ').map(Number);
  return { octetsPerSecond: octetsPerSecond!, nanoseconds: nanoseconds! };
}

interface Staged extends Case {
  readonly stage: Stage;
  readonly traffic: Traffic;
}

function stageOf(stage: Stage, program: string, flows: number, words: readonly string[]): Staged {
  const trace = traceOf({ seed: 42, frames: frames(), flows, policies: POLICIES, hitRate: HIT_RATE });
  const traffic = { hitRate: HIT_RATE, firsts: Math.min(1, flows / frames()) };
  const all = [trace.capture, trace.foundation, 'cell-1', '9', ...words];
  return { stage, traffic, fields: {}, trace, program, words: all };
}

const spread = (values: readonly number[]): { least: number; most: number } => ({
  least: rounded(Math.min(...values)),
  most: rounded(Math.max(...values)),
});

function tellMemory(all: readonly Memory[]): void {
  const gigabytes = all.map(({ octetsPerSecond }) => octetsPerSecond / 1e9);
  const waits = all.map(({ nanoseconds }) => nanoseconds);
  const head = { bench: 'bandwidth', megabytes: MEBIBYTES, rounds: all.length };
  tell({ ...head, what: 'in order', gigabytesPerSecond: rounded(median(gigabytes)), ...spread(gigabytes) });
  tell({ ...head, what: 'one after the other', nanoseconds: rounded(median(waits)), ...spread(waits) });
}

function tellStage({ stage, traffic }: Staged, memory: readonly Memory[], nanoseconds: readonly number[]): void {
  const octets = octetsOf(stage, traffic);
  const shares = nanoseconds.map((took, round) => (octets / took) * (1e9 / memory[round]!.octetsPerSecond));
  tell({
    bench: 'bandwidth',
    stage,
    rounds: nanoseconds.length,
    octets: Number(octets.toFixed(1)),
    nanoseconds: Number(median(nanoseconds).toFixed(1)),
    ...spread(nanoseconds),
    share: rounded(median(shares)),
    shareLeast: rounded(Math.min(...shares)),
    shareMost: rounded(Math.max(...shares)),
  });
}

function askAll(program: string): void {
  const stages = [
    stageOf('locate', 'match-once.js', frames(), ['locate', 'memory']),
    stageOf('match', 'match-once.js', frames(), ['match', 'memory']),
    stageOf('file', 'match-once.js', frames(), ['match', 'file']),
    stageOf('cell', 'replay-once.js', CONNECTIONS, ['verdicts']),
  ];
  const found = Array.from({ length: rounds() }, () => ({
    memory: measureMemory(program),
    took: stages.map((stage) => runCase(stage, null).steady),
  }));
  const memory = found.map((round) => round.memory);
  tellMemory(memory);
  for (const [index, stage] of stages.entries())
    tellStage(
      stage,
      memory,
      found.map(({ took }) => took[index]!),
    );
}

const built = compiled('bandwidth');
if ('missing' in built) console.error(`SKIP bandwidth: ${built.missing}`);
else askAll(built.program);
