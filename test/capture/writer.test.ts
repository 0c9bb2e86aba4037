import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { copyOctets } from '../../src/capture/copy.ts';
import { openSink } from '../../src/capture/file.ts';
import type { ByteSink } from '../../src/capture/sink.ts';
import { textWriter } from '../../src/capture/text.ts';
import { type CaptureWriter, pcapngWriter, pcapWriter } from '../../src/capture/writer.ts';
import { check } from '../support/property.ts';
import { skip } from '../support/shared.ts';
import { checkAsync, counted, hex, readOctets } from './build.ts';
import { epochText, HAS_TSHARK, tsharkFields } from './tshark.ts';

const test = suite('capture/writer');
const FOLDER = mkdtempSync(join(tmpdir(), 'tagplane-writer-'));
test.after(() => rmSync(FOLDER, { recursive: true }));

/** A sink that keeps what it is given. */
function memorySink(): ByteSink & { octets(): Uint8Array; largest: number } {
  const parts: Uint8Array[] = [];
  return {
    name: 'memory',
    largest: 0,
    async write(octets) {
      this.largest = Math.max(this.largest, octets.length);
      parts.push(octets.slice());
      await Promise.resolve();
    },
    finish: async () => undefined,
    abort: async () => undefined,
    octets: () => new Uint8Array(Buffer.concat(parts)),
  };
}

const view = (octets: Uint8Array): DataView => new DataView(octets.buffer);
const put = (writer: CaptureWriter, octets: Uint8Array, time: number, id = 0, comment: string | null = null): boolean =>
  writer.packet(view(octets), octets, 0, octets.length, octets.length + 2, time, id, comment);

test('pcap, octet by octet', async () => {
  const sink = memorySink();
  const writer = pcapWriter(sink, {
    epochNanoseconds: 0x12345678_999999999n % 10n ** 18n,
    linkType: 1,
    snapLength: 65536,
  });
  await writer.finish();
  assert.equal(sink.octets(), hex('4d3cb2a1 0200 0400 00000000 00000000 00000100 01000000'));
});

test('pcapng, octet by octet', async () => {
  const sink = memorySink();
  const writer = pcapngWriter(sink, { epochNanoseconds: 0x1_ffff_ffffn });
  assert.is(writer.addInterface({ name: 'eth0', linkType: 1, snapLength: 65536 }), 0);
  put(writer, hex('aabbcc'), 3, 0, 'ok');
  await writer.finish();
  assert.equal(
    sink.octets(),
    hex(`
    0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000
    01000000 28000000 0100 0000 00000100  0200 0400 65746830  0900 0100 09000000  0000 0000 28000000
    06000000 30000000 00000000 02000000 02000000 03000000 05000000 aabbcc00
    0100 0200 6f6b0000 0000 0000 30000000`),
  );
});

test('times before, at and across the words of both formats', async () => {
  const epoch = 1_700_000_000_999_999_999n;
  const times = [
    0,
    1,
    -1,
    -2_000_000_000,
    4_294_967_295,
    4_294_967_296,
    Number.MAX_SAFE_INTEGER,
    -Number.MAX_SAFE_INTEGER,
  ];
  for (const format of ['pcap', 'pcapng']) {
    const sink = memorySink();
    const pcapng = pcapngWriter(sink, { epochNanoseconds: epoch });
    if (format === 'pcapng') pcapng.addInterface({ name: 'a', linkType: 1, snapLength: 0 });
    const writer =
      format === 'pcapng' ? pcapng : pcapWriter(sink, { epochNanoseconds: epoch, linkType: 1, snapLength: 0 });
    for (const time of times) put(writer, counted(6), time);
    await writer.finish();
    const { packets } = await readOctets(sink.octets());
    assert.equal(
      packets.map(({ time }) => time),
      times.map((time) => epoch + BigInt(time)),
      format,
    );
  }
});

test('values that a format cannot hold are refused', () => {
  const sink = memorySink();
  const pcap = pcapWriter(sink, { epochNanoseconds: 5n, linkType: 1, snapLength: 0 });
  assert.throws(() => put(pcap, counted(4), -6), /time of packet 1 does not fit/);
  const late = pcapWriter(sink, { epochNanoseconds: (1n << 32n) * 1_000_000_000n - 1n, linkType: 1, snapLength: 0 });
  put(late, counted(4), 0);
  assert.throws(() => put(late, counted(4), 1), /time of packet 2 does not fit/);
  assert.throws(() => put(pcapngWriter(sink, { epochNanoseconds: 5n }), counted(4), 0), /interface 0, 0 are described/);
});

test('a comment is cut at a character, not inside one', async () => {
  const sink = memorySink();
  const writer = pcapngWriter(sink, { epochNanoseconds: 0n });
  writer.addInterface({ name: 'x'.repeat(70_000), linkType: 1, snapLength: 0 });
  put(writer, counted(5), 0, 0, `a${'✓'.repeat(30_000)}`);
  put(writer, counted(5), 1);
  await writer.finish();
  const { packets, error } = await readOctets(sink.octets());
  assert.is(error, null);
  assert.is(packets.length, 2);
  const text = Buffer.from(sink.octets()).toString('utf8');
  assert.not.match(text.slice(70_000), '�');
});

