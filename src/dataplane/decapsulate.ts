/**
 * What a cell asks of a frame before any rule: headers, checksums, the tunnel, the inner frame.
 *
 * The order of the questions is that of Linux (net/ipv4/ip_input.c ip_rcv_core, net/ipv4/udp.c, drivers/net/vxlan/
 * vxlan_core.c vxlan_rcv), so that a frame with two faults is refused for the same one. Every function answers with a
 * REASON, or ACCEPTED to go on.
 */
import { HOST_VETH_ADDRESS } from '../foundation/lease.ts';
import * as ethernet from '../wire/ethernet.ts';
import { FAULT, type Fault } from '../wire/fault.ts';
import * as integrity from '../wire/integrity.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { ETHER_TYPE } from '../wire/protocol.ts';
import type { Layers, Stack } from '../wire/stack.ts';
import * as vlan from '../wire/vlan.ts';
import * as vxlan from '../wire/vxlan.ts';
import type { Cell } from './cell.ts';
import { REASON } from './verdict.ts';

/** No objection. */
export const ACCEPTED = -1;

const CONGESTION_EXPERIENCED = 3;
const LOOPBACK_NETWORK = 127;
const FIRST_MULTICAST = 0xe0000000;
const FIRST_RESERVED = 0xf0000000;
const LIMITED_BROADCAST = 0xffffffff;
/** 224.0.0.1, the group that every interface has joined. */
const ALL_HOSTS = 0xe0000001;
/** The bit of a MAC address that makes it a group's, as a factor: it sits above what a 32-bit operation can see. */
const GROUP_BIT = 2 ** 40;
const VXLAN_FLAGS_OF_LINUX = 0x88;
const OPTION_LSRR = 131;
const OPTION_SSRR = 137;

/** What the kernel calls a fault of an IPv4 header, at either end of the tunnel. */
export function ipv4Fault(fault: Fault): number {
  switch (fault) {
    case FAULT.IPV4_SHORT:
    case FAULT.IPV4_TOTAL_LENGTH_BEYOND_END:
      return REASON.IP4_TOO_SMALL;
    default:
      return REASON.IP4_HEADER;
  }
}

/**
 * Tags that a cell without VLAN devices takes: those that only carry a priority. One that names a VLAN is taken off, and the
 * frame is somebody else's; a tag behind it is a protocol that nobody speaks (__netif_receive_skb_core, check_vlan_id).
 */
export function vlanTags(view: DataView, stack: Stack): number {
  for (let i = 0; i < stack.vlanCount; i++) {
    if (vlan.identifier(view, stack.vlan + i * vlan.HEADER_LENGTH) === 0) continue;
    const isLast = i + 1 === stack.vlanCount && stack.etherType !== ETHER_TYPE.VLAN;
    return isLast && stack.etherType !== ETHER_TYPE.SERVICE_VLAN ? REASON.VLAN_TAGGED : REASON.INNER_ETHERTYPE;
  }
  return ACCEPTED;
}

/** The part of ip_rcv_core that finding the headers leaves open: the header checksum. */
export const ipv4Header = (view: DataView, stack: Stack): number =>
  integrity.ipv4Header(view, stack) === integrity.CHECKSUM.BAD ? REASON.IP4_CHECKSUM : ACCEPTED;

/** Options: bad ones are answered with ICMP 12, source routes are never followed (ip_rcv_options). */
function ipv4Options(view: DataView, at: number): number {
  if (ipv4.headerLength(view, at) === ipv4.HEADER_LENGTH) return ACCEPTED;
  if (ipv4.checkOptions(view, at) !== FAULT.NONE) return REASON.IP4_OPTIONS;
  const routed = ipv4.findOption(view, at, OPTION_LSRR) >= 0 || ipv4.findOption(view, at, OPTION_SSRR) >= 0;
  return routed ? REASON.IP4_SOURCE_ROUTE : ACCEPTED;
}

/** Sources that routing refuses on `cell` (ip_route_input_slow, fib_validate_source). */
export function ipv4Source(source: number, cell: Cell): number {
  if (source >= FIRST_MULTICAST && (source < FIRST_RESERVED || source === LIMITED_BROADCAST))
    return REASON.IP4_INVALID_SOURCE;
  if (source >>> 24 === LOOPBACK_NETWORK) return REASON.IP4_LOCALNET;
  if (source === cell.vtepAddress || source === cell.underlay || source === HOST_VETH_ADDRESS)
    return REASON.IP4_LOCAL_SOURCE;
  return ACCEPTED;
}

