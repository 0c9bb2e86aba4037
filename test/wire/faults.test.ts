/** Each fault of each header file: the smallest change to a good header that brings it about. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as arp from '../../src/wire/arp.ts';
import * as ethernet from '../../src/wire/ethernet.ts';
import * as extension from '../../src/wire/extension.ts';
import { FAULT, FAULT_COUNT, type Fault, isShort, isTruncation, layerOf, name } from '../../src/wire/fault.ts';
import * as icmp from '../../src/wire/icmp.ts';
import * as icmp6 from '../../src/wire/icmp6.ts';
import * as ipv4 from '../../src/wire/ipv4.ts';
import * as ipv6 from '../../src/wire/ipv6.ts';
import * as loopback from '../../src/wire/loopback.ts';
import { PROTOCOL } from '../../src/wire/protocol.ts';
import * as sll from '../../src/wire/sll.ts';
import * as tcp from '../../src/wire/tcp.ts';
import * as udp from '../../src/wire/udp.ts';
import * as vlan from '../../src/wire/vlan.ts';
import * as vxlan from '../../src/wire/vxlan.ts';
import * as frames from '../support/frames.ts';
import { hex, text } from '../support/hex.ts';

const test = suite('wire/faults');

const is = (actual: Fault, expected: keyof typeof FAULT): void => assert.is(name(actual), expected);

test('fault numbers are dense, and every one has a name and a layer', () => {
  assert.equal(
    Object.values(FAULT),
    Array.from({ length: FAULT_COUNT }, (_, index) => index),
  );
  assert.is(name(FAULT.UDP_LENGTH_BEYOND_END), 'UDP_LENGTH_BEYOND_END');
  assert.is(layerOf(FAULT.UDP_LENGTH_BEYOND_END), 'udp');
  assert.is(layerOf(FAULT.IPV4_IHL_BELOW_5), 'ipv4');
  assert.is(layerOf(FAULT.NONE), '');
});

test('truncation is told from lies', () => {
  for (const fault of [FAULT.ETHERNET_SHORT, FAULT.UDP_LENGTH_BEYOND_END, FAULT.TCP_DATA_OFFSET_BEYOND_END]) {
    assert.ok(isTruncation(fault), name(fault));
  }
  for (const fault of [
    FAULT.NONE,
    FAULT.IPV4_IHL_BELOW_5,
    FAULT.UDP_LENGTH_BELOW_HEADER,
    FAULT.TCP_OPTION_BEYOND_HEADER,
  ]) {
    assert.not.ok(isTruncation(fault), name(fault));
  }
  assert.ok(isShort(FAULT.TCP_SHORT));
  assert.not.ok(isShort(FAULT.TCP_DATA_OFFSET_BEYOND_END));
});

/** A copy of the IPv4 header of the documentation packet with one octet changed. */
function ipv4With(offset: number, value: number): DataView {
  const view = hex(frames.DOCUMENTATION.replaceAll(' ', '').slice(28));
  view.setUint8(offset, value);
  return view;
}

test('ipv4: version, IHL and total length', () => {
  const check = (view: DataView): Fault => ipv4.check(view, 0, view.byteLength);
  is(check(ipv4With(8, 0)), 'NONE');
  is(check(ipv4With(0, 0x65)), 'IPV4_VERSION_NOT_4');
  is(check(ipv4With(0, 0x44)), 'IPV4_IHL_BELOW_5');
  is(ipv4.check(ipv4With(0, 0x4f), 0, 59), 'IPV4_IHL_BEYOND_END');
  is(check(ipv4With(3, 0xb9)), 'IPV4_TOTAL_LENGTH_BEYOND_END');
  const low = ipv4With(2, 0);
  low.setUint8(3, 19);
  is(check(low), 'IPV4_TOTAL_LENGTH_BELOW_HEADER');
  low.setUint8(3, 20);
  is(check(low), 'NONE');
});

