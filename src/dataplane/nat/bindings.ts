/**
 * Bindings: the connections that have NAT, found by either of their tuples. Connections without NAT are not here.
 *
 * Source: the two tuple hashes of struct nf_conn and nat_bysource (net/netfilter/nf_nat_core.c). Everything lies in typed
 * arrays. A binding is ten words of `words`; two hash tables with chains lead to it:
 *
 *     tuples    by cell and incoming tuple; a place is the binding's index times two, plus 1 for the reply
 *     sources   by cell, protocol and original source, of those with SNAT; the one added last comes first
 *
 * A binding has a serial number, which is what connection tracking knows its connection by (see connections.ts).
 */
import type { Connection, Tuple } from './tuples.ts';
import { STATUS } from './tuples.ts';

// Words of a binding.
/** In use (bit 31), cell (bits 8 to 22), protocol (0 to 7); 0 when free. */
const META = 0;
/** Source, destination and ports: of the original here, of the reply behind it. */
const TUPLE = 1;
const TUPLE_WORDS = 3;
const STATUS_WORD = 7;
const MASQUERADE_INTERFACE = 8;
const SERIAL = 9;
const WORDS = 10;

const IN_USE = 0x80000000 | 0;
const INITIAL_CAPACITY = 256;
const NONE = -1;

export interface Bindings {
  words: Int32Array;
  /** Bindings there is room for, a power of two. */
  capacity: number;
  /** Bindings in use. */
  count: number;
  /** First place of each chain, and the next one of each place. */
  tuples: Int32Array;
  tupleNext: Int32Array;
  sources: Int32Array;
  /** Next binding in the chain of `sources`; of a free binding the next free one. */
  sourceNext: Int32Array;
  free: number;
  lastSerial: number;
}

export function create(): Bindings {
  const bindings: Bindings = {
    words: new Int32Array(0),
    capacity: 0,
    count: 0,
    tuples: new Int32Array(0),
    tupleNext: new Int32Array(0),
    sources: new Int32Array(0),
    sourceNext: new Int32Array(0),
    free: NONE,
    lastSerial: 0,
  };
  resize(bindings, INITIAL_CAPACITY);
  return bindings;
}

const metaOf = (cell: number, protocol: number): number => IN_USE | (cell << 8) | protocol;

