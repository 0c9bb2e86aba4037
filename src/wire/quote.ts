/**
 * The packet that an ICMP or ICMPv6 error quotes: RFC 792, RFC 1812 section 4.3.2.3, RFC 4443 section 2.4.
 *
 * The quote is the IP header and at least 8 octets behind it, usually cut somewhere, so no length in it is held against
 * the octets that are there. It is read as far as Linux reads it to find the connection that the error belongs to
 * (nf_conntrack_inet_error in net/netfilter/nf_conntrack_proto_icmp.c): addresses, protocol, and ports or ICMP
 * identifier. A quoted later fragment has neither and is not valid. An error quoted in an error is read one level deep.
 */
import * as extension from './extension.ts';
import * as gre from './gre.ts';
import * as icmp from './icmp.ts';
import * as icmp6 from './icmp6.ts';
import * as ipv4 from './ipv4.ts';
import { LINKTYPE, PROTOCOL } from './protocol.ts';
import { createStack, type Stack } from './stack.ts';
import * as udp from './udp.ts';
import { reset, walk } from './walk.ts';

/** Longest datagram a quote may claim to have been cut from. */
const LONGEST_QUOTED = 0x0fff_ffff;
const PORTS_LENGTH = 4;

export interface Quote {
  /** 1 when the packet of the last `locate` is an error and quotes a packet that can be told from others. */
  valid: number;
  /** Where the headers of the quoted packet are; its addresses, for IPv6, are read at `stack.network`. */
  readonly stack: Stack;
  /** IPv4 addresses; 0 for IPv6. */
  source: number;
  destination: number;
  protocol: number;
  /** 0 for protocols without ports. */
  sourcePort: number;
  destinationPort: number;
  /** Of a quoted ICMP or ICMPv6 message; 0 otherwise. */
  icmpType: number;
  icmpCode: number;
  icmpIdentifier: number;
}

export const create = (): Quote => ({
  valid: 0,
  stack: createStack(),
  source: 0,
  destination: 0,
  protocol: 0,
  sourcePort: 0,
  destinationPort: 0,
  icmpType: 0,
  icmpCode: 0,
  icmpIdentifier: 0,
});

/** Fill `into` from the packet at `stack`. Never reads at or behind `stack.end`. */
export function locate(view: DataView, stack: Readonly<Stack>, into: Quote): void {
  clear(into);
  if (stack.transport < 0 || !isError(view, stack)) return;
  const quoted = into.stack;
  const at = stack.payload;
  reset(quoted, stack.end, at + LONGEST_QUOTED);
  walk(view, at, stack.version === 4 ? LINKTYPE.IPV4 : LINKTYPE.IPV6, quoted);
  if (quoted.network < 0 || quoted.fragmentOffset !== 0) return;
  into.protocol = quoted.protocol;
  if (quoted.version === 4) {
    into.source = ipv4.source(view, quoted.network);
    into.destination = ipv4.destination(view, quoted.network);
  }
  into.valid = readTransport(view, quoted, into) ? 1 : 0;
}

function clear(into: Quote): void {
  into.valid = 0;
  into.source = 0;
  into.destination = 0;
  into.protocol = 0;
  into.sourcePort = 0;
  into.destinationPort = 0;
  into.icmpType = 0;
  into.icmpCode = 0;
  into.icmpIdentifier = 0;
  reset(into.stack, -1, -1);
}

function isError(view: DataView, stack: Readonly<Stack>): boolean {
  if (stack.protocol === PROTOCOL.ICMP) return stack.version === 4 && icmp.isError(icmp.type(view, stack.transport));
  return stack.protocol === PROTOCOL.ICMP6 && stack.version === 6 && icmp6.isError(icmp6.type(view, stack.transport));
}

/** A transport header that the walk refused for being cut begins at `payload`. */
function readTransport(view: DataView, quoted: Readonly<Stack>, into: Quote): boolean {
  const at = quoted.transport < 0 ? quoted.payload : quoted.transport;
  const room = quoted.end - at;
  switch (quoted.protocol) {
    case PROTOCOL.TCP:
    case PROTOCOL.UDP:
    case PROTOCOL.UDP_LITE:
    case PROTOCOL.DCCP:
    case PROTOCOL.SCTP:
      // All of them begin with the two ports, as UDP does.
      if (room < PORTS_LENGTH) return false;
      into.sourcePort = udp.sourcePort(view, at);
      into.destinationPort = udp.destinationPort(view, at);
      return true;
    case PROTOCOL.GRE:
      into.destinationPort = Math.max(gre.callOf(view, at, quoted.end), 0);
      return gre.callOf(view, at, quoted.end) >= 0;
    case PROTOCOL.ICMP:
    case PROTOCOL.ICMP6:
      // The two protocols agree on where type, code and identifier are.
      if (room < icmp.HEADER_LENGTH) return false;
      into.icmpType = icmp.type(view, at);
      into.icmpCode = icmp.code(view, at);
      into.icmpIdentifier = icmp.identifier(view, at);
      return true;
    case PROTOCOL.FRAGMENT:
      return false;
    default:
      return quoted.version === 4 || !extension.isExtension(quoted.protocol);
  }
}
