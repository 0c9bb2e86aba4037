/**
 * The straight way in compiled code: `straight.wat` over the same columns, entries and sums that `plain.ts` works on.
 *
 * A dataplane has it when its arena is one memory and one cell is judged. `judge` hands a burst over, and gets back the first
 * row that compiled code leaves to TypeScript. Measured on captures of 1,000,000 frames: see docs/dataplane.md.
 */
import { BURST_CAPACITY } from '../capture/burst.ts';
import { HOST_VETH_ADDRESS } from '../foundation/lease.ts';
import { type Arena, assembly, type Memory } from '../memory/arena.ts';
import type { Burst } from './burst.ts';
import type { Cell } from './cell.ts';
import type { Dataplane } from './dataplane.ts';
import { STRAIGHT_CODE } from './straight-code.ts';
import { flagsAreValid, SEGMENT, segmentOf } from './tcp-state.ts';

export interface Straight {
  readonly arena: Arena;
  readonly memory: Memory;
  /** Address of the control block, and the block itself; straight.wat says what its words are. */
  readonly at: number;
  readonly control: Int32Array;
  readonly touch: (control: number) => number;
  readonly run: (control: number, row: number) => number;
  readonly tally: (control: number) => number;
  /** Room for a word per row: what `tally` lists. */
  readonly notes: Int32Array;
  /** The burst that the control block is about, once all its rows are judged; else null. */
  burst: Burst | null;
}

const CONTROL_WORDS = 32;
// Indexes of the words that change.
const RECORDS = 0;
const BURST = 1;
const FRAMES = 2;
const COUNT = 3;
const ENTRIES = 4;
const MASK = 5;
const SUMS = 6;
const VXLAN_PORT = 7;
const UNDERLAY = 8;
const VTEP = 9;
const HOST_VETH = 10;
const MAC_FIRST = 11;
const MAC_LAST = 12;
const VNI = 13;
const META = 14;
const PLAIN_ACKS = 15;
const FLOWS = 16;
const SIGN = 17;
const NOTES = 18;
const INDEX = 19;
const LOOKED = 20;

/** Compiled once, so that what V8 learns of it serves every dataplane; null on a machine without the instructions. */
let compiled: object | null | undefined;

function moduleOf(): object | null {
  if (compiled !== undefined) return compiled;
  try {
    compiled = new assembly.Module(Uint8Array.from(atob(STRAIGHT_CODE), (letter) => letter.charCodeAt(0)));
  } catch {
    compiled = null;
  }
  return compiled;
}

/** Compiled code over the memory of `arena`; null when there is none. */
export function createStraight(arena: Arena): Straight | null {
  const { memory } = arena;
  const module = memory === null ? null : moduleOf();
  if (memory === null || module === null) return null;
  const instance = new assembly.Instance(module, { tagplane: { memory } });
  const { touch, run, tally } = instance.exports as unknown as Pick<Straight, 'touch' | 'run' | 'tally'>;
  const { buffer, offset } = arena.allocate(CONTROL_WORDS * 4);
  const control = new Int32Array(buffer, offset, CONTROL_WORDS);
  const acks = arena.allocate(256);
  new Uint8Array(acks.buffer, acks.offset, 256).set(
    Array.from({ length: 256 }, (_, flags) => Number(flagsAreValid(flags) && segmentOf(flags) === SEGMENT.ACK)),
  );
  control[PLAIN_ACKS] = acks.offset;
  const notes = arena.allocate(BURST_CAPACITY * 4);
  control[NOTES] = notes.offset;
  control[LOOKED] = arena.allocate(BURST_CAPACITY * 8).offset;
  return {
    arena,
    memory,
    at: offset,
    control,
    touch,
    run,
    tally,
    notes: new Int32Array(notes.buffer, notes.offset, BURST_CAPACITY),
    burst: null,
  };
}

/** The octets of a 16-bit and a 32-bit field in network order, read by a machine that has them the other way round. */
const swap16 = (field: number): number => ((field & 0xff) << 8) | (field >>> 8);
const swap32 = (field: number): number => (swap16(field & 0xffff) << 16) | swap16(field >>> 16);

/** Tell the compiled code which cell it judges packets of. */
export function bindCell({ control }: Straight, cell: Cell, vxlanPort: number): void {
  control[VXLAN_PORT] = swap16(vxlanPort);
  control[UNDERLAY] = swap32(cell.underlay);
  control[VTEP] = swap32(cell.vtepAddress);
  control[HOST_VETH] = swap32(HOST_VETH_ADDRESS);
  control[MAC_FIRST] = swap32(cell.vtepMacHigh);
  control[MAC_LAST] = swap16(cell.vtepMacLow);
  control[VNI] = swap32(cell.vni << 8);
  control[META] = 0x80000000 | (cell.index << 16);
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
export function bindTables({ memory, control }: Straight, cell: Cell, dataplane: Dataplane): boolean {
  const { connections, fragments } = dataplane;
  const ways = cell.forwardWays;
  if (ways === null || connections.marks.size !== 0 || fragments.queues.size !== 0) return false;
  if (connections.place.buffer !== memory.buffer || connections.indexPlace.buffer !== memory.buffer) return false;
  if (ways.place.buffer !== memory.buffer) return false;
  control[ENTRIES] = connections.place.offset;
  control[INDEX] = connections.indexPlace.offset;
  control[MASK] = connections.mask;
  control[SUMS] = ways.place.offset;
  return true;
}

/**
 * Add the rows of the burst that was judged last to the flows at `flows`, and list those that must be looked up in `notes`.
 * Gives how many these are.
 */
export function tally({ control, tally: run, at }: Straight, flows: number, sign: number): number {
  control[FLOWS] = flows;
  control[SIGN] = sign;
  return run(at);
}
