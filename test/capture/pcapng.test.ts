import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { create } from '../../src/capture/burst.ts';
import { open } from '../../src/capture/reader.ts';
import { fromOctets } from '../../src/capture/source.ts';
import * as build from './build.ts';
import {
  block,
  counted,
  enhanced,
  fields,
  hex,
  interfaceBlock,
  join,
  type Order,
  option,
  readOctets,
} from './build.ts';

const test = suite('capture/pcapng');
const ORDERS: readonly Order[] = ['little', 'big'];
const DATA = counted(61);
const TIME = 1_000_000_005n;
const packet = enhanced(TIME, DATA);
const START = join(build.section(), interfaceBlock());
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** draft-ietf-opsawg-pcapng figures 9, 10 and 11, filled in by hand: if_tsresol 9, one packet of 3 octets, 5 on the wire. */
const BY_HAND = hex(`
  0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000
  01000000 20000000 0100 0000 00000400  0900 0100 09000000 0000 0000 20000000
  06000000 24000000 00000000 01000000 02000000 03000000 05000000 aabbcc00 24000000`);

test('a file made by hand', async () => {
  const { packets, error, reader } = await readOctets(BY_HAND);
  assert.is(error, null);
  assert.is(reader!.format, 'pcapng');
  const place = { linkType: 1, interfaceIndex: 0, file: 0, packet: 1, offset: 60 };
  assert.equal(packets, [{ data: 'aabbcc', original: 5, time: 0x1_0000_0002n, ...place }]);
});

test('enhanced, simple and obsolete packet blocks in both byte orders', async () => {
  for (const order of ORDERS) {
    const file = join(
      build.section({ order }),
      interfaceBlock({ order, snapLength: 61, linkType: 113 }),
      enhanced(TIME, DATA, { order, original: 99 }),
      build.simple(DATA, 200, order),
      build.obsolete(TIME + 1n, DATA, order),
    );
    const { packets, error, reader } = await readOctets(file);
    assert.is(error, null);
    const data = Buffer.from(DATA).toString('hex');
    assert.equal(
      packets.map((one) => [one.data === data, one.original, one.time, one.linkType]),
      [
        [true, 99, TIME * 1000n, 113],
        // No time of its own: that of the packet before.
        [true, 200, TIME * 1000n, 113],
        [true, 61, TIME * 1000n + 1000n, 113],
      ],
    );
    assert.is(reader!.notes.withoutTime, 1);
  }
});

test('blocks without packets are passed over by their length', async () => {
  const skipped = [
    block(4, counted(64)),
    block(5, counted(12)),
    block(9, counted(24)),
    block(10, join(fields('little', [32, 0x544c534b], [32, 8]), text('PASSWORD'))),
    block(0xbad, counted(20)),
    block(0x40000bad, counted(20)),
    block(0x80000001, new Uint8Array(0)),
    block(0, counted(4)),
  ];
  const { packets, error, reader } = await readOctets(join(START, ...skipped.flatMap((one) => [one, packet])));
  assert.is(error, null);
  assert.is(packets.length, skipped.length);
  assert.is(reader!.notes.skippedBlocks, skipped.length);
});

test('each section has its own byte order and interfaces', async () => {
  const file = join(
    START,
    interfaceBlock({ linkType: 101 }),
    enhanced(TIME, DATA, { id: 1 }),
    build.section({ order: 'big' }),
    interfaceBlock({ order: 'big', linkType: 113 }),
    enhanced(TIME + 1n, DATA, { order: 'big' }),
    enhanced(TIME + 2n, DATA, { order: 'big', id: 1 }),
    build.section(),
    enhanced(TIME + 3n, DATA),
    interfaceBlock(),
    enhanced(TIME + 4n, DATA),
  );
  const { packets, error, reader } = await readOctets(file);
  assert.is(error, null);
  assert.equal(
    packets.map((one) => [one.interfaceIndex, one.linkType, one.time, one.packet]),
    [
      [1, 101, TIME * 1000n, 1],
      [2, 113, (TIME + 1n) * 1000n, 2],
      [3, 1, (TIME + 4n) * 1000n, 3],
    ],
  );
  assert.equal(
    reader!.interfaces.map((one) => [one.section, one.id]),
    [
      [0, 0],
      [0, 1],
      [1, 0],
      [2, 0],
    ],
  );
  assert.is(reader!.notes.unknownInterface, 2);
});

