/**
 * The straight way in compiled code: the loops of `native/` over the same columns, entries and sums that `plain.ts` works on.
 *
 * A dataplane has it when its arena is one memory and one cell is judged. `judge` hands a burst over, and gets back the first
 * row that compiled code leaves to TypeScript. Measured on captures of 1,000,000 frames: see docs/dataplane.md.
 */
import { BURST_CAPACITY } from '../capture/burst.ts';
import type { RecordSource } from '../capture/reader.ts';
import { type Directory, firstSlot } from '../foundation/directory.ts';
import { HOST_VETH_ADDRESS } from '../foundation/lease.ts';
import { type Arena, type Place, wordsOf } from '../memory/arena.ts';
import type { Loops, Memory } from '../memory/loops.ts';
import { RULE_VERDICT } from '../rules/packet.ts';
import type { Plan } from '../rules/plan.ts';
import { WAY_LIMIT, type Ways } from '../rules/ways.ts';
import type { Burst } from './burst.ts';
import type { Cell } from './cell.ts';
import {
  BURST,
  CAPACITY,
  CELL,
  CONTAINERS,
  CONTAINERS_MASK,
  CONTROL_WORDS,
  COUNT,
  COUNTERS,
  CUTS,
  ENDS,
  ENDS_MASK,
  ENTRIES,
  FLOWS,
  FLOWS_LIMIT,
  FLOWS_MASK,
  FLOWS_OVERFLOW,
  FLOWS_ROOM,
  FLOWS_USED,
  FRAMES,
  HOST_VETH,
  INDEX,
  JUDGED,
  LIMIT,
  LOOKED,
  LOOKUPS,
  MAC_FIRST,
  MAC_LAST,
  MASK,
  META,
  NOTES,
  PLAN_ENTRIES,
  PLAYED,
  POLICY_REASON,
  POLICY_VERDICT,
  POSITIONS,
  PROGRAM,
  REASONS,
  RECORDS,
  REFUSALS,
  RULES_STAY,
  SEGMENTS,
  SHARE,
  SHARES,
  SIGN,
  SINGLES,
  SLOTS,
  STARTS,
  STEP_ROOM,
  STEPS,
  TIMEOUTS,
  TRANSITIONS,
  TUPLE_TABLE,
  TUPLES,
  UNDERLAY,
  USED,
  VNI,
  VTEP,
  VTEP_INTERFACE,
  VXLAN_PORT,
  WALKS,
  WAY_MASK,
  WAY_ROOM,
  WAY_ROWS,
  WAY_SLOTS,
  WAYS,
} from './control-block.ts';
import type { Counters } from './counters.ts';
import type { Dataplane } from './dataplane.ts';
import type { Share } from './share.ts';
import { bindFronts, makeFronts } from './straight-fronts.ts';
import { flagsAreValid, SEGMENT, segmentOf, TCP_TIMEOUTS, transition } from './tcp-state.ts';
import { REASON } from './verdict.ts';

export interface Straight {
  readonly arena: Arena;
  readonly memory: Memory;
  /** Address of the control block, and the block itself; `native/layout.h` says what its words are. */
  readonly at: number;
  readonly control: Int32Array;
  readonly loops: Loops;
  /** What `tally` lists; there is room for two words per row. */
  readonly notes: Int32Array;
  /** The burst that the control block is about, once all its rows are judged; else null. */
  burst: Burst | null;
  /** The plan that the control block is about, and where the reasons of its rules are. */
  plan: Plan | null;
  reasons: Place | null;
  reasonsLength: number;
  /** Packets before fronts are made: they take longer to make than a short capture takes. */
  frontsAfter: number;
  /** Time of the last record that was located when a loop was lent a source. */
  lastTime: number;
}

const FRONTS_AFTER = 1 << 16;

/** Octets of what `touch` notes of a row, and of what `tally` does. */
const LOOK_OCTETS = 16;
const LOOKUP_OCTETS = 32;

