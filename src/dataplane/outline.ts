/**
 * Outline: where the headers of each row of a burst are and what the rules read of them, half a line of the cache per row.
 *
 * Only VXLAN frames of the plain shape have one: those of which `locate` (wire/layers.ts) says that the outer and the inner packet
 * are whole, IPv4 without options, UDP outside and TCP or UDP inside, every length in bounds. Of another frame `locate` knows what
 * it is. Checksums, addresses and flags are not judged here. `native/outline.h` does the same in compiled code.
 */
import { BURST_CAPACITY, type RecordBurst } from '../capture/burst.ts';
import type { Arena } from '../memory/arena.ts';
import { LINKTYPE } from '../wire/protocol.ts';

/** Words of a row: half a line of the cache. */
export const OUTLINE_WORDS = 8;

export const OUTLINE = {
  /** Offset of the frame's first octet in the records' `view`. */
  START: 0,
  /** Ends of the outer and of the inner datagram, in octets from there: the low and the high 16 bits. */
  ENDS: 1,
  /** Protocol of the inner packet, and from 8 bits up the length of its transport header; 0 for a frame of another shape. */
  TRANSPORT: 2,
  /** The mark that the VTEP gives the packet. */
  MARK: 3,
  SOURCE: 4,
  DESTINATION: 5,
  /** Source port above, destination port below. */
  PORTS: 6,
  /** Length of the inner datagram. */
  OCTETS: 7,
} as const;

/** Where the headers of a plain frame are, in octets from its first. */
export const HEADER_AT = {
  NETWORK: 14,
  TRANSPORT: 34,
  VXLAN: 42,
  INNER_LINK: 50,
  INNER_NETWORK: 64,
  INNER_TRANSPORT: 84,
} as const;

const LINKTYPE_ETHERNET = LINKTYPE.ETHERNET;
const ETHER_TYPE_IPV4 = 0x0800;
const VERSION_4_IHL_5 = 0x45;
const FRAGMENT_BITS = 0x3fff;
const TCP = 6;
const UDP = 17;
const TCP_LENGTH = 20;
const UDP_LENGTH = 8;
const MARK_BITS = 0x0048ffff;

const { NETWORK, TRANSPORT, VXLAN, INNER_NETWORK, INNER_TRANSPORT } = HEADER_AT;
const SHORTEST = INNER_TRANSPORT + UDP_LENGTH;

/** Room for the outlines of a burst: `OUTLINE_WORDS` for each of its rows. */
export function createOutlines(arena: Arena): Uint32Array<ArrayBuffer> {
  const { buffer, offset } = arena.allocate(BURST_CAPACITY * OUTLINE_WORDS * 4);
  return new Uint32Array(buffer, offset, BURST_CAPACITY * OUTLINE_WORDS);
}

/** Write the outlines of rows `from` to `to` of `records`; `vxlanPort` is the UDP port of tunnels. */
export function outline(
  outlines: Uint32Array,
  records: RecordBurst,
  vxlanPort: number,
  from: number,
  to: number,
): void {
  const { view, at, end, linkType } = records;
  for (let i = from; i < to; i++) {
    const plain = linkType[i] === LINKTYPE_ETHERNET && isPlain(view, at[i]!, end[i]!, vxlanPort);
    if (plain) write(outlines, i * OUTLINE_WORDS, view, at[i]!);
    else outlines[i * OUTLINE_WORDS + OUTLINE.TRANSPORT] = 0;
  }
}

/** Whether the header at `network` is IPv4 without options behind an EtherType that says so, and no fragment. */
const isIpv4 = (view: DataView, network: number): boolean =>
  view.getUint16(network - 2) === ETHER_TYPE_IPV4 &&
  view.getUint8(network) === VERSION_4_IHL_5 &&
  (view.getUint16(network + 6) & FRAGMENT_BITS) === 0;

function isPlain(view: DataView, at: number, end: number, vxlanPort: number): boolean {
  if (end - at < SHORTEST || !isIpv4(view, at + NETWORK) || !isIpv4(view, at + INNER_NETWORK)) return false;
  if (view.getUint8(at + NETWORK + 9) !== UDP || view.getUint16(at + TRANSPORT + 2) !== vxlanPort) return false;
  const outerEnd = NETWORK + view.getUint16(at + NETWORK + 2);
  const datagramEnd = TRANSPORT + view.getUint16(at + TRANSPORT + 4);
  const innerEnd = INNER_NETWORK + view.getUint16(at + INNER_NETWORK + 2);
  if (outerEnd > end - at || datagramEnd > outerEnd || innerEnd > datagramEnd) return false;
  return (
    headerLength(view, at + INNER_TRANSPORT, view.getUint8(at + INNER_NETWORK + 9), innerEnd - INNER_TRANSPORT) > 0
  );
}

/** Length of the TCP or UDP header at `at`, with `room` octets to the end of its datagram; 0 for a wrong or another one. */
function headerLength(view: DataView, at: number, protocol: number, room: number): number {
  if (protocol === TCP) {
    if (room < TCP_LENGTH) return 0;
    const length = (view.getUint8(at + 12) >>> 4) << 2;
    return length < TCP_LENGTH || length > room ? 0 : length;
  }
  if (protocol !== UDP || room < UDP_LENGTH) return 0;
  const declared = view.getUint16(at + 4);
  return declared < UDP_LENGTH || declared > room ? 0 : UDP_LENGTH;
}

function write(outlines: Uint32Array, row: number, view: DataView, at: number): void {
  const network = at + INNER_NETWORK;
  const transport = at + INNER_TRANSPORT;
  const protocol = view.getUint8(network + 9);
  const octets = view.getUint16(network + 2);
  const header = headerLength(view, transport, protocol, octets - (INNER_TRANSPORT - INNER_NETWORK));
  const tunnel = view.getInt32(at + VXLAN);
  outlines[row + OUTLINE.START] = at;
  outlines[row + OUTLINE.ENDS] = NETWORK + view.getUint16(at + NETWORK + 2) + ((INNER_NETWORK + octets) << 16);
  outlines[row + OUTLINE.TRANSPORT] = protocol | (header << 8);
  outlines[row + OUTLINE.MARK] = tunnel & (tunnel >> 31) & MARK_BITS;
  outlines[row + OUTLINE.SOURCE] = view.getUint32(network + 12);
  outlines[row + OUTLINE.DESTINATION] = view.getUint32(network + 16);
  outlines[row + OUTLINE.PORTS] = view.getUint32(transport);
  outlines[row + OUTLINE.OCTETS] = octets;
}
