/**
 * pcap-parser, a streaming reader that somebody else wrote, on microsecond pcap files.
 *
 * It is guarded: it believes any captured length and says nothing of a truncated tail, so it only sees sound files, and
 * one whose length is beyond the maximum ends the test.
 */
import { Readable } from 'node:stream';
import * as fc from 'fast-check';
import parser, { type Packet } from 'pcap-parser';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkAsync, counted, join, type Order, pcapHeader, pcapRecord, readOctets } from './build.ts';

const test = suite('capture/second-opinion');

function secondOpinion(file: Uint8Array): Promise<Packet[]> {
  return new Promise((resolve, reject) => {
    const stream = Readable.from([Buffer.from(file)]);
    const packets: Packet[] = [];
    const parsing = parser.parse(stream);
    parsing.on('packetHeader', ({ capturedLength }) => {
      if (capturedLength <= 262_144) return;
      stream.destroy();
      reject(new Error(`captured length ${capturedLength}`));
    });
    parsing.on('packet', (packet) => packets.push(packet));
    parsing.on('error', reject);
    parsing.on('end', () => resolve(packets));
  });
}

test('the same packets, lengths, octets and times', async () => {
  const record = fc.record({
    seconds: fc.integer({ min: 1, max: 0x7fffffff }),
    microseconds: fc.integer({ min: 0, max: 999_999 }),
    captured: fc.integer({ min: 0, max: 3000 }),
    cut: fc.integer({ min: 0, max: 70_000 }),
  });
  await checkAsync(
    fc.asyncProperty(
      fc.array(record, { maxLength: 30 }),
      fc.constantFrom<Order>('little', 'big'),
      async (list, order) => {
        const records = list.map(({ seconds, microseconds, captured, cut }) =>
          pcapRecord(seconds, microseconds, counted(captured), { order, original: captured + cut }),
        );
        const file = join(pcapHeader({ order }), ...records);
        const theirs = await secondOpinion(file);
        const { packets, error } = await readOctets(file);
        assert.is(error, null);
        assert.equal(
          packets.map(({ data, original }) => [data.length / 2, original, data]),
          theirs.map(({ header, data }) => [
            header.capturedLength,
            header.originalLength,
            Buffer.from(data).toString('hex'),
          ]),
        );
        for (const [at, { time }] of packets.entries()) {
          const { timestampSeconds, timestampMicroseconds } = theirs[at]!.header;
          const exact = BigInt(timestampSeconds) * 1_000_000_000n + BigInt(timestampMicroseconds) * 1000n;
          // Random seconds lie further apart than a number holds nanoseconds.
          const apart = time - exact;
          assert.ok(apart <= 1024n && apart >= -1024n, `packet ${at + 1}: ${time}, ${exact}`);
        }
      },
    ),
    100,
  );
});

test.run();
