/**
 * A captured frame has its turn: it is held against what the emulation showed, or its packet is put in.
 *
 *     its packet was put in, and cannot come here any more    missing; put in again behind the cell that kept it
 *     its packet was put in, and waits                        so does the frame (fragments, neighbours)
 *     another tap saw it nearer to its container              put in there
 *     its source is a container                               put in as that must have sent it
 *     it came in from outside                                 put in here
 */
import { HELD } from '../../dataplane/burst.ts';
import { DEVICE, type Device } from '../../dataplane/emulate/device.ts';
import type { Emulation } from '../../dataplane/emulate/emulation.ts';
import { LONGEST_FRAME } from '../../dataplane/emulate/frame.ts';
import { inject } from '../../dataplane/emulate/journey.ts';
import { advance } from '../../dataplane/emulate/run.ts';
import { DIRECTION } from '../../dataplane/emulate/seams.ts';
import { VERDICT } from '../../dataplane/verdict.ts';
import { lookup, lookupUnderlay } from '../../foundation/directory.ts';
import { contains } from '../../wire/address.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { compare, conclude, entryOf, MOST_SAME, near } from './compare.ts';
import { FOUND, type Found, ORIGIN, type Origin, type Seen } from './model.ts';
import { frameFromContainer, isOwn, segmentLengthOf, viewOf } from './place.ts';
import { recut } from './recut.ts';
import { nameBehindMasquerade, networkOf, packetOf } from './same-packet.ts';
import { type Entry, type Journeys, spotOf } from './state.ts';
import { addNamed } from './waiting.ts';

const isWhole = ({ octets, originalLength }: Seen): boolean => octets.length === originalLength;

/** Whatever can be done about `one`, which has its turn. It still waits afterwards when that may change. */
export function enter(journeys: Journeys, one: Seen): void {
  if (compare(journeys, one) || compareStream(journeys, one)) return;
  const entry = entryOf(journeys, one) ?? enterFirst(journeys, one);
  if (entry === undefined || one.settled || compare(journeys, one)) return;
  const fate = journeys.ways.get(entry.journey)?.fate ?? null;
  if (fate !== null && fate.verdict !== HELD) contradict(journeys, one, entry);
}

/** Hold `one` against the data that the emulation showed at its tap; false when not all of it was shown there. */
function compareStream(journeys: Journeys, one: Seen): boolean {
  if (one.step <= 1) return false;
  const journey = recut(journeys, one);
  if (journey === 0) return false;
  conclude(journeys, one, FOUND.RECUT, journey);
  return true;
}

/** Put the packet of `one` in where it was first; undefined when it cannot be. */
function enterFirst(journeys: Journeys, one: Seen): Entry | undefined {
  const same = journeys.waiting
    .get(one.name!)!
    .slice(0, MOST_SAME)
    .filter((other) => near(journeys, other, one));
  const origin = same.filter(isWhole).reduce((a, b) => (b.step < a.step ? b : a), one);
  if (!isWhole(origin)) return undefined;
  if (origin.step <= 1) return enterHere(journeys, origin, ORIGIN.ENTERED);
  const supposed = suppose(journeys, origin);
  if (supposed !== undefined) return supposed;
  return origin.direction === DIRECTION.IN && origin.step < 7 ? enterHere(journeys, origin, ORIGIN.ENTERED) : undefined;
}

/** Put the frame `one` in where it was seen. */
function enterHere(journeys: Journeys, one: Seen, origin: Origin): Entry | undefined {
  const entry = put(journeys, journeys.emulation.devices[one.device]!, one.octets, one, origin, spotOf(one));
  if (entry === undefined) {
    if (origin === ORIGIN.ENTERED) conclude(journeys, one, FOUND.LEFT_OUT, 0);
    return undefined;
  }
  if (origin === ORIGIN.ENTERED) conclude(journeys, one, FOUND.ENTERED, entry.journey);
  return entry;
}

const NO_SPOT = -1;

/**
 * Put `octets` of the packet of `one` in at `device`; undefined when no device sends so many. What `spot` shows of it is
 * what is put in, and is compared with nothing.
 */
function put(
  journeys: Journeys,
  device: Device,
  octets: Uint8Array<ArrayBuffer>,
  one: Seen,
  origin: Origin,
  spot = NO_SPOT,
): Entry | undefined {
  if (octets.length > LONGEST_FRAME) return undefined;
  const { emulation } = journeys;
  advance(emulation, one.time);
  // It is entered before it moves: what its own way shows is held against captured frames at once.
  const journey = emulation.frames.packet + 1;
  const maskedName = maskedNameOf(emulation, octets);
  const entry: Entry = { name: one.name!, maskedName, journey, time: one.time, compared: new Set([spot]) };
  addNamed(journeys.entered, entry.name, entry);
  if (maskedName !== null) addNamed(journeys.leaving, maskedName, entry);
  journeys.enteredInOrder.items.push(entry);
  journeys.own.packet = journey;
  journeys.own.spot = spot;
  const segmentLength = segmentLengthOf(device, viewOf(octets), 0, octets.length);
  inject(emulation, device.index, octets, one.time, segmentLength);
  const way = journeys.ways.get(journey);
  if (way !== undefined) way.origin = origin;
  return entry;
}