function hash(meta: number, source: number, destination: number, ports: number): number {
  let h = Math.imul(source ^ Math.imul(destination, 0x85ebca6b), 0xcc9e2d51);
  h = Math.imul((h ^ (h >>> 15)) + ports, 0x1b873593);
  h = Math.imul((h ^ (h >>> 13)) + meta, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

const portsOf = (tuple: Readonly<Tuple>): number => (tuple.sourcePort << 16) | tuple.destinationPort;

/** Head of the chain of a place. */
function tupleBucket({ words, capacity }: Bindings, place: number): number {
  const at = (place >>> 1) * WORDS;
  const tuple = at + TUPLE + (place & 1) * TUPLE_WORDS;
  return hash(words[at + META]!, words[tuple]!, words[tuple + 1]!, words[tuple + 2]!) & (capacity * 2 - 1);
}

/** Head of the chain of a binding's original source. */
function sourceBucket({ words, capacity }: Bindings, index: number): number {
  const at = index * WORDS;
  return hash(words[at + META]!, words[at + TUPLE]!, 0, words[at + TUPLE + 2]! >>> 16) & (capacity - 1);
}

/** Place of the binding with `tuple` on one of its sides, or -1. Bit 0 says which: 1 for the reply. */
export function find(bindings: Bindings, cell: number, tuple: Readonly<Tuple>): number {
  const { words, tupleNext } = bindings;
  const meta = metaOf(cell, tuple.protocol);
  const source = tuple.source | 0;
  const destination = tuple.destination | 0;
  const ports = portsOf(tuple);
  let place = bindings.tuples[hash(meta, source, destination, ports) & (bindings.capacity * 2 - 1)]!;
  for (; place !== NONE; place = tupleNext[place]!) {
    const at = (place >>> 1) * WORDS;
    const own = at + TUPLE + (place & 1) * TUPLE_WORDS;
    if (
      words[own] === source &&
      words[own + 1] === destination &&
      words[own + 2] === ports &&
      words[at + META] === meta
    )
      return place;
  }
  return NONE;
}

/**
 * The binding set up last whose packets come from the source of `tuple` and have it changed, or -1; `after` is the one
 * found before it, or -1 for the first.
 */
export function findMapped(bindings: Bindings, cell: number, tuple: Readonly<Tuple>, after: number): number {
  const { words, sourceNext } = bindings;
  const meta = metaOf(cell, tuple.protocol);
  const source = tuple.source | 0;
  const bucket = hash(meta, source, 0, tuple.sourcePort) & (bindings.capacity - 1);
  let index = after === NONE ? bindings.sources[bucket]! : sourceNext[after]!;
  for (; index !== NONE; index = sourceNext[index]!) {
    const at = index * WORDS;
    if (words[at + META] === meta && words[at + TUPLE] === source && words[at + TUPLE + 2]! >>> 16 === tuple.sourcePort)
      return index;
  }
  return NONE;
}

/** Fill `into` with the connection of binding `index`. */
export function load({ words }: Bindings, index: number, into: Connection): void {
  const at = index * WORDS;
  const meta = words[at + META]!;
  into.cell = (meta >>> 8) & 0x7fff;
  into.status = words[at + STATUS_WORD]!;
  into.masqueradeInterface = words[at + MASQUERADE_INTERFACE]!;
  loadTuple(words, at + TUPLE, meta & 0xff, into.original);
  loadTuple(words, at + TUPLE + TUPLE_WORDS, meta & 0xff, into.reply);
}

function loadTuple(words: Int32Array, at: number, protocol: number, into: Tuple): void {
  into.protocol = protocol;
  into.source = words[at]! >>> 0;
  into.destination = words[at + 1]! >>> 0;
  into.sourcePort = words[at + 2]! >>> 16;
  into.destinationPort = words[at + 2]! & 0xffff;
}

/** The number that connection tracking knows the connection of binding `index` by: 1 to 2^32 - 1. */
export const serialOf = ({ words }: Bindings, index: number): number => words[index * WORDS + SERIAL]! >>> 0;

export const protocolOf = ({ words }: Bindings, index: number): number => words[index * WORDS + META]! & 0xff;
export const cellOf = ({ words }: Bindings, index: number): number => (words[index * WORDS + META]! >>> 8) & 0x7fff;
export const isUsed = ({ words }: Bindings, index: number): boolean => words[index * WORDS + META] !== 0;

/** Twice as much room. */
export const grow = (bindings: Bindings): void => resize(bindings, bindings.capacity * 2);

/** Add `connection` and return its index. The caller sees to it that there is room: `isFull`, `remove`, `grow`. */
export function add(bindings: Bindings, connection: Readonly<Connection>): number {
  const index = bindings.free;
  bindings.free = bindings.sourceNext[index]!;
  const { words } = bindings;
  const at = index * WORDS;
  bindings.lastSerial = bindings.lastSerial === 0xffff_ffff ? 1 : bindings.lastSerial + 1;
  words[at + META] = metaOf(connection.cell, connection.original.protocol);
  words[at + STATUS_WORD] = connection.status;
  words[at + MASQUERADE_INTERFACE] = connection.masqueradeInterface;
  words[at + SERIAL] = bindings.lastSerial;
  storeTuple(words, at + TUPLE, connection.original);
  storeTuple(words, at + TUPLE + TUPLE_WORDS, connection.reply);
  link(bindings, index);
  bindings.count += 1;
  return index;
}

function storeTuple(words: Int32Array, at: number, tuple: Readonly<Tuple>): void {
  words[at] = tuple.source;
  words[at + 1] = tuple.destination;
  words[at + 2] = portsOf(tuple);
}

/** No room is left: the time to remove the bindings of connections that have ended. */
export const isFull = ({ free }: Bindings): boolean => free === NONE;

const hasSource = ({ words }: Bindings, index: number): boolean =>
  (words[index * WORDS + STATUS_WORD]! & STATUS.SOURCE_NAT) !== 0;

function link(bindings: Bindings, index: number): void {
  for (let place = index * 2; place <= index * 2 + 1; place++) {
    const bucket = tupleBucket(bindings, place);
    bindings.tupleNext[place] = bindings.tuples[bucket]!;
    bindings.tuples[bucket] = place;
  }
  bindings.sourceNext[index] = NONE;
  if (!hasSource(bindings, index)) return;
  const bucket = sourceBucket(bindings, index);
  bindings.sourceNext[index] = bindings.sources[bucket]!;
  bindings.sources[bucket] = index;
}

/** Forget binding `index`. */
export function remove(bindings: Bindings, index: number): void {
  for (let place = index * 2; place <= index * 2 + 1; place++)
    unlink(bindings.tuples, bindings.tupleNext, tupleBucket(bindings, place), place);
  if (hasSource(bindings, index)) unlink(bindings.sources, bindings.sourceNext, sourceBucket(bindings, index), index);
  bindings.words[index * WORDS + META] = 0;
  bindings.sourceNext[index] = bindings.free;
  bindings.free = index;
  bindings.count -= 1;
}

function unlink(heads: Int32Array, next: Int32Array, bucket: number, place: number): void {
  let before = heads[bucket]!;
  if (before === place) {
    heads[bucket] = next[place]!;
    return;
  }
  while (next[before] !== place) before = next[before]!;
  next[before] = next[place]!;
}

/** Room for `capacity` bindings; chains are linked anew in the order in which the bindings were added. */
function resize(bindings: Bindings, capacity: number): void {
  const used = bindings.capacity;
  const words = new Int32Array(capacity * WORDS);
  words.set(bindings.words);
  bindings.words = words;
  bindings.capacity = capacity;
  bindings.tuples = new Int32Array(capacity * 2).fill(NONE);
  bindings.tupleNext = new Int32Array(capacity * 2);
  bindings.sources = new Int32Array(capacity).fill(NONE);
  bindings.sourceNext = new Int32Array(capacity);
  const order = Array.from({ length: used }, (_, index) => index).sort(
    (a, b) => serialOf(bindings, a) - serialOf(bindings, b),
  );
  for (const index of order) link(bindings, index);
  for (let index = capacity - 1; index >= used; index--) {
    bindings.sourceNext[index] = bindings.free;
    bindings.free = index;
  }
}
