/**
 * A device receives a frame: net/core/dev.c __netif_receive_skb_core, net/ethernet/eth.c eth_type_trans, and the checks of
 * net/ipv4/ip_input.c ip_rcv_core. Who may have it, what it carries, whether its IPv4 header holds.
 */
import * as ethernet from '../../wire/ethernet.ts';
import { locate } from '../../wire/layers.ts';
import { ETHER_TYPE, LINKTYPE } from '../../wire/protocol.ts';
import type { Stack } from '../../wire/stack.ts';
import * as vlan from '../../wire/vlan.ts';
import { ACCEPTED, ipv4Fault, ipv4Header, vlanTags } from '../decapsulate.ts';
import { REASON } from '../verdict.ts';
import { receiveArp } from './arp-receive.ts';
import type { Device } from './device.ts';
import type { Emulation } from './emulation.ts';
import { drop } from './end.ts';
import { CAST, type Frame } from './frame.ts';
import { receiveIpv6 } from './ip6-receive.ts';
import { prerouting } from './prerouting.ts';
import { DIRECTION } from './seams.ts';

const BROADCAST = 0xffffffffffff;
const TAG_AND_TYPE = 6;
/** Octets of the two addresses of an Ethernet header. */
const ADDRESSES_LENGTH = 12;
/** Smaller numbers in the type field are lengths of 802.3 (ETH_P_802_3_MIN). */
const SMALLEST_TYPE = 0x600;
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
    drop(emulation, frame, device.cell, REASON.VLAN_TRUNCATED);
    return;
  }
  emulation.observer.passed(frame, device.index, DIRECTION.IN);
  frame.device = device.index;
  const { layers } = emulation.dataplane;
  locate(frame.view, frame.at, frame.end, frame.end, LINKTYPE.ETHERNET, -1, layers);
  const { outer } = layers;
  const refused = linkChecks(frame, outer, device);
  if (refused === REASON.VLAN_TAGGED) frame.cast = CAST.OTHER_HOST;
  else if (refused !== ACCEPTED) {
    drop(emulation, frame, device.cell, refused);
    return;
  }
  if (outer.etherType === ETHER_TYPE.IPV4) receiveIpv4(emulation, frame, outer, device, refused);
  else notIpv4(emulation, frame, outer, device);
}

/** VLAN_TAGGED leaves the frame to whoever speaks its protocol, as another host's. */
function linkChecks(frame: Frame, outer: Stack, device: Device): number {
  if (outer.link < 0) return REASON.FRAME_TOO_SMALL;
  frame.cast = castOf(ethernet.destination(frame.view, frame.at), device.mac);
  return vlanTags(frame.view, outer);
}

function notIpv4(emulation: Emulation, frame: Frame, outer: Stack, device: Device): void {
  const host = emulation.hosts[device.cell]!;
  const at = frame.at + ethernet.HEADER_LENGTH + outer.vlanCount * vlan.HEADER_LENGTH;
  switch (outer.etherType) {
    case ETHER_TYPE.ARP:
      receiveArp(emulation, host, frame, device, at);
      break;
    case ETHER_TYPE.IPV6:
      receiveIpv6(emulation, host, frame, device, at);
      break;
    default: {
      const reason = outer.etherType < SMALLEST_TYPE ? REASON.FRAME_LLC : REASON.INNER_ETHERTYPE;
      drop(emulation, frame, device.cell, reason);
    }
  }
}

/** Tags between the addresses and the packet are taken off: the addresses move up to its type (skb_reorder_vlan_header). */
function untag(frame: Frame): void {
  const { octets, at, network } = frame;
  frame.link = network - ethernet.HEADER_LENGTH;
  if (frame.link === at) return;
  octets.copyWithin(frame.link, at, at + ADDRESSES_LENGTH);
  frame.at = frame.link;
}

/** `tagged` is VLAN_TAGGED for a frame of a VLAN, or ACCEPTED. */
function receiveIpv4(emulation: Emulation, frame: Frame, outer: Stack, device: Device, tagged: number): void {
  let refused = tagged;
  if (refused === ACCEPTED && frame.cast === CAST.OTHER_HOST) refused = REASON.VXLAN_OTHER_HOST;
  if (refused === ACCEPTED && outer.version !== 4) refused = ipv4Fault(outer.fault);
  if (refused === ACCEPTED) refused = ipv4Header(frame.view, outer);
  if (refused !== ACCEPTED) {
    drop(emulation, frame, device.cell, refused);
    return;
  }
  frame.network = outer.network;
  untag(frame);
  frame.end = outer.end;
  prerouting(emulation, emulation.hosts[device.cell]!, frame, device);
}
