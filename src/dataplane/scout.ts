/**
 * Scout: look ahead in the connection table for the packets of a burst.
 *
 * With 100,000 connections the table does not fit the cache, and a lookup waits for memory longer than all other work on
 * the packet takes. The lookups of different packets do not depend on each other: touching the places of a whole burst
 * first lets the processor wait for many of them at once. Nothing is decided here; a frame of another shape than the
 * usual one is left alone.
 */
import { BURST_CAPACITY } from '../capture/burst.ts';
import { lookupUnderlay } from '../foundation/directory.ts';
import * as ethernet from '../wire/ethernet.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { ETHER_TYPE } from '../wire/protocol.ts';
import * as udp from '../wire/udp.ts';
import * as vxlan from '../wire/vxlan.ts';
import type { Burst } from './burst.ts';
import { placeOf, touch } from './conntrack.ts';
import type { Dataplane } from './dataplane.ts';

const IP = ethernet.HEADER_LENGTH;
const UDP = IP + ipv4.HEADER_LENGTH;
const INNER = UDP + udp.HEADER_LENGTH + vxlan.HEADER_LENGTH;
const INNER_IP = INNER + ethernet.HEADER_LENGTH;
const INNER_PORTS = INNER_IP + ipv4.HEADER_LENGTH;
const NEEDED = INNER_PORTS + udp.HEADER_LENGTH;
const WITHOUT_OPTIONS = 5;

/** Connections from which on the table is larger than the cache. */
const WORTHWHILE = 1 << 14;

/** Places of one burst. All are worked out before the first is touched: only a loop that does nothing else overlaps. */
const places = new Int32Array(BURST_CAPACITY);

/** Touch the places of the burst's connections. The sum is of no use but to keep the reads from being optimised away. */
export function scout(dataplane: Dataplane, burst: Burst): number {
  if (dataplane.connections.mask < WORTHWHILE) return 0;
  const { view, at, end, count } = burst.records;
  for (let i = 0; i < count; i++) places[i] = end[i]! - at[i]! >= NEEDED ? look(dataplane, view, at[i]!) : 0;
  return touch(dataplane.connections, places, count);
}

/** Place of the connection of the frame at `at`; any place for a frame of another shape. */
function look(dataplane: Dataplane, view: DataView, at: number): number {
  if (!isIpv4(view, at) || !isIpv4(view, at + INNER)) return 0;
  if (udp.destinationPort(view, at + UDP) !== dataplane.options.vxlanPort) return 0;
  const cell = lookupUnderlay(dataplane.directory, ipv4.destination(view, at + IP));
  if (cell < 0) return 0;
  // TCP and UDP have their ports in the same place.
  const from = udp.sourcePort(view, at + INNER_PORTS);
  const to = udp.destinationPort(view, at + INNER_PORTS);
  const protocol = ipv4.protocol(view, at + INNER_IP);
  const source = ipv4.source(view, at + INNER_IP);
  return placeOf(dataplane.connections, cell, protocol, source, from, ipv4.destination(view, at + INNER_IP), to);
}

const isIpv4 = (view: DataView, at: number): boolean =>
  ethernet.type(view, at) === ETHER_TYPE.IPV4 && ipv4.ihl(view, at + IP) === WITHOUT_OPTIONS;
