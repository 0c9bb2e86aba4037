/**
 * Fronts: the first tuples of a plan as compiled code looks them up for a new packet out of the tunnel: what is asked, what is said
 * and what is counted in half a line of the cache.
 *
 * A tuple has a front when its entries decide by themselves: they come before those of every later tuple and want no more than ports and
 * a state. Entries of one bucket are tried in their order. Where a front has all entries of its tuple, a packet that finds nothing
 * there goes on to the next one. Eight words a slot:
 *
 *     0 source | 1 destination | 2 mark, protocol and a bit that says it is taken
 *     3 lowest and highest destination port | 4 what was said | 5 rule | 6 packets | 7 octets
 *
 * Counts are paid out to the plan's when somebody reads them (`settleFronts`); ones that outgrow 31 bits go to `sums` at once.
 */
import { type Arena, releaseWords, wordsOf } from '../memory/arena.ts';
import { MARK_BITS } from '../wire/vxlan.ts';
import { ACTION } from './flatten.ts';
import { CTSTATE } from './model.ts';
import { ENTRY_WORDS, type Plan, SLOT_WORDS } from './plan.ts';
import { INTERFACE_LIMIT } from './tuples.ts';

export const FRONT_WORDS = 8;
/** Fronts of one plan; native/layout.h has room for them. */
const FRONTS = 2;
/** Slots per entry, and as long as a table has no more than SPARSE_SLOTS (2 MB): each step of a search is a guess of the processor's. */
const SLACK = 1.5;
const SPARSE_SLACK = 6;
const SPARSE_SLOTS = 1 << 16;
const TAKEN = 0x80000000;
const PROTOCOL_SHIFT = 18;
const PROTOCOL_KEY = 0xff;
const IN_KEY = 0xfff00;
const IN_SHIFT = 8;
const OUT_SHIFT = 20;

export interface Front {
  /** Number of its first slot, and one less than it has. */
  readonly first: number;
  readonly mask: number;
  /** Masks over a packet's source and over word 2. */
  readonly source: number;
  readonly what: number;
}

export interface Fronts {
  readonly words: Int32Array<ArrayBuffer>;
  /** Packets and octets of each slot that no longer fit it. */
  readonly sums: Float64Array<ArrayBuffer>;
  /** Position in the plan of each slot's entry. */
  readonly positions: Int32Array;
  readonly tables: readonly Front[];
  /**
   * Word of a free slot of the plan's first tuple, for packets of any state that are not in the first front, when all of the tuple is
   * there; else -1.
   */
  readonly miss: number;
  readonly arena: Arena;
}

/** What fronts are made with. */
export interface Making {
  /** Number of the interface that packets come in by. */
  readonly inInterface: number;
  /** Whether packets to a destination are those that the plan is for. */
  readonly isMeant: (destination: number) => boolean;
  /** Words 4 and 5 for the entry at a position. */
  readonly say: (position: number) => readonly [said: number, rule: number];
  readonly arena: Arena;
}

/** A mark of a tunnel and a protocol in one word. */
const whatOf = (mark: number, protocol: number): number =>
  TAKEN | (protocol << PROTOCOL_SHIFT) | (mark & 0xffff) | ((mark >>> 3) & 0x10000) | ((mark >>> 5) & 0x20000);

/** `native/touch.h` has it too. */
function hashFront(source: number, destination: number, what: number): number {
  const hash = Math.imul(source, 0x9e3779b1) ^ Math.imul(destination, 0x85ebca6b) ^ Math.imul(what, 0xc2b2ae35);
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return mixed ^ (mixed >>> 13);
}

/** Fronts for as many of the first tuples of `plan` as can have one, two at most. */
export function createFronts(plan: Plan, making: Making): Fronts {
  const chosen = chooseAll(plan, making);
  const tables: Front[] = [];
  let slots = 0;
  for (const [tuple, { deciding }] of chosen.entries()) {
    const size = sizeFor(deciding.length);
    const what = whatOf(plan.markMasks[tuple]!, plan.restMasks[tuple]! & PROTOCOL_KEY);
    tables.push({ first: slots, mask: size - 1, source: plan.sourceMasks[tuple]!, what });
    slots += size;
  }
  const sums = wordsOf(making.arena, slots * 4);
  const fronts: Fronts = {
    words: wordsOf(making.arena, slots * FRONT_WORDS),
    sums: new Float64Array(sums.buffer, sums.byteOffset, slots * 2),
    positions: new Int32Array(slots),
    tables,
    miss: chosen[0]?.isForAll === true ? freeSlot(plan) : -1,
    arena: making.arena,
  };
  for (const [tuple, { deciding }] of chosen.entries())
    for (const one of deciding) put(fronts, tables[tuple]!, plan, one, making.say(one.position));
  return fronts;
}

const powerAbove = (count: number): number => 2 ** Math.ceil(Math.log2(count + 4));

const sizeFor = (entries: number): number =>
  Math.max(powerAbove(entries * SLACK), Math.min(powerAbove(entries * SPARSE_SLACK), SPARSE_SLOTS));

