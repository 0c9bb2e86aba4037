/**
 * Connection tracking with NAT: which connection a packet belongs to, when its two sides show different addresses.
 *
 * Source: resolve_normal_ct, nf_conntrack_tuple_taken and __nf_conntrack_confirm (net/netfilter/nf_conntrack_core.c),
 * nf_conntrack_inet_error (nf_conntrack_proto_icmp.c). The table in ../conntrack.ts knows connections by the ends that
 * packets of either direction show. Connections with NAT are in it under ends that no packet shows: their binding's serial
 * number as the address that opened, and 0.0.0.0. So a connection without NAT is found at once and costs nothing here;
 * only a packet that the table does not know is looked for among the bindings.
 *
 * Whether a connection still lives is the table's to say: bindings have no clock. Those that have ended are removed when
 * they are met, and all of them before the bindings grow.
 */
import { createPacket, type RulePacket } from '../../rules/packet.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import { create as createQuote, type Quote } from '../../wire/quote.ts';
import * as conntrack from '../conntrack.ts';
import type { Neighbours } from './binding.ts';
import * as bindings from './bindings.ts';
import { type Range, sourceInRange } from './range.ts';
import {
  type Connection,
  copy,
  createConnection,
  createTuple,
  equal,
  hasIdentifier,
  hasPorts,
  invert,
  isChanged,
  ofPacket,
  open,
  STATUS,
  type Tuple,
} from './tuples.ts';

/** Says which closed connections may be evicted for a new one; without it none is. */
export interface Eviction {
  /**
   * Whether the TCP connection at place `slot` of the conntrack table is closing or closed (TIME_WAIT or later) and the
   * packet that was tracked last has a higher sequence number than its client ever sent: nf_nat_may_kill,
   * nf_seq_has_advanced.
   */
  allows(slot: number): boolean;
}

export interface Tracking {
  readonly table: conntrack.Conntrack;
  readonly bindings: bindings.Bindings;
  readonly eviction: Eviction | null;
  readonly neighbours: Neighbours;

  // What the last `track` or `trackError` found, beside what `table` says.
  /** The connection: settled without NAT, with NAT (`bound`), or one that the packet opens (`opening`). */
  readonly connection: Connection;
  /** Index of its binding, or -1. */
  bound: number;
  /** The packet opens a connection that is not confirmed yet. */
  opening: boolean;
  /** The packet is an ICMP error about the connection. */
  related: boolean;

  /** Ports of the last packet; the table knows SCTP by them, tuples do not. */
  sourcePort: number;
  destinationPort: number;
  /** Scratch: the packet as the table is shown it, a quoted packet for lookups, and tuples. */
  readonly shown: RulePacket;
  readonly quote: Quote;
  readonly tuple: Tuple;
  readonly other: Connection;
}

const SETTLED = STATUS.SOURCE_DONE | STATUS.DESTINATION_DONE;

export function create(table: conntrack.Conntrack, eviction: Eviction | null = null): Tracking {
  const tracking: Tracking = {
    table,
    bindings: bindings.create(),
    eviction,
    neighbours: {
      taken: (reply) => isTaken(tracking, reply, false),
      takenAfterEviction: (reply) => isTaken(tracking, reply, true),
      mapped: (tuple, range, into) => isMapped(tracking, tuple, range, into),
    },
    connection: createConnection(),
    bound: -1,
    opening: false,
    related: false,
    sourcePort: 0,
    destinationPort: 0,
    shown: createPacket(),
    quote: createQuote(),
    tuple: createTuple(),
    other: createConnection(),
  };
  return tracking;
}

/** `conntrack.track` for a cell with NAT: the same fields of `table`, and `connection`, `bound`, `opening`. */
export function track(tracking: Tracking, cell: number, packet: RulePacket): void {
  const { table } = tracking;
  begin(tracking);
  conntrack.track(table, cell, packet);
  if (table.slot >= 0) return;
  show(tracking, packet);
  if (tracking.bindings.count !== 0 && hasTuple(packet)) {
    ofPacket(packet, tracking.tuple);
    const place = bindings.find(tracking.bindings, cell, tracking.tuple);
    if (place >= 0 && follow(tracking, cell, place)) return;
    if (place >= 0) conntrack.track(table, cell, packet);
  }
  if (!table.pending) return;
  tracking.opening = true;
  open(tracking.connection, cell, packet);
}

/** `conntrack.invalid` for a cell with NAT. */
export function invalid(tracking: Tracking): void {
  begin(tracking);
  conntrack.invalid(tracking.table);
}

function begin(tracking: Tracking): void {
  tracking.bound = -1;
  tracking.opening = false;
  tracking.related = false;
  tracking.connection.status = SETTLED;
  tracking.connection.masqueradeInterface = 0;
}

