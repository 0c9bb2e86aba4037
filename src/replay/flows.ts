/**
 * Flows: who talked to whom and what became of it, added up while packets pass.
 *
 * A row is one pair of ends, protocol, port of the called side and verdict; denied packets are kept apart by reason and
 * rule as well. Ends are apps (all instances together), cells, or bare addresses. Replies count in the row of the
 * connection they answer. Rows live in an open-addressing table over typed arrays, so that a packet allocates nothing;
 * after `LIMIT` rows (a port scan, say) further ones are added up in one last row, and `overflow` says so.
 */
import { BURST_CAPACITY } from '../capture/burst.ts';
import { type Burst, HELD, NOTE, setTally, tallyOf } from '../dataplane/burst.ts';
import { type Cell, placeOf } from '../dataplane/cell.ts';
import { bindPairs, canTally, type Straight, tally } from '../dataplane/straight.ts';
import { VERDICT } from '../dataplane/verdict.ts';
import { type Arena, heap, type Place } from '../memory/arena.ts';
import { CTSTATE } from '../rules/model.ts';

/** What an address stands for: an app by index, a cell by index, or itself. */
export const END = { APP: 0, CELL: 1, ADDRESS: 2 } as const;

export interface Ends {
  /** What an address stands for: `index * 4 + kind` (kind is one of END), or -1 for an address that is only itself. */
  of(address: number): number;
  /** The addresses that stand for more than themselves. */
  readonly addresses: readonly number[];
}

export interface Flow {
  readonly sourceKind: number;
  readonly source: number;
  readonly destinationKind: number;
  readonly destination: number;
  /** IP protocol; -1 for packets that are not IPv4. */
  readonly protocol: number;
  /** Port of the called side; type * 256 + code for ICMP; 0 otherwise. */
  readonly port: number;
  readonly verdict: number;
  /** Reason, cell and deciding rule of the first packet of the row; the rule is its place in the cell's `known`. */
  readonly reason: number;
  readonly cell: number;
  readonly rule: number;
  readonly packets: number;
  readonly octets: number;
  readonly connections: number;
  /** File index and number of the first packet of the row. */
  readonly firstFile: number;
  readonly firstPacket: number;
}

/** A row is 64 octets: eight words of key and context, four doubles of sums; one cache line. */
const WORDS = 16;
const DOUBLES = WORDS / 2;
export const LIMIT = 65_536;
const ICMP = 1;
const ICMP_ECHO = 8;

export interface FlowTable {
  readonly ends: Ends;
  /** The same for compiled code; null without it. */
  readonly known: Int32Array<ArrayBuffer> | null;
  readonly straight: Straight | null;
  readonly cells: readonly Cell[];
  readonly arena: Arena;
  /** Where the rows are, as words and as doubles. */
  place: Place;
  words: Int32Array;
  values: Float64Array;
  mask: number;
  rows: number;
  /** Rows that there may be before the table grows, and at most. */
  room: number;
  readonly limit: number;
  /** Packets that found no row of their own. */
  overflow: number;
  /** Rows of a burst that have to be looked up. */
  readonly missing: Int32Array;
  /** What looking ahead read; of no use to anybody. */
  touched: number;
  /** Sign of this table's tallies; a new one whenever rows have moved. */
  sign: number;
}

/**
 * A tally word is whether it is of replies (a connection may be opened anew from its other end), a sign and a row; signs are
 * never 0.
 */
const ROW_BITS = 17;
const ROW_MASK = (1 << ROW_BITS) - 1;
const REPLY_SHIFT = 31;
const SIGN_LIMIT = 1 << (REPLY_SHIFT - ROW_BITS);
let signs = 0;
const nextSign = (): number => {
  signs = (signs % (SIGN_LIMIT - 1)) + 1;
  return signs << ROW_BITS;
};

/** Rows of a new table, and by how much it grows at once: after three times the number of every row still fits in ROW_BITS. */
const INITIAL_ROWS = 2048;
const GROWTH = 4;

const ROW_OCTETS = WORDS * 4;

/**
 * An empty table. `straight` is the dataplane's, if compiled code is to add up the packets that it judged; `cells` are its
 * cells, if their rules may change.
 */
export function create(ends: Ends, straight: Straight | null = null, cells: readonly Cell[] = []): FlowTable {
  const arena = straight?.arena ?? heap;
  const place = arena.allocate(INITIAL_ROWS * ROW_OCTETS);
  return {
    ends,
    known:
      straight &&
      bindPairs(
        arena,
        ends.addresses.map((address) => [address, ends.of(address)]),
      ),
    straight,
    cells,
    arena,
    place,
    words: new Int32Array(place.buffer, place.offset, INITIAL_ROWS * WORDS),
    values: new Float64Array(place.buffer, place.offset, INITIAL_ROWS * DOUBLES),
    mask: INITIAL_ROWS - 1,
    rows: 0,
    room: roomOf(INITIAL_ROWS),
    limit: LIMIT,
    overflow: 0,
    missing: straight?.notes ?? new Int32Array(BURST_CAPACITY),
    touched: 0,
    sign: nextSign(),
  };
}

