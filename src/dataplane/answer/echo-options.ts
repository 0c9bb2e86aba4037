/**
 * The IP options that an answer repeats: `__ip_options_echo` and `ip_options_build` in net/ipv4/ip_options.c.
 *
 * Of the options of a received packet an answer carries, in this order: record route, timestamp, source route (turned
 * round) and CIPSO, padded with zeros to a multiple of four octets. Record route and timestamp get an entry of the
 * sender's own. The packet must have been through `receiveOptions`, which is where the kernel adds the entry of the
 * receiver; an option in which no space is left is repeated as it is.
 */
import * as ipv4 from '../../wire/ipv4.ts';
import { OPTION, TIMESTAMP_FLAG } from './option-kinds.ts';

const END_OF_LIST = 0;
const ADDRESS_LENGTH = 4;
const TIME_LENGTH = 4;
/** Kind, length and pointer; and the flags of a timestamp. */
const ROUTE_HEADER = 3;
const TIMESTAMP_HEADER = 4;
/** The pointer of a route that is still to be followed from its start. */
const FIRST_ADDRESS = 4;

/** What a cell enters into the options of a packet. */
export interface OwnEntry {
  /** Address of the cell: as sender, or as the receiver that the packet's sender sees. */
  source: number;
  /** Milliseconds since midnight UT. */
  milliseconds: number;
  /** Whether routing takes an address for a single other host: neither the cell's own, nor a broadcast or multicast. */
  isUnicast: (address: number) => boolean;
}

/**
 * Write the destination and the options of the answer whose IPv4 header is at `at` in `into`, about the packet at
 * `network`. `pointer` is the offset that a parameter problem points at, 0 for other messages: what is at and behind
 * it was never understood. Returns the length of the options, or -1 when one has room for less than an entry; then
 * nothing is sent.
 */
export function echoOptions(
  view: DataView,
  network: number,
  pointer: number,
  own: Readonly<OwnEntry>,
  into: DataView,
  at: number,
): number {
  ipv4.setDestination(into, at, ipv4.source(view, network));
  if (ipv4.ihl(view, network) === 5) return 0;
  const start = at + ipv4.HEADER_LENGTH;
  let next = start;
  const route = find(view, network, pointer, OPTION.RECORD_ROUTE);
  if (route >= 0) next = echoRoute(view, route, own.source, into, next);
  const time = find(view, network, pointer, OPTION.TIMESTAMP);
  if (time >= 0 && next >= 0) next = echoTimestamp(view, time, own, into, next);
  if (next < 0) return -1;
  const way = findSourceRoute(view, network, pointer);
  if (way >= 0) next = echoSourceRoute(view, network, way, into, at, next);
  const label = find(view, network, pointer, OPTION.CIPSO);
  if (label >= 0) next = copyOption(view, label, into, next);
  for (; ((next - start) & 3) !== 0; next += 1) into.setUint8(next, END_OF_LIST);
  return next - start;
}

/** Offset of the first option of `kind` that was understood and has the octets in front of its entries, or -1. */
function find(view: DataView, network: number, pointer: number, kind: number): number {
  const found = ipv4.findOption(view, network, kind);
  if (found < 0 || !isUnderstood(view, network, found, pointer)) return -1;
  const shortest = kind === OPTION.TIMESTAMP ? TIMESTAMP_HEADER : ROUTE_HEADER;
  return kind === OPTION.CIPSO || view.getUint8(found + 1) >= shortest ? found : -1;
}

/** Strict or loose, whichever comes first: the kernel takes a second one for an error. */
function findSourceRoute(view: DataView, network: number, pointer: number): number {
  const loose = find(view, network, pointer, OPTION.LOOSE_SOURCE_ROUTE);
  const strict = find(view, network, pointer, OPTION.STRICT_SOURCE_ROUTE);
  return loose < 0 || (strict >= 0 && strict < loose) ? strict : loose;
}

/** Whether the kernel had taken note of the option before it found the error. It notes CIPSO before looking inside. */
function isUnderstood(view: DataView, network: number, option: number, pointer: number): boolean {
  if (pointer < ipv4.HEADER_LENGTH) return true;
  const length = view.getUint8(option + 1);
  const distance = network + pointer - option;
  return distance >= length || (distance > 0 && view.getUint8(option) === OPTION.CIPSO);
}

/** Copy an option as it is; where the next one goes. */
function copyOption(view: DataView, option: number, into: DataView, to: number): number {
  const length = view.getUint8(option + 1);
  for (let i = 0; i < length; i += 1) into.setUint8(to + i, view.getUint8(option + i));
  return to + length;
}

function echoRoute(view: DataView, option: number, source: number, into: DataView, to: number): number {
  const next = copyOption(view, option, into, to);
  const length = next - to;
  const pointer = view.getUint8(option + 2);
  if (pointer > length) return next;
  if (pointer + 3 > length) return -1;
  into.setUint8(to + 2, pointer + ADDRESS_LENGTH);
  into.setUint32(to + pointer - 1, source);
  return next;
}

/** In a timestamp with prespecified addresses only the owner of the next address makes an entry. */
function echoTimestamp(view: DataView, option: number, own: Readonly<OwnEntry>, into: DataView, to: number): number {
  const next = copyOption(view, option, into, to);
  const length = next - to;
  let pointer = view.getUint8(option + 2);
  if (pointer > length) return next;
  const flag = view.getUint8(option + 3) & 0xf;
  if (flag === TIMESTAMP_FLAG.WITH_ADDRESS) {
    if (pointer + 3 > length) return -1;
    into.setUint32(to + pointer - 1, own.source);
    pointer += ADDRESS_LENGTH;
  }
  if (flag === TIMESTAMP_FLAG.PRESPECIFIED) {
    if (pointer + 3 > length) return -1;
    if (pointer + 7 > length || own.isUnicast(view.getUint32(option + pointer - 1))) return next;
    pointer += ADDRESS_LENGTH;
  } else if (flag !== TIMESTAMP_FLAG.WITH_ADDRESS && flag !== TIMESTAMP_FLAG.ONLY) return next;
  if (pointer + 3 > length) return -1;
  into.setUint32(to + pointer - 1, own.milliseconds);
  into.setUint8(to + 2, pointer + TIME_LENGTH);
  return next;
}

/**
 * The way back: the addresses that the packet has passed, last first, then its sender. The last of them becomes the
 * answer's destination. A route that begins with the sender itself loses that entry (RFC 1812 section 4.2.2.6).
 */
function echoSourceRoute(
  view: DataView,
  network: number,
  option: number,
  into: DataView,
  at: number,
  to: number,
): number {
  const sender = ipv4.source(view, network);
  const length = view.getUint8(option + 1);
  let from = Math.min(view.getUint8(option + 2), length + 1) - ADDRESS_LENGTH;
  if (from <= 3) return to;
  const first = view.getUint32(option + from - 1);
  let offset = ADDRESS_LENGTH;
  for (from -= ADDRESS_LENGTH; from > 3; from -= ADDRESS_LENGTH) {
    into.setUint32(to + offset - 1, view.getUint32(option + from - 1));
    offset += ADDRESS_LENGTH;
  }
  if (view.getUint32(option + from + 3) === sender) offset -= ADDRESS_LENGTH;
  if (offset <= 3) return to;
  into.setUint8(to, view.getUint8(option));
  into.setUint8(to + 1, offset + 3);
  into.setUint8(to + 2, FIRST_ADDRESS);
  into.setUint32(to + offset - 1, sender);
  ipv4.setDestination(into, at, first);
  return to + offset + 3;
}
