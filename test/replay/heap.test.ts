/**
 * A replay holds and leaves nothing per packet: the heap is as large after ten million packets as before, and next to nothing is
 * allocated meanwhile. `heap-program.ts` measures, each way of replaying in a process of its own.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadNative } from '../../src/cli/loops.ts';
import { ROOT, skip } from '../support/shared.ts';
import type { Measured } from './heap-program.ts';

const test = suite('replay: heap');
const PROGRAM = join(ROOT, 'dist', 'test', 'replay', 'heap-program.js');

const TEN_MILLION = 10_000_000;
const TWO_MILLION = 2_000_000;
const ONE_MILLION = 1_000_000;

/** Octets per packet by which the heap may grow: what V8 learns of the program meanwhile. */
const MOST_HELD = 0.1;
/**
 * Octets per packet that may be allocated. A burst of 256 packets and a read cost some hundred octets between them; the smallest object that
 * V8 makes, a number in a box, has 16.
 */
const MOST_ALLOCATED = 4;
/** Emulated cells are handed their frames one by one, each in a view of its own, which has 96 octets. */
const MOST_EMULATED = 200;

async function measure(way: string, packets: number, loops: string): Promise<Measured> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', PROGRAM, way, String(packets)], {
    env: { ...process.env, TAGPLANE_LOOPS: loops },
  });
  return JSON.parse(stdout) as Measured;
}

async function hold(way: string, wanted: number, loops: string, most: number): Promise<void> {
  const measured = await measure(way, wanted, loops);
  const { packets, missing, held, heldOutside, placed, allocated } = measured;
  const said = `${way}: ${JSON.stringify(measured)}`;
  assert.ok(packets >= wanted, said);
  assert.is(missing, 0, said);
  assert.ok((held + Math.max(heldOutside, 0)) / packets < MOST_HELD, said);
  assert.is(placed, 0, said);
  assert.ok(allocated / packets < most, said);
}

function holds(name: string, way: string, packets: number, loops: string, most = MOST_ALLOCATED): void {
  const native = loops === 'native' ? loadNative() : '';
  if (loops === 'native' && typeof native === 'string') skip(test, name, native);
  else test(name, () => hold(way, packets, loops, most));
}

holds('open connections and flow sums, in WebAssembly', 'flows', TEN_MILLION, 'wasm');
holds('open connections and flow sums, in machine code', 'flows', TEN_MILLION, 'native');
holds('open connections and flow sums, in TypeScript', 'flows', TEN_MILLION, 'none');
holds('verdicts alone, in WebAssembly', 'verdicts', TEN_MILLION, 'wasm');
holds('connections that come and go in a full table, in WebAssembly', 'fresh', TEN_MILLION, 'wasm');
holds('connections that come and go in a full table, in TypeScript', 'fresh', TWO_MILLION, 'none');
holds('packets of every kind, in WebAssembly', 'mixed', TEN_MILLION, 'wasm');
holds('packets of every kind, in TypeScript', 'mixed', TWO_MILLION, 'none');
holds('with an observer', 'observed', TWO_MILLION, 'wasm');
holds('with strict checksums', 'checksums', TWO_MILLION, 'wasm');
holds('with TCP windows', 'windows', TWO_MILLION, 'wasm');
holds('packets matched by themselves', 'matched', TWO_MILLION, 'wasm');
holds('through emulated cells', 'emulated', ONE_MILLION, 'wasm', MOST_EMULATED);

test.run();
