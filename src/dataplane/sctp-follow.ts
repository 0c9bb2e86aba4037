/**
 * An SCTP association followed packet by packet: its state, its verification tags, and how long it is kept.
 *
 * Source: nf_conntrack_sctp_packet, sctp_new and do_basic_checks of net/netfilter/nf_conntrack_proto_sctp.c, kernel 6.x;
 * RFC 9260 section 8.5. The association's state is SCTP_WORDS words of an Int32Array, beginning where the caller says:
 *
 *   0  verification tag of packets of the original direction; 0: not known
 *   1  that of the reply direction
 *   2  FLAGS   0 a HEARTBEAT came with another tag | 1 its direction | 2 an INIT of the original direction is in progress |
 *              3 one of the reply direction
 *   3  STATUS  0-3 state (SCTP_STATE) | 4 ASSURED | 5 SEEN_REPLY | 6-7 zero | 8-31 the caller's, never touched
 *
 * STATUS has the bits of that of `tcp-window-words.ts`, so that callers can treat both alike.
 */
import { crc32c } from '../wire/crc32c.ts';
import { CHUNK, SCTP_STATE, sctpTransition } from './sctp-state.ts';

export const SCTP_WORDS = 4;
export const SCTP_STATUS = 3;
const FLAGS = 2;

const STATE = 0xf;
const ASSURED = 0x10;
const SEEN_REPLY = 0x20;
const CALLERS = ~0xff;

// Bits of FLAGS; INIT is to be shifted by 1 for the reply direction.
const HEARTBEAT_FAILED = 0x1;
const HEARTBEAT_REPLY = 0x2;
const INIT = 0x4;
const EITHER_INIT = INIT | (INIT << 1);

/** What a packet does to its association. 1 to 8: let through, keep it for SCTP_TIMEOUTS[outcome] from now on. */
export const SCTP_OUTCOME = {
  /** Let through; the time that the association is kept does not change. */
  KEPT: 9,
  INVALID: 10,
} as const;

const HEADER_LENGTH = 12;
const TAG = 4;
const CHECKSUM = 8;
const CHUNK_HEADER_LENGTH = 4;
/** Fixed part of an INIT or INIT ACK behind the chunk header; it begins with the initiate tag. */
const INIT_LENGTH = 16;
/** Flag of ABORT and SHUTDOWN COMPLETE: the tag is the other side's, for the sender has none. */
const TAG_REFLECTED = 1;

const bit = (type: number): number => 1 << type;
/** Nothing that the kernel knows begins with these. */
const OPENS_NOTHING = bit(CHUNK.ABORT) | bit(CHUNK.SHUTDOWN_COMPLETE) | bit(CHUNK.COOKIE_ACK);
const ONLY_CHUNKS = bit(CHUNK.INIT) | bit(CHUNK.INIT_ACK) | bit(CHUNK.SHUTDOWN_COMPLETE);
const FIRST_CHUNKS = bit(CHUNK.COOKIE_ACK) | bit(CHUNK.COOKIE_ECHO);
/** Chunks whose tag is looked at one by one; a packet without any of them must bear its direction's tag. */
const TAG_LATER =
  bit(CHUNK.INIT) |
  bit(CHUNK.SHUTDOWN_COMPLETE) |
  bit(CHUNK.COOKIE_ECHO) |
  bit(CHUNK.ABORT) |
  bit(CHUNK.SHUTDOWN_ACK) |
  bit(CHUNK.HEARTBEAT) |
  bit(CHUNK.HEARTBEAT_ACK);

/** Types from here on have no bit: they change nothing. */
const NO_BIT = 31;

const chunkAfter = (view: DataView, at: number): number => at + ((view.getUint16(at + 2) + 3) & ~3);

/** Whether a chunk header lies at `at`, before `stop`. */
const isChunk = (at: number, stop: number): boolean => at + CHUNK_HEADER_LENGTH <= stop;

/** One bit for each type of chunk in a packet that the kernel reads at all; -1 for any other packet. */
function chunksOf(view: DataView, sctp: number, length: number): number {
  const stop = sctp + length;
  if (length < HEADER_LENGTH) return -1;
  if (view.getInt32(sctp + CHECKSUM, true) !== crc32c(view, sctp, length, sctp + CHECKSUM)) return -1;
  let found = 0;
  let count = 0;
  for (let at = sctp + HEADER_LENGTH; isChunk(at, stop); at = chunkAfter(view, at)) {
    const type = view.getUint8(at);
    const own = type < NO_BIT ? bit(type) : bit(NO_BIT - 1);
    found |= own;
    const misplaced = (found & ONLY_CHUNKS) !== 0 || (own & FIRST_CHUNKS) !== 0;
    if ((count !== 0 && misplaced) || view.getUint16(at + 2) === 0) return -1;
    count += 1;
  }
  return count === 0 ? -1 : found;
}