/** Compiled code over the memory of `arena`; null when there is none. */
export function createStraight(arena: Arena): Straight | null {
  const { memory, loops } = arena;
  if (memory === null || loops === null) return null;
  const { buffer, offset } = arena.allocate(CONTROL_WORDS * 4);
  const control = new Int32Array(buffer, offset, CONTROL_WORDS);
  const octets = (list: readonly number[]): number => {
    const place = arena.allocate(list.length);
    new Uint8Array(place.buffer, place.offset, list.length).set(list);
    return place.offset;
  };
  control[SEGMENTS] = octets(Array.from({ length: 256 }, (_, flags) => compiledSegment(flags)));
  control[TRANSITIONS] = octets(transitions());
  const timeouts = arena.allocate(TCP_TIMEOUTS.byteLength);
  new Float64Array(timeouts.buffer, timeouts.offset, TCP_TIMEOUTS.length).set(TCP_TIMEOUTS);
  control[TIMEOUTS] = timeouts.offset;
  const notes = arena.allocate(BURST_CAPACITY * 8);
  control[NOTES] = notes.offset;
  control[LOOKUPS] = arena.allocate(BURST_CAPACITY * LOOKUP_OCTETS).offset;
  control[LOOKED] = arena.allocate(BURST_CAPACITY * LOOK_OCTETS).offset;
  return {
    arena,
    memory,
    at: offset,
    control,
    loops,
    notes: new Int32Array(notes.buffer, notes.offset, BURST_CAPACITY),
    burst: null,
    plan: null,
    reasons: null,
    reasonsLength: 0,
    frontsAfter: FRONTS_AFTER,
    lastTime: Number.NaN,
  };
}

/** The segment that `flags` make; 255 for what is left to TypeScript: flags that no segment has, and resets. */
function compiledSegment(flags: number): number {
  const segment = segmentOf(flags);
  return flagsAreValid(flags) && segment !== SEGMENT.RST ? segment : 255;
}

/** States by reply, segment and state. */
const transitions = (): number[] =>
  [0, 1].flatMap((reply) =>
    [0, 1, 2, 3, 4, 5].flatMap((segment) =>
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((state) => transition(reply, segment, state)),
    ),
  );

/** The octets of a 16-bit and a 32-bit field in network order, read by a machine that has them the other way round. */
const swap16 = (field: number): number => ((field & 0xff) << 8) | (field >>> 8);
const swap32 = (field: number): number => (swap16(field & 0xffff) << 16) | swap16(field >>> 16);

/** Tell the compiled code in which zone connections are: `zone` is what the table calls it. */
export function bindZone({ control }: Straight, zone: number): void {
  control[META] = 0x80000000 | ((zone + control[CELL]!) << 16);
}

/** Tell the compiled code which packets are this worker's. */
export function bindShare({ control }: Straight, { number, of }: Share): void {
  control[SHARE] = number;
  control[SHARES] = of;
}

/** Tell the compiled code which cell it judges packets of, and which containers are there. */
export function bindCell(
  straight: Straight,
  cell: Cell,
  directory: Directory,
  interfaces: Int32Array,
  vxlanPort: number,
): void {
  const { control } = straight;
  control[VXLAN_PORT] = swap16(vxlanPort);
  control[UNDERLAY] = swap32(cell.underlay);
  control[VTEP] = swap32(cell.vtepAddress);
  control[HOST_VETH] = swap32(HOST_VETH_ADDRESS);
  control[MAC_FIRST] = swap32(cell.vtepMacHigh);
  control[MAC_LAST] = swap16(cell.vtepMacLow);
  control[VNI] = swap32(cell.vni << 8);
  control[CELL] = cell.index;
  bindZone(straight, 0);
  control[VTEP_INTERFACE] = cell.vtepInterface;
  const containers = directory.instances.map((instance, index) => ({ instance, index }));
  const table = bindPairs(
    straight.arena,
    containers
      .filter(({ index }) => directory.instanceCell[index] === cell.index)
      .map(({ instance, index }) => [instance.address, interfaces[index]!]),
  );
  control[CONTAINERS] = table.byteOffset;
  control[CONTAINERS_MASK] = table.length / 2 - 1;
}