test('a simple packet before any interface is passed over and counted', async () => {
  const { packets, reader } = await readOctets(join(build.section(), build.simple(DATA), interfaceBlock(), packet));
  assert.is(packets.length, 1);
  assert.is(reader!.notes.unknownInterface, 1);
});

test('what an interface says about itself is kept', async () => {
  const options = join(
    option(2, text('cell-a/eth0')),
    option(3, text('the underlay')),
    option(9, hex('09')),
    option(13, hex('04')),
    option(14, fields('little', [64, -500n])),
    option(0, new Uint8Array(0)),
  );
  const { reader, packets } = await readOctets(
    join(build.section(), interfaceBlock({ options, snapLength: 0 }), packet),
  );
  const { name, description, unitsPerSecond, offsetSeconds, fcsLength, snapLength } = reader!.interfaces[0]!;
  assert.equal(
    [name, description, unitsPerSecond, offsetSeconds, fcsLength, snapLength],
    ['cell-a/eth0', 'the underlay', 1_000_000_000n, -500n, 4, 262144],
  );
  assert.is(packets[0]!.time, TIME - 500_000_000_000n);
});

test('time stamps of every resolution are exact to the nanosecond, a fraction is cut off', async () => {
  const seconds = 1_700_000_000n;
  for (let resolution = 0; resolution < 256; resolution++) {
    const binary = resolution >= 0x80;
    const exponent = BigInt(resolution & 0x7f);
    const units = binary ? 2n ** exponent : 10n ** exponent;
    // As late as 64 bits allow: 1970 for the finest.
    const whole = seconds * units < 2n ** 63n ? seconds : 0n;
    const first = whole * units + units / 3n;
    const second = first + (units < 10n ? 7n : units / 7n);
    const options = option(9, new Uint8Array([resolution]));
    const stamp = (value: bigint): Uint8Array => enhanced(BigInt.asUintN(64, value), DATA);
    const { packets, error } = await readOctets(
      join(build.section(), interfaceBlock({ options }), stamp(first), stamp(second), stamp(first)),
    );
    if (exponent > (binary ? 63n : 19n)) {
      assert.is(error!.code, 'capture.unsupported', `if_tsresol ${resolution}`);
      assert.is(error!.field, 'if_tsresol');
      continue;
    }
    const expected = [first, second, first].map((value) => (value * 1_000_000_000n) / units);
    assert.equal(
      packets.map(({ time }) => time),
      expected,
      `if_tsresol ${resolution}`,
    );
  }
});

test('interfaces of different resolution and offset share one epoch', async () => {
  const resolution = (value: string, offset = 0n): Uint8Array =>
    interfaceBlock({ options: join(option(9, hex(value)), option(14, fields('little', [64, offset]))) });
  const file = join(
    build.section(),
    resolution('06'),
    resolution('09', 5n),
    resolution('03', -7n),
    resolution('8a'),
    enhanced(1_000_000_123_456n, DATA, { id: 0 }),
    enhanced(1_000_000_123_456_789n, DATA, { id: 1 }),
    enhanced(1_000_000_123n, DATA, { id: 2 }),
    enhanced(1_000_000n * 1024n + 512n, DATA, { id: 3 }),
    enhanced(1n, DATA, { id: 1 }),
  );
  const { packets } = await readOctets(file);
  assert.equal(
    packets.map(({ time }) => time),
    [1_000_000_123_456_000n, 1_000_005_123_456_789n, 999_993_123_000_000n, 1_000_000_500_000_000n, 5_000_000_001n],
  );
});

