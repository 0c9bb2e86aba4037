/**
 * Tuples: which hash table each entry is looked up in.
 *
 * A tuple is a set of fields that its entries want exactly: source and destination under one mask each, mark, protocol and
 * the two interfaces. A packet asks each tuple once, with its own values, and gets the one bucket of entries that may
 * match. Entries of a tuple that is too small to be worth a look-up move to a wider one and ask the lost fields one by one;
 * the widest has no field at all, and its only bucket is a list that every packet walks.
 */
import { type Condition, isExact, OP } from './condition.ts';
import { type Entry, keyable } from './flatten.ts';

/** A tuple with fewer entries than this costs more to look up than its entries cost to ask. */
const MINIMUM_ENTRIES = 4;
const MAXIMUM_TUPLES = 24;
/** With more shapes than this, tuples are chosen for what they can gather instead of for what is of their very shape. */
const MANY_SHAPES = 6;
/** Then a tuple takes at least one entry in SHARE, for one long bucket in slices is cheaper than many look-ups, */
const SHARE = 32;
/** and its buckets are no longer than this on average. */
const CROWDED = 8;
/** A tuple that would add no more than this to any bucket of a wider one is cheaper there. */
const GUESTS = 4;
/** Interface numbers that fit the packed word of a key; 4095 stands for every number beyond. */
export const INTERFACE_LIMIT = 4095;
const PROTOCOL_BITS = 0xff;
const IN_BITS = 0xfff << 8;
const OUT_BITS = 0xfff << 20;

/** The four words of a key, or masks over them: source, destination, mark, and protocol with interfaces. */
export interface Shape {
  readonly source: number;
  readonly destination: number;
  readonly mark: number;
  readonly rest: number;
}

/** An entry's place: its position, the words of its key, and the conditions that the key does not answer. */
export interface Placed {
  readonly position: number;
  readonly key: Shape;
  readonly residual: readonly Condition[];
}

export interface Tuple {
  readonly shape: Shape;
  /** In ascending order of position. */
  readonly members: Placed[];
}

const EMPTY: Shape = { source: 0, destination: 0, mark: 0, rest: 0 };

/** So few tuples that compiled code has a front for each (`front.ts`), where an entry that stands alone in its bucket is found at once. */
const FEW = 2;

/**
 * Distribute entries over tuples, in ascending order of their first position. With `isKind`, for a plan for packets of a kind, two shapes stay
 * apart however small they are: as a guest in another's bucket an entry would not stand alone.
 */
export function chooseTuples(entries: readonly (Entry | null)[], isKind = false): Tuple[] {
  const groups = new Map<string, Group>();
  let group: Group | undefined;
  for (const [position, one] of entries.entries()) {
    if (one === null) continue;
    const key = keyOf(one);
    // Neighbours are mostly of one shape.
    if (group === undefined || !isSame(group.shape, key.shape)) {
      const name = nameOf(key.shape);
      group = groups.get(name) ?? { shape: key.shape, members: [] };
      groups.set(name, group);
    }
    group.members.push({ position, one, key });
  }
  const shapes = [...groups.values()];
  const tuples = arrange(shapes, isKind).map(
    ({ shape, members }): Tuple => ({
      shape,
      members: members
        .map(({ position, one, key }) => place(position, one, key, shape))
        .sort((one, other) => one.position - other.position),
    }),
  );
  return tuples.sort((one, other) => one.members[0]!.position - other.members[0]!.position);
}

/** The fields that `one` wants exactly, whatever tuple it is in. */
export const shapeOf = (one: Entry): Shape => keyOf(one).shape;

interface Group {
  readonly shape: Shape;
  readonly members: { readonly position: number; readonly one: Entry; readonly key: Key }[];
}

function arrange(groups: readonly Group[], isKind: boolean): readonly Group[] {
  if (isKind && groups.length <= FEW) return groups;
  return groups.length > MANY_SHAPES ? gather(groups) : merge(groups);
}

