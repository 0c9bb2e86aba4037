/**
 * Plan: a flattened built-in chain laid out in typed arrays, ready to be asked. Nothing in it is an object per rule.
 *
 * `slots` holds the hash tables of all tuples one behind the other, eight words (32 octets) a slot:
 *
 *     0 source | 1 destination | 2 mark | 3 rest of the key | 4 first | 5 end | 6 how it is cut | 7 first position
 *
 * Words 4 and 5 are the bucket, an interval of `positions` that is ascending; a slot whose end is 0 is empty. `entries`
 * holds eight words per position:
 *
 *     0 action | 1 rule id or -1 | 2, 3 program | 4, 5 first and second operand of the action
 *     6 lowest and highest destination port, 16 bits each | 7 ctstate bits, 0 for any
 *
 * A barrier has BARRIER set in word 0 and leads to word 5 when it fails; CHANGING is a second flag there. A long bucket is cut by destination
 * port (`intervals.ts`) or by every field (`slices.ts`), as word 6 of its slot says: -1 for not at all, the place of its intervals in `cuts`,
 * or SLICED less the place of its slices.
 */
import { type Arena, keepWords, releaseWords, wordsOf } from '../memory/arena.ts';
import { type Condition, isFence, OP } from './condition.ts';
import { ACTION, type Flat, type Label } from './flatten.ts';
import { type Fronts, releaseFronts } from './front.ts';
import { cutByPort, writeIntervals } from './intervals.ts';
import { emit } from './program.ts';
import { FIELDS, slice } from './slices.ts';
import { chooseTuples, hashKey, type Placed, type Shape, type Tuple } from './tuples.ts';
import { createWays, releaseWays, type Ways } from './ways.ts';

export const SLOT_WORDS = 8;
export const ENTRY_WORDS = 8;
const TUPLE_WORDS = 16;
export const BARRIER = 0x100;
/** The entry asks what may answer differently for the next packet of a connection: a limit, the flags of a segment. */
export const CHANGING = 0x200;
const ANY_PORT = 0xffff << 16;
/** Buckets from this length on are cut. */
const LONG_BUCKET = 12;
/** A list of an interval that is longer is a reason to cut by every field. */
const LONG_LIST = 16;
/** What the place of slices is taken from in word 6 of a slot. */
export const SLICED = -2;
/** Slots per key, so that a miss ends soon. */
const SLACK = 1.5;

export interface Plan {
  readonly flat: Flat;
  readonly tuples: number;
  /** Per tuple: masks of the key, offset of its table in `slots`, its size minus one, and its lowest position. */
  readonly sourceMasks: Int32Array;
  readonly destinationMasks: Int32Array;
  readonly markMasks: Int32Array;
  readonly restMasks: Int32Array;
  readonly offsets: Int32Array;
  readonly sizes: Int32Array;
  readonly lowest: Int32Array;
  /** The lowest position of the second tuple, or of none: before it only the first tuple has anything to say. */
  readonly second: number;
  readonly slots: Int32Array<ArrayBuffer>;
  readonly positions: Int32Array<ArrayBuffer>;
  readonly cuts: Int32Array<ArrayBuffer>;
  readonly entries: Int32Array<ArrayBuffer>;
  readonly program: Int32Array<ArrayBuffer>;
  /** What compiled code reads of the tuples, TUPLE_WORDS each: masks, offset, size, lowest position, and room for scratch. */
  readonly tupleTable: Int32Array<ArrayBuffer>;
  /** Packets and octets that matched at each position, alternating. */
  readonly hits: Float64Array;
  /** Per position: packets and octets that failed a barrier there, and those dropped in mid-rule. */
  readonly losses: Float64Array;
  readonly policy: Float64Array;
  /** Walks that were taken before. */
  readonly ways: Ways;
  /** The first tuples as compiled code looks them up; null until somebody makes them. */
  fronts: Fronts | null;
  /** Scratch of one walk, per tuple: cursor and end in `positions`, and the position under the cursor. */
  readonly cursors: Int32Array;
  readonly ends: Int32Array;
  readonly heads: Int32Array;
  /** Per tuple: its bucket's slices in `cuts`, or -1; and where the rows of the packet are, FIELDS for each tuple. */
  readonly sliced: Int32Array;
  readonly rows: Int32Array;
  readonly stack: Int32Array;
}

interface Builder {
  readonly flat: Flat;
  readonly entries: Int32Array<ArrayBuffer>;
  readonly program: number[];
  readonly positions: number[];
  readonly cuts: number[];
  /** 1 where an entry ends every walk that meets its port. */
  readonly decisive: Uint8Array;
  /** 1 at positions that some walk may pass over although their entry would match. */
  readonly skippable: Uint8Array;
  /** A regular plan may answer ports and states ahead of the program. */
  readonly regular: boolean;
}

