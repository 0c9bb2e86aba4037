/**
 * Frames put together octet by octet for two cells of the shop, by what they try. Each is sent into the real cells and
 * into the emulated ones.
 */
import {
  address,
  checksum,
  ethernet,
  FLAG,
  type HeaderFields,
  icmp,
  ipv4,
  silkMac,
  type Tunnel,
  tcp,
  udp,
  vxlan,
} from '../dataplane/packets.ts';

export interface CraftedFrame {
  readonly what: string;
  /** A container's own end, or a cell's underlay device. */
  readonly tap: string;
  readonly octets: Uint8Array;
}

const FRONTEND = '10.255.1.4';
const BACKEND_A = '10.255.1.5';
const BATCH = '10.255.1.9';
const BACKEND_B = '10.255.2.7';
const ORDERS = '10.255.2.8';
const VTEP_A = '10.255.1.0';
const VTEP_B = '10.255.2.0';
const CELL_A = '10.0.0.101';
const CELL_B = '10.0.0.102';
const MAC_A = '42:01:0a:00:00:65';
const MAC_B = '42:01:0a:00:00:66';
const GATEWAY = '169.254.0.1';

const cellOf = (container: string): string => (container.startsWith('10.255.1.') ? 'cell-a' : 'cell-b');
const insideOf = (container: string): string => {
  const digits = container
    .split('.')
    .map((octet) => octet.padStart(3, '0'))
    .join('');
  return `${cellOf(container)}/s-${digits}/eth0`;
};

/** What `container` sends in a frame to its host. */
const sends = (what: string, container: string, packet: Iterable<number>, type = 0x0800): CraftedFrame => ({
  what: `${container}: ${what}`,
  tap: insideOf(container),
  octets: ethernet(silkMac('aa', container), silkMac('ee', container), type, packet),
});

const BULK = (length: number): number[] => Array.from({ length }, (_, i) => i & 0xff);
let port = 41_000;

const syn = (source: string, destination: string, to: number, fields: HeaderFields = {}): Uint8Array => {
  const ends = { source, destination };
  return ipv4(ends, 6, tcp(ends, ++port, to, { flags: FLAG.SYN, sequence: 77 }), fields);
};
const segment = (source: string, destination: string, to: number, flags: number): Uint8Array => {
  const ends = { source, destination };
  return ipv4(ends, 6, tcp(ends, ++port, to, { flags, sequence: 1000, acknowledgement: 2000, payload: [1, 2, 3] }));
};
const datagram = (
  source: string,
  destination: string,
  to: number,
  length = 20,
  fields: HeaderFields = {},
): Uint8Array => {
  const ends = { source, destination };
  return ipv4(ends, 17, udp(ends, ++port, to, BULK(length)), fields);
};
const echo = (source: string, destination: string, length = 24, fields: HeaderFields = {}): Uint8Array =>
  ipv4({ source, destination }, 1, icmp(8, 0, ++port << 16, BULK(length)), fields);
const other = (source: string, destination: string, protocol: number): Uint8Array =>
  ipv4({ source, destination }, protocol, BULK(24));

/** `packet` with octets changed; the header checksum is as right as it was unless `at` is in it. */
function changed(packet: Uint8Array, at: number, ...values: readonly number[]): Uint8Array {
  const copy = packet.slice();
  copy.set(values, at);
  return copy;
}

/** The same with its header checksum made right again. */
function mended(packet: Uint8Array): Uint8Array {
  const copy = changed(packet, 10, 0, 0);
  const sum = checksum(copy.slice(0, (copy[0]! & 0xf) * 4));
  return changed(copy, 10, sum >>> 8, sum & 0xff);
}

/** Fragments of `packet` with these payload lengths; `flags` is what each carries besides more-fragments. */
function fragments(packet: Uint8Array, lengths: readonly number[], flags = 0): Uint8Array[] {
  const payload = packet.slice(20);
  let at = 0;
  return lengths.map((length, i) => {
    const more = i < lengths.length - 1 ? 0x2000 : 0;
    const field = flags | more | (at >>> 3);
    const total = 20 + length;
    const header = changed(
      packet.slice(0, 20),
      2,
      total >>> 8,
      total & 0xff,
      ...packet.slice(4, 6),
      field >>> 8,
      field & 0xff,
    );
    const piece = mended(Uint8Array.from([...header, ...payload.slice(at, at + length)]));
    at += length;
    return piece;
  });
}

