/**
 * pcap files: draft-ietf-opsawg-pcap section 4 (file header) and section 5 (packet record).
 *
 *   file header      0: magic:32  4: major:16 minor:16  8: reserved:32  12: reserved:32  16: snapLength:32
 *                    20: fcsLength:4 reserved:1 fcsPresent:1 reserved:10 linkType:16
 *   packet record    0: seconds:32  4: fraction:32  8: capturedLength:32  12: originalLength:32
 *   modified record  16: interfaceIndex:32 protocol:16 packetType:8 padding:8 (magic a1b2cd34, libpcap patched by SuSE and Red Hat)
 *
 * Captured and original length stand the other way round in files before version 2.3, and in some that say 2.3; libpcap
 * (sf-pcap.c) and Wireshark (libpcap.c) exchange them in the same way.
 */
import { BURST_CAPACITY, type RecordBurst } from './burst.ts';
import { type Chunk, more } from './chunk.ts';
import { CaptureError } from './error.ts';
import { createLocating, handOver, type Locating, locateOn, takeOver } from './locating.ts';
import { create as createNotes } from './notes.ts';
import { damaged, EXACT_NANOSECONDS, lend, MAXIMUM_CAPTURED_LENGTH, type Reading } from './reading.ts';

export const FILE_HEADER_LENGTH = 24;
export const RECORD_HEADER_LENGTH = 16;
const MODIFIED_RECORD_HEADER_LENGTH = 24;

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
export const MAGIC_NANOSECONDS = 0xa1b23c4d;
const MAGIC_MODIFIED = 0xa1b2cd34;

const SECONDS = 0;
const FRACTION = 4;
const CAPTURED_LENGTH = 8;
const ORIGINAL_LENGTH = 12;

/** How the two lengths of a record stand. */
const IN_ORDER = 0;
const EXCHANGED = 1;
/** Version 2.3: exchanged where the captured length would be the larger one. */
const EXCHANGED_IF_LARGER = 2;

/** Why the walk over records stopped. */
const FULL = 0;
const NEED = 1;
const TOO_LONG = 2;
const SECOND_HEADER = 3;

export interface Pcap extends Reading {
  readonly format: 'pcap';
  readonly littleEndian: boolean;
  readonly recordHeaderLength: number;
  readonly lengths: number;
  readonly snapLength: number;
  readonly linkType: number;
  /** Nanoseconds per unit of the fraction: 1000 or 1. */
  readonly scale: number;
  epochSeconds: number;
  epochFraction: number;
  /** Compiled code for records of this file; null without it. */
  readonly locating: Locating | null;
}

const MAGICS: readonly number[] = [MAGIC_MICROSECONDS, MAGIC_NANOSECONDS, MAGIC_MODIFIED];

/** 'little', 'big', or null if the four octets at `at` are no magic of a pcap file. */
export function byteOrder(view: DataView, at: number): 'little' | 'big' | null {
  if (MAGICS.includes(view.getUint32(at, true))) return 'little';
  return MAGICS.includes(view.getUint32(at, false)) ? 'big' : null;
}

function lengthOrder(major: number, minor: number): number {
  if (major !== 2 || minor < 3) return EXCHANGED;
  return minor === 3 ? EXCHANGED_IF_LARGER : IN_ORDER;
}

