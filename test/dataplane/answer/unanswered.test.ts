/** Why no answer is sent, reason by reason, and what the writers never do: read past the end, write past the answer. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createIcmpError, type IcmpError, writeIcmpError } from '../../../src/dataplane/answer/icmp-error.ts';
import { receiveOptions } from '../../../src/dataplane/answer/receive-options.ts';
import { rejectCode, writeReject } from '../../../src/dataplane/answer/reject.ts';
import { VERIFIED, type Verified } from '../../../src/dataplane/answer/rejected-checksum.ts';
import { sourceAddress } from '../../../src/dataplane/answer/source-address.ts';
import { writeTcpReset } from '../../../src/dataplane/answer/tcp-reset.ts';
import { UNANSWERED, UNANSWERED_BECAUSE } from '../../../src/dataplane/answer/unanswered.ts';
import type { RejectWith } from '../../../src/rules/model.ts';
import { FAULT } from '../../../src/wire/fault.ts';
import * as ipv4Header from '../../../src/wire/ipv4.ts';
import { address, FLAG, type HeaderFields, icmp, ipv4, tcp, udp } from '../packets.ts';
import { numbersFrom } from './offences.ts';

const test = suite('dataplane/answer/unanswered');
const ENDS = { source: '10.255.1.4', destination: '10.255.2.7' };
const FILL = 0xa5;

const view = (octets: Uint8Array): DataView => new DataView(octets.buffer, octets.byteOffset, octets.length);
const room = (): DataView => new DataView(new Uint8Array(700).fill(FILL).buffer);
const errorWith = (fields: Partial<IcmpError> = {}): IcmpError => ({
  ...createIcmpError(),
  source: address('10.255.2.0'),
  ...fields,
});
const datagram = (fields: HeaderFields = {}, payload: readonly number[] = [1, 2, 3]): Uint8Array =>
  ipv4(ENDS, 17, udp(ENDS, 1, 2, payload), fields);
const segment = (flags: number, fields: HeaderFields = {}): Uint8Array =>
  ipv4(ENDS, 6, tcp(ENDS, 40_000, 8080, { flags, sequence: 100, acknowledgement: 200, payload: [1, 2] }), fields);
const to = (destination: string, source = ENDS.source): Uint8Array =>
  ipv4({ source, destination }, 17, udp({ source, destination }, 1, 2));

const unreachable = (packet: Uint8Array, fields: Partial<IcmpError> = {}, end = packet.length): number =>
  writeIcmpError(view(packet), 0, end, errorWith(fields), room(), 0);
const reset = (packet: Uint8Array, verified: Verified = VERIFIED.NO, broadcast = 0, end = packet.length): number =>
  writeTcpReset(view(packet), 0, end, verified, { timeToLive: 64, broadcast }, room(), 0);
const reject = (packet: Uint8Array, answer: RejectWith, verified: Verified = VERIFIED.NO): number =>
  writeReject(view(packet), 0, packet.length, rejectCode(answer), verified, errorWith(), room(), 0);

/** `packet` with one bit of its last octet changed. */
function damaged(packet: Uint8Array): Uint8Array {
  const copy = packet.slice();
  copy[copy.length - 1]! ^= 1;
  return copy;
}

test('every reason has its clause', () => {
  const values = Object.values(UNANSWERED);
  assert.equal(
    values.map((value) => -value),
    values.map((_, index) => index + 1),
  );
  assert.is(UNANSWERED_BECAUSE.length, values.length + 1);
  for (const value of values) assert.ok(UNANSWERED_BECAUSE[-value]!.length > 10);
});

