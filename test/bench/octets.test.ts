/** Octets that stages touch are those that counting by hand finds, and nearly those of loops that count them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { include_dir as headers } from 'node-api-headers';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LINE, linesOf, octetsOf, type Stage } from '../../bench/octets.ts';
import { foundationOf, writeTrace } from '../../bench/trace.ts';
import { LOOPS_SOURCE } from '../../src/memory/loops-code.ts';
import { ROOT, skip } from '../support/shared.ts';

const test = suite('bench: octets');

test('lines of records', () => {
  // A line each; a line in every second one; the beginning of every fourth line; a read that straddles two, one of them its neighbour's.
  assert.is(linesOf(64, 64), 1);
  assert.is(linesOf(128, 1), 1);
  assert.is(linesOf(256, 65), 2);
  assert.is(linesOf(64, 8, 60), 1);
  assert.is(linesOf(128, 8, 60), 2);
  // Two records to a line.
  assert.is(linesOf(32, 16), 0.5);
  // Whole records: their length.
  assert.is(linesOf(184, 184, 24), 184 / 64);
  // Of 184 octets 70 are left alone: from 2, 10, ... or 58 of a line on, and only from 58 on is a whole line among them.
  assert.is(linesOf(184, 114, 24), 184 / 64 - 1 / 8);
});

test('stages', () => {
  const traffic = { hitRate: 0.75, firsts: 0.5 };
  assert.is(octetsOf('locate', traffic), 176);
  assert.is(octetsOf('match', traffic), 176 + 64 * 1.25);
  assert.is(octetsOf('file', traffic), 2 * 184 + 64 * 1.25);
  assert.is(octetsOf('cell', traffic), 2 * 184 + 64 * (3 + 0.5 * 1.25));
});

const FRAMES = 100_000;
const HIT_RATE = 0.8;

/** Run `words`; standard output and error. */
function run(program: string, words: readonly string[]): { out: string; error: string } {
  const { error, status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
  return { out: stdout, error: stderr };
}

/** The loops with a call at each read and write (`lines.c`), in `folder`. */
function countingLoops(folder: string): string {
  const [loops, parts] = [join(folder, 'counting.node'), [join(folder, 'addon.o'), join(folder, 'lines.o')]];
  const definitions = [
    '-fno-strict-aliasing',
    '-DNAPI_VERSION=8',
    `-DTAGPLANE_SOURCE="${LOOPS_SOURCE}"`,
    `-I${headers}`,
  ];
  const source = (...path: string[]): string => join(ROOT, ...path);
  run('cc', ['-O2', '-fPIC', '-fsanitize=thread', ...definitions, '-c', '-o', parts[0]!, source('native', 'addon.c')]);
  run('cc', ['-O2', '-fPIC', '-c', '-o', parts[1]!, source('test', 'bench', 'lines.c')]);
  run('cc', ['-shared', '-o', loops, ...parts]);
  return loops;
}

/** Lines that a packet comes to, of `flows` connections in FRAMES frames. */
function counted(folder: string, loops: string, work: string, flows: number): number {
  const shape = { seed: 42, frames: FRAMES, flows, policies: 10_000, hitRate: HIT_RATE };
  const [capture, foundation] = [join(folder, 'trace.pcap'), join(folder, 'foundation.json')];
  writeTrace(shape, capture);
  writeFileSync(foundation, JSON.stringify(foundationOf(shape)));
  const program = join(ROOT, 'dist', 'test', 'bench', 'lines-program.js');
  const { out, error } = run(process.execPath, [program, loops, work, capture, foundation, 'cell-1']);
  assert.is(Number(out), FRAMES);
  return Number(error.trim().split('\n').at(-1)) / FRAMES;
}

function countAll(): void {
  const folder = mkdtempSync(join(tmpdir(), 'tagplane-lines-'));
  try {
    const loops = countingLoops(folder);
    const lines = (stage: Stage, firsts: number): number => octetsOf(stage, { hitRate: HIT_RATE, firsts }) / LINE;
    const near = (work: string, flows: number, expected: number, share: number): void => {
      const found = counted(folder, loops, work, flows);
      assert.ok(Math.abs(found / expected - 1) < share, `${work}: counted ${found}, expected about ${expected}`);
    };
    near('locate', FRAMES, lines('locate', 1), 0.01);
    near('match', FRAMES, lines('match', 1), 0.05);
    // In memory: the record is not copied. Columns that make way, and the growing index, come on top of it.
    const inMemory = lines('cell', 0.5) - 2 * linesOf(184, 184, 24) + linesOf(184, 114, 24);
    near('cell', FRAMES / 2, inMemory, 0.15);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const COUNTING = 'loops that count the lines they come to';
if (process.platform !== 'linux') skip(test, COUNTING, 'machine code is only built on Linux');
else if (spawnSync('cc', ['-fsanitize=thread', '-E', '-x', 'c', '/dev/null']).status !== 0)
  skip(test, COUNTING, 'no C compiler (cc) that knows -fsanitize=thread');
else test(COUNTING, countAll);

test.run();
