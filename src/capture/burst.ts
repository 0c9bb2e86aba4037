/**
 * RecordBurst: up to `capacity` packet records of a capture, located in place.
 *
 * The arrays are parallel: row `i` of each belongs to the same packet. Offsets point into `view`; the octets are
 * borrowed from the reader and valid until it is asked for more. Times are nanoseconds since `epochNanoseconds` of the
 * source: exact for 104 days, the span in which a number holds every nanosecond.
 */
import { type Arena, heap } from '../memory/arena.ts';

export const BURST_CAPACITY = 256;

export interface RecordBurst {
  /** The octets that hold all packets of this burst; replaced by the reader when its buffer changes. */
  view: DataView;
  octets: Uint8Array;
  /** Rows in use, 0 to BURST_CAPACITY. */
  count: number;
  /** First octet of each packet. */
  readonly at: Uint32Array;
  /** One behind the last captured octet. */
  readonly end: Uint32Array;
  /** Length on the wire in octets; larger than `end - at` where the capture cut the packet. */
  readonly originalLength: Uint32Array;
  /** Nanoseconds since the source's epoch. */
  readonly time: Float64Array;
  /** LINKTYPE_ value of the interface that captured the packet. */
  readonly linkType: Uint16Array;
  /** Index of the interface within its file. */
  readonly interfaceIndex: Uint32Array;
  /** Index of the file, for several captures merged by time. */
  readonly file: Uint32Array;
  /** Number of the packet in its file, from 1. */
  readonly packet: Float64Array;
  /** Offset of the record in its (decompressed) file. */
  readonly offset: Float64Array;
}

const EMPTY = new Uint8Array(0);
const ROWS = BURST_CAPACITY;
/** Octets of one row in the columns that compiled code reads. */
const ROW_OCTETS = 46;

/**
 * An empty burst. Its columns stand one behind the other in `arena`, in the order of `native/layout.h`.
 */
export function create(arena: Arena = heap): RecordBurst {
  const { buffer, offset } = arena.allocate(ROWS * ROW_OCTETS);
  return {
    view: new DataView(EMPTY.buffer),
    octets: EMPTY,
    count: 0,
    at: new Uint32Array(buffer, offset, ROWS),
    end: new Uint32Array(buffer, offset + ROWS * 4, ROWS),
    originalLength: new Uint32Array(buffer, offset + ROWS * 8, ROWS),
    linkType: new Uint16Array(buffer, offset + ROWS * 12, ROWS),
    time: new Float64Array(buffer, offset + ROWS * 14, ROWS),
    interfaceIndex: new Uint32Array(buffer, offset + ROWS * 22, ROWS),
    file: new Uint32Array(buffer, offset + ROWS * 26, ROWS),
    packet: new Float64Array(buffer, offset + ROWS * 30, ROWS),
    offset: new Float64Array(buffer, offset + ROWS * 38, ROWS),
  };
}

/** Let row `from` and those behind it, up to `count`, become the first ones of `records`. */
export function dropRows(records: RecordBurst, from: number, count: number): void {
  records.at.copyWithin(0, from, count);
  records.end.copyWithin(0, from, count);
  records.originalLength.copyWithin(0, from, count);
  records.linkType.copyWithin(0, from, count);
  records.time.copyWithin(0, from, count);
  records.interfaceIndex.copyWithin(0, from, count);
  records.file.copyWithin(0, from, count);
  records.packet.copyWithin(0, from, count);
  records.offset.copyWithin(0, from, count);
  records.count = count - from;
}

/** Let row `from` become row `to`, at or before it. */
export function moveRow(records: RecordBurst, from: number, to: number): void {
  records.at[to] = records.at[from]!;
  records.end[to] = records.end[from]!;
  records.originalLength[to] = records.originalLength[from]!;
  records.linkType[to] = records.linkType[from]!;
  records.time[to] = records.time[from]!;
  records.interfaceIndex[to] = records.interfaceIndex[from]!;
  records.file[to] = records.file[from]!;
  records.packet[to] = records.packet[from]!;
  records.offset[to] = records.offset[from]!;
}
