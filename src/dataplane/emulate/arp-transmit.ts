/** ARP that a host sends: net/ipv4/arp.c, arp_create. No padding; Ethernet adds it on a real wire. */
import * as arp from '../../wire/arp.ts';
import * as ethernet from '../../wire/ethernet.ts';
import { ETHER_TYPE } from '../../wire/protocol.ts';
import type { Device } from './device.ts';
import type { Emulation } from './emulation.ts';
import { type Frame, take } from './frame.ts';

const ETHERNET = 1;
const header: arp.Arp = {
  ...arp.create(),
  hardwareType: ETHERNET,
  protocolType: ETHER_TYPE.IPV4,
  hardwareLength: 6,
  protocolLength: 4,
};

/** The frame of `header` from `device` to the hardware address `destination`. `cause` is the packet it comes from. */
function write(emulation: Emulation, device: Device, destination: number, cause: number): Frame {
  const frame = take(emulation.frames, ethernet.HEADER_LENGTH + arp.HEADER_LENGTH, cause);
  const { view, at } = frame;
  frame.network = at + ethernet.HEADER_LENGTH;
  frame.end = frame.network + arp.HEADER_LENGTH;
  ethernet.setDestination(view, at, destination);
  ethernet.setSource(view, at, device.mac);
  ethernet.setType(view, at, ETHER_TYPE.ARP);
  header.senderHardware = device.mac;
  arp.encode(header, view, frame.network);
  return frame;
}

/** Who has `address`? The host asks as `source`, everybody or the one that had it last. */
export function writeRequest(
  emulation: Emulation,
  device: Device,
  destination: number,
  source: number,
  address: number,
  cause: number,
): Frame {
  header.operation = arp.OPERATIONS.REQUEST;
  header.senderProtocol = source;
  header.targetHardware = 0;
  header.targetProtocol = address;
  return write(emulation, device, destination, cause);
}

/** `address` is at `device`: for the host with `hardware` and `protocol`, whose request was `cause`. */
export function writeReply(
  emulation: Emulation,
  device: Device,
  address: number,
  hardware: number,
  protocol: number,
  cause: number,
): Frame {
  header.operation = arp.OPERATIONS.REPLY;
  header.senderProtocol = address;
  header.targetHardware = hardware;
  header.targetProtocol = protocol;
  return write(emulation, device, hardware, cause);
}
