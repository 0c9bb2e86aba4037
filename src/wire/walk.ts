/**
 * The general walk over one frame, from its link header to its transport header: every link type, VLAN tags, ARP, IPv6
 * with extension headers, fragments, and frames that are cut or wrong. `layers.ts` says what is decided here and why.
 *
 * Every function gives the fault that ended the walk; `stack.fault` is written once, from what they give.
 */
import * as arp from './arp.ts';
import * as ethernet from './ethernet.ts';
import * as extension from './extension.ts';
import { FAULT, type Fault } from './fault.ts';
import * as fragment6 from './fragment6.ts';
import * as icmp from './icmp.ts';
import * as icmp6 from './icmp6.ts';
import * as ipv4 from './ipv4.ts';
import * as ipv6 from './ipv6.ts';
import * as loopback from './loopback.ts';
import { ETHER_TYPE, LARGEST_LENGTH_FIELD, LINKTYPE, PROTOCOL } from './protocol.ts';
import * as sll from './sll.ts';
import * as sll2 from './sll2.ts';
import type { Stack } from './stack.ts';
import * as tcp from './tcp.ts';
import * as udp from './udp.ts';
import * as vlan from './vlan.ts';

/** VLAN tags walked per frame. */
const VLAN_LIMIT = 2;
/** Extension headers walked per IPv6 packet, and the octets they may take together; Linux has a like limit of 2 KiB. */
const EXTENSION_LIMIT = 32;
const EXTENSION_OCTETS_LIMIT = 2048;
/** What a 16-bit length can say. */
const LARGEST_LENGTH = 65_535;

// Module-local copies: V8 folds these into the code, and loads imported bindings each time.
const NONE = FAULT.NONE;
const ETHER_TYPE_IPV4 = ETHER_TYPE.IPV4;
const ETHER_TYPE_IPV6 = ETHER_TYPE.IPV6;
const ETHER_TYPE_ARP = ETHER_TYPE.ARP;
const ETHER_TYPE_VLAN = ETHER_TYPE.VLAN;
const ETHER_TYPE_SERVICE_VLAN = ETHER_TYPE.SERVICE_VLAN;
const LARGEST_FRAME_LENGTH = LARGEST_LENGTH_FIELD;
const PROTOCOL_HOP_BY_HOP = PROTOCOL.HOP_BY_HOP;
const PROTOCOL_FRAGMENT = PROTOCOL.FRAGMENT;
const PROTOCOL_TCP = PROTOCOL.TCP;
const PROTOCOL_UDP = PROTOCOL.UDP;
const PROTOCOL_ICMP = PROTOCOL.ICMP;
const PROTOCOL_ICMP6 = PROTOCOL.ICMP6;
const LINKTYPE_ETHERNET = LINKTYPE.ETHERNET;

/** Empty `stack` for a frame that ends at `end`, and on the wire at `wireEnd`. */
export function reset(stack: Stack, end: number, wireEnd: number): void {
  stack.link = -1;
  stack.vlan = -1;
  stack.vlanCount = 0;
  stack.etherType = 0;
  stack.arp = -1;
  stack.network = -1;
  stack.version = 0;
  stack.protocol = -1;
  stack.fragment = -1;
  stack.fragmentOffset = 0;
  stack.moreFragments = 0;
  stack.transport = -1;
  stack.payload = -1;
  stack.end = end;
  stack.wireEnd = wireEnd;
  stack.fault = NONE;
  stack.faultAt = -1;
}

function refuse(stack: Stack, fault: Fault, at: number): Fault {
  stack.faultAt = at;
  return fault;
}

/** Fill `stack`, which `reset` has emptied, for the frame at `at`. */
export function walk(view: DataView, at: number, linkType: number, stack: Stack): void {
  stack.fault =
    linkType === LINKTYPE_ETHERNET ? locateEthernet(view, at, stack) : locateOtherLink(view, at, linkType, stack);
}

