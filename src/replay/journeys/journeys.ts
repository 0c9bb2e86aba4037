/**
 * Journeys: captures of any taps, run through the whole emulated foundation, and held against what it did.
 *
 *     const journeys = createJourneys(dataplane, rules, { seed: 1 }, listener);
 *     const devices = ['cell-a/eth0', 'cell-b/eth0'].map((tap) => watch(journeys, tap));
 *     await follow(source, journeys, devices);
 *
 * A packet enters once: at the container that sent it when its tap, or the host's end of its veth, was captured. Seen only
 * later, it is put in as its container must have sent it; one from outside enters at the tap that saw it first. Every
 * further frame with the same name (`same-packet.ts`) is held against what the emulation showed at that tap. Where the
 * emulated cell did not let through what the real one did, the frame is missing, and the packet is put in again behind
 * that cell, so that what follows is not blamed for it.
 *
 * Frames are read one window ahead of the emulation: by then everything has been seen that another tap, with another
 * clock, has of the packet, and the numbers that its cell drew. What has waited for a window after that is given up. So
 * memory holds a few windows of traffic, or what `mostWaiting` allows: then windows become shorter.
 */
import { DEFAULT_ICMP_LIMITS } from '../../dataplane/answer/icmp-limit.ts';
import type { Dataplane } from '../../dataplane/dataplane.ts';
import { createEmulation } from '../../dataplane/emulate/create.ts';
import { createDraws } from '../../dataplane/emulate/draws.ts';
import { finish as finishEmulation } from '../../dataplane/emulate/journey.ts';
import { advance } from '../../dataplane/emulate/run.ts';
import { DIRECTION } from '../../dataplane/emulate/seams.ts';
import { createTranslation } from '../../dataplane/emulate/translation.ts';
import type { CellRules } from '../../dataplane/setup.ts';
import { enter, giveUp } from './enter.ts';
import { createKnownDraws } from './known-draws.ts';
import { gatewayOf, learn, madeUpMacs } from './learned.ts';
import { type Captured, FOUND, type JourneyListener, type JourneySettings, type Seen } from './model.ts';
import { directionAt, stepOf, viewOf } from './place.ts';
import { createObserver, expireEntries, expireOpen, expireWays, writeShown } from './record.ts';
import { nameOf } from './same-packet.ts';
import { createState, heldBy, type Journeys, settle, weightOf } from './state.ts';
import { deviceNamed } from './taps.ts';
import { addNamed, dropFirst, first, insert } from './waiting.ts';

/** Clocks of two cells are hardly further apart; the same packet is hardly sent again so soon. */
const WINDOW = 1e9;
const MOST_WAITING = 256 * 1024 * 1024;
const UNDERLAY_MTU = 1500;
const UNDERLAY_PREFIX_LENGTH = 24;

const UNHEARD: JourneyListener = {
  compared: () => undefined,
  unexpected: () => undefined,
  passed: () => undefined,
  ended: () => undefined,
  logged: () => undefined,
};

/**
 * Journeys through an emulation of all cells of `dataplane`, whose rules are `rules`, by the name of the cell. `listener` is
 * told of results while they are found. Nothing else may use `dataplane` meanwhile. Throws TapError for the name of a tap in
 * `settings` that the foundation does not have.
 */
export function createJourneys(
  dataplane: Dataplane,
  rules: ReadonlyMap<string, CellRules>,
  settings: JourneySettings,
  listener: Partial<JourneyListener>,
): Journeys {
  const { seed, window = WINDOW, mostWaiting = MOST_WAITING } = settings;
  const underlayPrefixLength = settings.underlayPrefixLength ?? UNDERLAY_PREFIX_LENGTH;
  const heard = { ...UNHEARD, ...listener };
  const gateway = gatewayOf(dataplane, underlayPrefixLength);
  const macs = madeUpMacs(dataplane, gateway);
  const draws = createKnownDraws(createDraws(seed), dataplane.options.vxlanPort);
  const observer = createObserver(() => journeys);
  const emulation = createEmulation(
    dataplane,
    {
      underlayMtu: settings.underlayMtu ?? UNDERLAY_MTU,
      mtus: settings.mtus ?? new Map(),
      partialChecksums: false,
      underlayPrefixLength,
      gateway,
      icmpLimits: DEFAULT_ICMP_LIMITS,
      nat: true,
      underlayMacs: macs,
    },
    { draws, observer, translation: createTranslation(dataplane, rules, { offset: () => seed & 0xffff }) },
  );
  for (const tap of settings.mtus?.keys() ?? []) deviceNamed(emulation.devices, tap);
  const taps = { watched: new Set<number>(), shown: new Set<number>() };
  const journeys = createState({ emulation, listener: heard, draws, macs, fullWindow: window, mostWaiting, ...taps });
  return journeys;
}

