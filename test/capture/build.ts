/** Capture files built octet by octet for the tests, and a reader that gives everything it finds as plain data. */
import * as fc from 'fast-check';
import { create } from '../../src/capture/burst.ts';
import { CaptureError } from '../../src/capture/error.ts';
import { type CaptureReader, type OpenOptions, open, type RecordSource } from '../../src/capture/reader.ts';
import { type ByteSource, fromOctets } from '../../src/capture/source.ts';
import type { Arena } from '../../src/memory/arena.ts';

/** Octets of hexadecimal text; spaces and line ends are for people. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '');
  return Uint8Array.from({ length: digits.length / 2 }, (_, at) =>
    Number.parseInt(digits.slice(2 * at, 2 * at + 2), 16),
  );
}

export const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** `n` octets 0, 1, 2, ... */
export const counted = (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, at) => at & 0xff);

export type Order = 'little' | 'big';

const NONE: Uint8Array = new Uint8Array(0);

/** Numbers of 8, 16, 32 or 64 bits, each as [bits, value]. */
export function fields(order: Order, ...values: readonly (readonly [8 | 16 | 32 | 64, number | bigint])[]): Uint8Array {
  const octets = new Uint8Array(values.reduce((sum, [bits]) => sum + bits / 8, 0));
  const view = new DataView(octets.buffer);
  const little = order === 'little';
  let at = 0;
  for (const [bits, value] of values) {
    if (bits === 8) view.setUint8(at, Number(value));
    else if (bits === 16) view.setUint16(at, Number(value), little);
    else if (bits === 32) view.setUint32(at, Number(value), little);
    else view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), little);
    at += bits / 8;
  }
  return octets;
}

export interface PcapOptions {
  readonly order?: Order;
  readonly magic?: number;
  readonly version?: readonly [number, number];
  readonly snapLength?: number;
  readonly network?: number;
}

export function pcapHeader(options: PcapOptions = {}): Uint8Array {
  const [major, minor] = options.version ?? [2, 4];
  return fields(
    options.order ?? 'little',
    [32, options.magic ?? 0xa1b2c3d4],
    [16, major],
    [16, minor],
    [32, 0],
    [32, 0],
    [32, options.snapLength ?? 65535],
    [32, options.network ?? 1],
  );
}

interface RecordOptions {
  readonly order?: Order;
  readonly captured?: number;
  readonly original?: number;
  /** Octets between header and data, as modified records have them. */
  readonly extra?: Uint8Array;
}

export const pcapRecord = (
  seconds: number,
  fraction: number,
  data: Uint8Array,
  { order = 'little', captured = data.length, original = data.length, extra = NONE }: RecordOptions = {},
): Uint8Array => join(fields(order, [32, seconds], [32, fraction], [32, captured], [32, original]), extra, data);

interface BlockOptions {
  readonly order?: Order;
  readonly total?: number;
  readonly trailing?: number;
}

export function block(type: number, body: Uint8Array, options: BlockOptions = {}): Uint8Array {
  const { order = 'little', total = body.length + 12 } = options;
  return join(fields(order, [32, type], [32, total]), body, fields(order, [32, options.trailing ?? total]));
}

const pad = (octets: Uint8Array): Uint8Array => join(octets, new Uint8Array((4 - (octets.length % 4)) % 4));

export const option = (code: number, value: Uint8Array, order: Order = 'little', length = value.length): Uint8Array =>
  join(fields(order, [16, code], [16, length]), pad(value));

interface SectionOptions {
  readonly order?: Order;
  readonly version?: readonly [number, number];
  readonly magic?: number;
  readonly length?: bigint;
  readonly options?: Uint8Array;
}

export const section = ({
  order = 'little',
  version = [1, 0],
  magic = 0x1a2b3c4d,
  length = -1n,
  options = NONE,
}: SectionOptions = {}): Uint8Array =>
  block(0x0a0d0d0a, join(fields(order, [32, magic], [16, version[0]], [16, version[1]], [64, length]), options), {
    order,
  });

interface InterfaceOptions {
  readonly order?: Order;
  readonly linkType?: number;
  readonly snapLength?: number;
  readonly options?: Uint8Array;
}

export const interfaceBlock = ({
  order = 'little',
  linkType = 1,
  snapLength = 65535,
  options = NONE,
}: InterfaceOptions = {}): Uint8Array =>
  block(1, join(fields(order, [16, linkType], [16, 0], [32, snapLength]), options), { order });

interface PacketOptions {
  readonly order?: Order;
  readonly id?: number;
  readonly captured?: number;
  readonly original?: number;
  readonly options?: Uint8Array;
  readonly total?: number;
  readonly trailing?: number;
}