interface Outer extends Tunnel {
  readonly fields?: HeaderFields;
  readonly destinationMac?: string;
  readonly sourceMac?: string;
  readonly tags?: readonly number[];
  readonly port?: number;
}

const outerPacket = (packet: Iterable<number>, outer: Outer, type = 0x0800): Uint8Array => {
  const ends = { source: CELL_A, destination: CELL_B };
  const mac = (given: string | undefined, vtep: string): string => given ?? silkMac('ee', vtep);
  const inner = ethernet(mac(outer.destinationMac, VTEP_B), mac(outer.sourceMac, VTEP_A), type, packet, outer.tags);
  return ipv4(ends, 17, udp(ends, outer.port ?? 50_000, 4789, vxlan(inner, outer)), outer.fields);
};

/** A frame to cell B on the underlay. */
const onUnderlay = (what: string, packet: Iterable<number>): CraftedFrame => ({
  what: `underlay: ${what}`,
  tap: 'cell-b/eth0',
  octets: ethernet(MAC_B, MAC_A, 0x0800, packet),
});

const tunnelled = (what: string, packet: Iterable<number>, outer: Outer = { groupId: 1 }): CraftedFrame =>
  onUnderlay(what, outerPacket(packet, outer));

const CONTAINER_CASES: readonly CraftedFrame[] = [
  sends('SYN to the same cell, allowed', FRONTEND, syn(FRONTEND, BACKEND_A, 8080)),
  sends('SYN to the same cell, refused', FRONTEND, syn(FRONTEND, BACKEND_A, 9999)),
  sends('UDP to the same cell, refused', BATCH, datagram(BATCH, BACKEND_A, 8080)),
  sends('SYN to the other cell, allowed', FRONTEND, syn(FRONTEND, BACKEND_B, 8080)),
  sends('SYN to the other cell, refused', FRONTEND, syn(FRONTEND, BACKEND_B, 9999)),
  sends('SYN of an app without a tag', BATCH, syn(BATCH, BACKEND_B, 8080)),
  sends('UDP to the other cell, allowed', FRONTEND, datagram(FRONTEND, ORDERS, 5000)),
  sends('UDP to the other cell, odd length', FRONTEND, datagram(FRONTEND, ORDERS, 5001, 33)),
  sends('UDP to the other cell, refused', FRONTEND, datagram(FRONTEND, ORDERS, 6000)),
  sends('echo to a container', FRONTEND, echo(FRONTEND, BACKEND_B)),
  sends('SCTP', FRONTEND, other(FRONTEND, BACKEND_B, 132)),
  sends('protocol 253', FRONTEND, other(FRONTEND, BACKEND_B, 253)),
  ...[0, 1, 2, 3].map((ttl) => sends(`TTL ${ttl}`, FRONTEND, syn(FRONTEND, BACKEND_B, 8080, { timeToLive: ttl }))),
  ...[1, 2].map((ttl) =>
    sends(`TTL ${ttl} inside the cell`, FRONTEND, syn(FRONTEND, BACKEND_A, 8080, { timeToLive: ttl })),
  ),
  ...[1, 2, 3, 0xb8, 0xbb, 0xff].map((typeOfService) =>
    sends(`TOS ${typeOfService}`, FRONTEND, datagram(FRONTEND, ORDERS, 5000, 20, { typeOfService })),
  ),
  sends('TOS 0xff, refused', FRONTEND, syn(FRONTEND, BACKEND_B, 9999, { typeOfService: 0xff })),
  sends('as long as the MTU', FRONTEND, datagram(FRONTEND, ORDERS, 5000, 1422)),
  sends('1400 octets, may be cut', FRONTEND, datagram(FRONTEND, BACKEND_A, 8080, 1372)),
  sends('1400 octets, DF', FRONTEND, datagram(FRONTEND, ORDERS, 5001, 1372, { fragment: 0x4000 })),
  sends('1301 octets to a smaller MTU', FRONTEND, datagram(FRONTEND, ORDERS, 5000, 1273)),
  sends(
    'options, cut',
    FRONTEND,
    datagram(FRONTEND, ORDERS, 5000, 1370, { options: [0x94, 4, 0, 0, 30, 4, 9, 9, 1, 1, 0x9e, 6, 1, 2, 3, 4] }),
  ),
  sends('no-operations', FRONTEND, datagram(FRONTEND, ORDERS, 5000, 20, { options: [1, 1, 1, 1] })),
  sends('record route', FRONTEND, syn(FRONTEND, BACKEND_B, 8080, { options: [7, 15, 4, ...BULK(12), 0] })),
  sends('record route, full', FRONTEND, syn(FRONTEND, BACKEND_B, 8080, { options: [7, 7, 8, 1, 2, 3, 4, 1] })),
  sends('record route, refused', FRONTEND, syn(FRONTEND, BACKEND_B, 9999, { options: [7, 15, 4, ...BULK(12), 0] })),
  sends('bad option', FRONTEND, syn(FRONTEND, BACKEND_B, 8080, { options: [7, 200, 4, 0] })),
  sends('option of length 1', FRONTEND, syn(FRONTEND, BACKEND_B, 8080, { options: [7, 1, 4, 0] })),
  sends('source route', FRONTEND, syn(FRONTEND, BACKEND_B, 8080, { options: [131, 7, 4, 10, 255, 2, 7, 0] })),
  sends('null flags', FRONTEND, segment(FRONTEND, BACKEND_B, 8080, 0)),
  sends('SYN and FIN', FRONTEND, segment(FRONTEND, BACKEND_B, 8080, FLAG.SYN | FLAG.FIN)),
  sends('ACK of nothing', FRONTEND, segment(FRONTEND, BACKEND_B, 8080, FLAG.ACK)),
  sends('RST of nothing', FRONTEND, segment(FRONTEND, BACKEND_B, 8080, FLAG.RST)),
  sends('RST of nothing, refused', FRONTEND, segment(FRONTEND, BACKEND_B, 9999, FLAG.RST)),
  sends('wrong TCP checksum', FRONTEND, changed(syn(FRONTEND, BACKEND_B, 8080), 36, 1, 2)),
  sends('wrong TCP checksum, refused', FRONTEND, changed(syn(FRONTEND, BACKEND_A, 9999), 36, 1, 2)),
  sends('wrong UDP checksum', FRONTEND, changed(datagram(FRONTEND, ORDERS, 5000), 26, 1, 2)),
  sends('no UDP checksum', FRONTEND, changed(datagram(FRONTEND, ORDERS, 5000), 26, 0, 0)),
  sends('wrong header checksum', FRONTEND, changed(syn(FRONTEND, BACKEND_B, 8080), 10, 1, 2)),
  sends('version 5', FRONTEND, mended(changed(syn(FRONTEND, BACKEND_B, 8080), 0, 0x55))),
  sends('header length 4', FRONTEND, mended(changed(syn(FRONTEND, BACKEND_B, 8080), 0, 0x44))),
  sends('total length beyond the frame', FRONTEND, mended(changed(syn(FRONTEND, BACKEND_B, 8080), 3, 200))),
  sends('octets behind the packet', FRONTEND, [...syn(FRONTEND, BACKEND_B, 8080), 9, 9, 9, 9, 9]),
  sends('reserved flag', FRONTEND, syn(FRONTEND, BACKEND_B, 8080, { fragment: 0x8000 })),
  sends('TCP header cut short', FRONTEND, ipv4({ source: FRONTEND, destination: BACKEND_B }, 6, BULK(12))),
  sends('UDP header cut short', FRONTEND, ipv4({ source: FRONTEND, destination: ORDERS }, 17, [160, 1, 19, 136])),
  sends('no payload', FRONTEND, ipv4({ source: FRONTEND, destination: ORDERS }, 17, [])),
  ...['10.255.1.5', '8.8.8.8', '127.0.0.1', '224.0.0.1', '255.255.255.255', '0.0.0.0', GATEWAY, VTEP_A, CELL_A].map(
    (source) => sends(`source ${source}`, FRONTEND, syn(source, BACKEND_B, 8080)),
  ),
  ...['10.255.255.255', '255.255.255.255', '127.0.0.1', '0.0.0.1', '224.0.0.1', '10.0.0.255'].map((destination) =>
    sends(`destination ${destination}`, FRONTEND, datagram(FRONTEND, destination, 8080)),
  ),
  sends('without a route', FRONTEND, syn(FRONTEND, '8.8.8.8', 443)),
  sends('echo without a route', FRONTEND, echo(FRONTEND, '169.254.0.53')),
  sends('the underlay, no security group allows it', FRONTEND, syn(FRONTEND, '10.0.0.9', 443)),
  sends('the other cell on the underlay', FRONTEND, syn(FRONTEND, CELL_B, 443)),
  sends('its own cell, TCP', FRONTEND, syn(FRONTEND, GATEWAY, 22)),
  sends('its own cell, UDP', FRONTEND, datagram(FRONTEND, VTEP_A, 4789)),
  sends('its own cell, echo', FRONTEND, echo(FRONTEND, CELL_A)),
  sends('the other cell’s VTEP, TCP', FRONTEND, syn(FRONTEND, VTEP_B, 22, { typeOfService: 0x13 })),
  sends('the other cell’s VTEP, an ACK', FRONTEND, segment(FRONTEND, VTEP_B, 22, FLAG.ACK)),
  sends('the other cell’s VTEP, a RST', FRONTEND, segment(FRONTEND, VTEP_B, 22, FLAG.RST)),
  sends('the other cell’s VTEP, UDP', FRONTEND, datagram(FRONTEND, VTEP_B, 53, 30, { typeOfService: 0x27 })),
  sends('the other cell’s VTEP, wrong UDP checksum', FRONTEND, changed(datagram(FRONTEND, VTEP_B, 53), 26, 1, 2)),
  sends('the other cell’s VTEP, wrong TCP checksum', FRONTEND, changed(syn(FRONTEND, VTEP_B, 22), 36, 1, 2)),
  sends('the other cell’s VTEP, echo', FRONTEND, echo(FRONTEND, VTEP_B, 33, { typeOfService: 0x2b })),
  sends('the other cell’s VTEP, echo as long as the MTU', FRONTEND, echo(FRONTEND, VTEP_B, 1422)),
  sends('the other cell’s VTEP, protocol 253', FRONTEND, other(FRONTEND, VTEP_B, 253)),
  sends('the other cell’s VTEP, IGMP', FRONTEND, other(FRONTEND, VTEP_B, 2)),
  sends('its own address', FRONTEND, syn(FRONTEND, FRONTEND, 8080)),
  {
    ...sends('another MAC address', FRONTEND, []),
    octets: ethernet('02:00:00:00:00:09', silkMac('ee', FRONTEND), 0x0800, syn(FRONTEND, BACKEND_B, 8080)),
  },
  {
    ...sends('a broadcast MAC address', FRONTEND, []),
    octets: ethernet('ff:ff:ff:ff:ff:ff', silkMac('ee', FRONTEND), 0x0800, syn(FRONTEND, BACKEND_B, 8080)),
  },
  {
    ...sends('a broadcast MAC address, to the VTEP', FRONTEND, []),
    octets: ethernet('ff:ff:ff:ff:ff:ff', silkMac('ee', FRONTEND), 0x0800, datagram(FRONTEND, VTEP_A, 53)),
  },
  {
    ...sends('VLAN 5', FRONTEND, []),
    octets: ethernet(silkMac('aa', FRONTEND), silkMac('ee', FRONTEND), 0x0800, syn(FRONTEND, BACKEND_B, 8080), [5]),
  },
  {
    ...sends('VLAN 0', FRONTEND, []),
    octets: ethernet(silkMac('aa', FRONTEND), silkMac('ee', FRONTEND), 0x0800, syn(FRONTEND, BACKEND_B, 8080), [0]),
  },
  sends('an EtherType that nobody knows', FRONTEND, BULK(50), 0x88b5),
];

