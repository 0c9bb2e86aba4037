/** locate: what is found in whole frames, cut frames, wrong frames, and every other shape. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FAULT, isTruncation, name } from '../../src/wire/fault.ts';
import { locate } from '../../src/wire/layers.ts';
import { LINKTYPE, PORT } from '../../src/wire/protocol.ts';
import { create, createStack, type Layers, type Stack } from '../../src/wire/stack.ts';
import { reset, walk } from '../../src/wire/walk.ts';
import * as frames from '../support/frames.ts';
import { octets } from '../support/hex.ts';
import { check } from '../support/property.ts';
import { watched } from '../support/watch.ts';

const test = suite('wire/layers');

/** The frame stands here in its buffer; offsets below are counted from it. */
const AT = 32;

interface Options {
  /** Octets on the wire; as many as were captured when left out. */
  readonly wire?: number;
  readonly linkType?: number;
  readonly port?: number;
}

/** Locate under a view that refuses reads outside the frame, into a record full of an earlier packet. */
function located(frame: string | Uint8Array, options: Options = {}): Layers {
  const bytes = typeof frame === 'string' ? octets(frame) : frame;
  const layers = create();
  for (const stack of [layers.outer, layers.inner]) {
    for (const key of Object.keys(stack)) (stack as unknown as Record<string, number>)[key] = 77;
  }
  const end = AT + bytes.length;
  const wireEnd = AT + (options.wire ?? bytes.length);
  locate(
    watched(bytes, AT),
    AT,
    end,
    wireEnd,
    options.linkType ?? LINKTYPE.ETHERNET,
    options.port ?? PORT.VXLAN,
    layers,
  );
  return layers;
}

/** A stack whose offsets count from the first octet of the frame, without the fields that are at rest. */
function found(stack: Readonly<Stack>): Partial<Record<keyof Stack, number>> {
  const rest = createStack();
  const offsets = new Set([
    'link',
    'vlan',
    'arp',
    'network',
    'fragment',
    'transport',
    'payload',
    'end',
    'wireEnd',
    'faultAt',
  ]);
  const entries = Object.entries(stack) as [keyof Stack, number][];
  const changed = entries.filter(([key, value]) => value !== rest[key]);
  return Object.fromEntries(changed.map(([key, value]) => [key, offsets.has(key) ? value - AT : value]));
}

const faultOf = (frame: string | Uint8Array, options: Options = {}): string =>
  name(located(frame, options).outer.fault);

test('the documentation packet, outer and inner', () => {
  const { outer, vxlan, inner } = located(frames.DOCUMENTATION);
  assert.equal(found(outer), {
    link: 0,
    etherType: 0x0800,
    network: 14,
    version: 4,
    protocol: 17,
    transport: 34,
    payload: 42,
    end: 198,
    wireEnd: 198,
  });
  assert.is(vxlan - AT, 42);
  assert.equal(found(inner), {
    link: 50,
    etherType: 0x0800,
    network: 64,
    version: 4,
    protocol: 6,
    transport: 84,
    payload: 116,
    end: 198,
    wireEnd: 198,
  });
});

test('VXLAN is found on the given destination port only', () => {
  assert.is(located(frames.DOCUMENTATION, { port: 8472 }).vxlan, -1);
  assert.equal(found(located(frames.DOCUMENTATION, { port: 8472 }).inner), {});
  assert.is(located(frames.DOCUMENTATION, { port: -1 }).vxlan, -1);
});

