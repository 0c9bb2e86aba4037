/**
 * A TCP connection followed segment by segment: its state, its windows, and how long it is kept.
 *
 * Source: nf_conntrack_tcp_packet, tcp_new and nf_tcp_handle_invalid of net/netfilter/nf_conntrack_proto_tcp.c, kernel 6.x;
 * settings are the kernel's defaults (nf_conntrack_tcp_loose 1, be_liberal 0, max_retrans 3, ignore_invalid_rst 0).
 *
 * The state lies in WINDOW_WORDS words of the caller's (`tcp-window-words.ts`), and what is to be done with the connection
 * is a number, OUTCOME (`tcp-window-outcome.ts`). The state for the rules follows from both: INVALID for `isInvalid(outcome)`,
 * otherwise ESTABLISHED if SEEN_REPLY is now set in STATUS, otherwise NEW.
 */
import { SEGMENT, segmentOf, TCP_STATE, transition } from './tcp-state.ts';
import { CHECK, checkWindow, endOf, headerOf, noteOptions } from './tcp-window-check.ts';
import { OPTION_SCALE_SHIFT, readOptions } from './tcp-window-options.ts';
import { OUTCOME } from './tcp-window-outcome.ts';
import { followPlain } from './tcp-window-plain.ts';
import { before, FLAG_BIT, LAST_FIELD, STATUS_FIELD, WINDOW_WORDS, WORD } from './tcp-window-words.ts';

const { DIRECTION_WORDS, END, FLAGS, LAST, LAST_ACK, LAST_END, LAST_SEQ, MAX_ACK, MAX_END, MAX_WIN, STATUS } = WORD;
const {
  BE_LIBERAL,
  CLOSE_INIT,
  DATA_UNACKNOWLEDGED,
  DIRECTION_FLAGS,
  EXP_CHALLENGE_ACK,
  LAST_FLAGS,
  LAST_FLAGS_SHIFT,
  MAXACK_SET,
  SACK_PERM,
  SCALE_SHIFT,
  SIMULTANEOUS_OPEN,
} = FLAG_BIT;
const { LAST_REPLY, LAST_SCALE, LAST_SCALE_SHIFT, LAST_SEGMENT, LAST_SEGMENT_SHIFT, LAST_WIN, RETRANS_SHIFT } =
  LAST_FIELD;
const { ASSURED, CALLERS, SEEN_REPLY, STATE } = STATUS_FIELD;

/** An ACK that came as often as this again shortens the wait (nf_conntrack_tcp_max_retrans). */
const MAX_RETRANS = 3;

/** Bits of what `judgeReset` says. */
const RESET_INVALID = 1;
const RESET_KEEPS_STATE = 2;
const RESET_UNCHECKED = 4;

/**
 * Begin a connection at `at` with the segment at `tcp`, `length` octets with its header; flags are valid, the header whole.
 * INVALID if such a segment opens nothing. The caller's bits of STATUS stay.
 */
export function openWindow(words: Int32Array, at: number, view: DataView, tcp: number, length: number): number {
  const next = transition(0, segmentOf(view.getUint8(tcp + 13)), TCP_STATE.NONE);
  if (next === TCP_STATE.INVALID) return OUTCOME.INVALID;
  const callers = words[at + STATUS]! & CALLERS;
  words.fill(0, at, at + WINDOW_WORDS);
  words[at + STATUS] = callers;
  words[at + LAST] = SEGMENT.NONE << LAST_SEGMENT_SHIFT;
  const end = endOf(view, tcp, length);
  const window = view.getUint16(tcp + 14) || 1;
  words[at + END] = end;
  words[at + MAX_WIN] = window;
  if (next === TCP_STATE.SYN_SENT) {
    words[at + MAX_END] = end;
    noteOptions(words, at, 0, view, tcp);
  } else {
    words[at + MAX_END] = (end + window) | 0;
    // The scale that was agreed on is not known, so no window is believed.
    words[at + FLAGS] = (SACK_PERM | BE_LIBERAL) * 0x0101;
  }
  return followAny(words, at, 0, view, tcp, length);
}

/**
 * Follow the connection at `at` with the segment at `tcp`, `length` octets with its header, going `reply` (0 as the first
 * segment, 1 the other way); flags are valid, the header whole. OUTCOME.
 */
export function followWindow(
  words: Int32Array,
  at: number,
  reply: number,
  view: DataView,
  tcp: number,
  length: number,
): number {
  const plain = followPlain(words, at, reply, view, tcp, length);
  return plain === 0 ? followAny(words, at, reply, view, tcp, length) : plain;
}

