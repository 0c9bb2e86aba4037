/** What the scenarios of NAT are made of: the places of nat-kernel.ts, and packets between them. */
import { SHOP } from '../../captures/foundations.ts';
import { plan } from '../../src/foundation/plan.ts';
import { printSave } from '../../src/rules/print-save.ts';
import * as packets from '../dataplane/packets.ts';

export const { FLAG } = packets;

export interface Step {
  readonly in: string;
  /** Octets, or what they are made of when all that left before is known. */
  readonly packet: Uint8Array | ((left: readonly Uint8Array[]) => Uint8Array);
  /** `DEVICE SOURCE > DESTINATION` with ports or identifier; `*` is a drawn port; empty when nothing leaves. */
  readonly leaves: string;
  /** The kernel draws the port at this end: the first octet of its field behind the IP header, and the range it must lie in. */
  readonly draws?: { readonly at: number; readonly low: number; readonly high: number };
  /** The checksum is left to the network card. */
  readonly partial?: boolean;
  /** The packet is for the cell itself, where nobody listens: what it says to that. The kernel draws the identification. */
  readonly answer?: (delivered: Uint8Array, identification: number) => Uint8Array;
}

export interface Scenario {
  readonly name: string;
  readonly rules: string;
  readonly settings?: readonly string[];
  readonly steps: readonly Step[];
}

export const CLIENT = '10.0.0.9';
export const CELL = '10.0.0.101';
export const FRONTEND = '10.255.1.4';
export const BACKEND = '10.255.1.5';
export const OUT = 'eth0';
export const FRONTEND_VETH = 's-010255001004';
export const BACKEND_VETH = 's-010255001005';

/** Where ports and identifiers lie behind an IP header without options. */
export const SOURCE_PORT = 20;
export const DESTINATION_PORT = 22;
export const IDENTIFIER = 24;

export const table = (...rules: string[]): string => `*nat\n${rules.map((rule) => `-A ${rule}\n`).join('')}COMMIT\n`;

interface End {
  readonly address: string;
  readonly port: number;
}
const end = (text: string): End => ({ address: text.split(':')[0]!, port: Number(text.split(':')[1]) });
const ends = (from: string, to: string): packets.Ends => ({ source: end(from).address, destination: end(to).address });

export const tcp = (from: string, to: string, segment: packets.Segment, fields?: packets.HeaderFields): Uint8Array =>
  packets.ipv4(ends(from, to), 6, packets.tcp(ends(from, to), end(from).port, end(to).port, segment), fields);

export const syn = (from: string, to: string): Uint8Array => tcp(from, to, { flags: FLAG.SYN, sequence: 1000 });
export const synAck = (from: string, to: string): Uint8Array =>
  tcp(from, to, { flags: FLAG.SYN | FLAG.ACK, sequence: 5000, acknowledgement: 1001 });
export const data = (from: string, to: string, payload: readonly number[]): Uint8Array =>
  tcp(from, to, { flags: FLAG.PSH | FLAG.ACK, sequence: 1001, acknowledgement: 5001, payload });
export const reset = (from: string, to: string): Uint8Array =>
  tcp(from, to, { flags: FLAG.RST | FLAG.ACK, sequence: 5001, acknowledgement: 1001 });

export const udp = (from: string, to: string, payload: readonly number[] = [1, 2, 3]): Uint8Array =>
  packets.ipv4(ends(from, to), 17, packets.udp(ends(from, to), end(from).port, end(to).port, payload));

export const ping = (from: string, to: string, identifier: number, type = 8): Uint8Array =>
  packets.ipv4(ends(from, to), 1, packets.icmp(type, 0, (identifier << 16) | 7, [9, 8, 7]));

/** An ICMP error of `from` about `quoted`, cut to `length` octets. `rest` is octets 4 to 7. */
export const error = (
  from: string,
  quoted: Uint8Array,
  type: number,
  code: number,
  length = 548,
  rest = 0,
): Uint8Array =>
  packets.ipv4(
    { source: from, destination: [...quoted.slice(12, 16)].join('.') },
    1,
    packets.icmp(type, code, rest, quoted.slice(0, length)),
  );