test('times beyond 104 days from the epoch are rounded and noted, and exact when asked for', async () => {
  const late = TIME + 200n * 86_400_000_000n + 1n;
  const resolution = interfaceBlock({ options: option(9, hex('09')) });
  const [first, second] = [1_700_000_000_000_000_001n, 1_700_000_000_000_000_001n + 200n * 86_400_000_000_000n + 1n];
  const reader = await open(
    fromOctets(join(build.section(), resolution, enhanced(first, DATA), enhanced(second, DATA))),
  );
  const burst = create();
  assert.is(reader.fill(burst), 2);
  assert.is(reader.notes.timeInexact, 1);
  assert.is(reader.timestamp(burst, 0), first);
  assert.is(reader.timestamp(burst, 1), second);
  assert.ok(Math.abs(burst.time[1]! - Number(second - first)) <= 4);
  // Microseconds stay a multiple of 1000 for longer.
  const { packets } = await readOctets(join(START, packet, enhanced(late, DATA)));
  assert.ok(packets[1]!.time - late * 1000n < 8n);
});

test('comments are read when asked for, in the byte order of their section', async () => {
  const comments = (order: Order, ...values: readonly string[]): Uint8Array =>
    join(...values.map((value) => option(1, text(value), order)), option(0, new Uint8Array(0), order));
  const file = join(
    START,
    packet,
    enhanced(TIME, DATA, { options: comments('little', 'forward', 'zweitens: ✓') }),
    build.section({ order: 'big' }),
    interfaceBlock({ order: 'big' }),
    enhanced(TIME, DATA, { order: 'big', options: comments('big', 'drop') }),
    build.simple(DATA, DATA.length, 'big'),
  );
  const reader = await open(fromOctets(file));
  const burst = create();
  assert.is(reader.fill(burst), 4);
  assert.equal(
    [0, 1, 2, 3].map((row) => reader.comments(burst, row)),
    [[], ['forward', 'zweitens: ✓'], ['drop'], []],
  );
  assert.is(reader.timestamp(burst, 2), TIME * 1000n);
  assert.is(reader.timestamp(burst, 3), null);
});

interface Case {
  readonly name: string;
  readonly file: Uint8Array;
  readonly whole: number;
  readonly code: string;
  readonly message: RegExp;
}

const damage: readonly Case[] = [
  ['byte-order magic', join(build.section({ magic: 5 })), 0, 'corrupt', /byte-order magic 0x05000000/],
  ['byte-order magic later', join(START, packet, build.section({ magic: 5 })), 1, 'corrupt', /byte-order magic/],
  ['version 1.1', join(build.section({ version: [1, 1] })), 0, 'version', /pcapng version 1\.1/],
  ['version 2.0 later', join(START, packet, build.section({ version: [2, 0] })), 1, 'version', /pcapng version 2\.0/],
  [
    'block of 0',
    join(START, packet, fields('little', [32, 0x999], [32, 0], [32, 0])),
    1,
    'corrupt',
    /length 0 is small/,
  ],
  [
    'block of 8',
    join(START, packet, fields('little', [32, 0x999], [32, 8], [32, 8])),
    1,
    'corrupt',
    /length 8 is small/,
  ],
  ['not a multiple of 4', join(START, packet, block(0x999, counted(5))), 1, 'corrupt', /17 is not a multiple of 4/],
  ['17 MiB', join(START, packet, fields('little', [32, 9], [32, 17 << 20], [32, 0])), 1, 'limit', /maximum 16777216/],
  ['4 GiB', join(START, packet, fields('little', [32, 9], [32, 0xfffffffc], [32, 0])), 1, 'limit', /4294967292/],
  [
    'section header of 2 MiB',
    fields('little', [32, 0x0a0d0d0a], [32, 2 << 20], [32, 0x1a2b3c4d]),
    0,
    'limit',
    /1048576/,
  ],
  [
    'trailing length',
    join(START, packet, enhanced(TIME, DATA, { trailing: 4 })),
    1,
    'corrupt',
    /96 in front and 4 behind/,
  ],
  [
    'trailing of unknown',
    join(START, packet, block(9, counted(4), { trailing: 4 })),
    1,
    'corrupt',
    /16 in front and 4/,
  ],
  [
    'captured > block',
    join(START, packet, enhanced(TIME, DATA, { captured: 65 })),
    1,
    'corrupt',
    /65 is larger than the 64/,
  ],
  ['captured > maximum', join(START, packet, enhanced(TIME, new Uint8Array(262148))), 1, 'corrupt', /maximum 262144/],
  ['captured 4 GiB', join(START, packet, enhanced(TIME, DATA, { captured: 0xffffffff })), 1, 'corrupt', /4294967295/],
  ['simple > block', join(START, packet, build.simple(DATA, 100)), 1, 'corrupt', /100 is larger than the 64/],
  ['short packet block', join(START, packet, block(6, counted(16))), 1, 'corrupt', /28 is smaller than the 32/],
  ['short interface', join(START, packet, block(1, counted(4))), 1, 'corrupt', /16 is smaller than the 20/],
  ['short statistics', join(START, packet, block(5, counted(8))), 1, 'corrupt', /20 is smaller than the 24/],
  ['short names', join(START, packet, block(4, counted(0))), 1, 'corrupt', /12 is smaller than the 16/],
  ['short custom', join(START, packet, block(0xbad, counted(0))), 1, 'corrupt', /12 is smaller than the 16/],
  [
    'option of a packet',
    join(START, packet, enhanced(TIME, DATA, { options: option(1, text('abcd'), 'little', 400) })),
    1,
    'corrupt',
    /option 1 has length 400, 4 octets are left/,
  ],
  [
    'option of an interface',
    join(build.section(), interfaceBlock({ options: option(2, text('eth0'), 'little', 9) })),
    0,
    'corrupt',
    /option 2 has length 9/,
  ],
  ['option of a section', build.section({ options: option(2, text('eth0'), 'little', 9) }), 0, 'corrupt', /option 2/],
].map(
  ([name, file, whole, code, message]) => ({ name, file, whole, code: `capture.${code as string}`, message }) as Case,
);