/**
 * A table from addresses to numbers for compiled code, open addressing: two words a place, the second the number plus 1, or 0
 * where the place is free. Of two numbers for an address the first one stays.
 */
export function bindPairs(arena: Arena, pairs: readonly (readonly [number, number])[]): Int32Array<ArrayBuffer> {
  let places = 8;
  while (places < pairs.length * 2) places *= 2;
  const table = wordsOf(arena, places * 2);
  for (const [address, number] of pairs) {
    let place = firstSlot(address, places - 1);
    while (table[place * 2 + 1] !== 0 && table[place * 2] !== (address | 0)) place = (place + 1) & (places - 1);
    if (table[place * 2 + 1] === 0) table.set([address, number + 1], place * 2);
  }
  return table;
}

/** The cell whose packets compiled code judges; null when it may not. */
export function cellOfCompiled({ cells, judged, connections, straight }: Dataplane): Cell | null {
  if (straight === null || connections.windows !== null) return null;
  return cells[judged.indexOf(1)] ?? null;
}

/** Hand `burst` over. False when something of it is not where compiled code can reach it. */
export function bindBurst(straight: Straight, cell: Cell, dataplane: Dataplane, burst: Burst): boolean {
  const { buffer } = straight.memory;
  const { records } = burst;
  straight.burst = null;
  if (records.view.buffer !== buffer || records.at.buffer !== buffer || burst.mark.buffer !== buffer) return false;
  const { control } = straight;
  control[RECORDS] = records.at.byteOffset;
  control[BURST] = burst.mark.byteOffset;
  control[FRAMES] = records.view.byteOffset;
  control[COUNT] = records.count;
  return bindTables(straight, cell, dataplane);
}

/** Tables may have moved since. False when one has left the arena, or when rows need what only TypeScript does. */
export function bindTables(straight: Straight, cell: Cell, dataplane: Dataplane): boolean {
  const { memory, control } = straight;
  const { connections, fragments } = dataplane;
  const plan = cell.arrivingPlan;
  if (plan === null || connections.marks.size !== 0 || fragments.queues.size !== 0) return false;
  if (connections.place.buffer !== memory.buffer || connections.indexPlace.buffer !== memory.buffer) return false;
  if (!isBound(straight, plan) && !bindPlan(straight, cell, plan)) return false;
  const isTime = plan.fronts === null && dataplane.counters.read >= straight.frontsAfter;
  if (isTime && !prepare(straight, cell)) return false;
  control[ENTRIES] = connections.place.offset;
  control[INDEX] = connections.indexPlace.offset;
  control[MASK] = connections.mask;
  control[USED] = connections.used;
  control[REFUSALS] = connections.refusals;
  control[CAPACITY] = connections.capacity;
  control[LIMIT] = connections.limit;
  control[WAYS] = plan.ways.size;
  return true;
}

/** Make the fronts of the plan of `cell`. False when something of it is, or gets, out of the arena. */
export function prepare(straight: Straight, cell: Cell): boolean {
  const plan = cell.arrivingPlan;
  if (plan === null || !isWithin(straight.memory, plan)) return false;
  if (plan.fronts === null) makeFronts(straight, cell, plan);
  return bindPlan(straight, cell, plan);
}

/** Ways and steps that there is room for. */
const wayRoom = ({ starts }: Ways): number => Math.min(starts.length - 2, WAY_LIMIT);

/** Whether the control block is about `plan`, whose ways have not moved since: they do only to grow. */
const isBound = ({ plan: bound, control }: Straight, plan: Plan): boolean =>
  bound === plan && control[STEP_ROOM] === plan.ways.words.length && control[WAY_ROOM] === wayRoom(plan.ways);

