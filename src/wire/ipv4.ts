/**
 * IPv4 header: RFC 791 section 3.1; the type of service octet as RFC 2474 and RFC 3168 redefine it.
 *
 *  0: version:4 ihl:4 dscp:6 ecn:2 totalLength:16
 *  4: identification:16 reserved:1 dontFragment:1 moreFragments:1 fragmentOffset:13
 *  8: timeToLive:8 protocol:8 headerChecksum:16
 *  12: source:32
 *  16: destination:32
 *
 * Options follow when `ihl` is above 5; `checkOptions` walks them. The header checksum is not verified here: see
 * `integrity.ts`.
 */
import { FAULT, type Fault } from './fault.ts';
import * as options from './options.ts';

const VERSION_AND_IHL = 0;
const SERVICE = 1;
const TOTAL_LENGTH = 2;
const IDENTIFICATION = 4;
const FLAGS_AND_OFFSET = 6;
const TIME_TO_LIVE = 8;
const PROTOCOL = 9;
const HEADER_CHECKSUM = 10;
const SOURCE = 12;
const DESTINATION = 16;

/** Without options. */
export const HEADER_LENGTH = 20;

export interface Ipv4 {
  version: number;
  /** Header length in 32-bit words. */
  ihl: number;
  dscp: number;
  ecn: number;
  /** Header and payload, in octets. */
  totalLength: number;
  identification: number;
  reserved: number;
  dontFragment: number;
  moreFragments: number;
  /** In octets, a multiple of 8. */
  fragmentOffset: number;
  timeToLive: number;
  protocol: number;
  headerChecksum: number;
  source: number;
  destination: number;
}

export const create = (): Ipv4 => ({
  version: 0,
  ihl: 0,
  dscp: 0,
  ecn: 0,
  totalLength: 0,
  identification: 0,
  reserved: 0,
  dontFragment: 0,
  moreFragments: 0,
  fragmentOffset: 0,
  timeToLive: 0,
  protocol: 0,
  headerChecksum: 0,
  source: 0,
  destination: 0,
});

/**
 * FAULT.NONE means: every accessor below is in bounds, the options lie in `[at, end)`, and so does the datagram.
 * IPV4_TOTAL_LENGTH_BEYOND_END is asked last: a caller who knows that the capture cut the packet may go on after it.
 */
export function check(view: DataView, at: number, end: number): Fault {
  if (end - at < HEADER_LENGTH) return FAULT.IPV4_SHORT;
  const first = view.getUint8(at + VERSION_AND_IHL);
  if (first >>> 4 !== 4) return FAULT.IPV4_VERSION_NOT_4;
  const length = (first & 0xf) << 2;
  if (length < HEADER_LENGTH) return FAULT.IPV4_IHL_BELOW_5;
  if (length > end - at) return FAULT.IPV4_IHL_BEYOND_END;
  const total = view.getUint16(at + TOTAL_LENGTH);
  if (total < length) return FAULT.IPV4_TOTAL_LENGTH_BELOW_HEADER;
  if (total > end - at) return FAULT.IPV4_TOTAL_LENGTH_BEYOND_END;
  return FAULT.NONE;
}

/** Walk the options of a header whose IHL is in bounds; FAULT.NONE without options. */
export const checkOptions = (view: DataView, at: number): Fault =>
  options.check(
    view,
    optionsStart(view, at),
    payloadStart(view, at),
    FAULT.IPV4_OPTION_LENGTH_BELOW_2,
    FAULT.IPV4_OPTION_BEYOND_HEADER,
  );

export const version = (view: DataView, at: number): number => view.getUint8(at + VERSION_AND_IHL) >>> 4;
export const ihl = (view: DataView, at: number): number => view.getUint8(at + VERSION_AND_IHL) & 0xf;
export const dscp = (view: DataView, at: number): number => view.getUint8(at + SERVICE) >>> 2;
export const ecn = (view: DataView, at: number): number => view.getUint8(at + SERVICE) & 3;
export const totalLength = (view: DataView, at: number): number => view.getUint16(at + TOTAL_LENGTH);
export const identification = (view: DataView, at: number): number => view.getUint16(at + IDENTIFICATION);
export const reserved = (view: DataView, at: number): number => view.getUint16(at + FLAGS_AND_OFFSET) >>> 15;
export const dontFragment = (view: DataView, at: number): number => (view.getUint16(at + FLAGS_AND_OFFSET) >>> 14) & 1;
export const moreFragments = (view: DataView, at: number): number => (view.getUint16(at + FLAGS_AND_OFFSET) >>> 13) & 1;
/** In octets. */
export const fragmentOffset = (view: DataView, at: number): number =>
  (view.getUint16(at + FLAGS_AND_OFFSET) & 0x1fff) << 3;