test('other frames of Linux: ARP, ICMP, ICMPv6, hop-by-hop options', () => {
  assert.equal(found(located(frames.ARP).outer), {
    link: 0,
    etherType: 0x0806,
    arp: 14,
    payload: 42,
    end: 42,
    wireEnd: 42,
  });
  const ip = { link: 0, etherType: 0x0800, network: 14, version: 4 };
  assert.equal(found(located(frames.ECHO).outer), {
    ...ip,
    protocol: 1,
    transport: 34,
    payload: 42,
    end: 98,
    wireEnd: 98,
  });
  const ip6 = { ...ip, etherType: 0x86dd, version: 6, protocol: 58 };
  assert.equal(found(located(frames.SOLICITATION).outer), { ...ip6, transport: 54, payload: 62, end: 86, wireEnd: 86 });
  assert.equal(found(located(frames.LISTENER).outer), { ...ip6, transport: 62, payload: 70, end: 110, wireEnd: 110 });
});

test('the cooked headers of tcpdump -i any', () => {
  const ip = { link: 0, etherType: 0x0800, version: 4, protocol: 1 };
  assert.equal(found(located(frames.COOKED, { linkType: LINKTYPE.LINUX_SLL }).outer), {
    ...ip,
    network: 16,
    transport: 36,
    payload: 44,
    end: 100,
    wireEnd: 100,
  });
  assert.equal(found(located(frames.COOKED2, { linkType: LINKTYPE.LINUX_SLL2 }).outer), {
    ...ip,
    network: 20,
    transport: 40,
    payload: 48,
    end: 104,
    wireEnd: 104,
  });
  // ARPHRD_NETLINK (824): the protocol field is no EtherType.
  const netlink = frames.COOKED.replace('00040001', '00040338');
  assert.is(located(netlink, { linkType: LINKTYPE.LINUX_SLL }).outer.version, 0);
});

const IP = frames.ECHO.slice(28);
const IP6 = frames.SOLICITATION.replaceAll(' ', '').slice(28);

test('raw IP and BSD loopback', () => {
  const network = (frame: string, linkType: number): [number, number, string] => {
    const { outer } = located(frame, { linkType });
    return [outer.version, outer.network < 0 ? -1 : outer.network - AT, name(outer.fault)];
  };
  assert.equal(network(IP, LINKTYPE.RAW), [4, 0, 'NONE']);
  assert.equal(network(IP6, LINKTYPE.RAW), [6, 0, 'NONE']);
  assert.equal(network(IP, LINKTYPE.IPV4), [4, 0, 'NONE']);
  assert.equal(network(IP6, LINKTYPE.IPV6), [6, 0, 'NONE']);
  assert.equal(network(IP6, LINKTYPE.IPV4), [0, -1, 'IPV4_VERSION_NOT_4']);
  assert.equal(network('50', LINKTYPE.RAW), [0, -1, 'IP_VERSION_NOT_4_OR_6']);
  assert.equal(network('', LINKTYPE.RAW), [0, -1, 'IP_SHORT']);
  assert.equal(network(`02000000${IP}`, LINKTYPE.NULL), [4, 4, 'NONE']);
  assert.equal(network(`0000001e${IP6}`, LINKTYPE.LOOP), [6, 4, 'NONE']);
  assert.equal(network('07000000', LINKTYPE.NULL), [0, -1, 'NONE']);
  assert.equal(network('020000', LINKTYPE.NULL), [0, -1, 'LOOPBACK_SHORT']);
  assert.equal(network('00', LINKTYPE.LINUX_SLL), [0, -1, 'SLL_SHORT']);
  assert.equal(network('00', LINKTYPE.LINUX_SLL2), [0, -1, 'SLL2_SHORT']);
  assert.equal(network(IP, 127), [0, -1, 'NONE']);
});

/** ECHO with tags between the addresses and its EtherType. */
const tagged = (tags: string): string => `02000000000b02000000000a${tags}${frames.ECHO.slice(24)}`;