const whole = datagram(FRONTEND, ORDERS, 5000, 96, { identification: 0x3001 });
const uneven = datagram(FRONTEND, ORDERS, 5000, 96, { identification: 0x3002 });
const refused = datagram(FRONTEND, ORDERS, 6001, 96, { identification: 0x3003 });
const uncut = datagram(FRONTEND, ORDERS, 5001, 96, { identification: 0x3004 });
const overlapping = datagram(FRONTEND, ORDERS, 5000, 96, { identification: 0x3005 });
const congested = datagram(FRONTEND, ORDERS, 5000, 96, { identification: 0x3006, typeOfService: 2 });
const large = datagram(FRONTEND, ORDERS, 5000, 2600, { identification: 0x3007 });
const partly = datagram(FRONTEND, ORDERS, 5001, 96, { identification: 0x3008 });
const contradicting = datagram(FRONTEND, ORDERS, 5001, 96, { identification: 0x3009 });

const inPieces = (what: string, packet: Uint8Array, lengths: readonly number[], flags = 0): CraftedFrame[] =>
  fragments(packet, lengths, flags).map((piece, i) => sends(`${what}, fragment ${i + 1}`, FRONTEND, piece));

const FRAGMENT_CASES: readonly CraftedFrame[] = [
  ...inPieces('in order', whole, [48, 56]),
  ...inPieces('a small one first', uneven, [24, 48, 32]).toReversed(),
  ...inPieces('refused', refused, [56, 48]),
  ...inPieces('DF on both', uncut, [56, 48], 0x4000),
  ...[fragments(overlapping, [48, 56])[0]!, fragments(overlapping, [40, 64])[1]!].map((piece, i) =>
    sends(`overlap, fragment ${i + 1}`, FRONTEND, piece),
  ),
  ...fragments(congested, [48, 56]).map((piece, i) =>
    sends(`congestion, fragment ${i + 1}`, FRONTEND, i === 0 ? piece : mended(changed(piece, 1, 3))),
  ),
  ...fragments(contradicting, [48, 56]).map((piece, i) =>
    sends(`ECN that contradicts itself, fragment ${i + 1}`, FRONTEND, i === 0 ? piece : mended(changed(piece, 1, 3))),
  ),
  ...inPieces('larger than any MTU', large, [1304, 1304]),
  ...[fragments(partly, [48, 56])[0]!, fragments(partly, [48, 56])[0]!, fragments(partly, [48, 56])[1]!].map(
    (piece, i) => sends(`the first one twice, fragment ${i + 1}`, FRONTEND, piece),
  ),
];

