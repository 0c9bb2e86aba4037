/**
 * A captured frame and what the emulation showed at its tap, held against each other.
 *
 * What comes in by a captured tap is compared as it passes, and where octets differ, the captured ones go on: a cell that was
 * sent something else than the emulated sender would have sent is not blamed for what it made of it.
 */
import { DEVICE } from '../../dataplane/emulate/device.ts';
import type { Frame } from '../../dataplane/emulate/frame.ts';
import { DIRECTION } from '../../dataplane/emulate/seams.ts';
import { FOUND, type Found, type Place, type Seen } from './model.ts';
import { type Entry, type Journeys, keyOf, NO_OCTETS, type Open, settle, spotOf, weightOf } from './state.ts';
import { removeNamed } from './waiting.ts';

export const near = (journeys: Journeys, a: { readonly time: number }, b: { readonly time: number }): boolean =>
  Math.abs(a.time - b.time) <= journeys.fullWindow;

/** `one` is settled: `found`, as a part of the journey numbered `journey`. */
export function conclude(journeys: Journeys, one: Seen, found: Found, journey: number): void {
  one.found = found;
  one.journey = journey;
  settle(journeys, one);
}

/** Items of one name that are looked at: more at a time are a flood of copies, which must not cost its square. */
export const MOST_SAME = 64;

/** The packet of `one` that was put in last, and that no other frame of this tap stands for; undefined for none. */
export function entryOf(journeys: Journeys, one: Seen): Entry | undefined {
  const spot = spotOf(one);
  return journeys.entered
    .get(one.name!)
    ?.slice(-MOST_SAME)
    .findLast((entry) => near(journeys, entry, one) && !entry.compared.has(spot));
}

/** Hold `one` against what the emulation showed at its tap; false when that was nothing of this name at about that time. */
export function compare(journeys: Journeys, one: Seen): boolean {
  const candidates = journeys.open.get(keyOf(spotOf(one), one.name!));
  const open = candidates?.slice(0, MOST_SAME).find(({ place }) => near(journeys, place, one));
  if (open === undefined) return false;
  const { octets, place } = open;
  close(journeys, open);
  hold(journeys, one, octets, place.packet);
  return true;
}

/** Hold `one` against the octets that the journey numbered `journey` showed at its tap. */
function hold(journeys: Journeys, one: Seen, octets: Uint8Array, journey: number): void {
  entryOf(journeys, one)?.compared.add(spotOf(one));
  one.differing = differingOctets(one, octets);
  conclude(journeys, one, one.differing.length === 0 ? FOUND.AGREED : FOUND.DIFFERENT, journey);
}

/**
 * Hold a frame that comes in by a watched tap, as `octets` at `place`, against the captured one of its name, and let that
 * one's octets go on. False when no capture has it, or the tap is the last that the packet passes.
 */
export function compareOnTheWay(
  journeys: Journeys,
  place: Place,
  name: string,
  octets: Uint8Array,
  frame: Frame,
): boolean {
  const { kind } = journeys.emulation.devices[place.device]!;
  if (place.direction === DIRECTION.OUT || kind === DEVICE.CONTAINER) return false;
  const spot = spotOf(place);
  const one = journeys.waiting
    .get(name)
    ?.slice(0, MOST_SAME)
    .find((other) => spotOf(other) === spot && near(journeys, place, other));
  if (one === undefined) return false;
  const { octets: captured, originalLength } = one;
  hold(journeys, one, octets, place.packet);
  const fits = captured.length === originalLength && frame.at + captured.length <= frame.octets.length;
  if (one.found === FOUND.AGREED || !fits) return true;
  frame.octets.set(captured, frame.at);
  frame.end = frame.at + captured.length;
  return true;
}

/** `open` is held against a captured frame, or what was put in itself: it waits for nothing any more. */
export function close(journeys: Journeys, open: Open): void {
  open.matched = true;
  removeNamed(journeys.open, open.key, open);
  if (open.stretch !== null) removeNamed(journeys.streams, open.stretch.stream, open);
  journeys.held -= weightOf(open.octets);
  open.octets = NO_OCTETS;
  open.stretch = null;
}

/** Offsets at which `octets` is not what was captured; what the capture cut off is not compared. */
function differingOctets({ octets: captured, originalLength }: Seen, octets: Uint8Array): number[] {
  const differing: number[] = [];
  for (let i = 0; i < captured.length; i++) if (captured[i] !== octets[i]) differing.push(i);
  if (differing.length === 0 && octets.length !== originalLength) differing.push(captured.length);
  return differing;
}
