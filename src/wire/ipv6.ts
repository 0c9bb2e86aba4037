/**
 * IPv6 header: RFC 8200 section 3; the traffic class as RFC 2474 and RFC 3168 divide it.
 *
 *  0: version:4 dscp:6 ecn:2 flowLabel:20
 *  4: payloadLength:16 nextHeader:8 hopLimit:8
 *  8: source0:32
 *  12: source1:32
 *  16: source2:32
 *  20: source3:32
 *  24: destination0:32
 *  28: destination1:32
 *  32: destination2:32
 *  36: destination3:32
 *
 * A payload length of 0 in front of a hop-by-hop header may be a jumbogram (RFC 2675); `check` takes it as it stands,
 * `layers.ts` looks for the option.
 */
import { FAULT, type Fault } from './fault.ts';

const FIRST = 0;
const PAYLOAD_LENGTH = 4;
const NEXT_HEADER = 6;
const HOP_LIMIT = 7;
const SOURCE = 8;
const DESTINATION = 24;

export const HEADER_LENGTH = 40;

export interface Ipv6 {
  version: number;
  dscp: number;
  ecn: number;
  flowLabel: number;
  /** Everything behind these 40 octets, extension headers included. */
  payloadLength: number;
  nextHeader: number;
  hopLimit: number;
  /** The address as four words, the most significant first. */
  source0: number;
  source1: number;
  source2: number;
  source3: number;
  destination0: number;
  destination1: number;
  destination2: number;
  destination3: number;
}

export const create = (): Ipv6 => ({
  version: 0,
  dscp: 0,
  ecn: 0,
  flowLabel: 0,
  payloadLength: 0,
  nextHeader: 0,
  hopLimit: 0,
  source0: 0,
  source1: 0,
  source2: 0,
  source3: 0,
  destination0: 0,
  destination1: 0,
  destination2: 0,
  destination3: 0,
});

/**
 * FAULT.NONE means: every accessor below is in bounds, and `payloadEnd` <= `end`. IPV6_PAYLOAD_LENGTH_BEYOND_END is asked
 * last: a caller who knows that the capture cut the packet may go on after it.
 */
export function check(view: DataView, at: number, end: number): Fault {
  if (end - at < HEADER_LENGTH) return FAULT.IPV6_SHORT;
  if (view.getUint8(at + FIRST) >>> 4 !== 6) return FAULT.IPV6_VERSION_NOT_6;
  if (view.getUint16(at + PAYLOAD_LENGTH) > end - at - HEADER_LENGTH) return FAULT.IPV6_PAYLOAD_LENGTH_BEYOND_END;
  return FAULT.NONE;
}

export const version = (view: DataView, at: number): number => view.getUint8(at + FIRST) >>> 4;
export const dscp = (view: DataView, at: number): number => (view.getUint16(at + FIRST) >>> 6) & 0x3f;
export const ecn = (view: DataView, at: number): number => (view.getUint16(at + FIRST) >>> 4) & 3;
export const flowLabel = (view: DataView, at: number): number => view.getUint32(at + FIRST) & 0xfffff;
export const payloadLength = (view: DataView, at: number): number => view.getUint16(at + PAYLOAD_LENGTH);
export const nextHeader = (view: DataView, at: number): number => view.getUint8(at + NEXT_HEADER);
export const hopLimit = (view: DataView, at: number): number => view.getUint8(at + HOP_LIMIT);
export const source0 = (view: DataView, at: number): number => view.getUint32(at + SOURCE);
export const source1 = (view: DataView, at: number): number => view.getUint32(at + SOURCE + 4);
export const source2 = (view: DataView, at: number): number => view.getUint32(at + SOURCE + 8);
export const source3 = (view: DataView, at: number): number => view.getUint32(at + SOURCE + 12);
export const destination0 = (view: DataView, at: number): number => view.getUint32(at + DESTINATION);
export const destination1 = (view: DataView, at: number): number => view.getUint32(at + DESTINATION + 4);
export const destination2 = (view: DataView, at: number): number => view.getUint32(at + DESTINATION + 8);
export const destination3 = (view: DataView, at: number): number => view.getUint32(at + DESTINATION + 12);

/** Offset of the 16 octets of the source address. */
export const sourceStart = (_view: DataView, at: number): number => at + SOURCE;
/** Offset of the 16 octets of the destination address. */
export const destinationStart = (_view: DataView, at: number): number => at + DESTINATION;
export const payloadStart = (_view: DataView, at: number): number => at + HEADER_LENGTH;
export const payloadEnd = (view: DataView, at: number): number => at + HEADER_LENGTH + payloadLength(view, at);

export const setPayloadLength = (view: DataView, at: number, value: number): void =>
  view.setUint16(at + PAYLOAD_LENGTH, value);
export const setHopLimit = (view: DataView, at: number, value: number): void => view.setUint8(at + HOP_LIMIT, value);

export function decode(view: DataView, at: number, into: Ipv6): void {
  into.version = version(view, at);
  into.dscp = dscp(view, at);
  into.ecn = ecn(view, at);
  into.flowLabel = flowLabel(view, at);
  into.payloadLength = payloadLength(view, at);
  into.nextHeader = nextHeader(view, at);
  into.hopLimit = hopLimit(view, at);
  into.source0 = source0(view, at);
  into.source1 = source1(view, at);
  into.source2 = source2(view, at);
  into.source3 = source3(view, at);
  into.destination0 = destination0(view, at);
  into.destination1 = destination1(view, at);
  into.destination2 = destination2(view, at);
  into.destination3 = destination3(view, at);
}

export function encode(header: Readonly<Ipv6>, view: DataView, at: number): void {
  const trafficClass = ((header.dscp & 0x3f) << 2) | (header.ecn & 3);
  view.setUint32(at + FIRST, (header.version << 28) | (trafficClass << 20) | (header.flowLabel & 0xfffff));
  view.setUint16(at + PAYLOAD_LENGTH, header.payloadLength);
  view.setUint8(at + NEXT_HEADER, header.nextHeader);
  view.setUint8(at + HOP_LIMIT, header.hopLimit);
  view.setUint32(at + SOURCE, header.source0);
  view.setUint32(at + SOURCE + 4, header.source1);
  view.setUint32(at + SOURCE + 8, header.source2);
  view.setUint32(at + SOURCE + 12, header.source3);
  view.setUint32(at + DESTINATION, header.destination0);
  view.setUint32(at + DESTINATION + 4, header.destination1);
  view.setUint32(at + DESTINATION + 8, header.destination2);
  view.setUint32(at + DESTINATION + 12, header.destination3);
}