/** Lay out `flat`, for packets of a kind or for all. `depth` is the number of chains, which bounds the return stack. */
export function layOut(flat: Flat, regular: boolean, depth: number, arena: Arena, isKind = false): Plan {
  const tuples = chooseTuples(flat.entries, isKind);
  const size = flat.entries.length;
  const builder: Builder = {
    flat,
    entries: wordsOf(arena, size * ENTRY_WORDS),
    program: [],
    positions: [],
    cuts: [],
    decisive: new Uint8Array(size),
    skippable: findSkippable(flat),
    regular,
  };
  for (const tuple of tuples) for (const member of tuple.members) writeEntry(builder, member);
  const sizes = tuples.map(tableSize);
  const slots = wordsOf(arena, sizes.reduce((sum, slotCount) => sum + slotCount, 0) * SLOT_WORDS);
  const offsets: number[] = [];
  let offset = 0;
  for (const [index, tuple] of tuples.entries()) {
    offsets.push(offset);
    fillTable(builder, tuple, slots, offset, sizes[index]! - 1);
    offset += sizes[index]! * SLOT_WORDS;
  }
  const words = (pick: (shape: Shape) => number): Int32Array => Int32Array.from(tuples, ({ shape }) => pick(shape));
  const loses = flat.entries.some((one) => one !== null && (one.barrier !== null || one.conditions.some(isFence)));
  return {
    flat,
    tuples: tuples.length,
    sourceMasks: words((shape) => shape.source),
    destinationMasks: words((shape) => shape.destination),
    markMasks: words((shape) => shape.mark),
    restMasks: words((shape) => shape.rest),
    offsets: Int32Array.from(offsets),
    sizes: Int32Array.from(sizes, (slotCount) => slotCount - 1),
    lowest: Int32Array.from(tuples, ({ members }) => members[0]!.position),
    second: tuples.length > 1 ? tuples[1]!.members[0]!.position : size,
    slots,
    positions: keepWords(arena, builder.positions),
    cuts: keepWords(arena, builder.cuts),
    entries: builder.entries,
    program: keepWords(arena, builder.program),
    tupleTable: keepWords(
      arena,
      tuples.flatMap((tuple, index) => tupleWords(tuple, offsets[index]!, sizes[index]!)),
    ),
    hits: new Float64Array(size * 2),
    losses: new Float64Array(loses ? size * 4 : 0),
    policy: new Float64Array(2),
    ways: createWays(size, arena),
    fronts: null,
    cursors: new Int32Array(tuples.length),
    ends: new Int32Array(tuples.length),
    heads: new Int32Array(tuples.length),
    sliced: new Int32Array(tuples.length).fill(-1),
    rows: new Int32Array(tuples.length * FIELDS),
    stack: new Int32Array(depth + 1),
  };
}

function tupleWords({ shape, members }: Tuple, offset: number, size: number): number[] {
  const { source, destination, mark, rest } = shape;
  const words = [source, destination, mark, rest, offset, size - 1, members[0]!.position];
  return [...words, ...new Array<number>(TUPLE_WORDS - words.length).fill(0)];
}

/** Give the memory of `plan` back; nobody may walk it any more. */
export function releasePlan(plan: Plan): void {
  const { arena } = plan.ways;
  for (const words of [plan.slots, plan.positions, plan.cuts, plan.entries, plan.program, plan.tupleTable])
    releaseWords(arena, words);
  releaseWays(plan.ways);
  if (plan.fronts !== null) releaseFronts(plan.fronts);
}

const positionOf = (operand: number | Label): number => (typeof operand === 'number' ? operand : operand.position);

/** Positions behind a skip or a failing barrier and before its target; all of them where sections are called. */
function findSkippable(flat: Flat): Uint8Array {
  const skippable = new Uint8Array(flat.entries.length);
  if (flat.called.length > 0) return skippable.fill(1);
  let farthest = 0;
  for (const [position, one] of flat.entries.entries()) {
    if (position < farthest) skippable[position] = 1;
    if (one === null) continue;
    if (one.action === ACTION.SKIP) farthest = Math.max(farthest, positionOf(one.first));
    if (one.barrier !== null) farthest = Math.max(farthest, one.barrier.position);
  }
  return skippable;
}

