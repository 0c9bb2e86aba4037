/**
 * One cell of a finished exchange, replaced by an emulated one: what came into the real cell from the underlay and from its
 * containers goes into the emulated cell in order of time. What each of its devices sent and received is held against the
 * captures of the real one.
 *
 * The two directions of a device are compared apart: frames that cross on a device within microseconds have no order
 * that another cell would have to keep.
 */
import { createNeighbour } from '../../src/dataplane/emulate/neighbour.ts';
import type { CellRules } from '../../src/dataplane/setup.ts';
import type { Cell, Foundation } from '../../src/foundation/model.ts';
import { formatIpv4, parseIpv4 } from '../../src/wire/address.ts';
import {
  type Captured,
  type Input,
  readCapture,
  type Setup,
  seenIn,
  type Travelled,
  travelAs,
} from '../dataplane/emulate/emulating.ts';
import { OPTIONS } from '../scenarios/support.ts';
import * as names from './lab-names.ts';
import { GATEWAY } from './random/world.ts';
import { CONTESTED_PORT, OUTSIDE, OUTSIDE_PORT } from './real-traffic.ts';

/** A tap of the cell, and who sends there: the device itself, and what is behind it. */
export interface CellTap {
  readonly name: string;
  readonly mac: string;
  /** Frames of others are put in here. */
  readonly isEntry: boolean;
  /** This end is the container's, so that its frames are put in. */
  readonly isContainer: boolean;
}

/** Where the cell is watched: underlay, VTEP, and both ends of each container's veth. */
export function tapsOf(foundation: Foundation, cell: Cell): CellTap[] {
  const instances = foundation.apps.flatMap((app) => app.instances.filter((one) => one.cell === cell.name));
  return [
    { name: `${cell.name}/eth0`, mac: names.underlayMac(cell.underlay), isEntry: true, isContainer: false },
    { name: `${cell.name}/${names.VTEP_DEVICE}`, mac: names.vtepMac(cell.lease), isEntry: false, isContainer: false },
    ...instances.flatMap(({ address }): CellTap[] => {
      const name = `${cell.name}/${names.hostVeth(address)}`;
      const [mac, inside] = [names.hostVethMac(address), names.containerMac(address)];
      return [
        { name, mac, isEntry: false, isContainer: false },
        { name: `${name}/eth0`, mac: inside, isEntry: true, isContainer: true },
      ];
    }),
  ];
}

const digits = (mac: string): string => mac.replaceAll(':', '');
/** Whether the device with `mac` sent the frame; in hexadecimal, source behind destination. */
const isFrom = (hex: string, mac: string): boolean => hex.slice(12, 24) === digits(mac);
/** The underlay's switch floods what it does not know a place for. */
const isFor = (hex: string, mac: string): boolean => hex.slice(0, 12) === digits(mac);

export interface Seen {
  readonly tap: CellTap;
  readonly frames: readonly Captured[];
}

/** Read `files`, by name of their tap, with times from the first frame of all; ARP and frames for others are left out. */
export async function readTaps(taps: readonly CellTap[], fileOf: (tap: string) => string): Promise<Seen[]> {
  const read = await Promise.all(taps.map(async (tap) => ({ tap, ...(await readCapture(fileOf(tap.name))) })));
  const epochs = read.filter(({ packets }) => packets.length > 0).map(({ epoch }) => epoch);
  const [first = 0n] = epochs.toSorted((a, b) => Number(a - b));
  return read.map(({ tap, epoch, packets }) => ({
    tap,
    frames: packets
      .filter(({ hex }) => isFrom(hex, tap.mac) || isFor(hex, tap.mac))
      .map((packet) => ({ ...packet, time: packet.time + Number(epoch - first) })),
  }));
}

/** All that came into the cell from outside of it, in order of time. */
export const inputsOf = (seen: readonly Seen[]): Input[] =>
  seen
    .filter(({ tap }) => tap.isEntry)
    .flatMap(({ tap, frames }) =>
      frames
        .filter(({ hex }) => isFrom(hex, tap.mac) === tap.isContainer)
        .map(({ octets, time }) => ({ tap: tap.name, octets, time })),
    )
    .toSorted((a, b) => a.time - b.time);