const quoting = (source: string, destination: string, quoted: Uint8Array, code = 3): Uint8Array =>
  ipv4({ source, destination }, 1, icmp(3, code, 0, quoted));

const replied = (): CraftedFrame[] => {
  const ask = { source: FRONTEND, destination: ORDERS };
  const answer = { source: ORDERS, destination: FRONTEND };
  const question = ipv4(ask, 17, udp(ask, 40_500, 5000, [1, 2, 3]));
  return [
    sends('asks', FRONTEND, question),
    sends('answers', ORDERS, ipv4(answer, 17, udp(answer, 5000, 40_500, [4, 5, 6]))),
    sends('asks again', FRONTEND, question),
    sends('complains about the question', ORDERS, quoting(ORDERS, FRONTEND, question)),
    sends('complains about nothing', ORDERS, quoting(ORDERS, FRONTEND, datagram(FRONTEND, ORDERS, 5000))),
  ];
};

const TUNNEL_CASES: readonly CraftedFrame[] = [
  tunnelled('allowed', syn(FRONTEND, BACKEND_B, 8080)),
  tunnelled('another tag', syn(FRONTEND, BACKEND_B, 8080), { groupId: 2 }),
  tunnelled('no G flag', syn(FRONTEND, BACKEND_B, 8080), { flags: 8, groupId: 1 }),
  tunnelled('A bit', syn(FRONTEND, BACKEND_B, 8080), { groupId: 1, policyFlags: 8 }),
  tunnelled('D bit', syn(FRONTEND, BACKEND_B, 8080), { groupId: 1, policyFlags: 0x40 }),
  tunnelled('reserved bits of the second octet', syn(FRONTEND, BACKEND_B, 8080), { groupId: 1, policyFlags: 0xb7 }),
  tunnelled('a reserved flag', syn(FRONTEND, BACKEND_B, 8080), { flags: 0x89, groupId: 1 }),
  tunnelled('VNI 2', syn(FRONTEND, BACKEND_B, 8080), { groupId: 1, vni: 2 }),
  tunnelled('last octet', syn(FRONTEND, BACKEND_B, 8080), { groupId: 1, reserved: 1 }),
  ...[0, 1, 2, 3].flatMap((outer) =>
    [0, 1, 2, 3].map((inner) =>
      tunnelled(
        `ECN ${outer} outside, ${inner} inside`,
        datagram(FRONTEND, ORDERS, 5000, 20, { typeOfService: inner }),
        {
          groupId: 1,
          fields: { typeOfService: outer },
        },
      ),
    ),
  ),
  tunnelled('inner VLAN 0', syn(FRONTEND, BACKEND_B, 8080), { groupId: 1, tags: [0] }),
  tunnelled('inner VLAN 5', syn(FRONTEND, BACKEND_B, 8080), { groupId: 1, tags: [5] }),
  tunnelled('inner MAC of another', syn(FRONTEND, BACKEND_B, 8080), {
    groupId: 1,
    destinationMac: '02:00:00:00:00:09',
  }),
  tunnelled('inner source MAC its own', syn(FRONTEND, BACKEND_B, 8080), {
    groupId: 1,
    sourceMac: silkMac('ee', VTEP_B),
  }),
  tunnelled('inner source of its own container', syn(ORDERS, BACKEND_B, 8080)),
  tunnelled('inner source is the VTEP', syn(VTEP_B, BACKEND_B, 8080)),
  tunnelled('wrong inner TCP checksum, refused', changed(syn(FRONTEND, BACKEND_B, 9999), 36, 1, 2)),
  tunnelled('1400 octets to a smaller MTU, DF', datagram(FRONTEND, ORDERS, 5000, 1372, { fragment: 0x4000 })),
  tunnelled('1400 octets to a smaller MTU', datagram(FRONTEND, ORDERS, 5000, 1372)),
  tunnelled(
    'nested',
    ipv4(
      { source: FRONTEND, destination: VTEP_B },
      17,
      udp({ source: FRONTEND, destination: VTEP_B }, 5, 4789, [
        ...vxlan(ethernet(silkMac('ee', VTEP_B), silkMac('ee', VTEP_A), 0x0800, syn(FRONTEND, BACKEND_B, 8080)), {
          groupId: 1,
        }),
      ]),
    ),
    { groupId: 9 },
  ),
  onUnderlay('UDP checksum 0', changed(outerPacket(syn(FRONTEND, BACKEND_B, 8080), { groupId: 1 }), 26, 0, 0)),
  onUnderlay('wrong UDP checksum', changed(outerPacket(syn(FRONTEND, BACKEND_B, 8080), { groupId: 1 }), 26, 1, 2)),
  ...fragments(
    outerPacket(syn(FRONTEND, BACKEND_B, 8080), { groupId: 1, fields: { identification: 0x4001 } }),
    [40, 30],
  ).map((piece, i) => onUnderlay(`outer fragment ${i + 1}`, piece)),
  onUnderlay('UDP to a closed port', datagram(CELL_A, CELL_B, 8472)),
  onUnderlay('TCP to a closed port', syn(CELL_A, CELL_B, 22)),
  onUnderlay('echo', echo(CELL_A, CELL_B)),
  onUnderlay('protocol 253', other(CELL_A, CELL_B, 253)),
  onUnderlay('to a container, from outside', syn(CELL_A, BACKEND_B, 8080)),
];

