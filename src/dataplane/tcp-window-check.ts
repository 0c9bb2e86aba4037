/**
 * Whether a segment lies in the windows of its connection, and what it teaches about them.
 *
 * Source: tcp_in_window and tcp_init_sender of net/netfilter/nf_conntrack_proto_tcp.c, kernel 6.x, after Guido van Rooij,
 * "Real Stateful TCP Packet Filtering in IP Filter". With s the highest right edge of a SACK, or else the acknowledgment:
 *
 *   I.    seq <= sender.maxEnd                             nothing beyond what the receiver's window allowed
 *   II.   seq + length >= sender.end - receiver.maxWin     nothing acknowledged long ago
 *   III.  s <= receiver.end                                nothing acknowledged that was not sent
 *   IV.   s >= receiver.end - max(sender.maxWin, 66000)    no acknowledgment from long ago
 *
 * Sequence numbers are never changed on the way here, so the kernel's offsets for helpers have no part. Settings are the
 * kernel's defaults: nf_conntrack_tcp_be_liberal 0.
 */
import { FLAG, HEADER_LENGTH } from '../wire/tcp.ts';
import { TCP_STATE } from './tcp-state.ts';
import { highestSack, OPTION_SCALE_SHIFT, readOptions } from './tcp-window-options.ts';
import { after, before, FLAG_BIT, LAST_FIELD, LIMIT, STATUS_FIELD, WORD } from './tcp-window-words.ts';

const { DIRECTION_WORDS, END, FLAGS, LAST, LAST_ACK, LAST_END, LAST_SEQ, MAX_ACK, MAX_END, MAX_WIN, STATUS } = WORD;
const { BE_LIBERAL, DATA_UNACKNOWLEDGED, DIRECTION_FLAGS, MAXACK_SET, SACK_PERM, SCALE_SHIFT, WINDOW_SCALE } = FLAG_BIT;
const { LAST_REPLY, LAST_SCALE, LAST_SEGMENT, LAST_WIN, ONCE_MORE } = LAST_FIELD;
const { STATE } = STATUS_FIELD;
const { MAX_ACK_WINDOW } = LIMIT;

/** What `checkWindow` says. */
export const CHECK = {
  ACCEPT: 0,
  /** Let through, but neither the state nor the timeout moves. */
  IGNORE: 1,
  INVALID: 2,
} as const;

const { ACCEPT, IGNORE, INVALID } = CHECK;
const { FIN, SYN, RST, ACK } = FLAG;

/** seq + length of the segment of `length` octets, header included: SYN and FIN count as one octet each. */
export function endOf(view: DataView, tcp: number, length: number): number {
  const flags = view.getUint8(tcp + 13);
  const data = length - headerOf(view, tcp) + ((flags & SYN) >>> 1) + (flags & FIN);
  return (view.getInt32(tcp + 4) + data) | 0;
}

/** Length of the header in octets, options included. */
export const headerOf = (view: DataView, tcp: number): number => (view.getUint8(tcp + 12) >>> 4) << 2;

/** Take flags and scale of direction `reply` from the options of a SYN; a header without options changes nothing. */
export function noteOptions(words: Int32Array, at: number, reply: number, view: DataView, tcp: number): void {
  const header = headerOf(view, tcp);
  if (header === HEADER_LENGTH) return;
  const found = readOptions(view, tcp, header);
  const shift = reply << 3;
  const kept = words[at + FLAGS]! & ~(((DIRECTION_FLAGS & ~BE_LIBERAL) << shift) | scaleMask(reply));
  words[at + FLAGS] =
    kept | ((found & DIRECTION_FLAGS) << shift) | ((found >>> OPTION_SCALE_SHIFT) << scaleShift(reply));
}

const scaleShift = (reply: number): number => SCALE_SHIFT + (reply << 2);
const scaleMask = (reply: number): number => 0xf << scaleShift(reply);

/** Begin the windows of the direction that sends this SYN or SYN/ACK: `end` and `window` are the segment's. */
function beginSender(words: Int32Array, at: number, reply: number, view: DataView, tcp: number, end: number): void {
  const sender = at + reply * DIRECTION_WORDS;
  words[sender + END] = end;
  words[sender + MAX_END] = end;
  words[sender + MAX_WIN] = view.getUint16(tcp + 14) || 1;
  noteOptions(words, at, reply, view, tcp);
  // RFC 7323 section 2.2: there is scaling only if both sides said so.
  const both = WINDOW_SCALE | (WINDOW_SCALE << 8);
  if (reply === 1 && (words[at + FLAGS]! & both) !== both)
    words[at + FLAGS] = words[at + FLAGS]! & ~(0xff << SCALE_SHIFT);
}