/**
 * Begin an association at `at` with the packet of `length` octets at `sctp`. INVALID if such a packet opens nothing. The caller's
 * bits of STATUS stay.
 */
export function openSctp(words: Int32Array, at: number, view: DataView, sctp: number, length: number): number {
  const found = chunksOf(view, sctp, length);
  if (found === -1 || (found & OPENS_NOTHING) !== 0) return SCTP_OUTCOME.INVALID;
  const tag = view.getInt32(sctp + TAG);
  const stop = sctp + length;
  words[at] = 0;
  words[at + 1] = 0;
  words[at + FLAGS] = 0;
  words[at + SCTP_STATUS] = words[at + SCTP_STATUS]! & CALLERS;
  for (let chunk = sctp + HEADER_LENGTH; isChunk(chunk, stop); chunk = chunkAfter(view, chunk)) {
    const type = view.getUint8(chunk);
    if (sctpTransition(0, type, SCTP_STATE.NONE) === SCTP_STATE.NONE) return SCTP_OUTCOME.INVALID;
    if (type === CHUNK.INIT) {
      if (tag !== 0 || chunk + CHUNK_HEADER_LENGTH + INIT_LENGTH > stop) return SCTP_OUTCOME.INVALID;
      words[at + 1] = view.getInt32(chunk + CHUNK_HEADER_LENGTH);
    } else if (type === CHUNK.HEARTBEAT) {
      words[at] = tag;
    } else if (type === CHUNK.SHUTDOWN_ACK) {
      // It is answered by a SHUTDOWN COMPLETE with the same tag (RFC 9260 section 8.4).
      words[at + 1] = tag;
    }
  }
  return follow(words, at, 0, view, sctp, length, found);
}

/**
 * Follow the association at `at` with the packet of `length` octets at `sctp`, going `reply` (0 as the first packet, 1 the other
 * way). SCTP_OUTCOME.
 */
export function followSctp(
  words: Int32Array,
  at: number,
  reply: number,
  view: DataView,
  sctp: number,
  length: number,
): number {
  const found = chunksOf(view, sctp, length);
  if (found === -1) return SCTP_OUTCOME.INVALID;
  return follow(words, at, reply, view, sctp, length, found);
}

function follow(
  words: Int32Array,
  at: number,
  reply: number,
  view: DataView,
  sctp: number,
  length: number,
  found: number,
): number {
  const tag = view.getInt32(sctp + TAG);
  if ((found & TAG_LATER) === 0 && tag !== words[at + reply]) return SCTP_OUTCOME.INVALID;
  const isNew = (words[at + SCTP_STATUS]! & STATE) === SCTP_STATE.NONE;
  const stop = sctp + length;
  let kept = false;
  let next: number = SCTP_STATE.NONE;
  for (let chunk = sctp + HEADER_LENGTH; isChunk(chunk, stop); chunk = chunkAfter(view, chunk)) {
    const type = view.getUint8(chunk);
    const judged = judgeTag(words, at, reply, type, view.getUint8(chunk + 1), tag);
    if (judged === TAG_WRONG) return SCTP_OUTCOME.INVALID;
    if (judged === TAG_OTHER) {
      if (kept || !mayHaveAnotherTag(words, at, reply, type, tag, found)) return SCTP_OUTCOME.INVALID;
      if (type === CHUNK.HEARTBEAT) {
        kept = true;
        continue;
      }
    }
    const old = words[at + SCTP_STATUS]! & STATE;
    next = sctpTransition(reply, type, old);
    if (next === SCTP_STATE.INVALID) return SCTP_OUTCOME.INVALID;
    if (type === CHUNK.INIT || type === CHUNK.INIT_ACK) {
      if (chunk + CHUNK_HEADER_LENGTH + INIT_LENGTH > stop) return SCTP_OUTCOME.INVALID;
      const initiateTag = view.getInt32(chunk + CHUNK_HEADER_LENGTH);
      if (type === CHUNK.INIT) noteInit(words, at, reply, old, initiateTag);
      else if (!answersInit(words, at, reply, initiateTag)) return SCTP_OUTCOME.INVALID;
      words[at + (reply ^ 1)] = initiateTag;
      // An INIT that comes again does not prolong the wait.
      if (type === CHUNK.INIT && !isNew && old === SCTP_STATE.CLOSED && next === SCTP_STATE.CLOSED) kept = true;
    }
    const assured = old !== next && next === SCTP_STATE.ESTABLISHED ? ASSURED : 0;
    words[at + SCTP_STATUS] = (words[at + SCTP_STATUS]! & ~STATE) | next | assured;
  }
  if (reply === 1) words[at + SCTP_STATUS] = words[at + SCTP_STATUS]! | SEEN_REPLY;
  return kept ? SCTP_OUTCOME.KEPT : next;
}

