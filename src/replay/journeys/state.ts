/** The state of journeys that are being followed: what was read and not put in, what waits for its counterpart. */
import type { Emulation } from '../../dataplane/emulate/emulation.ts';
import type { Fate } from '../../dataplane/emulate/journey.ts';
import type { KnownDraws } from './known-draws.ts';
import type { Ends, Journey, JourneyListener, Origin, Place, Seen } from './model.ts';
import type { Stretch } from './recut.ts';
import { type ByName, createQueue, type Queue, removeNamed } from './waiting.ts';

/** A journey that is not over. */
export interface Way extends Journey {
  origin: Origin;
  ends: Ends | null;
  fate: Fate | null;
  readonly places: Place[];
  readonly captured: Seen[];
  readonly unexpected: Place[];
  /** When something was last added to it by the emulation. */
  last: number;
}

/** What a captured tap should have seen. */
export interface Open {
  readonly key: string;
  readonly place: Place;
  /** Empty once it is matched. */
  octets: Uint8Array<ArrayBuffer>;
  matched: boolean;
  /** Its data, when it is of a TCP stream. */
  stretch: Stretch | null;
  /** Octets of that which captured frames have, cut otherwise. */
  seen: number;
}

/** What a tap that is shown saw. */
export interface Shown {
  readonly place: Place;
  readonly octets: Uint8Array<ArrayBuffer>;
  readonly way: Way;
}

/** A packet that was put in. */
export interface Entry {
  readonly name: string;
  /** Its name without what a masquerade changes, when it is from a container for somewhere outside; null otherwise. */
  readonly maskedName: string | null;
  readonly journey: number;
  readonly time: number;
  /** Taps and directions, `spotOf`, at which it has been held against a captured frame. */
  readonly compared: Set<number>;
}

export interface Journeys {
  readonly emulation: Emulation;
  readonly listener: JourneyListener;
  readonly draws: KnownDraws;
  /** Hardware addresses of hosts of the underlay. */
  readonly macs: Map<number, number>;
  /** Addresses of cells whose own tap has shown theirs, which nobody else knows better. */
  readonly ownMacs: Set<number>;
  /** Nanoseconds that two taps may be apart. */
  readonly fullWindow: number;
  readonly mostWaiting: number;
  /** Indexes of devices whose taps were captured, and of those that are shown. */
  readonly watched: Set<number>;
  readonly shown: Set<number>;
  /** Frames that were read and have not had their turn. */
  readonly ahead: Queue<Seen>;
  /** Frames that were put in or explained by nothing yet. */
  readonly waiting: ByName<Seen>;
  /** Those of them that have had their turn. */
  readonly unexplained: Queue<Seen>;
  readonly open: ByName<Open>;
  /** Those of them with data of a TCP stream, by that stream. */
  readonly streams: ByName<Open>;
  readonly openInOrder: Queue<Open>;
  readonly entered: ByName<Entry>;
  readonly enteredInOrder: Queue<Entry>;
  /** Those of them that a masquerade may have changed, by `maskedName`. */
  readonly leaving: ByName<Entry>;
  /** By number, in the order in which they began. */
  readonly ways: Map<number, Way>;
  readonly unwritten: Queue<Shown>;
  /** What was put in last, and the tap and direction (`spotOf`) that show nothing else of it; -1 for none. */
  readonly own: { packet: number; spot: number };
  /** Time of the latest frame that was read. */
  newest: number;
  /** The window that there is memory for. */
  window: number;
  /** Octets that wait, as `mostWaiting` counts them. */
  held: number;
}

export type Fixed = Pick<
  Journeys,
  'emulation' | 'listener' | 'draws' | 'macs' | 'fullWindow' | 'mostWaiting' | 'watched' | 'shown'
>;

export const createState = (fixed: Fixed): Journeys => ({
  ...fixed,
  ownMacs: new Set(),
  ahead: createQueue(),
  waiting: new Map(),
  unexplained: createQueue(),
  open: new Map(),
  streams: new Map(),
  openInOrder: createQueue(),
  entered: new Map(),
  enteredInOrder: createQueue(),
  leaving: new Map(),
  ways: new Map(),
  unwritten: createQueue(),
  own: { packet: 0, spot: -1 },
  newest: Number.NEGATIVE_INFINITY,
  window: fixed.fullWindow,
  held: 0,
});

/** What the objects around a frame take, roughly; a journey, and what is added to it. */
const OVERHEAD = 1024;
export const WAY_WEIGHT = 1024;
export const PLACE_WEIGHT = 256;
export const CAPTURED_WEIGHT = 512;
const LEARNED_WEIGHT = 512;
export const NO_OCTETS = new Uint8Array(0);

export const weightOf = ({ length }: Uint8Array): number => length + OVERHEAD;

/** Octets that are kept for later, roughly. */
export const heldBy = ({ held, draws }: Journeys): number => held + draws.size * LEARNED_WEIGHT;

/** Number of a tap and a direction. */
export const spotOf = ({ device, direction }: { readonly device: number; readonly direction: number }): number =>
  device * 2 + direction;

/** Key of what a tap sees in a direction of packets with a name. */
export const keyOf = (spot: number, name: string): string => `${spot} ${name}`;

/** Nothing more will be found about `one`. */
export function settle(journeys: Journeys, one: Seen): void {
  if (one.name !== null) removeNamed(journeys.waiting, one.name, one);
  const way = journeys.ways.get(one.journey);
  journeys.held -= weightOf(one.octets);
  journeys.listener.compared(one, way ?? null);
  one.octets = NO_OCTETS;
  one.settled = true;
  if (way === undefined) return;
  way.captured.push(one);
  journeys.held += CAPTURED_WEIGHT;
}