/** Give the memory of `fronts` back. */
export function releaseFronts({ arena, words, sums }: Fronts): void {
  releaseWords(arena, words);
  releaseWords(arena, new Int32Array(sums.buffer, sums.byteOffset, sums.length * 2));
}

/** There is always one: it ends every search. */
function freeSlot({ slots, offsets }: Plan): number {
  let slot = offsets[0]!;
  while (slots[slot + 5] !== 0) slot += SLOT_WORDS;
  return slot;
}

/** An entry of a plan that decides by itself, and the slot of its bucket. */
interface Deciding {
  readonly slot: number;
  readonly position: number;
}

interface Chosen {
  readonly deciding: readonly Deciding[];
  /** Whether these are all entries that new packets can match, and whether they are all that any packet can. */
  readonly isWhole: boolean;
  readonly isForAll: boolean;
}

function chooseAll(plan: Plan, making: Making): Chosen[] {
  const all: Chosen[] = [];
  for (let tuple = 0; tuple < Math.min(plan.tuples, FRONTS); tuple++) {
    // A front asks for one destination, and for what is known before the packet is routed.
    if (plan.restMasks[tuple]! >>> OUT_SHIFT !== 0 || plan.destinationMasks[tuple] !== -1) break;
    const chosen = choose(plan, tuple, making);
    all.push(chosen);
    if (!chosen.isWhole) break;
  }
  return all;
}

/** The entries of buckets that decide by themselves, bucket by bucket in their order. */
function choose(plan: Plan, tuple: number, making: Making): Chosen {
  const { slots, positions, offsets, sizes } = plan;
  const deciding: Deciding[] = [];
  const limit = plan.lowest[tuple + 1] ?? Number.POSITIVE_INFINITY;
  let isWhole = true;
  let omits = false;
  const end = offsets[tuple]! + (sizes[tuple]! + 1) * SLOT_WORDS;
  for (let slot = offsets[tuple]!; slot < end; slot += SLOT_WORDS) {
    if (slots[slot + 5] === 0 || !isMet(plan, tuple, slot, making)) continue;
    const [first, last] = [slots[slot + 4]!, slots[slot + 5]!];
    if (positions[last - 1]! >= limit || !decideAlone(plan, first, last)) {
      isWhole = false;
      continue;
    }
    for (let at = first; at < last; at++) {
      const position = positions[at]!;
      if (takesNew(plan, position)) deciding.push({ slot, position });
      else omits = true;
    }
  }
  return { deciding, isWhole, isForAll: isWhole && !omits };
}

/** Whether packets that the plan is for can have the key in `slot`. */
function isMet({ slots, restMasks }: Plan, tuple: number, slot: number, { inInterface, isMeant }: Making): boolean {
  const inKey = Math.min(inInterface, INTERFACE_LIMIT) << IN_SHIFT;
  if (((slots[slot + 3]! ^ inKey) & restMasks[tuple]! & IN_KEY) !== 0) return false;
  return (slots[slot + 2]! & ~MARK_BITS) === 0 && isMeant(slots[slot + 1]! >>> 0);
}

/** Whether all entries of a bucket end the walk by ports and state alone. */
function decideAlone({ entries, positions }: Plan, first: number, last: number): boolean {
  for (let index = first; index < last; index++) {
    const at = positions[index]! * ENTRY_WORDS;
    if (entries[at]! >= ACTION.COUNT || entries[at + 2] !== entries[at + 3]) return false;
  }
  return true;
}

function takesNew({ entries }: Plan, position: number): boolean {
  const states = entries[position * ENTRY_WORDS + 7]!;
  return states === 0 || (states & CTSTATE.NEW) !== 0;
}

function put(
  { words, positions }: Fronts,
  { first, mask }: Front,
  { slots, entries }: Plan,
  { slot, position }: Deciding,
  said: readonly [number, number],
): void {
  const [source, destination] = [slots[slot]!, slots[slot + 1]!];
  const what = whatOf(slots[slot + 2]!, slots[slot + 3]! & PROTOCOL_KEY);
  let place = hashFront(source, destination, what) & mask;
  while (words[(first + place) * FRONT_WORDS + 2] !== 0) place = (place + 1) & mask;
  const at = (first + place) * FRONT_WORDS;
  words[at] = source;
  words[at + 1] = destination;
  words[at + 2] = what;
  words[at + 3] = entries[position * ENTRY_WORDS + 6]!;
  words[at + 4] = said[0];
  words[at + 5] = said[1];
  positions[first + place] = position;
}

/** Pay out what was counted to `hits`: packets and octets by position, alternating. */
export function settleFronts({ words, sums, positions }: Fronts, hits: Float64Array): void {
  for (let slot = 0; slot < positions.length; slot++) {
    const at = slot * FRONT_WORDS;
    if (words[at + 6] === 0 && sums[slot * 2] === 0) continue;
    const hit = positions[slot]! * 2;
    hits[hit]! += words[at + 6]! + sums[slot * 2]!;
    hits[hit + 1]! += words[at + 7]! + sums[slot * 2 + 1]!;
    words.fill(0, at + 6, at + 8);
    sums.fill(0, slot * 2, slot * 2 + 2);
  }
}
