/**
 * Frames with one thing wrong: the variants of the malformed-input contract (VXLAN header, outer and inner headers,
 * congestion marks, transport headers cut short), each between a peer and a cell.
 */
import { checksum, type Ends, FLAG, icmp, ipv4, tcp, udp } from '../../dataplane/packets.ts';
import type { Chance } from './chance.ts';
import { type Envelope, tunnelled, underlayFrame, type WorldCell } from './world.ts';

interface Base {
  readonly peer: WorldCell;
  readonly cell: WorldCell;
  readonly envelope: Envelope;
  readonly ends: Ends;
  readonly ports: readonly [number, number];
  readonly identification: number;
}

type Variant = (base: Base, chance: Chance) => Uint8Array;

const ETHERNET = 14;
const VXLAN_AT = ETHERNET + 20 + 8;

const payloadOf = ({ ends, ports }: Base): number[] =>
  udp(
    ends,
    ports[0],
    ports[1],
    [...'tagplane conform'].map((c) => c.charCodeAt(0)),
  );
const packetOf = (base: Base, fields: Parameters<typeof ipv4>[3] = {}): Uint8Array =>
  ipv4(base.ends, 17, payloadOf(base), { identification: base.identification, ...fields });
const frameOf = (base: Base, packet: Iterable<number>, envelope: Envelope = {}): Uint8Array =>
  underlayFrame(base.cell, tunnelled(base.peer, base.cell, packet, { ...base.envelope, ...envelope }));

/** Write `value` at `at` of an IPv4 header that starts at `header`, and make its checksum right again. */
function patchHeader(packet: Uint8Array, header: number, at: number, value: number): Uint8Array {
  packet[header + at] = value;
  packet[header + 10] = 0;
  packet[header + 11] = 0;
  const sum = checksum(packet.slice(header, header + 20));
  packet[header + 10] = sum >>> 8;
  packet[header + 11] = sum & 0xff;
  return packet;
}

/** The inner packet with one octet of its header changed. */
const inner =
  (at: number, value: number): Variant =>
  (base) =>
    frameOf(base, patchHeader(packetOf(base), 0, at, value));

/** The outer packet with one octet of its header changed. */
const outer =
  (at: number, value: number): Variant =>
  (base) =>
    patchHeader(frameOf(base, packetOf(base)), ETHERNET, at, value);

const flagged =
  (flags: number, policyFlags = 0): Variant =>
  (base) =>
    frameOf(base, packetOf(base), { flags, policyFlags });

/** The whole frame cut behind the VXLAN header after `keep` octets, with lengths that agree. */
const cut =
  (keep: number): Variant =>
  (base) => {
    const ends: Ends = { source: base.peer.underlay, destination: base.cell.underlay };
    const whole = frameOf(base, packetOf(base));
    const body = [...whole.slice(VXLAN_AT, VXLAN_AT + keep)];
    const fields = { identification: base.envelope.identification ?? 1 };
    return underlayFrame(base.cell, ipv4(ends, 17, udp(ends, 40_000, 4789, body), fields));
  };

const segment = (base: Base, flags: number): number[] =>
  tcp(base.ends, base.ports[0], base.ports[1], { flags, sequence: 7, acknowledgement: 9 });

const transport =
  (protocol: number, body: (base: Base) => Iterable<number>): Variant =>
  (base) =>
    frameOf(base, ipv4(base.ends, protocol, body(base), { identification: base.identification }));

const patched = (octets: number[], at: number, ...values: number[]): number[] => {
  const copy = [...octets];
  values.forEach((value, index) => {
    copy[at + index] = value;
  });
  return copy;
};

