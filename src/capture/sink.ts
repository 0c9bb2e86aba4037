/**
 * ByteSink: where an output goes, and Output: the buffer in front of it.
 *
 * Packets and lines are appended without waiting; when an append says that the buffer is full, the caller awaits `drain`
 * before it goes on. The buffer grows instead of losing anything if the caller does not.
 */
export interface ByteSink {
  /** Name of the output in messages. */
  readonly name: string;
  /** Write all of `octets`, which may be reused once this has resolved. Throws OutputError. */
  write(octets: Uint8Array): void | Promise<void>;
  /** Make the output complete under its name. Throws OutputError; nothing is left under the name then. */
  finish(): Promise<void>;
  /** Leave nothing behind. Never throws. */
  abort(): Promise<void>;
}

/** Buffered octets from which on `drain` should be awaited. */
const DRAIN_LENGTH = 256 * 1024;

export interface Output {
  readonly sink: ByteSink;
  octets: Uint8Array;
  view: DataView;
  /** Octets in use. */
  length: number;
  /** The last call of `drain`. */
  draining: Promise<void>;
}

export function create(sink: ByteSink): Output {
  const octets = new Uint8Array(2 * DRAIN_LENGTH);
  return { sink, octets, view: new DataView(octets.buffer), length: 0, draining: Promise.resolve() };
}

/** Make room for `count` more octets. Gives the position of the first, which belongs to the caller from now on. */
export function reserve(output: Output, count: number): number {
  const at = output.length;
  if (at + count > output.octets.length) grow(output, at + count);
  output.length = at + count;
  return at;
}

function grow(output: Output, needed: number): void {
  const grown = new Uint8Array(Math.max(needed, output.octets.length * 2));
  grown.set(output.octets.subarray(0, output.length));
  output.octets = grown;
  output.view = new DataView(grown.buffer);
}

/** True if `drain` should be awaited. */
export const isFull = (output: Output): boolean => output.length >= DRAIN_LENGTH;

/** Hand everything to the sink, after an earlier call that has not ended. */
export function drain(output: Output): Promise<void> {
  output.draining = output.draining.then(() => flush(output));
  return output.draining;
}

async function flush(output: Output): Promise<void> {
  const { length } = output;
  if (length === 0) return;
  await output.sink.write(output.octets.subarray(0, length));
  // What was appended while the sink was writing stays.
  output.octets.copyWithin(0, length, output.length);
  output.length -= length;
}

/** Hand everything over and complete the output. */
export async function finish(output: Output): Promise<void> {
  while (output.length > 0) await drain(output);
  await output.sink.finish();
}
