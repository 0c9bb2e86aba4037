/**
 * The way of an IPv4 packet through one cell: connection tracking, routing, filter FORWARD or INPUT.
 *
 * Order as in Linux: conntrack at PREROUTING, source validation and routing, the TTL check of ip_forward, then the rules;
 * a new connection is only remembered when the packet got through all of them.
 */
import { lookup } from '../foundation/directory.ts';
import { HOST_VETH_ADDRESS } from '../foundation/lease.ts';
import { ADDRESS_TYPE } from '../rules/model.ts';
import { RULE_VERDICT } from '../rules/packet.ts';
import { contains } from '../wire/address.ts';
import { FAULT } from '../wire/fault.ts';
import * as icmp from '../wire/icmp.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { PROTOCOL } from '../wire/protocol.ts';
import { locate as locateQuote } from '../wire/quote.ts';
import type { Stack } from '../wire/stack.ts';
import { type Burst, NOTE } from './burst.ts';
import { type Cell, reasonOf } from './cell.ts';
import * as conntrack from './conntrack.ts';
import type { Dataplane } from './dataplane.ts';
import { ACCEPTED, broadcastOf, isForAll, routing } from './decapsulate.ts';
import { keepArrived } from './log/keep.ts';
import { isPickUp } from './tcp-state.ts';
import { show } from './track-windows.ts';
import { TRANSPORT } from './transport.ts';
import { REASON, VERDICT } from './verdict.ts';

/** Where a destination address leads, as the cell's routing table says. */
export const ROUTE = {
  /** A container of this cell. */
  CONTAINER: 0,
  /** The cell itself. */
  LOCAL: 1,
  /** Another cell's lease, over the VTEP. */
  OVERLAY: 2,
  /** The cell's own lease without a container, or overlay space nobody leased: nobody answers there. */
  NOBODY: 3,
  /** Out by the underlay interface. */
  UNDERLAY: 4,
  /** Broadcast and multicast: not forwarded. */
  NOT_FORWARDED: 5,
} as const;

const FIRST_MULTICAST = 0xe0000000;
const LOOPBACK = 127;

/** One of ROUTE for `destination` on `cell`; `instance` is the directory's number of it, or -1. */
export function route(dataplane: Dataplane, cell: Cell, destination: number, instance: number): number {
  if (instance >= 0) return dataplane.directory.instanceCell[instance] === cell.index ? ROUTE.CONTAINER : ROUTE.OVERLAY;
  if (destination === cell.vtepAddress || destination === cell.underlay || destination === HOST_VETH_ADDRESS)
    return ROUTE.LOCAL;
  if (destination >= FIRST_MULTICAST || destination >>> 24 === LOOPBACK) return ROUTE.NOT_FORWARDED;
  if (!contains(cell.overlay, destination)) return ROUTE.UNDERLAY;
  if (destination === broadcastOf(cell)) return ROUTE.NOT_FORWARDED;
  if (contains(cell.lease, destination)) return ROUTE.NOBODY;
  for (const other of dataplane.cells) if (contains(other.lease, destination)) return ROUTE.OVERLAY;
  return ROUTE.NOBODY;
}

function addressType(cell: Cell, address: number, kind: number): number {
  if (kind === ROUTE.LOCAL) return ADDRESS_TYPE.LOCAL;
  if (kind === ROUTE.NOT_FORWARDED) {
    if (address >>> 24 === LOOPBACK) return ADDRESS_TYPE.LOCAL;
    return address === broadcastOf(cell) || address === 0xffffffff ? ADDRESS_TYPE.BROADCAST : ADDRESS_TYPE.MULTICAST;
  }
  return ADDRESS_TYPE.UNICAST;
}

/** For `-m addrtype`, which few rules use: what routing makes of both addresses. */
function setAddressTypes(dataplane: Dataplane, cell: Cell, way: number): void {
  const { packet, directory } = dataplane;
  const back = route(dataplane, cell, packet.source, lookup(directory, packet.source));
  packet.sourceType = addressType(cell, packet.source, back);
  packet.destinationType = addressType(cell, packet.destination, way);
}

/**
 * Ask connection tracking about the packet in `dataplane.packet`; its state goes into the packet. A transport header
 * that its own check refused makes it invalid, though rules can still read its ports.
 */
export function trackPacket(dataplane: Dataplane, cell: Cell, view: DataView, stack: Stack): void {
  const { packet, connections } = dataplane;
  connections.now = packet.time;
  if (stack.transport < 0 && stack.fault !== FAULT.NONE) {
    conntrack.invalid(connections);
  } else if (packet.protocol === PROTOCOL.ICMP && icmp.isError(packet.icmpType)) {
    trackError(dataplane, cell, view, stack);
  } else {
    show(connections, packet, view, stack);
    conntrack.track(connections, cell.index, packet);
  }
  packet.ctstate = connections.ctstate;
  packet.connectionMark = conntrack.connectionMark(connections);
}

/** An ICMP error belongs to the connection of the packet that it quotes. */
function trackError(dataplane: Dataplane, cell: Cell, view: DataView, stack: Stack): void {
  const { packet, connections, quote } = dataplane;
  locateQuote(view, stack, quote);
  if (quote.valid === 0) conntrack.invalid(connections);
  else conntrack.trackError(connections, cell.index, quote, packet.destination);
}

function decide(burst: Burst, i: number, verdict: number, reason: number): void {
  burst.verdict[i] = verdict;
  burst.reason[i] = reason;
}

/**
 * Judge the packet at `stack` as it enters `cell` by `inInterface` with `mark`. `dataplane.packet` holds its fields
 * already; the verdict goes into row `i`.
 */