/**
 * Groups of many shapes, as prefixes of all lengths make them: the shape that most entries are within becomes a tuple and takes them, then the one
 * that most of the others are within, as long as that is worth a table; the rest is one list.
 */
function gather(groups: readonly Group[]): Group[] {
  let left = groups;
  let candidates = groups.filter(({ shape }) => narrowness(shape) > 0);
  const least = Math.max(MINIMUM_ENTRIES, countOf(groups) / SHARE);
  const tuples: Group[] = [];
  while (candidates.length > 0) {
    const best = mostOf(candidates, ({ shape }) => countOf(within(left, shape)));
    const gathered = membersOf(within(left, best.shape));
    if (gathered.length < least) break;
    candidates = candidates.filter((one) => one !== best);
    const keys = new Set(gathered.map(({ key }) => nameOf(valuesOf(key, best.shape))));
    if (gathered.length > keys.size * CROWDED) continue;
    tuples.push({ shape: best.shape, members: gathered });
    left = left.filter(({ shape }) => !isWithin(shape, best.shape));
  }
  return left.length === 0 ? tuples : [...tuples, { shape: EMPTY, members: membersOf(left) }];
}

const within = (groups: readonly Group[], wide: Shape): Group[] => groups.filter(({ shape }) => isWithin(shape, wide));
const membersOf = (groups: readonly Group[]): Group['members'] => groups.flatMap(({ members }) => members);
const countOf = (groups: readonly Group[]): number => groups.reduce((sum, { members }) => sum + members.length, 0);

function mostOf<T extends object>(values: readonly T[], count: (value: T) => number): T {
  let [best, most] = [values[0]!, -1];
  for (const value of values) {
    const own = count(value);
    if (own > most) [best, most] = [value, own];
  }
  return best;
}

/**
 * Move groups that are too small, too many, or cheaper as a few entries more in wider buckets into the narrowest group
 * that is wider; narrow ones first, so that what they bring along counts.
 */
function merge(groups: readonly Group[]): Group[] {
  const ranked = groups.filter(({ shape }) => narrowness(shape) > 0);
  ranked.sort((one, other) => other.members.length - one.members.length);
  const large = ranked.slice(0, MAXIMUM_TUPLES).filter(({ members }) => members.length >= MINIMUM_ENTRIES);
  const all = groups.find(({ shape }) => narrowness(shape) === 0) ?? { shape: EMPTY, members: [] };
  const kept = new Set([all, ...large]);
  for (const group of ranked.sort((one, other) => narrowness(other.shape) - narrowness(one.shape))) {
    const home = narrowestWithin(kept, group) ?? all;
    const larger = group.members.length > home.members.length;
    if (kept.has(group) && (home === all || larger || crowding(group, home.shape) > GUESTS)) continue;
    kept.delete(group);
    for (const member of group.members) home.members.push(member);
  }
  return [...kept].filter(({ members }) => members.length > 0);
}

/** The narrowest of `groups` whose shape is wider than that of `group`. */
function narrowestWithin(groups: Iterable<Group>, group: Group): Group | undefined {
  let best: Group | undefined;
  for (const wide of groups) {
    if (wide === group || !isWithin(group.shape, wide.shape)) continue;
    if (best === undefined || narrowness(wide.shape) > narrowness(best.shape)) best = wide;
  }
  return best;
}

/** The most entries that `group` would add to one bucket of the tuple of `wide`; equal hashes count as equal keys. */
function crowding(group: Group, wide: Shape): number {
  const guests = new Map<number, number>();
  let most = 0;
  for (const { key } of group.members) {
    const { source, destination, mark, rest } = valuesOf(key, wide);
    const hash = hashKey(source, destination, mark, rest);
    const count = (guests.get(hash) ?? 0) + 1;
    guests.set(hash, count);
    if (count > most) most = count;
  }
  return most;
}

/** The hash of a key: the same function in a table's making and in its use. */
export function hashKey(source: number, destination: number, mark: number, rest: number): number {
  let hash = Math.imul(source, 0x9e3779b1) ^ Math.imul(destination, 0x85ebca6b);
  hash ^= Math.imul(mark, 0xc2b2ae35) ^ Math.imul(rest, 0x27d4eb2f);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}