test('ICMP errors: each refusal of icmp_send', () => {
  assert.is(unreachable(datagram()), 28 + 31);
  for (const group of ['224.0.0.1', '239.1.2.3', '255.255.255.255']) {
    assert.is(unreachable(to(group)), UNANSWERED.BROADCAST, group);
  }
  assert.is(unreachable(datagram(), { broadcast: 1 }), UNANSWERED.BROADCAST);
  assert.is(unreachable(datagram(), { groupFrame: 1 }), UNANSWERED.BROADCAST);
  for (const source of ['0.0.0.0', '224.0.0.1', '255.255.255.255']) {
    assert.is(unreachable(to('10.255.2.7', source)), UNANSWERED.SOURCE, source);
  }
  assert.is(unreachable(to('10.255.2.7', '0.1.2.3')), 28 + 28);
  assert.is(unreachable(datagram({ fragment: 0x2000 })), 28 + 31);
  assert.is(unreachable(datagram({ fragment: 0x2001 })), UNANSWERED.LATER_FRAGMENT);
  assert.is(unreachable(ipv4(ENDS, 1, icmp(3, 1, 0))), UNANSWERED.ICMP_ERROR);
  assert.is(unreachable(ipv4(ENDS, 1, icmp(42, 0, 0))), UNANSWERED.ICMP_ERROR);
  assert.is(unreachable(ipv4(ENDS, 1, [])), UNANSWERED.ICMP_ERROR);
  assert.is(unreachable(ipv4(ENDS, 1, icmp(8, 0, 0))), 28 + 28);
  assert.is(unreachable(datagram(), { mtu: 67 }), UNANSWERED.MTU);
  assert.is(unreachable(datagram(), { mtu: 68 }), 28 + 31);
  assert.is(
    unreachable(datagram({ options: [7, 39, 40, ...Array<number>(36).fill(9), 0] }), { mtu: 88 }),
    UNANSWERED.MTU,
  );
  assert.is(unreachable(datagram({ options: [7, 9, 8, 1, 2, 3, 4, 5, 6, 0, 0, 0] })), UNANSWERED.OPTIONS);
});

test('ICMP errors: 576 octets at most, less on a small path', () => {
  const long = datagram({}, Array<number>(1400).fill(3));
  assert.is(unreachable(long), 576);
  assert.is(unreachable(long, { mtu: 575 }), 575);
  assert.is(unreachable(long, { trimmed: 1000 }), 28 + 428);
});

test('resets: each refusal of nf_send_reset', () => {
  assert.is(reset(segment(FLAG.SYN)), 40);
  assert.is(reset(segment(FLAG.RST)), UNANSWERED.RESET);
  assert.is(reset(segment(FLAG.SYN, { fragment: 1 })), UNANSWERED.LATER_FRAGMENT);
  assert.is(reset(datagram()), UNANSWERED.NOT_TCP);
  assert.is(reset(ipv4(ENDS, 6, tcp(ENDS, 1, 2, { flags: 2 }).slice(0, 19))), UNANSWERED.SHORT_TCP);
  assert.is(reset(damaged(segment(FLAG.SYN))), UNANSWERED.CHECKSUM);
  assert.is(reset(damaged(segment(FLAG.SYN)), VERIFIED.VALID), UNANSWERED.CHECKSUM);
  assert.is(reset(damaged(segment(FLAG.SYN)), VERIFIED.UNNECESSARY), 40);
  assert.is(reset(segment(FLAG.SYN), VERIFIED.NO, 1), UNANSWERED.BROADCAST);
});

test('REJECT: checksums, and which message', () => {
  assert.is(reject(damaged(datagram()), 'icmp-port-unreachable'), UNANSWERED.CHECKSUM);
  assert.is(reject(damaged(datagram()), 'icmp-port-unreachable', VERIFIED.VALID), 28 + 31);
  assert.is(reject(datagram({ fragment: 1 }), 'icmp-port-unreachable'), UNANSWERED.LATER_FRAGMENT);
  assert.is(reject(segment(FLAG.SYN), 'tcp-reset'), 40);
  const into = room();
  writeReject(view(datagram()), 0, 31, rejectCode('icmp-admin-prohibited'), VERIFIED.NO, errorWith(), into, 0);
  assert.equal([into.getUint8(20), into.getUint8(21), into.getUint32(24)], [3, 13, 0]);
});

