/** What emulated cells show, as journeys: kept until every capture has had the time to show it, too. */
import type { Emulation } from '../../dataplane/emulate/emulation.ts';
import type { Frame } from '../../dataplane/emulate/frame.ts';
import type { Observer } from '../../dataplane/emulate/seams.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { close, compareOnTheWay } from './compare.ts';
import { type Ends, FOUND, ORIGIN, type Place } from './model.ts';
import { stretchOf } from './recut.ts';
import { nameOf, packetOf } from './same-packet.ts';
import {
  CAPTURED_WEIGHT,
  type Journeys,
  keyOf,
  type Open,
  PLACE_WEIGHT,
  spotOf,
  WAY_WEIGHT,
  type Way,
  weightOf,
} from './state.ts';
import { addNamed, dropFirst, first, insert, removeNamed } from './waiting.ts';

/** Windows that a journey is kept for behind its last place: a captured frame may be as late, and waits as long. */
const WINDOWS_KEPT = 3;

/** An observer for the emulation of `journeys`, which exist by the time that anything moves. */
export function createObserver(journeys: () => Journeys): Observer {
  return {
    passed: (frame, device, direction) => passed(journeys(), frame, device, direction),
    ended(frame, cell, verdict, reason, rule) {
      const { emulation } = journeys();
      const { packet, cause, mark, ctstate } = frame;
      const way = wayOf(journeys(), packet, cause);
      way.last = emulation.now;
      way.fate = { packet, cause, cell, verdict, reason, rule, mark, ctstate, time: emulation.now };
    },
    logged: (line, { packet }) => journeys().listener.logged(line, packet),
  };
}

function wayOf(journeys: Journeys, number: number, cause: number): Way {
  const { ways } = journeys;
  let way = ways.get(number);
  if (way === undefined) {
    const origin = cause === 0 ? ORIGIN.ENTERED : ORIGIN.MADE;
    const lists = { places: [], captured: [], unexpected: [] };
    way = { number, cause, origin, ends: null, fate: null, last: 0, ...lists };
    ways.set(number, way);
    journeys.held += WAY_WEIGHT;
  }
  return way;
}

function endsOf({ dataplane }: Emulation, { view, at, end }: Frame): Ends | null {
  const network = packetOf(view, at, end, dataplane.options.vxlanPort);
  if (network < 0) return null;
  return {
    source: ipv4.source(view, network),
    destination: ipv4.destination(view, network),
    protocol: ipv4.protocol(view, network),
  };
}

function passed(journeys: Journeys, frame: Frame, device: number, direction: number): void {
  const { emulation, watched, shown, unwritten } = journeys;
  const { packet, cause, mark, reason, rule, at, end } = frame;
  const way = wayOf(journeys, packet, cause);
  const place = { packet, cause, device, direction, length: end - at, time: emulation.now, mark, reason, rule };
  way.last = emulation.now;
  way.places.push(place);
  journeys.held += PLACE_WEIGHT;
  if (way.places.length === 1) way.ends = endsOf(emulation, frame);
  if (!watched.has(device) && !shown.has(device)) return;
  const octets = frame.octets.slice(at, end);
  const isOwn = packet === journeys.own.packet && spotOf(place) === journeys.own.spot;
  if (watched.has(device) && !isOwn) awaitCapture(journeys, place, octets, frame);
  if (!shown.has(device)) return;
  unwritten.items.push({ place, octets, way });
  journeys.held += weightOf(octets);
}

/** Hold what passes a captured tap against its capture, or keep it until that may be there. */
function awaitCapture(journeys: Journeys, place: Place, octets: Uint8Array<ArrayBuffer>, frame: Frame): void {
  const view = new DataView(octets.buffer);
  const name = nameOf(view, 0, octets.length, journeys.emulation.dataplane.options.vxlanPort);
  if (name === null || compareOnTheWay(journeys, place, name, octets, frame)) return;
  const spot = spotOf(place);
  const stretch = stretchOf(octets, spot, journeys.emulation.dataplane.options.vxlanPort);
  const open: Open = { key: keyOf(spot, name), place, octets, matched: false, stretch, seen: 0 };
  addNamed(journeys.open, open.key, open);
  if (stretch !== null) addNamed(journeys.streams, stretch.stream, open);
  insert(journeys.openInOrder, open, isAfter);
  journeys.held += weightOf(octets);
}

const isAfter = (a: Open, b: Open): boolean => a.place.time > b.place.time;

/** Give up waiting for captured frames of what was shown before `time`; `isFull`: they have had all their time. */
export function expireOpen(journeys: Journeys, time: number, isFull: boolean): void {
  const { openInOrder, ways, listener } = journeys;
  for (let open = first(openInOrder); open !== undefined && open.place.time < time; open = first(openInOrder)) {
    dropFirst(openInOrder);
    if (open.matched) continue;
    close(journeys, open);
    const way = ways.get(open.place.packet);
    way?.unexpected.push(open.place);
    listener.unexpected(open.place, isFull ? FOUND.MISSING : FOUND.CROWDED, way ?? null);
  }
}

/** Forget packets that were put in before `time`. */
export function expireEntries({ enteredInOrder, entered, leaving }: Journeys, time: number): void {
  for (let entry = first(enteredInOrder); entry !== undefined && entry.time < time; entry = first(enteredInOrder)) {
    dropFirst(enteredInOrder);
    removeNamed(entered, entry.name, entry);
    if (entry.maskedName !== null) removeNamed(leaving, entry.maskedName, entry);
  }
}

/** Tell of journeys that are over at `now`, up to the first that is not; of all at infinity. */
export function expireWays(journeys: Journeys, now: number): void {
  const { ways, listener, window } = journeys;
  for (const [number, way] of ways) {
    const isOver = way.fate !== null && (window === 0 || way.last + WINDOWS_KEPT * window < now);
    if (!isOver && now !== Number.POSITIVE_INFINITY) {
      if (window === 0) continue;
      return;
    }
    ways.delete(number);
    journeys.held -= WAY_WEIGHT + way.places.length * PLACE_WEIGHT + way.captured.length * CAPTURED_WEIGHT;
    listener.ended(way);
  }
}

/** Hand on what taps saw, in order, up to the first packet whose end is not known; all when `isLast`. */
export function writeShown(journeys: Journeys, isLast: boolean): void {
  const { unwritten, listener } = journeys;
  for (let shown = first(unwritten); shown !== undefined; shown = first(unwritten)) {
    if (shown.way.fate === null && !isLast) return;
    dropFirst(unwritten);
    journeys.held -= weightOf(shown.octets);
    listener.passed(shown.place, shown.octets, shown.way);
  }
}
