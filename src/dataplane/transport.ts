/** Fill the record that rules and connection tracking look at from the headers that `layers` found. */
import type { RulePacket } from '../rules/packet.ts';
import { FAULT, type Fault, isShort } from '../wire/fault.ts';
import * as icmp from '../wire/icmp.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { PROTOCOL } from '../wire/protocol.ts';
import type { Stack } from '../wire/stack.ts';
import * as tcp from '../wire/tcp.ts';
import * as udp from '../wire/udp.ts';

/** Octets of an ICMP header up to its identifier. */
const ICMP_IDENTIFIER_END = 6;

const isTransport = (fault: Fault): boolean => fault >= FAULT.UDP_SHORT && fault <= FAULT.TCP_OPTION_BEYOND_HEADER;

/**
 * Read the IPv4 packet at `stack.network`. Interfaces, marks, states and time are the caller's. For ICMP queries
 * `sourcePort` is the identifier, which is what connection tracking tells exchanges apart by.
 */
export function read(view: DataView, stack: Stack, packet: RulePacket): void {
  const network = stack.network;
  // A transport header that its check refused still has its ports where they belong, and rules can see them.
  const isReadable =
    stack.transport < 0 && stack.fault !== FAULT.NONE && !isShort(stack.fault) && isTransport(stack.fault);
  const transport = isReadable ? stack.faultAt : stack.transport;
  const protocol = ipv4.protocol(view, network);
  packet.source = ipv4.source(view, network);
  packet.destination = ipv4.destination(view, network);
  packet.protocol = protocol;
  packet.length = stack.wireEnd - network;
  packet.fragmentOffset = stack.fragmentOffset;
  packet.transport = transport < 0 ? 0 : 1;
  packet.sourcePort = 0;
  packet.destinationPort = 0;
  packet.tcpFlags = 0;
  packet.icmpType = 0;
  packet.icmpCode = 0;
  if (transport < 0) return;
  switch (protocol) {
    case PROTOCOL.TCP:
      packet.sourcePort = tcp.sourcePort(view, transport);
      packet.destinationPort = tcp.destinationPort(view, transport);
      packet.tcpFlags = tcp.flags(view, transport);
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
