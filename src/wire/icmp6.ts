/**
 * ICMPv6 header: RFC 4443 section 2.1; the meaning of octets 4 to 7 depends on the type.
 *
 *  0: type:8 code:8 checksum:16
 *  4: identifier:16 sequenceNumber:16
 *
 * The last four octets are `identifier` and `sequenceNumber` of echo messages, `mtu` of packet too big, `pointer` of a
 * parameter problem. Linux asks for all 8 octets of every type, and so does `check`.
 */
import { FAULT, type Fault } from './fault.ts';

const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const REST = 4;

export const HEADER_LENGTH = 8;

export const TYPES = {
  DESTINATION_UNREACHABLE: 1,
  PACKET_TOO_BIG: 2,
  TIME_EXCEEDED: 3,
  PARAMETER_PROBLEM: 4,
  ECHO_REQUEST: 128,
  ECHO_REPLY: 129,
  ROUTER_SOLICITATION: 133,
  ROUTER_ADVERTISEMENT: 134,
  NEIGHBOR_SOLICITATION: 135,
  NEIGHBOR_ADVERTISEMENT: 136,
} as const;

export interface Icmp6 {
  type: number;
  code: number;
  checksum: number;
  identifier: number;
  sequenceNumber: number;
}

export const create = (): Icmp6 => ({ type: 0, code: 0, checksum: 0, identifier: 0, sequenceNumber: 0 });

/** FAULT.NONE means that every accessor below is in bounds. */
export function check(_view: DataView, at: number, end: number): Fault {
  return end - at < HEADER_LENGTH ? FAULT.ICMP6_SHORT : FAULT.NONE;
}

export const type = (view: DataView, at: number): number => view.getUint8(at + TYPE);
export const code = (view: DataView, at: number): number => view.getUint8(at + CODE);
export const checksum = (view: DataView, at: number): number => view.getUint16(at + CHECKSUM);
export const identifier = (view: DataView, at: number): number => view.getUint16(at + REST);
export const sequenceNumber = (view: DataView, at: number): number => view.getUint16(at + REST + 2);
export const mtu = (view: DataView, at: number): number => view.getUint32(at + REST);
export const pointer = (view: DataView, at: number): number => view.getUint32(at + REST);
export const payloadStart = (_view: DataView, at: number): number => at + HEADER_LENGTH;

/** Whether a message of this type is an error, which quotes the packet it complains about (RFC 4443 section 2.1). */
export const isError = (messageType: number): boolean => messageType < 128;

export const setChecksum = (view: DataView, at: number, value: number): void => view.setUint16(at + CHECKSUM, value);

export function decode(view: DataView, at: number, into: Icmp6): void {
  into.type = type(view, at);
  into.code = code(view, at);
  into.checksum = checksum(view, at);
  into.identifier = identifier(view, at);
  into.sequenceNumber = sequenceNumber(view, at);
}

export function encode(header: Readonly<Icmp6>, view: DataView, at: number): void {
  view.setUint8(at + TYPE, header.type);
  view.setUint8(at + CODE, header.code);
  view.setUint16(at + CHECKSUM, header.checksum);
  view.setUint16(at + REST, header.identifier);
  view.setUint16(at + REST + 2, header.sequenceNumber);
}
