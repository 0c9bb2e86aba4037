/**
 * ARP for IPv4 over Ethernet: RFC 826.
 *
 *  0: hardwareType:16 protocolType:16
 *  4: hardwareLength:8 protocolLength:8 operation:16
 *  8: senderHardware:32
 *  12: senderHardware:16 senderProtocol:16
 *  16: senderProtocol:16 targetHardware:16
 *  20: targetHardware:32
 *  24: targetProtocol:32
 *
 * Only the shape above is read: hardware addresses of 6 octets, protocol addresses of 4. The types and the operation are
 * values for the caller to judge; Linux, for one, answers hardware type 6.
 */
import { FAULT, type Fault } from './fault.ts';

const HARDWARE_TYPE = 0;
const PROTOCOL_TYPE = 2;
const HARDWARE_LENGTH = 4;
const PROTOCOL_LENGTH = 5;
const OPERATION = 6;
const SENDER_HARDWARE = 8;
const SENDER_PROTOCOL = 14;
const TARGET_HARDWARE = 18;
const TARGET_PROTOCOL = 24;
/** The part that says how long the addresses are. */
const FIXED_LENGTH = 8;

export const HEADER_LENGTH = 28;

export const OPERATIONS = { REQUEST: 1, REPLY: 2 } as const;

export interface Arp {
  hardwareType: number;
  protocolType: number;
  hardwareLength: number;
  protocolLength: number;
  operation: number;
  /** Unsigned 48-bit number. */
  senderHardware: number;
  senderProtocol: number;
  targetHardware: number;
  targetProtocol: number;
}

export const create = (): Arp => ({
  hardwareType: 0,
  protocolType: 0,
  hardwareLength: 0,
  protocolLength: 0,
  operation: 0,
  senderHardware: 0,
  senderProtocol: 0,
  targetHardware: 0,
  targetProtocol: 0,
});

/** FAULT.NONE means that every accessor below is in bounds and reads the field it is named after. */
export function check(view: DataView, at: number, end: number): Fault {
  if (end - at < FIXED_LENGTH) return FAULT.ARP_SHORT;
  if (view.getUint8(at + HARDWARE_LENGTH) !== 6) return FAULT.ARP_HARDWARE_LENGTH_NOT_6;
  if (view.getUint8(at + PROTOCOL_LENGTH) !== 4) return FAULT.ARP_PROTOCOL_LENGTH_NOT_4;
  return end - at < HEADER_LENGTH ? FAULT.ARP_SHORT : FAULT.NONE;
}

const mac = (view: DataView, at: number): number => view.getUint16(at) * 0x1_0000_0000 + view.getUint32(at + 2);

export const hardwareType = (view: DataView, at: number): number => view.getUint16(at + HARDWARE_TYPE);
export const protocolType = (view: DataView, at: number): number => view.getUint16(at + PROTOCOL_TYPE);
export const hardwareLength = (view: DataView, at: number): number => view.getUint8(at + HARDWARE_LENGTH);
export const protocolLength = (view: DataView, at: number): number => view.getUint8(at + PROTOCOL_LENGTH);
export const operation = (view: DataView, at: number): number => view.getUint16(at + OPERATION);
export const senderHardware = (view: DataView, at: number): number => mac(view, at + SENDER_HARDWARE);
export const senderProtocol = (view: DataView, at: number): number => view.getUint32(at + SENDER_PROTOCOL);
export const targetHardware = (view: DataView, at: number): number => mac(view, at + TARGET_HARDWARE);
export const targetProtocol = (view: DataView, at: number): number => view.getUint32(at + TARGET_PROTOCOL);
export const payloadStart = (_view: DataView, at: number): number => at + HEADER_LENGTH;

function setMac(view: DataView, at: number, value: number): void {
  view.setUint16(at, value / 0x1_0000_0000);
  view.setUint32(at + 2, value);
}

export function decode(view: DataView, at: number, into: Arp): void {
  into.hardwareType = hardwareType(view, at);
  into.protocolType = protocolType(view, at);
  into.hardwareLength = hardwareLength(view, at);
  into.protocolLength = protocolLength(view, at);
  into.operation = operation(view, at);
  into.senderHardware = senderHardware(view, at);
  into.senderProtocol = senderProtocol(view, at);
  into.targetHardware = targetHardware(view, at);
  into.targetProtocol = targetProtocol(view, at);
}

export function encode(header: Readonly<Arp>, view: DataView, at: number): void {
  view.setUint16(at + HARDWARE_TYPE, header.hardwareType);
  view.setUint16(at + PROTOCOL_TYPE, header.protocolType);
  view.setUint8(at + HARDWARE_LENGTH, header.hardwareLength);
  view.setUint8(at + PROTOCOL_LENGTH, header.protocolLength);
  view.setUint16(at + OPERATION, header.operation);
  setMac(view, at + SENDER_HARDWARE, header.senderHardware);
  view.setUint32(at + SENDER_PROTOCOL, header.senderProtocol);
  setMac(view, at + TARGET_HARDWARE, header.targetHardware);
  view.setUint32(at + TARGET_PROTOCOL, header.targetProtocol);
}
