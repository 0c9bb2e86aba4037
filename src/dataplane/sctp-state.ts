/**
 * The SCTP states of connection tracking: which state a chunk leads to, and how long a connection is kept in each.
 *
 * Source: the state table and the timeouts of net/netfilter/nf_conntrack_proto_sctp.c, kernel 6.x. Verification tags are not
 * looked at here.
 */

export const SCTP_STATE = {
  NONE: 0,
  CLOSED: 1,
  COOKIE_WAIT: 2,
  COOKIE_ECHOED: 3,
  ESTABLISHED: 4,
  SHUTDOWN_SENT: 5,
  SHUTDOWN_RECD: 6,
  SHUTDOWN_ACK_SENT: 7,
  HEARTBEAT_SENT: 8,
  /** Not a state: the chunk cannot belong to the connection. */
  INVALID: 9,
} as const;

/** Chunk types (RFC 9260 section 3.2). */
export const CHUNK = {
  DATA: 0,
  INIT: 1,
  INIT_ACK: 2,
  HEARTBEAT: 4,
  HEARTBEAT_ACK: 5,
  ABORT: 6,
  SHUTDOWN: 7,
  SHUTDOWN_ACK: 8,
  ERROR: 9,
  COOKIE_ECHO: 10,
  COOKIE_ACK: 11,
  SHUTDOWN_COMPLETE: 14,
} as const;

/**
 * One letter per old state, in the order of SCTP_STATE; the letter names the new state.
 * c CLOSED, w COOKIE_WAIT, k COOKIE_ECHOED, e ESTABLISHED, s SHUTDOWN_SENT, r SHUTDOWN_RECD, a SHUTDOWN_ACK_SENT,
 * h HEARTBEAT_SENT, ! invalid.
 */
const LETTERS = '-cwkesrah!';

/** By chunk type; chunks that are not here change no state. */
const ORIGINAL: readonly (readonly [type: number, letters: string])[] = [
  [CHUNK.INIT, 'ccwkeccaw'],
  [CHUNK.INIT_ACK, 'ccwkesrac'],
  [CHUNK.ABORT, 'ccccccccc'],
  [CHUNK.SHUTDOWN, 'ccwkssrac'],
  [CHUNK.SHUTDOWN_ACK, 'acwkeaaaa'],
  [CHUNK.ERROR, 'ccwkesrac'],
  [CHUNK.COOKIE_ECHO, 'cckkesrac'],
  [CHUNK.COOKIE_ACK, 'ccweesrac'],
  [CHUNK.SHUTDOWN_COMPLETE, 'ccwkesrcc'],
  [CHUNK.HEARTBEAT, 'hcwkesrah'],
  [CHUNK.HEARTBEAT_ACK, 'ccwkesrah'],
];

const REPLY: readonly (readonly [type: number, letters: string])[] = [
  [CHUNK.INIT, '!cwkesra!'],
  [CHUNK.INIT_ACK, '!wwkesra!'],
  [CHUNK.ABORT, '!ccccccc!'],
  [CHUNK.SHUTDOWN, '!cwkrsra!'],
  [CHUNK.SHUTDOWN_ACK, '!cwkeaaa!'],
  [CHUNK.ERROR, '!cwcesra!'],
  [CHUNK.COOKIE_ECHO, '!ckkesra!'],
  [CHUNK.COOKIE_ACK, '!cweesra!'],
  [CHUNK.SHUTDOWN_COMPLETE, '!cwkesrc!'],
  [CHUNK.HEARTBEAT, '!cwkesrah'],
  [CHUNK.HEARTBEAT_ACK, '!cwkesrae'],
];

const STATES = 9;
const TYPES = 15;

const TRANSITIONS = Uint8Array.from({ length: 2 * TYPES * STATES }, (_, index) => index % STATES);
for (const [reply, rows] of [ORIGINAL, REPLY].entries()) {
  for (const [type, letters] of rows) {
    const at = (reply * TYPES + type) * STATES;
    TRANSITIONS.set(
      Array.from(letters, (letter) => LETTERS.indexOf(letter)),
      at,
    );
  }
}

/** The state after a chunk of `type` in direction `reply` (0 original, 1 reply) while in `state`; or INVALID. */
export const sctpTransition = (reply: number, type: number, state: number): number =>
  type < TYPES ? TRANSITIONS[(reply * TYPES + type) * STATES + state]! : state;

const SECOND = 1e9;

/** Nanoseconds that a connection is kept after a packet that led to each state (sctp_timeouts). */
export const SCTP_TIMEOUTS = Float64Array.of(
  10 * SECOND,
  10 * SECOND,
  3 * SECOND,
  3 * SECOND,
  210 * SECOND,
  3 * SECOND,
  3 * SECOND,
  3 * SECOND,
  30 * SECOND,
);
