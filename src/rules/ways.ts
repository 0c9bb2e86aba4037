/**
 * Ways: walks that packets have taken through a plan, so that a packet that is bound to take one again need not walk.
 *
 * A walk notes its steps: which entry matched, which barrier or header stopped it, whether the policy decided. Two walks
 * with the same steps are one way, and have one number; verdict and deciding rule follow from the last step. Whoever keeps that number beside what the
 * walk depended on (the addresses, the mark, the state of the connection) can count the next packet on the way instead of
 * walking. The counters of the rules stay exact: packets counted on ways are paid out to their steps when somebody reads
 * (`settle`).
 *
 * A walk has no number when something that it asked may answer differently for the next packet: a limit, the flags of a TCP
 * header, or a rule that logs.
 */
import { type Arena, releaseWords, wordsOf } from '../memory/arena.ts';
import type { Outcome } from './packet.ts';

/** Steps of one way; longer walks have no number. */
const STEP_LIMIT = 64;
/** Ways of one plan; further ones have no number. The number fits in WAY_BITS bits. */
export const WAY_BITS = 20;
export const WAY_LIMIT = 1 << WAY_BITS;

/** What a step did, in its two lowest bits; the position of its entry is above. */
export const STEP = { MATCHED: 0, STOPPED: 1, DROPPED: 2, POLICY: 3 } as const;

export interface Ways {
  /** Steps of the walk under way, and 1 when it asked something that may answer differently next time. */
  count: number;
  changing: number;
  /** Way `n` is the steps from `starts[n]` to `starts[n + 1]`. The walk under way comes last. */
  words: Int32Array<ArrayBuffer>;
  starts: Int32Array<ArrayBuffer>;
  size: number;
  /** From hash to number, open addressing; 0 is free, else number + 1. */
  slots: Int32Array<ArrayBuffer>;
  /** Number + 1 of the way that consists of one match alone, by position: that of most packets which a policy allows. */
  readonly singles: Int32Array<ArrayBuffer>;
  /**
   * Half a cache line for each way: two doubles, the packets and octets counted on it since `settle`, and four words for
   * whoever keeps numbers of ways, to note what follows from the number.
   */
  rows: Int32Array<ArrayBuffer>;
  /** The same memory as doubles. */
  sums: Float64Array;
  readonly arena: Arena;
}

const INITIAL_WAYS = 256;
/** Words and doubles of one way in `rows`, and the first word for notes. */
export const ROW_WORDS = 8;
export const ROW_DOUBLES = 4;
export const ROW_NOTES = 4;

/** No ways yet, for a plan of `positions` entries. */
export function createWays(positions: number, arena: Arena): Ways {
  const rows = wordsOf(arena, INITIAL_WAYS * ROW_WORDS);
  return {
    count: 0,
    changing: 0,
    words: wordsOf(arena, INITIAL_WAYS * 8 + STEP_LIMIT),
    starts: wordsOf(arena, INITIAL_WAYS + 1),
    size: 0,
    slots: wordsOf(arena, INITIAL_WAYS * 2),
    singles: wordsOf(arena, positions),
    rows,
    sums: doublesOf(rows),
    arena,
  };
}

const doublesOf = (rows: Int32Array<ArrayBuffer>): Float64Array =>
  new Float64Array(rows.buffer, rows.byteOffset, rows.length / 2);

/** Give the memory of `ways` back; nobody may use them any more. */
export function releaseWays({ arena, words, starts, slots, singles, rows }: Ways): void {
  for (const each of [words, starts, slots, singles, rows]) releaseWords(arena, each);
}

/** A walk begins. */
export function begin(ways: Ways): void {
  ways.count = 0;
  ways.changing = 0;
}

/** Note a step of the walk under way. */
export function step(ways: Ways, position: number, kind: number): void {
  if (ways.count < STEP_LIMIT) ways.words[ways.starts[ways.size]! + ways.count] = (position << 2) | kind;
  ways.count += 1;
}