test('ipv4: options are walked within the header', () => {
  const withOptions = (options: string): DataView =>
    hex(`4${(5 + options.replaceAll(' ', '').length / 8).toString(16)} ${'00'.repeat(19)} ${options}`);
  // RFC 791 section 3.1: record route (7) with room for one address, after a no-operation and before the end of list.
  const route = withOptions('01 07 07 04 00000000 00000000');
  is(ipv4.checkOptions(route, 0), 'NONE');
  assert.is(ipv4.findOption(route, 0, 7), 21);
  assert.is(ipv4.findOption(route, 0, 130), -1);
  assert.is(ipv4.badOption(route, 0), -1);
  is(ipv4.checkOptions(withOptions('01 01 01 01'), 0), 'NONE');
  is(ipv4.checkOptions(withOptions('07 01 00 00'), 0), 'IPV4_OPTION_LENGTH_BELOW_2');
  is(ipv4.checkOptions(withOptions('07 00 00 00'), 0), 'IPV4_OPTION_LENGTH_BELOW_2');
  is(ipv4.checkOptions(withOptions('01 07 04 00'), 0), 'IPV4_OPTION_BEYOND_HEADER');
  is(ipv4.checkOptions(withOptions('01 01 01 07'), 0), 'IPV4_OPTION_BEYOND_HEADER');
  assert.is(ipv4.badOption(withOptions('01 07 04 00'), 0), 21);
  // Behind the end of the list anything may stand.
  is(ipv4.checkOptions(withOptions('00 07 00 ff'), 0), 'NONE');
  assert.is(ipv4.findOption(withOptions('00 07 03 ff'), 0, 7), -1);
});

test('ipv4: setters change their field and nothing else', () => {
  const view = hex('45ff 0054 151b ffff 40 01 017a 0a090801 0a090802');
  ipv4.setEcn(view, 0, 1);
  ipv4.setFragment(view, 0, 0, 1480);
  ipv4.setTimeToLive(view, 0, 63);
  ipv4.setTotalLength(view, 0, 20);
  ipv4.setIdentification(view, 0, 0xabcd);
  ipv4.setHeaderChecksum(view, 0, 0x1234);
  ipv4.setSource(view, 0, 0xffffffff);
  ipv4.setDestination(view, 0, 0);
  assert.is(text(view), '45fd0014abcdc0b93f011234ffffffff00000000');
});

test('ipv6: version and payload length', () => {
  const view = hex(frames.SOLICITATION.replaceAll(' ', '').slice(28));
  is(ipv6.check(view, 0, view.byteLength), 'NONE');
  is(ipv6.check(view, 0, view.byteLength - 1), 'IPV6_PAYLOAD_LENGTH_BEYOND_END');
  ipv6.setPayloadLength(view, 0, 0);
  ipv6.setHopLimit(view, 0, 1);
  assert.is(text(view, 4, 8), '00003a01');
  is(ipv6.check(view, 0, 40), 'NONE');
  view.setUint8(0, 0x40);
  is(ipv6.check(view, 0, view.byteLength), 'IPV6_VERSION_NOT_6');
});

test('extension: lengths count in eights, those of the authentication header in fours', () => {
  const view = hex(`3b 01 ${'00'.repeat(14)}`);
  is(extension.check(view, 0, 16, PROTOCOL.ROUTING), 'NONE');
  is(extension.check(view, 0, 15, PROTOCOL.ROUTING), 'EXTENSION_LENGTH_BEYOND_END');
  is(extension.check(view, 0, 7, PROTOCOL.ROUTING), 'EXTENSION_SHORT');
  assert.is(extension.headerLength(view, 0, PROTOCOL.ROUTING), 16);
  assert.is(extension.headerLength(view, 0, PROTOCOL.AUTHENTICATION), 12);
  assert.equal(
    [0, 43, 51, 60, 44, 50, 59, 135, 6].map((protocol) => extension.isExtension(protocol)),
    [true, true, true, true, false, false, false, false, false],
  );
});

