/**
 * Rewriting: new addresses, ports and identifiers in the octets of an IPv4 packet, checksums carried along.
 *
 * Source: net/netfilter/nf_nat_proto.c (nf_nat_ipv4_manip_pkt, tcp_manip_pkt, udp_manip_pkt, icmp_manip_pkt) and
 * net/core/utils.c (inet_proto_csum_replace4). Checksums are updated for what changed, never computed anew, so a packet
 * with a wrong one stays wrong by as much.
 *
 * `end` is the end of the datagram as its IP header declares it. `partial` says that the checksum field holds the sum
 * of the pseudo-header only, for a network card to complete (CHECKSUM_PARTIAL); then only addresses matter to it.
 */
import * as checksum from '../../wire/checksum.ts';
import * as icmp from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import * as tcp from '../../wire/tcp.ts';
import * as udp from '../../wire/udp.ts';
import { hasIdentifier, MANIP, type Tuple } from './tuples.ts';

const WORD = 0xffff;
/** A computed UDP checksum of 0 is sent so. */
const UDP_ZERO = 0xffff;
/** Octets of a TCP header that a quoted packet has at least; its checksum lies behind them. */
const TCP_QUOTED = 8;

/**
 * csum_replace4, also for a 16-bit field: the kernel's sum runs over 32 bits and is never 0 before it is complemented, so
 * the result is never 0xffff.
 */
const replace = (sum: number, before: number, after: number): number =>
  checksum.complement((~sum & WORD) + WORD + (~before >>> 16) + (~before & WORD) + (after >>> 16) + (after & WORD));

/** The same for the field of a partial checksum, which is not complemented. */
const replacePartial = (sum: number, before: number, after: number): number =>
  checksum.fold(sum + (~before >>> 16) + (~before & WORD) + (after >>> 16) + (after & WORD));

/**
 * Make the packet at `at` have the source (`MANIP.SOURCE`) or destination of `target`. False when its transport header
 * is too short to be changed: the kernel drops such a packet.
 */
export function rewrite(
  view: DataView,
  at: number,
  end: number,
  target: Readonly<Tuple>,
  manip: number,
  partial: boolean,
): boolean {
  const from = manip === MANIP.SOURCE ? ipv4.source(view, at) : ipv4.destination(view, at);
  const to = manip === MANIP.SOURCE ? target.source : target.destination;
  if (!rewriteTransport(view, ipv4.payloadStart(view, at), end, target, manip, partial, from, to)) return false;
  ipv4.setHeaderChecksum(view, at, replace(ipv4.headerChecksum(view, at), from, to));
  if (manip === MANIP.SOURCE) ipv4.setSource(view, at, to);
  else ipv4.setDestination(view, at, to);
  return true;
}

/** Protocols other than these three keep their octets: only the address changes. */
function rewriteTransport(
  view: DataView,
  at: number,
  end: number,
  target: Readonly<Tuple>,
  manip: number,
  partial: boolean,
  from: number,
  to: number,
): boolean {
  const port = manip === MANIP.SOURCE ? target.sourcePort : target.destinationPort;
  switch (target.protocol) {
    case PROTOCOL.TCP:
      return rewriteTcp(view, at, end, port, manip, partial, from, to);
    case PROTOCOL.UDP:
      return rewriteUdp(view, at, end, port, manip, partial, from, to);
    case PROTOCOL.ICMP:
      return rewriteIcmp(view, at, end, target.sourcePort);
    default:
      return true;
  }
}

/** A quoted segment may end before its checksum, which is then left out. */
function rewriteTcp(
  view: DataView,
  at: number,
  end: number,
  port: number,
  manip: number,
  partial: boolean,
  from: number,
  to: number,
): boolean {
  if (end - at < TCP_QUOTED) return false;
  const before = manip === MANIP.SOURCE ? tcp.sourcePort(view, at) : tcp.destinationPort(view, at);
  if (manip === MANIP.SOURCE) tcp.setSourcePort(view, at, port);
  else tcp.setDestinationPort(view, at, port);
  if (end - at < tcp.HEADER_LENGTH) return true;
  const sum = tcp.checksum(view, at);
  tcp.setChecksum(view, at, partial ? replacePartial(sum, from, to) : replace(replace(sum, from, to), before, port));
  return true;
}

/** A datagram without a checksum keeps none. */
function rewriteUdp(
  view: DataView,
  at: number,
  end: number,
  port: number,
  manip: number,
  partial: boolean,
  from: number,
  to: number,
): boolean {
  if (end - at < udp.HEADER_LENGTH) return false;
  const before = manip === MANIP.SOURCE ? udp.sourcePort(view, at) : udp.destinationPort(view, at);
  if (manip === MANIP.SOURCE) udp.setSourcePort(view, at, port);
  else udp.setDestinationPort(view, at, port);
  const sum = udp.checksum(view, at);
  if (sum === 0 && !partial) return true;
  const after = partial ? replacePartial(sum, from, to) : replace(replace(sum, from, to), before, port);
  udp.setChecksum(view, at, after === 0 ? UDP_ZERO : after);
  return true;
}

/** Only messages with an identifier have one to change. */
function rewriteIcmp(view: DataView, at: number, end: number, identifier: number): boolean {
  if (end - at < icmp.HEADER_LENGTH) return false;
  if (!hasIdentifier(icmp.type(view, at))) return true;
  icmp.setChecksum(view, at, replace(icmp.checksum(view, at), icmp.identifier(view, at), identifier));
  icmp.setIdentifier(view, at, identifier);
  return true;
}
