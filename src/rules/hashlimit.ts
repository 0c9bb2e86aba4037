/**
 * `-m hashlimit` (net/netfilter/xt_hashlimit.c, revision 3, packet rates): a token bucket per key.
 *
 * Rules with the same `--hashlimit-name` share one table, which is that of the first of them; only upto and above are a
 * rule's own. The kernel counts credits in 64 bits: 2^39 are earned per jiffy at 250 Hz, so a gain only moves the upper
 * word, and a count is held here as two numbers of 32 bits. An entry whose time is up lives on until the next collection,
 * every `gcIntervalMilliseconds`; collections are taken to fall on whole multiples of the interval in capture time.
 */
import { HZ, NANOSECONDS_PER_JIFFY, SECONDS } from './limit.ts';
import type { Match } from './model.ts';
import type { RulePacket } from './packet.ts';

export type HashlimitMatch = Extract<Match, { kind: 'hashlimit' }>;

/** What became of a packet: its bucket paid, did not, or it could not be asked (the kernel drops such a packet). */
export const HASHLIMIT = { BELOW: 0, ABOVE: 1, HOTDROP: 2 } as const;

const WORD = 2 ** 32;
/** XT_HASHLIMIT_SCALE_v2. */
const SCALE = 1_000_000;
/** The power of two below 2^64 / (HZ * 86400). */
const CREDITS_PER_JIFFY = 2 ** Math.floor(Math.log2(2 ** 64 / (HZ * 86_400)));
const UPPER_PER_JIFFY = CREDITS_PER_JIFFY / WORD;
/** xt_hashlimit.c user2credits: HZ * CREDITS_PER_JIFFY / SCALE, divided first so that it does not overflow. */
const CREDITS_PER_UNIT = BigInt(HZ * CREDITS_PER_JIFFY) / BigInt(SCALE);
/** Buckets of a table on a machine with more than 1 GB, and how many entries per bucket it takes by default. */
const DEFAULT_SIZE = 8192;
const ENTRIES_PER_BUCKET = 8;
const DEFAULT_GC_MILLISECONDS = 1000;
const FIRST_CAPACITY = 64;
/** protocols with ports where hashlimit looks for them (proto_ports_offset): TCP, UDP, DCCP, SCTP, UDP-Lite, ESP. */
const hasPorts = (protocol: number): boolean =>
  protocol === 6 || protocol === 17 || protocol === 33 || protocol === 50 || protocol === 132 || protocol === 136;

export interface Hashlimit {
  readonly bySource: boolean;
  readonly byDestination: boolean;
  readonly bySourcePort: boolean;
  readonly byDestinationPort: boolean;
  readonly sourceMask: number;
  readonly destinationMask: number;
  readonly costUpper: number;
  readonly costLower: number;
  readonly capUpper: number;
  readonly capLower: number;
  readonly expireJiffies: number;
  readonly gcJiffies: number;
  readonly maximum: number;
  /** Live entries; they fill slots 0 to count - 1 of the columns. */
  count: number;
  collectAt: number;
  /** Open chains: slot of the first entry per hash, and of the next per entry; -1 ends a chain. */
  heads: Int32Array;
  columns: Columns;
}

interface Columns {
  readonly capacity: number;
  readonly next: Int32Array;
  readonly source: Uint32Array;
  readonly destination: Uint32Array;
  readonly ports: Uint32Array;
  readonly expires: Float64Array;
  readonly previous: Float64Array;
  readonly upper: Float64Array;
  readonly lower: Float64Array;
}

const createColumns = (capacity: number): Columns => ({
  capacity,
  next: new Int32Array(capacity),
  source: new Uint32Array(capacity),
  destination: new Uint32Array(capacity),
  ports: new Uint32Array(capacity),
  expires: new Float64Array(capacity),
  previous: new Float64Array(capacity),
  upper: new Float64Array(capacity),
  lower: new Float64Array(capacity),
});

const mask = (prefixLength: number | undefined): number =>
  prefixLength === undefined ? 0xffffffff : prefixLength === 0 ? 0 : (-1 << (32 - prefixLength)) >>> 0;
const jiffies = (milliseconds: number): number => Math.ceil((milliseconds * HZ) / 1000);
const word = (value: bigint): [upper: number, lower: number] => [
  Number(BigInt.asUintN(64, value) >> 32n),
  Number(BigInt.asUintN(32, value)),
];

export function createHashlimit(match: HashlimitMatch): Hashlimit {
  const interval = BigInt(Math.floor((SCALE * SECONDS[match.rate.per]) / match.rate.count));
  const [costUpper, costLower] = word(interval * CREDITS_PER_UNIT);
  const [capUpper, capLower] = word(interval * BigInt(match.burst) * CREDITS_PER_UNIT);
  const size = match.tableSize ?? DEFAULT_SIZE;
  const gcJiffies = Math.max(1, jiffies(match.gcIntervalMilliseconds ?? DEFAULT_GC_MILLISECONDS));
  return {
    bySource: match.key.includes('srcip'),
    byDestination: match.key.includes('dstip'),
    bySourcePort: match.key.includes('srcport'),
    byDestinationPort: match.key.includes('dstport'),
    sourceMask: mask(match.sourceMask),
    destinationMask: mask(match.destinationMask),
    costUpper,
    costLower,
    capUpper,
    capLower,
    // libxt_hashlimit.c: an entry lives for one unit of the rate unless told otherwise.
    expireJiffies: jiffies(match.expireMilliseconds ?? SECONDS[match.rate.per] * 1000),
    gcJiffies,
    maximum: match.tableMax ? Math.max(match.tableMax, size) : ENTRIES_PER_BUCKET * size,
    count: 0,
    collectAt: gcJiffies,
    heads: new Int32Array(FIRST_CAPACITY).fill(-1),
    columns: createColumns(FIRST_CAPACITY),
  };
}

