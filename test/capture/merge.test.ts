import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { merge } from '../../src/capture/merge.ts';
import { open } from '../../src/capture/reader.ts';
import { fromOctets } from '../../src/capture/source.ts';
import {
  checkAsync,
  counted,
  drainRecords,
  enhanced,
  interfaceBlock,
  join,
  packetsArbitrary,
  pcapHeader,
  pcapRecord,
  plannedPcap,
  plannedPcapng,
  readOctets,
  section,
  simple,
} from './build.ts';

const test = suite('capture/merge');

const pcapOf = (seconds: readonly number[], length = 20): Uint8Array =>
  join(pcapHeader(), ...seconds.map((second) => pcapRecord(second, 0, counted(length))));

async function merged(files: readonly Uint8Array[], chunkLength = 4096, step?: number) {
  const readers = [];
  for (const [at, file] of files.entries()) {
    readers.push(await open(fromOctets(file, `file ${at}`, step), { chunkLength }));
  }
  const source = await merge(readers);
  const outcome = await drainRecords(source);
  return { ...outcome, source };
}

test('packets come by time, ties in the order of the files', async () => {
  const { packets, error, source } = await merged([pcapOf([5, 7, 7]), pcapOf([3, 7, 9]), pcapOf([]), pcapOf([7])]);
  assert.is(error, null);
  assert.equal(
    packets.map(({ time, file, packet }) => [Number(time / 1_000_000_000n), file, packet]),
    [
      [3, 1, 1],
      [5, 0, 1],
      [7, 0, 2],
      [7, 0, 3],
      [7, 1, 2],
      [7, 3, 1],
      [9, 1, 3],
    ],
  );
  assert.is(source.epochNanoseconds, 3_000_000_000n);
  assert.is(source.packets, 7);
});

test('a stable merge of any captures, by a sort of all their packets', async () => {
  const captures = fc.array(packetsArbitrary(400), { minLength: 1, maxLength: 7 });
  const offsets = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 7, maxLength: 7 });
  await checkAsync(
    fc.asyncProperty(captures, offsets, fc.integer({ min: 1, max: 9000 }), async (lists, starts, step) => {
      const files = lists.map((list, index) => {
        const format = index % 2 === 0 ? plannedPcap : plannedPcapng;
        return format(list, 1000 + starts[index]!);
      });
      const expected = [];
      for (const [file, octets] of files.entries()) {
        for (const one of (await readOctets(octets)).packets) expected.push({ ...one, file });
      }
      // Array.sort is stable.
      expected.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
      const { packets, error } = await merged(files, 4096, step);
      assert.is(error, null);
      assert.equal(packets, expected);
    }),
    40,
  );
});

test('a capture that goes backwards is taken in its order', async () => {
  const { packets } = await merged([pcapOf([5, 2, 8]), pcapOf([4, 6])]);
  assert.equal(
    packets.map((one) => Number(one.time / 1_000_000_000n)),
    [4, 5, 2, 6, 8],
  );
});

test('the largest packets pass one after the other', async () => {
  const { packets } = await merged([pcapOf([1, 3, 5], 262144), pcapOf([2, 4], 262144)]);
  assert.equal(
    packets.map((one) => [one.file, one.data.length]),
    [0, 1, 0, 1, 0].map((file) => [file, 524288]),
  );
});

test('a damaged capture does not stop the others, and is told at the end', async () => {
  const damaged = join(pcapOf([1, 4]), pcapRecord(5, 0, counted(4), { captured: 300_000 }));
  const cut = pcapOf([2, 3]).slice(0, -1);
  const { packets, error, source } = await merged([damaged, pcapOf([2, 6, 7]), cut]);
  assert.equal(
    packets.map((one) => Number(one.time / 1_000_000_000n)),
    [1, 2, 2, 4, 6, 7],
  );
  assert.is(error, source.damage[0]);
  assert.equal(source.damage.map((one) => [one.file, one.code]).sort(), [
    ['file 0', 'capture.corrupt'],
    ['file 2', 'capture.truncated'],
  ]);
});

test('no captures, and captures without packets, end at once', async () => {
  assert.equal((await merged([])).packets, []);
  assert.equal((await merged([pcapOf([]), pcapOf([])])).packets, []);
});

test('a capture that begins without a time joins in where its times begin', async () => {
  const untimed = join(
    section(),
    interfaceBlock({ snapLength: 8 }),
    simple(counted(8)),
    enhanced(5_000_000n, counted(8)),
  );
  const { packets } = await merged([pcapOf([4, 6]), untimed]);
  assert.equal(
    packets.map((one) => [one.file, Number(one.time / 1_000_000_000n)]),
    [
      [0, 4],
      [1, 5],
      [1, 5],
      [0, 6],
    ],
  );
});

test.run();