/** Read the file header that begins the chunk; `byteOrder` has recognised its magic. */
export async function open(chunk: Chunk, file: number): Promise<Pcap> {
  const name = chunk.source.name;
  chunk.need = FILE_HEADER_LENGTH;
  if (!(await more(chunk))) {
    const what = `truncated file header: got ${chunk.end} of ${FILE_HEADER_LENGTH} octets`;
    const field = 'file header';
    throw new CaptureError({
      code: 'capture.truncated',
      file: name,
      offset: 0,
      field,
      got: chunk.end,
      limit: 24,
      what,
    });
  }
  const view = chunk.view;
  const littleEndian = byteOrder(view, 0) === 'little';
  const major = view.getUint16(4, littleEndian);
  const minor = view.getUint16(6, littleEndian);
  checkVersion(name, major, minor);
  const network = view.getUint32(20, littleEndian);
  checkReserved(name, network);
  const magic = view.getUint32(0, littleEndian);
  const statedSnapLength = view.getUint32(16, littleEndian);
  const snapLength =
    statedSnapLength === 0 || statedSnapLength > MAXIMUM_CAPTURED_LENGTH ? MAXIMUM_CAPTURED_LENGTH : statedSnapLength;
  const nanoseconds = magic === MAGIC_NANOSECONDS;
  const linkType = network & 0xffff;
  const recordHeaderLength = magic === MAGIC_MODIFIED ? MODIFIED_RECORD_HEADER_LENGTH : RECORD_HEADER_LENGTH;
  const lengths = lengthOrder(major, minor);
  const scale = nanoseconds ? 1 : 1000;
  const format = { littleEndian, recordHeaderLength, snapLength, linkType, scale };
  chunk.at = FILE_HEADER_LENGTH;
  chunk.need = 1;
  return {
    format: 'pcap',
    chunk,
    notes: createNotes(),
    interfaces: [
      {
        index: 0,
        section: 0,
        id: 0,
        name: null,
        description: null,
        linkType,
        snapLength,
        unitsPerSecond: nanoseconds ? 1_000_000_000n : 1_000_000n,
        offsetSeconds: 0n,
        // In units of 16 bits.
        fcsLength: (network & 0x04000000) === 0 ? null : (network >>> 28) * 2,
      },
    ],
    file,
    epochNanoseconds: null,
    packets: 0,
    lastTime: 0,
    damage: null,
    ...format,
    lengths,
    epochSeconds: 0,
    epochFraction: 0,
    locating: lengths === IN_ORDER ? createLocating(chunk.arena, file, format) : null,
  };
}

function checkVersion(file: string, major: number, minor: number): void {
  if (major === 2 && minor <= 4) return;
  const got = `${major}.${minor}`;
  const what = `unsupported pcap version ${got}: 2.0 to 2.4 are read`;
  throw new CaptureError({ code: 'capture.version', file, offset: 4, field: 'version', got, limit: '2.4', what });
}

function checkReserved(file: string, network: number): void {
  if ((network & 0x03ff0000) === 0) return;
  const got = `0x${network.toString(16).padStart(8, '0')}`;
  const what = `reserved bits of the link type are set: got ${got}, expected none of 0x03ff0000`;
  throw new CaptureError({ code: 'capture.unsupported', file, offset: 20, field: 'linkType', got, limit: 0, what });
}

/** Locate up to 256 records in the chunk. Gives how many; 0 if it holds no further whole one. Throws CaptureError. */
export function fill(pcap: Pcap, burst: RecordBurst): number {
  burst.count = 0;
  lend(pcap.chunk, burst);
  if (pcap.damage !== null) throw pcap.damage;
  const why = locate(pcap, burst);
  if (why !== TOO_LONG && why !== SECOND_HEADER) return burst.count;
  pcap.damage = why === TOO_LONG ? tooLong(pcap) : secondHeader(pcap);
  if (burst.count === 0) throw pcap.damage;
  return burst.count;
}

/** Let `loop`, compiled code, read on by itself: it is given a block of `locating.ts`. Gives what it gives; 0 if it cannot. */
export function lendTo(pcap: Pcap, burst: RecordBurst, loop: (state: number) => number): number {
  const { locating, chunk } = pcap;
  if (locating === null || pcap.damage !== null || pcap.epochNanoseconds === null) return 0;
  lend(chunk, burst);
  if (!handOver(locating, chunk, burst, pcap)) return 0;
  const rows = loop(locating.state);
  takeOver(locating, chunk, pcap);
  return rows;
}