/** Charge the bucket that `packet` belongs to. Allocates only when the table grows. */
export function takeHashlimit(table: Hashlimit, packet: RulePacket): number {
  let ports = 0;
  if ((table.bySourcePort || table.byDestinationPort) && hasPorts(packet.protocol)) {
    if (packet.transport === 0) return HASHLIMIT.HOTDROP;
    if (table.bySourcePort) ports = packet.sourcePort * 0x10000;
    if (table.byDestinationPort) ports += packet.destinationPort;
  }
  const source = table.bySource ? (packet.source & table.sourceMask) >>> 0 : 0;
  const destination = table.byDestination ? (packet.destination & table.destinationMask) >>> 0 : 0;
  const now = Math.floor(packet.time / NANOSECONDS_PER_JIFFY);
  if (now >= table.collectAt) collect(table, now);
  let slot = find(table, source, destination, ports);
  if (slot >= 0) refill(table, slot, now);
  else {
    if (table.count >= table.maximum) return HASHLIMIT.HOTDROP;
    slot = insert(table, source, destination, ports, now);
  }
  table.columns.expires[slot] = now + table.expireJiffies;
  return charge(table, slot) ? HASHLIMIT.BELOW : HASHLIMIT.ABOVE;
}

function hash(source: number, destination: number, ports: number): number {
  let value = Math.imul(source ^ Math.imul(destination, 0x85ebca6b) ^ Math.imul(ports, 0xc2b2ae35), 0x9e3779b1);
  value ^= value >>> 15;
  return Math.imul(value, 0x2c1b3c6d) ^ (value >>> 12);
}

function find(table: Hashlimit, source: number, destination: number, ports: number): number {
  const columns = table.columns;
  let slot = table.heads[hash(source, destination, ports) & (table.heads.length - 1)]!;
  while (slot >= 0) {
    const same = columns.source[slot] === source && columns.destination[slot] === destination;
    if (same && columns.ports[slot] === ports) return slot;
    slot = columns.next[slot]!;
  }
  return -1;
}

function insert(table: Hashlimit, source: number, destination: number, ports: number, now: number): number {
  if (table.count === table.columns.capacity) grow(table);
  const columns = table.columns;
  const slot = table.count;
  table.count += 1;
  columns.source[slot] = source;
  columns.destination[slot] = destination;
  columns.ports[slot] = ports;
  columns.previous[slot] = now;
  columns.upper[slot] = table.capUpper;
  columns.lower[slot] = table.capLower;
  chain(table, slot);
  return slot;
}

function chain(table: Hashlimit, slot: number): void {
  const columns = table.columns;
  const head = hash(columns.source[slot]!, columns.destination[slot]!, columns.ports[slot]!) & (table.heads.length - 1);
  columns.next[slot] = table.heads[head]!;
  table.heads[head] = slot;
}

function grow(table: Hashlimit): void {
  const old = table.columns;
  table.columns = createColumns(old.capacity * 2);
  for (let slot = 0; slot < table.count; slot += 1) move(old, slot, table.columns, slot);
  table.heads = new Int32Array(old.capacity * 2);
  rehash(table);
}

function rehash(table: Hashlimit): void {
  table.heads.fill(-1);
  for (let slot = 0; slot < table.count; slot += 1) chain(table, slot);
}

function move(from: Columns, source: number, to: Columns, target: number): void {
  to.source[target] = from.source[source]!;
  to.destination[target] = from.destination[source]!;
  to.ports[target] = from.ports[source]!;
  to.expires[target] = from.expires[source]!;
  to.previous[target] = from.previous[source]!;
  to.upper[target] = from.upper[source]!;
  to.lower[target] = from.lower[source]!;
}

/** Remove what had expired at the last collection at or before `now`; what expired after it lives on. */
function collect(table: Hashlimit, now: number): void {
  const tick = now - (now % table.gcJiffies);
  table.collectAt = tick + table.gcJiffies;
  let kept = 0;
  for (let slot = 0; slot < table.count; slot += 1) {
    if (table.columns.expires[slot]! <= tick) continue;
    if (kept !== slot) move(table.columns, slot, table.columns, kept);
    kept += 1;
  }
  if (kept === table.count) return;
  table.count = kept;
  rehash(table);
}

/** xt_hashlimit.c rateinfo_recalc: the gain is modulo 2^64, the sum is held to the cap. */
function refill(table: Hashlimit, slot: number, now: number): void {
  const columns = table.columns;
  const elapsed = now - columns.previous[slot]!;
  if (elapsed <= 0) return;
  columns.previous[slot] = now;
  const upper = (columns.upper[slot]! + elapsed * UPPER_PER_JIFFY) % WORD;
  const full = upper > table.capUpper || (upper === table.capUpper && columns.lower[slot]! > table.capLower);
  columns.upper[slot] = full ? table.capUpper : upper;
  if (full) columns.lower[slot] = table.capLower;
}

function charge(table: Hashlimit, slot: number): boolean {
  const columns = table.columns;
  const upper = columns.upper[slot]! - table.costUpper;
  const lower = columns.lower[slot]! - table.costLower;
  if (upper < 0 || (upper === 0 && lower < 0)) return false;
  columns.upper[slot] = lower < 0 ? upper - 1 : upper;
  columns.lower[slot] = lower < 0 ? lower + WORD : lower;
  return true;
}
