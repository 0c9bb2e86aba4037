/**
 * The TCP options that connection tracking reads: window scale and SACK permitted of a SYN, the blocks of a SACK.
 *
 * Source: tcp_options and tcp_sack of net/netfilter/nf_conntrack_proto_tcp.c; RFC 7323 section 2, RFC 2018. Reading stops
 * at the first option that does not fit, and what was found before it counts.
 */
import { HEADER_LENGTH, OPTION } from '../wire/tcp.ts';
import { after, FLAG_BIT } from './tcp-window-words.ts';

const { SACK_PERM, WINDOW_SCALE } = FLAG_BIT;

const END_OF_OPTIONS = 0;
const NO_OPERATION = 1;
const WINDOW_SCALE_LENGTH = 3;
const SACK_PERMITTED_LENGTH = 2;
const SACK_BLOCK = 8;
const HIGHEST_SCALE = 14;
/** Options of nearly every segment of today: two NOPs and a timestamp. `WORD` are their first four octets. */
export const TIMESTAMP_ONLY = { WORD: 0x0101080a, LENGTH: 12 } as const;

/** Where the window scale lies in what `readOptions` returns. */
export const OPTION_SCALE_SHIFT = 8;

/** Flags (WINDOW_SCALE, SACK_PERM) and, from OPTION_SCALE_SHIFT on, the scale that the options of a header of `header` octets say. */
export function readOptions(view: DataView, tcp: number, header: number): number {
  const stop = tcp + header;
  let found = 0;
  for (let at = tcp + HEADER_LENGTH; at < stop; ) {
    const kind = view.getUint8(at);
    if (kind === END_OF_OPTIONS) break;
    if (kind === NO_OPERATION) {
      at += 1;
      continue;
    }
    if (at + 2 > stop) break;
    const length = view.getUint8(at + 1);
    if (length < 2 || at + length > stop) break;
    if (kind === OPTION.SACK_PERMITTED && length === SACK_PERMITTED_LENGTH) found |= SACK_PERM;
    else if (kind === OPTION.WINDOW_SCALE && length === WINDOW_SCALE_LENGTH) {
      const scale = Math.min(view.getUint8(at + 2), HIGHEST_SCALE);
      found = (found & 0xff) | WINDOW_SCALE | (scale << OPTION_SCALE_SHIFT);
    }
    at += length;
  }
  return found;
}

/** The highest right edge of the first SACK option in a header of `header` octets, if it lies behind `acknowledgment`. */
export function highestSack(view: DataView, tcp: number, header: number, acknowledgment: number): number {
  const stop = tcp + header;
  let at = tcp + HEADER_LENGTH;
  if (header === HEADER_LENGTH + TIMESTAMP_ONLY.LENGTH && view.getInt32(at) === TIMESTAMP_ONLY.WORD)
    return acknowledgment;
  while (at < stop) {
    const kind = view.getUint8(at);
    if (kind === END_OF_OPTIONS) break;
    if (kind === NO_OPERATION) {
      at += 1;
      continue;
    }
    if (at + 2 > stop) break;
    const length = view.getUint8(at + 1);
    if (length < 2 || at + length > stop) break;
    if (kind === OPTION.SACK && length >= 2 + SACK_BLOCK && (length - 2) % SACK_BLOCK === 0) {
      return highestEdge(view, at + 2, at + length, acknowledgment);
    }
    at += length;
  }
  return acknowledgment;
}

function highestEdge(view: DataView, blocks: number, stop: number, acknowledgment: number): number {
  let highest = acknowledgment;
  for (let at = blocks; at < stop; at += SACK_BLOCK) {
    const edge = view.getInt32(at + 4);
    if (after(edge, highest)) highest = edge;
  }
  return highest;
}
