/**
 * CaptureWriter: packets into a pcap (nanosecond) or pcapng file.
 *
 *   const writer = pcapngWriter(sink, { epochNanoseconds });
 *   const one = writer.addInterface({ name: 'cell-a/eth0', linkType: 1, snapLength: 262144 });
 *   if (writer.packet(burst.view, burst.octets, at, end, originalLength, time, one, 'forward')) await writer.drain();
 *   await writer.finish();
 */
import { copyOctets } from './copy.ts';
import { OutputError } from './error.ts';
import * as options from './options.ts';
import { FILE_HEADER_LENGTH, MAGIC_NANOSECONDS, RECORD_HEADER_LENGTH } from './pcap.ts';
import { BYTE_ORDER_MAGIC } from './section.ts';
import { type ByteSink, create, drain, finish, isFull, type Output, reserve } from './sink.ts';

export interface WriterOptions {
  /** Nanoseconds since 1970 of time 0 of the packets. */
  readonly epochNanoseconds: bigint;
}

export interface CaptureWriter {
  /** Packets appended. */
  readonly packets: number;
  /**
   * Append octets [at, end) of `view` (and `octets`, the same memory). `time` in nanoseconds since the epoch;
   * `comment` or null, kept by pcapng only. True if `drain` should be awaited. Throws OutputError for a value that the
   * format cannot hold.
   */
  packet(
    view: DataView,
    octets: Uint8Array,
    at: number,
    end: number,
    originalLength: number,
    time: number,
    interfaceIndex: number,
    comment: string | null,
  ): boolean;
  drain(): Promise<void>;
  /** Write what is buffered and complete the file. */
  finish(): Promise<void>;
  abort(): Promise<void>;
}

export interface InterfaceOptions {
  readonly name: string;
  readonly linkType: number;
  /** 0: no limit. */
  readonly snapLength: number;
}

export interface PcapngWriter extends CaptureWriter {
  /** Describe one more interface, at any time before its first packet. Gives its index. */
  addInterface(described: InterfaceOptions): number;
}

const NANOSECONDS_PER_SECOND = 1_000_000_000;
const WORD = 4_294_967_296;
const LITTLE = true;

/** pcap 2.4 with nanoseconds, little-endian. All packets have the same link type. */
export function pcapWriter(
  sink: ByteSink,
  { epochNanoseconds, linkType, snapLength }: WriterOptions & Omit<InterfaceOptions, 'name'>,
): CaptureWriter {
  const output = create(sink);
  const header = reserve(output, FILE_HEADER_LENGTH);
  output.view.setUint32(header, MAGIC_NANOSECONDS, LITTLE);
  output.view.setUint16(header + 4, 2, LITTLE);
  output.view.setUint16(header + 6, 4, LITTLE);
  output.view.setUint32(header + 16, snapLength, LITTLE);
  output.view.setUint32(header + 20, linkType, LITTLE);
  const second = BigInt(NANOSECONDS_PER_SECOND);
  // Not negative, also for an epoch before 1970.
  const epochFraction = Number(((epochNanoseconds % second) + second) % second);
  const epochSeconds = Number((epochNanoseconds - BigInt(epochFraction)) / second);
  let packets = 0;
  return {
    get packets() {
      return packets;
    },
    packet(view, octets, at, end, originalLength, time) {
      const whole = Math.floor(time / NANOSECONDS_PER_SECOND);
      const fraction = epochFraction + (time - whole * NANOSECONDS_PER_SECOND);
      const carry = fraction >= NANOSECONDS_PER_SECOND ? 1 : 0;
      const seconds = epochSeconds + whole + carry;
      if (seconds < 0 || seconds >= WORD) throw timeError(sink, packets + 1);
      const length = end - at;
      const to = reserve(output, RECORD_HEADER_LENGTH + length);
      output.view.setUint32(to, seconds, LITTLE);
      output.view.setUint32(to + 4, fraction - carry * NANOSECONDS_PER_SECOND, LITTLE);
      output.view.setUint32(to + 8, length, LITTLE);
      output.view.setUint32(to + 12, originalLength, LITTLE);
      copyOctets(view, octets, at, end, output.view, output.octets, to + RECORD_HEADER_LENGTH);
      packets++;
      return isFull(output);
    },
    drain: () => drain(output),
    finish: () => finish(output),
    abort: () => sink.abort(),
  };
}

const SHB_LENGTH = 28;
const EPB_OVERHEAD = 32;
const END_OF_OPTIONS_LENGTH = 4;
/** An option's length is 16 bits. */
const MAXIMUM_TEXT_LENGTH = 65_535;
const IF_NAME = 2;
const IF_TSRESOL = 9;

