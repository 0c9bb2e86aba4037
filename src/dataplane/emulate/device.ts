/**
 * Device: a network device of a cell or of a container, and the place where packets can be watched.
 *
 *     container eth0 ---- s-010255001004   silk-vtep   eth0 ---- underlay
 *       CONTAINER             VETH           VTEP     UNDERLAY
 *
 * Names, addresses and flags are those that silk gives them (c2c.md section 1.3 to 1.5).
 */
import { containerMac, HOST_VETH_ADDRESS, hostVethMac, hostVethName, VTEP_NAME } from '../../foundation/lease.ts';
import type { Cell } from '../cell.ts';
import type { Dataplane } from '../dataplane.ts';
import type { Ipv6Link } from './ip6-link.ts';
import type { Neighbour } from './neighbour.ts';

export const DEVICE = { UNDERLAY: 0, VTEP: 1, VETH: 2, CONTAINER: 3 } as const;

export interface Device {
  /** Position among all devices of the foundation. */
  readonly index: number;
  /** `cell-a/eth0`, `cell-a/silk-vtep`, `cell-a/s-010255001004`, `cell-a/s-010255001004/eth0`. */
  readonly tap: string;
  /** One of DEVICE. */
  readonly kind: number;
  /** Index of its cell. */
  readonly cell: number;
  /** The number that rules know it by; 0 for a container's end. */
  readonly interface: number;
  /** That of an underlay device may be learned late. */
  mac: number;
  readonly mtu: number;
  /** The host's own address on it. */
  readonly address: number;
  /** Address of the container behind it; 0 for other devices. */
  readonly container: number;
  /** Index of the other end of a veth pair; -1 for other devices. */
  readonly peer: number;
  /** 1 when a packet must come in where answers to it would go out (rp_filter). */
  readonly reversePath: number;
  /** What it has of IPv6; null where that is switched off. */
  readonly ipv6: Ipv6Link | null;
  /** Those it speaks to by ARP, or that silk wrote down, by address. */
  readonly neighbours: Map<number, Neighbour>;
}

export interface DeviceOptions {
  readonly underlayMtu: number;
  /** MTU of single devices, by the name of their tap. */
  readonly mtus: ReadonlyMap<string, number>;
  /** IPv6 of single devices, by the name of their tap. */
  readonly ipv6?: ReadonlyMap<string, Ipv6Link>;
  /** Hardware address of the host with an underlay address; -1 when nobody answers for it. */
  readonly underlayMac: (address: number) => number;
}

/** Room for the outer headers: IPv4 20, UDP 8, VXLAN 8, inner Ethernet 14. */
export const VXLAN_OVERHEAD = 50;

/** All devices: of each cell its underlay, its VTEP, and two for every container. */
export function createDevices(
  dataplane: Dataplane,
  underlayNames: readonly string[],
  options: DeviceOptions,
): readonly Device[] {
  const devices: Device[] = [];
  const add = (device: Described, mtu: number): void => {
    const own = options.mtus.get(device.tap) ?? mtu;
    const ipv6 = options.ipv6?.get(device.tap) ?? null;
    devices.push({ ...device, index: devices.length, mtu: own, ipv6, neighbours: new Map() });
  };
  for (const cell of dataplane.cells) {
    add(underlay(cell, underlayNames[cell.index]!, options), options.underlayMtu);
    add(vtep(cell), options.underlayMtu - VXLAN_OVERHEAD);
  }
  for (const [instance, { address }] of dataplane.directory.instances.entries()) {
    const cell = dataplane.cells[dataplane.directory.instanceCell[instance]!]!;
    const veth = vethPair(cell, address, dataplane.instanceInterfaces[instance]!);
    add({ ...veth.host, peer: devices.length + 1 }, options.underlayMtu - VXLAN_OVERHEAD);
    add({ ...veth.container, peer: devices.length - 1 }, options.underlayMtu - VXLAN_OVERHEAD);
  }
  return devices;
}

type Described = Omit<Device, 'index' | 'mtu' | 'ipv6' | 'neighbours'>;

const underlay = (cell: Cell, name: string, options: DeviceOptions): Described => ({
  tap: `${cell.name}/${name}`,
  kind: DEVICE.UNDERLAY,
  cell: cell.index,
  interface: cell.underlayInterface,
  mac: options.underlayMac(cell.underlay),
  address: cell.underlay,
  container: 0,
  peer: -1,
  reversePath: 0,
});

const vtep = (cell: Cell): Described => ({
  tap: `${cell.name}/${VTEP_NAME}`,
  kind: DEVICE.VTEP,
  cell: cell.index,
  interface: cell.vtepInterface,
  mac: cell.vtepMac,
  address: cell.vtepAddress,
  container: 0,
  peer: -1,
  reversePath: 0,
});

function vethPair(cell: Cell, address: number, number: number): { host: Described; container: Described } {
  const tap = `${cell.name}/${hostVethName(address)}`;
  const both = { cell: cell.index, container: address, peer: -1 };
  return {
    host: {
      ...both,
      tap,
      kind: DEVICE.VETH,
      interface: number,
      mac: hostVethMac(address),
      address: HOST_VETH_ADDRESS,
      reversePath: 1,
    },
    container: {
      ...both,
      tap: `${tap}/eth0`,
      kind: DEVICE.CONTAINER,
      interface: 0,
      mac: containerMac(address),
      address,
      reversePath: 0,
    },
  };
}
