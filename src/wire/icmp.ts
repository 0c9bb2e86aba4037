/**
 * ICMP header: RFC 792; the meaning of octets 4 to 7 depends on the type.
 *
 *  0: type:8 code:8 checksum:16
 *  4: identifier:16 sequenceNumber:16
 *
 * The last four octets are `identifier` and `sequenceNumber` of echo messages, `gateway` of a redirect, `pointer` of a
 * parameter problem, `nextHopMtu` of fragmentation needed (RFC 1191 section 4).
 */
import { FAULT, type Fault } from './fault.ts';

const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const REST = 4;

export const HEADER_LENGTH = 8;

export const TYPES = {
  ECHO_REPLY: 0,
  DESTINATION_UNREACHABLE: 3,
  SOURCE_QUENCH: 4,
  REDIRECT: 5,
  ECHO: 8,
  TIME_EXCEEDED: 11,
  PARAMETER_PROBLEM: 12,
  TIMESTAMP: 13,
  TIMESTAMP_REPLY: 14,
  INFORMATION_REQUEST: 15,
  INFORMATION_REPLY: 16,
  ADDRESS_MASK_REQUEST: 17,
  ADDRESS_MASK_REPLY: 18,
} as const;

export interface Icmp {
  type: number;
  code: number;
  checksum: number;
  identifier: number;
  sequenceNumber: number;
}

export const create = (): Icmp => ({ type: 0, code: 0, checksum: 0, identifier: 0, sequenceNumber: 0 });

/** FAULT.NONE means that every accessor below is in bounds. */
export function check(_view: DataView, at: number, end: number): Fault {
  return end - at < HEADER_LENGTH ? FAULT.ICMP_SHORT : FAULT.NONE;
}

export const type = (view: DataView, at: number): number => view.getUint8(at + TYPE);
export const code = (view: DataView, at: number): number => view.getUint8(at + CODE);
export const checksum = (view: DataView, at: number): number => view.getUint16(at + CHECKSUM);
export const identifier = (view: DataView, at: number): number => view.getUint16(at + REST);
export const sequenceNumber = (view: DataView, at: number): number => view.getUint16(at + REST + 2);
export const gateway = (view: DataView, at: number): number => view.getUint32(at + REST);
export const pointer = (view: DataView, at: number): number => view.getUint8(at + REST);
export const nextHopMtu = (view: DataView, at: number): number => view.getUint16(at + REST + 2);
export const payloadStart = (_view: DataView, at: number): number => at + HEADER_LENGTH;

/** Whether a message of this type quotes the packet it complains about. */
export const isError = (messageType: number): boolean =>
  (messageType >= TYPES.DESTINATION_UNREACHABLE && messageType <= TYPES.REDIRECT) ||
  messageType === TYPES.TIME_EXCEEDED ||
  messageType === TYPES.PARAMETER_PROBLEM;

export const setIdentifier = (view: DataView, at: number, value: number): void => view.setUint16(at + REST, value);
export const setChecksum = (view: DataView, at: number, value: number): void => view.setUint16(at + CHECKSUM, value);

export function decode(view: DataView, at: number, into: Icmp): void {
  into.type = type(view, at);
  into.code = code(view, at);
  into.checksum = checksum(view, at);
  into.identifier = identifier(view, at);
  into.sequenceNumber = sequenceNumber(view, at);
}

export function encode(header: Readonly<Icmp>, view: DataView, at: number): void {
  view.setUint8(at + TYPE, header.type);
  view.setUint8(at + CODE, header.code);
  view.setUint16(at + CHECKSUM, header.checksum);
  view.setUint16(at + REST, header.identifier);
  view.setUint16(at + REST + 2, header.sequenceNumber);
}
