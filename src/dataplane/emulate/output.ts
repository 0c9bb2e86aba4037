/**
 * The way out of a host: net/ipv4/ip_output.c, ip_output, ip_finish_output, ip_finish_output2.
 *
 * POSTROUTING, where the connection is confirmed; the MTU of the device; the neighbour; the Ethernet header.
 */

import * as ethernet from '../../wire/ethernet.ts';
import * as icmp from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { ETHER_TYPE } from '../../wire/protocol.ts';
import { HELD } from '../burst.ts';
import { REASON } from '../verdict.ts';
import { sendError } from './answer.ts';
import { DEVICE, type Device } from './device.ts';
import type { Emulation, Host } from './emulation.ts';
import { drop, end } from './end.ts';
import { fragment } from './fragment.ts';
import type { Frame } from './frame.ts';
import { tell } from './logged.ts';
import { beginToAsk, type Neighbour, resolve } from './neighbour.ts';
import { confirm } from './packet.ts';
import { redirect } from './redirect.ts';
import { transmit } from './transmit.ts';

const FRAGMENTATION_NEEDED = 4;

/** The interface that a frame came in by, as POSTROUTING sees it (ip_output hands it skb->dev). */
function cameInBy({ devices }: Emulation, { device, maker }: Frame): number {
  const index = device < 0 ? maker : device;
  return index < 0 ? 0 : devices[index]!.interface;
}

/** Send `frame`, which was tracked and routed, by its device. */
export function output(emulation: Emulation, host: Host, frame: Frame): void {
  const { packet } = emulation.dataplane;
  packet.outInterface = emulation.devices[frame.out]!.interface;
  packet.inInterface = cameInBy(emulation, frame);
  packet.mark = frame.mark;
  const passes = emulation.translation.postrouting(host.cell.index, packet, frame);
  tell(emulation, frame);
  frame.mark = packet.mark;
  const isConfirmed = passes && confirm(emulation, frame);
  redirect(emulation, host, frame);
  if (isConfirmed) finish(emulation, host, frame);
  else drop(emulation, frame, host.cell.index, passes ? REASON.CONNTRACK_FULL : REASON.RULE_DROP);
}

/** Fit `frame` to its device (ip_finish_output, ip_fragment). */
function finish(emulation: Emulation, host: Host, frame: Frame): void {
  const device = emulation.devices[frame.out]!;
  // ip_finish_output_gso: a card cuts it, if its segments fit.
  const length = frame.segmentLength === 0 ? frame.end - frame.network : frame.segmentLength;
  if (length <= device.mtu && frame.largestFragment === 0) {
    toNeighbour(emulation, host, frame, device);
    return;
  }
  const wasFragments = frame.largestFragment !== 0;
  const mayCut =
    ipv4.dontFragment(frame.view, frame.network) === 0 || (wasFragments && frame.largestFragment <= device.mtu);
  if (!mayCut) {
    sendError(emulation, host, frame, icmp.TYPES.DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED, device.mtu);
    drop(emulation, frame, host.cell.index, REASON.IP4_MTU);
    return;
  }
  const pieces: Frame[] = [];
  // What came from a container was sent with room for Ethernet alone; a tunnel's headers need a new buffer.
  const hasRoom = device.kind !== DEVICE.VTEP;
  fragment(emulation.frames, frame, device.mtu, hasRoom, pieces);
  end(emulation, frame, host.cell.index, HELD, frame.reason, frame.rule);
  for (const piece of pieces) toNeighbour(emulation, host, piece, device);
}

/** Give `frame` its Ethernet header and send it; without a neighbour it waits (ip_finish_output2). */
function toNeighbour(emulation: Emulation, host: Host, frame: Frame, device: Device): void {
  const mac = resolve(emulation, frame, device);
  if (mac < 0) {
    const request = beginToAsk(emulation, host, frame, device);
    if (request !== null) transmit(emulation, host, request, device);
    return;
  }
  sendTo(emulation, host, frame, device, mac);
}

function sendTo(emulation: Emulation, host: Host, frame: Frame, device: Device, mac: number): void {
  frame.at = frame.network - ethernet.HEADER_LENGTH;
  ethernet.setDestination(frame.view, frame.at, mac);
  ethernet.setSource(frame.view, frame.at, device.mac);
  ethernet.setType(frame.view, frame.at, ETHER_TYPE.IPV4);
  transmit(emulation, host, frame, device);
}

/** Send what waited for `neighbour`, which was heard of. */
export function sendWaiting(emulation: Emulation, host: Host, neighbour: Neighbour): void {
  const waiting = neighbour.queue.splice(0);
  neighbour.waiting = 0;
  for (const frame of waiting) toNeighbour(emulation, host, frame, neighbour.device);
}
