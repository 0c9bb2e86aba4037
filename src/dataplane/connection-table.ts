/**
 * The table of connections: where they lie, how they are found, and how there is room for one more.
 *
 * Entries stand one behind the other in the order in which they came, 64 octets each: a cache line. They are found by an
 * index, open addressing over words of 32 bits: the number of an entry and eight bits of its key's hash, so that looking for
 * one reads nearly always one line of the index and one entry. Only the index has free places, and it alone is searched. When
 * the table grows, entries stay where they are as long as their place has room; in an arena it has from the beginning.
 *
 * Both directions of a connection share an
 * entry: endpoints are put in order, and a bit says which one spoke first. Entries of all cells share the table; the cell's
 * number is part of the key. An entry that has expired is not removed: it is invisible to lookups, its place is taken by
 * the next connection with its key, and when there is no room for one more it is left behind.
 *
 * An entry also remembers, for each direction, the way that its last packet took through the rules (`rules/ways.ts`) and
 * what came of it, so that the next one need not walk. Packets that were refused are remembered for that reason alone, in
 * entries that expired before they began: they are no connections, and count for none.
 *
 * A table that follows TCP windows and SCTP has 64 octets more for each entry, in `windows` (`track-windows.ts`).
 */
import { type Arena, heap, type Place } from '../memory/arena.ts';
import { CTSTATE } from '../rules/model.ts';

/** 32-bit words of one entry, and the doubles that share its place. */
export const ENTRY_WORDS = 16;
export const ENTRY_DOUBLES = ENTRY_WORDS / 2;
/** Words of one entry of `windows`. */
export const ENTRY_WINDOW_WORDS = 16;

// Words of an entry. The first four are the key.
const FIRST = 0;
const SECOND = 1;
const PORTS = 2;
/** In use (bit 31), zone and cell (bits 16 to 30), protocol (8 to 15), ICMP query class (0 to 7). */
const META = 3;
export const STATE = 4;
/** UDP: from when on the exchange counts as a stream, in milliseconds of capture time. */
export const STREAM_FROM = 5;
/** The double behind the words. */
export const EXPIRES = 3;
// Four words for packets from the first end to the second, and four more for those from the second to the first.
/** First word of the VXLAN header that the packet came with: mark and tag follow from it. */
export const TUNNEL = 8;
/** What the rules said, see `plain.ts`; 0 for nothing that could be remembered. */
export const SAID = 9;
/** For whoever adds packets up by connection; 0 when the word before it is new. */
export const TALLY = 10;
/** Rule that decided. */
export const RULE = 11;
/** From the words of one direction to those of the other. */
export const BACK = 4;
/** `times[EXPIRES]` of an entry that is no connection. */
const NEVER = Number.NEGATIVE_INFINITY;
/** Before every packet. */
const LONG_AGO = -Number.MAX_VALUE;
/** Refusals are not remembered in a table that has grown beyond this. */
const REFUSAL_LIMIT = 1 << 17;

/** Bits of STATE that all protocols have: the first packet went from the second end of the key; it was answered. */
export const SWAPPED = 0x1;
export const SEEN_REPLY = 0x2;
const SECOND_NANOSECONDS = 1e9;
const MILLISECOND = 1e6;
/** A UDP exchange younger than this does not count as a stream. */
const UDP_STREAM_AFTER = 2000;

const ICMP = 1;

/** Query class of an ICMP type, from 1; 0 for types that open no connection (nf_conntrack_proto_icmp.c, invmap). */
export const QUERY_CLASS = new Uint8Array(256);
/** 1 for the types that answer a query. */
export const QUERY_REPLY = new Uint8Array(256);
for (const [index, [request, reply]] of [
  [8, 0],
  [13, 14],
  [15, 16],
  [17, 18],
].entries()) {
  QUERY_CLASS[request!] = index + 1;
  QUERY_CLASS[reply!] = index + 1;
  QUERY_REPLY[reply!] = 1;
}

const INITIAL_ENTRIES = 1 << 12;
/** A table grows by this factor at once: all entries have to be put into the index anew. */
const GROWTH = 4;
/** Places of the index for each entry that there is room for. */
const INDEX_FACTOR = 2;
/** A word of the index: 0 for a free place, else bits of the hash above the entry's number plus 1. */
const INDEX_HASH = 0xff000000 | 0;
const INDEX_NUMBER = 0x00ffffff;
/** Numbers of cells that there are, those of all zones together. */
const MOST_CELLS = 0x8000;

/** Connections that a table may have at most, so that with the refusals all have a number. */
const MOST_CONNECTIONS = 12 << 20;