/** Whether the packet is a fragment, the first one or a later one. */
export const isFragment = (view: DataView, at: number): boolean =>
  (view.getUint16(at + FLAGS_AND_OFFSET) & 0x3fff) !== 0;
export const timeToLive = (view: DataView, at: number): number => view.getUint8(at + TIME_TO_LIVE);
export const protocol = (view: DataView, at: number): number => view.getUint8(at + PROTOCOL);
export const headerChecksum = (view: DataView, at: number): number => view.getUint16(at + HEADER_CHECKSUM);
export const source = (view: DataView, at: number): number => view.getUint32(at + SOURCE);
export const destination = (view: DataView, at: number): number => view.getUint32(at + DESTINATION);

/** Header with options, in octets. */
export const headerLength = (view: DataView, at: number): number => ihl(view, at) << 2;
export const optionsStart = (_view: DataView, at: number): number => at + HEADER_LENGTH;
export const payloadStart = (view: DataView, at: number): number => at + headerLength(view, at);
export const payloadEnd = (view: DataView, at: number): number => at + totalLength(view, at);
/** Offset of the first whole option of `kind` (its type octet), or -1. */
export const findOption = (view: DataView, at: number, kind: number): number =>
  options.find(view, optionsStart(view, at), payloadStart(view, at), kind);

/** Offset of the first option that does not fit, or -1: what an ICMP parameter problem points at. */
export const badOption = (view: DataView, at: number): number =>
  options.bad(view, optionsStart(view, at), payloadStart(view, at));

export const setEcn = (view: DataView, at: number, value: number): void =>
  view.setUint8(at + SERVICE, (view.getUint8(at + SERVICE) & 0xfc) | (value & 3));
export const setTotalLength = (view: DataView, at: number, value: number): void =>
  view.setUint16(at + TOTAL_LENGTH, value);
export const setIdentification = (view: DataView, at: number, value: number): void =>
  view.setUint16(at + IDENTIFICATION, value);
/** Set the more-fragments bit (0 or 1) and the offset in octets; the other two flag bits stay. */
export const setFragment = (view: DataView, at: number, more: number, offset: number): void =>
  view.setUint16(
    at + FLAGS_AND_OFFSET,
    (view.getUint16(at + FLAGS_AND_OFFSET) & 0xc000) | ((more & 1) << 13) | (offset >>> 3),
  );
export const setTimeToLive = (view: DataView, at: number, value: number): void =>
  view.setUint8(at + TIME_TO_LIVE, value);
export const setHeaderChecksum = (view: DataView, at: number, value: number): void =>
  view.setUint16(at + HEADER_CHECKSUM, value);
export const setSource = (view: DataView, at: number, value: number): void => view.setUint32(at + SOURCE, value);
export const setDestination = (view: DataView, at: number, value: number): void =>
  view.setUint32(at + DESTINATION, value);

export function decode(view: DataView, at: number, into: Ipv4): void {
  into.version = version(view, at);
  into.ihl = ihl(view, at);
  into.dscp = dscp(view, at);
  into.ecn = ecn(view, at);
  into.totalLength = totalLength(view, at);
  into.identification = identification(view, at);
  into.reserved = reserved(view, at);
  into.dontFragment = dontFragment(view, at);
  into.moreFragments = moreFragments(view, at);
  into.fragmentOffset = fragmentOffset(view, at);
  into.timeToLive = timeToLive(view, at);
  into.protocol = protocol(view, at);
  into.headerChecksum = headerChecksum(view, at);
  into.source = source(view, at);
  into.destination = destination(view, at);
}

/** Write the 20 octets without options. */
export function encode(header: Readonly<Ipv4>, view: DataView, at: number): void {
  view.setUint8(at + VERSION_AND_IHL, (header.version << 4) | (header.ihl & 0xf));
  view.setUint8(at + SERVICE, (header.dscp << 2) | (header.ecn & 3));
  view.setUint16(at + TOTAL_LENGTH, header.totalLength);
  view.setUint16(at + IDENTIFICATION, header.identification);
  const flags = ((header.reserved & 1) << 2) | ((header.dontFragment & 1) << 1) | (header.moreFragments & 1);
  view.setUint16(at + FLAGS_AND_OFFSET, (flags << 13) | ((header.fragmentOffset >>> 3) & 0x1fff));
  view.setUint8(at + TIME_TO_LIVE, header.timeToLive);
  view.setUint8(at + PROTOCOL, header.protocol);
  view.setUint16(at + HEADER_CHECKSUM, header.headerChecksum);
  view.setUint32(at + SOURCE, header.source);
  view.setUint32(at + DESTINATION, header.destination);
}
