/**
 * Keeping what LOG rules saw, from each place of the dataplane where rules are walked.
 *
 * The octets at hand are those of the capture; a rule sees the packet later or earlier on its way:
 *
 *     FORWARD where a packet arrives   ip_forward has decremented its TTL, decapsulation has merged its ECN bits
 *     INPUT                            only the latter
 *     FORWARD where it was sent from   the frame on the underlay has the TTL already, but not the container's Ethernet header
 */
import { containerMac, hostVethMac } from '../../foundation/lease.ts';
import * as ethernet from '../../wire/ethernet.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { ETHER_TYPE } from '../../wire/protocol.ts';
import type { Stack } from '../../wire/stack.ts';
import type { Cell } from '../cell.ts';
import type { Dataplane } from '../dataplane.ts';
import { type Changes, keepLink, record } from './records.ts';

/** Positions of headers in a frame of the plain shape (`plain.ts`). */
const PLAIN_OUTER = 14;
const PLAIN_LINK = 50;
const PLAIN_NETWORK = 64;

/** ECN codepoints (RFC 3168 section 5). */
const NOT_ECT = 0;
const ECT_1 = 1;
const ECT_0 = 2;
const CE = 3;

const changes: Changes = { hops: 0, ecn: -1 };

/** What INET_ECN_decapsulate (include/net/inet_ecn.h) makes of the inner bits. */
function decapsulated(outer: number, inner: number): number {
  if (outer === CE && inner !== NOT_ECT) return CE;
  return outer === ECT_1 && inner === ECT_0 ? ECT_1 : inner;
}

/** The last walk was that of the packet at `stack`, which came into `cell`; routing took `hops` from its TTL. */
export function keepArrived(dataplane: Dataplane, cell: Cell, view: DataView, stack: Stack, hops: number): void {
  const { logs, packet, outcome, layers, wholeLayers } = dataplane;
  if (logs === null) return;
  changes.hops = hops;
  changes.ecn = -1;
  const around = stack === layers.inner ? layers.outer : stack === wholeLayers.inner ? wholeLayers.outer : null;
  if (around !== null) changes.ecn = decapsulated(ipv4.ecn(view, around.network), ipv4.ecn(view, stack.network));
  const isTagged = stack.vlanCount !== 0;
  if (isTagged) keepLink(logs, view, stack.link);
  const link = isTagged ? -1 : stack.link;
  record(logs, cell.index, cell.filter.rules, packet, outcome, view, link, stack.network, stack.end, changes);
}

/** The same for a frame at `at` of the plain shape. */
export function keepPlain(dataplane: Dataplane, cell: Cell, view: DataView, at: number): void {
  const { logs, packet, outcome } = dataplane;
  if (logs === null) return;
  const network = at + PLAIN_NETWORK;
  changes.hops = 1;
  changes.ecn = decapsulated(ipv4.ecn(view, at + PLAIN_OUTER), ipv4.ecn(view, network));
  record(
    logs,
    cell.index,
    cell.filter.rules,
    packet,
    outcome,
    view,
    at + PLAIN_LINK,
    network,
    ipv4.payloadEnd(view, network),
    changes,
  );
}

/** The last walk was that of the packet at `network`, which a container of `cell` had sent. */
export function keepSent(dataplane: Dataplane, cell: Cell, view: DataView, network: number, end: number): void {
  const { logs, packet, outcome } = dataplane;
  if (logs === null) return;
  changes.hops = 0;
  changes.ecn = -1;
  ethernet.setDestination(logs.link, 0, hostVethMac(packet.source));
  ethernet.setSource(logs.link, 0, containerMac(packet.source));
  ethernet.setType(logs.link, 0, ETHER_TYPE.IPV4);
  record(logs, cell.index, cell.filter.rules, packet, outcome, view, -1, network, end, changes);
}

/** The plain shape's keepSent. */
export const keepPlainSent = (dataplane: Dataplane, cell: Cell, view: DataView, at: number): void =>
  keepSent(dataplane, cell, view, at + PLAIN_NETWORK, ipv4.payloadEnd(view, at + PLAIN_NETWORK));
