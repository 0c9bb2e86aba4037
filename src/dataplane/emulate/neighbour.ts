/**
 * Neighbours: hardware addresses of those on a link, and whether they still hold (net/core/neighbour.c, RFC 4861 section 7.3
 * for the states).
 *
 *     NONE, FAILED -> INCOMPLETE -> REACHABLE -> STALE -> DELAY -> PROBE -> FAILED
 *
 * Silk writes PERMANENT entries for the VTEPs of other cells and for each container; nothing changes those. A host asks for
 * another address three times, a second apart, lets packets wait meanwhile, and then tells their senders that the host is
 * unreachable. The next packet makes it ask again. An answer holds for the reachable time; the packet after that starts a
 * delay of 5 seconds, and then the neighbour itself is asked three times whether it is still there.
 */
import { containerMac } from '../../foundation/lease.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { REASON } from '../verdict.ts';
import { sendError } from './answer.ts';
import { writeRequest } from './arp-transmit.ts';
import { DEVICE, type Device } from './device.ts';
import type { Emulation, Host } from './emulation.ts';
import { drop } from './end.ts';
import { type Frame, LOCAL } from './frame.ts';
import { isOwnAddress } from './route.ts';

export const NUD = {
  NONE: 0,
  INCOMPLETE: 1,
  REACHABLE: 2,
  STALE: 3,
  DELAY: 4,
  PROBE: 5,
  FAILED: 6,
  PERMANENT: 7,
} as const;

export interface Neighbour {
  readonly device: Device;
  readonly address: number;
  /** -1 while nobody has answered. */
  mac: number;
  /** One of NUD. */
  state: number;
  /** Requests since it began to be asked for. */
  asked: number;
  /** When its timer is due, if it is among the emulation's `timed`. */
  due: number;
  /** When it changed, answered, and was last needed while that was not certain. */
  updated: number;
  confirmed: number;
  used: number;
  readonly queue: Frame[];
  /** Octets that wait, as the kernel counts them. */
  waiting: number;
}

/** With a hardware address it is permanent; with -1 nobody has answered yet. */
export const createNeighbour = (device: Device, address: number, mac: number): Neighbour => ({
  device,
  address,
  mac,
  state: mac < 0 ? NUD.NONE : NUD.PERMANENT,
  asked: 0,
  due: 0,
  updated: 0,
  confirmed: Number.NEGATIVE_INFINITY,
  used: 0,
  queue: [],
  waiting: 0,
});

const SECOND = 1e9;
/** mcast_solicit and ucast_solicit; retrans_time_ms; delay_first_probe_time; the soonest that a timer is set again. */
const REQUESTS = 3;
const BETWEEN_REQUESTS = SECOND;
const DELAY = 5 * SECOND;
const SOONEST = SECOND / 2;
/** base_reachable_time_ms: the kernel draws between half and one and a half of it, every five minutes. */
const REACHABLE = 30 * SECOND;
/** unres_qlen_bytes, and what a packet counts besides its octets: sk_buff, headroom and shared info, rounded. */
const QUEUE_OCTETS = 212_992;
const PACKET_OVERHEAD = 768;
const BROADCAST = 0xffffffffffff;
const ICMP_UNREACHABLE = 3;
const ICMP_HOST_UNREACHABLE = 1;

const isValid = (state: number): boolean => state === NUD.PERMANENT || (state >= NUD.REACHABLE && state <= NUD.PROBE);

/** The neighbour with `address` on `device`, if there is an entry. */
export const known = (device: Device, address: number): Neighbour | undefined => device.neighbours.get(address);

/** The neighbour with `address` on `device`; a new entry when there is none. */
export function solicited(emulation: Emulation, device: Device, address: number): Neighbour {
  let neighbour = device.neighbours.get(address);
  if (neighbour === undefined) {
    const mac = device.kind === DEVICE.UNDERLAY ? emulation.options.underlayMac(address) : -1;
    neighbour = createNeighbour(device, address, mac);
    neighbour.updated = emulation.now;
    neighbour.used = emulation.now;
    device.neighbours.set(address, neighbour);
  }
  return neighbour;
}

function setState(emulation: Emulation, neighbour: Neighbour, state: number, due: number): void {
  const { timed } = emulation;
  const at = timed.indexOf(neighbour);
  neighbour.state = state;
  neighbour.updated = emulation.now;
  neighbour.due = due;
  const isTimed = due !== Number.POSITIVE_INFINITY;
  if (isTimed && at < 0) timed.push(neighbour);
  else if (!isTimed && at >= 0) timed.splice(at, 1);
}