/** Begin the windows of a direction whose first segment that we see is no SYN: the history is lost, so it is believed. */
function adoptSender(words: Int32Array, at: number, reply: number, end: number, window: number, sack: number): void {
  const sender = at + reply * DIRECTION_WORDS;
  const receiver = at + (reply ^ 1) * DIRECTION_WORDS;
  const scaled = window << ((words[at + FLAGS]! >>> scaleShift(reply)) & 0xf) || 1;
  words[sender + END] = end;
  words[sender + MAX_WIN] = scaled;
  words[sender + MAX_END] = (end + scaled) | 0;
  // Likely the answer to a keepalive, whose octet was never counted. (That nothing is known of the receiver does not happen:
  // `openWindow` began with its first segment.)
  if (sack === ((words[receiver + END]! + 1) | 0)) words[receiver + END] = sack;
}

/** A SYN behind everything sent begins the opening anew: sequence number and options may differ from the first one's. */
function beginsAnew(words: Int32Array, at: number, sender: number, flags: number, end: number): boolean {
  if ((flags & SYN) === 0 || !after(end, words[sender + END]!)) return false;
  const state = words[at + STATUS]! & STATE;
  return state === TCP_STATE.SYN_SENT || state === TCP_STATE.SYN_RECV;
}

/** The lowest acknowledgment that a sender with `maxWin` may still send, less one. */
const lowestAck = (receiverEnd: number, maxWin: number): number =>
  (receiverEnd - (maxWin >>> 0 > MAX_ACK_WINDOW ? maxWin : MAX_ACK_WINDOW) - 1) | 0;

/**
 * Check the segment at `tcp`, `length` octets with its header, going `reply` (0 original, 1 reply), against the windows at
 * `at`; a segment that is accepted moves them. The header is whole and its flags valid (`flagsAreValid`). CHECK.
 */
export function checkWindow(
  words: Int32Array,
  at: number,
  reply: number,
  view: DataView,
  tcp: number,
  length: number,
): number {
  const sender = at + reply * DIRECTION_WORDS;
  const receiver = at + (reply ^ 1) * DIRECTION_WORDS;
  const flags = view.getUint8(tcp + 13);
  const header = headerOf(view, tcp);
  let sequence = view.getInt32(tcp + 4);
  let acknowledgment = view.getInt32(tcp + 8);
  let end = (sequence + length - header + ((flags & SYN) >>> 1) + (flags & FIN)) | 0;
  let sack = acknowledgment;
  if (header !== HEADER_LENGTH && (words[at + FLAGS]! & (SACK_PERM << ((reply ^ 1) << 3))) !== 0) {
    sack = highestSack(view, tcp, header, acknowledgment);
  }
  if (words[sender + MAX_WIN] === 0 ? (flags & SYN) !== 0 : beginsAnew(words, at, sender, flags, end)) {
    const first = words[sender + MAX_WIN] === 0;
    beginSender(words, at, reply, view, tcp, end);
    // Both ends opened at once.
    if ((flags & ACK) === 0 && (first || reply === 1)) return ACCEPT;
  } else if (words[sender + MAX_WIN] === 0) {
    adoptSender(words, at, reply, end, view.getUint16(tcp + 14), sack);
  }
  // Some senders reset with ACK and no acknowledgment.
  if ((flags & ACK) === 0 || (acknowledgment === 0 && (flags & RST) !== 0)) {
    acknowledgment = words[receiver + END]!;
    sack = acknowledgment;
  }
  if ((flags & RST) !== 0 && sequence === 0 && (words[at + STATUS]! & STATE) === TCP_STATE.SYN_SENT) {
    end = words[sender + END]!;
    sequence = end;
  }
  const liberal = (words[at + FLAGS]! & (BE_LIBERAL << (reply << 3))) !== 0;
  const maxEnd = words[sender + MAX_END]!;
  if (!before(sequence, (maxEnd + 1) | 0)) {
    const overshoots = overshootsLittle(words, at, reply, end, sack);
    return liberal ? ACCEPT : overshoots ? IGNORE : INVALID;
  }
  if (!before(sack, (words[receiver + END]! + 1) | 0)) return liberal ? ACCEPT : INVALID;
  const maxWin = words[receiver + MAX_WIN]!;
  const inReceiversWindow = maxWin === 0 || after(end, (words[sender + END]! - maxWin - 1) | 0);
  if (!inReceiversWindow || !after(sack, lowestAck(words[receiver + END]!, words[sender + MAX_WIN]!))) {
    return liberal ? ACCEPT : IGNORE;
  }
  learn(words, at, reply, flags, sequence, end, acknowledgment, sack, view.getUint16(tcp + 14));
  return ACCEPT;
}

