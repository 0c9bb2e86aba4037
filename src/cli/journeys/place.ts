/** The tap that a capture was taken at, where its name was not given: hardware and IPv4 addresses tell. */
import type { Dataplane } from '../../dataplane/dataplane.ts';
import { lookup } from '../../foundation/directory.ts';
import { containerMac, hostVethMac, hostVethName, VTEP_NAME } from '../../foundation/lease.ts';
import { viewOf } from '../../replay/journeys/place.ts';
import { networkOf } from '../../replay/journeys/same-packet.ts';
import * as ethernet from '../../wire/ethernet.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import type { Beginning } from './read.ts';

/** Every tap where the frame may have been seen, of the cells that are asked about; null when it carries no IPv4 packet. */
function tapsOf(
  dataplane: Dataplane,
  cells: readonly number[],
  octets: Uint8Array<ArrayBuffer>,
): readonly string[] | null {
  const view = viewOf(octets);
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

/**
 * The taps at which all of `frames` can have been seen that can have been seen at any; null when none of them carries
 * IPv4. `cells` are the names of those that are asked about; none means all.
 */
export function possibleTaps(
  dataplane: Dataplane,
  cells: readonly string[],
  frames: Beginning,
): readonly string[] | null {
  const asked = dataplane.cells.filter(({ name }) => cells.length === 0 || cells.includes(name));
  const numbers = asked.map(({ index }) => index);
  let possible: readonly string[] | null = null;
  for (const octets of frames) {
    const taps = tapsOf(dataplane, numbers, octets);
    if (taps === null) continue;
    if (possible === null || possible.length === 0) possible = taps;
    else if (taps.length > 0) possible = possible.filter((tap) => taps.includes(tap));
    if (possible.length === 0 && taps.length > 0) return [];
  }
  return possible;
}