export function enhanced(time: bigint, data: Uint8Array, options: PacketOptions = {}): Uint8Array {
  const order = options.order ?? 'little';
  const body = join(
    fields(order, [32, options.id ?? 0], [32, time >> 32n], [32, time & 0xffffffffn]),
    fields(order, [32, options.captured ?? data.length], [32, options.original ?? data.length]),
    pad(data),
    options.options ?? new Uint8Array(0),
  );
  const total = options.total ?? body.length + 12;
  return block(6, body, { order, total, trailing: options.trailing ?? total });
}

export const obsolete = (time: bigint, data: Uint8Array, order: Order = 'little', id = 0): Uint8Array =>
  block(
    2,
    join(
      fields(order, [16, id], [16, 0xffff], [32, time >> 32n], [32, time & 0xffffffffn]),
      fields(order, [32, data.length], [32, data.length]),
      pad(data),
    ),
    { order },
  );

export const simple = (data: Uint8Array, original = data.length, order: Order = 'little'): Uint8Array =>
  block(3, join(fields(order, [32, original]), pad(data)), { order });

/** One packet as plain data. */
export interface Found {
  readonly data: string;
  readonly original: number;
  /** Nanoseconds since 1970, from the epoch of the source and the burst. */
  readonly time: bigint;
  readonly linkType: number;
  readonly interfaceIndex: number;
  readonly file: number;
  readonly packet: number;
  readonly offset: number;
}

export interface Outcome {
  readonly packets: Found[];
  readonly error: CaptureError | null;
  readonly reader: CaptureReader | null;
}

/** Read all of a source of records; gives the packets, and the error that ended the reading. */
export async function drainRecords(
  source: RecordSource,
  arena?: Arena,
): Promise<{ packets: Found[]; error: CaptureError | null }> {
  const burst = create(arena);
  const packets: Found[] = [];
  try {
    do {
      while (source.fill(burst) > 0) {
        for (let row = 0; row < burst.count; row++) {
          packets.push({
            data: Buffer.from(burst.octets.subarray(burst.at[row], burst.end[row])).toString('hex'),
            original: burst.originalLength[row]!,
            time: source.epochNanoseconds + BigInt(burst.time[row]!),
            linkType: burst.linkType[row]!,
            interfaceIndex: burst.interfaceIndex[row]!,
            file: burst.file[row]!,
            packet: burst.packet[row]!,
            offset: burst.offset[row]!,
          });
        }
      }
    } while (await source.refill());
  } catch (error) {
    if (error instanceof CaptureError) return { packets, error };
    throw error;
  }
  return { packets, error: null };
}

export async function readSource(source: ByteSource, options: OpenOptions = {}): Promise<Outcome> {
  let reader: CaptureReader;
  try {
    reader = await open(source, options);
  } catch (error) {
    if (error instanceof CaptureError) return { packets: [], error, reader: null };
    throw error;
  }
  const outcome = await drainRecords(reader, options.arena);
  await reader.close();
  return { ...outcome, reader };
}

export const readOctets = (octets: Uint8Array, step?: number, options?: OpenOptions): Promise<Outcome> =>
  readSource(fromOctets(octets, 'test.pcap', step), options);

/** `check` of test/support for properties that have to wait. */
export async function checkAsync<T>(property: fc.IAsyncProperty<T>, runs: number): Promise<void> {
  const { TAGPLANE_SEED, TAGPLANE_RUNS } = process.env;
  const seed = TAGPLANE_SEED === undefined ? Date.now() & 0x7fffffff : Number(TAGPLANE_SEED);
  const details = await fc.check(property, {
    seed,
    numRuns: TAGPLANE_RUNS === undefined ? runs : Number(TAGPLANE_RUNS),
  });
  if (!details.failed) return;
  throw new Error(
    `${fc.defaultReportMessage(details)}\n${String(details.errorInstance)}\nrerun: TAGPLANE_SEED=${seed} node ${process.argv[1] ?? ''}`,
  );
}

export interface Planned {
  /** Seconds since the start, never less than those of the packet before. */
  readonly second: number;
  readonly length: number;
}

/** Random packets: time stands still or goes on, lengths are small or up to a few thousand. */
export const packetsArbitrary = (most: number): fc.Arbitrary<Planned[]> =>
  fc
    .array(
      fc.tuple(
        fc.integer({ min: 0, max: 3 }),
        fc.oneof(fc.integer({ min: 0, max: 70 }), fc.integer({ min: 0, max: 9000 })),
      ),
      { maxLength: most },
    )
    .map((drawn) => {
      let second = 0;
      return drawn.map(([step, length]) => {
        second += step;
        return { second, length };
      });
    });

/** The planned packets as a pcap file that starts at `start` seconds. */
export const plannedPcap = (packets: readonly Planned[], start: number): Uint8Array =>
  join(pcapHeader(), ...packets.map((one) => pcapRecord(start + one.second, 0, counted(one.length))));

/** The same as pcapng. */
export const plannedPcapng = (packets: readonly Planned[], start: number): Uint8Array =>
  join(
    section(),
    interfaceBlock(),
    ...packets.map((one) => enhanced(BigInt(start + one.second) * 1_000_000n, counted(one.length))),
  );
