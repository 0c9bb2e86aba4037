/**
 * Journeys: captures of any taps, run through the whole emulated foundation, and compared with what it did.
 *
 * A packet enters once: at the container that sent it when its tap, or the host's end of its veth, was captured. Seen only
 * later, it is put in as its container must have sent it; one from outside enters at the tap that saw it first. Every
 * further frame with the same name (`same-packet.ts`) is held against what the emulation showed at that tap.
 */
import type { Device } from '../dataplane/emulate/device.ts';
import type { Emulation } from '../dataplane/emulate/emulation.ts';
import { finish, inject, type Passage, type Record } from '../dataplane/emulate/journey.ts';
import { DIRECTION } from '../dataplane/emulate/seams.ts';
import { lookup } from '../foundation/directory.ts';
import { contains } from '../wire/address.ts';
import * as ipv4 from '../wire/ipv4.ts';
import type { KnownDraws } from './known-draws.ts';
import { directionAt, frameFromContainer, segmentLengthOf, stepOf } from './place.ts';
import { nameOf, networkOf, packetOf } from './same-packet.ts';

/** A frame of a capture. Times are nanoseconds since an epoch that all captures share. */
export interface Captured {
  readonly file: number;
  readonly packet: number;
  /** Index of the device whose tap saw it. */
  readonly device: number;
  readonly octets: Uint8Array<ArrayBuffer>;
  readonly originalLength: number;
  readonly time: number;
}

export const FOUND = {
  /** Nothing that is compared: ARP, IPv6. */
  LEFT_OUT: 'left out',
  ENTERED: 'entered',
  AGREED: 'agreed',
  DIFFERENT: 'different',
  MISSING: 'missing',
} as const;

export type Found = (typeof FOUND)[keyof typeof FOUND];

/** A captured frame and what was found about it. */
export interface Seen extends Captured {
  readonly direction: number;
  readonly step: number;
  readonly name: string | null;
  found: Found;
  /** Number of its journey; 0 for none. */
  journey: number;
  /** Offsets of octets that are not as captured. */
  differing: number[];
}

export interface Journeys {
  readonly seen: readonly Seen[];
  /** What the emulation showed at a captured tap and no capture has. */
  readonly unexpected: readonly Passage[];
  /** Numbers of journeys that were put in as their containers must have sent them. */
  readonly supposed: ReadonlySet<number>;
}

export interface JourneyOptions {
  /** How far apart two taps may see the same packet, in nanoseconds. */
  readonly window: number;
  readonly vxlanPort: number;
}

interface Run {
  readonly emulation: Emulation;
  readonly record: Record;
  readonly options: JourneyOptions;
  readonly draws: KnownDraws;
  /** Captured frames by name, in order of time. */
  readonly byName: ReadonlyMap<string, readonly Seen[]>;
  /** Passages that no capture has been held against, by tap, direction and name. */
  readonly open: Map<string, Passage[]>;
  readonly supposed: Set<number>;
  /** Passages of the record that are in `open`, or were. */
  indexed: number;
}

const viewOf = (octets: Uint8Array<ArrayBuffer>): DataView => new DataView(octets.buffer, octets.byteOffset);

/** Describe a captured frame for `followAll`. */
export function describe(captured: Captured, device: Device, vxlanPort: number): Seen {
  const view = viewOf(captured.octets);
  const { length } = captured.octets;
  const direction = length < 14 ? DIRECTION.IN : directionAt(device, view, 0);
  const name = length < 14 ? null : nameOf(view, 0, length, vxlanPort);
  const found = name === null ? FOUND.LEFT_OUT : FOUND.MISSING;
  return { ...captured, direction, step: stepOf(device.kind, direction), name, found, journey: 0, differing: [] };
}

const byTime = (a: Seen, b: Seen): number => a.time - b.time || a.step - b.step;

/** Run all of `seen` through `emulation`, whose recorder fills `record` and whose draws are `draws`, and let every timer run. */
export function followAll(
  emulation: Emulation,
  record: Record,
  draws: KnownDraws,
  seen: readonly Seen[],
  options: JourneyOptions,
): Journeys {
  const ordered = [...seen].sort(byTime);
  const byName = new Map<string, Seen[]>();
  for (const one of ordered) {
    if (one.name === null) continue;
    const others = byName.get(one.name);
    if (others === undefined) byName.set(one.name, [one]);
    else others.push(one);
  }
  const run: Run = { emulation, record, options, draws, byName, open: new Map(), supposed: new Set(), indexed: 0 };
  for (const one of ordered) learn(run, one);
  for (const one of ordered) if (one.found === FOUND.MISSING && !compare(run, one)) enter(run, one);
  finish(emulation);
  // Frames that a tap saw, by its clock, before the packet entered, and those that timers sent.
  for (const one of ordered) if (one.found === FOUND.MISSING) compare(run, one);
  const captured = new Set(seen.map(({ device }) => device));
  const unexpected = [...run.open.values()].flat().filter(({ device }) => captured.has(device));
  return { seen: ordered, unexpected, supposed: run.supposed };
}