/**
 * A segment that fails I alone, and by no more than the receiver's window, is let through, and its data counts as sent: were
 * it not, and the receiver took it, all its acknowledgments would fail III.
 */
function overshootsLittle(words: Int32Array, at: number, reply: number, end: number, sack: number): boolean {
  const sender = at + reply * DIRECTION_WORDS;
  const receiver = at + (reply ^ 1) * DIRECTION_WORDS;
  const maxWin = words[receiver + MAX_WIN]!;
  if (maxWin === 0 || !after(end, (words[sender + END]! - maxWin - 1) | 0)) return false;
  if (!after(sack, lowestAck(words[receiver + END]!, words[sender + MAX_WIN]!))) return false;
  if ((end - words[sender + MAX_END]! + 1) >>> 0 > maxWin >>> 0) return false;
  if (!before(sack, (words[receiver + END]! + 1) | 0)) return false;
  words[sender + END] = end;
  words[at + FLAGS] = words[at + FLAGS]! | (DATA_UNACKNOWLEDGED << (reply << 3));
  return true;
}

/** A segment that passed: move the windows, and count an ACK that came before. */
function learn(
  words: Int32Array,
  at: number,
  reply: number,
  flags: number,
  sequence: number,
  end: number,
  acknowledgment: number,
  sack: number,
  window: number,
): void {
  const sender = at + reply * DIRECTION_WORDS;
  const receiver = at + (reply ^ 1) * DIRECTION_WORDS;
  const shift = reply << 3;
  let bits = words[at + FLAGS]!;
  const scaled = (flags & SYN) !== 0 ? window : window << ((bits >>> scaleShift(reply)) & 0xf);
  const reach = (scaled + sack - acknowledgment) | 0;
  if (words[sender + MAX_WIN]! >>> 0 < reach >>> 0) words[sender + MAX_WIN] = reach;
  if (after(end, words[sender + END]!)) {
    words[sender + END] = end;
    bits |= DATA_UNACKNOWLEDGED << shift;
  }
  if (
    (flags & ACK) !== 0 &&
    ((bits & (MAXACK_SET << shift)) === 0 || after(acknowledgment, words[sender + MAX_ACK]!))
  ) {
    words[sender + MAX_ACK] = acknowledgment;
    bits |= MAXACK_SET << shift;
  }
  const maxEnd = words[sender + MAX_END]!;
  const maxWin = words[receiver + MAX_WIN]!;
  if (maxWin !== 0 && after(end, maxEnd)) words[receiver + MAX_WIN] = (maxWin + end - maxEnd) | 0;
  const limit = (sack + scaled) | 0;
  if (after(limit, (words[receiver + MAX_END]! - 1) | 0))
    words[receiver + MAX_END] = scaled === 0 ? (limit + 1) | 0 : limit;
  if (acknowledgment === words[receiver + END]) bits &= ~(DATA_UNACKNOWLEDGED << (shift ^ 8));
  words[at + FLAGS] = bits;
  if ((flags & (FIN | SYN | RST | ACK)) === ACK) countAgain(words, at, reply, sequence, end, acknowledgment, window);
}

/** An ACK that equals the last one is a retransmission; another one takes its place. */
function countAgain(
  words: Int32Array,
  at: number,
  reply: number,
  sequence: number,
  end: number,
  acknowledgment: number,
  window: number,
): void {
  const last = words[at + LAST]!;
  const same = window | (reply * LAST_REPLY);
  if (
    (last & (LAST_WIN | LAST_REPLY)) === same &&
    words[at + LAST_SEQ] === sequence &&
    words[at + LAST_ACK] === acknowledgment &&
    words[at + LAST_END] === end
  ) {
    words[at + LAST] = last + ONCE_MORE;
    return;
  }
  words[at + LAST] = (last & (LAST_SCALE | LAST_SEGMENT)) | same;
  words[at + LAST_SEQ] = sequence;
  words[at + LAST_ACK] = acknowledgment;
  words[at + LAST_END] = end;
}
