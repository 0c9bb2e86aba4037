/**
 * Linux "cooked" capture header, LINKTYPE_LINUX_SLL: https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html
 *
 *  0: packetType:16 hardwareType:16
 *  4: addressLength:16 address:16
 *  8: address:32
 *  12: padding:16 protocol:16
 *
 * The address field has 8 octets; `address` is the six of a MAC address, `padding` the rest.
 */
import { FAULT, type Fault } from './fault.ts';

const PACKET_TYPE = 0;
const HARDWARE_TYPE = 2;
const ADDRESS_LENGTH = 4;
const ADDRESS = 6;
const PADDING = 12;
const PROTOCOL = 14;

export const HEADER_LENGTH = 16;

/** ARPHRD_NETLINK: `protocol` is a netlink family, not an EtherType. */
const NETLINK = 824;

export interface Sll {
  /** 0 to us, 1 broadcast, 2 multicast, 3 between others, 4 sent by us. */
  packetType: number;
  /** ARPHRD_ value of the interface. */
  hardwareType: number;
  addressLength: number;
  /** Unsigned 48-bit number. */
  address: number;
  padding: number;
  protocol: number;
}

export const create = (): Sll => ({
  packetType: 0,
  hardwareType: 0,
  addressLength: 0,
  address: 0,
  padding: 0,
  protocol: 0,
});

/** FAULT.NONE means that every accessor below is in bounds. */
export function check(_view: DataView, at: number, end: number): Fault {
  return end - at < HEADER_LENGTH ? FAULT.SLL_SHORT : FAULT.NONE;
}

export const packetType = (view: DataView, at: number): number => view.getUint16(at + PACKET_TYPE);
export const hardwareType = (view: DataView, at: number): number => view.getUint16(at + HARDWARE_TYPE);
export const addressLength = (view: DataView, at: number): number => view.getUint16(at + ADDRESS_LENGTH);
export const address = (view: DataView, at: number): number =>
  view.getUint16(at + ADDRESS) * 0x1_0000_0000 + view.getUint32(at + ADDRESS + 2);
export const padding = (view: DataView, at: number): number => view.getUint16(at + PADDING);
export const protocol = (view: DataView, at: number): number => view.getUint16(at + PROTOCOL);
/** The EtherType of what follows, 0 where `protocol` is none. */
export const etherType = (view: DataView, at: number): number =>
  hardwareType(view, at) === NETLINK ? 0 : protocol(view, at);
export const payloadStart = (_view: DataView, at: number): number => at + HEADER_LENGTH;

export function decode(view: DataView, at: number, into: Sll): void {
  into.packetType = packetType(view, at);
  into.hardwareType = hardwareType(view, at);
  into.addressLength = addressLength(view, at);
  into.address = address(view, at);
  into.padding = padding(view, at);
  into.protocol = protocol(view, at);
}

export function encode(header: Readonly<Sll>, view: DataView, at: number): void {
  view.setUint16(at + PACKET_TYPE, header.packetType);
  view.setUint16(at + HARDWARE_TYPE, header.hardwareType);
  view.setUint16(at + ADDRESS_LENGTH, header.addressLength);
  view.setUint16(at + ADDRESS, header.address / 0x1_0000_0000);
  view.setUint32(at + ADDRESS + 2, header.address);
  view.setUint16(at + PADDING, header.padding);
  view.setUint16(at + PROTOCOL, header.protocol);
}
