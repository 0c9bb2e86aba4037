/**
 * Routing of a cell: what silk's daemon and CNI plugin write into its table (c2c.md section 1.4 and 1.5).
 *
 *     10.255.1.4             dev s-010255001004 src 169.254.0.1      every container of the cell
 *     10.255.2.0/24          via 10.255.2.0 dev silk-vtep src 10.255.1.0   every other lease
 *     10.255.0.0/16          dev silk-vtep src 10.255.1.0            connected
 *     10.0.0.0/24, default   dev eth0 src 10.0.0.101                 the underlay
 *
 * Which of them a destination falls under is `route` of `forward.ts`; here it becomes a device and a next hop. Sources are
 * validated as net/ipv4/route.c (ip_route_input_slow) and net/ipv4/fib_frontend.c (__fib_validate_source) do it.
 */
import { lookup } from '../../foundation/directory.ts';
import { HOST_VETH_ADDRESS } from '../../foundation/lease.ts';
import { contains, maskOf } from '../../wire/address.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { ACCEPTED, broadcastOf, ipv4Source, isForAll } from '../decapsulate.ts';
import { ROUTE, route } from '../forward.ts';
import { REASON } from '../verdict.ts';
import { DEVICE, type Device } from './device.ts';
import type { Emulation, Host } from './emulation.ts';
import { type Frame, LOCAL, REDIRECT } from './frame.ts';

const LOOPBACK = 127;
const LIMITED_BROADCAST = 0xffffffff;
const FIRST_MULTICAST = 0xe0000000;
const NO_ADDRESS = 0;

/** Where a destination leads. `device` is -1 without a route. */
interface Way {
  device: number;
  nextHop: number;
  /** One of LOCAL. */
  local: number;
}

/** The answer of the last look-up; look-ups do not nest. */
const way: Way = { device: -1, nextHop: 0, local: LOCAL.NO };

function answer(device: number, nextHop: number, local: number): void {
  way.device = device;
  way.nextHop = nextHop;
  way.local = local;
}

/** The gateway to the lease that holds `destination`: the VTEP address of its cell. */
function gatewayTo(emulation: Emulation, destination: number, instance: number): number {
  const { cells, directory } = emulation.dataplane;
  if (instance >= 0) return cells[directory.instanceCell[instance]!]!.vtepAddress;
  for (const cell of cells) if (contains(cell.lease, destination)) return cell.vtepAddress;
  return destination;
}

function lookUpUnderlay(emulation: Emulation, host: Host, destination: number): void {
  const { underlayPrefixLength, gateway } = emulation.options;
  const mask = maskOf(underlayPrefixLength);
  const { underlay } = host;
  if (((destination ^ underlay.address) & mask) === 0) {
    const isBroadcast = underlayPrefixLength < 31 && (destination | mask) >>> 0 === LIMITED_BROADCAST;
    answer(underlay.index, destination, isBroadcast ? LOCAL.BROADCAST : LOCAL.NO);
  } else answer(gateway === 0 ? -1 : underlay.index, gateway, LOCAL.NO);
}

function lookUp(emulation: Emulation, host: Host, destination: number): void {
  const instance = lookup(emulation.dataplane.directory, destination);
  switch (route(emulation.dataplane, host.cell, destination, instance)) {
    case ROUTE.CONTAINER:
      answer(host.veths[instance]!.index, destination, LOCAL.NO);
      break;
    case ROUTE.LOCAL:
      answer(-1, destination, LOCAL.ADDRESS);
      break;
    case ROUTE.OVERLAY:
      answer(host.vtep.index, gatewayTo(emulation, destination, instance), LOCAL.NO);
      break;
    case ROUTE.NOBODY:
      answer(host.vtep.index, destination, LOCAL.NO);
      break;
    case ROUTE.UNDERLAY:
      lookUpUnderlay(emulation, host, destination);
      break;
    default:
      answer(destination === broadcastOf(host.cell) ? host.vtep.index : -1, destination, LOCAL.BROADCAST);
  }
}

/**
 * Find the way of a packet that came in by `device`: fills `out`, `nextHop`, `local` and `redirect` of `frame`. Gives a
 * REASON to drop it, or ACCEPTED; `out` is -1 and `local` 0 when there is no route.
 */