test('extension: options end within their header', () => {
  const check = (options: string): Fault => extension.check(hex(`3b00 ${options}`), 0, 8, PROTOCOL.DESTINATION);
  is(check('0104 00000000'), 'NONE');
  is(check('00 00 00 00 00 00'), 'NONE');
  is(check('0105 00000000'), 'EXTENSION_OPTION_BEYOND_HEADER');
  is(check('00 00 00 00 00 01'), 'EXTENSION_OPTION_BEYOND_HEADER');
  // A routing header holds no options.
  is(extension.check(hex('3b00 0105 00000000'), 0, 8, PROTOCOL.ROUTING), 'NONE');
});

test('extension: the jumbo payload option stands at 4n + 2 (RFC 2675 section 2)', () => {
  assert.is(extension.jumboOption(hex('3b00 c204 00010000'), 0), 2);
  assert.is(extension.jumboPayloadLength(hex('3b00 c204 00010000'), 2), 65_536);
  assert.is(extension.jumboOption(hex('3b00 0104 00000000'), 0), -1);
  assert.is(extension.jumboOption(hex('3b01 00 c204 00010000 0105 0000000000'), 0), -1, 'at 3, not aligned');
  assert.is(extension.jumboOption(hex('3b01 00000000 c204 00020000 0102 0000'), 0), 6);
});

test('udp: length', () => {
  const view = hex('c28b 0009 000b 2431 68690a ffff');
  is(udp.check(view, 0, 11), 'NONE');
  is(udp.check(view, 0, 13), 'NONE');
  is(udp.check(view, 0, 10), 'UDP_LENGTH_BEYOND_END');
  for (const [length, expected] of [
    [0, 'UDP_LENGTH_BELOW_HEADER'],
    [7, 'UDP_LENGTH_BELOW_HEADER'],
    [8, 'NONE'],
  ] as const) {
    udp.setLength(view, 0, length);
    is(udp.check(view, 0, 13), expected);
  }
  udp.setSourcePort(view, 0, 1);
  udp.setDestinationPort(view, 0, 2);
  udp.setChecksum(view, 0, 3);
  assert.is(text(view, 0, 8), '0001000200080003');
});

const SYN = '9c40 1f90 11223344 00000000 a002 fd5c ef46 0000 020405820402080a000f42400000000001030307';

test('tcp: data offset', () => {
  const view = hex(SYN);
  is(tcp.check(view, 0, 40), 'NONE');
  is(tcp.check(view, 0, 39), 'TCP_DATA_OFFSET_BEYOND_END');
  view.setUint8(12, 0x4f);
  is(tcp.check(view, 0, 40), 'TCP_DATA_OFFSET_BELOW_5');
  tcp.setSourcePort(view, 0, 1);
  tcp.setDestinationPort(view, 0, 2);
  tcp.setChecksum(view, 0, 3);
  assert.is(text(view, 0, 4) + text(view, 16, 18), '000100020003');
});

test('tcp: options are found, and a bad one ends the walk', () => {
  const view = hex(SYN);
  is(tcp.checkOptions(view, 0, 40), 'NONE');
  const { MAXIMUM_SEGMENT_SIZE, SACK_PERMITTED, TIMESTAMPS, WINDOW_SCALE, SACK } = tcp.OPTION;
  assert.equal(
    [MAXIMUM_SEGMENT_SIZE, SACK_PERMITTED, TIMESTAMPS, WINDOW_SCALE, SACK].map((kind) =>
      tcp.findOption(view, 0, 40, kind),
    ),
    [20, 24, 26, 37, -1],
  );
  assert.is(tcp.findOption(view, 0, 39, WINDOW_SCALE), -1, 'cut by the capture');
  assert.is(tcp.badOption(view, 0, 39), 37);
  view.setUint8(25, 0);
  is(tcp.checkOptions(view, 0, 40), 'TCP_OPTION_LENGTH_BELOW_2');
  assert.is(tcp.findOption(view, 0, 40, TIMESTAMPS), -1);
  view.setUint8(25, 17);
  is(tcp.checkOptions(view, 0, 40), 'TCP_OPTION_BEYOND_HEADER');
  assert.is(tcp.badOption(view, 0, 40), 24);
  is(tcp.check(view, 0, 40), 'NONE');
});

