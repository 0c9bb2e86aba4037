/**
 * pcapng files: draft-ietf-opsawg-pcapng section 3.1 (blocks) and 4.3 (Enhanced Packet Block), appendix A (Packet Block).
 *
 *   Enhanced Packet Block  0: 6:32  4: totalLength:32  8: interfaceId:32  12: timeHigh:32  16: timeLow:32
 *                          20: capturedLength:32  24: originalLength:32  28: octets, padded; options; totalLength again
 *   Packet Block           the same with type 2 and 8: interfaceId:16 drops:16
 *   Simple Packet Block    0: 3:32  4: totalLength:32  8: originalLength:32  12: octets, padded; totalLength again
 *
 * Name resolution, statistics, secrets, journal, custom and unknown blocks are passed over by their length; what is in
 * them is not looked at. The section length is not used: writers get it wrong, and no reader needs it.
 */
import {
  badByteOrder,
  badOption,
  badTotal,
  badTrailer,
  beyondBlock,
  beyondMaximum,
  type Pcapng,
  wholeBlock,
} from './blocks.ts';
import { BURST_CAPACITY, type RecordBurst } from './burst.ts';
import { type Chunk, more } from './chunk.ts';
import * as clock from './clock.ts';
import type { CaptureError } from './error.ts';
import { create as createNotes } from './notes.ts';
import * as options from './options.ts';
import { damaged, EXACT_NANOSECONDS, lend, MAXIMUM_CAPTURED_LENGTH } from './reading.ts';
import { addInterface, BYTE_ORDER_MAGIC, beginSection, INTERFACE_MINIMUM, SECTION_HEADER_MINIMUM } from './section.ts';

export const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const PACKET = 2;
const SIMPLE_PACKET = 3;
const NAME_RESOLUTION = 4;
const INTERFACE_STATISTICS = 5;
const ENHANCED_PACKET = 6;
const DECRYPTION_SECRETS = 10;
const CUSTOM = 0xbad;
const CUSTOM_NOT_COPIED = 0x4000_0bad;

const BLOCK_MINIMUM = 12;
const PACKET_MINIMUM = 32;
const SIMPLE_MINIMUM = 16;
const PACKET_OCTETS = 28;
const SIMPLE_OCTETS = 12;
/** libpcap's limits (sf-pcapng.c): 16 MiB for a block, 1 MiB for a section header. */
const MAXIMUM_BLOCK_LENGTH = 16 * 1024 * 1024;
const MAXIMUM_SECTION_HEADER_LENGTH = 1024 * 1024;

/** Fixed parts of the blocks that are passed over; a shorter one is damaged. */
const MINIMUM_OF_SKIPPED: ReadonlyMap<number, number> = new Map([
  [SIMPLE_PACKET, SIMPLE_MINIMUM],
  [NAME_RESOLUTION, 16],
  [INTERFACE_STATISTICS, 24],
  [DECRYPTION_SECRETS, 20],
  [CUSTOM, 16],
  [CUSTOM_NOT_COPIED, 16],
]);

/** Why the walk over blocks stopped. */
const FULL = 0;
const NEED = 1;
const DAMAGE = 2;

/** Read the section header that begins the chunk; its first four octets were recognised. */
export async function open(chunk: Chunk, file: number): Promise<Pcapng> {
  const pcapng: Pcapng = {
    format: 'pcapng',
    chunk,
    notes: createNotes(),
    interfaces: [],
    clocks: [],
    file,
    epochNanoseconds: null,
    packets: 0,
    lastTime: 0,
    damage: null,
    littleEndian: true,
    section: -1,
    firstInterface: 0,
    sectionEnd: null,
  };
  while (pcapng.section < 0) {
    const why = passBlock(pcapng);
    if (why === DAMAGE) throw pcapng.damage as CaptureError;
    if (why === NEED && !(await more(chunk))) throw truncated(pcapng);
  }
  return pcapng;
}