const acrossUneven = datagram(FRONTEND, ORDERS, 5000, 96, { identification: 0x5001 });
const insideUneven = datagram(FRONTEND, BACKEND_A, 8080, 96, { identification: 0x5002 });
const insideAllowed = ipv4(
  { source: FRONTEND, destination: BACKEND_A },
  6,
  tcp({ source: FRONTEND, destination: BACKEND_A }, 40_501, 8080, { flags: FLAG.SYN, sequence: 5, payload: BULK(84) }),
  { identification: 0x5003 },
);
const acrossUncut = datagram(FRONTEND, ORDERS, 5000, 96, { identification: 0x5004 });
const acrossWide = datagram(FRONTEND, ORDERS, 5000, 1600, { identification: 0x5005 });

const UNEVEN_CASES: readonly CraftedFrame[] = [
  ...fragments(acrossUneven, [24, 48, 32]).map((piece, i) => tunnelled(`uneven fragment ${i + 1}`, piece)),
  ...fragments(acrossUncut, [24, 48, 32], 0x4000)
    .toReversed()
    .map((piece, i) => tunnelled(`uneven fragment ${i + 1}, DF`, piece)),
  ...fragments(acrossWide, [1400, 208]).map((piece, i) => tunnelled(`fragment ${i + 1} for a smaller MTU`, piece)),
  ...inPieces('inside the cell, refused', insideUneven, [24, 48, 32]),
  ...inPieces('inside the cell', insideAllowed, [24, 48, 32]),
  ...inPieces('odd', datagram(FRONTEND, ORDERS, 5000, 96, { identification: 0x5006 }), [20, 84]),
];

