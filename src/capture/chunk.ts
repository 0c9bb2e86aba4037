/**
 * Chunk: the part of a capture that is in memory. Records are located in place in it, so its size bounds the memory of a
 * reader, and nothing is copied but the piece of a record that the last read cut off.
 *
 *      0          at            end        octets.length
 *      | consumed  | not yet read | room    |
 *      ^ `offset` in the file
 */
import type { Arena } from '../memory/arena.ts';
import type { ByteSource } from './source.ts';

export interface Chunk {
  readonly arena: Arena;
  readonly source: ByteSource;
  octets: Uint8Array;
  view: DataView;
  /** First octet that no record was made of. */
  at: number;
  /** One behind the last octet that was read from the source. */
  end: number;
  /** Offset of `octets[0]` in the file. */
  offset: number;
  /** How many octets from `at` on the next record needs, as far as is known. */
  need: number;
  /** The source gave its last octet. */
  ended: boolean;
}

/** `capacity` in octets is the size of a read and grows only for a record that is larger. */
export function create(source: ByteSource, capacity: number, arena: Arena): Chunk {
  const { octets, view } = bufferOf(arena, capacity);
  return { arena, source, octets, view, at: 0, end: 0, offset: 0, need: 1, ended: false };
}

function bufferOf(arena: Arena, capacity: number): { octets: Uint8Array; view: DataView } {
  const { buffer, offset } = arena.allocate(capacity);
  return { octets: new Uint8Array(buffer, offset, capacity), view: new DataView(buffer, offset, capacity) };
}

/** Move what is not consumed to the front of the buffer, or of a new one of `capacity` octets. */
function settle(chunk: Chunk, capacity: number): void {
  if (capacity > chunk.octets.length) {
    const { octets, view } = bufferOf(chunk.arena, capacity);
    octets.set(chunk.octets.subarray(chunk.at, chunk.end));
    chunk.octets = octets;
    chunk.view = view;
  } else if (chunk.at > 0) {
    chunk.octets.copyWithin(0, chunk.at, chunk.end);
  }
  chunk.offset += chunk.at;
  chunk.end -= chunk.at;
  chunk.at = 0;
}

/**
 * Read on until `need` octets are there. False if the source ended before.
 *
 * The buffer doubles only when it is full, so a record that claims a huge length in a short file costs no memory. The
 * caller has checked `need` against a limit.
 */
export async function more(chunk: Chunk): Promise<boolean> {
  settle(chunk, 0);
  // At least one read, even if enough is there: the caller may ask before it located everything.
  while (!chunk.ended) {
    if (chunk.end === chunk.octets.length) {
      if (chunk.end >= chunk.need) break;
      settle(chunk, chunk.octets.length * 2);
    }
    const reading = chunk.source.read(chunk.octets, chunk.end, chunk.octets.length - chunk.end);
    const count = typeof reading === 'number' ? reading : await reading;
    if (count === 0) chunk.ended = true;
    chunk.end += count;
    if (chunk.end >= chunk.need) break;
  }
  if (chunk.end < chunk.need) return false;
  chunk.need = 1;
  return true;
}
