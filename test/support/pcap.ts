/** The least of a pcap file: a header, and a record per frame. For tests that need a capture of given frames. */
import { octets } from './hex.ts';

export interface PcapOptions {
  readonly linkType?: number;
  readonly nanoseconds?: boolean;
  /** Length on the wire of each frame that was longer than what is given of it. */
  readonly originalLength?: number;
}

/** First record at this second; each further one a second and one unit later. */
export const FIRST_SECOND = 1_700_000_000;

/** A little-endian pcap file with `frames`, written in hexadecimal. */
export function pcapOf(frames: readonly string[], options: PcapOptions = {}): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(options.nanoseconds === true ? 0xa1b23c4d : 0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(options.linkType ?? 1, 20);
  const records = frames.map((frame, index) => {
    const data = octets(frame);
    const record = Buffer.alloc(16);
    record.writeUInt32LE(FIRST_SECOND + index, 0);
    record.writeUInt32LE(index, 4);
    record.writeUInt32LE(data.length, 8);
    record.writeUInt32LE(Math.max(options.originalLength ?? 0, data.length), 12);
    return Buffer.concat([record, data]);
  });
  return Buffer.concat([header, ...records]);
}