interface Key {
  readonly shape: Shape;
  /** The conditions that the key answers, one per field. */
  readonly fields: readonly Condition[];
}

function keyOf(one: Entry): Key {
  const fields: Condition[] = [];
  let [source, destination, mark, rest] = [0, 0, 0, 0];
  const end = keyable(one);
  for (let index = 0; index < end; index += 1) {
    const condition = one.conditions[index]!;
    if (!isExact(condition)) continue;
    const { op, a, b } = condition;
    if (op === OP.SOURCE && source === 0) source = b;
    else if (op === OP.DESTINATION && destination === 0) destination = b;
    else if (op === OP.MARK && mark === 0 && b === -1) mark = -1;
    else if (op === OP.PROTOCOL && (rest & PROTOCOL_BITS) === 0) rest |= PROTOCOL_BITS;
    else if (op === OP.IN && (rest & IN_BITS) === 0 && a < INTERFACE_LIMIT) rest |= IN_BITS;
    else if (op === OP.OUT && (rest & OUT_BITS) === 0 && a < INTERFACE_LIMIT) rest |= OUT_BITS;
    else continue;
    fields.push(condition);
  }
  return { shape: { source, destination, mark, rest }, fields };
}

export const nameOf = (shape: Shape): string => `${shape.source}/${shape.destination}/${shape.mark}/${shape.rest}`;

const isSame = (one: Shape, other: Shape): boolean =>
  one.source === other.source &&
  one.destination === other.destination &&
  one.mark === other.mark &&
  one.rest === other.rest;

/** Every field of `wide` is one of `narrow`, under the same mask. */
const isWithin = (narrow: Shape, wide: Shape): boolean =>
  (wide.source === 0 || wide.source === narrow.source) &&
  (wide.destination === 0 || wide.destination === narrow.destination) &&
  (wide.mark === 0 || wide.mark === narrow.mark) &&
  (wide.rest & ~narrow.rest) === 0;

const bits = (word: number): number => {
  let count = 0;
  for (let left = word; left !== 0; left &= left - 1) count += 1;
  return count;
};

/** How much a shape narrows a packet down; a plain count of mask bits. */
const narrowness = (shape: Shape): number =>
  bits(shape.source) + bits(shape.destination) + bits(shape.mark) + bits(shape.rest);

/** What the conditions behind `key` want of the fields of `shape`, as the four words of a key. */
function valuesOf(key: Key, shape: Shape): Shape {
  let [source, destination, mark, rest] = [0, 0, 0, 0];
  for (const { op, a } of key.fields) {
    if (op === OP.SOURCE) source = a & shape.source;
    else if (op === OP.DESTINATION) destination = a & shape.destination;
    else if (op === OP.MARK) mark = a & shape.mark;
    else if (op === OP.PROTOCOL) rest |= a & shape.rest;
    else if (op === OP.IN) rest |= (a << 8) & shape.rest;
    else rest |= (a << 20) & shape.rest;
  }
  return { source, destination, mark, rest };
}

/** Whether a key of `shape` answers a condition that went into a key. */
function answers(shape: Shape, { op }: Condition): boolean {
  if (op === OP.SOURCE) return shape.source !== 0;
  if (op === OP.DESTINATION) return shape.destination !== 0;
  if (op === OP.MARK) return shape.mark !== 0;
  if (op === OP.PROTOCOL) return (shape.rest & PROTOCOL_BITS) !== 0;
  return (shape.rest & (op === OP.IN ? IN_BITS : OUT_BITS)) !== 0;
}

function place(position: number, one: Entry, key: Key, shape: Shape): Placed {
  const residual: Condition[] = [];
  for (const condition of one.conditions) {
    if (!key.fields.includes(condition) || !answers(shape, condition)) residual.push(condition);
  }
  return { position, key: valuesOf(key, shape), residual };
}
