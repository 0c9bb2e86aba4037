/**
 * Places: where on its way a captured frame was, by the device that saw it and the direction it went in.
 *
 *     container eth0 OUT -> veth IN -> silk-vtep OUT -> underlay OUT -> underlay IN -> silk-vtep IN -> veth OUT -> container IN
 *
 * A capture of a device shows both directions and does not say which; hardware addresses do.
 */
import { DEVICE, type Device } from '../../dataplane/emulate/device.ts';
import type { Emulation } from '../../dataplane/emulate/emulation.ts';
import { writeHeaderChecksum } from '../../dataplane/emulate/fragment.ts';
import { DIRECTION } from '../../dataplane/emulate/seams.ts';
import { containerMac, HOST_VETH_ADDRESS, hostVethMac } from '../../foundation/lease.ts';
import * as ethernet from '../../wire/ethernet.ts';
import { isError, TYPES } from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { ETHER_TYPE, PROTOCOL } from '../../wire/protocol.ts';
import * as tcp from '../../wire/tcp.ts';
import { networkOf, packetOf } from './same-packet.ts';

export const viewOf = (octets: Uint8Array<ArrayBuffer>): DataView =>
  new DataView(octets.buffer, octets.byteOffset, octets.length);

/** The direction, one of DIRECTION, of the frame at `at` that the tap of `device` saw. */
export const directionAt = (device: Device, view: DataView, at: number): number =>
  ethernet.source(view, at) === device.mac ? DIRECTION.OUT : DIRECTION.IN;

/** How far along its way a frame is that passes a device of `kind` in `direction`: 0 is the container that sent it. */
export function stepOf(kind: number, direction: number): number {
  const isOut = direction === DIRECTION.OUT;
  switch (kind) {
    case DEVICE.CONTAINER:
      return isOut ? 0 : 7;
    case DEVICE.VETH:
      return isOut ? 6 : 1;
    case DEVICE.VTEP:
      return isOut ? 2 : 5;
    default:
      return isOut ? 3 : 4;
  }
}

/**
 * Length of the longest IPv4 packet in a frame at the tap of `device` that stands for several: one that is longer than the
 * device's MTU, which only software shows that leaves cutting to a network card, or has put together what came. 0 for a
 * single packet. How long the segments are no capture tells; they fit the device.
 */
export function segmentLengthOf(device: Device, view: DataView, at: number, end: number): number {
  const network = networkOf(view, at, end);
  if (network < 0 || ipv4.totalLength(view, network) <= device.mtu || ipv4.isFragment(view, network)) return 0;
  const protocol = ipv4.protocol(view, network);
  return protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP ? device.mtu : 0;
}

/**
 * The frame in which a container sent the packet whose IPv4 header is at `network`, `hops` hops ago: its own hardware
 * addresses, the TTL that it had. Null when the TTL cannot have been so large.
 */
export function frameFromContainer(
  view: DataView,
  network: number,
  end: number,
  hops: number,
): Uint8Array<ArrayBuffer> | null {
  const timeToLive = ipv4.timeToLive(view, network) + hops;
  if (timeToLive > 255) return null;
  const source = ipv4.source(view, network);
  const length = Math.min(end, ipv4.payloadEnd(view, network)) - network;
  const octets = new Uint8Array(ethernet.HEADER_LENGTH + length);
  octets.set(new Uint8Array(view.buffer, view.byteOffset + network, length), ethernet.HEADER_LENGTH);
  const into = new DataView(octets.buffer);
  const link = { destination: hostVethMac(source), source: containerMac(source), type: ETHER_TYPE.IPV4 };
  ethernet.encode(link, into, 0);
  ipv4.setTimeToLive(into, ethernet.HEADER_LENGTH, timeToLive);
  writeHeaderChecksum(into, ethernet.HEADER_LENGTH);
  return octets;
}

/**
 * Whether a program of a cell may have sent the packet in the Ethernet frame `octets`: it is from an address of a cell, and
 * no answer that the kernel itself gives (ICMP errors and replies, resets).
 */
export function isOwn({ dataplane }: Emulation, octets: Uint8Array<ArrayBuffer>): boolean {
  const view = viewOf(octets);
  const end = octets.length;
  const network = packetOf(view, 0, end, dataplane.options.vxlanPort);
  if (network < 0) return false;
  const source = ipv4.source(view, network);
  if (ipv4.fragmentOffset(view, network) !== 0) return false;
  const isOfCell = dataplane.cells.some(({ underlay, vtepAddress }) => source === underlay || source === vtepAddress);
  if (!isOfCell && source !== HOST_VETH_ADDRESS) return false;
  const payload = ipv4.payloadStart(view, network);
  if (ipv4.protocol(view, network) === PROTOCOL.ICMP) return payload < end && !isAnswer(view.getUint8(payload));
  const hasFlags = ipv4.protocol(view, network) === PROTOCOL.TCP && end - payload >= tcp.HEADER_LENGTH;
  return !hasFlags || (tcp.flags(view, payload) & tcp.FLAG.RST) === 0;
}

const isAnswer = (type: number): boolean =>
  isError(type) || type === TYPES.ECHO_REPLY || type === TYPES.TIMESTAMP_REPLY;
