/** Captures and foundations with something changed, written where a command can read them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { openSink } from '../../src/capture/file.ts';
import { pcapWriter } from '../../src/capture/writer.ts';
import { readCapture } from '../dataplane/emulate/emulating.ts';

/** A frame, by its number in the capture. Times are nanoseconds since 1970. */
export interface Frame {
  readonly packet: number;
  readonly octets: Uint8Array;
  readonly time: bigint;
}

const SNAP_LENGTH = 262_144;

/** Write `frames` as a capture. */
export async function writeFrames(file: string, frames: readonly Frame[]): Promise<void> {
  const epochNanoseconds = frames[0]?.time ?? 0n;
  const writer = pcapWriter(openSink(file), { epochNanoseconds, linkType: 1, snapLength: SNAP_LENGTH });
  for (const { octets, time } of frames) {
    const view = new DataView(octets.buffer, octets.byteOffset);
    writer.packet(view, octets, 0, octets.length, octets.length, Number(time - epochNanoseconds), 0, null);
  }
  await writer.finish();
}

export async function framesOf(file: string): Promise<Frame[]> {
  const { epoch, packets } = await readCapture(file);
  return packets.map(({ octets, time }, i) => ({ packet: i + 1, octets, time: epoch + BigInt(time) }));
}

/** Write the capture `from` as `to`, each frame as `change` gives it; null leaves it out. */
export async function rewrite(from: string, to: string, change: (frame: Frame) => Frame | null): Promise<string> {
  const changed = (await framesOf(from)).map(change).filter((frame) => frame !== null);
  await writeFrames(to, changed);
  return to;
}

/** Write the text file `from` as `to` with `before`, which has to be there, replaced by `after`. */
export function rewriteText(from: string, to: string, before: string, after: string): string {
  const text = readFileSync(from, 'utf8');
  if (!text.includes(before)) throw new Error(`${from} does not have ${before}`);
  writeFileSync(to, text.replace(before, after));
  return to;
}