/** Locate up to 256 packets in the chunk. Gives how many; 0 if it holds no further whole one. Throws CaptureError. */
export function fill(pcapng: Pcapng, burst: RecordBurst): number {
  burst.count = 0;
  lend(pcapng.chunk, burst);
  if (pcapng.damage !== null) throw pcapng.damage;
  if (locate(pcapng, burst) === DAMAGE) {
    pcapng.damage ??= diagnose(pcapng);
    if (burst.count === 0) throw pcapng.damage;
  }
  return burst.count;
}

/** The walk itself; every length is compared with what is there before it is used. */
function locate(pcapng: Pcapng, burst: RecordBurst): number {
  const { chunk, notes, file, interfaces } = pcapng;
  const { view, end, offset } = chunk;
  const first = pcapng.packets + 1;
  let littleEndian = pcapng.littleEndian;
  let lastTime = pcapng.lastTime;
  let at = chunk.at;
  let row = 0;
  let why = FULL;
  // What is known of the interface of the packet before.
  let known = -1;
  let index = 0;
  let linkType = 0;
  let snapLength = 0;
  let scale = 0;
  let baseHigh = 0;
  let baseLow = 0;
  let remainder = 0;
  while (row < BURST_CAPACITY) {
    const left = end - at;
    if (left < BLOCK_MINIMUM) {
      chunk.need = left === 0 ? 1 : BLOCK_MINIMUM;
      why = NEED;
      break;
    }
    const type = view.getUint32(at, littleEndian);
    if (type !== ENHANCED_PACKET && type !== PACKET) {
      chunk.at = at;
      pcapng.lastTime = lastTime;
      pcapng.packets = first + row - 1;
      if (type === SIMPLE_PACKET && interfaces.length > pcapng.firstInterface) {
        why = simplePacket(pcapng, burst, row, first + row);
        if (why === FULL) row++;
      } else {
        why = passBlock(pcapng);
      }
      if (why !== FULL) break;
      at = chunk.at;
      littleEndian = pcapng.littleEndian;
      known = -1;
      continue;
    }
    const total = view.getUint32(at + 4, littleEndian);
    if (total < PACKET_MINIMUM || total > MAXIMUM_BLOCK_LENGTH || (total & 3) !== 0) {
      why = DAMAGE;
      break;
    }
    if (total > left) {
      chunk.need = total;
      why = NEED;
      break;
    }
    const captured = view.getUint32(at + 20, littleEndian);
    if (
      captured > total - PACKET_MINIMUM ||
      captured > MAXIMUM_CAPTURED_LENGTH ||
      view.getUint32(at + total - 4, littleEndian) !== total ||
      (total - PACKET_MINIMUM - captured > 3 &&
        !options.fit(view, at + PACKET_OCTETS + options.padded(captured), at + total - 4, littleEndian))
    ) {
      why = DAMAGE;
      break;
    }
    const id = type === PACKET ? view.getUint16(at + 8, littleEndian) : view.getUint32(at + 8, littleEndian);
    const high = view.getUint32(at + 12, littleEndian);
    const low = view.getUint32(at + 16, littleEndian);
    if (id !== known) {
      index = pcapng.firstInterface + id;
      if (index >= interfaces.length) {
        notes.unknownInterface++;
        at += total;
        continue;
      }
      const from = readyClock(pcapng, index, high, low);
      const described = interfaces[index]!;
      known = id;
      linkType = described.linkType;
      snapLength = described.snapLength;
      scale = from.scale;
      baseHigh = from.baseHigh;
      baseLow = from.baseLow;
      remainder = from.remainder;
    }
    const time =
      scale === 0
        ? Number(clock.nanoseconds(pcapng.clocks[index]!, high, low) - pcapng.epochNanoseconds!)
        : ((high - baseHigh) * 4_294_967_296 + (low - baseLow)) * scale + remainder;
    const original = view.getUint32(at + 24, littleEndian);
    if (captured > snapLength) notes.capturedBeyondSnapLength++;
    if (captured > original) notes.capturedBeyondOriginal++;
    if (time < lastTime) notes.timeBackwards++;
    if (time > EXACT_NANOSECONDS || time < -EXACT_NANOSECONDS) notes.timeInexact++;
    lastTime = time;
    burst.at[row] = at + PACKET_OCTETS;
    burst.end[row] = at + PACKET_OCTETS + captured;
    burst.originalLength[row] = original;
    burst.time[row] = time;
    burst.linkType[row] = linkType;
    burst.interfaceIndex[row] = index;
    burst.file[row] = file;
    burst.packet[row] = first + row;
    burst.offset[row] = offset + at;
    at += total;
    row++;
  }
  chunk.at = at;
  pcapng.lastTime = lastTime;
  pcapng.packets = first + row - 1;
  burst.count = row;
  return why;
}

