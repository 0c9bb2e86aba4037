import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { create } from '../../src/capture/burst.ts';
import { type CaptureReader, open } from '../../src/capture/reader.ts';
import { type ByteSource, fromOctets } from '../../src/capture/source.ts';
import {
  checkAsync,
  counted,
  drainRecords,
  enhanced,
  hex,
  interfaceBlock,
  join,
  packetsArbitrary,
  pcapHeader,
  pcapRecord,
  plannedPcap,
  plannedPcapng,
  readOctets,
  section,
} from './build.ts';

const test = suite('capture/reader');
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test('an empty file is refused', async () => {
  const { error } = await readOctets(new Uint8Array(0));
  assert.is(error!.code, 'capture.empty');
  assert.is(error!.message, 'test.pcap: at offset 0: empty file');
});

test('what is no capture is named by what it looks like', async () => {
  const looks: readonly (readonly [Uint8Array, RegExp])[] = [
    [hex('ffd8ffe0 00104a46'), /JPEG image/],
    [text('version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 1\n'), /git-LFS pointer: .*git lfs pull/],
    [hex('504b0304 14000000'), /zip archive: .*unzip/],
    [hex('377abcaf271c0004'), /7z archive: .*7z/],
    [hex('04224d18 6440a7'), /LZ4 data: .*lz4 -d/],
    [hex('1f8b0800 00000000'), /gzip data/],
    [hex('fd377a585a000000'), /xz data/],
    [text('BZh91AY&SY'), /bzip2 data/],
    [text('No.,Time,Source\n1,0.0,10.0.0.1\n'), /CSV text/],
    [text('{"packets": []}\n'), /JSON text/],
    [text('08:12:11.5 IP 10.0.0.1 > 10.0.0.2\n'), /looks like text/],
    [text('<?xml version="1.0"?>'), /XML/],
    [join(text('snoop'), new Uint8Array(11)), /snoop capture: .*editcap/],
    [join(text('GMBU'), new Uint8Array(12)), /Network Monitor 2/],
    [join(text('TRSNIFF data    '), new Uint8Array(12)), /Sniffer capture/],
    [hex('00000000 1234'), /first octets are 00 00 00 00/],
    [hex('d4c3'), /first octets are d4 c3$/],
    [join(new Uint8Array(257), text('ustar')), /tar archive/],
  ];
  for (const [octets, expected] of looks) {
    for (const step of [undefined, 1]) {
      const { error } = await readOctets(octets, step);
      assert.is(error!.code, 'capture.format');
      assert.match(error!.message, expected);
      assert.not.match(error!.message, /\n/);
    }
  }
});

test('the source is closed when the file is refused', async () => {
  let closed = 0;
  const source: ByteSource = { ...fromOctets(text('nonsense')), close: () => void closed++ };
  await open(source).then(
    () => assert.unreachable(),
    () => undefined,
  );
  assert.is(closed, 1);
});

test('any chunk and any step of the source give the same packets', async () => {
  const formats = [plannedPcap, plannedPcapng];
  await checkAsync(
    fc.asyncProperty(
      packetsArbitrary(40),
      fc.constantFrom(...formats),
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 4096, max: 20_000 }),
      async (packets, format, step, chunkLength) => {
        const file = format(packets, 1000);
        const whole = await readOctets(file);
        const pieces = await readOctets(file, step, { chunkLength });
        assert.is(whole.error, null);
        assert.equal(pieces, { ...whole, reader: pieces.reader });
        assert.equal(
          whole.packets.map((one) => one.data.length / 2),
          packets.map((one) => one.length),
        );
        assert.equal(
          whole.packets.map((one) => one.packet),
          packets.map((_, at) => at + 1),
        );
      },
    ),
    60,
  );
});

test('a record larger than the chunk is read, and the chunk grows only by what arrives', async () => {
  const large = counted(200_000);
  const file = join(pcapHeader({ snapLength: 0 }), pcapRecord(1, 1, large), pcapRecord(2, 1, counted(9)));
  const { packets, error } = await readOctets(file, undefined, { chunkLength: 4096 });
  assert.is(error, null);
  assert.equal(
    packets.map((one) => one.data.length / 2),
    [200_000, 9],
  );
  const before = process.memoryUsage().arrayBuffers;
  const claim = join(section(), new Uint8Array(Buffer.from('99090000f0ffff0041414141', 'hex')));
  const short = await readOctets(claim, undefined, { chunkLength: 4096 });
  assert.is(short.error!.code, 'capture.truncated');
  assert.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024);
});

