/**
 * Why a cell sends no answer: what the writers of this folder return instead of a length. All are negative, so that a
 * result above 0 is a packet.
 */
export const UNANSWERED = {
  BROADCAST: -1,
  SOURCE: -2,
  LATER_FRAGMENT: -3,
  ICMP_ERROR: -4,
  OPTIONS: -5,
  MTU: -6,
  CUT: -7,
  CHECKSUM: -8,
  NOT_TCP: -9,
  SHORT_TCP: -10,
  RESET: -11,
} as const;

export type Unanswered = (typeof UNANSWERED)[keyof typeof UNANSWERED];

/** One clause that completes "no answer is sent because ...", indexed by the negated value. */
export const UNANSWERED_BECAUSE: readonly string[] = [
  '',
  'the packet was sent to a broadcast or multicast address',
  'its source is no address that an answer could go to',
  'it is a fragment other than the first',
  'it is itself an ICMP error, or an ICMP message of unknown type',
  'an IP option that the answer would repeat has no room for the address or time it asks for',
  'the path back has no room for an ICMP header and a quoted IP header',
  'the capture ends before the octets that the answer depends on',
  'the checksum of the rejected packet is wrong',
  'only TCP is answered with a reset',
  'the rejected segment is shorter than a TCP header',
  'a reset is not answered with a reset',
];
