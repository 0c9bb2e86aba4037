/** The sentence for every fault, and that there is one for whatever the walk refuses. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Explanation, explain } from '../../src/wire/explain.ts';
import { FAULT, FAULT_COUNT, type Fault, name } from '../../src/wire/fault.ts';
import { locate } from '../../src/wire/layers.ts';
import { LINKTYPE, PORT } from '../../src/wire/protocol.ts';
import { create } from '../../src/wire/stack.ts';
import * as tcp from '../../src/wire/tcp.ts';
import * as frames from '../support/frames.ts';
import { hex, octets } from '../support/hex.ts';
import { check } from '../support/property.ts';
import { watched } from '../support/watch.ts';

const test = suite('wire/explain');
const AT = 24;
const told = new Set<Fault>([FAULT.NONE]);

/** Locate a frame and explain the fault of its inner frame, or else of the outer one. */
function explained(frame: Uint8Array, linkType: number = LINKTYPE.ETHERNET, wire = frame.length): Explanation {
  const view = watched(frame, AT);
  const layers = create();
  locate(view, AT, AT + frame.length, AT + wire, linkType, PORT.VXLAN, layers);
  const stack = layers.inner.fault === FAULT.NONE ? layers.outer : layers.inner;
  told.add(stack.fault);
  return explain(stack.fault, view, stack.faultAt, stack.end, stack, AT);
}

function changed(frame: string, offset: number, text: string): Uint8Array {
  const bytes = octets(frame);
  bytes.set(octets(text), offset);
  return bytes;
}

const WHOLE = octets(frames.DOCUMENTATION);
const sentence = (frame: Uint8Array, linkType?: number, wire?: number): string =>
  explained(frame, linkType, wire).sentence;

test('all five facts, and the sentence', () => {
  assert.equal(explained(changed(frames.DOCUMENTATION, 38, '0004')), {
    layer: 'udp',
    field: 'length',
    got: 4,
    needed: 8,
    saidBy: 'UDP length',
    offset: 38,
    sentence: 'UDP length is 4 at offset 38, at least 8 are needed',
  });
  assert.equal(explained(changed(frames.DOCUMENTATION, 38, '00a5')), {
    layer: 'udp',
    field: 'length',
    got: 165,
    needed: 164,
    saidBy: 'IPv4 total length',
    offset: 38,
    sentence: 'UDP length is 165 at offset 38, only 164 octets are there (IPv4 total length)',
  });
  const fine = explain(FAULT.NONE, hex('00'), 0, 1);
  assert.equal([fine.layer, fine.sentence], ['', 'nothing is wrong']);
});

test('headers that are cut say who ended them', () => {
  const cut = (length: number): string => sentence(WHOLE.subarray(0, length), LINKTYPE.ETHERNET, 198);
  assert.is(cut(13), 'Ethernet header needs 14 octets at offset 0, only 13 octets are there (captured octets)');
  assert.is(cut(33), 'IPv4 header needs 20 octets at offset 14, only 19 octets are there (captured octets)');
  assert.is(cut(35), 'UDP header needs 8 octets at offset 34, only 1 octet is there (captured octets)');
  assert.is(cut(103), 'TCP header needs 20 octets at offset 84, only 19 octets are there (captured octets)');
  assert.is(
    sentence(WHOLE.subarray(0, 13)),
    'Ethernet header needs 14 octets at offset 0, only 13 octets are there (frame length)',
  );
  const short = WHOLE.slice(0, 38);
  short.set(octets('0018'), 16);
  assert.is(sentence(short), 'UDP header needs 8 octets at offset 34, only 4 octets are there (IPv4 total length)');
  const vxlan = changed(frames.DOCUMENTATION, 38, '000f');
  assert.is(sentence(vxlan), 'VXLAN header needs 8 octets at offset 42, only 7 octets are there (UDP length)');
});