test('asking to read on before everything was located loses nothing', async () => {
  const records = Array.from({ length: 2000 }, (_, at) => pcapRecord(at, 1, counted(60)));
  const reader = await open(fromOctets(join(pcapHeader(), ...records)), { chunkLength: 8192 });
  const burst = create();
  let next = 1;
  let more = true;
  while (more) {
    reader.fill(burst);
    for (let row = 0; row < burst.count; row++) assert.is(burst.packet[row], next++);
    more = await reader.refill();
  }
  while (reader.fill(burst) > 0) for (let row = 0; row < burst.count; row++) assert.is(burst.packet[row], next++);
  assert.is(next, 2001);
});

test('damage is told again to whoever asks again', async () => {
  const file = join(pcapHeader(), pcapRecord(1, 1, counted(6)), pcapRecord(2, 1, counted(6), { captured: 300_000 }));
  const reader = await open(fromOctets(file));
  const burst = create();
  assert.is(reader.fill(burst), 1);
  for (let again = 0; again < 3; again++) assert.throws(() => reader.fill(burst), /captured length 300000/);
  assert.is(burst.count, 0);
});

/** A pcap file that is too large to exist: records of 262,000 octets, made while they are read. */
function endless(records: number): ByteSource {
  const record = pcapRecord(1, 1, new Uint8Array(262_000));
  const total = 24 + records * record.length;
  const header = pcapHeader();
  let position = 0;
  return {
    name: 'large.pcap',
    size: total,
    read(into, at, length) {
      const left = Math.min(length, total - position);
      for (let done = 0; done < left; ) {
        const [from, offset] = position < 24 ? [header, position] : [record, (position - 24) % record.length];
        const count = Math.min(left - done, from.length - offset);
        into.set(from.subarray(offset, offset + count), at + done);
        done += count;
        position += count;
      }
      return left;
    },
    close: () => undefined,
  };
}

test('offsets beyond 4 GiB are exact and memory stays flat', async () => {
  const records = 18_000;
  const reader: CaptureReader = await open(endless(records));
  const burst = create();
  const before = process.memoryUsage().arrayBuffers;
  let last = 0;
  do {
    while (reader.fill(burst) > 0) last = burst.offset[burst.count - 1]!;
  } while (await reader.refill());
  assert.is(reader.packets, records);
  assert.is(last, 24 + (records - 1) * 262_016);
  assert.ok(last > 2 ** 32);
  assert.ok(process.memoryUsage().arrayBuffers - before < 2 * 1024 * 1024);
});

test('a file that grew while it was read is noted', async () => {
  const file = join(pcapHeader(), pcapRecord(1, 1, counted(6)), pcapRecord(2, 1, counted(6)));
  for (const [size, notes] of [
    [file.length, 0],
    [file.length - 22, 1],
    [null, 0],
  ] as const) {
    const reader = await open({ ...fromOctets(file), size });
    const { packets, error } = await drainRecords(reader);
    assert.is(error, null);
    assert.is(packets.length, 2);
    assert.is(reader.notes.sizeChanged, notes);
  }
});

test('nothing is allocated per packet', async () => {
  const records = Array.from({ length: 4000 }, (_, at) => pcapRecord(at, 1, counted(60)));
  const pcap = join(pcapHeader(), ...records);
  const blocks = Array.from({ length: 4000 }, (_, at) => enhanced(BigInt(at), counted(60)));
  const pcapng = join(section(), interfaceBlock(), ...blocks);
  if (globalThis.gc === undefined) (await import('node:v8')).setFlagsFromString('--expose-gc');
  const collect = globalThis.gc ?? ((await import('node:vm')).runInNewContext('gc') as () => void);
  const burst = create();
  for (const file of [pcap, pcapng]) {
    const readers: CaptureReader[] = [];
    for (let at = 0; at < 60; at++) readers.push(await open(fromOctets(file), { chunkLength: file.length + 1 }));
    for (const reader of readers.slice(0, 10)) while (reader.fill(burst) > 0);
    for (const reader of readers) await reader.refill();
    // An object per packet (16 octets and more) would show in every part; what V8 itself allocates, in some.
    const perPacket: number[] = [];
    for (let from = 10; from < readers.length; from += 10) {
      collect();
      const before = process.memoryUsage().heapUsed;
      let packets = 0;
      for (const reader of readers.slice(from, from + 10)) while (reader.fill(burst) > 0) packets += burst.count;
      perPacket.push((process.memoryUsage().heapUsed - before) / packets);
      assert.is(packets, 10 * 4000);
    }
    assert.ok(Math.min(...perPacket) < 4, `${perPacket.join(' ')} octets per packet`);
  }
});

test.run();
