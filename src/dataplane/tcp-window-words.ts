/**
 * What is remembered of a TCP connection's windows: 14 words of an Int32Array, beginning where the caller says.
 *
 * Source: struct ip_ct_tcp and struct ip_ct_tcp_state (include/linux/netfilter/nf_conntrack_tcp.h).
 *
 *   0  end      highest sequence number + length sent                (td_end)      original direction
 *   1  maxEnd   first sequence number that may not be sent           (td_maxend)
 *   2  maxWin   largest window offered, scaled; 0: nothing sent yet  (td_maxwin)
 *   3  maxAck   highest acknowledgment sent, if MAXACK_SET           (td_maxack)
 *   4  the same four words of the reply direction
 *   8  lastSeq  sequence number of the last ACK, or of the last segment that was ignored
 *   9  lastAck  its acknowledgment
 *  10  lastEnd  its sequence number + length
 *  11  FLAGS    0-7 flags, original | 8-15 flags, reply | 16-23 last flags | 24-27 scale, original | 28-31 scale, reply
 *  12  LAST     0-15 window of the last ACK, unscaled | 16-19 scale of the last ignored SYN | 20-22 kind of the last segment
 *               (SEGMENT) | 23 its direction | 24-31 how often the last ACK came again
 *  13  STATUS   0-3 state (TCP_STATE) | 4 ASSURED | 5 SEEN_REPLY | 6-7 zero | 8-31 the caller's, never touched
 *
 * Sequence numbers and windows are unsigned 32-bit numbers kept as the signed ones of the same bits.
 */

export const WINDOW_WORDS = 14;

/**
 * Where the words lie. Those who use these objects take them apart into constants of their own module: V8 folds such constants
 * into the code, and loads an imported binding each time (measured: a third of the time that a segment takes).
 */
export const WORD = {
  /** The first four are one direction's; the reply direction's are DIRECTION_WORDS behind the original one's. */
  END: 0,
  MAX_END: 1,
  MAX_WIN: 2,
  MAX_ACK: 3,
  DIRECTION_WORDS: 4,
  LAST_SEQ: 8,
  LAST_ACK: 9,
  LAST_END: 10,
  FLAGS: 11,
  LAST: 12,
  STATUS: 13,
} as const;

/** Bits of FLAGS. Those of a direction are to be shifted by 8 for the reply direction (IP_CT_TCP_FLAG_*). */
export const FLAG_BIT = {
  WINDOW_SCALE: 0x01,
  SACK_PERM: 0x02,
  /** This direction sent the first FIN. */
  CLOSE_INIT: 0x04,
  /** Nothing that this direction sends is out of its window: the connection was picked up, so its scale is not known. */
  BE_LIBERAL: 0x08,
  DATA_UNACKNOWLEDGED: 0x10,
  MAXACK_SET: 0x20,
  /** All of one direction. */
  DIRECTION_FLAGS: 0xff,
  /** Last flags: an ignored SYN may be answered by a challenge ACK (RFC 5961), which acknowledges no FIN. */
  EXP_CHALLENGE_ACK: 0x40_0000,
  /** Last flags: both ends sent a SYN. */
  SIMULTANEOUS_OPEN: 0x80_0000,
  LAST_FLAGS: 0xff_0000,
  LAST_FLAGS_SHIFT: 16,
  SCALE_SHIFT: 24,
} as const;

/** Fields of LAST. */
export const LAST_FIELD = {
  LAST_WIN: 0xffff,
  LAST_SCALE: 0xf_0000,
  LAST_SCALE_SHIFT: 16,
  LAST_SEGMENT: 0x70_0000,
  LAST_SEGMENT_SHIFT: 20,
  LAST_REPLY: 0x80_0000,
  /** One more time that the last ACK came; the field wraps at 256, as the kernel's does. */
  ONCE_MORE: 0x100_0000,
  RETRANS_SHIFT: 24,
} as const;

/** Fields of STATUS. */
export const STATUS_FIELD = {
  STATE: 0xf,
  /** An ACK of the opening, or an answer to what was picked up, has been seen: shown as [ASSURED]. */
  ASSURED: 0x10,
  /** A packet of the reply direction has been let through: original packets are ESTABLISHED, no longer NEW. */
  SEEN_REPLY: 0x20,
  /** Bits that belong to the caller. */
  CALLERS: ~0xff,
} as const;

/** The farthest that an acknowledgment may lag behind, where the sender's window is not larger (MAXACKWINCONST). */
export const LIMIT = { MAX_ACK_WINDOW: 66_000 } as const;

/** Whether sequence number `a` lies before `b`, modulo 2^32 (net/tcp.h). */
export const before = (a: number, b: number): boolean => ((a - b) | 0) < 0;

/** Whether sequence number `a` lies behind `b`, modulo 2^32. */
export const after = (a: number, b: number): boolean => ((b - a) | 0) < 0;