/** Put the packet of `one` in as the container that it is from must have sent it; undefined when it is from none. */
function suppose(journeys: Journeys, one: Seen): Entry | undefined {
  const { dataplane, devices, hosts } = journeys.emulation;
  const view = viewOf(one.octets);
  const network = packetOf(view, 0, one.octets.length, dataplane.options.vxlanPort);
  const sender = lookup(dataplane.directory, ipv4.source(view, network));
  if (sender < 0) return undefined;
  const home = dataplane.directory.instanceCell[sender]!;
  const isRemote = contains(dataplane.cells[home]!.overlay, ipv4.destination(view, network));
  const isHere = devices[one.device]!.cell === home;
  if (!isHere && (one.step < 4 || !isRemote)) return undefined;
  const hops = one.step >= 6 && !isHere ? 2 : 1;
  const octets = frameFromContainer(view, network, one.octets.length, hops);
  if (octets === null) return undefined;
  const container = devices[hosts[home]!.veths[sender]!.peer]!;
  return put(journeys, container, octets, one, ORIGIN.SUPPOSED);
}

/** The real cells let `one` come here and the emulated ones did not: say so, and let it go on from here. */
function contradict(journeys: Journeys, one: Seen, entry: Entry): void {
  entry.compared.add(spotOf(one));
  if (isWhole(one)) resume(journeys, one);
  conclude(journeys, one, FOUND.MISSING, entry.journey);
}

function resume(journeys: Journeys, one: Seen): void {
  const { devices, hosts, dataplane } = journeys.emulation;
  if (one.direction === DIRECTION.IN && one.step < 7) enterHere(journeys, one, ORIGIN.RESUMED);
  else if (devices[one.device]!.kind === DEVICE.UNDERLAY) {
    const view = viewOf(one.octets);
    const remote = lookupUnderlay(dataplane.directory, ipv4.destination(view, networkOf(view, 0, one.octets.length)));
    if (remote >= 0) put(journeys, hosts[remote]!.underlay, one.octets, one, ORIGIN.RESUMED);
  }
}

/** `one` has waited long enough, or `isFull` is false: too much waits. */
export function giveUp(journeys: Journeys, one: Seen, isFull: boolean): void {
  if (compare(journeys, one) || compareStream(journeys, one)) return;
  const isFromCell = isOwn(journeys.emulation, one.octets);
  const entry = entryOf(journeys, one) ?? (isFromCell ? keptOf(journeys, one) : undefined);
  entry?.compared.add(spotOf(one));
  let found: Found = isFull ? FOUND.MISSING : FOUND.CROWDED;
  if (entry === undefined && !isWhole(one)) found = FOUND.CUT;
  else if (entry === undefined && isFromCell) found = FOUND.OWN;
  conclude(journeys, one, found, entry?.journey ?? 0);
}

/** The packet of a container that an emulated cell kept, and that left the real one as `one`, masqueraded. */
function keptOf(journeys: Journeys, one: Seen): Entry | undefined {
  const view = viewOf(one.octets);
  const network = networkOf(view, 0, one.octets.length);
  const same = journeys.leaving.get(nameBehindMasquerade(view, network, one.octets.length));
  return same?.slice(-MOST_SAME).findLast((entry) => {
    const fate = journeys.ways.get(entry.journey)?.fate ?? null;
    const isKept = fate !== null && (fate.verdict === VERDICT.REJECT || fate.verdict === VERDICT.DROP);
    return isKept && near(journeys, entry, one) && !entry.compared.has(spotOf(one));
  });
}

/** `maskedName` of the packet in a frame that is put in. */
function maskedNameOf({ dataplane }: Emulation, octets: Uint8Array<ArrayBuffer>): string | null {
  const view = viewOf(octets);
  const network = networkOf(view, 0, octets.length);
  if (network < 0) return null;
  const sender = lookup(dataplane.directory, ipv4.source(view, network));
  if (sender < 0) return null;
  const { overlay } = dataplane.cells[dataplane.directory.instanceCell[sender]!]!;
  const isInside = contains(overlay, ipv4.destination(view, network));
  return isInside ? null : nameBehindMasquerade(view, network, octets.length);
}
