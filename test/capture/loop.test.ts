/** A capture that is read again and again is one that goes on. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { create } from '../../src/capture/burst.ts';
import { looped } from '../../src/capture/loop.ts';
import { type CaptureReader, open } from '../../src/capture/reader.ts';
import { fromOctets } from '../../src/capture/source.ts';
import { join, pcapHeader, pcapRecord } from './build.ts';

const test = suite('capture: loop');
const CAPTURE = join(
  pcapHeader(),
  pcapRecord(100, 0, new Uint8Array(60)),
  pcapRecord(103, 0, new Uint8Array(61)),
  pcapRecord(102, 500_000, new Uint8Array(62)),
);

async function read(rounds: number, capture = CAPTURE) {
  const opened: CaptureReader[] = [];
  let closed = 0;
  const reopen = async (): Promise<CaptureReader> => {
    const source = fromOctets(capture);
    const close = (): void => {
      closed += 1;
    };
    const reader = await open({ ...source, close });
    opened.push(reader);
    return reader;
  };
  const calls: number[] = [];
  const source = looped(await reopen(), { rounds, pause: 5e9, reopen, onRound: (round) => void calls.push(round) });
  const burst = create();
  const rows: (readonly [time: number, packet: number])[] = [];
  do {
    while (source.fill(burst) > 0)
      for (let i = 0; i < burst.count; i++) rows.push([burst.time[i]! / 1e9, burst.packet[i]!]);
  } while (await source.refill());
  const { packets, epochNanoseconds } = source;
  await source.close();
  return { rows, calls, packets, epochNanoseconds, opened: opened.length, closed };
}

test('each round begins a pause after the latest packet of the one before', async () => {
  assert.equal(await read(3), {
    rows: [
      [0, 1],
      [3, 2],
      [2.5, 3],
      [8, 1],
      [11, 2],
      [10.5, 3],
      [16, 1],
      [19, 2],
      [18.5, 3],
    ],
    calls: [1, 2],
    packets: 9,
    epochNanoseconds: 100_000_000_000n,
    opened: 3,
    closed: 3,
  });
});

test('a capture without packets has one round', async () => {
  const { rows, opened, closed } = await read(1000, pcapHeader());
  assert.equal({ rows, opened, closed }, { rows: [], opened: 1, closed: 1 });
});

test.run();