test('no, one and two VLAN tags are walked; a third stays in etherType', () => {
  const vlan = (frame: string): number[] => {
    const { outer } = located(frame);
    return [
      outer.vlanCount,
      outer.vlan < 0 ? -1 : outer.vlan - AT,
      outer.etherType,
      outer.network < 0 ? -1 : outer.network - AT,
    ];
  };
  assert.equal(vlan(tagged('')), [0, -1, 0x0800, 14]);
  assert.equal(vlan(tagged('81000005')), [1, 14, 0x0800, 18]);
  assert.equal(vlan(tagged('88a8001e81000064')), [2, 14, 0x0800, 22]);
  assert.equal(vlan(tagged('88a8001e8100006481000001')), [2, 14, 0x8100, -1]);
  assert.is(faultOf(tagged('88a8001e8100006481000001')), 'NONE');
  assert.is(faultOf('02000000000b02000000000a81000005'), 'VLAN_SHORT');
});

test('EtherTypes that are lengths or unknown are values', () => {
  const other = (type: string): number[] => {
    const { outer } = located(`02000000000b02000000000a${type}aaaa03`);
    return [outer.etherType, outer.payload - AT, outer.fault];
  };
  assert.equal(other('002e'), [0, 14, FAULT.NONE]);
  assert.equal(other('05dc'), [0, 14, FAULT.NONE]);
  assert.equal(other('05dd'), [0x05dd, 14, FAULT.NONE]);
  assert.equal(other('88cc'), [0x88cc, 14, FAULT.NONE]);
});

test('octets behind the datagram are padding', () => {
  const { outer } = located(`${frames.ECHO}${'ff'.repeat(9)}`);
  assert.equal([outer.end - AT, outer.wireEnd - AT, outer.fault], [98, 98, FAULT.NONE]);
});

test('the inner frame ends with its UDP datagram', () => {
  // Eight octets behind the UDP datagram, inside the IP datagram: total length 192, as the kernel accepts it.
  const longer = `${frames.DOCUMENTATION.replaceAll(' ', '').replace('450000b8', '450000c0')}${'ee'.repeat(8)}`;
  const { outer, inner } = located(longer);
  assert.equal([outer.end - AT, inner.end - AT, inner.wireEnd - AT], [206, 198, 198]);
});

/** DOCUMENTATION with other octets at `offset`. */
function changed(offset: number, text: string, frame = frames.DOCUMENTATION): Uint8Array {
  const bytes = octets(frame);
  bytes.set(octets(text), offset);
  return bytes;
}

test('a refused transport header leaves the network header', () => {
  for (const [offset, text, fault] of [
    [38, '0004', 'UDP_LENGTH_BELOW_HEADER'],
    [38, '0000', 'UDP_LENGTH_BELOW_HEADER'],
    [38, '00a5', 'UDP_LENGTH_BEYOND_END'],
  ] as const) {
    const { outer, vxlan } = located(changed(offset, text));
    assert.equal([name(outer.fault), outer.faultAt - AT, outer.transport, outer.network - AT], [fault, 34, -1, 14]);
    assert.equal([outer.version, outer.protocol, outer.payload - AT, vxlan], [4, 17, 34, -1]);
  }
  for (const [text, fault] of [
    ['40', 'TCP_DATA_OFFSET_BELOW_5'],
    ['f0', 'TCP_DATA_OFFSET_BEYOND_END'],
  ] as const) {
    // The inner segment of SYN has 40 octets, so a data offset of 15 points behind it.
    const { outer, inner } = located(changed(96, text, frames.SYN));
    assert.equal([name(inner.fault), inner.faultAt - AT, inner.transport, inner.network - AT], [fault, 84, -1, 64]);
    assert.is(outer.fault, FAULT.NONE);
  }
});

test('a refused inner header leaves the outer packet and VXLAN', () => {
  const wrong = located(changed(64, '65'));
  assert.equal([wrong.outer.fault, wrong.vxlan - AT], [FAULT.NONE, 42]);
  assert.equal([name(wrong.inner.fault), wrong.inner.faultAt - AT, wrong.inner.version], ['IPV4_VERSION_NOT_4', 64, 0]);
});