test('a capture that ends early never changes an answer: it is the same one or none', () => {
  for (const packet of [
    segment(FLAG.SYN),
    datagram(),
    ipv4(ENDS, 1, icmp(8, 0, 0, [1, 2, 3])),
    datagram({ options: [7, 7, 4, 0, 0, 0, 0, 0] }),
  ]) {
    for (let end = 0; end < packet.length; end += 1) {
      // Behind the end there is nothing at all, so that reading there throws.
      const cut = packet.slice(0, end);
      const error = end < 20 ? UNANSWERED.CUT : unreachable(cut, {}, end);
      assert.is(error, UNANSWERED.CUT, `error at ${end}`);
      assert.ok(
        [UNANSWERED.CUT, UNANSWERED.NOT_TCP].includes(reset(cut, VERIFIED.NO, 0, end) as -7 | -9),
        `reset at ${end}`,
      );
    }
  }
});

test('whatever the octets are, nothing outside of them is read, and nothing outside of 576 written', () => {
  const number = numbersFrom(11);
  const kinds = [1, 6, 7, 17, 68, 131, 134, 137];
  for (let i = 0; i < 30_000; i += 1) {
    const length = 20 + number(80);
    const packet = Uint8Array.from({ length }, () => (number(3) === 0 ? kinds[number(kinds.length)]! : number(256)));
    packet[0] = 0x40 | number(16);
    packet[2] = 0;
    if (number(4) > 0) packet[3] = length;
    packet.fill(0, 6, 8);
    packet[9] = number(2) === 0 ? 6 : 1;
    const octets = view(packet);
    const fields = { type: number(2) === 0 ? 12 : 3, information: number(64) * 2 ** 24, mtu: 68 + number(600) };
    const error = errorWith({ ...fields, isUnicast: () => number(2) === 0 });
    const isWhole = ipv4Header.check(octets, 0, length) === FAULT.NONE;
    if (isWhole && number(2) === 0) receiveOptions(octets, 0, error);
    const into = new DataView(new ArrayBuffer(576));
    assert.ok(writeIcmpError(octets, 0, length, error, into, 0) <= 576);
    assert.ok(writeTcpReset(octets, 0, length, VERIFIED.UNNECESSARY, error, into, 0) <= 40);
    writeReject(octets, 0, length, 3, VERIFIED.NO, error, into, 0);
  }
});

test('options too short for a pointer, at the very end of a packet that nobody looked at before', () => {
  for (const options of [
    [1, 1, 7, 2],
    [1, 68, 3, 5],
    [1, 1, 68, 2],
    [1, 1, 131, 2],
    [1, 1, 137, 2],
  ]) {
    assert.is(unreachable(ipv4(ENDS, 200, [], { options })), 28 + 24, String(options));
  }
});

test('nothing is written in front of the answer or behind it', () => {
  for (const packet of [segment(FLAG.SYN), datagram({ options: [7, 7, 8, 1, 2, 3, 4, 0] })]) {
    for (const answer of ['icmp-port-unreachable', 'tcp-reset'] as const) {
      const into = room();
      const length = writeReject(
        view(packet),
        0,
        packet.length,
        rejectCode(answer),
        VERIFIED.NO,
        errorWith(),
        into,
        13,
      );
      if (length < 0) continue;
      for (let at = 0; at < into.byteLength; at += 1) {
        if (at < 13 || at >= 13 + length) assert.is(into.getUint8(at), FILL, `${answer}, octet ${at}`);
      }
    }
  }
});

test('source address: local destination, inbound interface, route, dummy', () => {
  const [destination, inbound, preferred] = [address('10.255.2.0'), address('10.0.0.102'), address('169.254.0.1')];
  assert.is(sourceAddress(destination, true, inbound, preferred), destination);
  assert.is(sourceAddress(destination, false, inbound, preferred), inbound);
  assert.is(sourceAddress(destination, false, 0, preferred), preferred);
  assert.is(sourceAddress(destination, false, 0, 0), address('192.0.0.8'));
});

test.run();
