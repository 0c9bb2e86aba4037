/**
 * Neighbours: hardware addresses of those on a link (net/core/neighbour.c, net/ipv4/arp.c).
 *
 * Silk writes permanent entries for the VTEPs of other cells and for each container. Nobody answers for other addresses:
 * the cell asks three times, a second apart, lets packets wait meanwhile, and then tells their senders that the host
 * is unreachable. The next packet makes it ask again.
 */
import { containerMac } from '../../foundation/lease.ts';
import * as arp from '../../wire/arp.ts';
import * as ethernet from '../../wire/ethernet.ts';
import { ETHER_TYPE } from '../../wire/protocol.ts';
import { REASON } from '../verdict.ts';
import { sendError } from './answer.ts';
import { DEVICE, type Device } from './device.ts';
import type { Emulation, Host } from './emulation.ts';
import { drop } from './end.ts';
import { type Frame, LOCAL, take } from './frame.ts';

export interface Neighbour {
  readonly device: Device;
  readonly address: number;
  /** -1 while nobody has answered. */
  readonly mac: number;
  /** Requests since the first packet began to wait; 0 when none waits. */
  asked: number;
  /** When the next request, or the end of waiting, is due. */
  due: number;
  readonly queue: Frame[];
  /** Octets that wait, as the kernel counts them. */
  waiting: number;
}

export const createNeighbour = (device: Device, address: number, mac: number): Neighbour => ({
  device,
  address,
  mac,
  asked: 0,
  due: 0,
  queue: [],
  waiting: 0,
});

const SECOND = 1e9;
/** mcast_solicit and retrans_time_ms. */
const REQUESTS = 3;
const BETWEEN_REQUESTS = SECOND;
/** unres_qlen_bytes, and what a packet counts besides its octets: sk_buff, headroom and shared info, rounded. */
const QUEUE_OCTETS = 212_992;
const PACKET_OVERHEAD = 768;
const BROADCAST = 0xffffffffffff;
const ETHERNET = 1;
const ICMP_UNREACHABLE = 3;
const ICMP_HOST_UNREACHABLE = 1;

/** The neighbour with `address` on `device`. */
function neighbourAt(emulation: Emulation, device: Device, address: number): Neighbour {
  let neighbour = device.neighbours.get(address);
  if (neighbour === undefined) {
    const mac = device.kind === DEVICE.UNDERLAY ? emulation.options.underlayMac(address) : -1;
    neighbour = createNeighbour(device, address, mac);
    device.neighbours.set(address, neighbour);
  }
  return neighbour;
}

/** Hardware address of the next hop of `frame` on `device`. -1 when nobody has it: then the frame waits there. */
export function resolve(emulation: Emulation, frame: Frame, device: Device): number {
  if (frame.local === LOCAL.BROADCAST) return BROADCAST;
  if (device.kind === DEVICE.VETH) return containerMac(device.container);
  const neighbour = neighbourAt(emulation, device, frame.nextHop);
  if (neighbour.mac >= 0) return neighbour.mac;
  const cost = frame.end - frame.network + PACKET_OVERHEAD;
  while (neighbour.queue.length > 0 && neighbour.waiting + cost > QUEUE_OCTETS) {
    const oldest = neighbour.queue.shift()!;
    neighbour.waiting -= oldest.end - oldest.network + PACKET_OVERHEAD;
    drop(emulation, oldest, device.cell, REASON.NEIGHBOUR_FAILED);
  }
  neighbour.queue.push(frame);
  neighbour.waiting += cost;
  return -1;
}

/** Ask for the neighbour that `frame` began to wait for, unless it is being asked for. Gives the request, or null. */
export function beginToAsk(emulation: Emulation, frame: Frame, device: Device): Frame | null {
  const neighbour = neighbourAt(emulation, device, frame.nextHop);
  if (neighbour.asked > 0) return null;
  emulation.unresolved.push(neighbour);
  return ask(emulation, neighbour);
}

/** An ARP request (arp_solicit): the host gives its own address on the device. */
function ask(emulation: Emulation, neighbour: Neighbour): Frame {
  const { device } = neighbour;
  neighbour.asked += 1;
  neighbour.due = emulation.now + BETWEEN_REQUESTS;
  const frame = take(emulation.frames, ethernet.HEADER_LENGTH + arp.HEADER_LENGTH, neighbour.queue[0]!.packet);
  const { view, at } = frame;
  frame.network = at + ethernet.HEADER_LENGTH;
  frame.end = frame.network + arp.HEADER_LENGTH;
  ethernet.setDestination(view, at, BROADCAST);
  ethernet.setSource(view, at, device.mac);
  ethernet.setType(view, at, ETHER_TYPE.ARP);
  arp.encode(
    {
      hardwareType: ETHERNET,
      protocolType: ETHER_TYPE.IPV4,
      hardwareLength: 6,
      protocolLength: 4,
      operation: arp.OPERATIONS.REQUEST,
      senderHardware: device.mac,
      senderProtocol: device.address,
      targetHardware: 0,
      targetProtocol: neighbour.address,
    },
    view,
    frame.network,
  );
  return frame;
}

/** The unresolved neighbour that is due first; undefined when nothing waits. */
export function firstDue(emulation: Emulation): Neighbour | undefined {
  let first: Neighbour | undefined;
  for (const one of emulation.unresolved) if (first === undefined || one.due < first.due) first = one;
  return first;
}

/** The time of `neighbour` has come: another request, which is given back to be sent, or the end of all waiting. */
export function askAgain(emulation: Emulation, host: Host, neighbour: Neighbour): Frame | null {
  if (neighbour.asked < REQUESTS) return ask(emulation, neighbour);
  emulation.unresolved.splice(emulation.unresolved.indexOf(neighbour), 1);
  const failed = neighbour.queue.splice(0);
  neighbour.asked = 0;
  neighbour.waiting = 0;
  for (const frame of failed) {
    sendError(emulation, host, frame, ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE, 0);
    drop(emulation, frame, neighbour.device.cell, REASON.NEIGHBOUR_FAILED);
  }
  return null;
}
