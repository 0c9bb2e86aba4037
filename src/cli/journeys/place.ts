/**
 * What captures say about the place that they were taken at: the tap, where its name was not given, and the hardware
 * addresses of the underlay.
 */
import type { Dataplane } from '../../dataplane/dataplane.ts';
import { lookup, lookupUnderlay } from '../../foundation/directory.ts';
import { containerMac, hostVethMac, hostVethName, VTEP_NAME } from '../../foundation/lease.ts';
import { innerFrame, networkOf } from '../../replay/same-packet.ts';
import * as ethernet from '../../wire/ethernet.ts';
import * as integrity from '../../wire/integrity.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { locate } from '../../wire/layers.ts';
import { LINKTYPE } from '../../wire/protocol.ts';
import type { Frame } from './read.ts';

/** A locally administered address of ours for a host that no capture shows. */
const MADE_UP_MAC = 0x0200_0000_0000;

/** Every tap where the frame may have been seen, of the cells that are asked about. */
function tapsOf(dataplane: Dataplane, cells: readonly number[], { octets }: Frame): string[] | null {
  const view = new DataView(octets.buffer);
  const network = networkOf(view, 0, octets.length);
  if (network < 0) return null;
  const [from, to] = [ethernet.source(view, 0), ethernet.destination(view, 0)];
  for (const address of [ipv4.source(view, network), ipv4.destination(view, network)]) {
    const instance = lookup(dataplane.directory, address);
    const [inside, outside] = [containerMac(address), hostVethMac(address)];
    if (instance < 0 || !((from === inside && to === outside) || (from === outside && to === inside))) continue;
    const cell = dataplane.cells[dataplane.directory.instanceCell[instance]!]!;
    return cells.includes(cell.index) ? [`${cell.name}/${hostVethName(address)}/eth0`] : [];
  }
  const asked = cells.map((cell) => dataplane.cells[cell]!);
  const vteps = asked.filter(({ vtepMac }) => vtepMac === from || vtepMac === to);
  if (vteps.length > 0) return vteps.map(({ name }) => `${name}/${VTEP_NAME}`);
  const ends = [ipv4.source(view, network), ipv4.destination(view, network)];
  return asked
    .filter(({ underlay }) => ends.includes(underlay))
    .map(({ name, index }) => `${name}/${dataplane.directory.foundation.cells[index]!.interfaces[0] ?? 'eth0'}`);
}

/** The taps at which all of `frames` can have been seen; null when none of them carries IPv4. */
export function possibleTaps(
  dataplane: Dataplane,
  cells: readonly string[],
  frames: readonly Frame[],
): string[] | null {
  const asked = dataplane.cells.filter(({ name }) => cells.length === 0 || cells.includes(name));
  const numbers = asked.map(({ index }) => index);
  let possible: string[] | null = null;
  for (const frame of frames) {
    const taps = tapsOf(dataplane, numbers, frame);
    if (taps === null) continue;
    possible = possible === null ? taps : possible.filter((tap) => taps.includes(tap));
  }
  return possible;
}

export interface Underlay {
  readonly macs: Map<number, number>;
  /** Whether a sending cell left outer UDP checksums to its network card. */
  readonly partialChecksums: boolean;
}

/** Hardware addresses of hosts of the underlay, from frames seen there; cells that no frame shows get made-up ones. */
export function underlayOf(dataplane: Dataplane, frames: Iterable<Frame>): Underlay {
  const macs = new Map<number, number>();
  let partialChecksums = false;
  for (const { octets } of frames) {
    const view = new DataView(octets.buffer);
    const network = networkOf(view, 0, octets.length);
    if (network < 0) continue;
    const [source, destination] = [ipv4.source(view, network), ipv4.destination(view, network)];
    if (lookupUnderlay(dataplane.directory, source) >= 0 || lookupUnderlay(dataplane.directory, destination) >= 0) {
      macs.set(source, ethernet.source(view, 0));
      macs.set(destination, ethernet.destination(view, 0));
    }
    if (innerFrame(view, network, octets.length, dataplane.options.vxlanPort) < 0) continue;
    locate(view, 0, octets.length, octets.length, LINKTYPE.ETHERNET, -1, dataplane.layers);
    partialChecksums ||= integrity.transport(view, dataplane.layers.outer) === integrity.CHECKSUM.PARTIAL;
  }
  for (const { underlay } of dataplane.cells) if (!macs.has(underlay)) macs.set(underlay, MADE_UP_MAC + underlay);
  return { macs, partialChecksums };
}