test('VXLAN shorter than its header is a fault of the outer packet', () => {
  const bytes = octets(frames.DOCUMENTATION).subarray(0, 49);
  bytes.set(octets('0023'), 16);
  bytes.set(octets('000f'), 38);
  const { outer, vxlan } = located(bytes);
  assert.equal([name(outer.fault), outer.faultAt - AT, outer.transport - AT, vxlan], ['VXLAN_SHORT', 42, 34, -1]);
  // Eight octets and no frame behind them: VXLAN is there, the inner frame is not.
  const only = octets(frames.DOCUMENTATION).subarray(0, 50);
  only.set(octets('0024'), 16);
  only.set(octets('0010'), 38);
  const bare = located(only);
  assert.equal(
    [bare.outer.fault, bare.vxlan - AT, name(bare.inner.fault), bare.inner.faultAt - AT],
    [0, 42, 'ETHERNET_SHORT', 50],
  );
});

test('flags of VXLAN are not judged here', () => {
  for (const flags of ['00', '80', 'ff']) assert.is(located(changed(42, flags)).vxlan - AT, 42);
});

test('a bad IPv4 option is a fault, and the header stays readable', () => {
  const options = changed(14, '46', `${frames.ECHO.slice(0, 68)}0701 0000${frames.ECHO.slice(68)}`);
  options.set(octets('0058'), 16);
  const { outer } = located(options);
  assert.equal([name(outer.fault), outer.faultAt - AT], ['IPV4_OPTION_LENGTH_BELOW_2', 14]);
  assert.equal([outer.network - AT, outer.version, outer.transport, outer.payload - AT], [14, 4, -1, 38]);
});

/** What an offset becomes when the capture stops at `cut`: kept when the whole header is there. */
const HEADERS = [
  ['ETHERNET_SHORT', 14],
  ['IPV4_SHORT', 34],
  ['UDP_SHORT', 42],
  ['VXLAN_SHORT', 50],
] as const;
const INNER_HEADERS = [
  ['ETHERNET_SHORT', 64],
  ['IPV4_SHORT', 84],
  ['TCP_SHORT', 104],
] as const;

test('a capture cut at any octet: what is there is found, what is not is a truncation', () => {
  const whole = octets(frames.DOCUMENTATION);
  for (let cut = 0; cut <= whole.length; cut++) {
    const { outer, vxlan, inner } = located(whole.subarray(0, cut), { wire: whole.length });
    const outerFault = HEADERS.find(([, needed]) => cut < needed)?.[0] ?? 'NONE';
    assert.is(name(outer.fault), outerFault, `outer fault at ${cut}`);
    assert.ok(outer.fault === FAULT.NONE || isTruncation(outer.fault));
    assert.ok(cut === whole.length || outer.end < outer.wireEnd, 'end < wireEnd tells that the capture was cut');
    assert.is(vxlan >= 0, cut >= 50);
    if (vxlan < 0) continue;
    const innerFault = INNER_HEADERS.find(([, needed]) => cut < needed)?.[0] ?? 'NONE';
    assert.is(name(inner.fault), innerFault, `inner fault at ${cut}`);
    assert.equal([inner.end - AT, inner.wireEnd - AT], [cut, 198]);
    if (inner.transport >= 0) assert.is(inner.payload - AT, Math.min(116, cut));
  }
});

test('a frame that ends at any octet on the wire is refused', () => {
  const whole = octets(frames.DOCUMENTATION);
  for (let length = 0; length < whole.length; length++) {
    const { outer } = located(whole.subarray(0, length));
    const expected = length < 14 ? 'ETHERNET_SHORT' : length < 34 ? 'IPV4_SHORT' : 'IPV4_TOTAL_LENGTH_BEYOND_END';
    assert.is(name(outer.fault), expected, `${length} octets`);
    assert.is(outer.version, 0);
  }
});

