/** Journeys as data: what captures gave, what emulated cells showed, and what was found when the two were held together. */
import type { Fate, Passage } from '../../dataplane/emulate/journey.ts';
import type { LoggedLine } from '../../dataplane/log/lines.ts';

/** A frame of a capture. Times are nanoseconds since an epoch that all captures share. */
export interface Captured {
  /** Index of the capture. */
  readonly file: number;
  /** Number of the packet in it, from 1. */
  readonly packet: number;
  /** Index of the device whose tap saw it. */
  readonly device: number;
  readonly octets: Uint8Array<ArrayBuffer>;
  /** Length on the wire; larger than that of `octets` where the capture cut the frame. */
  readonly originalLength: number;
  readonly time: number;
}

export const FOUND = {
  /** Nothing that is compared: ARP, IPv6, other link types, frames longer than any device sends. */
  LEFT_OUT: 'left out',
  /** Put in where it was seen. */
  ENTERED: 'entered',
  /** The emulation showed it here, octet for octet. */
  AGREED: 'agreed',
  /** The emulation showed it here with other octets. */
  DIFFERENT: 'different',
  /** The emulation showed its octets of a TCP stream here, in longer or shorter segments. */
  RECUT: 'recut',
  /** The emulation did not show it here. */
  MISSING: 'missing',
  /** The emulation did not show it here; a program of the cell itself may have sent it, and those are not emulated. */
  OWN: 'own',
  /** The capture cut it, so that it could not be put in. */
  CUT: 'cut',
  /** Too much waited at its time: it was given up before anything could have explained it. */
  CROWDED: 'crowded out',
} as const;

export type Found = (typeof FOUND)[keyof typeof FOUND];

/** A captured frame and what was found about it. */
export interface Seen extends Omit<Captured, 'octets'> {
  /** Empty once the frame is settled and the listener was told of it. */
  octets: Uint8Array<ArrayBuffer>;
  settled: boolean;
  /** One of DIRECTION. */
  readonly direction: number;
  /** How far along its way it was: `stepOf`. */
  readonly step: number;
  /** Name of the packet (`same-packet.ts`); null when it carries none. */
  readonly name: string | null;
  found: Found;
  /** Number of its journey, for a missing one that which should have come here; 0 for none. */
  journey: number;
  /** Offsets of octets that are not as captured. */
  differing: number[];
}

export const ORIGIN = {
  /** Put in where a capture saw it. */
  ENTERED: 'entered',
  /** Put in as its container must have sent it. */
  SUPPOSED: 'supposed',
  /** The emulated cell had kept it, the real one had not: put in again behind that cell, so that what follows can go on. */
  RESUMED: 'resumed',
  /** Made by a cell: an answer, a fragment, a datagram put together. */
  MADE: 'made',
} as const;

export type Origin = (typeof ORIGIN)[keyof typeof ORIGIN];

/** Addresses (u32) and protocol of an IPv4 packet. */
export interface Ends {
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
}

/** Where a packet was seen by the emulation, without its octets. */
export type Place = Omit<Passage, 'octets'> & { readonly length: number };

/** One packet followed over all taps that it passed. */
export interface Journey {
  readonly number: number;
  /** Number of the journey that it answers or is a part of; 0 for one that was put in. */
  readonly cause: number;
  readonly origin: Origin;
  /** Null when it carries no IPv4 packet. */
  readonly ends: Ends | null;
  readonly places: readonly Place[];
  /** What became of it; null when it still waits as everything ends. */
  readonly fate: Fate | null;
  /** The captured frames that belong to it. */
  readonly captured: readonly Seen[];
  /** Places at captured taps that no captured frame belongs to. */
  readonly unexpected: readonly Place[];
}

/** Told of results as soon as nothing can change them. Everything is only borrowed. */
export interface JourneyListener {
  /** What was found about a captured frame; `journey` is null for none, or one that was told of already. */
  compared(seen: Seen, journey: Journey | null): void;
  /** A captured tap should have seen this and did not; `found` is MISSING, or CROWDED when that could not be known. */
  unexpected(place: Place, found: Found, journey: Journey | null): void;
  /** What a tap that is shown saw, in order of time, once its journey is over. */
  passed(place: Place, octets: Uint8Array<ArrayBuffer>, journey: Journey): void;
  /** A journey that nothing more will be added to, nearly in the order in which they began. */
  ended(journey: Journey): void;
  /** What a LOG rule of a cell logged of the journey numbered `journey`, at once; only where the dataplane keeps that. */
  logged(line: LoggedLine, journey: number): void;
}

export interface JourneySettings {
  /** What numbers come from that kernels draw and no capture shows. */
  readonly seed: number;
  /** How far apart two taps may see the same packet, in nanoseconds; a second unless said otherwise. */
  readonly window?: number;
  /** Octets of frames that may wait for their counterparts; 256 MiB unless said otherwise. */
  readonly mostWaiting?: number;
  /** 1500 unless said otherwise; tunnels and containers have 50 less. */
  readonly underlayMtu?: number;
  /** MTUs of single devices, by the names of their taps. */
  readonly mtus?: ReadonlyMap<string, number>;
  /** 24 unless said otherwise. */
  readonly underlayPrefixLength?: number;
}