/** What `followWindow` says, which first asks whether the segment is plain. */
export function followAny(
  words: Int32Array,
  at: number,
  reply: number,
  view: DataView,
  tcp: number,
  length: number,
): number {
  const segment = segmentOf(view.getUint8(tcp + 13));
  const old = words[at + STATUS]! & STATE;
  const next = transition(reply, segment, old);
  if (next !== TCP_STATE.ESTABLISHED) return followChange(words, at, reply, segment, old, next, view, tcp, length);
  const checked = checkWindow(words, at, reply, view, tcp, length);
  if (checked !== CHECK.ACCEPT) return refuse(words, at, reply, segment, checked);
  return accept(words, at, reply, segment, old, next);
}

/** Follow a segment that does not leave the connection ESTABLISHED: the cases that the table alone does not tell. */
function followChange(
  words: Int32Array,
  at: number,
  reply: number,
  segment: number,
  old: number,
  tableSays: number,
  view: DataView,
  tcp: number,
  length: number,
): number {
  let next = tableSays;
  let from = old;
  switch (next) {
    case TCP_STATE.INVALID:
      return OUTCOME.INVALID;
    case TCP_STATE.SYN_SENT:
      if (old < TCP_STATE.TIME_WAIT) break;
      if (reopens(words, at, reply)) return OUTCOME.REOPENED;
      note(words, at, reply, segment, old, view, tcp, length);
      return keep(words, at, reply);
    case TCP_STATE.IGNORE:
      if (!answersIgnoredSyn(words, at, reply, segment, view, tcp)) {
        note(words, at, reply, segment, old, view, tcp, length);
        return keep(words, at, reply);
      }
      resynchronise(words, at, reply);
      from = TCP_STATE.SYN_SENT;
      next = TCP_STATE.SYN_RECV;
      break;
    case TCP_STATE.TIME_WAIT:
      if (isChallengeAck(words, at, reply, segment, old)) {
        words[at + FLAGS] = words[at + FLAGS]! & ~EXP_CHALLENGE_ACK;
        return keep(words, at, reply);
      }
      break;
    case TCP_STATE.SYN_SENT2:
      words[at + FLAGS] = words[at + FLAGS]! | SIMULTANEOUS_OPEN;
      break;
    case TCP_STATE.SYN_RECV:
      if (reply === 1 && segment === SEGMENT.ACK && (words[at + FLAGS]! & SIMULTANEOUS_OPEN) !== 0) {
        next = TCP_STATE.ESTABLISHED;
      }
      break;
    case TCP_STATE.CLOSE:
      if (segment === SEGMENT.RST) {
        const judged = judgeReset(words, at, reply, old, view, tcp);
        if ((judged & RESET_INVALID) !== 0) return OUTCOME.INVALID;
        if ((judged & RESET_KEEPS_STATE) !== 0) next = old;
        if ((judged & RESET_UNCHECKED) !== 0) return accept(words, at, reply, segment, from, next);
      }
      break;
    default:
  }
  const checked = checkWindow(words, at, reply, view, tcp, length);
  if (checked !== CHECK.ACCEPT) return refuse(words, at, reply, segment, checked);
  return accept(words, at, reply, segment, from, next);
}

const lastSegment = (words: Int32Array, at: number): number =>
  (words[at + LAST]! & LAST_SEGMENT) >>> LAST_SEGMENT_SHIFT;
const lastDirection = (words: Int32Array, at: number): number => ((words[at + LAST]! & LAST_REPLY) === 0 ? 0 : 1);

/** Let the segment through and change nothing else. */
function keep(words: Int32Array, at: number, reply: number): number {
  if (reply === 1) words[at + STATUS] = words[at + STATUS]! | SEEN_REPLY;
  return OUTCOME.KEPT;
}

/** A SYN on a finished connection opens the next one if it was closed by FIN, or reset by the side that now calls. */
const reopens = (words: Int32Array, at: number, reply: number): boolean =>
  (words[at + FLAGS]! & (CLOSE_INIT | (CLOSE_INIT << 8))) !== 0 ||
  (lastDirection(words, at) === reply && lastSegment(words, at) === SEGMENT.RST);

