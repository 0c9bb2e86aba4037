/**
 * Captures as files of this machine: the one file of this floor that touches it (files, streams, decompression).
 *
 * A plain file is read with synchronous calls straight into the reader's chunk. Standard input, pipes and compressed
 * files come as streams. Compression is recognised by magic, gzip (all members) and zstd; what is inside is not looked
 * into again.
 */
import { spawn } from 'node:child_process';
import { closeSync, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import { stdin } from 'node:process';
import type { Readable, Transform, Writable } from 'node:stream';
import * as zlib from 'node:zlib';
import { CaptureError, type CaptureErrorCode } from './error.ts';
import type { ByteSource } from './source.ts';

export interface SourceOptions {
  /** Octets that a compressed file may grow to; 64 GiB unless said otherwise. */
  readonly maximumDecompressed?: number;
}

const DEFAULT_MAXIMUM_DECOMPRESSED = 64 * 1024 ** 3;
/** Octets of compressed data handed over at a time. Small, for what one piece grows to is in memory at once. */
const PIECE_LENGTH = 16 * 1024;

type Compression = 'gzip' | 'zstd';

/** The next octets, or null at the end. */
type Pull = () => Promise<Uint8Array | null>;

const systemCode = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';

function failure(code: CaptureErrorCode, file: string, what: string, cause?: unknown): CaptureError {
  return new CaptureError({ code, file, what }, cause);
}

/** Open a file by path, or standard input as `-`. Decompresses. Throws CaptureError. */
export async function openSource(path: string, options: SourceOptions = {}): Promise<ByteSource> {
  if (path === '-') return streamSource('standard input', stdin, options);
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    throw failure('capture.unreadable', path, `cannot be opened: ${systemCode(error)}`, error);
  }
  try {
    return await descriptorSource(path, descriptor, options);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

async function descriptorSource(path: string, descriptor: number, options: SourceOptions): Promise<ByteSource> {
  const status = fstatSync(descriptor);
  if (status.isDirectory()) throw failure('capture.unreadable', path, 'is a directory, expected a file');
  if (status.isFIFO() || status.isSocket()) {
    return streamSource(path, createReadStream('', { fd: descriptor }), options);
  }
  if (!status.isFile()) throw failure('capture.unreadable', path, 'is a device, expected a file or a pipe');
  const first = new Uint8Array(4);
  const compression = compressionOf(first.subarray(0, readSync(descriptor, first, 0, 4, 0)));
  let position = 0;
  const read = (into: Uint8Array, at: number, length: number): number => {
    try {
      const count = readSync(descriptor, into, at, length, position);
      position += count;
      return count;
    } catch (error) {
      throw failure('capture.unreadable', path, `cannot be read at offset ${position}: ${systemCode(error)}`, error);
    }
  };
  const close = (): void => closeSync(descriptor);
  if (compression === null) return { name: path, size: status.size, read, close };
  const pull: Pull = async () => {
    const piece = new Uint8Array(PIECE_LENGTH);
    const count = read(piece, 0, PIECE_LENGTH);
    return count === 0 ? null : piece.subarray(0, count);
  };
  return decompressed(path, compression, pull, close, options);
}

async function streamSource(name: string, stream: Readable, options: SourceOptions): Promise<ByteSource> {
  const pull = pullFrom(name, stream);
  const pieces: Uint8Array[] = [];
  let length = 0;
  // The magic, which a pipe may deliver octet by octet.
  while (length < 4) {
    const piece = await pull();
    if (piece === null) break;
    pieces.push(piece);
    length += piece.length;
  }
  const first = Buffer.concat(pieces);
  const again: Pull = async () => {
    if (pieces.length === 0) return pull();
    pieces.length = 0;
    return first.length === 0 ? null : first;
  };
  const close = (): void => void stream.destroy();
  const compression = compressionOf(first.subarray(0, 4));
  if (compression !== null) return decompressed(name, compression, again, close, options);
  return pulledSource(name, again, close, Number.MAX_SAFE_INTEGER);
}

function pullFrom(name: string, stream: Readable): Pull {
  const iterator = stream[Symbol.asyncIterator]();
  return async () => {
    try {
      const next = (await iterator.next()) as IteratorResult<Uint8Array, undefined>;
      return next.done === true ? null : next.value;
    } catch (error) {
      throw failure('capture.unreadable', name, `cannot be read: ${systemCode(error)}`, error);
    }
  };
}

function compressionOf(first: Uint8Array): Compression | null {
  if (first[0] === 0x1f && first[1] === 0x8b) return 'gzip';
  return first[0] === 0x28 && first[1] === 0xb5 && first[2] === 0x2f && first[3] === 0xfd ? 'zstd' : null;
}

/** A source over pulled pieces, which ends with an error where it would grow beyond `maximum` octets. */
function pulledSource(name: string, pull: Pull, close: () => void, maximum: number): ByteSource {
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

function decompressed(
  name: string,
  compression: Compression,
  input: Pull,
  closeInput: () => void,
  options: SourceOptions,
): ByteSource {
  const maximum = options.maximumDecompressed ?? DEFAULT_MAXIMUM_DECOMPRESSED;
  const codec = compression === 'gzip' ? gunzip(name) : unzstd(name);
  const pull = through(input, codec);
  const close = (): void => {
    codec.end();
    closeInput();
  };
  return pulledSource(name, pull, close, maximum);
}

interface Codec {
  readonly writable: Writable;
  readonly readable: Readable;
  /** The error that people see for one of the stream. */
  explain(error: unknown): CaptureError;
  /** Resolves when the output has ended, with what went wrong outside the streams, or null. */
  finished(): Promise<CaptureError | null>;
  end(): void;
}

const cut = (name: string, compression: string, cause: unknown): CaptureError =>
  failure('capture.truncated', name, `compressed data ends too early (${compression})`, cause);

function transformCodec(name: string, compression: string, transform: Transform, truncated: RegExp): Codec {
  return {
    writable: transform,
    readable: transform,
    explain(error) {
      const code = systemCode(error);
      if (truncated.test(code)) return cut(name, compression, error);
      return failure('capture.compression', name, `damaged ${compression} data: ${code}`, error);
    },
    finished: async () => null,
    end: () => void transform.destroy(),
  };
}

const gunzip = (name: string): Codec => transformCodec(name, 'gzip', zlib.createGunzip(), /^Z_BUF_ERROR$/);

/** node:zlib knows zstd since 22.15; before, the `zstd` program does the work, on another core at that. */
function unzstd(name: string): Codec {
  const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform };
  if (createZstdDecompress !== undefined) {
    return transformCodec(name, 'zstd', createZstdDecompress(), /^(?:Z_BUF_ERROR|ZSTD_error_srcSize_wrong)$/);
  }
  return zstdProgram(name);
}

function zstdProgram(name: string): Codec {
  const child = spawn('zstd', ['-dcq'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (text: Buffer) => {
    complaint = (complaint + text.toString()).slice(0, 400);
  });
  // What the program refuses to read shows in its exit code.
  child.stdin.on('error', () => undefined);
  const ended = new Promise<CaptureError | null>((resolve) => {
    child.on('error', (error) => {
      const what = 'is zstd data and needs the zstd program (or Node 22.15): install zstd, or unpack the file first';
      resolve(failure('capture.program', name, what, error));
    });
    child.on('close', (code) => {
      if (code === 0) resolve(null);
      else if (/premature end|incomplete/i.test(complaint)) resolve(cut(name, 'zstd', complaint));
      else resolve(failure('capture.compression', name, 'damaged zstd data', complaint));
    });
  });
  return {
    writable: child.stdin,
    readable: child.stdout,
    explain: (error) => failure('capture.compression', name, `damaged zstd data: ${systemCode(error)}`, error),
    finished: () => ended,
    end: () => void child.kill(),
  };
}

/**
 * Pull `input` through a codec.
 *
 * A stream that fails throws away what it has decoded but not handed out. Everything decoded is therefore read before
 * the codec is told that its input has ended, which is when it would find a missing end.
 */
function through(input: Pull, codec: Codec): Pull {
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