test('a total length of 0 is believed of frames that no field could describe', () => {
  const zero = changed(16, '0000', frames.ECHO);
  assert.is(faultOf(zero), 'IPV4_TOTAL_LENGTH_BELOW_HEADER');
  assert.is(faultOf(zero, { wire: 14 + 65_535 }), 'IPV4_TOTAL_LENGTH_BELOW_HEADER');
  const { outer } = located(zero, { wire: 14 + 65_536 });
  assert.equal([outer.fault, outer.end - AT, outer.wireEnd - AT, outer.transport - AT], [0, 98, 65_550, 34]);
  const udp = changed(38, '0000', frames.DOCUMENTATION);
  udp.set([0, 0], 16);
  const { vxlan, inner } = located(udp, { wire: 70_000 });
  assert.equal([vxlan - AT, inner.transport - AT, inner.fault], [42, 84, FAULT.NONE]);
});

test('a length that the capture could not have cut is a fault', () => {
  // Total length 185 in a frame that was 198 octets on the wire, of which 100 were captured.
  assert.is(faultOf(changed(16, '00b9').subarray(0, 100), { wire: 198 }), 'IPV4_TOTAL_LENGTH_BEYOND_END');
  assert.is(faultOf(changed(38, '00a5').subarray(0, 100), { wire: 198 }), 'UDP_LENGTH_BEYOND_END');
  // A wire length that a record cannot mean is no help.
  assert.is(faultOf(frames.DOCUMENTATION, { wire: 10 }), 'NONE');
  assert.is(located(frames.DOCUMENTATION.slice(0, 30), { wire: 0xffffffff }).outer.wireEnd, AT + 0x0fffffff);
});

test('IPv4 fragments: the first is walked as far as it goes, later ones have no transport header', () => {
  const first = changed(20, '2000').subarray(0, 130);
  first.set(octets('0074'), 16);
  const { outer, vxlan, inner } = located(first);
  assert.equal([outer.fault, outer.moreFragments, outer.fragmentOffset, outer.transport - AT], [0, 1, 0, 34]);
  assert.equal([outer.end - AT, outer.wireEnd - AT, vxlan - AT], [130, 130, 42]);
  assert.equal([inner.fault, inner.transport - AT, inner.end - AT, inner.wireEnd - AT], [0, 84, 130, 198]);

  const later = located(changed(20, '00b9'));
  assert.equal([later.outer.fault, later.outer.fragmentOffset, later.outer.moreFragments], [0, 1480, 0]);
  assert.equal([later.outer.transport, later.outer.payload - AT, later.outer.protocol, later.vxlan], [-1, 34, 17, -1]);
});

test('IPv6 fragments of Linux', () => {
  const last = located(frames.LAST_FRAGMENT6).outer;
  assert.equal(found(last), {
    link: 0,
    etherType: 0x86dd,
    network: 14,
    version: 6,
    protocol: 58,
    fragment: 54,
    fragmentOffset: 1448,
    payload: 62,
    end: 222,
    wireEnd: 222,
  });
  const first = located(frames.FIRST_FRAGMENT6, { wire: frames.FIRST_FRAGMENT6_LENGTH }).outer;
  assert.equal([first.moreFragments, first.fragmentOffset, first.fragment - AT, first.transport - AT], [1, 0, 54, 62]);
  assert.equal([first.end - AT, first.wireEnd - AT, first.fault], [70, 1510, FAULT.NONE]);
  assert.is(faultOf(frames.FIRST_FRAGMENT6), 'IPV6_PAYLOAD_LENGTH_BEYOND_END');
});

/** An IPv6 packet whose payload is `headers`, the first of them of type `next`, and a UDP header of 8 octets. */
function chain(next: number, headers: string): Uint8Array {
  const payload = octets(`${headers}0035003500080000`);
  const head = octets(`6000000000000040${'00'.repeat(15)}01${'00'.repeat(15)}02`);
  head[4] = payload.length >> 8;
  head[5] = payload.length & 0xff;
  head[6] = next;
  return Uint8Array.from([...head, ...payload]);
}
const located6 = (packet: Uint8Array): Stack => located(packet, { linkType: LINKTYPE.IPV6 }).outer;