/** Frames of the tap called `tap` will be handed in. Gives the index of its device. Throws TapError. */
export function watch({ emulation, watched }: Journeys, tap: string): number {
  const { index } = deviceNamed(emulation.devices, tap);
  watched.add(index);
  return index;
}

/** The listener wants to be told what the tap called `tap` sees. Gives the index of its device. Throws TapError. */
export function show({ emulation, shown }: Journeys, tap: string): number {
  const { index } = deviceNamed(emulation.devices, tap);
  shown.add(index);
  return index;
}

const ETHERNET_HEADER = 14;

function describe({ emulation }: Journeys, captured: Captured): Seen {
  const { octets } = captured;
  const view = viewOf(octets);
  const device = emulation.devices[captured.device]!;
  const isFrame = octets.length >= ETHERNET_HEADER;
  const direction = isFrame ? directionAt(device, view, 0) : DIRECTION.IN;
  const name = isFrame ? nameOf(view, 0, octets.length, emulation.dataplane.options.vxlanPort) : null;
  const found = name === null ? FOUND.LEFT_OUT : FOUND.MISSING;
  const step = stepOf(device.kind, direction);
  return { ...captured, direction, step, name, found, journey: 0, differing: [], settled: false };
}

const isAfter = (a: Seen, b: Seen): boolean => a.time > b.time || (a.time === b.time && a.step > b.step);

/** Take in the next captured frame. Frames come in order of time, of all captures together. */
export function take(journeys: Journeys, captured: Captured): void {
  learn(journeys, captured);
  const one = describe(journeys, captured);
  journeys.held += weightOf(one.octets);
  if (one.name === null) settle(journeys, one);
  else {
    addNamed(journeys.waiting, one.name, one);
    insert(journeys.ahead, one, isAfter);
  }
  if (one.time > journeys.newest) journeys.newest = one.time;
  catchUp(journeys);
  fitIntoMemory(journeys);
}

/** The captures are at their end: let everything that waits have its turn, and every timer run. */
export function finish(journeys: Journeys): void {
  journeys.window = journeys.fullWindow;
  journeys.newest = Number.POSITIVE_INFINITY;
  for (let one = first(journeys.ahead); one !== undefined; one = first(journeys.ahead)) haveTurn(journeys, one);
  finishEmulation(journeys.emulation);
  expire(journeys, Number.POSITIVE_INFINITY);
}

/** The first frame that was read ahead has its turn. */
function haveTurn(journeys: Journeys, one: Seen): void {
  dropFirst(journeys.ahead);
  if (one.settled) return;
  advance(journeys.emulation, one.time);
  enter(journeys, one);
  if (!one.settled) insert(journeys.unexplained, one, isAfter);
  expire(journeys, one.time);
}

/** Let every frame have its turn that was read a window ago. */
function catchUp(journeys: Journeys): void {
  const { ahead } = journeys;
  for (let one = first(ahead); one !== undefined; one = first(ahead)) {
    // Without a window nothing is waited for, whatever the times say.
    if (journeys.window > 0 && one.time + journeys.window >= journeys.newest) return;
    haveTurn(journeys, one);
  }
}

/** Give up what has waited for a window at `now`, and hand on what is done. */
function expire(journeys: Journeys, now: number): void {
  const { window, fullWindow, unexplained, draws } = journeys;
  const isFull = window === fullWindow;
  const before = window === 0 ? Number.POSITIVE_INFINITY : now - window;
  for (let one = first(unexplained); one !== undefined && one.time < before; one = first(unexplained)) {
    dropFirst(unexplained);
    giveUp(journeys, one, isFull);
  }
  expireOpen(journeys, before, isFull);
  expireEntries(journeys, before - 2 * window);
  expireWays(journeys, now);
  writeShown(journeys, now === Number.POSITIVE_INFINITY);
  draws.forget(before - window);
}

/** Below this a window is none. */
const SHORTEST_WINDOW = 1000;

/** Shorten the window until what waits fits, and let it grow again when there is room. */
function fitIntoMemory(journeys: Journeys): void {
  const { fullWindow, mostWaiting } = journeys;
  while (heldBy(journeys) > mostWaiting && journeys.window > 0) {
    journeys.window = journeys.window > SHORTEST_WINDOW ? journeys.window / 2 : 0;
    catchUp(journeys);
    expire(journeys, journeys.emulation.now);
  }
  if (journeys.window < fullWindow && heldBy(journeys) < mostWaiting / 2)
    journeys.window = Math.min(fullWindow, Math.max(SHORTEST_WINDOW, journeys.window * 2));
}
