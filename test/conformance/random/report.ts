/** A mismatch as text: what differs, the packet as octets and as a line, both results, and the command that reruns it. */
import { create } from '../../../src/capture/burst.ts';
import { lineOf } from '../../../src/cli/decode/line.ts';
import { NO_NAMES } from '../../../src/cli/decode/names.ts';
import { decodePacket } from '../../../src/cli/decode/packet.ts';
import type { Mismatch } from './mismatch.ts';

const MICROSECONDS = 1_000_000n;

/** `octets` as `tagplane decode` prints them, without a time. */
function decoded(octets: Uint8Array): string {
  const burst = create();
  burst.octets = Uint8Array.from(octets);
  burst.view = new DataView(burst.octets.buffer);
  burst.end[0] = octets.length;
  burst.originalLength[0] = octets.length;
  burst.linkType[0] = 1;
  burst.packet[0] = 1;
  burst.count = 1;
  const origin = { names: NO_NAMES, vxlanPort: 4789, file: '', epochNanoseconds: 0n, unitsPerSecond: MICROSECONDS };
  const line = lineOf(decodePacket(burst, 0, origin), { explainFaults: false });
  return line.slice('1970-01-01 00:00:00.000000 '.length);
}

/** Lines that say that kernel and tagplane differ. */
export function mismatchText({ side, cell, step, subject, what, kernel, tagplane, packets }: Mismatch): string[] {
  const place = step < 0 ? cell : `${cell}, frame ${step} (${what})`;
  return [
    `MISMATCH ${side}: ${subject} at ${place}`,
    ...packets.flatMap((octets) => [`  ${decoded(octets)}`, `  ${Buffer.from(octets).toString('hex')}`]),
    `  kernel:   ${kernel.replaceAll('\n', '\n            ')}`,
    `  tagplane: ${tagplane.replaceAll('\n', '\n            ')}`,
  ];
}

/** Counts, most frequent first. */
export const countsText = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, number]) => `${name} ${number}`)
    .join(', ');