test('IPv6 extension headers are stepped over', () => {
  const pad = '0104 00000000';
  const all = located6(chain(0, `3c00${pad} 2b00${pad} 3300 00000000 0000 1101 ${'00'.repeat(10)}`));
  assert.equal([name(all.fault), all.protocol, all.transport - AT], ['NONE', 17, 40 + 8 + 8 + 8 + 12]);
  assert.is(name(located6(chain(60, `0000${pad} 1100${pad}`)).fault), 'EXTENSION_HOP_BY_HOP_NOT_FIRST');
  assert.is(name(located6(chain(0, `0000${pad} 1100${pad}`)).fault), 'EXTENSION_HOP_BY_HOP_NOT_FIRST');
  assert.is(name(located6(chain(60, '1105 0104 00000000')).fault), 'EXTENSION_LENGTH_BEYOND_END');
  assert.is(name(located6(chain(60, '1100 0105 00000000')).fault), 'EXTENSION_OPTION_BEYOND_HEADER');
  assert.is(name(located6(chain(60, `3c00${pad}`).subarray(0, 48)).fault), 'IPV6_PAYLOAD_LENGTH_BEYOND_END');
  assert.is(located6(chain(59, '')).protocol, 59, 'no next header');
  assert.is(located6(chain(50, '00000001')).transport, -1, 'encrypted');
  const nested = located6(chain(44, `2c00 0001 00000001 1100 0001 00000002`));
  assert.equal([nested.protocol, nested.transport, nested.fault], [44, -1, FAULT.NONE]);
});

test('chains of extension headers are bounded in number and octets', () => {
  const pad = '0104 00000000';
  const thirtyTwo = located6(chain(60, `${`3c00${pad}`.repeat(31)}1100${pad}`));
  assert.equal([name(thirtyTwo.fault), thirtyTwo.transport - AT], ['NONE', 40 + 256]);
  const more = located6(chain(60, `${`3c00${pad}`.repeat(32)}1100${pad}`));
  assert.equal([name(more.fault), more.faultAt - AT, more.network - AT], ['EXTENSION_CHAIN_TOO_LONG', 40 + 256, 0]);
  const long = `2bff ${'00'.repeat(2046)}`;
  assert.is(name(located6(chain(43, `11ff ${'00'.repeat(2046)}`)).fault), 'NONE');
  assert.is(name(located6(chain(43, `${long}1100${pad}`)).fault), 'EXTENSION_CHAIN_TOO_LONG');
});

test('jumbograms (RFC 2675)', () => {
  const jumbo = (option: string, wire: number): [string, number] => {
    const packet = chain(0, `1100${option}`);
    packet.fill(0, 4, 6);
    const { outer } = located(packet, { linkType: LINKTYPE.IPV6, wire });
    return [name(outer.fault), outer.wireEnd - AT];
  };
  assert.equal(jumbo('c204 00010000', 40 + 65_536), ['NONE', 40 + 65_536]);
  assert.equal(jumbo('c204 00010000', 80_000), ['NONE', 40 + 65_536]);
  assert.is(jumbo('c204 00010000', 40 + 65_535)[0], 'IPV6_JUMBO_BEYOND_END');
  assert.is(jumbo('c204 0000ffff', 80_000)[0], 'IPV6_JUMBO_BELOW_65536');
  assert.is(jumbo('0104 00000000', 80_000)[0], 'IPV6_JUMBO_MISSING');
  assert.is(jumbo('0105 00000000', 80_000)[0], 'EXTENSION_OPTION_BEYOND_HEADER');
  const empty = chain(17, '');
  empty.fill(0, 4, 6);
  assert.is(name(located6(empty).fault), 'UDP_SHORT', 'a payload of 0 octets');
  const big = located(empty, { linkType: LINKTYPE.IPV6, wire: 80_000 }).outer;
  assert.equal([name(big.fault), big.wireEnd - AT], ['NONE', 80_000]);
});

