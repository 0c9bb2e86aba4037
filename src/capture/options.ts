/**
 * Options of a pcapng block: draft-ietf-opsawg-pcapng section 3.5.
 *
 *   0: code:16 length:16, then `length` octets of value, padded to a multiple of 4
 *
 * The list ends with opt_endofopt (code 0, length 0) or with the block.
 */
const END_OF_OPTIONS = 0;
export const COMMENT = 1;

/** True if the options in [at, end), a multiple of 4 octets, end where the block does or before. */
export function fit(view: DataView, at: number, end: number, littleEndian: boolean): boolean {
  let next = at;
  while (next < end) {
    if (view.getUint16(next, littleEndian) === END_OF_OPTIONS) return true;
    const length = view.getUint16(next + 2, littleEndian);
    if (length > end - next - 4) return false;
    next += 4 + padded(length);
  }
  return true;
}

/** Call `visit` for each option in [at, end) up to one that does not fit; gives the position where it stopped. */
export function walk(
  view: DataView,
  at: number,
  end: number,
  littleEndian: boolean,
  visit: (code: number, start: number, length: number) => void,
): number {
  let next = at;
  while (next < end) {
    const code = view.getUint16(next, littleEndian);
    const length = view.getUint16(next + 2, littleEndian);
    if (code === END_OF_OPTIONS || length > end - next - 4) return next;
    visit(code, next + 4, length);
    next += 4 + padded(length);
  }
  return next;
}

/** `length` rounded up to a multiple of 4; `length` is below 2^31. */
export const padded = (length: number): number => (length + 3) & ~3;