/**
 * An INIT begins an association, unless its tag is the one that is known: then it is old, or comes again. After a collision (both
 * ends sent one) it begins another, and the other side's is over.
 */
function noteInit(words: Int32Array, at: number, reply: number, old: number, initiateTag: number): void {
  if (old !== SCTP_STATE.NONE && words[at + (reply ^ 1)] === initiateTag) return;
  const flags = words[at + FLAGS]!;
  const kept = (flags & EITHER_INIT) === EITHER_INIT ? flags & ~EITHER_INIT : flags;
  words[at + FLAGS] = kept | (INIT << reply);
}

/** An INIT ACK without an INIT of the other side, or in a collision, may not change the tag that is known. */
function answersInit(words: Int32Array, at: number, reply: number, initiateTag: number): boolean {
  const known = words[at + (reply ^ 1)]!;
  const flags = words[at + FLAGS]!;
  if ((flags & EITHER_INIT) === EITHER_INIT) return known === initiateTag;
  return (flags & (INIT << (reply ^ 1))) !== 0 || known === 0 || known === initiateTag;
}

const TAG_RIGHT = 0;
const TAG_WRONG = 1;
/** A HEARTBEAT or its ACK with a tag that is not this association's: perhaps that of the next one. */
const TAG_OTHER = 2;

/** The rules of RFC 9260 section 8.5.1 for a chunk of `type` in a packet with `tag`; a HEARTBEAT may teach the tag. */
function judgeTag(words: Int32Array, at: number, reply: number, type: number, flags: number, tag: number): number {
  const own = words[at + reply]!;
  switch (type) {
    case CHUNK.INIT:
      return tag === 0 ? TAG_RIGHT : TAG_WRONG;
    case CHUNK.ABORT:
    case CHUNK.SHUTDOWN_COMPLETE:
      return tag === ((flags & TAG_REFLECTED) === 0 ? own : words[at + (reply ^ 1)]) ? TAG_RIGHT : TAG_WRONG;
    case CHUNK.COOKIE_ECHO:
      return tag === own ? TAG_RIGHT : TAG_WRONG;
    case CHUNK.COOKIE_ACK:
      words[at + FLAGS] = words[at + FLAGS]! & ~EITHER_INIT;
      return TAG_RIGHT;
    case CHUNK.HEARTBEAT:
    case CHUNK.HEARTBEAT_ACK:
      if (own === 0) words[at + reply] = tag;
      else if (tag !== own) return TAG_OTHER;
      else words[at + FLAGS] = words[at + FLAGS]! & ~HEARTBEAT_FAILED;
      return TAG_RIGHT;
    default:
      return TAG_RIGHT;
  }
}

/**
 * A HEARTBEAT with another tag is remembered and let through; if the other side acknowledges it, the association goes on with the
 * acknowledgment's tag. Not in a packet with data.
 */
function mayHaveAnotherTag(
  words: Int32Array,
  at: number,
  reply: number,
  type: number,
  tag: number,
  found: number,
): boolean {
  if ((found & bit(CHUNK.DATA)) !== 0) return false;
  const flags = words[at + FLAGS]!;
  if (type === CHUNK.HEARTBEAT) {
    words[at + FLAGS] = (flags & ~HEARTBEAT_REPLY) | HEARTBEAT_FAILED | (reply * HEARTBEAT_REPLY);
    return true;
  }
  const direction = (flags & HEARTBEAT_REPLY) === 0 ? 0 : 1;
  if ((flags & HEARTBEAT_FAILED) === 0 || direction === reply) return false;
  words[at + FLAGS] = flags & ~HEARTBEAT_FAILED;
  words[at + reply] = tag;
  words[at + (reply ^ 1)] = 0;
  return true;
}
