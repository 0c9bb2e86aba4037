/**
 * Arena: memory for what lives as long as a replay: the octets of a capture, bursts, tables that grow.
 *
 * `heap` hands out buffers of their own. `reserve` makes one large memory that compiled code can reach as well, and hands out
 * places in that; pages of it that nobody has written to cost nothing.
 */
import { assembleLoops, assembly, LOOPS_OCTETS, type Loops, type MakeLoops, type Memory } from './loops.ts';

/** Octets of an arena: `length` of them from `offset` of `buffer`, all zero. */
export interface Place {
  readonly buffer: ArrayBuffer;
  readonly offset: number;
}

export interface Arena {
  /** The memory that places are in; null for places that have nothing in common. */
  readonly memory: Memory | null;
  /** Compiled code over that memory. */
  readonly loops: Loops | null;
  /** A place of `length` octets at a multiple of 64. */
  allocate(length: number): Place;
  /**
   * Octets that a place may have which is written to from its front, little by little: what is not written to costs nothing there. 0
   * where every octet costs.
   */
  spare(): number;
  /** Give back a place that was allocated with this length. */
  release(place: Place, length: number): void;
}

export const heap: Arena = {
  memory: null,
  loops: null,
  allocate: (length) => ({ buffer: new ArrayBuffer(length), offset: 0 }),
  spare: () => 0,
  release: () => {},
};

/** `length` words of `arena`, all zero. */
export function wordsOf(arena: Arena, length: number): Int32Array<ArrayBuffer> {
  const { buffer, offset } = arena.allocate(length * 4);
  return new Int32Array(buffer, offset, length);
}

/** Give back words of `wordsOf`, all of them. */
export function releaseWords(arena: Arena, { buffer, byteOffset, byteLength }: Int32Array<ArrayBuffer>): void {
  arena.release({ buffer, offset: byteOffset }, byteLength);
}

/** A copy of `words` in `arena`. */
export function keepWords(arena: Arena, words: ArrayLike<number>): Int32Array<ArrayBuffer> {
  const kept = wordsOf(arena, words.length);
  kept.set(words);
  return kept;
}

const PAGE = 65_536;
const LINE = 64;
/** Behind the places: compiled code reads ahead by row numbers that may be those of a table which has moved since. */
const MARGIN = 1 << 23;

/** A place that is mostly empty takes a quarter of what is left at most. */
const SPARE_SHIFT = 2;

const rounded = (length: number): number => Math.ceil(length / LINE) * LINE;

/**
 * An arena of at most `limit` octets of one memory; null where the machine has no room for one. When it is full, further
 * places come from the heap. `makeLoops` makes the compiled code over it.
 */
export function reserve(limit: number, makeLoops: MakeLoops = assembleLoops): Arena | null {
  let memory: Memory;
  try {
    const pages = Math.ceil((limit + MARGIN) / PAGE);
    memory = new assembly.Memory({ initial: pages, maximum: pages });
  } catch {
    return null;
  }
  const { buffer } = memory;
  const free = new Map<number, number[]>();
  // Nothing is at 0, so that a forgotten pointer points nowhere.
  let next = LOOPS_OCTETS;
  return {
    memory,
    loops: makeLoops(memory),
    allocate(length) {
      const size = rounded(length);
      const offset = free.get(size)?.pop();
      if (offset !== undefined) {
        new Uint8Array(buffer, offset, size).fill(0);
        return { buffer, offset };
      }
      if (next + size > buffer.byteLength - MARGIN) return heap.allocate(length);
      next += size;
      return { buffer, offset: next - size };
    },
    spare: () => Math.max(buffer.byteLength - MARGIN - next, 0) >>> SPARE_SHIFT,
    release(place, length) {
      if (place.buffer !== buffer) return;
      const size = rounded(length);
      const known = free.get(size);
      if (known === undefined) free.set(size, [place.offset]);
      else known.push(place.offset);
    },
  };
}