/**
 * What ip_rcv_finish asks of a packet that came to `cell`: its addresses, when it is routed, then its options. 0.0.0.0 may
 * only speak to everybody, and is nobody's address (ip_route_input_slow; the rest of 0.0.0.0/8 is like any other).
 */
export function routing(view: DataView, stack: Stack, cell: Cell): number {
  const source = ipv4.source(view, stack.network);
  const destination = ipv4.destination(view, stack.network);
  if (source === 0 && !isForAll(destination)) return REASON.IP4_INVALID_SOURCE;
  if (destination === 0) return REASON.IP4_INVALID_DESTINATION;
  const refused = ipv4Source(source, cell);
  return refused === ACCEPTED ? ipv4Options(view, stack.network) : refused;
}

/** The outer UDP checksum, where it is asked for: 0 is none, a wrong one is dropped by the VTEP's socket. */
export function udpChecksum(view: DataView, outer: Stack): number {
  const status = integrity.transport(view, outer);
  return status === integrity.CHECKSUM.BAD || status === integrity.CHECKSUM.PARTIAL ? REASON.UDP_CHECKSUM : ACCEPTED;
}

/** The VXLAN header, in the order of vxlan_rcv: I flag, VNI, then bits that no feature of the VTEP uses. */
export function vxlanHeader(view: DataView, at: number, vni: number): number {
  const flags = vxlan.flags(view, at);
  if (vxlan.instance(view, at) === 0) return REASON.VXLAN_INVALID_HEADER;
  if (vxlan.vni(view, at) !== vni) return REASON.VXLAN_VNI;
  if ((flags & ~VXLAN_FLAGS_OF_LINUX) !== 0 || vxlan.reserved(view, at) !== 0) return REASON.VXLAN_INVALID_HEADER;
  return ACCEPTED;
}

/** The inner frame: whose it is, and whether congestion met on the way can be handed on (RFC 6040). */
export function innerFrame(view: DataView, layers: Layers, cell: Cell): number {
  const { outer, inner } = layers;
  if (inner.link < 0) return REASON.VXLAN_NO_FRAME;
  if (ethernet.source(view, inner.link) === cell.vtepMac) return REASON.VXLAN_LOCAL_MAC;
  if (
    inner.version === 4 &&
    ipv4.ecn(view, outer.network) === CONGESTION_EXPERIENCED &&
    ipv4.ecn(view, inner.network) === 0
  ) {
    return REASON.VXLAN_ECN;
  }
  return ACCEPTED;
}

/**
 * The inner frame's destination: the VTEP itself, or a group. What came in a frame to a group is not forwarded (ip_forward
 * asks for PACKET_HOST).
 */
export function innerHost(view: DataView, inner: Stack, cell: Cell): number {
  const mac = ethernet.destination(view, inner.link);
  if (mac === cell.vtepMac) return ACCEPTED;
  if (Math.floor(mac / GROUP_BIT) % 2 === 0) return REASON.VXLAN_OTHER_HOST;
  return inner.version !== 4 || isOwn(ipv4.destination(view, inner.network), cell) ? ACCEPTED : REASON.LINK_GROUP;
}

/** Whether `cell` takes packets to `address` itself, or drops them for another reason than being asked to forward them. */
const isOwn = (address: number, cell: Cell): boolean =>
  address === cell.vtepAddress ||
  address === cell.underlay ||
  address === HOST_VETH_ADDRESS ||
  address >= FIRST_MULTICAST ||
  address >>> 24 === LOOPBACK_NETWORK ||
  address === broadcastOf(cell);

/** The broadcast address of the overlay. */
export const broadcastOf = ({ overlay }: Cell): number =>
  overlay.prefixLength === 32 ? overlay.address : (overlay.address | (0xffffffff >>> overlay.prefixLength)) >>> 0;

/** Whether every host has what comes to `address`, whoever sends it: even one that does not know its own address yet. */
export const isForAll = (address: number): boolean => address === LIMITED_BROADCAST || address === ALL_HOSTS;