/** The number of the way that the last walk took, which ended in `outcome`; -1 when it has none. */
export function wayOf(ways: Ways, outcome: Outcome): number {
  if (ways.changing !== 0 || ways.count > STEP_LIMIT || outcome.logCount !== 0) return -1;
  const first = ways.words[ways.starts[ways.size]!]!;
  return ways.count === 1 && (first & 3) === STEP.MATCHED ? wayOfOne(ways, first >>> 2) : search(ways);
}

/** The number of the way that consists of a match at `position` alone; -1 when there is no room for it. No walk may be under way. */
export function wayOfOne(ways: Ways, position: number): number {
  const known = ways.singles[position]!;
  if (known !== 0) return known - 1;
  begin(ways);
  step(ways, position, STEP.MATCHED);
  const way = search(ways);
  ways.singles[position] = way + 1;
  return way;
}

function search(ways: Ways): number {
  const { words, starts, size, slots } = ways;
  const at = starts[size]!;
  const end = at + ways.count;
  const mask = slots.length - 1;
  let slot = hash(words, at, end) & mask;
  for (let known = slots[slot]!; known !== 0; known = slots[slot]!) {
    if (isSame(words, starts[known - 1]!, starts[known]!, at, end)) return known - 1;
    slot = (slot + 1) & mask;
  }
  if (size === WAY_LIMIT) return -1;
  slots[slot] = size + 1;
  starts[size + 1] = end;
  ways.size += 1;
  if (ways.size === starts.length - 1) grow(ways);
  if (end + STEP_LIMIT > words.length) ways.words = larger(ways, words, words.length * 2);
  return size;
}

function hash(words: Int32Array, at: number, end: number): number {
  let h = 0;
  for (let index = at; index < end; index++) h = Math.imul((h ^ (h >>> 15)) + words[index]!, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function isSame(words: Int32Array, at: number, end: number, other: number, otherEnd: number): boolean {
  if (end - at !== otherEnd - other) return false;
  for (let index = at; index < end; index++) if (words[index] !== words[other + index - at]) return false;
  return true;
}

/** Room for twice as many ways. */
function grow(ways: Ways): void {
  const { words, size } = ways;
  ways.starts = larger(ways, ways.starts, size * 2 + 1);
  ways.rows = larger(ways, ways.rows, size * 2 * ROW_WORDS);
  ways.sums = doublesOf(ways.rows);
  const slots = wordsOf(ways.arena, size * 4);
  for (let way = 0; way < size; way++) {
    let slot = hash(words, ways.starts[way]!, ways.starts[way + 1]!) & (slots.length - 1);
    while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
    slots[slot] = way + 1;
  }
  releaseWords(ways.arena, ways.slots);
  ways.slots = slots;
}

/** `words` in a place of `length` words. */
function larger({ arena }: Ways, words: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  const place = wordsOf(arena, length);
  place.set(words);
  releaseWords(arena, words);
  return place;
}

/** Where the counters of a plan are. */
export interface Tallies {
  readonly hits: Float64Array;
  readonly losses: Float64Array;
  readonly policy: Float64Array;
}

/** Pay out what was counted on ways to the entries they step on. */
export function settle(ways: Ways, tallies: Tallies): void {
  const { words, starts, sums } = ways;
  for (let way = 0; way < ways.size; way++) {
    const sum = way * ROW_DOUBLES;
    const packets = sums[sum]!;
    if (packets === 0) continue;
    for (let at = starts[way]!; at < starts[way + 1]!; at++) pay(tallies, words[at]!, packets, sums[sum + 1]!);
    sums[sum] = 0;
    sums[sum + 1] = 0;
  }
}

function pay({ hits, losses, policy }: Tallies, word: number, packets: number, octets: number): void {
  const position = word >>> 2;
  const kind = word & 3;
  if (kind === STEP.MATCHED) add(hits, position * 2, packets, octets);
  else if (kind === STEP.POLICY) add(policy, 0, packets, octets);
  else add(losses, position * 4 + (kind === STEP.STOPPED ? 0 : 2), packets, octets);
}

function add(sums: Float64Array, at: number, packets: number, octets: number): void {
  sums[at]! += packets;
  sums[at + 1]! += octets;
}
