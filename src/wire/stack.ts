/**
 * Stack and Layers: the preallocated record of where every header of one packet begins.
 *
 * Offsets are absolute positions in the `DataView` that was walked; -1 means that the header is absent. `layers.ts`
 * fills the record; everything above reads fields through the header files at these offsets.
 */
import { FAULT, type Fault } from './fault.ts';

/** The headers of one frame, from its link header to its transport header. */
export interface Stack {
  /** Offset of the link header (Ethernet, SLL, loopback); -1 for raw IP. */
  link: number;
  /** Offset of the first 802.1Q or 802.1ad tag; -1 without tags. */
  vlan: number;
  /** Number of VLAN tags, 0 to 2. */
  vlanCount: number;
  /** EtherType after the tags; 0 where the link has none (raw IP) or the frame is 802.3 with a length field. */
  etherType: number;
  /** Offset of the ARP packet. */
  arp: number;
  /** Offset of the IPv4 or IPv6 header. */
  network: number;
  /** 4, 6, or 0 when there is no IP header that passed its check. */
  version: number;
  /** Protocol of the transport header, after IPv6 extension headers; -1 without IP. */
  protocol: number;
  /** Offset of the IPv6 fragment header. */
  fragment: number;
  /** Fragment offset in octets, IPv4 or IPv6. */
  fragmentOffset: number;
  /** 1 when more fragments follow. */
  moreFragments: number;
  /** Offset of a TCP, UDP, ICMP or ICMPv6 header that passed its check; -1 for other protocols and later fragments. */
  transport: number;
  /** Offset of the first octet behind the transport header, or behind the network headers where there is none. */
  payload: number;
  /** End of the captured octets of the IP datagram (or of the frame without IP); exclusive. */
  end: number;
  /** End of the datagram as its IP header declares it; beyond `end` where the capture cut the packet. */
  wireEnd: number;
  /** Why the walk stopped early; the headers found before it stay valid. */
  fault: Fault;
  /** Offset of the header that was refused. */
  faultAt: number;
}

/** One packet: the frame on the wire and, when it is VXLAN, the frame inside. */
export interface Layers {
  readonly outer: Stack;
  /** Offset of the VXLAN header; -1 when the outer packet is not UDP to a VXLAN port, or is a later fragment. */
  vxlan: number;
  /** Valid when `vxlan` is not -1. */
  readonly inner: Stack;
}

export const createStack = (): Stack => ({
  link: -1,
  vlan: -1,
  vlanCount: 0,
  etherType: 0,
  arp: -1,
  network: -1,
  version: 0,
  protocol: -1,
  fragment: -1,
  fragmentOffset: 0,
  moreFragments: 0,
  transport: -1,
  payload: -1,
  end: -1,
  wireEnd: -1,
  fault: FAULT.NONE,
  faultAt: -1,
});

export const create = (): Layers => ({ outer: createStack(), vxlan: -1, inner: createStack() });
