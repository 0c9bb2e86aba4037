/**
 * Text files as people name them: read whole, within a limit, as strict UTF-8; `-` is standard input.
 *
 * Pipes and process substitutions are read as they come. Errors name the file:
 *
 *     ERR_INPUT_UNREADABLE   the operating system refused, in its own words
 *     ERR_INPUT_LIMIT        more octets than any input of this kind has
 *     ERR_INPUT_COMPRESSED   gzip or zstd, which text is not read from
 *     ERR_INPUT_ENCODING     not UTF-8, with the offset of the first octet at fault
 */
import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';

export type InputErrorCode = 'ERR_INPUT_UNREADABLE' | 'ERR_INPUT_LIMIT' | 'ERR_INPUT_COMPRESSED' | 'ERR_INPUT_ENCODING';

export class InputError extends Error {
  override readonly name = 'InputError';
  readonly code: InputErrorCode;
  readonly file: string;

  constructor(code: InputErrorCode, file: string, what: string, cause?: unknown) {
    super(`${file}: ${what}`, { cause });
    this.code = code;
    this.file = file;
  }
}

/** Reads a file, by the name that the user gave it, as text. */
export type ReadText = (file: string) => Promise<string>;

/** The rules of a cell with 250 containers and 60,000 policies are about 20 MB. */
export const TEXT_LIMIT = 256 * 1024 * 1024;

const STANDARD_INPUT = '-';

/** What a file is called in messages. */
export const nameOfFile = (file: string): string => (file === STANDARD_INPUT ? 'standard input' : file);

/** Read `file` as text; at most `limit` octets. Throws InputError. */
export async function readText(file: string, limit = TEXT_LIMIT): Promise<string> {
  const name = nameOfFile(file);
  const octets = await readOctets(file === STANDARD_INPUT ? process.stdin : createReadStream(file), name, limit);
  refuseCompressed(octets, name);
  if (!isUtf8(octets)) {
    const what = `got text that is not UTF-8 from offset ${firstBadOffset(octets)} on, expected UTF-8`;
    throw new InputError('ERR_INPUT_ENCODING', name, what);
  }
  return octets.toString('utf8');
}

async function readOctets(stream: Readable, name: string, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > limit) break;
    }
  } catch (error) {
    throw new InputError('ERR_INPUT_UNREADABLE', name, `cannot be read: ${reasonOf(error)}`, error);
  }
  if (length > limit) throw new InputError('ERR_INPUT_LIMIT', name, `got more than ${limit} octets, expected fewer`);
  return Buffer.concat(chunks, length);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EISDIR: 'it is a directory',
  ENOTDIR: 'part of its path is not a directory',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'its name is too long',
  ENXIO: 'nothing answers on it',
};

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return REASONS[code] ?? (error instanceof Error ? error.message : String(error));
}

function refuseCompressed(octets: Buffer, name: string): void {
  const program = octets.length >= 4 ? compressionOf(octets) : undefined;
  if (program === undefined) return;
  throw new InputError(
    'ERR_INPUT_COMPRESSED',
    name,
    `got ${program}-compressed data, expected text: try ${program} -dc`,
  );
}

function compressionOf(octets: Buffer): string | undefined {
  if (octets[0] === 0x1f && octets[1] === 0x8b) return 'gzip';
  return octets.readUInt32LE(0) === 0xfd2fb528 ? 'zstd' : undefined;
}

/** Everything before a replacement character that the text itself does not have was UTF-8. */
function firstBadOffset(octets: Buffer): number {
  const text = octets.toString('utf8');
  let at = 0;
  let offset = 0;
  for (;;) {
    const next = text.indexOf('\ufffd', at);
    if (next < 0) return offset;
    offset += Buffer.byteLength(text.slice(at, next));
    if (octets[offset] !== 0xef || octets[offset + 1] !== 0xbf || octets[offset + 2] !== 0xbd) return offset;
    offset += 3;
    at = next + 1;
  }
}
