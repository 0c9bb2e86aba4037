/**
 * Journeys: packets put in at any tap of any cell, and everything that passes every tap because of them.
 *
 * A tap shows what `tcpdump` on the device would: a frame put in at a container's `eth0` was sent by the container, one at a
 * cell's underlay interface came from the underlay, one at `silk-vtep` came out of the tunnel. A host's end of a veth shows
 * what the container's end shows. Octets are copied, so this allocates per packet; the emulation itself does not.
 */

import type { LoggedLine } from '../log/lines.ts';
import { DEVICE } from './device.ts';
import { type Emulation, enqueue } from './emulation.ts';
import { append, type Frame, LONGEST_FRAME, take } from './frame.ts';
import { advance } from './run.ts';
import { DIRECTION, type Observer } from './seams.ts';

/** A frame at a tap. */
export interface Passage {
  readonly packet: number;
  readonly cause: number;
  /** Index of the device. */
  readonly device: number;
  /** One of DIRECTION. */
  readonly direction: number;
  readonly octets: Uint8Array<ArrayBuffer>;
  /** Nanoseconds of capture time. */
  readonly time: number;
  readonly mark: number;
  /** What the last walk over its cell's rules said: REASON, and the id of the deciding rule or -1. */
  readonly reason: number;
  readonly rule: number;
}

/** What became of a packet. */
export interface Fate {
  readonly packet: number;
  readonly cause: number;
  /** Index of the cell where its way ended. */
  readonly cell: number;
  /** One of VERDICT, or HELD when it became a part of another packet. */
  readonly verdict: number;
  readonly reason: number;
  readonly rule: number;
  readonly mark: number;
  readonly ctstate: number;
  readonly time: number;
}

/** Everything that was seen since the last `clear`, in order. */
export interface Record {
  readonly passages: Passage[];
  readonly fates: Fate[];
  readonly lines: LoggedLine[];
}

/** An observer that writes everything down. `now` is asked for capture time. */
export function createRecorder(now: () => number): { readonly record: Record; readonly observer: Observer } {
  const record: Record = { passages: [], fates: [], lines: [] };
  const observer: Observer = {
    passed(frame, device, direction) {
      const { packet, cause, mark, reason, rule } = frame;
      record.passages.push({
        packet,
        cause,
        device,
        direction,
        octets: frame.octets.slice(frame.at, frame.end),
        time: now(),
        mark,
        reason,
        rule,
      });
    },
    ended(frame, cell, verdict, reason, rule) {
      const { packet, cause, mark, ctstate } = frame;
      record.fates.push({ packet, cause, cell, verdict, reason, rule, mark, ctstate, time: now() });
    },
    logged: (line) => record.lines.push(line),
  };
  return { record, observer };
}

/** Index of the device whose tap is called `name`, or -1. */
export const tapNamed = (emulation: Emulation, name: string): number =>
  emulation.devices.findIndex(({ tap }) => tap === name);

/**
 * Put a frame in at the tap of the device numbered `device` at `time`, and run until nothing moves any more: until all
 * that can happen at that time has happened. Timers that were due before run first. `segmentLength` is that of a frame
 * that stands for several packets, which a network card is to cut it into. Gives the packet's number, or 0 when `octets` is
 * longer than any frame.
 */
export function inject(
  emulation: Emulation,
  device: number,
  octets: Uint8Array,
  time: number,
  segmentLength = 0,
): number {
  if (octets.length > LONGEST_FRAME) return 0;
  advance(emulation, time);
  const frame = take(emulation.frames, octets.length, 0);
  append(frame, octets, 0, octets.length);
  frame.segmentLength = segmentLength;
  const { packet } = frame;
  arrive(emulation, frame, device);
  advance(emulation, time);
  return packet;
}

/** What a container sends shows at its own end first. */
function arrive(emulation: Emulation, frame: Frame, index: number): void {
  const device = emulation.devices[index]!;
  if (device.kind === DEVICE.CONTAINER) emulation.observer.passed(frame, index, DIRECTION.OUT);
  enqueue(emulation, frame, device.kind === DEVICE.CONTAINER ? device.peer : index);
}

/** Let every timer run: neighbours that do not answer, fragments that never become whole. */
export const finish = (emulation: Emulation): void => advance(emulation, Number.POSITIVE_INFINITY);
