/**
 * Several captures as one, by time: a k-way merge over the first packets of each, in constant memory.
 *
 * Packets of equal time come in the order of the captures, then in the order of their capture. A capture whose own times
 * go backwards is taken in its order, as mergecap does. Packets are copied once, into an arena that the bursts point to;
 * `burst.file` is the index of the capture, and packet numbers, offsets and interfaces are those of that capture.
 */
import { type Arena, heap } from '../memory/arena.ts';
import { BURST_CAPACITY, create, type RecordBurst } from './burst.ts';
import { copyOctets } from './copy.ts';
import { CaptureError } from './error.ts';
import type { CaptureReader, RecordSource } from './reader.ts';
import { MAXIMUM_CAPTURED_LENGTH } from './reading.ts';

export interface MergedReader extends RecordSource {
  readonly readers: readonly CaptureReader[];
  /** Damage met so far, in the order met. The first is thrown after the last whole packet of all captures. */
  readonly damage: readonly CaptureError[];
}

/** One capture being merged. */
interface Lane {
  readonly reader: CaptureReader;
  readonly index: number;
  readonly burst: RecordBurst;
  /** Next row of the burst. */
  row: number;
  /** Nanoseconds from the epoch of the merge to that of the capture. */
  shift: number;
  /** Time of the next row since the epoch of the merge. */
  time: number;
}

interface Merge {
  readonly arena: Uint8Array;
  readonly view: DataView;
  /** Lanes with a packet, the earliest first: a binary heap. */
  readonly heap: Lane[];
  readonly damage: CaptureError[];
  /** The lane that has to read on before anything else may be given. */
  starving: Lane | null;
  epochNanoseconds: bigint;
  packets: number;
}

/** Room for a burst of common packets, and for any single packet. */
const ARENA_LENGTH = 2 * MAXIMUM_CAPTURED_LENGTH;

/** Merge `readers`, which are closed by `close` of the result. Throws what reading the first packets throws. */
export async function merge(readers: readonly CaptureReader[], memory: Arena = heap): Promise<MergedReader> {
  const { buffer, offset } = memory.allocate(ARENA_LENGTH);
  const arena = new Uint8Array(buffer, offset, ARENA_LENGTH);
  const view = new DataView(buffer, offset, ARENA_LENGTH);
  const state: Merge = { arena, view, heap: [], damage: [], starving: null, epochNanoseconds: 0n, packets: 0 };
  const lanes = readers.map((reader, index): Lane => ({ reader, index, burst: create(), row: 0, shift: 0, time: 0 }));
  const started: Lane[] = [];
  for (const lane of lanes) if (await readOn(state, lane)) started.push(lane);
  state.epochNanoseconds = earliest(started);
  for (const lane of started) enter(state, lane);
  return {
    readers,
    damage: state.damage,
    get epochNanoseconds() {
      return state.epochNanoseconds;
    },
    get packets() {
      return state.packets;
    },
    fill: (burst) => fill(state, burst),
    async refill() {
      const lane = state.starving;
      state.starving = null;
      if (lane !== null && (await readOn(state, lane))) enter(state, lane);
      if (state.heap.length > 0) return true;
      if (state.damage.length > 0) throw state.damage[0]!;
      return false;
    },
    async close() {
      for (const reader of readers) await reader.close();
    },
  };
}

/** The epoch of the merge: the earliest first packet. */
function earliest(lanes: readonly Lane[]): bigint {
  let found: bigint | null = null;
  for (const { reader, burst } of lanes) {
    const first = reader.epochNanoseconds + BigInt(burst.time[0]!);
    if (found === null || first < found) found = first;
  }
  return found ?? 0n;
}

/** Locate records in the lane's chunk, keeping damage for later. Gives whether there are any. */
function locate(state: Merge, lane: Lane): boolean {
  lane.row = 0;
  try {
    return lane.reader.fill(lane.burst) > 0;
  } catch (error) {
    lane.burst.count = 0;
    if (!(error instanceof CaptureError)) throw error;
    state.damage.push(error);
    return false;
  }
}

/** Read the lane on until it has a record. False if it is at its end, or damaged. */
async function readOn(state: Merge, lane: Lane): Promise<boolean> {
  const known = state.damage.length;
  try {
    do {
      if (locate(state, lane)) return true;
      if (state.damage.length > known) return false;
    } while (await lane.reader.refill());
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    state.damage.push(error);
  }
  return false;
}

const before = (one: Lane, other: Lane): boolean =>
  one.time < other.time || (one.time === other.time && one.index < other.index);

/** Put a lane that has a packet into the heap. */
function enter(state: Merge, lane: Lane): void {
  const { heap } = state;
  // The capture's epoch is only fixed by its first packet with a time.
  lane.shift = Number(lane.reader.epochNanoseconds - state.epochNanoseconds);
  lane.time = lane.burst.time[lane.row]! + lane.shift;
  let child = heap.length;
  heap.push(lane);
  while (child > 0) {
    const parent = (child - 1) >> 1;
    if (!before(lane, heap[parent]!)) break;
    heap[child] = heap[parent]!;
    child = parent;
  }
  heap[child] = lane;
}

/** Move the lane at the top, whose time has changed, to its place. */
function settle(heap: Lane[]): void {
  const lane = heap[0]!;
  const half = heap.length >> 1;
  let parent = 0;
  while (parent < half) {
    let child = 2 * parent + 1;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, lane)) break;
    heap[parent] = heap[child]!;
    parent = child;
  }
  heap[parent] = lane;
}

/** Take the lane at the top out of the heap. */
function leave(heap: Lane[]): void {
  const last = heap.pop()!;
  if (heap.length === 0) return;
  heap[0] = last;
  settle(heap);
}

function fill(state: Merge, burst: RecordBurst): number {
  const { heap, arena, view } = state;
  burst.view = view;
  burst.octets = arena;
  let used = 0;
  let row = 0;
  while (row < BURST_CAPACITY && heap.length > 0 && state.starving === null) {
    const lane = heap[0]!;
    const from = lane.burst;
    const at = from.at[lane.row]!;
    const end = from.end[lane.row]!;
    if (used + (end - at) > ARENA_LENGTH) break;
    copyOctets(from.view, from.octets, at, end, view, arena, used);
    burst.at[row] = used;
    burst.end[row] = used + (end - at);
    burst.originalLength[row] = from.originalLength[lane.row]!;
    burst.time[row] = lane.time;
    burst.linkType[row] = from.linkType[lane.row]!;
    burst.interfaceIndex[row] = from.interfaceIndex[lane.row]!;
    burst.file[row] = lane.index;
    burst.packet[row] = from.packet[lane.row]!;
    burst.offset[row] = from.offset[lane.row]!;
    used += end - at;
    row++;
    advance(state, lane);
  }
  burst.count = row;
  state.packets += row;
  return row;
}

/** Go to the next packet of the lane at the top. */
function advance(state: Merge, lane: Lane): void {
  lane.row++;
  if (lane.row === lane.burst.count) {
    const known = state.damage.length;
    if (!locate(state, lane)) {
      leave(state.heap);
      if (state.damage.length === known) state.starving = lane;
      return;
    }
    lane.shift = Number(lane.reader.epochNanoseconds - state.epochNanoseconds);
  }
  lane.time = lane.burst.time[lane.row]! + lane.shift;
  settle(state.heap);
}
