/**
 * locate: one pass over a frame that writes down where each of its headers begins, in the frame on the wire and in the
 * frame inside VXLAN. With `walk.ts`, the only file that knows which header follows which.
 *
 * Nothing is read at or behind `end`, nothing is allocated, nothing throws, and every loop is bounded.
 *
 * What it decides, and why:
 * - A length that points behind `end` but not behind `wireEnd` is the capture's cut and no fault. Where the header itself
 *   is cut, the walk ends with a fault; `isTruncation(fault)` and `end < wireEnd` together mean "cut by the capture".
 * - An IPv4 total length, IPv6 payload length or UDP length of 0 means "to the end of the frame" where more than 65,535
 *   octets follow on the wire: Linux writes 0 there for segments too large for the field (BIG TCP). A shorter frame with
 *   a zero is refused, as the kernel and tcpdump 4.99 refuse it; Wireshark guesses segmentation offload at every length.
 * - Octets behind the IP datagram are padding: `stack.end` excludes them.
 * - A later fragment has no transport header. In a first fragment, lengths of transport headers speak of the whole
 *   datagram and are not held against the fragment; the frame inside VXLAN is walked as far as the fragment goes.
 * - EtherTypes, protocols and link types that are not known here are values, not faults; so is a third VLAN tag.
 */
import * as ethernet from './ethernet.ts';
import { FAULT } from './fault.ts';
import * as ipv4 from './ipv4.ts';
import { ETHER_TYPE, LINKTYPE, PROTOCOL } from './protocol.ts';
import type { Layers, Stack } from './stack.ts';
import * as tcp from './tcp.ts';
import * as udp from './udp.ts';
import * as vxlan from './vxlan.ts';
import { reset, walk } from './walk.ts';

/** Longest frame believed in: keeps every offset a small integer, whatever a record claims its length was. */
const LONGEST_FRAME = 0x0fff_ffff;

// Module-local copies: V8 folds these into the code, and loads imported bindings each time.
const NONE = FAULT.NONE;
const LINKTYPE_ETHERNET = LINKTYPE.ETHERNET;
const ETHER_TYPE_IPV4 = ETHER_TYPE.IPV4;
const PROTOCOL_TCP = PROTOCOL.TCP;
const PROTOCOL_UDP = PROTOCOL.UDP;
const ETHERNET_LENGTH = ethernet.HEADER_LENGTH;
const IPV4_LENGTH = ipv4.HEADER_LENGTH;
const UDP_LENGTH = udp.HEADER_LENGTH;
const TCP_LENGTH = tcp.HEADER_LENGTH;
const VERSION_4_IHL_5 = 0x45;

/**
 * Fill `into` for the frame at `at`. `end` is the end of its captured octets, `wireEnd` its end on the wire (`at` plus the
 * original length; less than `end` counts as `end`). VXLAN is looked for behind UDP to `vxlanPort`; -1 looks for none.
 */
export function locate(
  view: DataView,
  at: number,
  end: number,
  wireEnd: number,
  linkType: number,
  vxlanPort: number,
  into: Layers,
): void {
  const outer = into.outer;
  const inner = into.inner;
  into.vxlan = -1;
  if (linkType !== LINKTYPE_ETHERNET || !locatePlain(view, at, end, outer)) {
    reset(outer, end, Math.min(Math.max(wireEnd, end), at + LONGEST_FRAME));
    walk(view, at, linkType, outer);
  }
  const isUdp = outer.protocol === PROTOCOL_UDP && outer.transport >= 0;
  if (isUdp && udp.destinationPort(view, outer.transport) === vxlanPort) locateVxlan(view, into);
  else reset(inner, -1, -1);
}

/** The frame behind a VXLAN header ends where its UDP datagram ends, captured or not. */
function locateVxlan(view: DataView, into: Layers): void {
  const outer = into.outer;
  const inner = into.inner;
  const at = outer.payload;
  const length = udp.length(view, outer.transport);
  const wireEnd = length === 0 ? outer.wireEnd : outer.transport + length;
  const end = Math.min(outer.end, wireEnd);
  const fault = vxlan.check(view, at, end);
  if (fault !== NONE) {
    outer.fault = fault;
    outer.faultAt = at;
    reset(inner, -1, -1);
    return;
  }
  into.vxlan = at;
  const frame = vxlan.payloadStart(view, at);
  if (locatePlain(view, frame, end, inner)) return;
  reset(inner, end, wireEnd);
  walk(view, frame, LINKTYPE_ETHERNET, inner);
}

/**
 * The shape that nearly all packets have, in straight line: Ethernet, IPv4 without options and whole, TCP or UDP, every
 * length in bounds. Writes the whole of `stack` and gives true, or writes nothing and gives false: then `walk` must say
 * what the frame is. It says nothing that `walk` does not, in less than half the time.
 */
function locatePlain(view: DataView, at: number, end: number, stack: Stack): boolean {
  const network = at + ETHERNET_LENGTH;
  const transport = network + IPV4_LENGTH;
  if (end - transport < UDP_LENGTH) return false;
  if (ethernet.type(view, at) !== ETHER_TYPE_IPV4 || view.getUint8(network) !== VERSION_4_IHL_5) return false;
  if (ipv4.isFragment(view, network)) return false;
  const datagramEnd = ipv4.payloadEnd(view, network);
  if (datagramEnd > end) return false;
  const protocol = ipv4.protocol(view, network);
  let length = UDP_LENGTH;
  if (protocol === PROTOCOL_UDP) {
    const declared = udp.length(view, transport);
    if (declared < UDP_LENGTH || declared > datagramEnd - transport) return false;
  } else if (protocol === PROTOCOL_TCP && datagramEnd - transport >= TCP_LENGTH) {
    length = tcp.headerLength(view, transport);
    if (length < TCP_LENGTH || length > datagramEnd - transport) return false;
  } else {
    return false;
  }
  stack.link = at;
  stack.vlan = -1;
  stack.vlanCount = 0;
  stack.etherType = ETHER_TYPE_IPV4;
  stack.arp = -1;
  stack.network = network;
  stack.version = 4;
  stack.protocol = protocol;
  stack.fragment = -1;
  stack.fragmentOffset = 0;
  stack.moreFragments = 0;
  stack.transport = transport;
  stack.payload = transport + length;
  stack.end = datagramEnd;
  stack.wireEnd = datagramEnd;
  stack.fault = NONE;
  stack.faultAt = -1;
  return true;
}