function writeEntry(builder: Builder, { position, residual }: Placed): void {
  const one = builder.flat.entries[position]!;
  const at = position * ENTRY_WORDS;
  const { entries, program } = builder;
  entries[at] = one.action | (one.barrier === null ? 0 : BARRIER) | (residual.some(mayChange) ? CHANGING : 0);
  entries[at + 1] = one.rule;
  entries[at + 2] = program.length;
  entries[at + 4] = positionOf(one.first);
  entries[at + 5] = one.barrier === null ? positionOf(one.second) : one.barrier.position;
  entries[at + 6] = ANY_PORT;
  // A barrier has to be met by packets of every port.
  let fenced = !builder.regular || one.barrier !== null;
  for (const condition of residual) {
    fenced ||= isFence(condition);
    if (fenced || !hoist(entries, at, condition)) emit(program, condition);
  }
  entries[at + 3] = program.length;
  const decides = one.action < ACTION.COUNT && one.barrier === null && builder.skippable[position] === 0;
  builder.decisive[position] = Number(decides && entries[at + 2] === entries[at + 3] && entries[at + 7] === 0);
}

const mayChange = ({ op }: Condition): boolean => op === OP.METER || op === OP.TCP_FLAGS || op === OP.HEADER;

/** Answer a condition from words 6 and 7 instead of the program, where they are still free. */
function hoist(entries: Int32Array, at: number, { op, negated, a, b }: Condition): boolean {
  if (negated) return false;
  if (op === OP.DESTINATION_PORT && entries[at + 6] === ANY_PORT) {
    entries[at + 6] = a | (b << 16);
    return true;
  }
  if (op === OP.CTSTATE && entries[at + 7] === 0 && a !== 0) {
    entries[at + 7] = a;
    return true;
  }
  return false;
}

/** Room for a key per entry, and always one empty slot to end a search. */
const tableSize = (tuple: Tuple): number => 2 ** Math.ceil(Math.log2(tuple.members.length * SLACK + 1));

function fillTable(builder: Builder, tuple: Tuple, slots: Int32Array, offset: number, mask: number): void {
  const next = new Int32Array(tuple.members.length).fill(-1);
  const last = new Int32Array(mask + 1).fill(-1);
  const heads: { readonly slot: number; readonly head: number }[] = [];
  for (const [index, member] of tuple.members.entries()) {
    const slot = claim(slots, offset, mask, member.key);
    const place = (slot - offset) / SLOT_WORDS;
    const previous = last[place]!;
    if (previous < 0) heads.push({ slot, head: index });
    else next[previous] = index;
    last[place] = index;
  }
  for (const { slot, head } of heads) {
    const bucket: Placed[] = [];
    for (let index = head; index >= 0; index = next[index]!) bucket.push(tuple.members[index]!);
    slots[slot + 4] = builder.positions.length;
    slots[slot + 5] = builder.positions.length + bucket.length;
    slots[slot + 7] = bucket[0]!.position;
    for (const { position } of bucket) builder.positions.push(position);
    slots[slot + 6] = bucket.length < LONG_BUCKET ? -1 : cut(builder, bucket, slots[slot + 4]!);
  }
}

/** Cut a long bucket, whose positions stand from `first` on; gives word 6 of its slot. */
function cut(
  { flat, entries, decisive, regular, cuts, positions }: Builder,
  bucket: readonly Placed[],
  first: number,
): number {
  const wanting = {
    ports: (position: number): number => entries[position * ENTRY_WORDS + 6]!,
    isDecisive: (position: number): boolean => decisive[position] === 1,
  };
  const members = bucket.map(({ position }) => position);
  const intervals = regular ? cutByPort(members, wanting) : null;
  if (intervals === null || intervals.lists.some(({ length }) => length > LONG_LIST)) {
    const slices = slice(bucket, first, (position) => flat.entries[position]!.barrier !== null, cuts);
    if (slices >= 0) return SLICED - slices;
  }
  return intervals === null ? -1 : writeIntervals(intervals, cuts, positions);
}

/** The slot of `key`, taken now if it is free. A taken slot's end is -1 until its bucket is written. */
function claim(slots: Int32Array, offset: number, mask: number, key: Shape): number {
  let index = hashKey(key.source, key.destination, key.mark, key.rest) & mask;
  for (;;) {
    const slot = offset + index * SLOT_WORDS;
    if (slots[slot + 5] === 0) {
      slots.set([key.source, key.destination, key.mark, key.rest, 0, -1], slot);
      return slot;
    }
    const same = slots[slot] === key.source && slots[slot + 1] === key.destination;
    if (same && slots[slot + 2] === key.mark && slots[slot + 3] === key.rest) return slot;
    index = (index + 1) & mask;
  }
}
