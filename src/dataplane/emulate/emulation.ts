/**
 * Emulation: the state of a foundation of emulated cells, and the hosts in it.
 *
 * A packet is worked on from the device that receives it to the device that sends it, without a break; what crosses from
 * one device to another waits in the backlog, first in, first out (net/core/dev.c, enqueue_to_backlog). Timers run
 * when capture time has come to them. Nothing here looks at a clock or at chance.
 */

import type { IcmpError } from '../answer/icmp-error.ts';
import type { IcmpLimitSettings, IcmpLimits } from '../answer/icmp-limit.ts';
import type { Cell } from '../cell.ts';
import type { Dataplane } from '../dataplane.ts';
import type { Fragments } from '../fragments.ts';
import type { Device } from './device.ts';
import type { Draws } from './draws.ts';
import type { Frame, FramePool } from './frame.ts';
import type { Neighbour } from './neighbour.ts';
import type { Listens, Observer, Translation } from './seams.ts';

/** A cell as a host. */
export interface Host {
  readonly cell: Cell;
  readonly underlay: Device;
  readonly vtep: Device;
  /** Device of each container, by the directory's instance number; undefined on other cells. */
  readonly veths: readonly (Device | undefined)[];
  /** Number of the filter table's chain OUTPUT. */
  outputChain: number;
  /** What each rule of the filter table that rejects answers with (`rejectCode`), or NO_REJECT. */
  rejections: Int8Array;
  /** The VTEP's forwarding entries: underlay address by hardware address. */
  readonly forwarding: Map<number, number>;
  /** How many ICMP errors it still may send. */
  readonly limits: IcmpLimits;
  /** The answer that is being written. */
  readonly error: IcmpError;
}

export const NO_REJECT = -2;

export interface EmulationOptions {
  /** Leave UDP checksums of tunnels for the network card, as a capture on the sending host shows them. */
  partialChecksums: boolean;
  /** The underlay's network around a cell's address, and its router; 0 for none. */
  readonly underlayPrefixLength: number;
  readonly gateway: number;
  readonly icmpLimits: IcmpLimitSettings;
  /** Whether the cells have a nat table, as those of silk do. */
  readonly nat: boolean;
  /** Whether the VTEPs carry marks as group policy ids, as those of silk do. */
  readonly groupPolicy: boolean;
  /** Hardware address of the host with an underlay address; -1 when nobody answers for it. */
  readonly underlayMac: (address: number) => number;
}

export interface Emulation {
  readonly dataplane: Dataplane;
  readonly hosts: readonly Host[];
  readonly devices: readonly Device[];
  readonly options: EmulationOptions;
  readonly frames: FramePool;
  /**
   * Frames that wait for the device whose index stands beside them, those from `next` to `end`; what lies behind is of frames that have
   * waited there before. An array that was emptied would have to be made anew for the next frame.
   */
  readonly backlog: { readonly frames: Frame[]; readonly devices: number[]; next: number; end: number };
  /** Neighbours whose timers run. */
  readonly timed: Neighbour[];
  /** IPv6 fragments that wait. */
  readonly fragments6: Fragments;
  readonly draws: Draws;
  readonly translation: Translation;
  readonly listens: Listens;
  readonly observer: Observer;
  /** Number of the packet that connection tracking looked at last, as long as what it found holds; else 0. */
  tracked: number;
  /** Capture time in nanoseconds. */
  now: number;
  /** Where a packet of the host itself begins its way. Tunnels and answers come in here from deep inside the others. */
  readonly localOut: (emulation: Emulation, host: Host, frame: Frame) => void;
}

/** Let `frame` wait until the device numbered `device` receives it. */
export function enqueue(emulation: Emulation, frame: Frame, device: number): void {
  const { backlog } = emulation;
  const at = backlog.end++;
  backlog.frames[at] = frame;
  backlog.devices[at] = device;
}