/** Whether all of a plan is in the arena. */
function isWithin({ buffer }: Memory, { ways, tupleTable, entries, slots, positions, cuts, program }: Plan): boolean {
  const { rows, words, starts, slots: waySlots, singles } = ways;
  return (
    rows.buffer === buffer &&
    words.buffer === buffer &&
    starts.buffer === buffer &&
    waySlots.buffer === buffer &&
    singles.buffer === buffer &&
    tupleTable.buffer === buffer &&
    entries.buffer === buffer &&
    slots.buffer === buffer &&
    positions.buffer === buffer &&
    cuts.buffer === buffer &&
    program.buffer === buffer
  );
}

/** Tell the compiled code what it walks. False when something of it has left the arena. */
function bindPlan(straight: Straight, cell: Cell, plan: Plan): boolean {
  const { control, memory } = straight;
  if (!isWithin(memory, plan)) return false;
  if (straight.plan !== plan) bindReasons(straight, cell);
  straight.plan = plan;
  control[WALKS] = Number(!cell.asksAddressTypes);
  control[TUPLES] = plan.tuples;
  control[TUPLE_TABLE] = plan.tupleTable.byteOffset;
  control[SLOTS] = plan.slots.byteOffset;
  control[POSITIONS] = plan.positions.byteOffset;
  control[CUTS] = plan.cuts.byteOffset;
  control[PLAN_ENTRIES] = plan.entries.byteOffset;
  control[PROGRAM] = plan.program.byteOffset;
  bindWays(straight, plan.ways);
  bindFronts(straight, plan);
  return true;
}

function bindWays({ control }: Straight, ways: Ways): void {
  control[SINGLES] = ways.singles.byteOffset;
  control[WAY_ROWS] = ways.rows.byteOffset;
  control[STEPS] = ways.words.byteOffset;
  control[STARTS] = ways.starts.byteOffset;
  control[WAY_SLOTS] = ways.slots.byteOffset;
  control[WAY_MASK] = ways.slots.length - 1;
  control[WAY_ROOM] = wayRoom(ways);
  control[STEP_ROOM] = ways.words.length;
}

/** What the rules' verdicts are called, and what the policy of FORWARD says. */
function bindReasons(straight: Straight, { reasons, filter, places }: Cell): void {
  const { arena, control } = straight;
  if (straight.reasons !== null) arena.release(straight.reasons, straight.reasonsLength);
  const place = arena.allocate(reasons.length);
  new Uint8Array(place.buffer, place.offset, reasons.length).set(reasons);
  straight.reasons = place;
  straight.reasonsLength = reasons.length;
  const accepts = filter.rules.chains.get('FORWARD')?.policy !== 'DROP';
  control[REASONS] = place.offset;
  control[POLICY_REASON] = accepts ? REASON.CHAIN_ACCEPT : REASON.CHAIN_DROP;
  control[POLICY_VERDICT] = accepts ? RULE_VERDICT.ACCEPT : RULE_VERDICT.DROP;
  control[RULES_STAY] = Number(places === null);
}

/** Tell the tables what compiled code has put into them. */
export function takeBack({ control, plan }: Straight, { connections }: Dataplane): void {
  connections.used = control[USED]!;
  connections.refusals = control[REFUSALS]!;
  plan!.ways.size = control[WAYS]!;
}

/** Count the rows of `burst`. False, and nothing done, when it is not the one that compiled code judged last. */
export function countCompiled({ straight, counters }: Dataplane, burst: Burst): boolean {
  if (straight === null || straight.burst !== burst || counters.place.buffer !== straight.memory.buffer) return false;
  straight.control[COUNTERS] = counters.place.offset;
  straight.loops.count(straight.at);
  takeCounts(counters, burst.records.count);
  return true;
}

/** Take over what compiled code counted of `read` packets. */
function takeCounts(counters: Counters, read: number): void {
  const { fresh } = counters;
  counters.read += read;
  counters.octets += fresh[0]!;
  counters.held += fresh[1]!;
  fresh.fill(0);
}

