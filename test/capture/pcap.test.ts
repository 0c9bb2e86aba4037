import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { counted, fields, hex, join, type Order, pcapHeader, pcapRecord, readOctets } from './build.ts';

const test = suite('capture/pcap');
const ORDERS: readonly Order[] = ['little', 'big'];
const DATA = counted(60);
/** Interface index, protocol, packet type and padding of a modified record. */
const MODIFIED = [
  [32, 7],
  [16, 0x800],
  [8, 0],
  [8, 0],
] as const;

/** draft-ietf-opsawg-pcap figures 1 and 2, filled in by hand: one packet of 3 octets, 5 on the wire. */
const BY_HAND_LITTLE = hex(`
  d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000
  78563412 40420f00 03000000 05000000 aabbcc`);
const BY_HAND_BIG = hex(`
  a1b23c4d 0002 0004 00000000 00000000 00040000 00000071
  12345678 3b9ac9ff 00000003 00000005 aabbcc`);

test('a file made by hand, microseconds and little-endian', async () => {
  const { packets, error, reader } = await readOctets(BY_HAND_LITTLE);
  assert.is(error, null);
  assert.is(reader!.format, 'pcap');
  // 1,000,000 microseconds are carried over.
  const time = (0x12345678n + 1n) * 1_000_000_000n;
  const place = { linkType: 1, interfaceIndex: 0, file: 0, packet: 1, offset: 24 };
  assert.equal(packets, [{ data: 'aabbcc', original: 5, time, ...place }]);
  assert.is(reader!.notes.fractionBeyondSecond, 1);
});

test('a file made by hand, nanoseconds and big-endian', async () => {
  const { packets, error, reader } = await readOctets(BY_HAND_BIG);
  assert.is(error, null);
  assert.is(packets[0]!.time, 0x12345678n * 1_000_000_000n + 999_999_999n);
  assert.is(packets[0]!.linkType, 0x71);
  assert.is(reader!.interfaces[0]!.unitsPerSecond, 1_000_000_000n);
});

test('three magics in both byte orders', async () => {
  for (const order of ORDERS) {
    for (const magic of [0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34]) {
      const extra = fields(order, ...(magic === 0xa1b2cd34 ? MODIFIED : []));
      const record = (second: number): Uint8Array => pcapRecord(second, 5, DATA, { order, original: 90, extra });
      const { packets, error } = await readOctets(join(pcapHeader({ order, magic }), record(1000), record(1001)));
      assert.is(error, null);
      const fraction = magic === 0xa1b23c4d ? 5n : 5000n;
      assert.equal(
        packets.map(({ time, original, data }) => [time, original, data.length]),
        [
          [1_000_000_000_000n + fraction, 90, 120],
          [1_001_000_000_000n + fraction, 90, 120],
        ],
      );
    }
  }
});

test('versions 2.0 to 2.4 are read, all others refused by name', async () => {
  for (const version of [0, 1, 2, 3, 4]) {
    const { packets } = await readOctets(join(pcapHeader({ version: [2, version] }), pcapRecord(1, 1, DATA)));
    assert.is(packets.length, 1);
  }
  for (const version of [
    [1, 4],
    [2, 5],
    [3, 0],
    [543, 0],
    [0, 0],
  ] as const) {
    const { packets, error } = await readOctets(join(pcapHeader({ version }), pcapRecord(1, 1, DATA)));
    assert.is(packets.length, 0);
    assert.is(error!.code, 'capture.version');
    assert.is(error!.got, version.join('.'));
    assert.match(error!.message, `unsupported pcap version ${version.join('.')}`);
  }
});

test('lengths are exchanged before version 2.3, and in 2.3 where they make no sense', async () => {
  const exchanged = pcapRecord(1, 1, DATA, { captured: 100, original: 60 });
  const inOrder = pcapRecord(1, 1, DATA, { captured: 60, original: 100 });
  for (const [minor, records, count] of [
    [2, [exchanged, exchanged], 2],
    [3, [exchanged, inOrder], 1],
    [4, [inOrder, inOrder], 0],
  ] as const) {
    const { packets, reader, error } = await readOctets(join(pcapHeader({ version: [2, minor] }), ...records));
    assert.is(error, null);
    assert.equal(
      packets.map(({ data, original }) => [data.length / 2, original]),
      [
        [60, 100],
        [60, 100],
      ],
    );
    assert.is(reader!.notes.lengthsExchanged, count);
  }
});

test('a snapshot length of 0 or beyond the maximum is the maximum; packets beyond it are noted', async () => {
  for (const [stated, read, notes] of [
    [0, 262144, 0],
    [0xffffffff, 262144, 0],
    [40, 40, 1],
    [60, 60, 0],
  ] as const) {
    const { reader, packets } = await readOctets(join(pcapHeader({ snapLength: stated }), pcapRecord(1, 1, DATA)));
    assert.is(reader!.interfaces[0]!.snapLength, read);
    assert.is(packets[0]!.data.length, 120);
    assert.is(reader!.notes.capturedBeyondSnapLength, notes);
  }
});

