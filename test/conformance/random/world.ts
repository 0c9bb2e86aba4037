/** What a generator of frames must know of a foundation: who is where, with which tag, address and hardware address. */
import type { Foundation } from '../../../src/foundation/model.ts';
import { formatIpv4 } from '../../../src/wire/address.ts';
import { ethernet, ipv4, type Tunnel, udp, vxlan } from '../../dataplane/packets.ts';
import { containerMac, hostVethMac, underlayMac, vtepAddress, vtepMac } from '../lab-names.ts';

export interface WorldCell {
  readonly name: string;
  readonly underlay: string;
  readonly underlayMac: string;
  readonly vtep: string;
  readonly vtepMac: string;
}

export interface WorldContainer {
  /** `app/index`, where its frames are put on the wire. */
  readonly name: string;
  readonly cell: WorldCell;
  readonly address: string;
  readonly mac: string;
  readonly hostMac: string;
  readonly tag: number;
  /** Ports of its cell that lead to ports of the container. */
  readonly hostPorts: readonly { readonly host: number; readonly container: number }[];
}

export interface World {
  readonly cells: readonly WorldCell[];
  readonly containers: readonly WorldContainer[];
  readonly tags: readonly number[];
}

/** The way out of the underlay; nobody is there, but every cell knows its hardware address. */
export const GATEWAY = { address: '10.0.0.1', mac: '42:01:0a:00:00:01' } as const;

export function createWorld(foundation: Foundation): World {
  const cells = foundation.cells.map(
    (cell): WorldCell => ({
      name: cell.name,
      underlay: formatIpv4(cell.underlay),
      underlayMac: underlayMac(cell.underlay),
      vtep: vtepAddress(cell.lease),
      vtepMac: vtepMac(cell.lease),
    }),
  );
  const containers = foundation.apps.flatMap((app) =>
    app.instances.map(
      (instance, index): WorldContainer => ({
        name: `${app.name}/${index}`,
        cell: cells.find(({ name }) => name === instance.cell)!,
        address: formatIpv4(instance.address),
        mac: containerMac(instance.address),
        hostMac: hostVethMac(instance.address),
        tag: app.tag ?? 0,
        hostPorts: instance.ports,
      }),
    ),
  );
  return { cells, containers, tags: [...new Set(containers.map(({ tag }) => tag))] };
}

/** Parts of a tunnelled frame that differ from what a cell sends. */
export interface Envelope extends Tunnel {
  readonly identification?: number;
  readonly timeToLive?: number;
  readonly typeOfService?: number;
  readonly port?: number;
  readonly source?: string;
  readonly innerSourceMac?: string;
  readonly innerDestinationMac?: string;
  readonly innerType?: number;
  readonly innerTags?: readonly number[];
  readonly outerOptions?: readonly number[];
  /** Fragment field of the outer header. */
  readonly fragment?: number;
}

/** The outer IPv4 packet that carries the IPv4 packet `packet` from the VTEP of `from` to that of `to`. */
export function tunnelled(
  from: WorldCell,
  to: WorldCell,
  packet: Iterable<number>,
  envelope: Envelope = {},
): Uint8Array {
  const frame = ethernet(
    envelope.innerDestinationMac ?? to.vtepMac,
    envelope.innerSourceMac ?? from.vtepMac,
    envelope.innerType ?? 0x0800,
    packet,
    envelope.innerTags,
  );
  const ends = { source: envelope.source ?? from.underlay, destination: to.underlay };
  return ipv4(ends, 17, udp(ends, 40_000, envelope.port ?? 4789, vxlan(frame, envelope)), {
    ...(envelope.identification === undefined ? {} : { identification: envelope.identification }),
    ...(envelope.timeToLive === undefined ? {} : { timeToLive: envelope.timeToLive }),
    ...(envelope.typeOfService === undefined ? {} : { typeOfService: envelope.typeOfService }),
    ...(envelope.outerOptions === undefined ? {} : { options: envelope.outerOptions }),
    ...(envelope.fragment === undefined ? {} : { fragment: envelope.fragment }),
  });
}

/** `packet` on the underlay, on its way to `to`. */
export const underlayFrame = (to: WorldCell, packet: Iterable<number>, tags: readonly number[] = []): Uint8Array =>
  ethernet(to.underlayMac, GATEWAY.mac, 0x0800, packet, tags);

/** `packet` as `container` sends it. */
export const containerFrame = (container: WorldContainer, packet: Iterable<number>): Uint8Array =>
  ethernet(container.hostMac, container.mac, 0x0800, packet);