const VARIANTS: Readonly<Record<string, Variant>> = {
  'vxlan: any first octet': (base, chance) => flagged(chance.between(0, 255))(base, chance),
  'vxlan: any second octet': (base, chance) => flagged(0x88, chance.between(0, 255))(base, chance),
  'vxlan: G without I': flagged(0x80),
  'vxlan: no flag': flagged(0),
  'vxlan: last octet set': (base) => frameOf(base, packetOf(base), { reserved: 1 }),
  'vxlan: other VNI': (base, chance) => frameOf(base, packetOf(base), { vni: chance.pick([0, 2, 0xffffff]) }),
  'vxlan: other UDP port': (base) => frameOf(base, packetOf(base), { port: 8472 }),
  'vxlan: cut short': (base, chance) => cut(chance.pick([0, 7, 8, 21, 22, 41]))(base, chance),
  'inner frame: own hardware address as source': (base) =>
    frameOf(base, packetOf(base), { innerSourceMac: base.cell.vtepMac }),
  'inner frame: group as source': (base) => frameOf(base, packetOf(base), { innerSourceMac: '01:00:5e:00:00:01' }),
  'inner frame: for another host': (base) =>
    frameOf(base, packetOf(base), { innerDestinationMac: 'ee:ee:0a:ff:00:77' }),
  'inner frame: for all': (base) => frameOf(base, packetOf(base), { innerDestinationMac: 'ff:ff:ff:ff:ff:ff' }),
  'inner frame: VLAN 5': (base) => frameOf(base, packetOf(base), { innerTags: [5] }),
  'inner frame: priority tag': (base) => frameOf(base, packetOf(base), { innerTags: [0x6000] }),
  'inner frame: type 0': (base) => frameOf(base, packetOf(base), { innerType: 0 }),
  'underlay: VLAN 9': (base) =>
    underlayFrame(base.cell, tunnelled(base.peer, base.cell, packetOf(base), base.envelope), [9]),
  'outer: version 5': outer(0, 0x55),
  'outer: version 6': outer(0, 0x65),
  'outer: header length 16': outer(0, 0x44),
  'outer: total length 19': (base) => patchHeader(outer(2, 0)(base, null as never), ETHERNET, 3, 19),
  'outer: total length beyond the frame': outer(2, 5),
  'outer: wrong header checksum': (base) => {
    const frame = frameOf(base, packetOf(base));
    frame[ETHERNET + 10] = frame[ETHERNET + 10]! ^ 0x55;
    return frame;
  },
  'outer: wrong UDP checksum': (base) => {
    const frame = frameOf(base, packetOf(base));
    frame[ETHERNET + 26] = frame[ETHERNET + 26]! ^ 0x55;
    return frame;
  },
  'outer: no UDP checksum': (base) => {
    const frame = frameOf(base, packetOf(base));
    frame[ETHERNET + 26] = 0;
    frame[ETHERNET + 27] = 0;
    return frame;
  },
  'outer: UDP length 7': (base) => {
    const frame = frameOf(base, packetOf(base));
    frame.set([0, 7, 0, 0], ETHERNET + 24);
    return frame;
  },
  'outer: UDP length beyond the packet': (base) => {
    const frame = frameOf(base, packetOf(base));
    frame.set([2, 0, 0, 0], ETHERNET + 24);
    return frame;
  },
  'outer: TTL 0': (base) => frameOf(base, packetOf(base), { timeToLive: 0 }),
  'outer: TTL 1': (base) => frameOf(base, packetOf(base), { timeToLive: 1 }),
  'outer: reserved flag': outer(6, 0x80),
  'outer: no-operation options': (base) => frameOf(base, packetOf(base), { outerOptions: [1, 1, 1, 1] }),
  'outer: option with a bad length': (base) => frameOf(base, packetOf(base), { outerOptions: [7, 200, 4, 0] }),
  'outer: source route': (base) => frameOf(base, packetOf(base), { outerOptions: [0x83, 7, 4, 10, 0, 0, 1, 0] }),
  'outer: source is loopback': (base) => frameOf(base, packetOf(base), { source: '127.0.0.1' }),
  'outer: source is broadcast': (base) => frameOf(base, packetOf(base), { source: '255.255.255.255' }),
  'outer: source is the cell': (base) => frameOf(base, packetOf(base), { source: base.cell.underlay }),
  'outer: source is unknown': (base) => frameOf(base, packetOf(base), { source: '10.0.0.99' }),
  'outer: padding behind the packet': (base) =>
    Uint8Array.from([...frameOf(base, packetOf(base)), ...Array<number>(30).fill(0)]),
  'ECN: outer and inner': (base, chance) =>
    frameOf(base, packetOf(base, { typeOfService: chance.between(0, 3) }), { typeOfService: chance.between(0, 3) }),
  'inner: version 7': inner(0, 0x75),
  'inner: header length 16': inner(0, 0x44),
  'inner: header length 60': inner(0, 0x4f),
  'inner: total length beyond the frame': inner(2, 3),
  'inner: total length 0': inner(3, 0),
  'inner: wrong header checksum': (base) => {
    const packet = packetOf(base);
    packet[11] = packet[11]! ^ 0x55;
    return frameOf(base, packet);
  },
  'inner: TTL 0': inner(8, 0),
  'inner: TTL 1': inner(8, 1),
  'inner: reserved flag': inner(6, 0x80),
  'inner: padding behind the packet': (base) => frameOf(base, [...packetOf(base), ...Array<number>(12).fill(0)]),
  'inner: option with a bad length': (base) => frameOf(base, packetOf(base, { options: [7, 200, 4, 0] })),
  'inner: source route': (base) => frameOf(base, packetOf(base, { options: [0x83, 7, 4, 10, 0, 0, 1, 0] })),
  'inner: source is loopback': (base) => spoofed(base, '127.0.0.1'),
  'inner: source is multicast': (base) => spoofed(base, '224.0.0.9'),
  'inner: source is nothing': (base) => spoofed(base, '0.0.0.0'),
  'inner: source is in 0.0.0.0/8': (base) => spoofed(base, '0.1.2.3'),
  'inner: source is the VTEP': (base) => spoofed(base, base.cell.vtep),
  'inner: source is the receiver': (base) => spoofed(base, base.ends.destination),
  'inner: source is foreign': (base) => spoofed(base, '8.8.8.8'),
  'inner: protocol 132': transport(132, payloadOf),
  'inner: protocol 47': transport(47, payloadOf),
  'UDP: cut short': (base, chance) =>
    transport(17, (one) => payloadOf(one).slice(0, chance.between(0, 7)))(base, chance),
  'UDP: wrong checksum': transport(17, (base) => patched(payloadOf(base), 6, 0x12, 0x34)),
  'UDP: no checksum': transport(17, (base) => patched(payloadOf(base), 6, 0, 0)),
  'UDP: length 4': transport(17, (base) => patched(payloadOf(base), 4, 0, 4, 0, 0)),
  'UDP: length beyond the packet': transport(17, (base) => patched(payloadOf(base), 4, 1, 0, 0, 0)),
  'TCP: cut short': (base, chance) =>
    transport(6, (one) => segment(one, FLAG.SYN).slice(0, chance.between(0, 19)))(base, chance),
  'TCP: wrong checksum': transport(6, (base) => patched(segment(base, FLAG.SYN), 16, 0x12, 0x34)),
  'TCP: header length 16': transport(6, (base) => patched(segment(base, FLAG.SYN), 12, 0x40)),
  'TCP: header length beyond the packet': transport(6, (base) => patched(segment(base, FLAG.SYN), 12, 0xf0)),
  'TCP: any flags': (base, chance) => transport(6, (one) => segment(one, chance.between(0, 255)))(base, chance),
  'ICMP: cut short': (base, chance) => transport(1, () => icmp(8, 0, 1).slice(0, chance.between(0, 7)))(base, chance),
  'ICMP: wrong checksum': transport(1, () => patched(icmp(8, 0, 1), 2, 0x12, 0x34)),
  'ICMP: any type': (base, chance) =>
    transport(1, () => icmp(chance.between(0, 255), chance.between(0, 3), 5, chance.octets(8)))(base, chance),
};

/** The packet of `base` with another source, its transport checksum right for it. */
function spoofed(base: Base, source: string): Uint8Array {
  const ends = { ...base.ends, source };
  return frameOf(
    base,
    ipv4(ends, 17, udp(ends, base.ports[0], base.ports[1], [1, 2, 3]), { identification: base.identification }),
  );
}

/** One of the variants, between `base.peer` and `base.cell`. */
export function drawBroken(chance: Chance, base: Base): { readonly frame: Uint8Array; readonly what: string } {
  const what = chance.pick(Object.keys(VARIANTS));
  return { frame: VARIANTS[what]!(base, chance), what };
}