/** Nobody answers for these: the kernel asks for three seconds. They come last. */
const UNANSWERED_CASES: readonly CraftedFrame[] = [
  sends('an address that nobody leased', FRONTEND, syn(FRONTEND, '10.255.77.7', 8080)),
  sends('the same again', FRONTEND, datagram(FRONTEND, '10.255.77.7', 8080)),
  sends('an address of its lease that is free', FRONTEND, syn(FRONTEND, '10.255.1.77', 8080)),
  sends('an address of another lease that is free', FRONTEND, syn(FRONTEND, '10.255.2.77', 8080)),
  tunnelled('a neighbour’s packet to nobody', syn('10.255.99.9', '10.255.2.99', 8080)),
  tunnelled('to a host of the underlay that is not there', syn(FRONTEND, '10.0.0.9', 443)),
];

export const CASES: readonly CraftedFrame[] = [
  ...CONTAINER_CASES,
  ...FRAGMENT_CASES,
  ...replied(),
  ...TUNNEL_CASES,
  ...UNEVEN_CASES,
  ...UNANSWERED_CASES,
];

/** How the frames of `CASES` end whose packets wait for neighbours. */
export const WAITING = UNANSWERED_CASES.length;

const ETHERNET = 14;
const INNER_PACKET = 64;
/** Addresses stay: a changed one would wait for a neighbour that nobody knows. */
const ADDRESSES = [12, 20];