for (const { name, file, whole, code, message } of damage) {
  test(`damage: ${name}`, async () => {
    for (const step of [undefined, 1]) {
      const { packets, error } = await readOctets(file, step);
      assert.is(packets.length, whole);
      assert.is(error!.code, code);
      assert.match(error!.message, message);
      assert.not.match(error!.message, /\n/);
    }
  });
}

test('an end of options with a length ends the options', async () => {
  const options = join(option(1, text('one')), option(0, counted(4)), fields('little', [32, 0xffffffff]));
  const { packets, error } = await readOctets(join(START, enhanced(TIME, DATA, { options })));
  assert.is(error, null);
  assert.is(packets.length, 1);
});

test('the number of interfaces is limited', async () => {
  const one = interfaceBlock();
  const many = Array.from({ length: 65_536 }, () => one);
  assert.is((await readOctets(join(build.section(), ...many, packet))).packets.length, 1);
  const { error, packets } = await readOctets(join(build.section(), packet, ...many, one));
  assert.equal([error!.code, error!.limit, packets.length], ['capture.limit', 65_536, 0]);
});

test('a section length is not used, and noted where it is wrong', async () => {
  const right = BigInt(interfaceBlock().length + packet.length);
  for (const [length, notes] of [
    [right, 0],
    [40n, 1],
    [1n << 62n, 1],
    [-1n, 0],
  ] as const) {
    const file = join(build.section({ length }), interfaceBlock(), packet, START, packet);
    const { packets, reader } = await readOctets(file);
    assert.is(packets.length, 2);
    assert.is(reader!.notes.sectionLength, notes, `${length}`);
  }
});

test('every truncation gives the whole packets before it and says where the file ends', async () => {
  for (const order of ORDERS) {
    const parts = [
      build.section({ order }),
      interfaceBlock({ order }),
      enhanced(TIME, counted(5), { order }),
      build.simple(counted(6), 6, order),
      block(0x999, counted(8), { order }),
      build.obsolete(TIME, counted(7), order),
    ];
    const ends = parts.map((_, at) => join(...parts.slice(0, at + 1)).length);
    const file = join(...parts);
    for (let length = 4; length < file.length; length++) {
      for (const step of [undefined, 1]) {
        const { packets, error } = await readOctets(file.slice(0, length), step);
        const whole = [2, 3, 5].filter((part) => length >= ends[part]!).length;
        assert.is(packets.length, whole, `${length} octets`);
        if (ends.includes(length)) assert.is(error, null);
        else assert.is(error!.code, 'capture.truncated', `${length} octets`);
      }
    }
  }
});

test.run();