/** Remember what the table asks of a packet beside its ends. */
function show(tracking: Tracking, packet: RulePacket): void {
  const { shown } = tracking;
  shown.protocol = packet.protocol;
  shown.tcpFlags = packet.tcpFlags;
  shown.icmpType = packet.icmpType;
  shown.icmpCode = packet.icmpCode;
  tracking.sourcePort = packet.sourcePort;
  tracking.destinationPort = packet.destinationPort;
}

const hasTuple = (packet: RulePacket): boolean => packet.protocol !== PROTOCOL.ICMP || hasIdentifier(packet.icmpType);

/** Show the table a packet of binding `serial`, going `reply`. */
function showBound({ shown }: Tracking, serial: number, reply: number): void {
  shown.source = reply === 1 ? 0 : serial;
  shown.destination = reply === 1 ? serial : 0;
  shown.sourcePort = 0;
  shown.destinationPort = 0;
}

/**
 * Track a packet of the binding at `place`. False when its connection has ended, or ends because the packet opens a new
 * one in its place: the binding is gone then.
 */
function follow(tracking: Tracking, cell: number, place: number): boolean {
  const { table, shown } = tracking;
  const index = place >>> 1;
  showBound(tracking, bindings.serialOf(tracking.bindings, index), place & 1);
  conntrack.track(table, cell, shown);
  if (table.pending) {
    bindings.remove(tracking.bindings, index);
    return false;
  }
  // A packet that is INVALID belongs to no connection and is not changed.
  if (table.slot >= 0) use(tracking, index);
  return true;
}

function use(tracking: Tracking, index: number): void {
  tracking.bound = index;
  bindings.load(tracking.bindings, index, tracking.connection);
}

/** `conntrack.trackError` for a cell with NAT. */
export function trackError(tracking: Tracking, cell: number, quote: Readonly<Quote>, errorDestination: number): void {
  const { table } = tracking;
  begin(tracking);
  conntrack.trackError(table, cell, quote, errorDestination);
  tracking.related = table.slot >= 0;
  if (table.slot >= 0 || tracking.bindings.count === 0) return;
  if (errorDestination !== quote.source || !ofQuote(quote, tracking.tuple)) return;
  invert(tracking.tuple, tracking.other.original);
  const place = bindings.find(tracking.bindings, cell, tracking.other.original);
  if (place < 0) return;
  lookUp(tracking, place >>> 1, place & 1);
  tracking.related = table.slot >= 0;
  if (table.slot >= 0) use(tracking, place >>> 1);
}

/** Tuple of a quoted packet. False when it has none. */
function ofQuote(quote: Readonly<Quote>, into: Tuple): boolean {
  into.protocol = quote.protocol;
  into.source = quote.source;
  into.destination = quote.destination;
  if (quote.protocol === PROTOCOL.ICMP) {
    if (!hasIdentifier(quote.icmpType)) return false;
    into.sourcePort = quote.icmpIdentifier;
    into.destinationPort = (quote.icmpType << 8) | quote.icmpCode;
  } else {
    into.sourcePort = hasPorts(quote.protocol) ? quote.sourcePort : 0;
    into.destinationPort = hasPorts(quote.protocol) ? quote.destinationPort : 0;
  }
  return true;
}

/**
 * Ask the table for a connection without changing it, as an ICMP error that goes `reply` does: `table.slot` is its place
 * or -1. The quoted packet went the other way.
 */
function lookUp(tracking: Tracking, index: number, reply: number): void {
  const { quote } = tracking;
  const serial = bindings.serialOf(tracking.bindings, index);
  quote.protocol = bindings.protocolOf(tracking.bindings, index);
  quote.source = reply === 1 ? serial : 0;
  quote.destination = reply === 1 ? 0 : serial;
  quote.sourcePort = 0;
  quote.destinationPort = 0;
  if (quote.protocol === PROTOCOL.ICMP) {
    bindings.load(tracking.bindings, index, tracking.other);
    const query = reply === 1 ? tracking.other.original : tracking.other.reply;
    quote.icmpType = query.destinationPort >>> 8;
    quote.icmpCode = query.destinationPort & 0xff;
    quote.icmpIdentifier = 0;
  }
  conntrack.trackError(tracking.table, bindings.cellOf(tracking.bindings, index), quote, quote.source);
}

function isLiving(tracking: Tracking, index: number): boolean {
  lookUp(tracking, index, 1);
  return tracking.table.slot >= 0;
}

/** Whether a connection other than the opening one has `reply` as one of its tuples. */
function isTaken(tracking: Tracking, reply: Readonly<Tuple>, evict: boolean): boolean {
  return isTakenPlain(tracking, reply) || isTakenBound(tracking, reply, evict);
}

