/** Records that compiled code locates are those that TypeScript locates: rows, notes, and the error that ends them. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { reserve } from '../../src/memory/arena.ts';
import { checkAsync, counted, join, type Outcome, pcapHeader, pcapRecord, readOctets } from './build.ts';

const test = suite('capture: located by compiled code');

const MICROSECONDS = 0xa1b2c3d4;
const NANOSECONDS = 0xa1b23c4d;
const MODIFIED = 0xa1b2cd34;

/** Mostly plain records; some with a length, a fraction or a time that is worth a note, or that ends the reading. */
const records = fc.array(
  fc.record({
    step: fc.oneof({ weight: 150, arbitrary: fc.integer({ min: 0, max: 2 }) }, fc.constantFrom(-1, -3600, 2 ** 31)),
    fraction: fc.oneof(
      { weight: 150, arbitrary: fc.integer({ min: 0, max: 999_999 }) },
      fc.constantFrom(1e6, 1e9, 2 ** 32 - 1),
    ),
    length: fc.oneof({ weight: 60, arbitrary: fc.integer({ min: 1, max: 200 }) }, fc.constantFrom(0, 3000)),
    original: fc.oneof({ weight: 150, arbitrary: fc.constant(0) }, fc.constantFrom(-1, 1, 70_000)),
    claimed: fc.oneof({ weight: 3000, arbitrary: fc.constant(0) }, fc.constantFrom(1, 262_144, 2 ** 31)),
  }),
  { minLength: 1, maxLength: 700, size: 'max' },
);

const files = fc
  .record({
    order: fc.constantFrom('little' as const, 'big' as const),
    magic: fc.constantFrom(MICROSECONDS, NANOSECONDS, MODIFIED),
    version: fc.constantFrom<readonly [number, number]>([2, 4], [2, 4], [2, 4], [2, 3], [2, 2]),
    snapLength: fc.constantFrom(0, 150, 65_535),
    records,
    cut: fc.integer({ min: 0, max: 30 }),
  })
  .map(({ records: list, cut, ...header }) => {
    let second = 1_700_000_000;
    const whole = join(
      pcapHeader(header),
      ...list.map(({ step, fraction, length, original, claimed }) => {
        second = (second + step) % 2 ** 32;
        const extra = new Uint8Array(header.magic === MODIFIED ? 8 : 0);
        const lengths = { captured: length + claimed, original: Math.max(0, length + original) };
        return pcapRecord(second, fraction, counted(length), { order: header.order, extra, ...lengths });
      }),
    );
    return whole.subarray(0, Math.max(24, whole.length - cut));
  });

const said = ({ packets, error, reader }: Outcome): object => ({
  packets,
  error: error?.message,
  notes: reader?.notes,
});

test('rows, notes and errors are the same', async () => {
  const arena = reserve(2 ** 28);
  assert.ok(arena?.loops);
  const { loops } = arena;
  let located = 0;
  const counting = {
    ...arena,
    loops: {
      ...loops,
      locate(state: number): number {
        const rows = loops.locate(state);
        located += rows;
        return rows;
      },
    },
  };
  await checkAsync(
    fc.asyncProperty(files, fc.constantFrom(undefined, 1000), async (octets, step) => {
      const options = { chunkLength: 4096 };
      assert.equal(
        said(await readOctets(octets, step, { ...options, arena: counting })),
        said(await readOctets(octets, step, options)),
      );
    }),
    200,
  );
  assert.ok(located > 1000, `${located} rows were located by compiled code`);
});

test('a second file behind the first is noticed', async () => {
  const arena = reserve(2 ** 24);
  assert.ok(arena !== null);
  const file = join(pcapHeader(), pcapRecord(1, 0, counted(60)));
  for (const octets of [join(file, file), join(pcapHeader({ order: 'big' }), pcapHeader({ order: 'big' }))]) {
    const { packets, error } = await readOctets(octets, undefined, { arena });
    assert.is(packets.length, octets.length > 100 ? 1 : 0);
    assert.match(error!.message, /second pcap header/);
  }
});

test.run();
