/**
 * What all blocks of a pcapng file have in common: draft-ietf-opsawg-pcapng section 3.1.
 *
 *   0: type:32  4: totalLength:32  8: body, a multiple of 4 octets; at the end totalLength again
 *
 * And what can be wrong with a block, as the error that people see.
 */
import type * as clock from './clock.ts';
import type { CaptureError } from './error.ts';
import * as options from './options.ts';
import { damaged, type Problem, type Reading } from './reading.ts';

export interface Pcapng extends Reading {
  readonly format: 'pcapng';
  /** One per interface of the file. */
  readonly clocks: clock.Clock[];
  littleEndian: boolean;
  /** Number of the section, from 0; -1 before the first. */
  section: number;
  /** Index of interface 0 of this section. */
  firstInterface: number;
  /** Where the section said it would end. */
  sectionEnd: number | null;
}

/** Total length of the block at the front of the chunk if it is whole and sound; 0 if more is needed, -1 if damaged. */
export function wholeBlock(pcapng: Pcapng, minimum: number, maximum: number, littleEndian: boolean): number {
  const { chunk } = pcapng;
  const { view, at, end } = chunk;
  const total = view.getUint32(at + 4, littleEndian);
  if (total < minimum || total > maximum || total % 4 !== 0) {
    pcapng.damage = badTotal(pcapng, total, minimum, maximum);
    return -1;
  }
  if (total > end - at) {
    chunk.need = total;
    return 0;
  }
  const trailing = view.getUint32(at + total - 4, littleEndian);
  if (trailing === total) return total;
  pcapng.damage = badTrailer(pcapng, total, trailing);
  return -1;
}

/** Damage of a block; before the first section there is no packet to count. */
const blockDamage = (pcapng: Pcapng, problem: Problem): CaptureError =>
  damaged(pcapng, pcapng.section < 0 ? { ...problem, packet: false } : problem);

/** The first option in [at, end) that does not fit, as the error that people see. */
export function badOption(pcapng: Pcapng, at: number, end: number, littleEndian: boolean): CaptureError {
  const { view } = pcapng.chunk;
  const next = options.walk(view, at, end, littleEndian, () => undefined);
  const [code, got, limit] = [
    view.getUint16(next, littleEndian),
    view.getUint16(next + 2, littleEndian),
    end - next - 4,
  ];
  const what = `option ${code} has length ${got}, ${limit} octets are left in its block`;
  return blockDamage(pcapng, { code: 'capture.corrupt', at: next, field: 'option length', got, limit, what });
}

export function badTotal(pcapng: Pcapng, got: number, minimum: number, maximum: number): CaptureError {
  const { at } = pcapng.chunk;
  const field = 'block total length';
  const [code, limit, what]: ['capture.corrupt' | 'capture.limit', number, string] =
    got > maximum
      ? ['capture.limit', maximum, `block total length ${got} is larger than the maximum ${maximum}`]
      : got < minimum
        ? ['capture.corrupt', minimum, `block total length ${got} is smaller than the ${minimum} of its type`]
        : ['capture.corrupt', 4, `block total length ${got} is not a multiple of 4`];
  return blockDamage(pcapng, { code, at, field, got, limit, what });
}

export function badTrailer(pcapng: Pcapng, limit: number, got: number): CaptureError {
  const { at } = pcapng.chunk;
  const what = `block total lengths do not match: ${limit} in front and ${got} behind`;
  return blockDamage(pcapng, { code: 'capture.corrupt', at, field: 'block total length', got, limit, what });
}

export function badByteOrder(pcapng: Pcapng): CaptureError {
  const { view, at } = pcapng.chunk;
  const got = `0x${view
    .getUint32(at + 8)
    .toString(16)
    .padStart(8, '0')}`;
  const [field, limit] = ['byte-order magic', '0x1a2b3c4d'];
  const what = `section header has byte-order magic ${got}, expected ${limit} in either order`;
  return blockDamage(pcapng, { code: 'capture.corrupt', at, packet: false, field, got, limit, what });
}

export function beyondBlock(pcapng: Pcapng, got: number, limit: number): CaptureError {
  const { at } = pcapng.chunk;
  const what = `captured length ${got} is larger than the ${limit} octets of its block`;
  return blockDamage(pcapng, { code: 'capture.corrupt', at, field: 'capturedLength', got, limit, what });
}

export function beyondMaximum(pcapng: Pcapng, got: number, limit: number): CaptureError {
  const { at } = pcapng.chunk;
  const what = `captured length ${got} is larger than the maximum ${limit}`;
  return blockDamage(pcapng, { code: 'capture.corrupt', at, field: 'capturedLength', got, limit, what });
}