function locateEthernet(view: DataView, at: number, stack: Stack): Fault {
  const fault = ethernet.check(view, at, stack.end);
  if (fault !== NONE) return refuse(stack, fault, at);
  stack.link = at;
  return locateNetwork(view, ethernet.payloadStart(view, at), ethernet.type(view, at), stack);
}

/** Cold: captures of tunnels, of the "any" device and of loopback. */
function locateOtherLink(view: DataView, at: number, linkType: number, stack: Stack): Fault {
  let fault: Fault = NONE;
  switch (linkType) {
    case LINKTYPE.LINUX_SLL:
      fault = sll.check(view, at, stack.end);
      if (fault !== NONE) return refuse(stack, fault, at);
      stack.link = at;
      return locateNetwork(view, sll.payloadStart(view, at), sll.etherType(view, at), stack);
    case LINKTYPE.LINUX_SLL2:
      fault = sll2.check(view, at, stack.end);
      if (fault !== NONE) return refuse(stack, fault, at);
      stack.link = at;
      return locateNetwork(view, sll2.payloadStart(view, at), sll2.etherType(view, at), stack);
    case LINKTYPE.NULL:
    case LINKTYPE.LOOP:
      fault = loopback.check(view, at, stack.end);
      if (fault !== NONE) return refuse(stack, fault, at);
      stack.link = at;
      stack.payload = loopback.payloadStart(view, at);
      if (loopback.etherType(view, at) === ETHER_TYPE_IPV4) return locateIpv4(view, stack.payload, stack);
      if (loopback.etherType(view, at) === ETHER_TYPE_IPV6) return locateIpv6(view, stack.payload, stack);
      return NONE;
    case LINKTYPE.RAW:
    case LINKTYPE.RAW_OLD:
      return locateRaw(view, at, stack);
    case LINKTYPE.IPV4:
      return locateIpv4(view, at, stack);
    case LINKTYPE.IPV6:
      return locateIpv6(view, at, stack);
    default:
      stack.payload = at;
      return NONE;
  }
}

function locateRaw(view: DataView, at: number, stack: Stack): Fault {
  if (stack.end - at < 1) return refuse(stack, FAULT.IP_SHORT, at);
  stack.payload = at;
  const version = view.getUint8(at) >>> 4;
  if (version === 4) return locateIpv4(view, at, stack);
  if (version === 6) return locateIpv6(view, at, stack);
  return refuse(stack, FAULT.IP_VERSION_NOT_4_OR_6, at);
}

function locateNetwork(view: DataView, at: number, type: number, stack: Stack): Fault {
  if (type === ETHER_TYPE_IPV4) {
    stack.etherType = type;
    stack.payload = at;
    return locateIpv4(view, at, stack);
  }
  if (type === ETHER_TYPE_VLAN || type === ETHER_TYPE_SERVICE_VLAN) return locateVlan(view, at, type, stack);
  stack.etherType = type <= LARGEST_FRAME_LENGTH ? 0 : type;
  stack.payload = at;
  if (type === ETHER_TYPE_IPV6) return locateIpv6(view, at, stack);
  if (type === ETHER_TYPE_ARP) return locateArp(view, at, stack);
  return NONE;
}

/** Step over up to VLAN_LIMIT tags; the EtherType of a further one stays in `stack.etherType`. */
function locateVlan(view: DataView, at: number, type: number, stack: Stack): Fault {
  stack.etherType = type;
  stack.payload = at;
  if (stack.vlanCount === VLAN_LIMIT) return NONE;
  const fault = vlan.check(view, at, stack.end);
  if (fault !== NONE) return refuse(stack, fault, at);
  if (stack.vlanCount === 0) stack.vlan = at;
  stack.vlanCount++;
  return locateNetwork(view, vlan.payloadStart(view, at), vlan.type(view, at), stack);
}

function locateArp(view: DataView, at: number, stack: Stack): Fault {
  const fault = arp.check(view, at, stack.end);
  if (fault !== NONE) return refuse(stack, fault, at);
  stack.arp = at;
  stack.payload = arp.payloadStart(view, at);
  return NONE;
}