test('the frame check sequence is split from the link type; reserved bits are refused', async () => {
  const open = (network: number) => readOctets(join(pcapHeader({ network }), pcapRecord(1, 1, DATA)));
  assert.is((await open(0x24000001)).reader!.interfaces[0]!.fcsLength, 4);
  assert.is((await open(0x30000001)).reader!.interfaces[0]!.fcsLength, null);
  assert.is((await open(0x34000071)).packets[0]!.linkType, 0x71);
  const { error, packets } = await open(0x00010001);
  assert.is(error!.code, 'capture.unsupported');
  assert.is(error!.got, '0x00010001');
  assert.is(packets.length, 0);
});

test('262,144 octets are a packet, one more is damage', async () => {
  const most = pcapRecord(1, 1, new Uint8Array(262144));
  const more = pcapRecord(2, 1, new Uint8Array(262145));
  const { packets, error } = await readOctets(join(pcapHeader(), most, more, most));
  assert.is(packets.length, 1);
  assert.is(error!.code, 'capture.corrupt');
  const { packet, offset, field, got, limit, file } = error!;
  assert.equal([file, packet, offset, field, got, limit], ['test.pcap', 2, 262184, 'capturedLength', 262145, 262144]);
  assert.is(
    error!.message,
    'test.pcap: packet 2 at offset 262184: captured length 262145 is larger than the maximum 262144',
  );
});

test('a length of almost 4 GiB is refused without being allocated, in both byte orders', async () => {
  for (const order of ORDERS) {
    const lie = pcapRecord(2, 1, DATA, { order, captured: 3_925_868_813 });
    const before = process.memoryUsage().arrayBuffers;
    const { packets, error } = await readOctets(join(pcapHeader({ order }), pcapRecord(1, 1, DATA, { order }), lie));
    assert.is(packets.length, 1);
    assert.is(error!.got, 3_925_868_813);
    assert.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024);
  }
});

test('oddities are read and counted', async () => {
  const records = [
    pcapRecord(1000, 5, DATA),
    pcapRecord(1000, 5, DATA, { original: 40 }),
    pcapRecord(1000, 2_500_000, DATA),
    pcapRecord(999, 0, DATA),
    pcapRecord(999, 0, new Uint8Array(0), { original: 40 }),
    pcapRecord(0xffffffff, 0, DATA),
  ];
  const { packets, error, reader } = await readOctets(join(pcapHeader(), ...records));
  assert.is(error, null);
  assert.is(packets.length, 6);
  assert.is(packets[2]!.time, 1_002_500_000_000n);
  assert.is(packets[3]!.time, 999_000_000_000n, 'before the epoch of the file');
  assert.equal([packets[4]!.data, packets[4]!.original], ['', 40]);
  const { capturedBeyondOriginal, fractionBeyondSecond, timeBackwards, timeInexact } = reader!.notes;
  assert.equal([capturedBeyondOriginal, fractionBeyondSecond, timeBackwards, timeInexact], [1, 1, 1, 1]);
});

test('a second file header is named where it begins', async () => {
  const file = join(pcapHeader(), pcapRecord(1, 1, DATA));
  for (const order of ORDERS) {
    const second = join(pcapHeader({ order }), pcapRecord(1, 1, DATA, { order }));
    const { packets, error } = await readOctets(join(file, second));
    assert.is(packets.length, 1);
    assert.is(error!.code, 'capture.corrupt');
    assert.equal([error!.packet, error!.offset], [2, file.length]);
    assert.match(error!.message, 'second pcap header');
  }
});

test('every truncation gives the whole packets before it and says where the file ends', async () => {
  for (const order of ORDERS) {
    const header = pcapHeader({ order });
    const record = pcapRecord(1, 1, counted(7), { order });
    const file = join(header, record, record);
    for (let length = 1; length < file.length; length++) {
      for (const step of [undefined, 1]) {
        const { packets, error } = await readOctets(file.slice(0, length), step);
        const whole = Math.max(0, Math.floor((length - 24) / record.length));
        assert.is(packets.length, whole, `${length} octets`);
        const clean = length >= 24 && (length - 24) % record.length === 0;
        if (clean) assert.is(error, null);
        else if (length < 4) assert.is(error!.code, 'capture.format');
        else assert.is(error!.code, 'capture.truncated', `${length} octets`);
        if (length >= 24 && !clean)
          assert.equal([error!.packet, error!.offset], [whole + 1, 24 + whole * record.length]);
      }
    }
  }
});

test('the messages of truncation name what is missing', async () => {
  const file = join(pcapHeader(), pcapRecord(1, 1, DATA));
  const message = async (length: number): Promise<string> => (await readOctets(file.slice(0, length))).error!.message;
  assert.is(await message(12), 'test.pcap: at offset 0: truncated file header: got 12 of 24 octets');
  assert.is(
    await message(30),
    'test.pcap: packet 1 at offset 24: file ends inside a record header: got 6 of 16 octets',
  );
  assert.is(await message(50), 'test.pcap: packet 1 at offset 24: record claims 60 octets, 10 left');
});

test.run();