test('IPv6 packets cut short', () => {
  assert.is(name(located6(chain(17, '').subarray(0, 39)).fault), 'IPV6_SHORT');
  assert.is(name(located6(chain(44, '').subarray(0, 48)).fault), 'NONE', 'a later fragment without data');
  const cut = (packet: Uint8Array, length: number): string => {
    const { outer } = located(packet.subarray(0, length), { linkType: LINKTYPE.IPV6, wire: packet.length });
    return name(outer.fault);
  };
  assert.is(cut(chain(44, '1100 0001 00000001'), 47), 'FRAGMENT6_SHORT');
  assert.is(cut(chain(60, '1100 0104 00000000'), 47), 'EXTENSION_SHORT');
  assert.is(cut(chain(58, ''), 47), 'ICMP6_SHORT');
});

test('protocols belong to their version of IP', () => {
  const icmp6InIpv4 = changed(23, '3a', frames.ECHO);
  assert.equal([located(icmp6InIpv4).outer.transport, faultOf(icmp6InIpv4)], [-1, 'NONE']);
  assert.equal([located6(chain(1, '')).transport, located6(chain(1, '')).fault], [-1, FAULT.NONE]);
});

const GOOD = [
  frames.DOCUMENTATION,
  frames.SYN,
  frames.ARP,
  frames.ECHO,
  frames.LISTENER,
  frames.LAST_FRAGMENT6,
  frames.UNREACHABLE6,
  tagged('88a8001e81000064'),
].map(octets);

/** A good frame with a few octets changed and its end cut. */
const mutated = fc
  .tuple(
    fc.constantFrom(...GOOD),
    fc.array(fc.tuple(fc.nat(120), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
    fc.nat(260),
    fc.nat(300),
  )
  .map(([frame, changes, length, extra]) => {
    const bytes = frame.slice(0, Math.max(length, 20));
    for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
    return { bytes, wire: bytes.length + Math.max(0, extra - 150) };
  });

/** What must hold of a stack whatever the octets were. */
function sane(stack: Readonly<Stack>, end: number): void {
  assert.ok(stack.end <= end && stack.end <= stack.wireEnd);
  for (const at of [stack.link, stack.vlan, stack.arp, stack.network, stack.fragment, stack.transport, stack.payload]) {
    assert.ok(at === -1 || (at >= AT && at <= end), `offset ${at}`);
  }
  assert.is(stack.fault === FAULT.NONE, stack.faultAt === -1);
  assert.is(stack.version === 0, stack.network === -1);
  assert.ok(stack.transport === -1 || stack.fragmentOffset === 0);
}

test('mutated frames are walked within bounds', () => {
  const property = fc.property(mutated, ({ bytes, wire }) => {
    const { outer, vxlan, inner } = located(bytes, { wire });
    sane(outer, AT + bytes.length);
    if (vxlan >= 0) sane(inner, AT + bytes.length);
  });
  check(property, 3000);
});

test('random octets of every link type are walked within bounds', () => {
  const linkTypes = [...Object.values(LINKTYPE), 127];
  const property = fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...linkTypes), (random, linkType) => {
    const { outer } = located(random, { linkType, wire: random.length + (random[0] ?? 0) });
    sane(outer, AT + random.length);
  });
  check(property, 2000);
});

test('the straight line says what the general walk says', () => {
  const property = fc.property(mutated, ({ bytes, wire }) => {
    const layers = located(bytes, { wire, port: -1 });
    const general = createStack();
    reset(general, AT + bytes.length, AT + wire);
    walk(watched(bytes, AT), AT, LINKTYPE.ETHERNET, general);
    assert.equal(layers.outer, general);
  });
  check(property, 3000);
});

test.run();
