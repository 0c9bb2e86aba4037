/**
 * TCP header: RFC 9293 section 3.1.
 *
 *  0: sourcePort:16 destinationPort:16
 *  4: sequenceNumber:32
 *  8: acknowledgmentNumber:32
 *  12: dataOffset:4 reserved:4 flags:8 window:16
 *  16: checksum:16 urgentPointer:16
 *
 * Options follow when `dataOffset` is above 5. A bad option is no reason to refuse the header: Linux stops reading the
 * options there and goes on with the segment. `checkOptions` tells.
 */
import { FAULT, type Fault } from './fault.ts';
import * as options from './options.ts';

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const SEQUENCE_NUMBER = 4;
const ACKNOWLEDGMENT_NUMBER = 8;
const OFFSET_AND_RESERVED = 12;
const FLAGS = 13;
const WINDOW = 14;
const CHECKSUM = 16;
const URGENT_POINTER = 18;

/** Without options. */
export const HEADER_LENGTH = 20;

/** Bits of `flags`. */
export const FLAG = {
  FIN: 0x01,
  SYN: 0x02,
  RST: 0x04,
  PSH: 0x08,
  ACK: 0x10,
  URG: 0x20,
  ECE: 0x40,
  CWR: 0x80,
} as const;

/** Option kinds; the length of each, kind and length octets included, is fixed but for SACK. */
export const OPTION = {
  MAXIMUM_SEGMENT_SIZE: 2,
  WINDOW_SCALE: 3,
  SACK_PERMITTED: 4,
  SACK: 5,
  TIMESTAMPS: 8,
} as const;

export interface Tcp {
  sourcePort: number;
  destinationPort: number;
  sequenceNumber: number;
  acknowledgmentNumber: number;
  /** Header length in 32-bit words. */
  dataOffset: number;
  reserved: number;
  flags: number;
  window: number;
  checksum: number;
  urgentPointer: number;
}

export const create = (): Tcp => ({
  sourcePort: 0,
  destinationPort: 0,
  sequenceNumber: 0,
  acknowledgmentNumber: 0,
  dataOffset: 0,
  reserved: 0,
  flags: 0,
  window: 0,
  checksum: 0,
  urgentPointer: 0,
});

/**
 * FAULT.NONE means: every accessor below is in bounds, and the options lie in `[at, end)`. TCP_DATA_OFFSET_BEYOND_END is
 * asked last: the 20 octets without options are there.
 */
export function check(view: DataView, at: number, end: number): Fault {
  if (end - at < HEADER_LENGTH) return FAULT.TCP_SHORT;
  const declared = (view.getUint8(at + OFFSET_AND_RESERVED) >>> 4) << 2;
  if (declared < HEADER_LENGTH) return FAULT.TCP_DATA_OFFSET_BELOW_5;
  if (declared > end - at) return FAULT.TCP_DATA_OFFSET_BEYOND_END;
  return FAULT.NONE;
}

/** Walk the options, no further than `end`, where the capture or a fragment may have cut them. */
export const checkOptions = (view: DataView, at: number, end: number): Fault =>
  options.check(
    view,
    optionsStart(view, at),
    Math.min(payloadStart(view, at), end),
    FAULT.TCP_OPTION_LENGTH_BELOW_2,
    FAULT.TCP_OPTION_BEYOND_HEADER,
  );

export const sourcePort = (view: DataView, at: number): number => view.getUint16(at + SOURCE_PORT);
export const destinationPort = (view: DataView, at: number): number => view.getUint16(at + DESTINATION_PORT);
export const sequenceNumber = (view: DataView, at: number): number => view.getUint32(at + SEQUENCE_NUMBER);
export const acknowledgmentNumber = (view: DataView, at: number): number => view.getUint32(at + ACKNOWLEDGMENT_NUMBER);
export const dataOffset = (view: DataView, at: number): number => view.getUint8(at + OFFSET_AND_RESERVED) >>> 4;
export const reserved = (view: DataView, at: number): number => view.getUint8(at + OFFSET_AND_RESERVED) & 0xf;
/** The FLAG bits, CWR to FIN. */
export const flags = (view: DataView, at: number): number => view.getUint8(at + FLAGS);
export const window = (view: DataView, at: number): number => view.getUint16(at + WINDOW);
export const checksum = (view: DataView, at: number): number => view.getUint16(at + CHECKSUM);
export const urgentPointer = (view: DataView, at: number): number => view.getUint16(at + URGENT_POINTER);

/** Header with options, in octets. */
export const headerLength = (view: DataView, at: number): number => dataOffset(view, at) << 2;
export const optionsStart = (_view: DataView, at: number): number => at + HEADER_LENGTH;
export const payloadStart = (view: DataView, at: number): number => at + headerLength(view, at);
/** Offset of the first whole option of `kind` (its kind octet) before `end`, or -1. */
export const findOption = (view: DataView, at: number, end: number, kind: number): number =>
  options.find(view, optionsStart(view, at), Math.min(payloadStart(view, at), end), kind);

/** Offset of the first option before `end` that does not fit, or -1. */
export const badOption = (view: DataView, at: number, end: number): number =>
  options.bad(view, optionsStart(view, at), Math.min(payloadStart(view, at), end));

export const setSourcePort = (view: DataView, at: number, value: number): void =>
  view.setUint16(at + SOURCE_PORT, value);
export const setDestinationPort = (view: DataView, at: number, value: number): void =>
  view.setUint16(at + DESTINATION_PORT, value);
export const setChecksum = (view: DataView, at: number, value: number): void => view.setUint16(at + CHECKSUM, value);

export function decode(view: DataView, at: number, into: Tcp): void {
  into.sourcePort = sourcePort(view, at);
  into.destinationPort = destinationPort(view, at);
  into.sequenceNumber = sequenceNumber(view, at);
  into.acknowledgmentNumber = acknowledgmentNumber(view, at);
  into.dataOffset = dataOffset(view, at);
  into.reserved = reserved(view, at);
  into.flags = flags(view, at);
  into.window = window(view, at);
  into.checksum = checksum(view, at);
  into.urgentPointer = urgentPointer(view, at);
}

/** Write the 20 octets without options. */
export function encode(header: Readonly<Tcp>, view: DataView, at: number): void {
  view.setUint16(at + SOURCE_PORT, header.sourcePort);
  view.setUint16(at + DESTINATION_PORT, header.destinationPort);
  view.setUint32(at + SEQUENCE_NUMBER, header.sequenceNumber);
  view.setUint32(at + ACKNOWLEDGMENT_NUMBER, header.acknowledgmentNumber);
  view.setUint8(at + OFFSET_AND_RESERVED, (header.dataOffset << 4) | (header.reserved & 0xf));
  view.setUint8(at + FLAGS, header.flags);
  view.setUint16(at + WINDOW, header.window);
  view.setUint16(at + CHECKSUM, header.checksum);
  view.setUint16(at + URGENT_POINTER, header.urgentPointer);
}
