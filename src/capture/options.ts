/**
 * Options of a pcapng block: draft-ietf-opsawg-pcapng section 3.5.
 *
 *   0: code:16 length:16, then `length` octets of value, padded to a multiple of 4
 *
 * The list ends with opt_endofopt (code 0, length 0) or with the block.
 */
export const END_OF_OPTIONS = 0;
export const COMMENT = 1;

/** Call `visit` for each option in [at, end). Gives null, or what is wrong with the option where it had to stop. */
export function walk(
  view: DataView,
  at: number,
  end: number,
  littleEndian: boolean,
  visit: (code: number, start: number, length: number) => void,
): string | null {
  let next = at;
  while (next < end) {
    if (end - next < 4) return `option header: got ${end - next} of 4 octets`;
    const code = view.getUint16(next, littleEndian);
    const length = view.getUint16(next + 2, littleEndian);
    if (code === END_OF_OPTIONS) return length === 0 ? null : `opt_endofopt has length ${length}, expected 0`;
    const start = next + 4;
    if (length > end - start) return `option ${code} has length ${length}, ${end - start} octets are left in the block`;
    visit(code, start, length);
    next = start + padded(length);
  }
  return null;
}

/** `length` rounded up to a multiple of 4; `length` is below 2^31. */
export const padded = (length: number): number => (length + 3) & ~3;