/** Rows of flows that compiled code adds to and opens. */
export interface FlowRows {
  readonly place: Place;
  readonly mask: number;
  /** Rows that there may be before the table grows, and at most. */
  readonly room: number;
  readonly limit: number;
  /** What addresses stand for: a table of `bindPairs`; null for a table that compiled code does not know. */
  readonly known: Int32Array<ArrayBuffer> | null;
  /** Sign of their tallies. */
  readonly sign: number;
  /** Rows in use, and packets that found no row of their own. */
  rows: number;
  overflow: number;
}

/**
 * Add the rows of the burst that was judged last to their flows, and list in `notes` those that are left: the table would have to
 * grow, or the packet is none of TCP or UDP. Gives how many these are.
 */
export function tally(straight: Straight, flows: FlowRows): number {
  bindFlows(straight, flows);
  const left = straight.loops.tally(straight.at);
  takeFlows(straight, flows);
  return left;
}

/** Whether compiled code can add to these flows. */
export const canTally = ({ memory }: Straight, { place, known }: FlowRows): boolean =>
  place.buffer === memory.buffer && known?.buffer === memory.buffer;

function bindFlows({ control }: Straight, flows: FlowRows): void {
  const known = flows.known!;
  control[FLOWS] = flows.place.offset;
  control[FLOWS_MASK] = flows.mask;
  control[SIGN] = flows.sign;
  control[FLOWS_USED] = flows.rows;
  control[FLOWS_ROOM] = flows.room;
  control[FLOWS_LIMIT] = flows.limit;
  control[FLOWS_OVERFLOW] = 0;
  control[ENDS] = known.byteOffset;
  control[ENDS_MASK] = known.length / 2 - 1;
}

function takeFlows({ control }: Straight, flows: FlowRows): void {
  flows.rows = control[FLOWS_USED]!;
  flows.overflow += control[FLOWS_OVERFLOW]!;
}

/**
 * Play whole bursts of `source`: from its octets to verdicts, sums and, where they are asked for, flows, without a word of TypeScript
 * in between. What is left is in `burst`: a burst of which some rows are judged and none is counted, or none. Gives how many of its rows are judged; -1, and
 * nothing done, when compiled code cannot.
 */
export function playBursts(dataplane: Dataplane, burst: Burst, source: RecordSource, flows: FlowRows | null): number {
  const { straight, counters } = dataplane;
  const cell = cellOfCompiled(dataplane);
  if (straight === null || cell === null || (flows !== null && !canTally(straight, flows))) return -1;
  const { control, loops, at, memory } = straight;
  if (counters.place.buffer !== memory.buffer) return -1;
  return lend(straight, dataplane, burst, source, (state) => {
    if (!bindBurst(straight, cell, dataplane, burst)) return 0;
    control[COUNTERS] = counters.place.offset;
    if (flows === null) control[FLOWS] = 0;
    else bindFlows(straight, flows);
    const rows = loops.play(at, state);
    takeBack(straight, dataplane);
    if (flows !== null) takeFlows(straight, flows);
    return rows;
  });
}

/** Let `loop` have what is in memory of `source`, and take over what it counted. Gives how many rows of the burst that is left it judged. */
export function lend(
  straight: Straight,
  { counters }: Dataplane,
  { records }: Burst,
  source: RecordSource,
  loop: (state: number) => number,
): number {
  const { control, memory } = straight;
  records.count = 0;
  control[JUDGED] = -1;
  control[PLAYED] = 0;
  const left = source.lendTo?.(records, (state) => {
    const rows = loop(state);
    // The block begins with it (`capture/locating.ts`).
    straight.lastTime = new Float64Array(memory.buffer, state, 1)[0]!;
    return rows;
  });
  if (control[JUDGED] === -1) return -1;
  takeCounts(counters, control[PLAYED]);
  records.count = left ?? 0;
  return control[JUDGED];
}