function locateIpv4(view: DataView, at: number, stack: Stack): Fault {
  const fault = ipv4.check(view, at, stack.end);
  if (fault !== NONE && !excusesIpv4(view, at, fault, stack)) return refuse(stack, fault, at);
  if (ipv4.totalLength(view, at) !== 0) clip(stack, ipv4.payloadEnd(view, at));
  stack.network = at;
  stack.version = 4;
  stack.protocol = ipv4.protocol(view, at);
  stack.fragmentOffset = ipv4.fragmentOffset(view, at);
  stack.moreFragments = ipv4.moreFragments(view, at);
  stack.payload = ipv4.payloadStart(view, at);
  if (stack.payload - at !== ipv4.HEADER_LENGTH) {
    const bad = ipv4.checkOptions(view, at);
    if (bad !== NONE) return refuse(stack, bad, at);
  }
  return stack.fragmentOffset === 0 ? locateTransport(view, stack.payload, stack) : NONE;
}

/**
 * Go on behind IPv4 options that do not fit, which ended the walk of `stack`: connection tracking does not look at them, and
 * comes before those who do. The fault is then that of the transport header, if it has one.
 */
export function passOptions(view: DataView, stack: Stack): void {
  stack.fault = NONE;
  stack.faultAt = -1;
  if (stack.fragmentOffset === 0) stack.fault = locateTransport(view, stack.payload, stack);
}

/** The datagram was cut by the capture, or is a segment too large for its total length. */
function excusesIpv4(view: DataView, at: number, fault: Fault, stack: Stack): boolean {
  if (fault === FAULT.IPV4_TOTAL_LENGTH_BEYOND_END) return ipv4.payloadEnd(view, at) <= stack.wireEnd;
  if (fault !== FAULT.IPV4_TOTAL_LENGTH_BELOW_HEADER) return false;
  return ipv4.totalLength(view, at) === 0 && stack.wireEnd - at > LARGEST_LENGTH;
}

/** The datagram ends at `declared`, captured or not. */
function clip(stack: Stack, declared: number): void {
  stack.wireEnd = declared;
  if (declared < stack.end) stack.end = declared;
}

function locateIpv6(view: DataView, at: number, stack: Stack): Fault {
  const fault = ipv6.check(view, at, stack.end);
  if (fault !== NONE) {
    const cut = fault === FAULT.IPV6_PAYLOAD_LENGTH_BEYOND_END && ipv6.payloadEnd(view, at) <= stack.wireEnd;
    if (!cut) return refuse(stack, fault, at);
  }
  stack.network = at;
  stack.version = 6;
  stack.protocol = ipv6.nextHeader(view, at);
  stack.payload = ipv6.payloadStart(view, at);
  if (ipv6.payloadLength(view, at) !== 0) clip(stack, ipv6.payloadEnd(view, at));
  else if (stack.protocol === PROTOCOL_HOP_BY_HOP) {
    const bad = clipJumbogram(view, stack);
    if (bad !== NONE) return refuse(stack, bad, at);
  } else if (stack.wireEnd - stack.payload <= LARGEST_LENGTH) clip(stack, stack.payload);
  return locateExtensions(view, stack);
}

/** RFC 2675: the length is in an option of the hop-by-hop header at `stack.payload`. */
function clipJumbogram(view: DataView, stack: Stack): Fault {
  const at = stack.payload;
  // A header that fails its check is refused by the walk over the extension headers, which comes next.
  if (extension.check(view, at, stack.end, PROTOCOL_HOP_BY_HOP) !== NONE) return NONE;
  const option = extension.jumboOption(view, at);
  if (option < 0) return FAULT.IPV6_JUMBO_MISSING;
  const length = extension.jumboPayloadLength(view, option);
  if (length <= LARGEST_LENGTH) return FAULT.IPV6_JUMBO_BELOW_65536;
  if (length > stack.wireEnd - at) return FAULT.IPV6_JUMBO_BEYOND_END;
  clip(stack, at + length);
  return NONE;
}

