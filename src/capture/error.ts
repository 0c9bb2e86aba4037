/**
 * What goes wrong with files, as people are told it: an error class with a stable code and every number of the message.
 *
 * Codes of CaptureError:
 *   capture.empty        no octets at all
 *   capture.format       not a capture, or one of a format that is not read; the message says what it looks like
 *   capture.version      a capture of a version that is not read
 *   capture.unsupported  a field has a value that is not read (if_tsresol, reserved bits of the link type)
 *   capture.truncated    the file ends in the middle of a header, record, block or compressed stream
 *   capture.corrupt      a field contradicts the format
 *   capture.limit        a limit that protects memory or time was reached
 *   capture.compression  the compressed stream is damaged
 *   capture.program      the program that decompresses is missing
 *   capture.unreadable   the operating system refused to open or read the file
 */
export type CaptureErrorCode =
  | 'capture.empty'
  | 'capture.format'
  | 'capture.version'
  | 'capture.unsupported'
  | 'capture.truncated'
  | 'capture.corrupt'
  | 'capture.limit'
  | 'capture.compression'
  | 'capture.program'
  | 'capture.unreadable';

/** Where and what; a null is a question that has no answer for this error (no packet number in a file header). */
export interface CaptureErrorDetails {
  readonly code: CaptureErrorCode;
  readonly file: string;
  /** Offset in the decompressed file. */
  readonly offset?: number | null;
  /** Number of the packet that could not be read, from 1. */
  readonly packet?: number | null;
  readonly field?: string | null;
  readonly got?: number | bigint | string | null;
  readonly limit?: number | bigint | string | null;
  /** The sentence behind the place: what is wrong, with its numbers. */
  readonly what: string;
}

function place(details: CaptureErrorDetails): string {
  const packet = details.packet == null ? '' : ` packet ${details.packet}`;
  const offset = details.offset == null ? '' : ` at offset ${details.offset}`;
  return `${details.file}:${packet}${offset}${packet === '' && offset === '' ? '' : ':'} `;
}

/** A capture that cannot be read on. All whole packets before the damage were handed out before this is thrown. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';
  readonly code: CaptureErrorCode;
  readonly file: string;
  readonly offset: number | null;
  readonly packet: number | null;
  readonly field: string | null;
  readonly got: number | bigint | string | null;
  readonly limit: number | bigint | string | null;

  constructor(details: CaptureErrorDetails, cause?: unknown) {
    super(`${place(details)}${details.what}`, cause === undefined ? undefined : { cause });
    this.code = details.code;
    this.file = details.file;
    this.offset = details.offset ?? null;
    this.packet = details.packet ?? null;
    this.field = details.field ?? null;
    this.got = details.got ?? null;
    this.limit = details.limit ?? null;
  }
}

/**
 * Codes of OutputError:
 *   output.write    the operating system refused to write (`systemCode` says why: ENOSPC, EIO, EFBIG, ...)
 *   output.closed   the reader of a pipe went away (EPIPE)
 *   output.is-input the output is a file that is being read
 *   output.special  the output exists and is not a regular file
 *   output.value    a value that the format cannot hold
 */
export type OutputErrorCode = 'output.write' | 'output.closed' | 'output.is-input' | 'output.special' | 'output.value';

export interface OutputErrorDetails {
  readonly code: OutputErrorCode;
  readonly path: string;
  /** Octets that were written before. */
  readonly written?: number;
  readonly systemCode?: string | null;
  readonly what: string;
}

/** An output that could not be written; nothing is left under its final name. */
export class OutputError extends Error {
  override readonly name = 'OutputError';
  readonly code: OutputErrorCode;
  readonly path: string;
  readonly written: number;
  readonly systemCode: string | null;

  constructor(details: OutputErrorDetails, cause?: unknown) {
    super(
      `${details.path}: ${details.what} (${details.written ?? 0} octets written)`,
      cause === undefined ? undefined : { cause },
    );
    this.code = details.code;
    this.path = details.path;
    this.written = details.written ?? 0;
    this.systemCode = details.systemCode ?? null;
  }
}
