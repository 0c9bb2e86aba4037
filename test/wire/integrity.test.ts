/** Checksum verification of located packets, with the kernel's packets as judge and one octet of them wrong. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CHECKSUM, type Checksum, ipv4Header, transport } from '../../src/wire/integrity.ts';
import { locate } from '../../src/wire/layers.ts';
import { LINKTYPE, PORT } from '../../src/wire/protocol.ts';
import { create, type Layers } from '../../src/wire/stack.ts';
import * as frames from '../support/frames.ts';
import { octets } from '../support/hex.ts';
import { watched } from '../support/watch.ts';

const test = suite('wire/integrity');

const NAMES = Object.keys(CHECKSUM);

function statuses(frame: Uint8Array, wire = frame.length): string[] {
  const layers: Layers = create();
  const view = watched(frame, 16);
  locate(view, 16, 16 + frame.length, 16 + wire, LINKTYPE.ETHERNET, PORT.VXLAN, layers);
  const stacks = layers.vxlan < 0 ? [layers.outer] : [layers.outer, layers.inner];
  const each: Checksum[] = stacks.flatMap((stack) => [ipv4Header(view, stack), transport(view, stack)]);
  return each.map((status) => NAMES[status]!);
}

function changed(frame: string, offset: number, text: string): Uint8Array {
  const bytes = octets(frame);
  bytes.set(octets(text), offset);
  return bytes;
}

test('packets of Linux: IPv4, TCP, UDP without a checksum, ICMP, ICMPv6', () => {
  assert.equal(statuses(octets(frames.DOCUMENTATION)), ['GOOD', 'NONE', 'GOOD', 'GOOD']);
  assert.equal(statuses(octets(frames.ECHO)), ['GOOD', 'GOOD']);
  assert.equal(statuses(octets(frames.UNREACHABLE)), ['GOOD', 'GOOD']);
  assert.equal(statuses(octets(frames.SOLICITATION)), ['NONE', 'GOOD']);
  assert.equal(statuses(octets(frames.LISTENER)), ['NONE', 'GOOD'], 'behind a hop-by-hop header');
  assert.equal(statuses(octets(frames.UNREACHABLE6)), ['NONE', 'GOOD']);
  assert.equal(statuses(octets(frames.ARP)), ['NONE', 'NONE']);
});

test('the sum of the pseudo-header alone is offload on the sending host', () => {
  assert.equal(statuses(octets(frames.SYN)), ['GOOD', 'PARTIAL', 'GOOD', 'GOOD']);
});

test('one wrong octet is found', () => {
  assert.equal(statuses(changed(frames.DOCUMENTATION, 22, '3f')), ['BAD', 'NONE', 'GOOD', 'GOOD']);
  assert.equal(statuses(changed(frames.DOCUMENTATION, 190, '00')), ['GOOD', 'NONE', 'GOOD', 'BAD']);
  assert.equal(statuses(changed(frames.ECHO, 97, '00')), ['GOOD', 'BAD']);
  assert.equal(statuses(changed(frames.SOLICITATION, 85, '00')), ['NONE', 'BAD']);
  // The source address is summed twice: in the header and in the pseudo-header.
  assert.equal(statuses(changed(frames.DOCUMENTATION, 79, '00')), ['GOOD', 'NONE', 'BAD', 'BAD']);
  // ICMP has no pseudo-header whose sum could have been left behind.
  assert.equal(statuses(changed(frames.ECHO, 36, '0000')), ['GOOD', 'BAD']);
});

/** Datagrams that a kernel sent over veth, which never completes checksums; tshark computed the complete ones. */
const DATAGRAM6 = `02000000000b02000000000a86dd${frames.UNREACHABLE6.replaceAll(' ', '').slice(2 * 62)}`;
const DATAGRAM = `02000000000b02000000000a0800${frames.UNREACHABLE.replaceAll(' ', '').slice(2 * 42)}`;

test('UDP over IPv6 is summed; a checksum of 0 is NONE for the receiver to judge', () => {
  assert.equal(statuses(octets(DATAGRAM6)), ['NONE', 'PARTIAL']);
  assert.equal(statuses(changed(DATAGRAM6, 60, 'fa10')), ['NONE', 'GOOD']);
  assert.equal(statuses(changed(DATAGRAM6, 60, 'fa11')), ['NONE', 'BAD']);
  assert.equal(statuses(changed(DATAGRAM6, 60, '0000')), ['NONE', 'NONE']);
});

test('octets behind the UDP length are not summed', () => {
  assert.equal(statuses(octets(DATAGRAM)), ['GOOD', 'PARTIAL']);
  const longer = changed(`${DATAGRAM}ffff`, 40, 'a6c5');
  assert.equal(statuses(longer), ['GOOD', 'GOOD'], 'padding behind the IP datagram');
  longer.set(octets('0021'), 16);
  assert.equal(statuses(longer), ['BAD', 'GOOD'], 'inside the IP datagram, whose header no longer adds up');
});

test('cut packets and fragments cannot be verified', () => {
  const whole = octets(frames.DOCUMENTATION);
  assert.equal(statuses(whole.subarray(0, 197), 198), ['GOOD', 'NONE', 'GOOD', 'UNVERIFIABLE']);
  assert.equal(statuses(whole.subarray(0, 90), 198), ['GOOD', 'NONE', 'GOOD', 'UNVERIFIABLE']);
  assert.equal(statuses(changed(frames.ECHO, 20, '2000')).at(1), 'UNVERIFIABLE');
  assert.equal(statuses(changed(frames.ECHO, 20, '0001')).at(1), 'UNVERIFIABLE');
  assert.equal(statuses(octets(frames.LAST_FRAGMENT6)), ['NONE', 'UNVERIFIABLE']);
  assert.equal(statuses(octets(frames.FIRST_FRAGMENT6), frames.FIRST_FRAGMENT6_LENGTH), ['NONE', 'UNVERIFIABLE']);
  // Protocols without a checksum known here, and protocols of the other version of IP.
  assert.equal(statuses(changed(frames.ECHO, 23, '84')).at(1), 'NONE');
  assert.equal(statuses(changed(frames.ECHO, 23, '3a')).at(1), 'NONE');
});

test.run();