// Words of a row: five of key, then what its first packet met.
const SOURCE = 0;
const DESTINATION = 1;
const PROTOCOL_PORT = 2;
/** In use (bit 31), kinds (bits 24 to 27), verdict (16 to 23), reason of denied packets (0 to 15). */
const KIND_VERDICT = 3;
const KEY_RULE = 4;
const KEY_WORDS = 5;
const REASON_CELL = 5;
const RULE = 6;
const FILE = 7;
// Doubles of a row, behind its words.
const PACKETS = 4;
const OCTETS = 5;
const CONNECTIONS = 6;
const FIRST_PACKET = 7;

const isDenied = (verdict: number): boolean =>
  verdict !== VERDICT.DELIVER && verdict !== VERDICT.FORWARD && verdict !== VERDICT.OBSERVED;

/**
 * Keys and hashes of one burst. All are worked out before the first row is read, and all rows are read before the first is
 * written: only a loop that does nothing else lets cache misses overlap.
 */
const keys = new Int32Array(BURST_CAPACITY * KEY_WORDS);
const hashes = new Int32Array(BURST_CAPACITY);

/** Add the rows of a judged burst. Rows without an IPv4 packet are not flows and are left to the counters. */
export function add(table: FlowTable, burst: Burst): void {
  const { straight } = table;
  if (straight?.burst === burst && canTally(straight, table)) addMissing(table, burst, tally(straight, table));
  else addMissing(table, burst, addKnown(table, burst));
}

/** Add the rows whose connection knows its row, and list the others in `missing`. Gives how many these are. */
function addKnown(table: FlowTable, burst: Burst): number {
  const { count } = burst.records;
  let missing = 0;
  for (let i = 0; i < count; i++) {
    const word = tallyOf(burst, i);
    if ((word & ~ROW_MASK) === signOf(table, burst, i)) addTo(table, burst, i, word & ROW_MASK);
    else if (isFlow(burst, i)) table.missing[missing++] = i;
  }
  return missing;
}

const signOf = (table: FlowTable, burst: Burst, i: number): number => table.sign | (burst.reply[i]! << REPLY_SHIFT);

/** Look up the rows of the first `count` in `missing`, and add them. */
function addMissing(table: FlowTable, burst: Burst, count: number): void {
  const { missing } = table;
  for (let index = 0; index < count; index++) {
    const i = missing[index]!;
    writeKey(table, burst, i);
    hashes[index] = hash(keys, i * KEY_WORDS);
  }
  table.touched = touch(table, count);
  for (let index = 0; index < count; index++) addRow(table, burst, missing[index]!, hashes[index]!);
}

const isFlow = (burst: Burst, i: number): boolean => burst.version[i] === 4 && burst.verdict[i] !== HELD;

function touch({ words, mask }: FlowTable, count: number): number {
  let sum = 0;
  for (let index = 0; index < count; index++) sum += words[(hashes[index]! & mask) * WORDS + KIND_VERDICT]!;
  return sum;
}

function writeKey(table: FlowTable, burst: Burst, i: number): void {
  const swap = burst.reply[i] === 1 && burst.ctstate[i] !== CTSTATE.RELATED;
  const caller = swap ? burst.destination[i]! : burst.source[i]!;
  const called = swap ? burst.source[i]! : burst.destination[i]!;
  const verdict = burst.verdict[i]!;
  const denied = isDenied(verdict);
  const from = table.ends.of(caller);
  const to = table.ends.of(called);
  const kinds = (kindOf(from) << 26) | (kindOf(to) << 24);
  const at = i * KEY_WORDS;
  keys[at + SOURCE] = from < 0 ? caller : from >> 2;
  keys[at + DESTINATION] = to < 0 ? called : to >> 2;
  keys[at + PROTOCOL_PORT] = (burst.protocol[i]! << 16) | portOf(burst, i, swap);
  keys[at + KIND_VERDICT] = 0x80000000 | kinds | (verdict << 16) | (denied ? burst.reason[i]! : 0);
  keys[at + KEY_RULE] = denied ? (burst.cell[i]! << 24) ^ ruleOf(table, burst, i) : 0;
}

/** The rule of row `i`, by a number that it keeps when other rules change. */
function ruleOf({ cells }: FlowTable, burst: Burst, i: number): number {
  const cell = cells[burst.cell[i]!];
  return cell === undefined ? burst.rule[i]! : placeOf(cell, burst.rule[i]!);
}

const kindOf = (end: number): number => (end < 0 ? END.ADDRESS : end & 3);

function addRow(table: FlowTable, burst: Burst, i: number, hashed: number): void {
  const row = place(table, i * KEY_WORDS, hashed);
  if (row < 0) {
    table.overflow += 1;
    return;
  }
  const at = row * DOUBLES;
  const { words, values } = table;
  if (values[at + PACKETS] === 0) {
    const word = row * WORDS;
    words[word + REASON_CELL] = (burst.reason[i]! << 16) | (burst.cell[i]! & 0xffff);
    words[word + RULE] = ruleOf(table, burst, i);
    words[word + FILE] = burst.records.file[i]!;
    values[at + FIRST_PACKET] = burst.records.packet[i]!;
  }
  addTo(table, burst, i, row);
  setTally(burst, i, signOf(table, burst, i) | row);
}

