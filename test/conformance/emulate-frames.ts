/** Frames of two cells of the shop, put together octet by octet: what a container sends, what comes over the underlay. */
import {
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

export const FRONTEND = '10.255.1.4';
export const BACKEND_A = '10.255.1.5';
export const BATCH = '10.255.1.9';
export const BACKEND_B = '10.255.2.7';
export const ORDERS = '10.255.2.8';
export const VTEP_A = '10.255.1.0';
export const VTEP_B = '10.255.2.0';
export const CELL_A = '10.0.0.101';
export const CELL_B = '10.0.0.102';
export const MAC_A = '42:01:0a:00:00:65';
export const MAC_B = '42:01:0a:00:00:66';
export const GATEWAY = '169.254.0.1';

const cellOf = (container: string): string => (container.startsWith('10.255.1.') ? 'cell-a' : 'cell-b');
const insideOf = (container: string): string => {
  const digits = container
    .split('.')
    .map((octet) => octet.padStart(3, '0'))
    .join('');
  return `${cellOf(container)}/s-${digits}/eth0`;
};

/** What `container` sends in a frame to its host. */
export const sends = (what: string, container: string, packet: Iterable<number>, type = 0x0800): CraftedFrame => ({
  what: `${container}: ${what}`,
  tap: insideOf(container),
  octets: ethernet(silkMac('aa', container), silkMac('ee', container), type, packet),
});

export const BULK = (length: number): number[] => Array.from({ length }, (_, i) => i & 0xff);
/** Every connection has a port of its own. */
let port = 41_000;

export const syn = (source: string, destination: string, to: number, fields: HeaderFields = {}): Uint8Array => {
  const ends = { source, destination };
  return ipv4(ends, 6, tcp(ends, ++port, to, { flags: FLAG.SYN, sequence: 77 }), fields);
};
export const segment = (source: string, destination: string, to: number, flags: number): Uint8Array => {
  const ends = { source, destination };
  return ipv4(ends, 6, tcp(ends, ++port, to, { flags, sequence: 1000, acknowledgement: 2000, payload: [1, 2, 3] }));
};
export const datagram = (
  source: string,
  destination: string,
  to: number,
  length = 20,
  fields: HeaderFields = {},
): Uint8Array => {
  const ends = { source, destination };
  return ipv4(ends, 17, udp(ends, ++port, to, BULK(length)), fields);
};
export const echo = (source: string, destination: string, length = 24, fields: HeaderFields = {}): Uint8Array =>
  ipv4({ source, destination }, 1, icmp(8, 0, ++port << 16, BULK(length)), fields);
export const other = (source: string, destination: string, protocol: number): Uint8Array =>
  ipv4({ source, destination }, protocol, BULK(24));

/** UDP-Lite whose checksum covers `covered` octets, 0 for all of them (RFC 3828). */
export function lite(source: string, destination: string, covered: number): Uint8Array {
  const length = 28;
  const datagram = [160, 1, 0, 53, 0, covered, 0, 0, ...BULK(length - 8)];
  const long = (text: string): number[] => text.split('.').map(Number);
  const pseudo = [...long(source), ...long(destination), 0, 136, 0, length];
  const sum = checksum([...pseudo, ...datagram.slice(0, covered === 0 ? length : covered)]);
  return ipv4({ source, destination }, 136, [...datagram.slice(0, 6), sum >>> 8, sum & 0xff, ...datagram.slice(8)]);
}

/** `packet` with octets changed; the header checksum is as right as it was unless `at` is in it. */
export function changed(packet: Uint8Array, at: number, ...values: readonly number[]): Uint8Array {
  const copy = packet.slice();
  copy.set(values, at);
  return copy;
}

/** The same with its header checksum made right again. */
export function mended(packet: Uint8Array): Uint8Array {
  const copy = changed(packet, 10, 0, 0);
  const sum = checksum(copy.slice(0, (copy[0]! & 0xf) * 4));
  return changed(copy, 10, sum >>> 8, sum & 0xff);
}

/** Fragments of `packet` with these payload lengths; `flags` is what each carries besides more-fragments. */
export function fragments(packet: Uint8Array, lengths: readonly number[], flags = 0): Uint8Array[] {
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

export const outerPacket = (packet: Iterable<number>, outer: Outer, type = 0x0800): Uint8Array => {
  const ends = { source: CELL_A, destination: CELL_B };
  const mac = (given: string | undefined, vtep: string): string => given ?? silkMac('ee', vtep);
  const inner = ethernet(mac(outer.destinationMac, VTEP_B), mac(outer.sourceMac, VTEP_A), type, packet, outer.tags);
  return ipv4(ends, 17, udp(ends, outer.port ?? 50_000, 4789, vxlan(inner, outer)), outer.fields);
};

/** A frame to cell B on the underlay. */
export const onUnderlay = (what: string, packet: Iterable<number>): CraftedFrame => ({
  what: `underlay: ${what}`,
  tap: 'cell-b/eth0',
  octets: ethernet(MAC_B, MAC_A, 0x0800, packet),
});

export const tunnelled = (what: string, packet: Iterable<number>, outer: Outer = { groupId: 1 }): CraftedFrame =>
  onUnderlay(what, outerPacket(packet, outer));
