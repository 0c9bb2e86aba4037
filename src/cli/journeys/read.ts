/**
 * The captures of a run of journeys: their beginnings, which say where each was taken, and all of them as one source.
 *
 * The beginning of a capture is read ahead and handed on afterwards, so that pipes can be looked at, too.
 */
import * as bursts from '../../capture/burst.ts';
import { CaptureError } from '../../capture/error.ts';
import { openSource } from '../../capture/file.ts';
import { type MergedReader, merge } from '../../capture/merge.ts';
import { type CaptureReader, open } from '../../capture/reader.ts';
import { type ByteSource, fromOctets } from '../../capture/source.ts';
import { LINKTYPE } from '../../wire/protocol.ts';
import { UsageError } from '../exit.ts';

/** A capture and the name of its tap; null when that has to be inferred. */
export interface Given {
  readonly file: string;
  readonly tap: string | null;
}

/** The octets of a frame at the beginning of a capture. */
export type Beginning = readonly Uint8Array<ArrayBuffer>[];

export interface Opened {
  readonly source: MergedReader;
  readonly beginnings: readonly Beginning[];
}

/** Octets of a capture that are looked at. */
const LOOKED_AT = 1024 * 1024;

/** Open every capture. Throws CaptureError, UsageError; none is left open then. */
export async function openAll(captures: readonly Given[]): Promise<Opened> {
  const readers: CaptureReader[] = [];
  const beginnings: Beginning[] = [];
  try {
    for (const [file, { file: path }] of captures.entries()) {
      const { head, source } = await lookAhead(await openSource(path));
      readers.push(await open(source, { file }));
      beginnings.push(await framesIn(path, head));
    }
    return { source: await merge(readers), beginnings };
  } catch (error) {
    for (const reader of readers) await reader.close();
    throw error;
  }
}

/** The first octets of `source`, and a source that has all of them. */
async function lookAhead(source: ByteSource): Promise<{ head: Uint8Array; source: ByteSource }> {
  const buffer = new Uint8Array(LOOKED_AT);
  let length = 0;
  try {
    while (length < LOOKED_AT) {
      const count = await source.read(buffer, length, LOOKED_AT - length);
      if (count === 0) break;
      length += count;
    }
  } catch (error) {
    await source.close();
    throw error;
  }
  const head = buffer.subarray(0, length);
  let next = 0;
  return {
    head,
    source: {
      name: source.name,
      size: source.size,
      read(into, at, wanted) {
        if (next === length) return source.read(into, at, wanted);
        const count = Math.min(wanted, length - next);
        into.set(head.subarray(next, next + count), at);
        next += count;
        return count;
      },
      close: () => source.close(),
    },
  };
}

/** The frames that are whole in `head`. Damage there is told of by whoever reads the capture itself. */
async function framesIn(path: string, head: Uint8Array): Promise<Beginning> {
  const frames: Uint8Array<ArrayBuffer>[] = [];
  const burst = bursts.create();
  const interfaces = new Set<number>();
  try {
    const reader = await open(fromOctets(head, path));
    do {
      while (reader.fill(burst) > 0) {
        for (let i = 0; i < burst.count; i++) {
          if (burst.linkType[i] !== LINKTYPE.ETHERNET) {
            throw new UsageError(`${path}: packet ${burst.packet[i]} has no Ethernet header, which journeys need`);
          }
          interfaces.add(burst.interfaceIndex[i]!);
          if (interfaces.size > 1) throw severalTaps(path, reader.interfaces);
          frames.push(burst.octets.slice(burst.at[i], burst.end[i]));
        }
      }
    } while (await reader.refill());
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
  }
  return frames;
}

const severalTaps = (path: string, interfaces: CaptureReader['interfaces']): UsageError =>
  new UsageError(
    `${path} has packets of several interfaces (${interfaces.map(({ name }) => name ?? 'unnamed').join(', ')}), expected those of ` +
      'one tap: write each to a file of its own',
  );