test('what is appended comes out, whenever it is drained', async () => {
  const packets = fc.array(fc.tuple(fc.integer({ min: 0, max: 70_000 }), fc.boolean()), { maxLength: 60 });
  await checkAsync(
    fc.asyncProperty(packets, async (list) => {
      const sink = memorySink();
      const writer = pcapWriter(sink, { epochNanoseconds: 0n, linkType: 1, snapLength: 0 });
      const pending: Promise<void>[] = [];
      for (const [at, [length, obedient]] of list.entries()) {
        if (!put(writer, counted(length), at)) continue;
        if (obedient) await writer.drain();
        else if (pending.length === 0) pending.push(writer.drain());
      }
      await Promise.all(pending);
      await writer.finish();
      const found = (await readOctets(sink.octets())).packets;
      assert.equal(
        found.map((one) => [one.data.length / 2, one.time]),
        list.map(([length], at) => [length, BigInt(at)]),
      );
    }),
    40,
  );
});

test('copyOctets copies exactly the octets asked for', () => {
  check(
    fc.property(
      fc.integer({ min: 0, max: 9 }),
      fc.integer({ min: 0, max: 600 }),
      fc.integer({ min: 0, max: 9 }),
      (at, n, to) => {
        const [from, into] = [counted(n + 20), new Uint8Array(n + 20).fill(0xee)];
        copyOctets(view(from), from, at, at + n, view(into), into, to);
        const expected = new Uint8Array(n + 20).fill(0xee);
        expected.set(from.slice(at, at + n), to);
        assert.equal(into, expected);
      },
    ),
  );
});

test('text is UTF-8, line by line', async () => {
  const sink = memorySink();
  const writer = textWriter(sink);
  const lines = Array.from({ length: 30_000 }, (_, at) => `{"packet":${at},"name":"zürich ✓ 𝄞"}\n`);
  let drains = 0;
  for (const line of lines) {
    if (!writer.write(line)) continue;
    drains++;
    await writer.drain();
  }
  await writer.finish();
  assert.is(Buffer.from(sink.octets()).toString('utf8'), lines.join(''));
  assert.ok(drains >= 4);
  assert.ok(sink.largest < 300_000, 'the buffer stays small');
});

/** Write the same packets in both formats; times, lengths, interfaces and comments as the test below expects them. */
async function writeFiles(): Promise<{ pcap: string; pcapng: string }> {
  const [pcap, pcapng] = [join(FOLDER, 'a.pcap'), join(FOLDER, 'a.pcapng')];
  const epochNanoseconds = 1_795_376_534_068_933_123n;
  const plain = pcapWriter(openSink(pcap), { epochNanoseconds, linkType: 1, snapLength: 262144 });
  const rich = pcapngWriter(openSink(pcapng), { epochNanoseconds });
  rich.addInterface({ name: 'cell-a/eth0', linkType: 1, snapLength: 262144 });
  for (let at = 0; at < 1000; at++) {
    // An interface that is described when half of the packets are written.
    if (at === 500) rich.addInterface({ name: 'cell-b/ünderlay', linkType: 101, snapLength: 128 });
    const octets = counted(at === 7 ? 262_144 : at % 97);
    if (put(plain, octets, at * 1_000_003)) await plain.drain();
    if (put(rich, octets, at * 1_000_003, at < 500 ? 0 : at % 2, at % 3 === 0 ? `✓ packet ${at}` : null))
      await rich.drain();
  }
  await plain.finish();
  await rich.finish();
  return { pcap, pcapng };
}

const REASON = 'tshark is not on this machine';
if (!HAS_TSHARK) {
  skip(test, 'tshark reads what was written', REASON);
  skip(test, 'capinfos agrees on format, resolution and number', REASON);
} else {
  test('tshark reads what was written', async () => {
    const { pcap, pcapng } = await writeFiles();
    const names = ['frame.time_epoch', 'frame.cap_len', 'frame.len'];
    const expected = Array.from({ length: 1000 }, (_, at) => {
      const length = at === 7 ? 262_144 : at % 97;
      return [epochText(1_795_376_534_068_933_123n + BigInt(at * 1_000_003)), `${length}`, `${length + 2}`];
    });
    const plain = await tsharkFields(pcap, names);
    assert.equal([plain.exitCode, plain.message], [0, '']);
    assert.equal(plain.rows, expected);
    const rich = await tsharkFields(pcapng, [...names, 'frame.interface_name', 'frame.comment', 'frame.encap_type']);
    assert.equal([rich.exitCode, rich.message], [0, '']);
    assert.equal(
      rich.rows,
      expected.map((row, at) => {
        const second = at >= 500 && at % 2 === 1;
        const comment = at % 3 === 0 ? `✓ packet ${at}` : '';
        return [...row, second ? 'cell-b/ünderlay' : 'cell-a/eth0', comment, second ? '7' : '1'];
      }),
    );
  });

  test('capinfos agrees on format, resolution and number', async () => {
    const { pcap, pcapng } = await writeFiles();
    const about = (file: string): string => execFileSync('capinfos', ['-M', file], { encoding: 'utf8' });
    assert.match(about(pcap), /File type:\s+nsecpcap/);
    assert.match(about(pcap), /Number of packets:\s+1000\b/);
    assert.match(about(pcapng), /File type:\s+pcapng/);
    assert.match(about(pcapng), /Time precision = nanoseconds \(9\)/);
    assert.match(about(pcapng), /Number of interfaces in file: 2/);
    assert.ok(readFileSync(pcap).length > 262_144);
  });
}

test.run();
