/**
 * Pull: octets in pieces, as they come; and what is made of them: a source for a reader, and decompressed pieces.
 *
 * Streams are described by the few methods that are used, so that this file needs no particular machine.
 */
import { CaptureError } from './error.ts';
import type { ByteSource } from './source.ts';

/** The next octets, or null at the end. */
export type Pull = () => Promise<Uint8Array | null>;

/** A source over pulled pieces, which ends with an error where it would grow beyond `maximum` octets. */
export function pulledSource(name: string, pull: Pull, close: () => void, maximum: number): ByteSource {
  let piece: Uint8Array = new Uint8Array(0);
  let total = 0;
  return {
    name,
    size: null,
    async read(into, at, length) {
      while (piece.length === 0) {
        const next = await pull();
        if (next === null) return 0;
        piece = next;
      }
      const count = Math.min(length, piece.length);
      total += count;
      if (total > maximum) {
        const what = `decompressed data is larger than the limit of ${maximum} octets`;
        const field = 'decompressed size';
        throw new CaptureError({ code: 'capture.limit', file: name, offset: maximum, field, limit: maximum, what });
      }
      into.set(piece.subarray(0, count), at);
      piece = piece.subarray(count);
      return count;
    },
    close,
  };
}

export interface Codec {
  readonly writable: { write(octets: Uint8Array, done: () => void): unknown; end(): unknown };
  readonly readable: {
    read(): unknown;
    on(event: 'readable' | 'end', listener: () => void): unknown;
    on(event: 'error', listener: (error: Error) => void): unknown;
  };
  /** The error that people see for one of the stream. */
  explain(error: unknown): CaptureError;
  /** Resolves when the output has ended, with what went wrong outside the streams, or null. */
  finished(): Promise<CaptureError | null>;
  end(): void;
}

/**
 * Pull `input` through a codec.
 *
 * A stream that fails throws away what it has decoded but not handed out. Everything decoded is therefore read before
 * the codec is told that its input has ended, which is when it would find a missing end.
 */
export function through(input: Pull, codec: Codec): Pull {
  const { writable, readable } = codec;
  let failed: unknown = null;
  let ended = false;
  let wake = (): void => undefined;
  let drained = (): void => undefined;
  const whenDrained = new Promise<void>((resolve) => {
    drained = resolve;
  });
  let inputEnded = false;
  readable.on('readable', () => wake());
  readable.on('end', () => {
    ended = true;
    wake();
  });
  const fail = (error: unknown): void => {
    failed ??= error;
    wake();
  };
  readable.on('error', fail);
  const pump = async (): Promise<void> => {
    for (let piece = await input(); piece !== null; piece = await input()) {
      const octets = piece;
      await new Promise<void>((resolve) => writable.write(octets, () => resolve()));
      if (failed !== null) return;
    }
    inputEnded = true;
    wake();
    await whenDrained;
    writable.end();
  };
  pump().catch(fail);
  return async () => {
    for (;;) {
      const octets = readable.read() as Uint8Array | null;
      if (octets !== null) return octets;
      if (failed !== null) throw failed instanceof CaptureError ? failed : codec.explain(failed);
      if (ended) {
        const problem = await codec.finished();
        if (problem !== null) throw problem;
        return null;
      }
      const awake = new Promise<void>((resolve) => {
        wake = resolve;
      });
      if (inputEnded) drained();
      await awake;
    }
  };
}