export const portAt = (packet: Uint8Array, at: number): number => (packet[at]! << 8) | packet[at + 1]!;

/** A datagram whose checksum field is replaced, with the one octet that the caller asks for. */
export function withChecksum(packet: Uint8Array, value: number): Uint8Array {
  const changed = Uint8Array.from(packet);
  changed[26] = value >>> 8;
  changed[27] = value & 0xff;
  return changed;
}

/** A datagram whose checksum is 1 lower than what `before` to `after` changes, so that it becomes 0 on the way. */
export function udpBecomingZero(from: string, to: string, seenFrom: string): Uint8Array {
  for (let word = 0; word < 0x10000; word++) {
    const payload = [word >>> 8, word & 0xff];
    const seen = packets.udp(ends(seenFrom, to), end(seenFrom).port, end(to).port, payload);
    if (seen[6] === 0xff && seen[7] === 0xff) return udp(from, to, payload);
  }
  throw new Error('no payload makes that checksum 0');
}

/** The segment as a host leaves it to its network card: only the pseudo-header is summed. */
export function unfinished(packet: Uint8Array): Uint8Array {
  const at = packet[9] === 6 ? 36 : 26;
  const length = packet.length - 20;
  const pseudo = [...packet.slice(12, 20), 0, packet[9]!, length >>> 8, length & 0xff];
  const sum = ~packets.checksum(pseudo) & 0xffff;
  const changed = Uint8Array.from(packet);
  changed[at] = sum >>> 8;
  changed[at + 1] = sum & 0xff;
  return changed;
}

/** What Linux answers to a SYN for a closed port: RFC 9293 section 3.10.7.1; identification 0, don't fragment. */
export function closedPort(delivered: Uint8Array): Uint8Array {
  const [from, to] = [
    `${[...delivered.slice(16, 20)].join('.')}:${portAt(delivered, DESTINATION_PORT)}`,
    `${[...delivered.slice(12, 16)].join('.')}:${portAt(delivered, SOURCE_PORT)}`,
  ];
  const packet = tcp(
    from,
    to,
    { flags: FLAG.RST | FLAG.ACK, sequence: 0, acknowledgement: 1001 },
    { identification: 0, fragment: 0x4000 },
  );
  return withWindow(packet, 0);
}

/** What Linux answers to a datagram for a closed port: RFC 1812 section 5.3.3.1 has precedence 6. */
export const portUnreachable = (delivered: Uint8Array, identification: number): Uint8Array =>
  packets.ipv4(
    { source: delivered.slice(16, 20).join('.'), destination: delivered.slice(12, 16).join('.') },
    1,
    packets.icmp(3, 3, 0, delivered),
    { identification, typeOfService: 0xc0 },
  );

/** The checksum follows from the window that the builder of segments writes (0xfaf0). */
function withWindow(packet: Uint8Array, window: number): Uint8Array {
  const changed = Uint8Array.from(packet);
  const at = 34;
  const segment = [...changed.slice(20)];
  segment[at - 20] = window >>> 8;
  segment[at - 19] = window & 0xff;
  segment[16] = 0;
  segment[17] = 0;
  const pseudo = [...changed.slice(12, 20), 0, 6, 0, segment.length];
  const sum = packets.checksum([...pseudo, ...segment]);
  segment[16] = sum >>> 8;
  segment[17] = sum & 0xff;
  changed.set(segment, 20);
  return changed;
}

export const drawn = (from: string, to: string, low: number, high: number): Pick<Step, 'leaves' | 'draws'> => ({
  leaves: `${OUT} ${from}:* > ${to}`,
  draws: { at: SOURCE_PORT, low, high },
});

const { tables } = plan(SHOP, 'cell-a');
/** The nat table that silk writes on a cell. */
export const SILK = printSave({ tables: tables.filter(({ name }) => name === 'nat') });