/** Hardware address of the next hop of `frame` on `device`. -1 when nobody has it: then the frame waits there. */
export function resolve(emulation: Emulation, frame: Frame, device: Device): number {
  if (frame.local === LOCAL.BROADCAST) return BROADCAST;
  if (device.kind === DEVICE.VETH) return containerMac(device.container);
  const neighbour = solicited(emulation, device, frame.nextHop);
  if (neighbour.state !== NUD.PERMANENT && neighbour.state !== NUD.REACHABLE) neighbour.used = emulation.now;
  if (neighbour.state === NUD.STALE) setState(emulation, neighbour, NUD.DELAY, emulation.now + DELAY);
  if (isValid(neighbour.state)) return neighbour.mac;
  const cost = frame.end - frame.network + PACKET_OVERHEAD;
  while (neighbour.queue.length > 0 && neighbour.waiting + cost > QUEUE_OCTETS) {
    const oldest = neighbour.queue.shift()!;
    neighbour.waiting -= oldest.end - oldest.network + PACKET_OVERHEAD;
    drop(emulation, oldest, device.cell, REASON.NEIGHBOUR_FAILED);
  }
  neighbour.queue.push(frame);
  neighbour.waiting += cost;
  return -1;
}

/** Ask for the neighbour that `frame` began to wait for, unless it is being asked for. Gives the request, or null. */
export function beginToAsk(emulation: Emulation, host: Host, frame: Frame, device: Device): Frame | null {
  const neighbour = solicited(emulation, device, frame.nextHop);
  if (neighbour.state === NUD.INCOMPLETE) return null;
  setState(emulation, neighbour, NUD.INCOMPLETE, emulation.now);
  neighbour.asked = 0;
  return ask(emulation, host, neighbour);
}

/** arp_solicit: the host asks as the source of the packet that waits when that is an address of its own. */
function ask(emulation: Emulation, host: Host, neighbour: Neighbour): Frame {
  const { device, address, queue } = neighbour;
  const last = queue.at(-1);
  neighbour.asked += 1;
  neighbour.due = emulation.now + BETWEEN_REQUESTS;
  const sent = last === undefined ? 0 : ipv4.source(last.view, last.network);
  const source = last !== undefined && isOwnAddress(emulation, host, sent) ? sent : device.address;
  const destination = neighbour.state === NUD.PROBE ? neighbour.mac : BROADCAST;
  return writeRequest(emulation, device, destination, source, address, queue[0]?.packet ?? 0);
}

/** The neighbour whose timer is due first; undefined when none has one. */
export function firstDue(emulation: Emulation): Neighbour | undefined {
  let first: Neighbour | undefined;
  for (const one of emulation.timed) if (first === undefined || one.due < first.due) first = one;
  return first;
}

/** The time of `neighbour` has come (neigh_timer_handler). Gives a request to send, or null. */
export function onTimer(emulation: Emulation, host: Host, neighbour: Neighbour): Frame | null {
  const { now } = emulation;
  if (neighbour.state === NUD.REACHABLE) {
    const until = neighbour.confirmed + REACHABLE;
    if (now <= until) neighbour.due = Math.max(until, now + SOONEST);
    else if (now <= neighbour.used + DELAY) setState(emulation, neighbour, NUD.DELAY, now + DELAY);
    else setState(emulation, neighbour, NUD.STALE, Number.POSITIVE_INFINITY);
    return null;
  }
  if (neighbour.state === NUD.DELAY) {
    if (now <= neighbour.confirmed + DELAY) {
      setState(emulation, neighbour, NUD.REACHABLE, neighbour.confirmed + REACHABLE);
      return null;
    }
    setState(emulation, neighbour, NUD.PROBE, now);
    neighbour.asked = 0;
  }
  if (neighbour.asked < REQUESTS) return ask(emulation, host, neighbour);
  fail(emulation, host, neighbour);
  return null;
}

/** Nobody answered (neigh_invalidate, arp_error_report). */
function fail(emulation: Emulation, host: Host, neighbour: Neighbour): void {
  setState(emulation, neighbour, NUD.FAILED, Number.POSITIVE_INFINITY);
  const failed = neighbour.queue.splice(0);
  neighbour.waiting = 0;
  for (const frame of failed) {
    sendError(emulation, host, frame, ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE, 0);
    drop(emulation, frame, neighbour.device.cell, REASON.NEIGHBOUR_FAILED);
  }
}

/**
 * `neighbour` was heard of as `mac`, which makes it REACHABLE or STALE. `overrides`: a new address is believed where an old one
 * still holds (neigh_update). True when what waits for it can go.
 */
export function hear(
  emulation: Emulation,
  neighbour: Neighbour,
  mac: number,
  state: typeof NUD.REACHABLE | typeof NUD.STALE,
  overrides: boolean,
): boolean {
  const { state: old, mac: before } = neighbour;
  const { now } = emulation;
  if (old === NUD.PERMANENT) return false;
  if (state === NUD.REACHABLE) neighbour.confirmed = now;
  const wasValid = isValid(old);
  if (wasValid && mac !== before && !overrides) return false;
  const next = wasValid && mac === before && state === NUD.STALE ? old : state;
  if (next !== old)
    setState(emulation, neighbour, next, next === NUD.STALE ? Number.POSITIVE_INFINITY : now + REACHABLE);
  if (mac !== before) {
    neighbour.updated = now;
    if (next !== NUD.REACHABLE) neighbour.confirmed = Number.NEGATIVE_INFINITY;
  }
  neighbour.mac = mac;
  return !wasValid;
}
