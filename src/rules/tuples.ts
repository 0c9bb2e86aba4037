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
/** Interface numbers that fit the packed word of a key; 4095 stands for every number beyond. */
export const INTERFACE_LIMIT = 4095;
const PROTOCOL_BITS = 0xff;
const IN_BITS = 0xfff << 8;
const OUT_BITS = 0xfff << 20;

/** Masks over the four words of a key: source, destination, mark, and protocol with interfaces. */
export interface Shape {
  readonly source: number;
  readonly destination: number;
  readonly mark: number;
  readonly rest: number;
}

/** An entry's place: its position, the four words of its key, and the conditions that the key does not answer. */
export interface Placed {
  readonly position: number;
  readonly source: number;
  readonly destination: number;
  readonly mark: number;
  readonly rest: number;
  readonly residual: readonly Condition[];
}

export interface Tuple {
  readonly shape: Shape;
  /** In ascending order of position. */
  readonly members: Placed[];
}

const EMPTY: Shape = { source: 0, destination: 0, mark: 0, rest: 0 };

/** Distribute entries over tuples, in ascending order of their first position. */
export function chooseTuples(entries: readonly (Entry | null)[]): Tuple[] {
  const keys = entries.map((one) => (one === null ? null : keyOf(one)));
  const counts = new Map<string, { readonly shape: Shape; count: number }>();
  const own = keys.map((key) => (key === null ? '' : nameOf(key.shape)));
  for (const [position, key] of keys.entries()) {
    if (key === null) continue;
    const known = counts.get(own[position]!);
    if (known === undefined) counts.set(own[position]!, { shape: key.shape, count: 1 });
    else known.count += 1;
  }
  const kept = [...counts.values()]
    .filter(({ count, shape }) => count >= MINIMUM_ENTRIES && nameOf(shape) !== nameOf(EMPTY))
    .sort((one, other) => other.count - one.count)
    .slice(0, MAXIMUM_TUPLES)
    .map(({ shape }) => shape);
  const chosen = new Map<string, Tuple>();
  const tuples = new Map<Shape, Tuple>();
  for (const [name, { shape }] of counts) chosen.set(name, tupleFor(shape, kept, tuples));
  for (const [position, key] of keys.entries()) {
    if (key === null) continue;
    const tuple = chosen.get(own[position]!)!;
    tuple.members.push(place(position, entries[position]!, key, tuple.shape));
  }
  return [...tuples.values()].sort((one, other) => one.members[0]!.position - other.members[0]!.position);
}

interface Key {
  readonly shape: Shape;
  /** The conditions that the key answers, one per field. */
  readonly fields: readonly Condition[];
}

function keyOf(one: Entry): Key {
  const fields: Condition[] = [];
  let [source, destination, mark, rest] = [0, 0, 0, 0];
  for (const condition of one.conditions.slice(0, keyable(one))) {
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

const nameOf = (shape: Shape): string => `${shape.source}/${shape.destination}/${shape.mark}/${shape.rest}`;

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

function tupleFor(shape: Shape, kept: readonly Shape[], tuples: Map<Shape, Tuple>): Tuple {
  let best = EMPTY;
  for (const wide of kept) if (isWithin(shape, wide) && narrowness(wide) > narrowness(best)) best = wide;
  const tuple = tuples.get(best) ?? { shape: best, members: [] };
  tuples.set(best, tuple);
  return tuple;
}

function place(position: number, one: Entry, key: Key, shape: Shape): Placed {
  let [source, destination, mark, rest] = [0, 0, 0, 0];
  const answered = new Set<Condition>();
  for (const condition of key.fields) {
    const { op, a } = condition;
    if (op === OP.SOURCE && shape.source !== 0) source = a;
    else if (op === OP.DESTINATION && shape.destination !== 0) destination = a;
    else if (op === OP.MARK && shape.mark !== 0) mark = a;
    else if (op === OP.PROTOCOL && (shape.rest & PROTOCOL_BITS) !== 0) rest |= a;
    else if (op === OP.IN && (shape.rest & IN_BITS) !== 0) rest |= a << 8;
    else if (op === OP.OUT && (shape.rest & OUT_BITS) !== 0) rest |= a << 20;
    else continue;
    answered.add(condition);
  }
  const residual = one.conditions.filter((condition) => !answered.has(condition));
  return { position, source, destination, mark, rest, residual };
}
