/**
 * The TCP states of connection tracking: which state a segment leads to.
 *
 * Source: the state table of net/netfilter/nf_conntrack_proto_tcp.c, and its list of flag combinations that a segment
 * may have. Sequence numbers are not looked at here.
 */

export const TCP_STATE = {
  NONE: 0,
  SYN_SENT: 1,
  SYN_RECV: 2,
  ESTABLISHED: 3,
  FIN_WAIT: 4,
  CLOSE_WAIT: 5,
  LAST_ACK: 6,
  TIME_WAIT: 7,
  CLOSE: 8,
  SYN_SENT2: 9,
  /** Not a state: the segment is let through and changes nothing. */
  IGNORE: 10,
  /** Not a state: the segment cannot belong to the connection. */
  INVALID: 11,
} as const;

/** What kind of segment the flags make it; RST outranks SYN, SYN outranks FIN. */
export const SEGMENT = { SYN: 0, SYN_ACK: 1, FIN: 2, ACK: 3, RST: 4, NONE: 5 } as const;

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const PSH = 0x08;
const ACK = 0x10;
const URG = 0x20;

/**
 * One letter per old state, in the order of TCP_STATE; the letter names the new state.
 * s SYN_SENT, 2 SYN_SENT2, r SYN_RECV, e ESTABLISHED, f FIN_WAIT, c CLOSE_WAIT, l LAST_ACK, t TIME_WAIT, x CLOSE,
 * . ignore, ! invalid.
 */
const LETTERS = '-srefcltx2.!';
const ORIGINAL = ['ss.....ss2', '!!r!!!!!!r', '!!ffllltx!', 'e!eeccttx!', '!xxxxxxxxx', '!!!!!!!!!!'];
const REPLY = ['!2!!!!!s!2', '!r.......r', '!!ffllltx!', '!.reccttx.', '!xxxxxxxxx', '!!!!!!!!!!'];

const STATES = 10;
const SEGMENTS = 6;

const TRANSITIONS = Uint8Array.from([...ORIGINAL, ...REPLY].join(''), (letter) => LETTERS.indexOf(letter));

const KINDS = Uint8Array.from({ length: 256 }, (_, flags) => {
  if ((flags & RST) !== 0) return SEGMENT.RST;
  if ((flags & SYN) !== 0) return (flags & ACK) !== 0 ? SEGMENT.SYN_ACK : SEGMENT.SYN;
  if ((flags & FIN) !== 0) return SEGMENT.FIN;
  return (flags & ACK) !== 0 ? SEGMENT.ACK : SEGMENT.NONE;
});

/** Flag combinations that exist, leaving out PSH, ECE and CWR. */
const COMBINATIONS = [SYN, SYN | URG, SYN | ACK, RST, RST | ACK, FIN | ACK, FIN | ACK | URG, ACK, ACK | URG];
const VALID = Uint8Array.from({ length: 256 }, (_, flags) =>
  COMBINATIONS.includes(flags & (FIN | SYN | RST | ACK | URG) & ~PSH) ? 1 : 0,
);

/** Whether a segment may carry these flags at all (octet 13 of the header). */
export const flagsAreValid = (flags: number): boolean => VALID[flags] === 1;

/** The kind of segment that octet 13 of the header makes. */
export const segmentOf = (flags: number): number => KINDS[flags]!;

const PROTOCOL_TCP = 6;

/** Whether the first packet seen of a connection comes from its middle: TCP, but not a SYN without ACK. */
export const isPickUp = (protocol: number, flags: number): boolean =>
  protocol === PROTOCOL_TCP && (flags & (SYN | ACK)) !== SYN;

/** The state after `segment` in direction `reply` (0 original, 1 reply) while in `state`; IGNORE or INVALID. */
export const transition = (reply: number, segment: number, state: number): number =>
  TRANSITIONS[(reply * SEGMENTS + segment) * STATES + state]!;

const SECOND = 1e9;

/** Nanoseconds that a connection is kept after a packet that led to each state (tcp_timeouts). */
export const TCP_TIMEOUTS = Float64Array.of(
  0,
  120 * SECOND,
  60 * SECOND,
  432_000 * SECOND,
  120 * SECOND,
  60 * SECOND,
  30 * SECOND,
  120 * SECOND,
  10 * SECOND,
  120 * SECOND,
);

/** Kept after an unanswered ACK picked a connection up, or while data is unacknowledged (nf_conntrack_tcp_timeout_unacknowledged). */
export const TCP_TIMEOUT_UNACKNOWLEDGED = 300 * SECOND;
