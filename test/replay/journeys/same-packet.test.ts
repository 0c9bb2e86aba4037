/** Which frames are the same packet: what hops, tunnels and cards change does not count, what senders choose does. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nameOf } from '../../../src/replay/journeys/same-packet.ts';
import { ethernet, ipv4, silkMac, tcp, udp } from '../../dataplane/packets.ts';

const test = suite('replay/same-packet');
const ENDS = { source: '10.255.1.4', destination: '10.255.2.7' };
const OUTSIDE = { source: '10.0.0.101', destination: '10.0.0.102' };
const frame = (packet: Uint8Array): Uint8Array =>
  ethernet(silkMac('aa', ENDS.source), silkMac('ee', ENDS.source), 0x0800, packet);
const nameIn = (octets: Uint8Array): string | null =>
  nameOf(new DataView(octets.buffer, octets.byteOffset), 0, octets.length, 4789);
const packet = (): Uint8Array => ipv4(ENDS, 17, udp(ENDS, 4000, 5000, [1, 2, 3, 4]));
const changed = (at: number): Uint8Array => {
  const octets = frame(packet());
  octets[at]! ^= 1;
  return octets;
};

test('inside a tunnel it is the packet that it was before', () => {
  const tunnelled = udp(OUTSIDE, 50_000, 4789, [0x88, 0, 0, 1, 0, 0, 1, 0, ...frame(packet())]);
  assert.type(nameIn(frame(packet())), 'string');
  assert.is(nameIn(frame(ipv4(OUTSIDE, 17, tunnelled))), nameIn(frame(packet())));
});

for (const [what, at] of [
  ['a hardware address', 3],
  ['type of service', 15],
  ['time to live', 22],
  ['header checksum', 24],
  ['UDP checksum', 40],
] as const) {
  test(`${what} may change on the way`, () => assert.is(nameIn(changed(at)), nameIn(frame(packet()))));
}

for (const [what, at] of [
  ['identification', 18],
  ['protocol', 23],
  ['source', 29],
  ['destination', 33],
  ['port', 35],
  ['payload', 43],
] as const) {
  test(`another ${what} is another packet`, () => assert.is.not(nameIn(changed(at)), nameIn(frame(packet()))));
}

test('another sequence number is another packet', () => {
  const segment = (sequence: number): Uint8Array => {
    const octets = frame(ipv4(ENDS, 6, tcp(ENDS, 4000, 8080, { flags: 2 })));
    octets[41] = sequence;
    return octets;
  };
  assert.is.not(nameIn(segment(1)), nameIn(segment(2)));
});

test('frames without a whole IPv4 header have no name', () => {
  for (let length = 14; length < 34; length++) assert.is(nameIn(frame(packet()).slice(0, length)), null);
  assert.is(nameIn(ethernet(silkMac('aa', ENDS.source), silkMac('ee', ENDS.source), 0x0806, packet())), null);
});

test.run();