export function routeInput(emulation: Emulation, host: Host, frame: Frame, device: Device): number {
  const { view, network } = frame;
  return routeBetween(emulation, host, frame, device, ipv4.source(view, network), ipv4.destination(view, network));
}

/** The same for two addresses that `frame` speaks of. */
export function routeBetween(
  emulation: Emulation,
  host: Host,
  frame: Frame,
  device: Device,
  source: number,
  destination: number,
): number {
  if (source === NO_ADDRESS && !isForAll(destination)) return REASON.IP4_INVALID_SOURCE;
  if (destination === NO_ADDRESS) return REASON.IP4_INVALID_DESTINATION;
  if (destination >>> 24 === LOOPBACK) return REASON.IP4_LOCALNET;
  const refused = ipv4Source(source, host.cell);
  if (refused !== ACCEPTED) return refused;
  lookUp(emulation, host, destination);
  frame.out = way.device;
  frame.nextHop = way.nextHop;
  frame.local = way.local;
  frame.redirect = REDIRECT.NO;
  if (way.local === LOCAL.NO && way.device < 0) return ACCEPTED;
  if (way.local === LOCAL.BROADCAST && isGroup(destination)) return REASON.HOST_BROADCAST;
  if (device.reversePath === 1 && !comesFrom(emulation, host, source, device)) return REASON.IP4_REVERSE_PATH;
  const turnsBack = frame.local === LOCAL.NO && frame.out === device.index;
  if (turnsBack && isBroadcast(emulation, host, source)) return REASON.IP4_INVALID_SOURCE;
  if (turnsBack && isDirect(emulation, host, source, device)) frame.redirect = REDIRECT.SENT;
  return ACCEPTED;
}

/** Multicast and reserved addresses: no interface of a cell has joined there. */
const isGroup = (destination: number): boolean => destination >= FIRST_MULTICAST && !isForAll(destination);

/** Whether `address` is the broadcast address of a network of the host. As a source it is refused only where a packet turns back. */
function isBroadcast(emulation: Emulation, host: Host, address: number): boolean {
  lookUp(emulation, host, address);
  return way.local === LOCAL.BROADCAST;
}

/** Whether answers to `source` would go out by `device`. */
function comesFrom(emulation: Emulation, host: Host, source: number, device: Device): boolean {
  lookUp(emulation, host, source);
  return way.device === device.index && way.local === LOCAL.NO;
}

/** Whether `source` is a neighbour on `device`: no router stands between. */
function isDirect(emulation: Emulation, host: Host, source: number, device: Device): boolean {
  if (device.kind === DEVICE.VETH) return source === device.container;
  lookUp(emulation, host, source);
  if (way.device === device.index) return way.nextHop === source;
  return device.kind === DEVICE.VTEP && contains(host.cell.overlay, source);
}

/** Find the way of a packet that the host itself sends to its destination. Fills `out`, `nextHop` and `local`. */
export function routeOutput(emulation: Emulation, host: Host, frame: Frame): void {
  lookUp(emulation, host, ipv4.destination(frame.view, frame.network));
  frame.out = way.device;
  frame.nextHop = way.nextHop;
  frame.local = way.local;
}

/** Whether `address` is one of the host's own. */
export const isOwnAddress = (emulation: Emulation, host: Host, address: number): boolean => {
  lookUp(emulation, host, address);
  return way.local === LOCAL.ADDRESS;
};

/** The source address that the host takes for packets to `destination`; 0 when it has no route. */
export function preferredSource(emulation: Emulation, host: Host, destination: number): number {
  lookUp(emulation, host, destination);
  if (way.local !== LOCAL.NO) return destination;
  if (way.device < 0) return 0;
  const device = emulation.devices[way.device]!;
  return device.kind === DEVICE.VETH ? HOST_VETH_ADDRESS : device.address;
}

/** The address that the sender of `frame` knows the host by: what it was sent to when that is the host's; 0 without a route. */
export function sourceTowards(emulation: Emulation, host: Host, frame: Frame): number {
  const { view, network } = frame;
  if (frame.local === LOCAL.ADDRESS) return ipv4.destination(view, network);
  const source = ipv4.source(view, network);
  if (!isBroadcast(emulation, host, source)) return preferredSource(emulation, host, source);
  return way.device < 0 ? 0 : emulation.devices[way.device]!.address;
}
