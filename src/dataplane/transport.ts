/** Fill the record that rules and connection tracking look at from the headers that `layers` found. */
import type { RulePacket } from '../rules/packet.ts';
import { FAULT, type Fault, isShort } from '../wire/fault.ts';
import * as icmp from '../wire/icmp.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { PROTOCOL } from '../wire/protocol.ts';
import type { Stack } from '../wire/stack.ts';
import * as tcp from '../wire/tcp.ts';
import * as udp from '../wire/udp.ts';
import { passOptions } from '../wire/walk.ts';

/** Octets of an ICMP header up to its identifier. */
const ICMP_IDENTIFIER_END = 6;
/** Octets of a TCP or UDP header up to the end of its ports. */
const PORTS_END = 4;

/** What `RulePacket.transport` is before a cell has looked at it. */
export const TRANSPORT = {
  NONE: 0,
  WHOLE: 1,
  /** The ports are there, the rest of the header is not: nft matches them, legacy iptables drops the packet. */
  PORTS_ONLY: 2,
} as const;

/** A transport header that its check refused still has its ports where they belong, and rules can see them. */
const refusedTransport = (stack: Stack): number => (isTransport(stack.fault) ? stack.faultAt : -1);

/** One of TRANSPORT for a TCP, UDP or ICMP header at `at` that may be cut short. */
function readable(stack: Stack, at: number, protocol: number): number {
  if (stack.transport >= 0 || !isShort(stack.fault)) return TRANSPORT.WHOLE;
  const hasPorts = (protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP) && stack.end - at >= PORTS_END;
  return hasPorts ? TRANSPORT.PORTS_ONLY : TRANSPORT.NONE;
}

const isTransport = (fault: Fault): boolean => fault >= FAULT.UDP_SHORT && fault <= FAULT.TCP_OPTION_BEYOND_HEADER;

const isOptions = (fault: Fault): boolean =>
  fault === FAULT.IPV4_OPTION_LENGTH_BELOW_2 || fault === FAULT.IPV4_OPTION_BEYOND_HEADER;

/**
 * Read the IPv4 packet at `stack.network`. Interfaces, marks, states and time are the caller's. For ICMP queries
 * `sourcePort` is the identifier, which is what connection tracking tells exchanges apart by. Options that do not fit are no
 * fault yet: they are looked at behind PREROUTING (ip_rcv_options), so `stack` goes on to the transport header.
 */
export function read(view: DataView, stack: Stack, packet: RulePacket): void {
  if (isOptions(stack.fault)) passOptions(view, stack);
  const network = stack.network;
  const transport = stack.transport < 0 ? refusedTransport(stack) : stack.transport;
  const protocol = ipv4.protocol(view, network);
  packet.source = ipv4.source(view, network);
  packet.destination = ipv4.destination(view, network);
  packet.protocol = protocol;
  packet.length = stack.wireEnd - network;
  packet.fragmentOffset = stack.fragmentOffset;
  packet.transport = transport < 0 ? TRANSPORT.NONE : readable(stack, transport, protocol);
  packet.sourcePort = 0;
  packet.destinationPort = 0;
  packet.tcpFlags = 0;
  packet.icmpType = 0;
  packet.icmpCode = 0;
  if (packet.transport === TRANSPORT.NONE) return;
  switch (protocol) {
    case PROTOCOL.TCP:
      packet.sourcePort = tcp.sourcePort(view, transport);
      packet.destinationPort = tcp.destinationPort(view, transport);
      if (packet.transport === TRANSPORT.WHOLE) packet.tcpFlags = tcp.flags(view, transport);
      break;
    case PROTOCOL.UDP:
      packet.sourcePort = udp.sourcePort(view, transport);
      packet.destinationPort = udp.destinationPort(view, transport);
      break;
    case PROTOCOL.ICMP:
      packet.icmpType = icmp.type(view, transport);
      packet.icmpCode = icmp.code(view, transport);
      if (stack.end - transport >= ICMP_IDENTIFIER_END) packet.sourcePort = icmp.identifier(view, transport);
      break;
  }
}