/** A SYN/ACK that acknowledges the other side's SYN, ignored just before: both ends are in step, only we are not. */
const answersIgnoredSyn = (
  words: Int32Array,
  at: number,
  reply: number,
  segment: number,
  view: DataView,
  tcp: number,
): boolean =>
  segment === SEGMENT.SYN_ACK &&
  lastSegment(words, at) === SEGMENT.SYN &&
  lastDirection(words, at) !== reply &&
  view.getInt32(tcp + 8) === words[at + LAST_END];

/** Put what was noted of the ignored SYN in the place of its sender's windows, and forget those of the side that answers. */
function resynchronise(words: Int32Array, at: number, reply: number): void {
  const caller = reply ^ 1;
  const sender = at + caller * DIRECTION_WORDS;
  const receiver = at + reply * DIRECTION_WORDS;
  const last = words[at + LAST]!;
  words[sender + END] = words[at + LAST_END]!;
  words[sender + MAX_END] = words[at + LAST_END]!;
  words[sender + MAX_WIN] = last & LAST_WIN || 1;
  words.fill(0, receiver, receiver + DIRECTION_WORDS);
  const bits = words[at + FLAGS]! & ~EXP_CHALLENGE_ACK;
  const liberal = bits & (BE_LIBERAL << (reply << 3));
  const flags = (bits & LAST_FLAGS) >>> LAST_FLAGS_SHIFT;
  const scale = (last & LAST_SCALE) >>> LAST_SCALE_SHIFT;
  words[at + FLAGS] =
    (bits & LAST_FLAGS) | liberal | (flags << (caller << 3)) | (scale << (SCALE_SHIFT + (caller << 2)));
}

/** Note an ignored segment: what answers it may tell that it was right. */
function note(
  words: Int32Array,
  at: number,
  reply: number,
  segment: number,
  old: number,
  view: DataView,
  tcp: number,
  length: number,
): void {
  let last = words[at + LAST]! & ~(LAST_WIN | LAST_SEGMENT | LAST_REPLY);
  last |= view.getUint16(tcp + 14) | (segment << LAST_SEGMENT_SHIFT) | (reply * LAST_REPLY);
  words[at + LAST_SEQ] = view.getInt32(tcp + 4);
  words[at + LAST_END] = endOf(view, tcp, length);
  if (segment === SEGMENT.SYN && reply === 0) {
    const found = readOptions(view, tcp, headerOf(view, tcp));
    last = (last & ~LAST_SCALE) | ((found >>> OPTION_SCALE_SHIFT) << LAST_SCALE_SHIFT);
    const flags =
      ((found & DIRECTION_FLAGS) << LAST_FLAGS_SHIFT) | (old === TCP_STATE.LAST_ACK ? EXP_CHALLENGE_ACK : 0);
    words[at + FLAGS] = (words[at + FLAGS]! & ~LAST_FLAGS) | flags;
  }
  words[at + LAST] = last;
  // Possibly the challenge that answers a SYN.
  if (old === TCP_STATE.SYN_SENT && segment === SEGMENT.ACK && reply === 1)
    words[at + LAST_ACK] = view.getInt32(tcp + 8);
}

/** An ACK that answers the SYN ignored just before (RFC 5961 section 4): it does not acknowledge the last FIN. */
const isChallengeAck = (words: Int32Array, at: number, reply: number, segment: number, old: number): boolean =>
  old === TCP_STATE.LAST_ACK &&
  segment === SEGMENT.ACK &&
  lastDirection(words, at) !== reply &&
  lastSegment(words, at) === SEGMENT.SYN &&
  (words[at + FLAGS]! & EXP_CHALLENGE_ACK) !== 0;