/** The source port that the real cell drew for the second connection with the contested one; 0 when there is none. */
export function drawnPort(seen: readonly Seen[], cell: Cell): number {
  const underlay = seen.find(({ tap }) => tap.name === `${cell.name}/eth0`)!;
  for (const { octets, hex } of underlay.frames) {
    const packet = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
    const isLeaving = hex.slice(46, 48) === '06' && packet.readUInt32BE(30) === parseIpv4(OUTSIDE);
    if (isLeaving && packet.readUInt16BE(36) === OUTSIDE_PORT && packet.readUInt16BE(34) !== CONTESTED_PORT)
      return packet.readUInt16BE(34);
  }
  return 0;
}

/** Ports from here on are drawn for those from here on (nf_nat_l4proto_unique_tuple). */
const UNPRIVILEGED = 1024;

/** The emulated cell's way through `inputs`. All other cells of the foundation are known to it, but are not there. */
export function replace(
  foundation: Foundation,
  cell: Cell,
  rules: ReadonlyMap<string, CellRules>,
  seen: readonly Seen[],
): Travelled {
  const inputs = inputsOf(seen);
  const own = parseIpv4(formatIpv4(cell.underlay))!;
  const macOf = (address: number): number => Number(`0x${digits(names.underlayMac(address))}`);
  const setup: Setup = {
    foundation,
    rules,
    options: {
      gateway: parseIpv4(GATEWAY.address)!,
      underlayMacs: new Map([own, parseIpv4(GATEWAY.address)!].map((address) => [address, macOf(address)])),
    },
    dataplane: { ...OPTIONS, strictChecksums: true },
    translated: true,
    portOffset: () => drawnPort(seen, cell) - UNPRIVILEGED,
    until: inputs.at(-1)!.time,
    amend({ hosts }) {
      const { underlay } = hosts.find((host) => host.cell.name === cell.name)!;
      for (const other of foundation.cells.filter((one) => one !== cell))
        underlay.neighbours.set(other.underlay, createNeighbour(underlay, other.underlay, macOf(other.underlay)));
    },
  };
  // What the cell drew is only in what it sent itself; at the underlay every frame of it passes but those to containers.
  const sent = seen.map(({ tap, frames }) => {
    const hexes = frames.filter(({ hex }) => isFrom(hex, tap.mac)).map(({ hex }) => hex);
    return [tap.name, hexes] as const;
  });
  return travelAs(setup, inputs, new Map(sent));
}

const SHOWN_DIGITS = 240;
const shown = (frame: string | undefined): string => (frame === undefined ? 'nothing' : frame.slice(0, SHOWN_DIGITS));

/**
 * Hold every tap against what the emulated cell's saw, each direction by itself, in order. Gives the first difference at each
 * tap and direction.
 */
export function compareTaps(seen: readonly Seen[], travelled: Travelled): string[] {
  const differences: string[] = [];
  for (const { tap, frames } of seen) {
    const ours = seenIn(travelled, tap.name).map(({ hex }) => hex);
    for (const isOut of [true, false]) {
      const theirs = frames.map(({ hex }) => hex).filter((hex) => isFrom(hex, tap.mac) === isOut);
      const mine = ours.filter((hex) => isFrom(hex, tap.mac) === isOut);
      const length = Math.max(theirs.length, mine.length);
      const at = Array.from({ length }, (_, i) => i).find((i) => theirs[i] !== mine[i]);
      if (at === undefined) continue;
      const where = `${tap.name} ${isOut ? 'out' : 'in'}, frame ${at + 1} of ${theirs.length}`;
      differences.push(
        `${where} (tagplane: ${mine.length})\n  kernel   ${shown(theirs[at])}\n  tagplane ${shown(mine[at])}`,
      );
    }
  }
  return differences;
}
