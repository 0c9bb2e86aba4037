/**
 * The blocks of pcapng that carry no packet but say how to read packets: draft-ietf-opsawg-pcapng sections 4.1 and 4.2.
 *
 *   Section Header Block         0: 0a0d0d0a 4: totalLength:32 8: byteOrderMagic:32 12: major:16 minor:16
 *                                16: sectionLength:64 24: options, at the end totalLength again
 *   Interface Description Block  0: 1:32 4: totalLength:32 8: linkType:16 reserved:16 12: snapLength:32
 *                                16: options, at the end totalLength again
 */

import { badOption, type Pcapng } from './blocks.ts';
import * as clock from './clock.ts';
import type { CaptureError } from './error.ts';
import * as options from './options.ts';
import { damaged, MAXIMUM_CAPTURED_LENGTH } from './reading.ts';

export const SECTION_HEADER_MINIMUM = 28;
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
export const INTERFACE_MINIMUM = 20;
/** In one file; section after section of interfaces would otherwise take any amount of memory. */
const MAXIMUM_INTERFACES = 65_536;

const IF_NAME = 2;
const IF_DESCRIPTION = 3;
const IF_TSRESOL = 9;
const IF_FCSLEN = 13;
const IF_TSOFFSET = 14;
/** Microseconds, if the interface does not say. */
const DEFAULT_RESOLUTION = 6;
/** A name is for people; what is longer is cut. */
const MAXIMUM_NAME_LENGTH = 4096;

/** Begin a section with the header at the front of the chunk, which is whole. Gives what is wrong with it, or null. */
export function beginSection(pcapng: Pcapng, littleEndian: boolean): CaptureError | null {
  const { chunk, notes } = pcapng;
  const { view, at } = chunk;
  const major = view.getUint16(at + 12, littleEndian);
  const minor = view.getUint16(at + 14, littleEndian);
  if (major !== 1 || (minor !== 0 && minor !== 2)) {
    const got = `${major}.${minor}`;
    const what = `unsupported pcapng version ${got}: 1.0 and 1.2 are read`;
    return damaged(pcapng, { code: 'capture.version', at: at + 12, packet: false, field: 'version', got, what });
  }
  const end = at + view.getUint32(at + 4, littleEndian) - 4;
  if (!options.fit(view, at + 24, end, littleEndian)) return badOption(pcapng, at + 24, end, littleEndian);
  const here = chunk.offset + at;
  if (pcapng.sectionEnd !== null && pcapng.sectionEnd !== here) notes.sectionLength++;
  const length = view.getBigInt64(at + 16, littleEndian);
  pcapng.sectionEnd = length < 0n ? null : chunk.offset + end + 4 + Number(length);
  pcapng.littleEndian = littleEndian;
  pcapng.section++;
  pcapng.firstInterface = pcapng.interfaces.length;
  return null;
}

interface Described {
  name: string | null;
  description: string | null;
  resolution: number;
  offsetSeconds: bigint;
  fcsLength: number | null;
}

function describe(view: DataView, at: number, end: number, littleEndian: boolean, into: Described): void {
  const text = new TextDecoder();
  const string = (start: number, length: number): string =>
    text.decode(new Uint8Array(view.buffer, view.byteOffset + start, Math.min(length, MAXIMUM_NAME_LENGTH)));
  options.walk(view, at, end, littleEndian, (code, start, length) => {
    if (code === IF_NAME) into.name = string(start, length);
    else if (code === IF_DESCRIPTION) into.description = string(start, length);
    else if (code === IF_TSRESOL && length === 1) into.resolution = view.getUint8(start);
    else if (code === IF_FCSLEN && length === 1) into.fcsLength = view.getUint8(start);
    else if (code === IF_TSOFFSET && length === 8) into.offsetSeconds = view.getBigInt64(start, littleEndian);
  });
}

/** Add the interface described at the front of the chunk, whole and of `total` octets. Gives what is wrong, or null. */
export function addInterface(pcapng: Pcapng, total: number): CaptureError | null {
  const { view, at } = pcapng.chunk;
  const { littleEndian, interfaces } = pcapng;
  const index = interfaces.length;
  const end = at + total - 4;
  if (!options.fit(view, at + 16, end, littleEndian)) return badOption(pcapng, at + 16, end, littleEndian);
  if (index >= MAXIMUM_INTERFACES) {
    const [got, limit] = [index + 1, MAXIMUM_INTERFACES];
    const what = `interface ${got} of the file, the limit is ${limit}`;
    return damaged(pcapng, { code: 'capture.limit', at, packet: false, field: 'interfaces', got, limit, what });
  }
  const described: Described = {
    name: null,
    description: null,
    resolution: DEFAULT_RESOLUTION,
    offsetSeconds: 0n,
    fcsLength: null,
  };
  describe(view, at + 16, end, littleEndian, described);
  const units = clock.unitsPerSecond(described.resolution);
  if (units === null) {
    const got = `0x${described.resolution.toString(16)}`;
    const what = `unsupported if_tsresol ${got}: down to 10^-19 and 2^-63 seconds are read`;
    return damaged(pcapng, { code: 'capture.unsupported', at, packet: false, field: 'if_tsresol', got, what });
  }
  const stated = view.getUint32(at + 12, littleEndian);
  interfaces.push({
    index,
    section: pcapng.section,
    id: index - pcapng.firstInterface,
    name: described.name,
    description: described.description,
    linkType: view.getUint16(at + 8, littleEndian),
    snapLength: stated === 0 || stated > MAXIMUM_CAPTURED_LENGTH ? MAXIMUM_CAPTURED_LENGTH : stated,
    unitsPerSecond: units,
    offsetSeconds: described.offsetSeconds,
    fcsLength: described.fcsLength,
  });
  pcapng.clocks.push(clock.create(units, described.offsetSeconds));
  return null;
}
