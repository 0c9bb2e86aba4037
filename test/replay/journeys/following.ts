/** Journeys for tests: frames handed in by tap and time, and everything that was found, in order. */
import type { Fate } from '../../../src/dataplane/emulate/journey.ts';
import { type CellRules, createDataplane } from '../../../src/dataplane/setup.ts';
import type { Foundation } from '../../../src/foundation/model.ts';
import { createJourneys, finish, show, take, watch } from '../../../src/replay/journeys/journeys.ts';
import type { Found, JourneySettings, Origin, Seen } from '../../../src/replay/journeys/model.ts';
import type { Journeys } from '../../../src/replay/journeys/state.ts';
import { foundationAt, OPTIONS, planned } from '../../scenarios/support.ts';
import { ROOT } from '../../support/shared.ts';

export const TWO_CELLS: Foundation = foundationAt(`${ROOT}/captures/two-cells/foundation.yaml`);

/** A frame at a tap; `length` is that on the wire when the capture cut it. */
export interface Given {
  readonly tap: string;
  readonly octets: Uint8Array;
  readonly time: number;
  readonly length?: number;
}

/** What is told of a journey; what was found about its captured frames is in `captured`. */
export interface Told {
  readonly number: number;
  readonly cause: number;
  readonly origin: Origin;
  readonly fate: Fate | null;
  readonly taps: readonly string[];
  readonly captured: readonly string[];
}

export interface Heard {
  readonly journeys: Journeys;
  /** `FOUND packet N at TAP, journey N`, in the order in which it was told. */
  readonly compared: string[];
  readonly frames: {
    readonly packet: number;
    readonly found: Found;
    readonly seen: Pick<Seen, 'journey' | 'differing'>;
  }[];
  /** `FOUND at TAP, journey N`. */
  readonly unexpected: string[];
  readonly ended: Told[];
  /** Times and taps of what was shown. */
  readonly passed: { readonly tap: string; readonly time: number; readonly octets: Uint8Array }[];
}

export interface Asked extends Partial<JourneySettings> {
  readonly foundation?: Foundation;
  readonly rules?: ReadonlyMap<string, CellRules>;
  /** Taps that are captured besides those of the frames. */
  readonly watched?: readonly string[];
  readonly shown?: readonly string[];
}

/** Journeys that write down what they find. */
export function listen({ foundation = TWO_CELLS, rules = planned(foundation), ...asked }: Asked = {}): Heard {
  const dataplane = createDataplane(foundation, rules, OPTIONS);
  const heard: Omit<Heard, 'journeys'> = { compared: [], frames: [], unexpected: [], ended: [], passed: [] };
  const tapOf = (device: number): string => journeys.emulation.devices[device]!.tap;
  const journeys: Journeys = createJourneys(
    dataplane,
    rules,
    { seed: 1, ...asked },
    {
      compared({ packet, device, found, journey, differing }) {
        heard.compared.push(`${found} packet ${packet} at ${tapOf(device)}, journey ${journey}`);
        heard.frames.push({ packet, found, seen: { journey, differing } });
      },
      unexpected: ({ device, packet }, found) =>
        heard.unexpected.push(`${found} at ${tapOf(device)}, journey ${packet}`),
      passed: ({ device, time }, octets) => heard.passed.push({ tap: tapOf(device), time, octets }),
      ended({ number, cause, origin, fate, places, captured }) {
        const taps = places.map(({ device }) => tapOf(device));
        const told = captured.map(({ found, packet }) => `${found} ${packet}`);
        heard.ended.push({ number, cause, origin, fate, taps, captured: told });
      },
    },
  );
  for (const tap of asked.watched ?? []) watch(journeys, tap);
  for (const tap of asked.shown ?? []) show(journeys, tap);
  return { journeys, ...heard };
}

/** Hand in `frames`, which are packets 1, 2, 3 of one capture. */
export function handIn({ journeys }: Heard, frames: readonly Given[]): void {
  const devices = frames.map(({ tap }) => watch(journeys, tap));
  for (const [i, { octets, time, length = octets.length }] of frames.entries()) {
    const own = Uint8Array.from(octets);
    take(journeys, { file: 0, packet: i + 1, device: devices[i]!, octets: own, originalLength: length, time });
  }
}

/** Hand in `frames`, and let everything come to its end. */
export function follow(frames: readonly Given[], asked: Asked = {}): Heard {
  const heard = listen(asked);
  handIn(heard, frames);
  finish(heard.journeys);
  return heard;
}