test('lengths are held against the wire, not against what was captured of it', () => {
  const long = changed(frames.DOCUMENTATION, 16, '0200').subarray(0, 96);
  const there = 'IPv4 total length is 512 at offset 16, only 184 octets are there (frame length)';
  assert.is(sentence(long, LINKTYPE.ETHERNET, 198), there);
  const options = changed(frames.DOCUMENTATION, 14, '4f').subarray(0, 50);
  const captured = 'IPv4 header length is 60 at offset 14, only 36 octets are there (captured octets)';
  assert.is(sentence(options, LINKTYPE.ETHERNET, 198), captured);
});

/** An IPv6 packet with `payload` behind it. */
const six = (next: number, payload: string, length?: string): Uint8Array => {
  const body = payload.replaceAll(' ', '');
  const size = length ?? (body.length / 2).toString(16).padStart(4, '0');
  return octets(`60000000${size}${next.toString(16).padStart(2, '0')}40${'00'.repeat(32)}${body}`);
};

test('every other fault', () => {
  const is = (frame: Uint8Array, expected: string, linkType?: number, wire?: number): void =>
    assert.is(sentence(frame, linkType, wire), expected);
  const { IPV6, RAW, NULL, LINUX_SLL, LINUX_SLL2 } = LINKTYPE;
  is(
    octets('02000000000b02000000000a810000'),
    'VLAN tag header needs 4 octets at offset 14, only 1 octet is there (frame length)',
  );
  is(octets('00'), 'Linux cooked header needs 16 octets at offset 0, only 1 octet is there (frame length)', LINUX_SLL);
  is(
    octets('00'),
    'Linux cooked v2 header needs 20 octets at offset 0, only 1 octet is there (frame length)',
    LINUX_SLL2,
  );
  is(octets('00'), 'BSD loopback header needs 4 octets at offset 0, only 1 octet is there (frame length)', NULL);
  is(octets(''), 'IP header needs 1 octet at offset 0, only 0 octets are there (frame length)', RAW);
  is(octets('50'), 'IP version is 5 at offset 0, it must be 4 or 6', RAW);
  is(
    octets(frames.ARP).subarray(0, 34),
    'ARP header needs 28 octets at offset 14, only 20 octets are there (frame length)',
  );
  is(changed(frames.ARP, 18, '05'), 'ARP hardware address length is 5 at offset 18, it must be 6');
  is(changed(frames.ARP, 19, '10'), 'ARP protocol address length is 16 at offset 19, it must be 4');
  is(changed(frames.DOCUMENTATION, 64, '65'), 'IPv4 version is 6 at offset 64, it must be 4');
  is(changed(frames.DOCUMENTATION, 64, '44'), 'IPv4 IHL is 4 at offset 64, at least 5 are needed');
  is(changed(frames.DOCUMENTATION, 66, '0013'), 'IPv4 total length is 19 at offset 66, at least 20 are needed');
  is(
    changed(frames.DOCUMENTATION, 66, '0087'),
    'IPv4 total length is 135 at offset 66, only 134 octets are there (frame length)',
  );
  const optioned = (options: string): Uint8Array =>
    changed(frames.ECHO, 14, `46000054151b40004001000000000000000000 00${options}`);
  is(optioned('07010000'), 'IPv4 option length is 1 at offset 35, at least 2 are needed');
  is(optioned('01010704'), 'IPv4 option length is 4 at offset 37, only 2 octets are left in the header');
  is(optioned('01010107'), 'IPv4 option kind is 7 at offset 37, its length is missing');
  is(changed(frames.SOLICITATION, 14, '40'), 'IPv6 version is 4 at offset 14, it must be 6');
  is(
    octets(frames.SOLICITATION).subarray(0, 53),
    'IPv6 header needs 40 octets at offset 14, only 39 octets are there (frame length)',
  );
  is(six(17, '', '0009'), 'IPv6 payload length is 9 at offset 4, only 0 octets are there (frame length)', IPV6);
  const hop = (option: string): Uint8Array => six(0, `3b00${option}`, '0000');
  is(hop('0104 00000000'), 'IPv6 payload length is 0 at offset 4, but no jumbo payload option follows', IPV6);
  is(hop('c204 0000ffff'), 'IPv6 jumbo payload length is 65535 at offset 44, at least 65536 are needed', IPV6);
  const beyond = 'IPv6 jumbo payload length is 65536 at offset 44, only 8 octets are there (frame length)';
  is(hop('c204 00010000'), beyond, IPV6);
  is(
    six(60, '3b00 01'),
    'IPv6 extension header needs 8 octets at offset 40, only 3 octets are there (IPv6 payload length)',
    IPV6,
  );
  is(
    six(60, '3b01 0104 00000000'),
    'IPv6 extension header length is 16 at offset 41, only 8 octets are there (IPv6 payload length)',
    IPV6,
  );
  is(
    six(60, '3b00 0105 00000000'),
    'IPv6 extension option length is 5 at offset 43, only 4 octets are left in the header',
    IPV6,
  );
  is(
    six(60, `0000 0104 00000000 3b00 0104 00000000`),
    'IPv6 extension header type is 0 at offset 48, hop-by-hop options must stand directly behind the IPv6 header',
    IPV6,
  );
  is(
    six(60, '3c00 0104 00000000'.repeat(33)),
    'IPv6 extension chain length is 256 at offset 296, no more than 32 headers in 2048 octets are followed',
    IPV6,
  );
  is(
    six(44, '3b'),
    'IPv6 fragment header needs 8 octets at offset 40, only 1 octet is there (IPv6 payload length)',
    IPV6,
  );
  is(six(58, '80'), 'ICMPv6 header needs 8 octets at offset 40, only 1 octet is there (IPv6 payload length)', IPV6);
  const icmp = octets(frames.ECHO).subarray(0, 38);
  icmp.set(octets('0018'), 16);
  is(icmp, 'ICMP header needs 8 octets at offset 34, only 4 octets are there (IPv4 total length)');
  is(changed(frames.DOCUMENTATION, 96, '40'), 'TCP data offset is 4 at offset 96, at least 5 are needed');
  is(
    changed(frames.SYN, 96, 'f0'),
    'TCP header length is 60 at offset 96, only 40 octets are there (IPv4 total length)',
  );
});