/** pcapng 1.0 with nanoseconds, little-endian, one section. */
export function pcapngWriter(sink: ByteSink, { epochNanoseconds }: WriterOptions): PcapngWriter {
  const output = create(sink);
  writeSectionHeader(output);
  const epochLow = Number(BigInt.asUintN(32, epochNanoseconds));
  const epochHigh = Number(epochNanoseconds >> 32n);
  let packets = 0;
  let interfaces = 0;
  return {
    get packets() {
      return packets;
    },
    addInterface(described) {
      writeInterface(output, described);
      return interfaces++;
    },
    packet(view, octets, at, end, originalLength, time, interfaceIndex, comment) {
      // In halves, since the sum is beyond 2^53; `low` is below 2^33.
      const whole = Math.floor(time / WORD);
      const low = epochLow + (time - whole * WORD);
      const high = epochHigh + whole + (low >= WORD ? 1 : 0);
      if (high < 0 || high >= WORD) throw timeError(sink, packets + 1);
      if (interfaceIndex >= interfaces) throw interfaceError(sink, packets + 1, interfaceIndex, interfaces);
      const text = comment === null ? null : utf8(comment);
      const length = end - at;
      const behind = options.padded(length);
      const total = EPB_OVERHEAD + behind + (text === null ? 0 : optionsLength(text.length));
      const to = reserve(output, total);
      const { view: into } = output;
      into.setUint32(to, 6, LITTLE);
      into.setUint32(to + 4, total, LITTLE);
      into.setUint32(to + 8, interfaceIndex, LITTLE);
      into.setUint32(to + 12, high, LITTLE);
      into.setUint32(to + 16, low >= WORD ? low - WORD : low, LITTLE);
      into.setUint32(to + 20, length, LITTLE);
      into.setUint32(to + 24, originalLength, LITTLE);
      copyOctets(view, octets, at, end, into, output.octets, to + 28);
      for (let pad = length; pad < behind; pad++) into.setUint8(to + 28 + pad, 0);
      if (text !== null) endOptions(output, writeOption(output, to + 28 + behind, options.COMMENT, text));
      into.setUint32(to + total - 4, total, LITTLE);
      packets++;
      return isFull(output);
    },
    drain: () => drain(output),
    finish: () => finish(output),
    abort: () => sink.abort(),
  };
}

const encoder = new TextEncoder();

/** UTF-8, cut before a character that would not fit into an option. */
function utf8(text: string): Uint8Array {
  const octets = encoder.encode(text);
  if (octets.length <= MAXIMUM_TEXT_LENGTH) return octets;
  let end = MAXIMUM_TEXT_LENGTH;
  while ((octets[end]! & 0xc0) === 0x80) end--;
  return octets.subarray(0, end);
}

/** One option of `length` octets and the end of options. */
const optionsLength = (length: number): number => 4 + options.padded(length) + END_OF_OPTIONS_LENGTH;

/** Gives the position behind the option. */
function writeOption(output: Output, at: number, code: number, value: Uint8Array): number {
  const end = at + 4 + options.padded(value.length);
  output.view.setUint16(at, code, LITTLE);
  output.view.setUint16(at + 2, value.length, LITTLE);
  output.octets.set(value, at + 4);
  output.octets.fill(0, at + 4 + value.length, end);
  return end;
}

const endOptions = (output: Output, at: number): void => output.view.setUint32(at, 0, LITTLE);

function writeSectionHeader(output: Output): void {
  const at = reserve(output, SHB_LENGTH);
  output.view.setUint32(at, 0x0a0d0d0a, LITTLE);
  output.view.setUint32(at + 4, SHB_LENGTH, LITTLE);
  output.view.setUint32(at + 8, BYTE_ORDER_MAGIC, LITTLE);
  output.view.setUint16(at + 12, 1, LITTLE);
  output.view.setUint16(at + 14, 0, LITTLE);
  // Section length: not known in advance.
  output.view.setBigInt64(at + 16, -1n, LITTLE);
  output.view.setUint32(at + 24, SHB_LENGTH, LITTLE);
}

function writeInterface(output: Output, described: InterfaceOptions): void {
  const name = utf8(described.name);
  const total = 20 + 4 + options.padded(name.length) + 8 + END_OF_OPTIONS_LENGTH;
  const at = reserve(output, total);
  output.view.setUint32(at, 1, LITTLE);
  output.view.setUint32(at + 4, total, LITTLE);
  output.view.setUint16(at + 8, described.linkType, LITTLE);
  output.view.setUint16(at + 10, 0, LITTLE);
  output.view.setUint32(at + 12, described.snapLength, LITTLE);
  const behind = writeOption(output, at + 16, IF_NAME, name);
  endOptions(output, writeOption(output, behind, IF_TSRESOL, new Uint8Array([9])));
  output.view.setUint32(at + total - 4, total, LITTLE);
}

const timeError = (sink: ByteSink, packet: number): OutputError =>
  new OutputError({
    code: 'output.value',
    path: sink.name,
    what: `the time of packet ${packet} does not fit the format`,
  });

function interfaceError(sink: ByteSink, packet: number, index: number, interfaces: number): OutputError {
  const what = `packet ${packet} is of interface ${index}, ${interfaces} are described`;
  return new OutputError({ code: 'output.value', path: sink.name, what });
}
