/**
 * What the readers of pcap and pcapng have in common: the state of one capture being read, and its limits.
 */
import type { RecordBurst } from './burst.ts';
import type { Chunk } from './chunk.ts';
import { CaptureError, type CaptureErrorCode } from './error.ts';
import type { Notes } from './notes.ts';

/** libpcap's MAXIMUM_SNAPLEN, and what tshark accepts for all link types but D-Bus and USB. */
export const MAXIMUM_CAPTURED_LENGTH = 262_144;
/** Beyond it a number does not hold every nanosecond. */
export const EXACT_NANOSECONDS = Number.MAX_SAFE_INTEGER;

export interface CaptureInterface {
  /** Index within the file, over all sections. */
  readonly index: number;
  /** Section of the file, from 0, and the id of the interface in it. */
  readonly section: number;
  readonly id: number;
  /** if_name, null if the file does not say. Untrusted text: escape it before printing. */
  readonly name: string | null;
  readonly description: string | null;
  readonly linkType: number;
  /** 262,144 where the file says 0 (no limit) or more. */
  readonly snapLength: number;
  /** Time units per second. */
  readonly unitsPerSecond: bigint;
  /** if_tsoffset in seconds. */
  readonly offsetSeconds: bigint;
  /** Octets of frame check sequence behind each packet, null if the file does not say. */
  readonly fcsLength: number | null;
}

export interface Reading {
  readonly chunk: Chunk;
  readonly notes: Notes;
  readonly interfaces: CaptureInterface[];
  /** Value of RecordBurst.file. */
  readonly file: number;
  /** Nanoseconds since 1970 of time 0; null until the first packet fixed it. */
  epochNanoseconds: bigint | null;
  /** Packets handed out. */
  packets: number;
  /** Time of the packet before. */
  lastTime: number;
  /** What stopped the reading; thrown by the next call of fill. */
  damage: CaptureError | null;
}

export interface Problem {
  readonly code: CaptureErrorCode;
  /** Position in the chunk. */
  readonly at: number;
  /** False for damage that belongs to no packet. */
  readonly packet?: boolean;
  readonly field: string;
  readonly got: number | bigint | string;
  readonly limit?: number | bigint | string;
  readonly what: string;
}

export function damaged(reading: Reading, problem: Problem): CaptureError {
  const { chunk } = reading;
  return new CaptureError({
    code: problem.code,
    file: chunk.source.name,
    offset: chunk.offset + problem.at,
    packet: problem.packet === false ? null : reading.packets + 1,
    field: problem.field,
    got: problem.got,
    limit: problem.limit ?? null,
    what: problem.what,
  });
}

/** Give `burst` the memory of the chunk. */
export function lend(chunk: Chunk, burst: RecordBurst): void {
  burst.view = chunk.view;
  burst.octets = chunk.octets;
}
