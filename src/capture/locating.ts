/**
 * Locating: the records of a pcap file found by compiled code (`native/locate.h`), which does what `locate` of `pcap.ts` does, as
 * long as there is nothing odd about them.
 */
import type { Arena } from '../memory/arena.ts';
import type { Loops } from '../memory/loops.ts';
import type { RecordBurst } from './burst.ts';
import type { Chunk } from './chunk.ts';

/** A block that says how a file is read: three doubles, then words, `struct locating` of native/layout.h. */
export interface Locating {
  readonly loops: Loops;
  readonly buffer: ArrayBuffer;
  readonly state: number;
  readonly doubles: Float64Array;
  readonly words: Uint32Array;
}

export interface Format {
  readonly littleEndian: boolean;
  readonly recordHeaderLength: number;
  readonly snapLength: number;
  readonly linkType: number;
  /** Nanoseconds per unit of the fraction. */
  readonly scale: number;
}

const DOUBLES = 3;
const WORDS = 12;
const LAST_TIME = 0;
const PACKET = 1;
const OFFSET = 2;
const RECORDS = 0;
const VIEW = 1;
const AT = 2;
const END = 3;
const SWAPPED = 4;
const EPOCH_SECONDS = 9;
const EPOCH_FRACTION = 10;

/** For a file of this format; null where there is no compiled code. */
export function createLocating(arena: Arena, file: number, format: Format): Locating | null {
  const { memory, loops } = arena;
  if (memory === null || loops === null) return null;
  const { buffer, offset } = arena.allocate(DOUBLES * 8 + WORDS * 4);
  if (buffer !== memory.buffer) return null;
  const words = new Uint32Array(buffer, offset + DOUBLES * 8, WORDS);
  const { littleEndian, recordHeaderLength, snapLength, linkType, scale } = format;
  words.set([Number(!littleEndian), recordHeaderLength, snapLength, linkType, file, 0, 0, scale], SWAPPED);
  return { loops, buffer, state: offset, doubles: new Float64Array(buffer, offset, DOUBLES), words };
}

/** Where reading stands. */
export interface Progress {
  readonly epochSeconds: number;
  readonly epochFraction: number;
  packets: number;
  lastTime: number;
}

/** Tell compiled code where reading stands. False when it can reach the octets or the rows not. */
export function handOver(locating: Locating, chunk: Chunk, burst: RecordBurst, progress: Progress): boolean {
  const { buffer, doubles, words } = locating;
  if (chunk.view.buffer !== buffer || burst.at.buffer !== buffer) return false;
  doubles[LAST_TIME] = progress.lastTime;
  doubles[PACKET] = progress.packets + 1;
  doubles[OFFSET] = chunk.offset;
  words[RECORDS] = burst.at.byteOffset;
  words[VIEW] = chunk.view.byteOffset;
  words[AT] = chunk.at;
  words[END] = chunk.end;
  words[EPOCH_SECONDS] = progress.epochSeconds;
  words[EPOCH_FRACTION] = progress.epochFraction;
  return true;
}

/** Take over where compiled code stands. */
export function takeOver({ doubles, words }: Locating, chunk: Chunk, progress: Progress): void {
  chunk.at = words[AT]!;
  progress.lastTime = doubles[LAST_TIME]!;
  progress.packets = doubles[PACKET]! - 1;
}

/** Fill rows of `burst` from the front of `chunk`, and move both on. Gives how many; 0 when the next record needs TypeScript. */
export function locateOn(locating: Locating, chunk: Chunk, burst: RecordBurst, progress: Progress): number {
  if (!handOver(locating, chunk, burst, progress)) return 0;
  const rows = locating.loops.locate(locating.state);
  takeOver(locating, chunk, progress);
  return rows;
}