/** The walk itself; every length is compared with what is there before it is used. */
function locate(pcap: Pcap, burst: RecordBurst): number {
  const { chunk, notes, littleEndian, recordHeaderLength, lengths, snapLength, scale, linkType, file } = pcap;
  const { view, end, offset } = chunk;
  const fractions = 1_000_000_000 / scale;
  if (pcap.epochNanoseconds === null && end - chunk.at >= RECORD_HEADER_LENGTH) fixEpoch(pcap);
  const { epochSeconds, epochFraction } = pcap;
  const first = pcap.packets + 1;
  let row = pcap.locating === null ? 0 : locateOn(pcap.locating, chunk, burst, pcap);
  let lastTime = pcap.lastTime;
  let at = chunk.at;
  let why = FULL;
  while (row < BURST_CAPACITY) {
    if (end - at < recordHeaderLength) {
      chunk.need = at === end ? 1 : recordHeaderLength;
      why = NEED;
      break;
    }
    let captured = view.getUint32(at + CAPTURED_LENGTH, littleEndian);
    let original = view.getUint32(at + ORIGINAL_LENGTH, littleEndian);
    if (lengths !== IN_ORDER && (lengths === EXCHANGED || captured > original)) {
      const smaller = original;
      original = captured;
      captured = smaller;
      notes.lengthsExchanged++;
    }
    if (captured > MAXIMUM_CAPTURED_LENGTH) {
      why = TOO_LONG;
      break;
    }
    if (captured === 0 && byteOrder(view, at) !== null) {
      why = SECOND_HEADER;
      break;
    }
    const start = at + recordHeaderLength;
    if (captured > end - start) {
      chunk.need = recordHeaderLength + captured;
      why = NEED;
      break;
    }
    const fraction = view.getUint32(at + FRACTION, littleEndian);
    const time = (view.getUint32(at + SECONDS, littleEndian) - epochSeconds) * 1e9 + (fraction - epochFraction) * scale;
    if (captured > snapLength) notes.capturedBeyondSnapLength++;
    if (captured > original) notes.capturedBeyondOriginal++;
    if (fraction >= fractions) notes.fractionBeyondSecond++;
    if (time < lastTime) notes.timeBackwards++;
    if (time > EXACT_NANOSECONDS || time < -EXACT_NANOSECONDS) notes.timeInexact++;
    lastTime = time;
    burst.at[row] = start;
    burst.end[row] = start + captured;
    burst.originalLength[row] = original;
    burst.time[row] = time;
    burst.linkType[row] = linkType;
    burst.interfaceIndex[row] = 0;
    burst.file[row] = file;
    burst.packet[row] = first + row;
    burst.offset[row] = offset + at;
    at = start + captured;
    row++;
  }
  chunk.at = at;
  pcap.lastTime = lastTime;
  pcap.packets = first - 1 + row;
  burst.count = row;
  return why;
}

/** Time 0 is the time of the first record. */
function fixEpoch(pcap: Pcap): void {
  const { view, at } = pcap.chunk;
  pcap.epochSeconds = view.getUint32(at + SECONDS, pcap.littleEndian);
  pcap.epochFraction = view.getUint32(at + FRACTION, pcap.littleEndian);
  pcap.epochNanoseconds = timestamp(pcap, at);
}

/** Nanoseconds since 1970 of the record at `at` of the chunk. */
export function timestamp(pcap: Pcap, at: number): bigint {
  const { view } = pcap.chunk;
  const seconds = BigInt(view.getUint32(at + SECONDS, pcap.littleEndian));
  return seconds * 1_000_000_000n + BigInt(view.getUint32(at + FRACTION, pcap.littleEndian) * pcap.scale);
}

function tooLong(pcap: Pcap): CaptureError {
  const { view, at } = pcap.chunk;
  const exchanged = pcap.lengths === EXCHANGED;
  const got = view.getUint32(at + (exchanged ? ORIGINAL_LENGTH : CAPTURED_LENGTH), pcap.littleEndian);
  const limit = MAXIMUM_CAPTURED_LENGTH;
  const magic = byteOrder(view, at) !== null || view.getUint32(at) === 0x0a0d0d0a;
  const hint = magic ? ', and the record begins like a second capture file: were two files joined?' : '';
  const what = `captured length ${got} is larger than the maximum ${limit}${hint}`;
  return damaged(pcap, { code: 'capture.corrupt', at, field: 'capturedLength', got, limit, what });
}

function secondHeader(pcap: Pcap): CaptureError {
  const { view, at } = pcap.chunk;
  const got = `0x${view.getUint32(at, pcap.littleEndian).toString(16).padStart(8, '0')}`;
  const what = `record header begins with ${got}, which looks like a second pcap header: were two files joined?`;
  return damaged(pcap, { code: 'capture.corrupt', at, field: 'seconds', got, what });
}

/** The error for a file that ends inside the record at the front of the chunk. */
export function truncated(pcap: Pcap): CaptureError {
  const { at, end, need } = pcap.chunk;
  const header = pcap.recordHeaderLength;
  const left = end - at;
  if (left < header) {
    const what = `file ends inside a record header: got ${left} of ${header} octets`;
    return damaged(pcap, { code: 'capture.truncated', at, field: 'record header', got: left, limit: header, what });
  }
  const what = `record claims ${need - header} octets, ${left - header} left`;
  const field = 'capturedLength';
  return damaged(pcap, { code: 'capture.truncated', at, field, got: need - header, limit: left - header, what });
}
