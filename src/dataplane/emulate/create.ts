/** Building an emulation from a dataplane, which has the cells, their rules and their connections. */
import { vtepMac } from '../../foundation/lease.ts';
import { createIcmpError } from '../answer/icmp-error.ts';
import { createIcmpLimits } from '../answer/icmp-limit.ts';
import { rejectCode } from '../answer/reject.ts';
import type { Cell } from '../cell.ts';
import * as conntrack from '../conntrack.ts';
import type { Dataplane } from '../dataplane.ts';
import { create as createFragments } from '../fragments.ts';
import { createDevices, DEVICE, type Device, type DeviceOptions } from './device.ts';
import type { Draws } from './draws.ts';
import { type Emulation, type EmulationOptions, type Host, NO_REJECT } from './emulation.ts';
import { createPool } from './frame.ts';
import { localOut } from './local-out.ts';
import { createNeighbour } from './neighbour.ts';
import { preferredSource } from './route.ts';
import { type Listens, NOBODY_LISTENS, noTranslation, type Observer, type Translation } from './seams.ts';

/** What is plugged in. */
export interface Parts {
  readonly draws: Draws;
  readonly observer: Observer;
  readonly translation?: Translation;
  readonly listens?: Listens;
}

export interface Options
  extends Omit<EmulationOptions, 'underlayMac' | 'groupPolicy'>,
    Omit<DeviceOptions, 'underlayMac'> {
  /** Hardware addresses on the underlay, by address; every cell has to have one. */
  readonly underlayMacs: ReadonlyMap<number, number>;
  /** Follow TCP sequence windows and SCTP, as cells do; so it is when left out. */
  readonly windows?: boolean;
  /** False for VTEPs that know no group policy, unlike those of silk. */
  readonly groupPolicy?: boolean;
}

/** An emulation of all cells of `dataplane`. */
export function createEmulation(dataplane: Dataplane, options: Options, parts: Parts): Emulation {
  if (options.windows !== false) conntrack.addWindows(dataplane.connections);
  const underlayMac = (address: number): number => options.underlayMacs.get(address) ?? -1;
  const names = dataplane.directory.foundation.cells.map(({ interfaces }) => interfaces[0] ?? 'eth0');
  const devices = createDevices(dataplane, names, { ...options, underlayMac });
  const emulation: Emulation = {
    dataplane,
    hosts: dataplane.cells.map((cell) => createHost(dataplane, cell, devices, options)),
    devices,
    options: { ...options, underlayMac, groupPolicy: options.groupPolicy !== false },
    frames: createPool(),
    backlog: { frames: [], devices: [], next: 0, end: 0 },
    timed: [],
    fragments6: createFragments(),
    draws: parts.draws,
    translation: parts.translation ?? noTranslation(dataplane),
    listens: parts.listens ?? NOBODY_LISTENS,
    observer: parts.observer,
    tracked: 0,
    now: 0,
    localOut,
  };
  for (const host of emulation.hosts) {
    host.error.isUnicast = (address) => preferredSource(emulation, host, address) !== address;
  }
  return emulation;
}

function createHost(dataplane: Dataplane, cell: Cell, devices: readonly Device[], options: Options): Host {
  const own = devices.filter((device) => device.cell === cell.index);
  const underlay = own.find(({ kind }) => kind === DEVICE.UNDERLAY)!;
  const vtep = own.find(({ kind }) => kind === DEVICE.VTEP)!;
  const forwarding = new Map<number, number>();
  for (const other of dataplane.cells) {
    if (other === cell) continue;
    const mac = vtepMac(other.lease);
    forwarding.set(mac, other.underlay);
    vtep.neighbours.set(other.vtepAddress, createNeighbour(vtep, other.vtepAddress, mac));
  }
  return {
    cell,
    underlay,
    vtep,
    veths: dataplane.directory.instances.map(({ address }) =>
      own.find(({ kind, container }) => kind === DEVICE.VETH && container === address),
    ),
    ...outputOf(cell),
    forwarding,
    limits: createIcmpLimits(options.icmpLimits),
    error: createIcmpError(),
  };
}

/** What of a host follows from the rules of its cell. */
export const outputOf = (cell: Cell): Pick<Host, 'outputChain' | 'rejections'> => ({
  outputChain: cell.filter.prepare('OUTPUT'),
  rejections: Int8Array.from(cell.filter.rules.rules, ({ rule }) =>
    rule.target.kind === 'REJECT' ? rejectCode(rule.target.with) : NO_REJECT,
  ),
});
