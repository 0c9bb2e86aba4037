/**
 * A device receives a frame: net/core/dev.c __netif_receive_skb_core, net/ethernet/eth.c eth_type_trans, and the checks of
 * net/ipv4/ip_input.c ip_rcv_core. Who may have it, what it carries, whether its IPv4 header holds.
 */
import * as ethernet from '../../wire/ethernet.ts';
import { locate } from '../../wire/layers.ts';
import { ETHER_TYPE, LINKTYPE } from '../../wire/protocol.ts';
import type { Stack } from '../../wire/stack.ts';
import { ACCEPTED, ipv4Fault, ipv4Header, vlanTags } from '../decapsulate.ts';
import { REASON, VERDICT } from '../verdict.ts';
import { DEVICE, type Device } from './device.ts';
import type { Emulation } from './emulation.ts';
import { drop, end } from './end.ts';
import { CAST, type Frame } from './frame.ts';
import { prerouting } from './prerouting.ts';
import { DIRECTION } from './seams.ts';

const BROADCAST = 0xffffffffffff;
const TAG_AND_TYPE = 6;
/** The bit of a MAC address that makes it a group's, as a factor: it sits above what a 32-bit operation can see. */
const GROUP_BIT = 2 ** 40;

/** To whom a destination MAC address is, for a host whose device has `own`. */
function castOf(destination: number, own: number): number {
  if (destination === own) return CAST.HOST;
  if (destination === BROADCAST) return CAST.BROADCAST;
  return Math.floor(destination / GROUP_BIT) % 2 === 1 ? CAST.MULTICAST : CAST.OTHER_HOST;
}

/** A VLAN tag is taken off before anybody sees the frame (skb_vlan_untag), which needs it and the type behind it. */
function isTagCut({ view, at, end }: Frame): boolean {
  const length = end - at - ethernet.HEADER_LENGTH;
  if (length < 0 || length >= TAG_AND_TYPE) return false;
  const type = ethernet.type(view, at);
  return type === ETHER_TYPE.VLAN || type === ETHER_TYPE.SERVICE_VLAN;
}

/** `device` receives `frame`, whose Ethernet header is at `at`. */
export function receive(emulation: Emulation, frame: Frame, device: Device): void {
  if (isTagCut(frame)) {
    drop(emulation, frame, device.cell, REASON.FRAME_TOO_SMALL);
    return;
  }
  emulation.observer.passed(frame, device.index, DIRECTION.IN);
  frame.device = device.index;
  const { layers } = emulation.dataplane;
  locate(frame.view, frame.at, frame.end, frame.end, LINKTYPE.ETHERNET, -1, layers);
  const { outer } = layers;
  const refused = linkChecks(frame, outer, device);
  if (refused !== ACCEPTED) drop(emulation, frame, device.cell, refused);
  else if (outer.etherType === ETHER_TYPE.IPV4) receiveIpv4(emulation, frame, outer, device);
  else notIpv4(emulation, frame, outer, device);
}

function linkChecks(frame: Frame, outer: Stack, device: Device): number {
  if (outer.link < 0) return REASON.FRAME_TOO_SMALL;
  frame.cast = castOf(ethernet.destination(frame.view, frame.at), device.mac);
  return vlanTags(frame.view, outer);
}

function notIpv4(emulation: Emulation, frame: Frame, outer: Stack, device: Device): void {
  const isInner = device.kind !== DEVICE.UNDERLAY;
  if (outer.etherType === ETHER_TYPE.ARP && device.kind !== DEVICE.VETH) {
    const reason = isInner ? REASON.INNER_ARP : REASON.UNDERLAY_ARP;
    end(emulation, frame, device.cell, isInner ? VERDICT.DELIVER : VERDICT.OBSERVED, reason, -1);
  } else if (outer.etherType === ETHER_TYPE.IPV6) {
    const reason = isInner ? REASON.IP6_UNSUPPORTED : REASON.UNDERLAY_OTHER;
    end(emulation, frame, device.cell, isInner ? VERDICT.UNSUPPORTED : VERDICT.OBSERVED, reason, -1);
  } else {
    drop(emulation, frame, device.cell, REASON.INNER_ETHERTYPE);
  }
}

function receiveIpv4(emulation: Emulation, frame: Frame, outer: Stack, device: Device): void {
  let refused: number = frame.cast === CAST.OTHER_HOST ? REASON.VXLAN_OTHER_HOST : ACCEPTED;
  if (refused === ACCEPTED && outer.version !== 4) refused = ipv4Fault(outer.fault);
  if (refused === ACCEPTED) refused = ipv4Header(frame.view, outer);
  if (refused !== ACCEPTED) {
    drop(emulation, frame, device.cell, refused);
    return;
  }
  frame.network = outer.network;
  frame.end = outer.end;
  prerouting(emulation, emulation.hosts[device.cell]!, frame, device);
}
