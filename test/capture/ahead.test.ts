/** Reading ahead changes nothing but who waits: the same packets, at the same offsets, and the same errors as in one read. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CaptureError } from '../../src/capture/error.ts';
import { openSource } from '../../src/capture/file.ts';
import { open } from '../../src/capture/reader.ts';
import type { ByteSource } from '../../src/capture/source.ts';
import { createRandom } from '../support/evaluation.ts';
import {
  counted,
  drainRecords,
  enhanced,
  interfaceBlock,
  join,
  type Outcome,
  pcapHeader,
  pcapRecord,
  readOctets,
  readSource,
  section,
} from './build.ts';

const test = suite('capture/ahead');

/** More than twice what a read may have cut off, so that there is a second buffer. */
const CHUNK = 300_000;

const lengthsOf = (count: number, most: number, seed: number): number[] => {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => 1 + random(most));
};
const pcapOf = (lengths: readonly number[]): Uint8Array =>
  join(pcapHeader({ snapLength: 262_144 }), ...lengths.map((length, at) => pcapRecord(at, 0, counted(length))));
const pcapngOf = (lengths: readonly number[]): Uint8Array =>
  join(section(), interfaceBlock(), ...lengths.map((length, at) => enhanced(BigInt(at) * 1_000_000n, counted(length))));

/** A source over octets that reads ahead as a file does, and notes what it is asked. */
function late(octets: Uint8Array, calls: string[], fails = Number.POSITIVE_INFINITY): ByteSource {
  let next = 0;
  const read = (into: Uint8Array, at: number, length: number): number => {
    const count = Math.min(length, octets.length - next);
    into.set(octets.subarray(next, next + count), at);
    next += count;
    return count;
  };
  return {
    name: 'test.pcap',
    size: octets.length,
    read,
    async readAhead(into, at, length) {
      calls.push('begin');
      await new Promise((resolve) => setTimeout(resolve, 5));
      calls.push('end');
      if (next >= fails) throw new CaptureError({ code: 'capture.unreadable', file: 'test.pcap', what: 'gone' });
      return read(into, at, length);
    },
    close: () => void calls.push('close'),
  };
}

async function agree(octets: Uint8Array): Promise<number> {
  const calls: string[] = [];
  const expected = await readOctets(octets);
  const found = await readSource(late(octets, calls), { chunkLength: CHUNK });
  assert.equal(found.packets, expected.packets);
  assert.is(found.error?.message, expected.error?.message);
  return calls.filter((call) => call === 'begin').length;
}

test('records of all lengths across the borders of chunks', async () => {
  for (const seed of [1, 2, 3]) {
    const lengths = [...lengthsOf(200, 9000, seed), ...lengthsOf(20, 65_535, seed), ...lengthsOf(400, 100, seed)];
    assert.ok((await agree(pcapOf(lengths))) > 3);
    assert.ok((await agree(pcapngOf(lengths))) > 3);
  }
});

test('a record that no second buffer would hold', async () => {
  const lengths = [
    ...lengthsOf(100, 9000, 4),
    250_000,
    ...lengthsOf(100, 9000, 5),
    262_000,
    ...lengthsOf(100, 9000, 6),
  ];
  await agree(pcapOf(lengths));
  // A block larger than a chunk.
  await agree(join(pcapngOf(lengthsOf(100, 9000, 7)), enhanced(0n, counted(700_000)), enhanced(0n, counted(9))));
});

test('a file that ends inside a record', async () => {
  const octets = pcapOf(lengthsOf(200, 9000, 8));
  for (const cut of [1, 3000, 300_000, 300_007]) await agree(octets.subarray(0, octets.length - cut));
});

test('files of this machine', async () => {
  const folder = mkdtempSync(path(tmpdir(), 'tagplane-ahead-'));
  try {
    const octets = pcapOf(lengthsOf(1000, 9000, 9));
    const file = path(folder, 'a.pcap');
    writeFileSync(file, octets);
    const expected: Outcome = await readOctets(octets);
    const found = await readSource(await openSource(file), { chunkLength: CHUNK });
    assert.equal(found.packets, expected.packets);
    assert.is(found.error, null);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a read that fails is told when its octets are asked for', async () => {
  const octets = pcapOf(lengthsOf(400, 9000, 10));
  const calls: string[] = [];
  const { packets, error } = await readSource(late(octets, calls, 800_000), { chunkLength: CHUNK });
  assert.is(error?.code, 'capture.unreadable');
  assert.ok(packets.length > 100 && packets.length < 400);
});

test('nobody closes a file that is still being read', async () => {
  const calls: string[] = [];
  const reader = await open(late(pcapOf(lengthsOf(400, 9000, 11)), calls), { chunkLength: CHUNK });
  const limited = { ...reader, refill: async () => (await reader.refill()) && false };
  await drainRecords(limited);
  assert.equal(calls, ['begin']);
  await reader.close();
  assert.equal(calls, ['begin', 'end', 'close']);
});

test.run();