/** Step over extension headers, `stack.protocol` being the first at `stack.payload`, and on to the transport header. */
function locateExtensions(view: DataView, stack: Stack): Fault {
  const first = stack.payload;
  let count = 0;
  while (extension.isExtension(stack.protocol) || stack.protocol === PROTOCOL_FRAGMENT) {
    const at = stack.payload;
    if (count === EXTENSION_LIMIT) return refuse(stack, FAULT.EXTENSION_CHAIN_TOO_LONG, at);
    count++;
    if (stack.protocol === PROTOCOL_FRAGMENT) {
      // A fragment within a fragment stays as it is: no receiver looks inside before the outer one is reassembled.
      if (stack.fragment >= 0) return NONE;
      const bad = fragment6.check(view, at, stack.end);
      if (bad !== NONE) return refuse(stack, bad, at);
      enterFragment(view, at, stack);
      if (stack.fragmentOffset !== 0) return NONE;
      continue;
    }
    if (stack.protocol === PROTOCOL_HOP_BY_HOP && at !== first) {
      return refuse(stack, FAULT.EXTENSION_HOP_BY_HOP_NOT_FIRST, at);
    }
    const fault = extension.check(view, at, stack.end, stack.protocol);
    if (fault !== NONE) return refuse(stack, fault, at);
    const next = extension.payloadStart(view, at, stack.protocol);
    if (next - first > EXTENSION_OCTETS_LIMIT) return refuse(stack, FAULT.EXTENSION_CHAIN_TOO_LONG, at);
    stack.protocol = extension.nextHeader(view, at);
    stack.payload = next;
  }
  return locateTransport(view, stack.payload, stack);
}

function enterFragment(view: DataView, at: number, stack: Stack): void {
  stack.fragment = at;
  stack.fragmentOffset = fragment6.fragmentOffset(view, at);
  stack.moreFragments = fragment6.moreFragments(view, at);
  stack.protocol = fragment6.nextHeader(view, at);
  stack.payload = fragment6.payloadStart(view, at);
}

function locateTransport(view: DataView, at: number, stack: Stack): Fault {
  switch (stack.protocol) {
    case PROTOCOL_TCP:
      return locateTcp(view, at, stack);
    case PROTOCOL_UDP:
      return locateUdp(view, at, stack);
    case PROTOCOL_ICMP:
      if (stack.version !== 4) return NONE;
      return found(stack, icmp.check(view, at, stack.end), at, icmp.payloadStart(view, at));
    case PROTOCOL_ICMP6:
      if (stack.version !== 6) return NONE;
      return found(stack, icmp6.check(view, at, stack.end), at, icmp6.payloadStart(view, at));
    default:
      return NONE;
  }
}

function found(stack: Stack, fault: Fault, at: number, payload: number): Fault {
  if (fault !== NONE) return refuse(stack, fault, at);
  stack.transport = at;
  stack.payload = payload;
  return NONE;
}

function locateTcp(view: DataView, at: number, stack: Stack): Fault {
  const fault = tcp.check(view, at, stack.end);
  if (fault === NONE) return found(stack, NONE, at, tcp.payloadStart(view, at));
  const cut =
    fault === FAULT.TCP_DATA_OFFSET_BEYOND_END &&
    (stack.moreFragments === 1 || tcp.payloadStart(view, at) <= stack.wireEnd);
  return found(stack, cut ? NONE : fault, at, stack.end);
}

function locateUdp(view: DataView, at: number, stack: Stack): Fault {
  const fault = udp.check(view, at, stack.end);
  const excused = fault !== NONE && excusesUdp(view, at, fault, stack);
  return found(stack, excused ? NONE : fault, at, udp.payloadStart(view, at));
}

/** The datagram goes on behind the capture's cut or in later fragments, or is too large for its length. */
function excusesUdp(view: DataView, at: number, fault: Fault, stack: Stack): boolean {
  if (fault === FAULT.UDP_LENGTH_BEYOND_END) {
    return stack.moreFragments === 1 || udp.payloadEnd(view, at) <= stack.wireEnd;
  }
  if (fault !== FAULT.UDP_LENGTH_BELOW_HEADER) return false;
  return udp.length(view, at) === 0 && stack.wireEnd - at > LARGEST_LENGTH;
}
