/**
 * The way of nearly every segment, in straight line: an ACK, with data or without, inside all windows of a connection that both
 * ends have opened.
 *
 * What it says and remembers is what `tcp-window.ts` and `tcp-window-check.ts` say and remember, which take every other
 * segment; the limits I to IV are explained there. `test/dataplane/tcp-window.test.ts` holds the two against each other.
 */
import { FLAG, HEADER_LENGTH } from '../wire/tcp.ts';
import { SEGMENT, TCP_STATE } from './tcp-state.ts';
import { TIMESTAMP_ONLY } from './tcp-window-options.ts';
import { OUTCOME } from './tcp-window-outcome.ts';
import { FLAG_BIT, LAST_FIELD, LIMIT, STATUS_FIELD, WORD } from './tcp-window-words.ts';

const { DIRECTION_WORDS, END, FLAGS, LAST, LAST_ACK, LAST_END, LAST_SEQ, MAX_ACK, MAX_END, MAX_WIN, STATUS } = WORD;
const { DATA_UNACKNOWLEDGED, MAXACK_SET, SACK_PERM, SCALE_SHIFT } = FLAG_BIT;
const { LAST_REPLY, LAST_SCALE, LAST_SEGMENT_SHIFT, LAST_WIN } = LAST_FIELD;

const { MAX_ACK_WINDOW } = LIMIT;
const { ESTABLISHED } = TCP_STATE;
const { UNACKNOWLEDGED } = OUTCOME;
/** Of STATUS: what is ours, and what it is when both ends have opened the connection. */
const OURS = ~STATUS_FIELD.CALLERS;
const OPENED = ESTABLISHED | STATUS_FIELD.ASSURED | STATUS_FIELD.SEEN_REPLY;

// Of octets 12 to 15 of the header, which are read at once: data offset, flags, window.
const KIND_BITS = (FLAG.FIN | FLAG.SYN | FLAG.RST | FLAG.ACK) << 16;
const ONLY_ACK = FLAG.ACK << 16;
const NO_OPTIONS = HEADER_LENGTH;
const TIMESTAMP_HEADER = HEADER_LENGTH + TIMESTAMP_ONLY.LENGTH;
const TIMESTAMP_WORD = TIMESTAMP_ONLY.WORD;

const LAST_IS_ACK = SEGMENT.ACK << LAST_SEGMENT_SHIFT;
const EITHER_UNACKNOWLEDGED = DATA_UNACKNOWLEDGED | (DATA_UNACKNOWLEDGED << 8);

/**
 * Follow a plain segment: ESTABLISHED or UNACKNOWLEDGED (OUTCOME). 0, and nothing is changed, when the segment is not plain.
 * Parameters as `followWindow`.
 */
export function followPlain(
  words: Int32Array,
  at: number,
  reply: number,
  view: DataView,
  tcp: number,
  length: number,
): number {
  const kind = view.getInt32(tcp + 12);
  const window = kind & 0xffff;
  if ((kind & KIND_BITS) !== ONLY_ACK || window === 0 || (words[at + STATUS]! & OURS) !== OPENED) return 0;
  const header = (kind >>> 28) << 2;
  const shift = reply << 3;
  let bits = words[at + FLAGS]!;
  if (header !== NO_OPTIONS && (bits & (SACK_PERM << (shift ^ 8))) !== 0) {
    if (header !== TIMESTAMP_HEADER || view.getInt32(tcp + NO_OPTIONS) !== TIMESTAMP_WORD) return 0;
  }
  const sequence = view.getInt32(tcp + 4);
  const acknowledgment = view.getInt32(tcp + 8);
  const end = (sequence + length - header) | 0;
  const last = words[at + LAST]!;
  const direction = reply * LAST_REPLY;
  // An ACK that came before is counted elsewhere.
  if (words[at + LAST_END] === end && words[at + LAST_ACK] === acknowledgment && (last & LAST_REPLY) === direction) {
    if (words[at + LAST_SEQ] === sequence && (last & LAST_WIN) === window) return 0;
  }
  const sender = at + reply * DIRECTION_WORDS;
  const receiver = at + (reply ^ 1) * DIRECTION_WORDS;
  const senderEnd = words[sender + END]!;
  const senderWin = words[sender + MAX_WIN]!;
  const senderMaxEnd = words[sender + MAX_END]!;
  const receiverEnd = words[receiver + END]!;
  const receiverWin = words[receiver + MAX_WIN]!;
  const ackWindow = senderWin >>> 0 > MAX_ACK_WINDOW ? senderWin : MAX_ACK_WINDOW;
  if (((sequence - senderMaxEnd - 1) | 0) >= 0) return 0;
  if (((senderEnd - receiverWin - 1 - end) | 0) >= 0) return 0;
  if (((acknowledgment - receiverEnd - 1) | 0) >= 0) return 0;
  if (((receiverEnd - ackWindow - 1 - acknowledgment) | 0) >= 0) return 0;
  // What ends behind the window widens it, and the first ACK of an end begins maxAck.
  if (((senderMaxEnd - end) | 0) < 0 || (bits & (MAXACK_SET << shift)) === 0) return 0;

  const scaled = window << ((bits >>> (SCALE_SHIFT + (reply << 2))) & 0xf);
  if (senderWin >>> 0 < scaled) words[sender + MAX_WIN] = scaled;
  if (((senderEnd - end) | 0) < 0) {
    words[sender + END] = end;
    bits |= DATA_UNACKNOWLEDGED << shift;
  }
  if (((words[sender + MAX_ACK]! - acknowledgment) | 0) < 0) words[sender + MAX_ACK] = acknowledgment;
  const limit = (acknowledgment + scaled) | 0;
  if (((words[receiver + MAX_END]! - 1 - limit) | 0) < 0) words[receiver + MAX_END] = limit;
  if (acknowledgment === receiverEnd) bits &= ~(DATA_UNACKNOWLEDGED << (shift ^ 8));
  words[at + FLAGS] = bits;
  words[at + LAST] = (last & LAST_SCALE) | window | direction | LAST_IS_ACK;
  words[at + LAST_SEQ] = sequence;
  words[at + LAST_ACK] = acknowledgment;
  words[at + LAST_END] = end;
  return (bits & EITHER_UNACKNOWLEDGED) !== 0 ? UNACKNOWLEDGED : ESTABLISHED;
}