export function forward(
  dataplane: Dataplane,
  burst: Burst,
  i: number,
  cell: Cell,
  view: DataView,
  stack: Stack,
  inInterface: number,
  mark: number,
): void {
  const { packet, connections } = dataplane;
  packet.mark = mark;
  packet.inInterface = inInterface;
  if (packet.transport === TRANSPORT.PORTS_ONLY && cell.filter.backend === 'legacy') packet.transport = TRANSPORT.NONE;
  trackPacket(dataplane, cell, view, stack);
  burst.cell[i] = cell.index;
  burst.mark[i] = mark;
  burst.ctstate[i] = packet.ctstate;
  burst.reply[i] = connections.reply;
  if (connections.pending)
    burst.note[i]! |= isPickUp(packet.protocol, packet.tcpFlags) ? NOTE.OPENED | NOTE.PICKED_UP : NOTE.OPENED;
  const refused = routing(view, stack, cell);
  if (refused !== ACCEPTED) {
    decide(burst, i, refused === REASON.IP4_OPTIONS ? VERDICT.MALFORMED : VERDICT.DROP, refused);
    return;
  }
  const instance = lookup(dataplane.directory, packet.destination);
  const way = route(dataplane, cell, packet.destination, instance);
  if (cell.asksAddressTypes) setAddressTypes(dataplane, cell, way);
  if (way === ROUTE.NOT_FORWARDED) {
    notForwarded(dataplane, burst, i, cell, view, stack);
  } else if (way === ROUTE.LOCAL) {
    input(dataplane, burst, i, cell);
    if (dataplane.outcome.logCount !== 0) keepArrived(dataplane, cell, view, stack, 0);
  } else if (ipv4.timeToLive(view, stack.network) <= 1) {
    decide(burst, i, VERDICT.DROP, REASON.IP4_TTL);
  } else {
    packet.outInterface = outInterface(dataplane, cell, way, instance);
    walkForward(dataplane, burst, i, cell, way);
    if (dataplane.outcome.logCount !== 0) keepArrived(dataplane, cell, view, stack, 1);
  }
}

/**
 * Broadcasts and what is for the group of all hosts reach INPUT, which remembers them, though nobody listens; other groups and
 * loopback addresses end in routing.
 */
function notForwarded(dataplane: Dataplane, burst: Burst, i: number, cell: Cell, view: DataView, stack: Stack): void {
  const { packet, outcome } = dataplane;
  if (packet.destination === broadcastOf(cell) || isForAll(packet.destination)) {
    packet.outInterface = 0;
    cell.filter.evaluate(cell.inputChain, packet, outcome);
    if (outcome.logCount !== 0) keepArrived(dataplane, cell, view, stack, 0);
    if (ruled(dataplane, burst, i, cell)) remember(dataplane, burst, i, VERDICT.DROP, REASON.HOST_BROADCAST);
    return;
  }
  const isLoopback = packet.destination >>> 24 === LOOPBACK;
  decide(burst, i, VERDICT.DROP, isLoopback ? REASON.IP4_LOCALNET : REASON.HOST_BROADCAST);
}

/** Number of the interface that `way` leads out by. */
export function outInterface(dataplane: Dataplane, cell: Cell, way: number, instance: number): number {
  if (way === ROUTE.CONTAINER) return dataplane.instanceInterfaces[instance]!;
  return way === ROUTE.UNDERLAY ? cell.underlayInterface : cell.vtepInterface;
}

/** Write what the rules said into row `i`. True when they let the packet on. */
function ruled(dataplane: Dataplane, burst: Burst, i: number, cell: Cell): boolean {
  const { outcome, packet } = dataplane;
  burst.rule[i] = outcome.rule;
  burst.mark[i] = outcome.mark;
  const reason = reasonOf(cell, outcome.verdict, outcome.rule, packet.ctstate);
  decide(burst, i, outcome.verdict === RULE_VERDICT.REJECT ? VERDICT.REJECT : VERDICT.DROP, reason);
  return outcome.verdict === RULE_VERDICT.ACCEPT;
}

/** Remember the packet's connection; when the table is full the packet is dropped, as nf_conntrack does. */
function remember(dataplane: Dataplane, burst: Burst, i: number, verdict: number, reason: number): void {
  const { connections, outcome, packet } = dataplane;
  if (!conntrack.confirm(connections)) {
    decide(burst, i, VERDICT.DROP, REASON.CONNTRACK_FULL);
    return;
  }
  decide(burst, i, verdict, reason);
  if (outcome.connectionMark !== packet.connectionMark)
    conntrack.setConnectionMark(connections, outcome.connectionMark);
}

function input(dataplane: Dataplane, burst: Burst, i: number, cell: Cell): void {
  dataplane.packet.outInterface = 0;
  cell.filter.evaluate(cell.inputChain, dataplane.packet, dataplane.outcome);
  if (ruled(dataplane, burst, i, cell)) {
    remember(dataplane, burst, i, VERDICT.DELIVER, dataplane.outcome.rule < 0 ? REASON.HOST_OVERLAY : burst.reason[i]!);
  }
}

function walkForward(dataplane: Dataplane, burst: Burst, i: number, cell: Cell, way: number): void {
  cell.filter.evaluate(cell.forwardChain, dataplane.packet, dataplane.outcome);
  if (!ruled(dataplane, burst, i, cell)) return;
  // The connection is confirmed at POSTROUTING, before it shows that there is no neighbour to send the packet to.
  if (way === ROUTE.NOBODY) remember(dataplane, burst, i, VERDICT.DROP, REASON.NEIGHBOUR_FAILED);
  else remember(dataplane, burst, i, way === ROUTE.CONTAINER ? VERDICT.DELIVER : VERDICT.FORWARD, burst.reason[i]!);
}