/** Bits of RESET_INVALID, RESET_KEEPS_STATE, RESET_UNCHECKED; 0 closes the connection if the reset is in the window. */
function judgeReset(words: Int32Array, at: number, reply: number, old: number, view: DataView, tcp: number): number {
  // The connection is ending anyway: its windows may be those of an earlier one.
  if (old >= TCP_STATE.FIN_WAIT && old <= TCP_STATE.CLOSE) return RESET_UNCHECKED;
  const status = words[at + STATUS]!;
  const last = lastSegment(words, at);
  const sequence = view.getInt32(tcp + 4);
  let judged = 0;
  if ((words[at + FLAGS]! & (MAXACK_SET << ((reply ^ 1) << 3))) !== 0 && last !== SEGMENT.SYN) {
    const established = old === TCP_STATE.ESTABLISHED && (status & ASSURED) !== 0;
    const maxAck = words[at + (reply ^ 1) * DIRECTION_WORDS + MAX_ACK]!;
    if (sequence === 0 && !established) return 0;
    if (before(sequence, maxAck)) return RESET_INVALID;
    if (!established || sequence === maxAck) return 0;
    // Right behind the data that the same side has just sent.
    if (last === SEGMENT.ACK && lastDirection(words, at) === reply && sequence === words[at + LAST_END]) return 0;
    // RFC 5961 section 3: the receiver may answer with a challenge ACK, and the connection goes on.
    judged = RESET_KEEPS_STATE;
  }
  // It answers the other side's SYN, or an ACK in a half-open connection, let through without a look at its numbers. That the
  // SYN must be the other side's is not in older kernels; 6.18.44 asks for it.
  const answersSyn = (status & SEEN_REPLY) !== 0 && last === SEGMENT.SYN && lastDirection(words, at) !== reply;
  const halfOpen = (status & ASSURED) === 0 && last === SEGMENT.ACK;
  if ((answersSyn || halfOpen) && view.getInt32(tcp + 8) === words[at + LAST_END]) return judged | RESET_UNCHECKED;
  // It answers a challenge ACK that was let through.
  if (old !== TCP_STATE.SYN_SENT || last !== SEGMENT.ACK || lastDirection(words, at) !== 1) return judged;
  return sequence === words[at + LAST_ACK] ? judged | RESET_UNCHECKED : judged;
}

/** A segment that the windows do not accept. */
function refuse(words: Int32Array, at: number, reply: number, segment: number, checked: number): number {
  if (checked === CHECK.IGNORE) return keep(words, at, reply);
  if ((words[at + STATUS]! & ASSURED) === 0) return OUTCOME.INVALID;
  if (segment !== SEGMENT.RST && segment !== SEGMENT.FIN) return OUTCOME.INVALID;
  const last = lastSegment(words, at);
  if (lastDirection(words, at) !== reply && (last === SEGMENT.RST || last === SEGMENT.FIN))
    return OUTCOME.INVALID_SHORTENED;
  remember(words, at, reply, segment);
  return OUTCOME.INVALID;
}

function remember(words: Int32Array, at: number, reply: number, segment: number): void {
  words[at + LAST] =
    (words[at + LAST]! & ~(LAST_SEGMENT | LAST_REPLY)) | (segment << LAST_SEGMENT_SHIFT) | (reply * LAST_REPLY);
}

/** A segment that is let through moves the connection from `old` to `next`. */
function accept(words: Int32Array, at: number, reply: number, segment: number, old: number, next: number): number {
  remember(words, at, reply, segment);
  const status = words[at + STATUS]!;
  if (next === TCP_STATE.FIN_WAIT && old !== next)
    words[at + FLAGS] = words[at + FLAGS]! | (CLOSE_INIT << (reply << 3));
  let now = (status & ~STATE) | next;
  if (
    (status & SEEN_REPLY) !== 0 &&
    next === TCP_STATE.ESTABLISHED &&
    (old === TCP_STATE.ESTABLISHED || old === TCP_STATE.SYN_RECV)
  ) {
    now |= ASSURED;
  }
  words[at + STATUS] = reply === 1 ? now | SEEN_REPLY : now;
  if ((status & SEEN_REPLY) === 0) {
    if (segment === SEGMENT.RST) return OUTCOME.ENDED;
    // A SYN that comes again does not prolong the wait.
    if (segment === SEGMENT.SYN && old === TCP_STATE.SYN_SENT) return OUTCOME.KEPT;
  }
  const wait = waitAfter(words, at, segment, next);
  // Picked up, and nobody has answered yet.
  if (wait === TCP_STATE.ESTABLISHED && (status & SEEN_REPLY) === 0) return OUTCOME.UNACKNOWLEDGED;
  return wait;
}

/** Which timeout runs from here; only that of ESTABLISHED is longer than MAX_RETRANS and UNACKNOWLEDGED. */
function waitAfter(words: Int32Array, at: number, segment: number, next: number): number {
  const long = next === TCP_STATE.ESTABLISHED;
  const last = words[at + LAST]!;
  if (long && last >>> RETRANS_SHIFT >= MAX_RETRANS) return OUTCOME.MAX_RETRANS;
  if (segment === SEGMENT.RST) return TCP_STATE.CLOSE;
  if (!long) return next;
  if ((words[at + FLAGS]! & (DATA_UNACKNOWLEDGED | (DATA_UNACKNOWLEDGED << 8))) !== 0) return OUTCOME.UNACKNOWLEDGED;
  return (last & LAST_WIN) === 0 ? OUTCOME.MAX_RETRANS : next;
}
