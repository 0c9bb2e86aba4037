/**
 * A device sends a frame: drivers/net/veth.c, drivers/net/vxlan/vxlan_core.c, and the wire between the cells, which
 * delivers by hardware address.
 *
 * What leaves for another network namespace loses its mark and all that the host knew of it.
 */
import * as ethernet from '../../wire/ethernet.ts';
import { ETHER_TYPE } from '../../wire/protocol.ts';
import { REASON, VERDICT } from '../verdict.ts';
import { DEVICE, type Device } from './device.ts';
import { type Emulation, enqueue, type Host } from './emulation.ts';
import { drop, end } from './end.ts';
import { append, CAST, type Frame, forget, take } from './frame.ts';
import { DIRECTION } from './seams.ts';
import { encapsulate } from './vxlan-transmit.ts';

const BROADCAST = 0xffffffffffff;

/** Send `frame`, whose Ethernet header is at `at`, by `device` of `host`. */
export function transmit(emulation: Emulation, host: Host, frame: Frame, device: Device): void {
  emulation.observer.passed(frame, device.index, DIRECTION.OUT);
  switch (device.kind) {
    case DEVICE.VETH:
      toContainer(emulation, frame, device);
      break;
    case DEVICE.VTEP:
      if (encapsulate(emulation, host, frame)) emulation.localOut(emulation, host, frame);
      else drop(emulation, frame, host.cell.index, REASON.VTEP_NO_REMOTE);
      break;
    default:
      toUnderlay(emulation, frame, device);
  }
}

function toContainer(emulation: Emulation, frame: Frame, device: Device): void {
  frame.mark = 0;
  emulation.observer.passed(frame, device.peer, DIRECTION.IN);
  end(emulation, frame, device.cell, VERDICT.DELIVER, frame.reason, frame.rule);
}

/** The wire: to the cell with the destination MAC, to all for a broadcast, or out of the foundation. */
function toUnderlay(emulation: Emulation, frame: Frame, device: Device): void {
  const destination = ethernet.destination(frame.view, frame.at);
  for (const { underlay } of emulation.hosts) {
    if (underlay === device) continue;
    if (destination === BROADCAST) arrive(emulation, copyOf(emulation, frame), underlay);
    else if (destination === underlay.mac) {
      arrive(emulation, frame, underlay);
      return;
    }
  }
  const isArp = ethernet.type(frame.view, frame.at) === ETHER_TYPE.ARP;
  end(emulation, frame, device.cell, VERDICT.FORWARD, isArp ? REASON.UNDERLAY_ARP : frame.reason, frame.rule);
}

function arrive(emulation: Emulation, frame: Frame, device: Device): void {
  frame.mark = 0;
  frame.cast = CAST.HOST;
  forget(frame);
  enqueue(emulation, frame, device.index);
}

function copyOf(emulation: Emulation, frame: Frame): Frame {
  const copy = take(emulation.frames, frame.end - frame.at, frame.packet);
  append(copy, frame.octets, frame.at, frame.end - frame.at);
  return copy;
}
