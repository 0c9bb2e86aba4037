/**
 * REJECT answers only packets whose checksum is right: `nf_ip_checksum` in net/netfilter/utils.c, and
 * `nf_reject_verify_csum` in include/net/netfilter/nf_reject.h.
 *
 * What is summed is the whole packet from its IPv4 header on, as the header adds nothing when its own checksum is right.
 * So every protocol is expected to hold an Internet checksum over all of its payload, and a packet of one that does not
 * (IP in IP, DCCP with partial coverage) gets no answer; some are excepted. It also follows that a packet whose options the
 * cell has written to (see receive-options.ts) sums wrong.
 */
import * as checksum from '../../wire/checksum.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import * as udp from '../../wire/udp.ts';
import { UNANSWERED } from './unanswered.ts';

/** What the kernel knows of a packet's checksum before it asks, from `skb->ip_summed` and `skb->csum_valid`. */
export const VERIFIED = {
  /** Nothing: received without conntrack, or conntrack found it wrong. */
  NO: 0,
  /**
   * Verified, but not written down in a way that a reset looks at: conntrack found it right and it was forwarded, or the
   * packet came out of a tunnel whose outer UDP checksum was right or absent.
   */
  VALID: 1,
  /** Sent by this machine's own stack or a container's with checksum offload, or right for conntrack in INPUT. */
  UNNECESSARY: 2,
} as const;

export type Verified = (typeof VERIFIED)[keyof typeof VERIFIED];

const GRE = 47;

/** 0 when an ICMP error may be sent about the packet at `network`, else one of UNANSWERED. */
export function checkForError(view: DataView, network: number, end: number, verified: Verified): number {
  return verified !== VERIFIED.NO || isExcepted(view, network, end) ? 0 : verify(view, network, end);
}

/** 0 when the packet's sum is right, else one of UNANSWERED. */
export function verify(view: DataView, network: number, end: number): number {
  const stop = ipv4.payloadEnd(view, network);
  if (stop > end) return UNANSWERED.CUT;
  const protocol = ipv4.protocol(view, network);
  const hasPseudoHeader = protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP;
  const length = stop - ipv4.payloadStart(view, network);
  const pseudo = hasPseudoHeader
    ? checksum.pseudo4(ipv4.source(view, network), ipv4.destination(view, network), protocol, length)
    : 0;
  return checksum.isGood(pseudo + checksum.sum(view, network, stop)) ? 0 : UNANSWERED.CHECKSUM;
}

/** Protocols without an Internet checksum over all of their payload, and UDP that has none. */
function isExcepted(view: DataView, network: number, end: number): boolean {
  switch (ipv4.protocol(view, network)) {
    case PROTOCOL.UDP:
      return hasNoChecksum(view, network, end);
    case GRE:
    case PROTOCOL.ESP:
    case PROTOCOL.AUTHENTICATION:
    case PROTOCOL.SCTP:
    case PROTOCOL.UDP_LITE:
      return true;
    default:
      return false;
  }
}

function hasNoChecksum(view: DataView, network: number, end: number): boolean {
  const at = ipv4.payloadStart(view, network);
  const stop = at + udp.HEADER_LENGTH;
  return stop <= end && stop <= ipv4.payloadEnd(view, network) && udp.checksum(view, at) === 0;
}
