/**
 * Segments that are longer at one tap than at another: captures/offload, where a real kernel left cutting to a network card that
 * is none, with the frames of one side cut here as a card would.
 */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readCapture } from '../../dataplane/emulate/emulating.ts';
import { checksum } from '../../dataplane/packets.ts';
import { foundationAt } from '../../scenarios/support.ts';
import { ROOT } from '../../support/shared.ts';
import { follow, type Given, type Heard } from './following.ts';

const test = suite('replay/recut');
const FOLDER = join(ROOT, 'captures', 'offload');
const FOUNDATION = foundationAt(join(FOLDER, 'foundation.yaml'));
const FRONTEND = 'cell-a/s-010255001004/eth0';
const BACKEND = 'cell-b/s-010255002007/eth0';
/** Octets of data in a segment of these containers, whose MTU is 1450 and whose TCP header has timestamps. */
const SEGMENT = 1398;
const NETWORK = 14;
const HEADERS = NETWORK + 20 + 32;
const TCP = 6;

/** What `frame` becomes on a network card. */
function cut(frame: Given): Given[] {
  const { octets } = frame;
  if (octets.length <= HEADERS + SEGMENT || octets[NETWORK + 9] !== TCP) return [frame];
  const pieces: Given[] = [];
  for (let from = 0; HEADERS + from < octets.length; from += SEGMENT) {
    const data = octets.slice(HEADERS + from, HEADERS + from + SEGMENT);
    const piece = Buffer.concat([octets.slice(0, HEADERS), data]);
    piece.writeUInt16BE(piece.length - NETWORK, NETWORK + 2);
    piece.writeUInt16BE(piece.readUInt16BE(NETWORK + 4) + pieces.length, NETWORK + 4);
    piece.writeUInt16BE(0, NETWORK + 10);
    piece.writeUInt16BE(checksum(piece.subarray(NETWORK, NETWORK + 20)), NETWORK + 10);
    piece.writeUInt32BE((piece.readUInt32BE(NETWORK + 24) + from) >>> 0, NETWORK + 24);
    pieces.push({ ...frame, octets: Uint8Array.from(piece), time: frame.time + pieces.length });
  }
  return pieces;
}

async function framesAt(tap: string, name: string): Promise<{ given: Given[]; epoch: bigint }> {
  const { epoch, packets } = await readCapture(join(FOLDER, name));
  return { epoch, given: packets.map(({ octets, time }) => ({ tap, octets, time })) };
}

/** The two containers' captures, each changed, followed together. */
async function followBoth(backend: (frame: Given) => Given[], frontend: (frame: Given) => Given[]): Promise<Heard> {
  const sent = await framesAt(BACKEND, 'backend-1.eth0.pcap');
  const got = await framesAt(FRONTEND, 'frontend-0.eth0.pcap');
  const shift = Number(sent.epoch - got.epoch);
  const all = [
    ...sent.given.map((one) => ({ ...one, time: one.time + shift })).flatMap(backend),
    ...got.given.flatMap(frontend),
  ];
  return follow(
    all.sort((a, b) => a.time - b.time),
    { foundation: FOUNDATION },
  );
}

const same = (frame: Given): Given[] => [frame];
const count = ({ frames }: Heard, found: string): number => frames.filter((one) => one.found === found).length;

test('what a card cuts behind the sender’s tap agrees as data', async () => {
  const heard = await followBoth(same, cut);
  assert.equal([count(heard, 'recut'), count(heard, 'missing'), heard.unexpected], [9, 0, []]);
  // Nothing is put in twice; the two fragments that orders sent have no tap of their own here.
  const origins = heard.ended.map(({ origin }) => origin);
  assert.is(origins.filter((one) => one === 'supposed').length, 2);
});

test('what a card joins before the receiver’s tap agrees as data', async () => {
  const heard = await followBoth(cut, same);
  assert.equal([count(heard, 'recut'), count(heard, 'missing'), heard.unexpected], [2, 0, []]);
});

test('cut on both sides, every segment agrees', async () => {
  const heard = await followBoth(cut, cut);
  assert.equal([count(heard, 'recut'), count(heard, 'missing'), heard.unexpected], [0, 0, []]);
});

test('a lost piece, and one with another octet, are told', async () => {
  let pieces = 0;
  const lost = await followBoth(same, (frame) =>
    cut(frame).filter(({ octets }) => octets.length < 1000 || pieces++ !== 2),
  );
  assert.is(count(lost, 'recut'), 8);
  assert.is(lost.unexpected.length, 1);
  pieces = 0;
  const changed = await followBoth(same, (frame) =>
    cut(frame).map((one) => {
      if (one.octets.length < 1000 || pieces++ !== 2) return one;
      const octets = one.octets.slice();
      octets[octets.length - 1]! ^= 1;
      return { ...one, octets };
    }),
  );
  assert.is(count(changed, 'recut'), 8);
  assert.ok(count(changed, 'agreed') + count(changed, 'missing') > 0);
  assert.ok(changed.unexpected.length > 0);
});

test.run();