/** A number that was drawn can be told from any frame that its cell made. */
function learn({ emulation, draws }: Run, one: Seen): void {
  if (one.name === null) return;
  const { dataplane } = emulation;
  const view = viewOf(one.octets);
  const network = networkOf(view, 0, one.octets.length);
  const packet = packetOf(view, 0, one.octets.length, dataplane.options.vxlanPort);
  for (const at of new Set([network, packet])) {
    const source = ipv4.source(view, at);
    const cell = dataplane.cells.find(({ underlay, vtepAddress }) => source === underlay || source === vtepAddress);
    draws.learn(view, 0, one.octets.length, cell?.index ?? emulation.devices[one.device]!.cell);
  }
}

const keyOf = (device: number, direction: number, name: string): string => `${device}/${direction}/${name}`;

/** Index what was shown since the last look. */
function index(run: Run): void {
  const { passages } = run.record;
  for (; run.indexed < passages.length; run.indexed++) {
    const passage = passages[run.indexed]!;
    const name = nameOf(viewOf(passage.octets), 0, passage.octets.length, run.options.vxlanPort);
    if (name === null) continue;
    const key = keyOf(passage.device, passage.direction, name);
    const others = run.open.get(key);
    if (others === undefined) run.open.set(key, [passage]);
    else others.push(passage);
  }
}

/** Hold `one` against what the emulation showed at its tap; false when that was nothing of this name at about that time. */
function compare(run: Run, one: Seen): boolean {
  index(run);
  const open = run.open.get(keyOf(one.device, one.direction, one.name!)) ?? [];
  const at = open.findIndex(({ time }) => Math.abs(time - one.time) <= run.options.window);
  if (at < 0) return false;
  const [passage] = open.splice(at, 1);
  one.journey = passage!.packet;
  one.differing = differingOctets(one, passage!.octets);
  one.found = one.differing.length === 0 ? FOUND.AGREED : FOUND.DIFFERENT;
  return true;
}

/** Offsets at which `octets` is not what was captured; what the capture cut off is not compared. */
function differingOctets({ octets: captured, originalLength }: Seen, octets: Uint8Array): number[] {
  const differing: number[] = [];
  for (const [i, octet] of captured.entries()) if (octet !== octets[i]) differing.push(i);
  if (differing.length === 0 && octets.length !== originalLength) differing.push(captured.length);
  return differing;
}

/** Put the packet of `one` in where it was first. */
function enter(run: Run, one: Seen): void {
  const near = (other: Seen): boolean => Math.abs(other.time - one.time) <= run.options.window;
  const same = run.byName.get(one.name!)!.filter((other) => other.found === FOUND.MISSING && near(other));
  const first = same.reduce((a, b) => (b.step < a.step ? b : a), one);
  if (first.step > 1 && suppose(run, first)) compare(run, one);
  if (first.found === FOUND.MISSING && mayEnter(run, first)) putIn(run, first);
  if (one.found === FOUND.MISSING) compare(run, one);
}

/** Whether `one` came in by its tap from somewhere, and as a whole; what a cell sent has to come out of its emulation. */
function mayEnter(run: Run, one: Seen): boolean {
  if (one.octets.length !== one.originalLength || one.step === 7) return false;
  return one.step < 2 || (one.direction === DIRECTION.IN && !compare(run, one));
}

function putIn(run: Run, one: Seen): void {
  about(run, one.octets);
  one.found = FOUND.ENTERED;
  one.journey = put(run, one.device, one.octets, one.time);
  index(run);
  // What the tap shows of it is what was put in.
  const own = run.open.get(keyOf(one.device, one.direction, one.name!)) ?? [];
  const at = own.findIndex(({ packet }) => packet === one.journey);
  if (at >= 0) own.splice(at, 1);
}

function put({ emulation }: Run, device: number, octets: Uint8Array<ArrayBuffer>, time: number): number {
  const length = segmentLengthOf(emulation.devices[device]!, viewOf(octets), 0, octets.length);
  return inject(emulation, device, octets, time, length);
}

function about({ draws, options }: Run, octets: Uint8Array<ArrayBuffer>): void {
  const view = viewOf(octets);
  const network = packetOf(view, 0, octets.length, options.vxlanPort);
  draws.about(view, network, octets.length);
}

/** Put the packet of `one` in as the container that it is from must have sent it; false when it is from none. */
function suppose(run: Run, one: Seen): boolean {
  const { emulation, options } = run;
  const { dataplane, devices, hosts } = emulation;
  if (one.octets.length !== one.originalLength) return false;
  const view = viewOf(one.octets);
  const network = packetOf(view, 0, one.octets.length, options.vxlanPort);
  const sender = lookup(dataplane.directory, ipv4.source(view, network));
  if (sender < 0) return false;
  const home = dataplane.directory.instanceCell[sender]!;
  const isRemote = contains(dataplane.cells[home]!.overlay, ipv4.destination(view, network));
  const isHere = devices[one.device]!.cell === home;
  if (!isHere && (one.step < 4 || !isRemote)) return false;
  const hops = one.step >= 6 && !isHere ? 2 : 1;
  const octets = frameFromContainer(view, network, one.octets.length, hops);
  if (octets === null) return false;
  about(run, octets);
  run.supposed.add(put(run, hosts[home]!.veths[sender]!.peer, octets, one.time));
  return true;
}
