/**
 * The option lists of IPv4 (RFC 791 section 3.1) and TCP (RFC 9293 section 3.1), which share one grammar:
 *
 *     list   = *( 1 / option ) [ 0 *any ]       1 is no-operation, 0 ends the list
 *     option = kind length *octet               length counts kind and length themselves, so it is at least 2
 *
 * A walk advances by at least one octet and ends at `end`, so it takes at most 40 steps: neither header has room for
 * more than 40 octets of options.
 */
import { FAULT, type Fault } from './fault.ts';

const END_OF_LIST = 0;
const NO_OPERATION = 1;
const SHORTEST = 2;

/** Offset of the first option in `[at, end)` that does not fit, or -1 when all do. */
export function bad(view: DataView, at: number, end: number): number {
  let next = at;
  while (next < end) {
    const kind = view.getUint8(next);
    if (kind === END_OF_LIST) return -1;
    if (kind === NO_OPERATION) {
      next++;
      continue;
    }
    if (next + 1 >= end) return next;
    const length = view.getUint8(next + 1);
    if (length < SHORTEST || length > end - next) return next;
    next += length;
  }
  return -1;
}

/** Walk the options in `[at, end)`; give `belowTwo` or `beyondEnd` for the first that does not fit. */
export function check(view: DataView, at: number, end: number, belowTwo: Fault, beyondEnd: Fault): Fault {
  const found = bad(view, at, end);
  if (found < 0) return FAULT.NONE;
  return found + 1 < end && view.getUint8(found + 1) < SHORTEST ? belowTwo : beyondEnd;
}

/**
 * Offset of the first option of `kind` in `[at, end)`, which then lies there whole; -1 when there is none before the end
 * of the list or before an option that does not fit.
 */
export function find(view: DataView, at: number, end: number, kind: number): number {
  let next = at;
  while (next + 1 < end) {
    const found = view.getUint8(next);
    if (found === END_OF_LIST) return -1;
    if (found === NO_OPERATION) {
      next++;
      continue;
    }
    const length = view.getUint8(next + 1);
    if (length < SHORTEST || length > end - next) return -1;
    if (found === kind) return next;
    next += length;
  }
  return -1;
}