export interface Conntrack {
  readonly arena: Arena;
  /** Where the entries are, as words and as doubles. */
  place: Place;
  words: Int32Array;
  times: Float64Array;
  /** What is known of the windows of each connection (`track-windows.ts`), and where it lies; null in a table without. */
  windows: Int32Array | null;
  windowsPlace: Place | null;
  /** Where the index is, and its number of places minus 1. */
  indexPlace: Place;
  index: Int32Array;
  mask: number;
  /** Number of entries that there may be before the index grows. */
  capacity: number;
  /** Number of entries that `place` has room for. */
  room: number;
  /** Entries of connections, expired ones included, and of refusals. */
  used: number;
  /** How often entries have moved: their places, once known, hold as long as this stays. */
  moves: number;
  refusals: number;
  /** Expired connections that have made way. */
  removed: number;
  /** Connections that may be remembered at most; further ones are refused. */
  readonly limit: number;
  /**
   * Capture time of the packet that the table is asked about, in nanoseconds: whoever asks says it first. As an argument it would be an
   * object of its own for every function that V8 does not inline.
   */
  now: number;
  /** When a table at its limit is next searched for expired entries, in nanoseconds of capture time. */
  searchFrom: number;
  /** Cells that there are, and the number of the first of them in the zone that packets are looked up in (`enterZone`). */
  cells: number;
  zone: number;
  /** Marks of connections that have one, by key. */
  readonly marks: Map<string, number>;

  // Where the transport header lies of the packet that `track` is asked about, and the octets from there to the end of the
  // packet, as IPv4 says. Only a table with windows looks.
  view: DataView;
  transport: number;
  length: number;
  /** How many of them are there. */
  captured: number;

  // What the last `track` or `trackError` found.
  /** One bit of CTSTATE. */
  ctstate: number;
  /** 1 when the packet goes against the connection's first one. */
  reply: number;
  /** Place of the connection, or -1: unknown, not trackable, or not yet confirmed. */
  slot: number;
  /** 1 when the packet went from the second end of the key to the first. */
  swapped: number;

  // The connection that `confirm` would remember.
  pending: boolean;
  first: number;
  second: number;
  ports: number;
  meta: number;
  state: number;
  timeout: number;
  readonly pendingWindow: Int32Array;
}

const OCTETS = ENTRY_WORDS * 4;
const WINDOW_OCTETS = ENTRY_WINDOW_WORDS * 4;
const NO_VIEW = new DataView(new ArrayBuffer(0));

/** The capacity of a table with `entries`, a third of it free. */
function capacityFor(entries: number): number {
  let capacity = INITIAL_ENTRIES;
  while (capacity * 2 < entries * 3) capacity *= GROWTH;
  return capacity;
}

/** An empty table that refuses the connection after `limit`. */
export function create(limit: number, arena: Arena = heap): Conntrack {
  const room = Math.max(
    INITIAL_ENTRIES,
    Math.min(capacityFor(Math.min(limit, MOST_CONNECTIONS) * 2), Math.floor(arena.spare() / OCTETS)),
  );
  const place = arena.allocate(room * OCTETS);
  const indexPlace = arena.allocate(INITIAL_ENTRIES * INDEX_FACTOR * 4);
  return {
    arena,
    place,
    indexPlace,
    index: new Int32Array(indexPlace.buffer, indexPlace.offset, INITIAL_ENTRIES * INDEX_FACTOR),
    mask: INITIAL_ENTRIES * INDEX_FACTOR - 1,
    capacity: INITIAL_ENTRIES,
    room,
    moves: 0,
    words: new Int32Array(place.buffer, place.offset, room * ENTRY_WORDS),
    times: new Float64Array(place.buffer, place.offset, room * ENTRY_DOUBLES),
    windows: null,
    windowsPlace: null,
    used: 0,
    refusals: 0,
    removed: 0,
    cells: MOST_CELLS,
    zone: 0,
    limit: Math.min(limit, MOST_CONNECTIONS),
    now: Number.NEGATIVE_INFINITY,
    searchFrom: Number.NEGATIVE_INFINITY,
    marks: new Map(),
    view: NO_VIEW,
    transport: 0,
    length: 0,
    captured: 0,
    ctstate: 0,
    reply: 0,
    slot: -1,
    swapped: 0,
    pending: false,
    first: 0,
    second: 0,
    ports: 0,
    meta: 0,
    state: 0,
    timeout: 0,
    pendingWindow: new Int32Array(ENTRY_WINDOW_WORDS),
  };
}