/** The clock of an interface, set to the epoch of the file, which the first packet with a time fixes. */
function readyClock(pcapng: Pcapng, index: number, high: number, low: number): clock.Clock {
  const from = pcapng.clocks[index]!;
  pcapng.epochNanoseconds ??= clock.nanoseconds(from, high, low);
  if (!from.ready) clock.setEpoch(from, pcapng.epochNanoseconds);
  return from;
}

/** A Simple Packet Block belongs to interface 0, has no time, and is as long as the snapshot length lets it be. */
function simplePacket(pcapng: Pcapng, burst: RecordBurst, row: number, number: number): number {
  const { chunk, notes } = pcapng;
  const { view, at } = chunk;
  const total = wholeBlock(pcapng, SIMPLE_MINIMUM, MAXIMUM_BLOCK_LENGTH, pcapng.littleEndian);
  if (total <= 0) return total === 0 ? NEED : DAMAGE;
  const described = pcapng.interfaces[pcapng.firstInterface]!;
  const original = view.getUint32(at + 8, pcapng.littleEndian);
  const captured = Math.min(original, described.snapLength);
  if (captured > total - SIMPLE_MINIMUM) {
    pcapng.damage = beyondBlock(pcapng, captured, total - SIMPLE_MINIMUM);
    return DAMAGE;
  }
  notes.withoutTime++;
  burst.at[row] = at + SIMPLE_OCTETS;
  burst.end[row] = at + SIMPLE_OCTETS + captured;
  burst.originalLength[row] = original;
  burst.time[row] = pcapng.lastTime;
  burst.linkType[row] = described.linkType;
  burst.interfaceIndex[row] = pcapng.firstInterface;
  burst.file[row] = pcapng.file;
  burst.packet[row] = number;
  burst.offset[row] = chunk.offset + at;
  chunk.at = at + total;
  return FULL;
}

/** Act on a block without a packet, or pass over it. FULL: it is behind us. */
function passBlock(pcapng: Pcapng): number {
  const { chunk, notes } = pcapng;
  const { view, at, end } = chunk;
  if (end - at < BLOCK_MINIMUM) {
    chunk.need = BLOCK_MINIMUM;
    return NEED;
  }
  const type = view.getUint32(at, pcapng.littleEndian);
  let problem: CaptureError | null = null;
  let total: number;
  if (type === SECTION_HEADER) {
    const littleEndian = view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC;
    if (!littleEndian && view.getUint32(at + 8, false) !== BYTE_ORDER_MAGIC) {
      pcapng.damage = badByteOrder(pcapng);
      return DAMAGE;
    }
    total = wholeBlock(pcapng, SECTION_HEADER_MINIMUM, MAXIMUM_SECTION_HEADER_LENGTH, littleEndian);
    if (total > 0) problem = beginSection(pcapng, littleEndian);
  } else if (type === INTERFACE_DESCRIPTION) {
    total = wholeBlock(pcapng, INTERFACE_MINIMUM, MAXIMUM_BLOCK_LENGTH, pcapng.littleEndian);
    if (total > 0) problem = addInterface(pcapng, total);
  } else {
    total = wholeBlock(
      pcapng,
      MINIMUM_OF_SKIPPED.get(type) ?? BLOCK_MINIMUM,
      MAXIMUM_BLOCK_LENGTH,
      pcapng.littleEndian,
    );
    // A packet without an interface; otherwise a block of no interest.
    if (total > 0 && type === SIMPLE_PACKET) notes.unknownInterface++;
    else if (total > 0) notes.skippedBlocks++;
  }
  if (problem !== null) pcapng.damage = problem;
  if (problem !== null || total < 0) return DAMAGE;
  if (total === 0) return NEED;
  chunk.at = at + total;
  return FULL;
}

