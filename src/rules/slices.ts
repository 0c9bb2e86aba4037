/**
 * Slices: a long bucket cut by every field that its entries leave open, for rules that ask for ranges instead of values.
 *
 * The values of a field fall into elementary intervals, within each of which the same entries want them. An interval has a row of bits, one for
 * each entry of the bucket in ascending order of position; the rows of a packet's own values, ANDed, leave those entries that may match it. A
 * bit of the summary in front of a row stands for a word of the row that is not 0. (Bit vectors of Lakshman and Stiliadis, SIGCOMM 1998;
 * aggregated as by Baboescu and Varghese, SIGCOMM 2001.)
 *
 * An entry whose bit is set is asked as always, so a row may hold bits too many: intervals of a field that would take too much
 * memory are joined. The words, from where the slices begin:
 *
 *     0 words of a row | 1 words of a summary | 2 fields | 3 first of `positions`
 *     then for each field: which | intervals | where their lowest values are | where their rows are
 */
import { type Condition, isFence, OP } from './condition.ts';
import type { RulePacket } from './packet.ts';
import type { Placed } from './tuples.ts';

/** What a field's value is taken from; the same numbers in `native/walk.h`. */
const FIELD = { SOURCE: 0, DESTINATION: 1, SOURCE_PORT: 2, DESTINATION_PORT: 3, PROTOCOL: 4 } as const;
export const FIELDS = 5;
const HEAD = 4;
const FIELD_WORDS = 4;
/** Words that the rows of one field may take. */
const ROOM = 1 << 16;
/** A field that fewer than one entry in so many asks for is not worth a row. */
const RARE = 16;
const HIGHEST = [0xffffffff, 0xffffffff, 0xffff, 0xffff, 0xff];

interface Range {
  readonly low: number;
  readonly high: number;
}

/** The field and range that a condition asks for; null for one that is not about a range. */
function rangeOf({ op, negated, a, b }: Condition): (Range & { readonly field: number }) | null {
  if (negated) return null;
  switch (op) {
    case OP.SOURCE:
      return blockOf(FIELD.SOURCE, a, b);
    case OP.DESTINATION:
      return blockOf(FIELD.DESTINATION, a, b);
    case OP.SOURCE_RANGE:
      return { field: FIELD.SOURCE, low: a >>> 0, high: b >>> 0 };
    case OP.DESTINATION_RANGE:
      return { field: FIELD.DESTINATION, low: a >>> 0, high: b >>> 0 };
    case OP.SOURCE_PORT:
      return { field: FIELD.SOURCE_PORT, low: a, high: b };
    case OP.DESTINATION_PORT:
      return { field: FIELD.DESTINATION_PORT, low: a, high: b };
    case OP.PROTOCOL:
      return { field: FIELD.PROTOCOL, low: a, high: a };
    default:
      return null;
  }
}

/** From the lowest to the highest address of a block; where its mask has holes, some between the two are not of it. */
const blockOf = (field: number, address: number, mask: number): Range & { readonly field: number } => ({
  field,
  low: address >>> 0,
  high: (address | ~mask) >>> 0,
});

/** What each entry of `bucket` wants of `field`; null for anything. Every packet has to meet a barrier. */
function wantedOf(
  bucket: readonly Placed[],
  isBarrier: (position: number) => boolean,
  field: number,
): (Range | null)[] {
  return bucket.map(({ position, residual }) => {
    if (isBarrier(position)) return null;
    for (const condition of residual) {
      if (isFence(condition)) return null;
      const range = rangeOf(condition);
      if (range?.field === field) return range;
    }
    return null;
  });
}

/** The lowest value of every interval, ascending, as many as there is room for. The first is 0. */
function startsOf(wanted: readonly (Range | null)[], field: number, rowWords: number): number[] {
  const starts = new Set([0]);
  for (const range of wanted) {
    if (range === null) continue;
    starts.add(range.low);
    if (range.high < HIGHEST[field]!) starts.add(range.high + 1);
  }
  const sorted = [...starts].sort((one, other) => one - other);
  const step = Math.ceil((sorted.length * rowWords) / ROOM);
  return sorted.filter((_, index) => index % step === 0);
}