test('arp: address lengths', () => {
  const view = hex(frames.ARP.replaceAll(' ', '').slice(28));
  view.setUint8(4, 5);
  is(arp.check(view, 0, 28), 'ARP_HARDWARE_LENGTH_NOT_6');
  is(arp.check(view, 0, 8), 'ARP_HARDWARE_LENGTH_NOT_6');
  view.setUint16(4, 0x0610);
  is(arp.check(view, 0, 28), 'ARP_PROTOCOL_LENGTH_NOT_4');
});

test('vxlan: the mark is what Linux 6.18 gave for the same octets', () => {
  const marks: [string, number][] = [
    ['0800000000000100', 0],
    ['8800000700000100', 7],
    ['8800000000000100', 0],
    ['8800ffff00000100', 0xffff],
    ['8840000700000100', 0x400007],
    ['8808000700000100', 0x80007],
    ['8848000700000100', 0x480007],
    ['88b7000700000100', 7],
    ['0800000700000100', 0],
    ['0808000000000100', 0],
  ];
  for (const [octets, mark] of marks) assert.is(vxlan.mark(hex(octets), 0), mark, octets);
});

test('vxlan: a mark is sent as Linux 6.18 sent it', () => {
  const sent: [number, string][] = [
    [0, '0800000000000100'],
    [1, '8800000100000100'],
    [0x10000, '8800000000000100'],
    [0x12345678, '8800567800000100'],
    [0x400007, '8840000700000100'],
    [0x80007, '8808000700000100'],
    [0xffff0000, '8848000000000100'],
  ];
  for (const [mark, octets] of sent) {
    const view = hex('a5'.repeat(8));
    vxlan.encodeMark(mark, 1, view, 0);
    assert.is(text(view), octets);
  }
  const view = hex('a5'.repeat(8));
  vxlan.encodeMark(0, 0xffffff, view, 0);
  assert.is(vxlan.vni(view, 0), 0xffffff);
});

test('loopback: the family is read in both byte orders', () => {
  assert.is(loopback.family(hex('02000000'), 0), 2);
  assert.is(loopback.family(hex('00000002'), 0), 2);
  for (const family of ['18000000', '1c000000', '0000001e']) {
    assert.is(loopback.etherType(hex(family), 0), 0x86dd, family);
  }
  assert.is(loopback.etherType(hex('02000000'), 0), 0x0800);
  assert.is(loopback.etherType(hex('07000000'), 0), 0);
});

test('the headers that can only be cut', () => {
  const view = new DataView(new ArrayBuffer(32));
  is(ethernet.check(view, 0, 13), 'ETHERNET_SHORT');
  is(vlan.check(view, 0, 3), 'VLAN_SHORT');
  is(sll.check(view, 0, 15), 'SLL_SHORT');
  is(icmp.check(view, 0, 7), 'ICMP_SHORT');
  is(icmp6.check(view, 0, 7), 'ICMP6_SHORT');
  is(vxlan.check(view, 0, 7), 'VXLAN_SHORT');
});

test('setters of ethernet and icmp', () => {
  const view = hex('a5'.repeat(14));
  ethernet.setDestination(view, 0, 0xeeee0aff9000);
  ethernet.setSource(view, 0, 0xffffffffffff);
  ethernet.setType(view, 0, 0x0800);
  assert.is(text(view), 'eeee0aff9000ffffffffffff0800');
  icmp.setChecksum(view, 0, 0x1234);
  icmp.setIdentifier(view, 0, 0x5678);
  icmp6.setChecksum(view, 6, 0x9abc);
  assert.is(text(view), 'eeee12345678ffff9abcffff0800');
});

test('icmp: which types quote a packet', () => {
  const quoting = (is: (type: number) => boolean): number[] =>
    Array.from({ length: 256 }, (_, type) => type).filter((type) => is(type));
  assert.equal(quoting(icmp.isError), [3, 4, 5, 11, 12]);
  assert.equal(
    quoting(icmp6.isError),
    Array.from({ length: 128 }, (_, type) => type),
  );
});

test.run();
