/** The captures of a run of journeys, read whole: where each was taken, and their frames on one clock. */
import * as bursts from '../../capture/burst.ts';
import { openSource } from '../../capture/file.ts';
import { open } from '../../capture/reader.ts';
import type { Captured } from '../../replay/journeys.ts';
import { LINKTYPE } from '../../wire/protocol.ts';
import { UsageError } from '../exit.ts';

/** A capture and the name of its tap; null when that has to be inferred. */
export interface Given {
  readonly file: string;
  readonly tap: string | null;
}

/** A frame before its tap is known. */
export type Frame = Omit<Captured, 'device'>;

export interface Read {
  readonly frames: readonly Frame[][];
  /** Nanoseconds since 1970 of time 0: the first frame of all captures. */
  readonly epochNanoseconds: bigint;
}

/** Read every capture to its end. Throws CaptureError, UsageError. */
export async function readAll(captures: readonly Given[]): Promise<Read> {
  const read: { frames: Frame[]; epoch: bigint }[] = [];
  for (const [file, { file: path }] of captures.entries()) read.push(await readOne(path, file));
  const epochs = read.filter(({ frames }) => frames.length > 0).map(({ epoch }) => epoch);
  const [epochNanoseconds = 0n] = epochs.sort((a, b) => Number(a - b));
  const shifted = read.map(({ frames, epoch }) => {
    const shift = Number(epoch - epochNanoseconds);
    return frames.map((frame) => ({ ...frame, time: frame.time + shift }));
  });
  return { frames: shifted, epochNanoseconds };
}

async function readOne(path: string, file: number): Promise<{ frames: Frame[]; epoch: bigint }> {
  const reader = await open(await openSource(path), { file });
  const burst = bursts.create();
  const frames: Frame[] = [];
  try {
    do {
      while (reader.fill(burst) > 0) {
        for (let i = 0; i < burst.count; i++) {
          if (burst.linkType[i] !== LINKTYPE.ETHERNET) {
            throw new UsageError(`${path}: packet ${burst.packet[i]} has no Ethernet header, which journeys need`);
          }
          frames.push({
            file,
            packet: burst.packet[i]!,
            octets: burst.octets.slice(burst.at[i], burst.end[i]),
            originalLength: burst.originalLength[i]!,
            time: burst.time[i]!,
          });
        }
      }
    } while (await reader.refill());
    return { frames, epoch: reader.epochNanoseconds };
  } finally {
    await reader.close();
  }
}