/** `count` frames of the cases, each with octets of its innermost packet changed; the header checksum is made right again. */
export function randomCases(draw: (below: number) => number, count: number): CraftedFrame[] {
  const certain = CASES.slice(0, -WAITING);
  return Array.from({ length: count }, (_, i) => {
    const { what, tap, octets } = certain[draw(certain.length)]!;
    const isTunnelled = tap.endsWith('/eth0') && !tap.includes('/s-') && octets.length > INNER_PACKET + 28;
    const network = isTunnelled && draw(4) !== 0 ? INNER_PACKET : ETHERNET;
    const packet = octets.slice(network);
    for (let n = 1 + draw(2); n > 0; n--) {
      const at = draw(Math.min(packet.length, 44));
      if (at < ADDRESSES[0]! || at >= ADDRESSES[1]!)
        packet[at] = draw(3) === 0 ? packet[at]! ^ (1 << draw(8)) : draw(256);
    }
    const length = (packet[0]! & 0xf) * 4;
    const right = draw(8) !== 0 && length >= 20 && length <= packet.length ? mended(packet) : packet;
    return { what: `${i}: ${what}, changed`, tap, octets: Uint8Array.from([...octets.slice(0, network), ...right]) };
  });
}

/** The container whose host's device has a small MTU, and that MTU. */
export const NARROW = { address: address(ORDERS), tap: 'cell-b/s-010255002008', mtu: 1300 };
