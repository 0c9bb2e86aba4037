/**
 * CaptureReader: packets of a pcap or pcapng file, burst by burst, in constant memory and without copying.
 *
 *   const reader = await open(source);
 *   do {
 *     while (reader.fill(burst) > 0) ...   // rows [0, burst.count), valid until refill
 *   } while (await reader.refill());
 *   await reader.close();
 *
 * `fill` locates records in the chunk that is in memory and never waits; `refill` reads the next chunk. A damaged or
 * truncated file throws CaptureError, from `fill` or `refill`, after all whole packets before the damage were given.
 */
import { type Arena, heap } from '../memory/arena.ts';
import type { Pcapng } from './blocks.ts';
import type { RecordBurst } from './burst.ts';
import * as chunks from './chunk.ts';
import { CaptureError } from './error.ts';
import * as looks from './looks.ts';
import type { Notes } from './notes.ts';
import * as pcap from './pcap.ts';
import * as pcapng from './pcapng.ts';
import type { CaptureInterface, Reading } from './reading.ts';
import type { ByteSource } from './source.ts';

/** Records one after the other; of one capture, or of several merged by time. */
export interface RecordSource {
  /** Nanoseconds since 1970 of time 0 in the bursts: the time of the first record; 0 before there is one. */
  readonly epochNanoseconds: bigint;
  /** Packets handed out. */
  readonly packets: number;
  /** Locate up to 256 packets in `burst`. Gives how many; 0 if `refill` has to be asked. Throws CaptureError. */
  fill(burst: RecordBurst): number;
  /**
   * Let `loop`, compiled code, read on by itself in what is in memory, with `burst` for its rows: it is given the offset of a block of
   * `locating.ts` and gives the rows of the last burst that are left to do. Gives the same; 0 when it cannot.
   */
  readonly lendTo?: ((burst: RecordBurst, loop: (state: number) => number) => number) | undefined;
  /** Read on; the octets of earlier bursts are gone. False at the end of the capture. Throws CaptureError. */
  refill(): Promise<boolean>;
  close(): Promise<void>;
}

export interface CaptureReader extends RecordSource {
  readonly name: string;
  readonly format: 'pcap' | 'pcapng';
  /** All interfaces met so far, over all sections. */
  readonly interfaces: readonly CaptureInterface[];
  readonly notes: Readonly<Notes>;
  /** Comments (opt_comment) of a packet in a burst of this reader, before the next `refill`. Untrusted text. */
  comments(burst: Readonly<RecordBurst>, row: number): string[];
  /**
   * Nanoseconds since 1970 of a packet in a burst of this reader, before the next `refill`; null for a packet without a
   * time. Exact where `burst.time`, a number, is too far from the epoch to be.
   */
  timestamp(burst: Readonly<RecordBurst>, row: number): bigint | null;
}

export interface OpenOptions {
  /** Value of RecordBurst.file; 0 unless said otherwise. */
  readonly file?: number;
  /** Octets of one read; 1 MiB unless said otherwise, at least 4 KiB. */
  readonly chunkLength?: number;
  /** Where the octets are kept; the heap unless said otherwise. */
  readonly arena?: Arena;
}

const MINIMUM_CHUNK_LENGTH = 4096;
const DEFAULT_CHUNK_LENGTH = 1024 * 1024;
/** Enough to tell what a file is that is no capture. */
const LOOK_LENGTH = 512;

/** Open a capture; the source is closed if this throws. Throws CaptureError. */
export async function open(source: ByteSource, options: OpenOptions = {}): Promise<CaptureReader> {
  try {
    const wanted = options.chunkLength ?? DEFAULT_CHUNK_LENGTH;
    const fitting = source.size === null ? wanted : Math.min(wanted, source.size + 1);
    const chunk = chunks.create(source, Math.max(fitting, MINIMUM_CHUNK_LENGTH), options.arena ?? heap);
    return await recognise(chunk, options.file ?? 0);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function recognise(chunk: chunks.Chunk, file: number): Promise<CaptureReader> {
  const { name } = chunk.source;
  chunk.need = 4;
  await chunks.more(chunk);
  if (chunk.end === 0) {
    throw new CaptureError({ code: 'capture.empty', file: name, offset: 0, field: 'file', got: 0, what: 'empty file' });
  }
  if (chunk.end >= 4) {
    if (pcap.byteOrder(chunk.view, 0) !== null) return readerOfPcap(await pcap.open(chunk, file));
    if (chunk.view.getUint32(0) === pcapng.SECTION_HEADER) return readerOfPcapng(await pcapng.open(chunk, file));
  }
  chunk.need = LOOK_LENGTH;
  await chunks.more(chunk);
  const octets = chunk.octets.subarray(0, Math.min(chunk.end, LOOK_LENGTH));
  const what = `not a pcap or pcapng file: ${looks.describe(octets)}`;
  const got = Array.from(octets.subarray(0, 4), (octet) => octet.toString(16).padStart(2, '0')).join('');
  throw new CaptureError({ code: 'capture.format', file: name, offset: 0, field: 'magic', got, what });
}

/** Read on; true if there is more to locate, false at a clean end, and null where the file ends inside a record. */
async function readOn(chunk: chunks.Chunk, notes: Notes): Promise<boolean | null> {
  if (await chunks.more(chunk)) {
    chunks.readAhead(chunk);
    return true;
  }
  const { size } = chunk.source;
  if (size !== null && chunk.offset + chunk.end !== size) notes.sizeChanged = 1;
  return chunk.end > chunk.at ? null : false;
}

/** What differs between the formats; everything is asked once per burst or less. */
interface Format {
  fill(burst: RecordBurst): number;
  readonly lendTo?: RecordSource['lendTo'];
  truncated(): CaptureError;
  comments(at: number, captured: number): string[];
  timestamp(at: number, interfaceIndex: number): bigint | null;
}

function readerOfPcap(reading: pcap.Pcap): CaptureReader {
  return readerOf(reading, 'pcap', {
    fill: (burst) => pcap.fill(reading, burst),
    lendTo: (burst, loop) => pcap.lendTo(reading, burst, loop),
    truncated: () => pcap.truncated(reading),
    comments: () => [],
    timestamp: (at) => pcap.timestamp(reading, at),
  });
}

function readerOfPcapng(reading: Pcapng): CaptureReader {
  return readerOf(reading, 'pcapng', {
    fill: (burst) => pcapng.fill(reading, burst),
    truncated: () => pcapng.truncated(reading),
    comments: (at, captured) => pcapng.comments(reading, at, captured),
    timestamp: (at, interfaceIndex) => pcapng.timestamp(reading, at, interfaceIndex),
  });
}

function readerOf(reading: Reading, name: 'pcap' | 'pcapng', format: Format): CaptureReader {
  const { chunk } = reading;
  return {
    name: chunk.source.name,
    format: name,
    interfaces: reading.interfaces,
    notes: reading.notes,
    get epochNanoseconds() {
      return reading.epochNanoseconds ?? 0n;
    },
    get packets() {
      return reading.packets;
    },
    fill: (burst) => format.fill(burst),
    lendTo: format.lendTo,
    async refill() {
      const going = await readOn(chunk, reading.notes);
      if (going === null) throw format.truncated();
      return going;
    },
    close: () => chunks.close(chunk),
    comments: (burst, row) => format.comments(burst.offset[row]! - chunk.offset, burst.end[row]! - burst.at[row]!),
    timestamp: (burst, row) => format.timestamp(burst.offset[row]! - chunk.offset, burst.interfaceIndex[row]!),
  };
}