function addTo({ values }: FlowTable, burst: Burst, i: number, row: number): void {
  const at = row * DOUBLES;
  values[at + PACKETS]! += 1;
  values[at + OCTETS]! += burst.records.originalLength[i]!;
  if ((burst.note[i]! & NOTE.OPENED) !== 0) values[at + CONNECTIONS]! += 1;
}

function portOf(burst: Burst, i: number, swap: boolean): number {
  if (burst.protocol[i] !== ICMP) return swap ? burst.sourcePort[i]! : burst.destinationPort[i]!;
  // The answer to a ping belongs to the ping.
  const type = swap ? ICMP_ECHO : burst.sourcePort[i]!;
  return (type << 8) | burst.destinationPort[i]!;
}

/** Of the five key words from `at` on. */
function hash(words: Int32Array, at: number): number {
  let h = Math.imul(words[at]! ^ Math.imul(words[at + 1]!, 0x85ebca6b), 0xcc9e2d51);
  h = Math.imul((h ^ (h >>> 15)) + words[at + 2]!, 0x1b873593);
  h = Math.imul((h ^ (h >>> 13)) + (words[at + 3]! ^ words[at + 4]!), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Row with the key at `key` in `keys` and this hash, made now if it is new; -1 when there is no more room. */
function place(table: FlowTable, key: number, hashed: number): number {
  const { words, mask } = table;
  let row = hashed & mask;
  for (; ; row = (row + 1) & mask) {
    const at = row * WORDS;
    if (words[at + KIND_VERDICT] === 0) break;
    if (isSame(words, at, key)) return row;
  }
  if (table.rows >= LIMIT) return -1;
  if (table.rows >= table.room) {
    grow(table);
    return place(table, key, hashed);
  }
  table.rows += 1;
  for (let word = 0; word < KEY_WORDS; word++) words[row * WORDS + word] = keys[key + word]!;
  return row;
}

/** How many rows of a table are used before it grows. */
const roomOf = (rows: number): number => (rows * 3) >>> 2;

const isSame = (words: Int32Array, at: number, key: number): boolean =>
  words[at] === keys[key] &&
  words[at + 1] === keys[key + 1] &&
  words[at + 2] === keys[key + 2] &&
  words[at + 3] === keys[key + 3] &&
  words[at + 4] === keys[key + 4];

function grow(table: FlowTable): void {
  const { arena, words, mask } = table;
  const rows = (mask + 1) * GROWTH;
  const place = arena.allocate(rows * ROW_OCTETS);
  const grown = new Int32Array(place.buffer, place.offset, rows * WORDS);
  for (let at = 0; at < words.length; at += WORDS) {
    if (words[at + KIND_VERDICT] === 0) continue;
    let row = hash(words, at) & (rows - 1);
    while (grown[row * WORDS + KIND_VERDICT] !== 0) row = (row + 1) & (rows - 1);
    // Word by word: `set` would need an object for each row.
    for (let word = 0; word < WORDS; word++) grown[row * WORDS + word] = words[at + word]!;
  }
  arena.release(table.place, (mask + 1) * ROW_OCTETS);
  table.place = place;
  table.words = grown;
  table.values = new Float64Array(place.buffer, place.offset, rows * DOUBLES);
  table.mask = rows - 1;
  table.room = roomOf(rows);
  table.sign = nextSign();
}

/** The rows as records, most packets first; ties in the order of their keys, so that output never depends on chance. */
export function list(table: FlowTable): Flow[] {
  const flows: Flow[] = [];
  for (let row = 0; row <= table.mask; row++)
    if (table.words[row * WORDS + KIND_VERDICT] !== 0) flows.push(read(table, row));
  return flows.sort(inOrder);
}

/** The order of rows, for `sort`. */
export const inOrder = (a: Flow, b: Flow): number =>
  b.packets - a.packets ||
  a.firstFile - b.firstFile ||
  a.firstPacket - b.firstPacket ||
  a.verdict - b.verdict ||
  a.source - b.source ||
  a.destination - b.destination;

function read(table: FlowTable, row: number): Flow {
  const word = (index: number): number => table.words[row * WORDS + index]!;
  const value = (index: number): number => table.values[row * DOUBLES + index]!;
  const key = word(KIND_VERDICT);
  return {
    sourceKind: (key >>> 26) & 3,
    source: word(SOURCE) >>> 0,
    destinationKind: (key >>> 24) & 3,
    destination: word(DESTINATION) >>> 0,
    protocol: word(PROTOCOL_PORT) >>> 16,
    port: word(PROTOCOL_PORT) & 0xffff,
    verdict: (key >>> 16) & 0xff,
    reason: word(REASON_CELL) >>> 16,
    cell: (word(REASON_CELL) << 16) >> 16,
    rule: word(RULE),
    packets: value(PACKETS),
    octets: value(OCTETS),
    connections: value(CONNECTIONS),
    firstFile: word(FILE),
    firstPacket: value(FIRST_PACKET),
  };
}
