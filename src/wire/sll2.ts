/**
 * Linux "cooked" capture header, version 2: https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html
 *
 *  0: protocol:16 reserved:16
 *  4: interfaceIndex:32
 *  8: hardwareType:16 packetType:8 addressLength:8
 *  12: address:32
 *  16: address:16 padding:16
 *
 * The address field has 8 octets; `address` is the six of a MAC address, `padding` the rest.
 */
import { FAULT, type Fault } from './fault.ts';

const PROTOCOL = 0;
const RESERVED = 2;
const INTERFACE_INDEX = 4;
const HARDWARE_TYPE = 8;
const PACKET_TYPE = 10;
const ADDRESS_LENGTH = 11;
const ADDRESS = 12;
const PADDING = 18;

export const HEADER_LENGTH = 20;

/** ARPHRD_NETLINK: `protocol` is a netlink family, not an EtherType. */
const NETLINK = 824;

export interface Sll2 {
  protocol: number;
  reserved: number;
  /** Of the machine that captured; 0 when unknown. */
  interfaceIndex: number;
  /** ARPHRD_ value of the interface. */
  hardwareType: number;
  /** 0 to us, 1 broadcast, 2 multicast, 3 between others, 4 sent by us. */
  packetType: number;
  addressLength: number;
  /** Unsigned 48-bit number. */
  address: number;
  padding: number;
}

export const create = (): Sll2 => ({
  protocol: 0,
  reserved: 0,
  interfaceIndex: 0,
  hardwareType: 0,
  packetType: 0,
  addressLength: 0,
  address: 0,
  padding: 0,
});

/** FAULT.NONE means that every accessor below is in bounds. */
export function check(_view: DataView, at: number, end: number): Fault {
  return end - at < HEADER_LENGTH ? FAULT.SLL2_SHORT : FAULT.NONE;
}

export const protocol = (view: DataView, at: number): number => view.getUint16(at + PROTOCOL);
export const reserved = (view: DataView, at: number): number => view.getUint16(at + RESERVED);
export const interfaceIndex = (view: DataView, at: number): number => view.getUint32(at + INTERFACE_INDEX);
export const hardwareType = (view: DataView, at: number): number => view.getUint16(at + HARDWARE_TYPE);
export const packetType = (view: DataView, at: number): number => view.getUint8(at + PACKET_TYPE);
export const addressLength = (view: DataView, at: number): number => view.getUint8(at + ADDRESS_LENGTH);
export const address = (view: DataView, at: number): number =>
  view.getUint32(at + ADDRESS) * 0x1_0000 + view.getUint16(at + ADDRESS + 4);
export const padding = (view: DataView, at: number): number => view.getUint16(at + PADDING);
/** The EtherType of what follows, 0 where `protocol` is none. */
export const etherType = (view: DataView, at: number): number =>
  hardwareType(view, at) === NETLINK ? 0 : protocol(view, at);
export const payloadStart = (_view: DataView, at: number): number => at + HEADER_LENGTH;

export function decode(view: DataView, at: number, into: Sll2): void {
  into.protocol = protocol(view, at);
  into.reserved = reserved(view, at);
  into.interfaceIndex = interfaceIndex(view, at);
  into.hardwareType = hardwareType(view, at);
  into.packetType = packetType(view, at);
  into.addressLength = addressLength(view, at);
  into.address = address(view, at);
  into.padding = padding(view, at);
}

export function encode(header: Readonly<Sll2>, view: DataView, at: number): void {
  view.setUint16(at + PROTOCOL, header.protocol);
  view.setUint16(at + RESERVED, header.reserved);
  view.setUint32(at + INTERFACE_INDEX, header.interfaceIndex);
  view.setUint16(at + HARDWARE_TYPE, header.hardwareType);
  view.setUint8(at + PACKET_TYPE, header.packetType);
  view.setUint8(at + ADDRESS_LENGTH, header.addressLength);
  view.setUint32(at + ADDRESS, header.address / 0x1_0000);
  view.setUint16(at + ADDRESS + 4, header.address);
  view.setUint16(at + PADDING, header.padding);
}
