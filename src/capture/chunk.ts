/**
 * Chunk: the part of a capture that is in memory. Records are located in place in it, so its size bounds the memory of a
 * reader, and nothing is copied but the piece of a record that the last read cut off.
 *
 *      0          at            end        octets.length
 *      | consumed  | not yet read | room    |
 *      ^ `offset` in the file
 *
 * Of a file that is larger than a chunk the next part is read on another thread while this one is consumed, into a second buffer, where the
 * piece that was cut off is put in front of it.
 */
import type { Arena } from '../memory/arena.ts';
import type { ByteSource } from './source.ts';

export interface Chunk extends Buffer {
  readonly arena: Arena;
  readonly source: ByteSource;
  /** First octet that no record was made of. */
  at: number;
  /** One behind the last octet that was read from the source. */
  end: number;
  /** Offset of `octets[0]` in the file; below 0 where less than `at` octets of the file were before it. */
  offset: number;
  /** How many octets from `at` on the next record needs, as far as is known. */
  need: number;
  /** The source gave its last octet. */
  ended: boolean;
  /** The other buffer, and what is being read into it from HEADROOM on; null while nothing is. */
  spare: Buffer | null;
  reading: Promise<Ahead> | null;
}

interface Buffer {
  octets: Uint8Array;
  view: DataView;
}

/** How a read ended. */
type Ahead = { readonly count: number } | { readonly error: unknown };

/** What the last read may have cut off, to be put in front of the next: any record of ordinary length. */
const HEADROOM = 1 << 17;

/** `capacity` in octets is the size of a read and grows only for a record that is larger. */
export function create(source: ByteSource, capacity: number, arena: Arena): Chunk {
  const buffer = bufferOf(arena, capacity);
  const chunk = { arena, source, ...buffer, at: 0, end: 0, offset: 0, need: 1, ended: false };
  return { ...chunk, spare: null, reading: null };
}

/** Wait for what is still being read, and close the source. */
export async function close(chunk: Chunk): Promise<void> {
  await chunk.reading;
  await chunk.source.close();
}

function bufferOf(arena: Arena, capacity: number): Buffer {
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
  const { reading } = chunk;
  if (reading === null) settle(chunk, 0);
  else take(chunk, await reading);
  // At least one read, even if enough is there: the caller may ask before it located everything.
  let isRead = reading !== null;
  while (!chunk.ended && !(isRead && isEnough(chunk))) {
    if (chunk.end === chunk.octets.length) {
      if (isEnough(chunk)) break;
      settle(chunk, chunk.octets.length * 2);
    }
    const count = chunk.source.read(chunk.octets, chunk.end, chunk.octets.length - chunk.end);
    const got = typeof count === 'number' ? count : await count;
    if (got === 0) chunk.ended = true;
    chunk.end += got;
    isRead = true;
  }
  if (!isEnough(chunk)) return false;
  chunk.need = 1;
  return true;
}

const isEnough = ({ at, end, need }: Chunk): boolean => end - at >= need;

/** Have the next part read while this one is consumed, if there is one. A buffer that has grown holds a record that no second one would hold. */
export function readAhead(chunk: Chunk): void {
  const { source, arena, octets } = chunk;
  const isLast = source.size === null || chunk.offset + chunk.end >= source.size;
  if (source.readAhead === undefined || isLast || chunk.ended || octets.length <= 2 * HEADROOM) return;
  chunk.spare ??= bufferOf(arena, octets.length);
  if (chunk.spare.octets.length !== octets.length) return;
  const length = octets.length - HEADROOM;
  chunk.reading = source.readAhead(chunk.spare.octets, HEADROOM, length).then(
    (count) => ({ count }),
    // Thrown when somebody asks for it.
    (error: unknown) => ({ error }),
  );
}

/** Go on with what was read ahead, behind what is not consumed. */
function take(chunk: Chunk, ahead: Ahead): void {
  chunk.reading = null;
  if ('error' in ahead) throw ahead.error;
  const { octets, view, at, end } = chunk;
  const { count } = ahead;
  const spare = chunk.spare!;
  const left = end - at;
  if (count === 0) chunk.ended = true;
  if (left > HEADROOM) {
    settle(chunk, left + count);
    chunk.octets.set(spare.octets.subarray(HEADROOM, HEADROOM + count), chunk.end);
    chunk.end += count;
    return;
  }
  spare.octets.set(octets.subarray(at, end), HEADROOM - left);
  chunk.spare = { octets, view };
  chunk.octets = spare.octets;
  chunk.view = spare.view;
  chunk.offset += end - HEADROOM;
  chunk.at = HEADROOM - left;
  chunk.end = HEADROOM + count;
}
