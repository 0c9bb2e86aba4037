/**
 * UDP header: RFC 768.
 *
 *  0: sourcePort:16 destinationPort:16
 *  4: length:16 checksum:16
 */
import { FAULT, type Fault } from './fault.ts';

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const LENGTH = 4;
const CHECKSUM = 6;

export const HEADER_LENGTH = 8;

export interface Udp {
  sourcePort: number;
  destinationPort: number;
  /** Header and payload, in octets. */
  length: number;
  /** 0 means that the sender computed none; a computed 0 is sent as 0xffff. */
  checksum: number;
}

export const create = (): Udp => ({ sourcePort: 0, destinationPort: 0, length: 0, checksum: 0 });

/**
 * FAULT.NONE means: every accessor below is in bounds, and `payloadEnd` <= `end`. UDP_LENGTH_BEYOND_END is asked last: a
 * caller who knows that the capture cut the packet may go on after it.
 */
export function check(view: DataView, at: number, end: number): Fault {
  if (end - at < HEADER_LENGTH) return FAULT.UDP_SHORT;
  const declared = view.getUint16(at + LENGTH);
  if (declared < HEADER_LENGTH) return FAULT.UDP_LENGTH_BELOW_HEADER;
  if (declared > end - at) return FAULT.UDP_LENGTH_BEYOND_END;
  return FAULT.NONE;
}

export const sourcePort = (view: DataView, at: number): number => view.getUint16(at + SOURCE_PORT);
export const destinationPort = (view: DataView, at: number): number => view.getUint16(at + DESTINATION_PORT);
export const length = (view: DataView, at: number): number => view.getUint16(at + LENGTH);
export const checksum = (view: DataView, at: number): number => view.getUint16(at + CHECKSUM);
export const payloadStart = (_view: DataView, at: number): number => at + HEADER_LENGTH;
export const payloadEnd = (view: DataView, at: number): number => at + length(view, at);

export const setSourcePort = (view: DataView, at: number, value: number): void =>
  view.setUint16(at + SOURCE_PORT, value);
export const setDestinationPort = (view: DataView, at: number, value: number): void =>
  view.setUint16(at + DESTINATION_PORT, value);
export const setLength = (view: DataView, at: number, value: number): void => view.setUint16(at + LENGTH, value);
export const setChecksum = (view: DataView, at: number, value: number): void => view.setUint16(at + CHECKSUM, value);

export function decode(view: DataView, at: number, into: Udp): void {
  into.sourcePort = sourcePort(view, at);
  into.destinationPort = destinationPort(view, at);
  into.length = length(view, at);
  into.checksum = checksum(view, at);
}

export function encode(header: Readonly<Udp>, view: DataView, at: number): void {
  view.setUint16(at + SOURCE_PORT, header.sourcePort);
  view.setUint16(at + DESTINATION_PORT, header.destinationPort);
  view.setUint16(at + LENGTH, header.length);
  view.setUint16(at + CHECKSUM, header.checksum);
}
