/**
 * Captures and outputs as files of this machine: the one file of this floor that touches it.
 *
 * A plain file is read straight into the reader's chunk: what is needed now with a synchronous call, what is needed next on another thread. Standard input, pipes and compressed
 * files come as streams. Compression is recognised by magic, gzip (all members) and zstd; what is inside is not looked
 * into again.
 *
 * An output file is written under `.NAME.PID.partial` beside its place and renamed when it is complete, so a file under
 * its final name is always whole. Standard output, pipes and character devices are written directly.
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  fsyncSync,
  openSync,
  read as readCallback,
  readSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pid, stdin, stdout } from 'node:process';
import type { Readable, Transform } from 'node:stream';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { CaptureError, type CaptureErrorCode, OutputError, type OutputErrorCode } from './error.ts';
import { type Codec, type Pull, pulledSource, through } from './pull.ts';
import type { ByteSink } from './sink.ts';
import type { ByteSource } from './source.ts';

export interface SourceOptions {
  /** Octets that a compressed file may grow to; 64 GiB unless said otherwise. */
  readonly maximumDecompressed?: number;
}

const readLater = promisify(readCallback);
const DEFAULT_MAXIMUM_DECOMPRESSED = 64 * 1024 ** 3;
/** Octets of compressed data handed over at a time. Small, for what one piece grows to is in memory at once. */
const PIECE_LENGTH = 16 * 1024;

type Compression = 'gzip' | 'zstd';

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
  const unreadable = (error: unknown): CaptureError =>
    failure('capture.unreadable', path, `cannot be read at offset ${position}: ${systemCode(error)}`, error);
  const read = (into: Uint8Array, at: number, length: number): number => {
    try {
      const count = readSync(descriptor, into, at, length, position);
      position += count;
      return count;
    } catch (error) {
      throw unreadable(error);
    }
  };
  const readAhead = async (into: Uint8Array, at: number, length: number): Promise<number> => {
    try {
      const { bytesRead } = await readLater(descriptor, into, at, length, position);
      position += bytesRead;
      return bytesRead;
    } catch (error) {
      throw unreadable(error);
    }
  };
  const close = (): void => closeSync(descriptor);
  if (compression === null) return { name: path, size: status.size, read, readAhead, close };
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

export interface SinkOptions {
  /** Files that are being read: the output must be none of them. */
  readonly inputs?: readonly string[];
}

/** An output by path, or standard output as `-`. Throws OutputError. */
export function openSink(path: string, options: SinkOptions = {}): ByteSink {
  if (path === '-') return stdoutSink();
  const there = statusOf(path);
  if (there === null) return atomicSink(path);
  for (const input of options.inputs ?? []) {
    const read = statusOf(input);
    if (read !== null && read.dev === there.dev && read.ino === there.ino) {
      throw refusal('output.is-input', path, `is the input ${input}: write to another file`);
    }
  }
  if (there.isDirectory() || there.isBlockDevice()) {
    throw refusal(
      'output.special',
      path,
      `is a ${there.isDirectory() ? 'directory' : 'block device'}, expected a file`,
    );
  }
  return there.isFile() ? atomicSink(path) : directSink(path);
}

const statusOf = (path: string): Stats | null => statSync(path, { throwIfNoEntry: false }) ?? null;

function refusal(code: OutputErrorCode, path: string, what: string): OutputError {
  return new OutputError({ code, path, what });
}

function writeFailure(path: string, written: number, error: unknown): OutputError {
  const code = systemCode(error);
  if (code === 'EPIPE') {
    return new OutputError(
      { code: 'output.closed', path, written, systemCode: code, what: 'its reader is gone' },
      error,
    );
  }
  const what = `cannot be written: ${code}`;
  return new OutputError({ code: 'output.write', path, written, systemCode: code, what }, error);
}

function openOutput(path: string, name: string, flags: number | string): number {
  try {
    return openSync(name, flags, 0o600);
  } catch (error) {
    throw writeFailure(path, 0, error);
  }
}

/** A sink over a descriptor. After a failure or `abort` it is closed, `discard` was called, and nothing is written. */
function descriptorSink(path: string, descriptor: number, complete: () => void, discard: () => void): ByteSink {
  let written = 0;
  let open = true;
  const close = (after: () => void): void => {
    if (!open) return;
    // The number may belong to another file from now on.
    open = false;
    closeSync(descriptor);
    after();
  };
  const attempt = (step: () => void): void => {
    if (!open) throw refusal('output.write', path, 'was closed before');
    try {
      step();
    } catch (error) {
      close(discard);
      throw writeFailure(path, written, error);
    }
  };
  return {
    name: path,
    write(octets) {
      attempt(() => {
        // The system may take only a part at a time.
        for (let at = 0; at < octets.length; ) {
          const count = writeSync(descriptor, octets, at, octets.length - at);
          at += count;
          written += count;
        }
      });
    },
    async finish() {
      attempt(complete);
      close(() => undefined);
    },
    abort: async () => close(discard),
  };
}

function atomicSink(path: string): ByteSink {
  const directory = dirname(path);
  const partial = join(directory, `.${basename(path)}.${pid}.partial`);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
  const descriptor = openOutput(path, partial, flags);
  const complete = (): void => {
    fsyncSync(descriptor);
    renameSync(partial, path);
    syncDirectory(directory);
  };
  return descriptorSink(path, descriptor, complete, () => unlinkSync(partial));
}

/** Make the rename itself durable, where the system lets a directory be synced. */
function syncDirectory(path: string): void {
  try {
    const descriptor = openSync(path, 'r');
    fsyncSync(descriptor);
    closeSync(descriptor);
  } catch {
    // The file is complete under its name either way.
  }
}

const directSink = (path: string): ByteSink =>
  descriptorSink(
    path,
    openOutput(path, path, 'w'),
    () => undefined,
    () => undefined,
  );

function stdoutSink(): ByteSink {
  const path = 'standard output';
  let written = 0;
  // The callback of the write tells; an error event that nobody hears would end the process.
  const ignore = (): void => undefined;
  stdout.on('error', ignore);
  const finish = async (): Promise<void> => void stdout.off('error', ignore);
  return {
    name: path,
    write: (octets) =>
      new Promise<void>((resolve, reject) => {
        stdout.write(octets, (error) => {
          if (error != null) return reject(writeFailure(path, written, error));
          written += octets.length;
          resolve();
        });
      }),
    finish,
    abort: finish,
  };
}
