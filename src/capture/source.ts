/**
 * ByteSource: where the octets of a capture come from. `file.ts` makes them from files, stdin and compressed streams; a
 * browser or a test makes them from memory.
 */
export interface ByteSource {
  /** Name of the file in messages. */
  readonly name: string;
  /** Size in octets if it is known and nothing is decompressed, else null. */
  readonly size: number | null;
  /**
   * Put up to `length` (> 0) octets into `into` from position `at` on.
   * Gives how many, at least 1, or 0 at the end; never keeps `into`. Throws CaptureError.
   */
  read(into: Uint8Array, at: number, length: number): number | Promise<number>;
  /**
   * The same on another thread, while the caller does something else; where there is one. One read at a time, and `into` is written until the
   * promise is settled, which it is before `close`.
   */
  readAhead?(into: Uint8Array, at: number, length: number): Promise<number>;
  close(): void | Promise<void>;
}

/** A source over octets in memory that gives at most `step` octets at a time. */
export function fromOctets(octets: Uint8Array, name = 'memory', step = Number.MAX_SAFE_INTEGER): ByteSource {
  let next = 0;
  return {
    name,
    size: octets.length,
    read(into, at, length) {
      const count = Math.min(length, step, octets.length - next);
      into.set(octets.subarray(next, next + count), at);
      next += count;
      return count;
    },
    close: () => undefined,
  };
}
