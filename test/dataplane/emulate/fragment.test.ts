/** Fragmenting and tunnel headers against what RFC 791 and the kernel say of them; the kernel itself judges in `conformance`. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createDraws } from '../../../src/dataplane/emulate/draws.ts';
import { fragment } from '../../../src/dataplane/emulate/fragment.ts';
import { append, createPool, type Frame, release, take } from '../../../src/dataplane/emulate/frame.ts';
import { checksum, type HeaderFields, ipv4, udp } from '../packets.ts';

const test = suite('dataplane/emulate/fragment');
const ENDS = { source: '10.255.1.4', destination: '10.255.2.8' };

const payload = (length: number): number[] => Array.from({ length }, (_, i) => (i * 7) & 0xff);

function framed(length: number, fields: HeaderFields = {}): Frame {
  const packet = ipv4(ENDS, 17, payload(length), fields);
  const frame = take(createPool(), packet.length, 0);
  append(frame, packet, 0, packet.length);
  return frame;
}

function cut(frame: Frame, mtu: number, hasRoom = true): number[][] {
  const pieces: Frame[] = [];
  fragment(createPool(), frame, mtu, hasRoom, pieces);
  return pieces.map(({ octets, at, end }) => [...octets.slice(at, end)]);
}

const lengths = (pieces: readonly number[][]): number[] => pieces.map((piece) => piece.length);
const flagsOf = (piece: readonly number[]): number => (piece[6]! << 8) | piece[7]!;
const headerOf = (piece: readonly number[]): number[] => piece.slice(0, (piece[0]! & 0xf) * 4);

test('1528 octets for an MTU of 1400: 1396 and 152, as the kernel was measured', () => {
  const pieces = cut(framed(1508), 1400);
  assert.equal(lengths(pieces), [1396, 152]);
  assert.equal(pieces.map(flagsOf), [0x2000, 172]);
});

test('every piece has a good header, the identification, and its share of the payload', () => {
  for (const [length, mtu] of [
    [1, 68],
    [3000, 68],
    [3000, 576],
    [65_515, 1500],
    [1481, 1500],
  ] as const) {
    const pieces = cut(framed(length, { identification: 0xbeef, typeOfService: 0xb8 }), mtu);
    const together = pieces.flatMap((piece) => piece.slice(20));
    assert.equal(together, payload(length));
    let offset = 0;
    for (const [i, piece] of pieces.entries()) {
      assert.is(checksum(headerOf(piece)), 0);
      assert.ok(piece.length <= mtu);
      assert.equal(piece.slice(1, 6), [0xb8, piece.length >>> 8, piece.length & 0xff, 0xbe, 0xef]);
      assert.is(flagsOf(piece), (i < pieces.length - 1 ? 0x2000 : 0) | (offset >>> 3));
      offset += piece.length - 20;
    }
  }
});

test('options that are not to be copied are no-operations behind the first piece', () => {
  // Router alert is copied, an option 30 and record route are not; the end of the list ends it.
  const options = [0x94, 4, 0, 0, 30, 4, 9, 9, 7, 7, 4, 0, 0, 0, 0, 0];
  const [first, second, third] = cut(framed(100, { options }), 84);
  assert.equal(first!.slice(20, 36), options);
  assert.equal(second!.slice(20, 36), [0x94, 4, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
  assert.equal(third!.slice(20, 36), second!.slice(20, 36));
});

test('pieces of what came in fragments leave as they came, when there is room and all of them fit', () => {
  const came = (): Frame => {
    const frame = framed(104);
    frame.pieces = 3;
    frame.pieceLengths.set([24, 48, 32]);
    frame.largestFragment = 68;
    return frame;
  };
  assert.equal(lengths(cut(came(), 1500)), [44, 68, 52]);
  assert.equal(lengths(cut(came(), 1500, false)), [68, 68, 28]);
  assert.equal(lengths(cut(came(), 60)), [60, 60, 44]);
});

test('a fragment that is cut again keeps its place, and more-fragments', () => {
  const pieces = cut(framed(96, { fragment: 0x2000 | 10 }), 68);
  assert.equal(pieces.map(flagsOf), [0x2000 | 10, 0x2000 | 16]);
});

test('frames come back from the pool as new', () => {
  const pool = createPool();
  const frame = take(pool, 100, 0);
  frame.mark = 7;
  frame.pieces = 3;
  release(pool, frame);
  const again = take(pool, 100, 5);
  assert.is(again, frame);
  assert.equal([again.mark, again.pieces, again.packet, again.cause, again.end - again.at], [0, 0, 2, 5, 0]);
  assert.ok(take(pool, 60_000, 0).octets.length > 60_000);
});

test('source ports: in the range, one per connection and seed; identifications: never 0', () => {
  const view = (port: number): DataView => new DataView(ipv4(ENDS, 17, udp(ENDS, port, 53)).buffer);
  const draws = createDraws(1);
  const ports = Array.from({ length: 500 }, (_, i) => draws.sourcePort(0, view(i), 0, 28));
  assert.ok(ports.every((port) => port >= 32_768 && port < 60_999));
  assert.ok(new Set(ports).size > 450);
  assert.is(createDraws(1).sourcePort(0, view(9), 0, 28), ports[9]);
  assert.is.not(createDraws(2).sourcePort(0, view(9), 0, 28), ports[9]);
  assert.is(draws.sourcePort(0, view(1), -1, 28), draws.sourcePort(0, view(2), -1, 28));
  for (let i = 0; i < 200_000; i++) assert.ok(draws.identification(0, view(0), -1, 28) > 0);
});

test.run();