test('options of TCP, which are no reason to refuse a segment', () => {
  const view = hex(`${'00'.repeat(12)}60${'00'.repeat(7)}0800 0101`);
  const first = tcp.checkOptions(view, 0, 24);
  told.add(first);
  assert.is(explain(first, view, 0, 24).sentence, 'TCP option length is 0 at offset 21, at least 2 are needed');
  view.setUint8(21, 5);
  const second = tcp.checkOptions(view, 0, 24);
  told.add(second);
  assert.is(
    explain(second, view, 0, 24).sentence,
    'TCP option length is 5 at offset 21, only 4 octets are left in the header',
  );
});

test('every fault has been explained above', () => {
  const missing = Array.from({ length: FAULT_COUNT }, (_, fault) => fault as Fault).filter((fault) => !told.has(fault));
  assert.equal(missing.map(name), []);
});

test('whatever is refused can be explained, within the frame', () => {
  const frame = fc.constantFrom(frames.DOCUMENTATION, frames.LISTENER, frames.ARP, frames.UNREACHABLE6).map(octets);
  const changes = fc.array(fc.tuple(fc.nat(110), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 });
  const property = fc.property(frame, changes, fc.nat(200), fc.nat(60), (whole, some, length, extra) => {
    const bytes = whole.slice(0, length);
    for (const [at, value] of some) if (at < bytes.length) bytes[at] = value;
    const { sentence: text, offset, layer } = explained(bytes, LINKTYPE.ETHERNET, bytes.length + extra);
    assert.ok(text.length > 0 && !/undefined|NaN/.test(text), text);
    assert.ok(layer === '' || (offset >= 0 && offset <= bytes.length));
  });
  check(property, 1000);
});

test.run();
