/**
 * Are the checksums of a located packet right? Apart from `check`, so that damaged packets and captures taken before the
 * network card filled the checksum in can be walked all the same.
 *
 * The kernel of a sending host leaves the sum of the pseudo-header in the field of TCP, UDP and ICMPv6 for the card to
 * complete (CHECKSUM_PARTIAL in include/linux/skbuff.h); a capture on that host shows it so. Such a packet was never on
 * the wire in this form and has a status of its own.
 */
import * as checksum from './checksum.ts';
import * as icmp from './icmp.ts';
import * as icmp6 from './icmp6.ts';
import * as ipv4 from './ipv4.ts';
import * as ipv6 from './ipv6.ts';
import { PROTOCOL } from './protocol.ts';
import type { Stack } from './stack.ts';
import * as tcp from './tcp.ts';
import * as udp from './udp.ts';

export const CHECKSUM = {
  /** There is none: no such header, a protocol unknown here, or UDP that sent 0. */
  NONE: 0,
  GOOD: 1,
  BAD: 2,
  /** Only the pseudo-header has been summed: seen on the sending host. */
  PARTIAL: 3,
  /** Octets are missing: a fragment, a packet cut by the capture, or a header that was refused. */
  UNVERIFIABLE: 4,
} as const;

export type Checksum = (typeof CHECKSUM)[keyof typeof CHECKSUM];

/** The header checksum of IPv4; NONE for other packets. */
export function ipv4Header(view: DataView, stack: Readonly<Stack>): Checksum {
  if (stack.version !== 4) return CHECKSUM.NONE;
  const total = checksum.sum(view, stack.network, ipv4.payloadStart(view, stack.network));
  return checksum.isGood(total) ? CHECKSUM.GOOD : CHECKSUM.BAD;
}

/**
 * The checksum of TCP, UDP, ICMP or ICMPv6. UDP over IPv6 that sent 0 is NONE too: RFC 8200 forbids it, RFC 6935 allows
 * it for tunnels, and the receiver decides. IPv6 with a routing header still to be followed is summed with the address
 * in the IPv6 header and comes out BAD.
 */
export function transport(view: DataView, stack: Readonly<Stack>): Checksum {
  const at = stack.transport;
  if (at < 0) return hasChecksum(stack) ? CHECKSUM.UNVERIFIABLE : CHECKSUM.NONE;
  const isUdp = stack.protocol === PROTOCOL.UDP;
  if (isUdp && udp.checksum(view, at) === 0) return CHECKSUM.NONE;
  const declared = isUdp ? udp.length(view, at) : 0;
  const end = declared === 0 ? stack.wireEnd : at + declared;
  if (stack.moreFragments === 1 || end > stack.end) return CHECKSUM.UNVERIFIABLE;
  const pseudo = pseudoHeader(view, stack, end - at);
  if (checksum.isGood(pseudo + checksum.sum(view, at, end))) return CHECKSUM.GOOD;
  if (stack.protocol !== PROTOCOL.ICMP && field(view, stack) === checksum.fold(pseudo)) return CHECKSUM.PARTIAL;
  return CHECKSUM.BAD;
}

/** Whether the transport header that could not be read would have had a checksum. */
function hasChecksum(stack: Readonly<Stack>): boolean {
  switch (stack.protocol) {
    case PROTOCOL.TCP:
    case PROTOCOL.UDP:
      return true;
    case PROTOCOL.ICMP:
      return stack.version === 4;
    case PROTOCOL.ICMP6:
      return stack.version === 6;
    default:
      return false;
  }
}

/** ICMP alone has no pseudo-header. */
function pseudoHeader(view: DataView, stack: Readonly<Stack>, length: number): number {
  const network = stack.network;
  if (stack.version === 6) return checksum.pseudo6(view, ipv6.sourceStart(view, network), stack.protocol, length);
  if (stack.protocol === PROTOCOL.ICMP) return 0;
  return checksum.pseudo4(ipv4.source(view, network), ipv4.destination(view, network), stack.protocol, length);
}

function field(view: DataView, stack: Readonly<Stack>): number {
  switch (stack.protocol) {
    case PROTOCOL.TCP:
      return tcp.checksum(view, stack.transport);
    case PROTOCOL.UDP:
      return udp.checksum(view, stack.transport);
    case PROTOCOL.ICMP6:
      return icmp6.checksum(view, stack.transport);
    default:
      return icmp.checksum(view, stack.transport);
  }
}