/** Index of the interval that holds `value`. */
function intervalOf(starts: readonly number[], value: number): number {
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (starts[middle]! <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

interface Shape {
  readonly words: number;
  readonly summary: number;
}

/** The rows of all intervals, one behind the other. */
function rowsOf(wanted: readonly (Range | null)[], starts: readonly number[], { words, summary }: Shape): Int32Array {
  const rowWords = words + summary;
  const rows = new Int32Array(starts.length * rowWords);
  const mark = (row: number, index: number): void => {
    rows[row * rowWords + summary + (index >>> 5)]! |= 1 << (index & 31);
  };
  // What wants anything stands in all rows: written once, then copied.
  for (const [index, range] of wanted.entries()) if (range === null) mark(0, index);
  for (let row = 1; row < starts.length; row++) rows.copyWithin(row * rowWords, 0, rowWords);
  for (const [index, range] of wanted.entries()) {
    if (range === null) continue;
    const last = intervalOf(starts, range.high);
    for (let row = intervalOf(starts, range.low); row <= last; row++) mark(row, index);
  }
  for (let row = 0; row < starts.length; row++) summarize(rows, row * rowWords, words, summary);
  return rows;
}

function summarize(rows: Int32Array, at: number, words: number, summary: number): void {
  for (let word = 0; word < words; word++)
    if (rows[at + summary + word] !== 0) rows[at + (word >>> 5)]! |= 1 << (word & 31);
}

/**
 * Write the slices of `bucket`, whose positions stand from `first` on, behind `cuts`. Gives where they begin, or -1 when no field narrows the
 * bucket down.
 */
export function slice(
  bucket: readonly Placed[],
  first: number,
  isBarrier: (position: number) => boolean,
  cuts: number[],
): number {
  const words = Math.ceil(bucket.length / 32);
  const shape = { words, summary: Math.ceil(words / 32) };
  const fields = Array.from({ length: FIELDS }, (_, field) => ({ field, wanted: wantedOf(bucket, isBarrier, field) }));
  const used = fields.filter(({ wanted }) => wanted.filter((range) => range !== null).length * RARE >= bucket.length);
  if (used.length === 0) return -1;
  const at = cuts.length;
  cuts.push(words, shape.summary, used.length, first);
  let next = cuts.length + used.length * FIELD_WORDS;
  const parts: ArrayLike<number>[] = [];
  for (const { field, wanted } of used) {
    const starts = startsOf(wanted, field, words + shape.summary);
    const rows = rowsOf(wanted, starts, shape);
    cuts.push(field, starts.length, next, next + starts.length);
    next += starts.length + rows.length;
    parts.push(starts, rows);
  }
  for (const part of parts) for (let index = 0; index < part.length; index++) cuts.push(part[index]! | 0);
  return at;
}

const FIELD_NAMES = ['source', 'destination', 'source port', 'destination port', 'protocol'];

/** The fields of the slices at `at`, and into how many intervals each is cut. */
export const slicedFields = (cuts: Int32Array, at: number): { readonly field: string; readonly intervals: number }[] =>
  Array.from({ length: cuts[at + 2]! }, (_, k) => {
    const field = at + HEAD + k * FIELD_WORDS;
    return { field: FIELD_NAMES[cuts[field]!]!, intervals: cuts[field + 1]! };
  });

function fieldValue(packet: RulePacket, field: number): number {
  switch (field) {
    case FIELD.SOURCE:
      return packet.source >>> 0;
    case FIELD.DESTINATION:
      return packet.destination >>> 0;
    case FIELD.SOURCE_PORT:
      return packet.sourcePort;
    case FIELD.DESTINATION_PORT:
      return packet.destinationPort;
    default:
      return packet.protocol & 0xff;
  }
}

/** Write where the rows of the packet's values are to `rows`, from word `into` on. */
export function openSlices(cuts: Int32Array, at: number, packet: RulePacket, rows: Int32Array, into: number): void {
  const rowWords = cuts[at]! + cuts[at + 1]!;
  const fields = cuts[at + 2]!;
  for (let k = 0; k < fields; k++) {
    const field = at + HEAD + k * FIELD_WORDS;
    const value = fieldValue(packet, cuts[field]!);
    const starts = cuts[field + 2]!;
    let low = 0;
    let high = cuts[field + 1]! - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (cuts[starts + middle]! >>> 0 <= value) low = middle;
      else high = middle - 1;
    }
    rows[into + k] = cuts[field + 3]! + low * rowWords;
  }
}

/** The word at `offset` of all rows, ANDed. */
function common(cuts: Int32Array, rows: Int32Array, into: number, fields: number, offset: number): number {
  let word = -1;
  for (let k = 0; k < fields; k++) word &= cuts[rows[into + k]! + offset]!;
  return word;
}

const lowestBit = (word: number): number => 31 - Math.clz32(word & -word);

/** The first of `positions` from `from` on whose bit is set in all rows; `end` when there is none. */
export function nextOf(
  cuts: Int32Array,
  at: number,
  rows: Int32Array,
  into: number,
  from: number,
  end: number,
): number {
  const first = cuts[at + 3]!;
  const summary = cuts[at + 1]!;
  const fields = cuts[at + 2]!;
  if (from >= end) return end;
  let word = (from - first) >>> 5;
  const own = common(cuts, rows, into, fields, summary + word) & (-1 << ((from - first) & 31));
  if (own !== 0) return first + word * 32 + lowestBit(own);
  word += 1;
  for (let group = word >>> 5; group < summary; group++) {
    // Words before the one that was looked at are no candidates in its group.
    let left = common(cuts, rows, into, fields, group) & (group === word >>> 5 ? -1 << (word & 31) : -1);
    for (; left !== 0; left &= left - 1) {
      const candidate = group * 32 + lowestBit(left);
      const bits = common(cuts, rows, into, fields, summary + candidate);
      if (bits !== 0) return first + candidate * 32 + lowestBit(bits);
    }
  }
  return end;
}