function isTakenPlain(tracking: Tracking, reply: Readonly<Tuple>): boolean {
  const { table, quote, tuple } = tracking;
  quote.protocol = reply.protocol;
  quote.source = reply.source;
  quote.destination = reply.destination;
  if (reply.protocol === PROTOCOL.ICMP) {
    quote.icmpIdentifier = reply.sourcePort;
    quote.icmpType = reply.destinationPort >>> 8;
    quote.icmpCode = reply.destinationPort & 0xff;
  } else {
    quote.sourcePort = reply.sourcePort;
    quote.destinationPort = reply.destinationPort;
  }
  conntrack.trackError(table, tracking.connection.cell, quote, quote.source);
  if (table.slot < 0) return false;
  // An error about a reply goes the original way, so that connection was opened by the inverse of the reply.
  if (table.reply === 0) invert(reply, tuple);
  else copy(reply, tuple);
  // The same original tuple: what the opening connection replaces.
  return !equal(tuple, tracking.connection.original);
}

function isTakenBound(tracking: Tracking, reply: Readonly<Tuple>, evict: boolean): boolean {
  if (tracking.bindings.count === 0) return false;
  const place = bindings.find(tracking.bindings, tracking.connection.cell, reply);
  if (place < 0) return false;
  const index = place >>> 1;
  if (!isLiving(tracking, index)) {
    bindings.remove(tracking.bindings, index);
    return false;
  }
  const slot = tracking.table.slot;
  bindings.load(tracking.bindings, index, tracking.other);
  if (equal(tracking.other.original, tracking.connection.original)) return false;
  if (!evict || (place & 1) === 0 || (tracking.other.status & STATUS.SOURCE_NAT) === 0) return true;
  if (tracking.eviction === null || !tracking.eviction.allows(slot)) return true;
  bindings.remove(tracking.bindings, index);
  return false;
}

function isMapped(tracking: Tracking, tuple: Readonly<Tuple>, range: Readonly<Range>, into: Tuple): boolean {
  const cell = tracking.connection.cell;
  let index = bindings.findMapped(tracking.bindings, cell, tuple, -1);
  for (; index >= 0; index = bindings.findMapped(tracking.bindings, cell, tuple, index)) {
    if (!isLiving(tracking, index)) continue;
    bindings.load(tracking.bindings, index, tracking.other);
    invert(tracking.other.reply, into);
    into.destination = tuple.destination;
    into.destinationPort = tuple.destinationPort;
    if (sourceInRange(into, range)) return true;
  }
  return false;
}

/**
 * Remember the connection that the last `track` found opening. False when the packet must be dropped: another connection
 * has one of its tuples (no free port was found), or the table is full.
 */
export function confirm(tracking: Tracking): boolean {
  const { table, connection } = tracking;
  if (!tracking.opening) return conntrack.confirm(table);
  const isBound = isChanged(connection.status) || connection.masqueradeInterface !== 0;
  if (isBound || tracking.bindings.count !== 0) {
    if (isTaken(tracking, connection.reply, false) || isTaken(tracking, connection.original, false)) return false;
  }
  restore(tracking);
  tracking.opening = false;
  return isBound ? confirmBound(tracking) : conntrack.confirm(table);
}

/**
 * Let the table say again what it said of the packet that opens a connection: asking it about others has changed its
 * fields.
 */
export function restore(tracking: Tracking): void {
  const { table, shown, connection, opening } = tracking;
  if (!opening || table.pending) return;
  shown.source = connection.original.source;
  shown.destination = connection.original.destination;
  const isPorted = hasPorts(shown.protocol) || shown.protocol === PROTOCOL.ICMP;
  shown.sourcePort = isPorted ? connection.original.sourcePort : tracking.sourcePort;
  shown.destinationPort = isPorted ? connection.original.destinationPort : tracking.destinationPort;
  conntrack.track(table, connection.cell, shown);
}

function confirmBound(tracking: Tracking): boolean {
  const { table, shown, connection } = tracking;
  if (bindings.isFull(tracking.bindings)) makeRoom(tracking);
  const index = bindings.add(tracking.bindings, connection);
  showBound(tracking, bindings.serialOf(tracking.bindings, index), 0);
  conntrack.track(table, connection.cell, shown);
  if (conntrack.confirm(table)) {
    tracking.bound = index;
    return true;
  }
  bindings.remove(tracking.bindings, index);
  return false;
}

/** Remove what has ended; when little has, there is twice the room. */
function makeRoom(tracking: Tracking): void {
  const all = tracking.bindings;
  for (let index = 0; index < all.capacity; index++)
    if (bindings.isUsed(all, index) && !isLiving(tracking, index)) bindings.remove(all, index);
  if (all.count * 2 > all.capacity) bindings.grow(all);
}