/** Let `table`, which is empty, follow TCP windows and SCTP. */
export function addWindows(table: Conntrack): void {
  if (table.windows !== null) return;
  placeWindows(table, table.room);
}

/** Put a place for the windows of `entries` connections into `table`. */
function placeWindows(table: Conntrack, entries: number): void {
  const place = table.arena.allocate(entries * WINDOW_OCTETS);
  table.windowsPlace = place;
  table.windows = new Int32Array(place.buffer, place.offset, entries * ENTRY_WINDOW_WORDS);
}

/**
 * Hash of a key. The two ends weigh the same, so that both directions of a packet have one hash without being put in order
 * first; protocol and cell are left to the comparison. `ports` is the first word of a TCP or UDP header.
 */
export function hashOf(source: number, destination: number, ports: number): number {
  const back = (ports << 16) | (ports >>> 16);
  let h = Math.imul(source ^ destination, 0xcc9e2d51) + Math.imul((source + destination) | 0, 0x85ebca6b);
  h = Math.imul((h ^ (h >>> 15)) + Math.imul(ports ^ back, 0x1b873593) + ((ports + back) | 0), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Place of the entry with the pending key, expired or not; -1 when there is none. */
export function find(table: Conntrack): number {
  return findFrom(table, hashOf(table.first, table.second, table.ports));
}

/** The same, when the key's hash is known. */
function findFrom(table: Conntrack, hashed: number): number {
  const { index, words, mask, first, second, ports, meta } = table;
  for (let place = hashed & mask; ; place = (place + 1) & mask) {
    const word = index[place]!;
    if (word === 0) return -1;
    if (((word ^ hashed) & INDEX_HASH) !== 0) continue;
    const slot = (word & INDEX_NUMBER) - 1;
    const at = slot * ENTRY_WORDS;
    if (
      words[at + FIRST] === first &&
      words[at + SECOND] === second &&
      words[at + PORTS] === ports &&
      words[at + META] === meta
    ) {
      return slot;
    }
  }
}

/** Put the two ends in order and remember the key; the return value is SWAPPED when they changed places. */
export function keyOf(
  table: Conntrack,
  cell: number,
  protocol: number,
  source: number,
  destination: number,
  sourcePort: number,
  destinationPort: number,
): number {
  const swapped = source > destination || (source === destination && sourcePort > destinationPort) ? SWAPPED : 0;
  const mix = -swapped;
  const ports = (sourcePort << 16) | destinationPort;
  const exchange = (source ^ destination) & mix;
  table.first = (source ^ exchange) | 0;
  table.second = (destination ^ exchange) | 0;
  table.ports = ports ^ ((ports ^ ((ports << 16) | (ports >>> 16))) & mix);
  table.meta = 0x80000000 | ((table.zone + cell) << 16) | (protocol << 8);
  table.swapped = swapped;
  return swapped;
}

/**
 * Read the places of the index that the first `count` of `hashes` lead to, so that they are in the cache when they are looked
 * at. The sum means nothing: it keeps the reads from being optimised away.
 */
export function touch({ index, mask }: Conntrack, hashes: Int32Array, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += index[hashes[i]! & mask]!;
  return sum;
}

/**
 * An ICMP query has a client and a server instead of ports: the order is theirs, and the answer turns it round. Its code
 * belongs to the key, as in the kernel's tuple.
 */
export function queryKeyOf(
  table: Conntrack,
  cell: number,
  type: number,
  code: number,
  source: number,
  destination: number,
  identifier: number,
): number {
  const reply = QUERY_REPLY[type]!;
  table.first = (reply === 1 ? destination : source) | 0;
  table.second = (reply === 1 ? source : destination) | 0;
  table.ports = (code << 16) | identifier;
  table.meta = 0x80000000 | ((table.zone + cell) << 16) | (ICMP << 8) | QUERY_CLASS[type]!;
  return 0;
}

/** The packet belongs to no connection and opens none. */
export function invalid(table: Conntrack): void {
  table.ctstate = CTSTATE.INVALID;
  table.reply = 0;
  table.slot = -1;
  table.pending = false;
}

/**
 * Place of the entry of a TCP or UDP packet whose key has the hash `hashed`, be it a connection, one that has expired, or a
 * refusal; -1 when there is none. `ports` is the first word of its header. For `trackFound`.
 */
export function findPorted(
  table: Conntrack,
  cell: number,
  protocol: number,
  source: number,
  destination: number,
  ports: number,
  hashed: number,
): number {
  keyOf(table, cell, protocol, source, destination, ports >>> 16, ports & 0xffff);
  return findFrom(table, hashed);
}

/** Remember the connection that the last `track` would open, from `table.now` on. False when the table is full. */
export function confirm(table: Conntrack): boolean {
  if (!table.pending) return true;
  table.pending = false;
  let slot = find(table);
  const known = slot >= 0 && table.times[slot * ENTRY_DOUBLES + EXPIRES] !== NEVER;
  if (!known) {
    if (!makeRoom(table)) return false;
    slot = find(table);
    if (slot < 0) slot = claim(table);
    else table.refusals -= 1;
  }
  if (table.marks.size !== 0) table.marks.delete(markKey(table));
  const at = slot * ENTRY_WORDS;
  const words = table.words;
  words[at + STATE] = table.state;
  words[at + STREAM_FROM] = ((table.now / MILLISECOND) | 0) + UDP_STREAM_AFTER;
  if (table.windows !== null) table.windows.set(table.pendingWindow, slot * ENTRY_WINDOW_WORDS);
  table.times[slot * ENTRY_DOUBLES + EXPIRES] = table.now + table.timeout;
  table.slot = slot;
  return true;
}

/**
 * A place for what the rules said of a packet that opened no connection, when the table has none for its key. -1 when the
 * table has better use for its room.
 */
export function refuse(table: Conntrack): number {
  if (!hasRoom(table)) {
    // In a large table the refusals of long ago make way, when there are many: those that matter come back.
    const large = table.capacity > REFUSAL_LIMIT;
    if (large && table.refusals * 2 < table.used) return -1;
    if (!grow(table, !large)) return -1;
  }
  const slot = claim(table);
  table.times[slot * ENTRY_DOUBLES + EXPIRES] = NEVER;
  table.refusals += 1;
  return slot;
}

/**
 * Forget what the rules of the cell numbered `cell` said, and whose sums it went to, because they are about to change.
 * Connections stay.
 */
export function forget({ words, used, cells }: Conntrack, cell: number): void {
  for (let at = 0; at < used * ENTRY_WORDS; at += ENTRY_WORDS) {
    if (((words[at + META]! >>> 16) & (MOST_CELLS - 1)) % cells !== cell) continue;
    words[at + SAID] = 0;
    words[at + TALLY] = 0;
    words[at + SAID + BACK] = 0;
    words[at + TALLY + BACK] = 0;
  }
}

/** An entry with the pending key, behind the others. */
function claim(table: Conntrack): number {
  const { words, used } = table;
  const at = used * ENTRY_WORDS;
  for (let word = at + STATE; word < at + ENTRY_WORDS; word++) words[word] = 0;
  words[at + FIRST] = table.first;
  words[at + SECOND] = table.second;
  words[at + PORTS] = table.ports;
  words[at + META] = table.meta;
  enlist(table, used);
  table.used += 1;
  return used;
}

/** Put the entry at `slot` into the index. */
function enlist({ index, mask, words }: Conntrack, slot: number): void {
  const at = slot * ENTRY_WORDS;
  const hashed = hashOf(words[at + FIRST]!, words[at + SECOND]!, words[at + PORTS]!);
  let place = hashed & mask;
  while (index[place] !== 0) place = (place + 1) & mask;
  index[place] = (hashed & INDEX_HASH) | (slot + 1);
}

/** Put all entries into an empty index. */
function enlistAll(table: Conntrack): void {
  const { arena, place, indexPlace, mask, used } = table;
  const { memory, loops } = arena;
  if (loops !== null && place.buffer === memory?.buffer && indexPlace.buffer === memory.buffer)
    loops.reindex(place.offset, indexPlace.offset, mask, used);
  else for (let slot = 0; slot < used; slot++) enlist(table, slot);
}

const hasRoom = (table: Conntrack): boolean => table.used < table.capacity;

/** Room for one more connection. At the limit, expired ones are looked for once a second, not for every packet. */
function makeRoom(table: Conntrack): boolean {
  const full = table.used - table.refusals >= table.limit;
  if (!full && hasRoom(table)) return true;
  if (full && table.now < table.searchFrom) return false;
  table.searchFrom = table.now + SECOND_NANOSECONDS;
  return grow(table, table.refusals * 2 < table.used);
}

/**
 * Keep the living connections, and the refusals if they are to be kept, and make room for at least half as many again. False, and
 * nothing done, when there would be more than `limit` connections.
 */
function grow(table: Conntrack, keepRefusals: boolean): boolean {
  let living = 0;
  for (let slot = 0; slot < table.used; slot++) if (isLiving(table, slot)) living += 1;
  if (living >= table.limit) return false;
  table.removed += table.used - table.refusals - living;
  const refusals = keepRefusals ? table.refusals : 0;
  const entries = living + refusals + 1;
  const capacity = capacityFor(entries);
  if (entries <= table.used) closeUp(table, keepRefusals);
  table.refusals = refusals;
  if (table.room * 2 < entries * 3) move(table, capacity);
  clearIndex(table, capacity * INDEX_FACTOR);
  table.capacity = Math.min(capacity, table.room);
  enlistAll(table);
  table.moves += 1;
  return true;
}

/** Let entries that are kept take the places of those that are not. */
function closeUp(table: Conntrack, keepRefusals: boolean): void {
  const { words, windows } = table;
  let to = 0;
  for (let slot = 0; slot < table.used; slot++) {
    if (!isLiving(table, slot) && !(keepRefusals && isRefusal(table, slot))) continue;
    if (to !== slot) {
      words.copyWithin(to * ENTRY_WORDS, slot * ENTRY_WORDS, (slot + 1) * ENTRY_WORDS);
      windows?.copyWithin(to * ENTRY_WINDOW_WORDS, slot * ENTRY_WINDOW_WORDS, (slot + 1) * ENTRY_WINDOW_WORDS);
    }
    to += 1;
  }
  table.used = to;
}

/** Move all entries to where there is room for `room` of them. */
function move(table: Conntrack, room: number): void {
  const { arena, words, windows, windowsPlace } = table;
  const place = arena.allocate(room * OCTETS);
  arena.release(table.place, table.room * OCTETS);
  table.place = place;
  table.words = new Int32Array(place.buffer, place.offset, room * ENTRY_WORDS);
  table.words.set(words.subarray(0, table.used * ENTRY_WORDS));
  table.times = new Float64Array(place.buffer, place.offset, room * ENTRY_DOUBLES);
  if (windows !== null) {
    placeWindows(table, room);
    table.windows!.set(windows.subarray(0, table.used * ENTRY_WINDOW_WORDS));
    arena.release(windowsPlace!, table.room * WINDOW_OCTETS);
  }
  table.room = room;
}

/** Begin an empty index of `places`. */
function clearIndex(table: Conntrack, places: number): void {
  if (places === table.mask + 1) {
    table.index.fill(0);
    return;
  }
  const { arena } = table;
  arena.release(table.indexPlace, (table.mask + 1) * 4);
  table.indexPlace = arena.allocate(places * 4);
  table.index = new Int32Array(table.indexPlace.buffer, table.indexPlace.offset, places);
  table.mask = places - 1;
}

const isRefusal = (table: Conntrack, slot: number): boolean => table.times[slot * ENTRY_DOUBLES + EXPIRES] === NEVER;

const isLiving = (table: Conntrack, slot: number): boolean => table.times[slot * ENTRY_DOUBLES + EXPIRES]! > table.now;

/** The mark of the connection in the last `track`; connections rarely have one. */
export const connectionMark = (table: Conntrack): number =>
  table.marks.size === 0 || table.slot < 0 ? 0 : markOf(table);

const markOf = (table: Conntrack): number => table.marks.get(markKey(table)) ?? 0;
const markKey = (table: Conntrack): string => `${table.first}/${table.second}/${table.ports}/${table.meta}`;

/** Give the connection of the last `track` a mark (CONNMARK). Only packets that such a rule met come here. */
export function setConnectionMark(table: Conntrack, value: number): void {
  if (value === 0) table.marks.delete(markKey(table));
  else table.marks.set(markKey(table), value);
}

/**
 * Look packets up in zone `zone` from now on, of a table for `cells` cells. Connections of one zone are unknown in all others, as with
 * `-j CT --zone` of iptables. Zones come again when all were used; what is known in this one is forgotten then.
 */
export function enterZone(table: Conntrack, zone: number, cells: number): void {
  const zones = Math.floor(MOST_CELLS / cells);
  table.cells = cells;
  table.zone = (zone % zones) * cells;
  if (zone >= zones) expireZone(table);
}

function expireZone({ words, times, used, zone, cells, marks }: Conntrack): void {
  for (let at = 0; at < used * ENTRY_WORDS; at += ENTRY_WORDS) {
    const cell = ((words[at + META]! >>> 16) & (MOST_CELLS - 1)) - zone;
    if (cell >= 0 && cell < cells && times[at / 2 + EXPIRES] !== NEVER) times[at / 2 + EXPIRES] = LONG_AGO;
  }
  marks.clear();
}