/** The damage that stopped the walk at a packet block. */
function diagnose(pcapng: Pcapng): CaptureError {
  const { view, at } = pcapng.chunk;
  const { littleEndian } = pcapng;
  const total = view.getUint32(at + 4, littleEndian);
  if (total < PACKET_MINIMUM || total > MAXIMUM_BLOCK_LENGTH || total % 4 !== 0) {
    return badTotal(pcapng, total, PACKET_MINIMUM, MAXIMUM_BLOCK_LENGTH);
  }
  const got = view.getUint32(at + 20, littleEndian);
  if (got > MAXIMUM_CAPTURED_LENGTH) return beyondMaximum(pcapng, got, MAXIMUM_CAPTURED_LENGTH);
  if (got > total - PACKET_MINIMUM) return beyondBlock(pcapng, got, total - PACKET_MINIMUM);
  const trailing = view.getUint32(at + total - 4, littleEndian);
  if (trailing !== total) return badTrailer(pcapng, total, trailing);
  return badOption(pcapng, at + PACKET_OCTETS + options.padded(got), at + total - 4, littleEndian);
}

/** The error for a file that ends inside the block at the front of the chunk. */
export function truncated(pcapng: Pcapng): CaptureError {
  const { at, end, need } = pcapng.chunk;
  const got = end - at;
  const packet = pcapng.section >= 0;
  const what = `file ends inside a block: got ${got} of ${need} octets`;
  return damaged(pcapng, { code: 'capture.truncated', at, packet, field: 'block', got, limit: need, what });
}

/** Byte order of the packet block at `at`; the section that the reader has come to may have another one. */
const orderOf = (view: DataView, at: number): boolean => view.getUint32(at, true) < 0x1_0000;

/** Comments of the packet block at `at` of the chunk, which holds `captured` octets. */
export function comments(pcapng: Pcapng, at: number, captured: number): string[] {
  const { view, octets } = pcapng.chunk;
  const littleEndian = orderOf(view, at);
  const found: string[] = [];
  if (view.getUint32(at, littleEndian) === SIMPLE_PACKET) return found;
  const text = new TextDecoder();
  const end = at + view.getUint32(at + 4, littleEndian) - 4;
  options.walk(view, at + PACKET_OCTETS + options.padded(captured), end, littleEndian, (code, start, length) => {
    if (code === options.COMMENT) found.push(text.decode(octets.subarray(start, start + length)));
  });
  return found;
}

/** Nanoseconds since 1970 of the packet block at `at` of the chunk; null if it has no time. */
export function timestamp(pcapng: Pcapng, at: number, interfaceIndex: number): bigint | null {
  const { view } = pcapng.chunk;
  const littleEndian = orderOf(view, at);
  if (view.getUint32(at, littleEndian) === SIMPLE_PACKET) return null;
  const [high, low] = [view.getUint32(at + 12, littleEndian), view.getUint32(at + 16, littleEndian)];
  return clock.nanoseconds(pcapng.clocks[interfaceIndex]!, high, low);
}
