/**
 * Connection tracking: which packets belong together, and what `-m state` and `-m conntrack --ctstate` see.
 *
 * Follows nf_conntrack (net/netfilter/nf_conntrack_core.c, nf_conntrack_proto_{tcp,udp,icmp,generic}.c): a packet is
 * looked up before the rules are walked and a connection is only remembered when the packet got through (`confirm`).
 * Time is capture time. Timeouts are the kernel's defaults. TCP sequence windows, SCTP and the lesser protocols are
 * followed by tables with windows (`track-windows.ts`), NAT bindings by `nat/`.
 */
import { CTSTATE } from '../rules/model.ts';
import type { RulePacket } from '../rules/packet.ts';
import type { Quote } from '../wire/quote.ts';
import * as layout from './connection-table.ts';
import { type Conntrack, find, invalid, keyOf, queryKeyOf } from './connection-table.ts';
import {
  flagsAreValid,
  SEGMENT,
  segmentOf,
  TCP_STATE,
  TCP_TIMEOUT_UNACKNOWLEDGED,
  TCP_TIMEOUTS,
  transition,
} from './tcp-state.ts';
import { hasFurtherPorts, isFollowed, trackFollowed } from './track-windows.ts';

export {
  addWindows,
  BACK,
  type Conntrack,
  confirm,
  connectionMark,
  create,
  ENTRY_WORDS,
  findPorted,
  forget,
  hashOf,
  invalid,
  RULE,
  refuse,
  SAID,
  setConnectionMark,
  TALLY,
  TUNNEL,
  touch,
} from './connection-table.ts';

// Copies of the table's own: constants of another module are loaded anew each time.
const { ENTRY_DOUBLES, ENTRY_WORDS, EXPIRES, QUERY_CLASS, QUERY_REPLY, STATE, STREAM_FROM, SEEN_REPLY, SWAPPED } =
  layout;

// Further bits of STATE, for TCP.
const CLOSE_INIT = 0x4;
const LAST_REPLY = 0x8;
const TCP_SHIFT = 8;
const LAST_SHIFT = 12;

const SECOND_NANOSECONDS = 1e9;
const UDP_UNREPLIED = 30 * SECOND_NANOSECONDS;
const UDP_STREAM = 120 * SECOND_NANOSECONDS;
const MILLISECOND = 1e6;
const ICMP_TIMEOUT = 30 * SECOND_NANOSECONDS;
const GENERIC_TIMEOUT = 600 * SECOND_NANOSECONDS;

const ICMP = 1;
const TCP = 6;
const UDP = 17;

/**
 * Look `packet` up at `table.now` and say its state: `table.ctstate`, `table.reply`, `table.slot`. The state of a known
 * connection moves on, as it does in the kernel whatever the rules say afterwards. For ICMP queries `sourcePort` holds
 * the identifier. ICMP errors are for `trackError`.
 */
export function track(table: Conntrack, cell: number, packet: RulePacket): void {
  const protocol = packet.protocol;
  let swapped: number;
  if (protocol === ICMP) {
    if (QUERY_CLASS[packet.icmpType] === 0) {
      invalid(table);
      return;
    }
    swapped = queryKeyOf(
      table,
      cell,
      packet.icmpType,
      packet.icmpCode,
      packet.source,
      packet.destination,
      packet.sourcePort,
    );
  } else {
    const ported = hasPorts(table, protocol);
    swapped = keyOf(
      table,
      cell,
      protocol,
      packet.source,
      packet.destination,
      ported ? packet.sourcePort : 0,
      ported ? packet.destinationPort : 0,
    );
  }
  if (protocol === TCP && !flagsAreValid(packet.tcpFlags)) {
    invalid(table);
    return;
  }
  const slot = find(table);
  if (table.windows !== null && isFollowed(protocol)) trackFollowed(table, protocol, slot, swapped);
  else if (slot < 0 || table.times[slot * ENTRY_DOUBLES + EXPIRES]! <= table.now)
    open(table, protocol, packet.icmpType, packet.tcpFlags, swapped);
  else if (protocol === TCP) followTcp(table, packet.tcpFlags, slot, swapped);
  else if (protocol === UDP) followUdp(table, slot, swapped);
  else {
    follow(table, slot, protocol === ICMP ? QUERY_REPLY[packet.icmpType]! : directionOf(table, slot, swapped));
    keep(table, slot, protocol === ICMP ? ICMP_TIMEOUT : GENERIC_TIMEOUT);
  }
}

/** Whether connections of `protocol` are told apart by ports; others are by their addresses alone. */
const hasPorts = (table: Conntrack, protocol: number): boolean =>
  protocol === TCP || protocol === UDP || (table.windows !== null && hasFurtherPorts(protocol));

/** `track` for the packet of the last `findPorted`, which gave `slot`. */
export function trackFound(table: Conntrack, slot: number, protocol: number, tcpFlags: number): void {
  const { swapped } = table;
  if (protocol === TCP && !flagsAreValid(tcpFlags)) invalid(table);
  else if (slot < 0 || table.times[slot * ENTRY_DOUBLES + EXPIRES]! <= table.now)
    open(table, protocol, 0, tcpFlags, swapped);
  else if (protocol === TCP) followTcp(table, tcpFlags, slot, swapped);
  else followUdp(table, slot, swapped);
}

/** 1 when a packet whose ends were swapped like `swapped` goes against the connection's first packet. */
const directionOf = (table: Conntrack, slot: number, swapped: number): number =>
  (table.words[slot * ENTRY_WORDS + STATE]! & SWAPPED) === swapped ? 0 : 1;

/** A packet of no known connection: it may open one. */
function open(table: Conntrack, protocol: number, icmpType: number, tcpFlags: number, swapped: number): void {
  let state = swapped;
  switch (protocol) {
    case TCP: {
      const segment = segmentOf(tcpFlags);
      const next = transition(0, segment, TCP_STATE.NONE);
      if (next === TCP_STATE.INVALID) {
        invalid(table);
        return;
      }
      state |= (next << TCP_SHIFT) | (segment << LAST_SHIFT);
      table.timeout = next === TCP_STATE.ESTABLISHED ? TCP_TIMEOUT_UNACKNOWLEDGED : TCP_TIMEOUTS[next]!;
      break;
    }
    case UDP:
      table.timeout = UDP_UNREPLIED;
      break;
    case ICMP:
      if (QUERY_REPLY[icmpType] === 1) {
        invalid(table);
        return;
      }
      table.timeout = ICMP_TIMEOUT;
      break;
    default:
      table.timeout = GENERIC_TIMEOUT;
  }
  table.ctstate = CTSTATE.NEW;
  table.reply = 0;
  table.slot = -1;
  table.pending = true;
  table.state = state;
}

/** A packet of a known connection, going `reply`: say its state. */
function follow(table: Conntrack, slot: number, reply: number): void {
  const at = slot * ENTRY_WORDS + STATE;
  table.slot = slot;
  table.reply = reply;
  table.pending = false;
  table.ctstate = reply === 1 || (table.words[at]! & SEEN_REPLY) !== 0 ? CTSTATE.ESTABLISHED : CTSTATE.NEW;
  if (reply === 1) table.words[at] = table.words[at]! | SEEN_REPLY;
}

/** Keep the connection at `slot` for `timeout` from now on. */
function keep(table: Conntrack, slot: number, timeout: number): void {
  table.times[slot * ENTRY_DOUBLES + EXPIRES] = table.now + timeout;
}

function followUdp(table: Conntrack, slot: number, swapped: number): void {
  const seenReply = (table.words[slot * ENTRY_WORDS + STATE]! & SEEN_REPLY) !== 0;
  const stream = seenReply && ((table.now / MILLISECOND) | 0) - table.words[slot * ENTRY_WORDS + STREAM_FROM]! > 0;
  follow(table, slot, directionOf(table, slot, swapped));
  keep(table, slot, stream ? UDP_STREAM : UDP_UNREPLIED);
}

function followTcp(table: Conntrack, tcpFlags: number, slot: number, swapped: number): void {
  const at = slot * ENTRY_WORDS + STATE;
  const state = table.words[at]!;
  const reply = (state & SWAPPED) === swapped ? 0 : 1;
  const segment = segmentOf(tcpFlags);
  const old = (state >>> TCP_SHIFT) & 0xf;
  let next = transition(reply, segment, old);
  if (next === TCP_STATE.INVALID) {
    invalid(table);
    return;
  }
  if (next === TCP_STATE.SYN_SENT && old >= TCP_STATE.TIME_WAIT) {
    if (reopens(state, reply)) {
      // The old connection is gone (nf_ct_kill), whatever becomes of the new one.
      keep(table, slot, 0);
      open(table, TCP, 0, tcpFlags, swapped);
      return;
    }
    next = TCP_STATE.IGNORE;
  }
  if (next === TCP_STATE.IGNORE) {
    if (segment !== SEGMENT.SYN_ACK || !answersIgnoredSyn(state, reply)) {
      table.words[at] = remember(state, segment, reply);
      follow(table, slot, reply);
      return;
    }
    next = TCP_STATE.SYN_RECV;
  }
  const closing = next === TCP_STATE.FIN_WAIT && old !== next ? CLOSE_INIT : 0;
  table.words[at] = remember((state & ~(0xf << TCP_SHIFT)) | (next << TCP_SHIFT) | closing, segment, reply);
  // A SYN that comes again before any answer does not prolong the wait.
  const again = segment === SEGMENT.SYN && old === TCP_STATE.SYN_SENT && (state & SEEN_REPLY) === 0;
  follow(table, slot, reply);
  if (!again) keepTcp(table, slot, state, segment, next);
}

/** Keep a connection as long as it is after `segment` led to `next`; a reset before any answer ends it. */
function keepTcp(table: Conntrack, slot: number, state: number, segment: number, next: number): void {
  const answered = (state & SEEN_REPLY) !== 0;
  if (segment === SEGMENT.RST) keep(table, slot, answered ? TCP_TIMEOUTS[TCP_STATE.CLOSE]! : 0);
  else if (!answered && next === TCP_STATE.ESTABLISHED) keep(table, slot, TCP_TIMEOUT_UNACKNOWLEDGED);
  else keep(table, slot, TCP_TIMEOUTS[next]!);
}

const remember = (state: number, segment: number, reply: number): number =>
  (state & ~((0xf << LAST_SHIFT) | LAST_REPLY)) | (segment << LAST_SHIFT) | (reply === 1 ? LAST_REPLY : 0);

/** A SYN on a finished connection opens a new one when it was closed properly, or reset by the side that now calls. */
const reopens = (state: number, reply: number): boolean =>
  (state & CLOSE_INIT) !== 0 ||
  (((state >>> LAST_SHIFT) & 0xf) === SEGMENT.RST && ((state & LAST_REPLY) !== 0 ? 1 : 0) === reply);

/** A SYN/ACK right after a SYN of the other side that was ignored: both ends are in step, the table was not. */
const answersIgnoredSyn = (state: number, reply: number): boolean =>
  ((state >>> LAST_SHIFT) & 0xf) === SEGMENT.SYN && ((state & LAST_REPLY) !== 0 ? 1 : 0) !== reply;

/**
 * Look up the connection that an ICMP error speaks of: that of the packet it quotes, to whose sender the error must be
 * addressed (`errorDestination`), as nf_conntrack_inet_error asks. RELATED or INVALID.
 */
export function trackError(table: Conntrack, cell: number, quote: Quote, errorDestination: number): void {
  const { protocol, source, destination } = quote;
  let swapped = 0;
  let reply = 0;
  if (protocol === ICMP) {
    if (QUERY_CLASS[quote.icmpType] === 0) {
      invalid(table);
      return;
    }
    queryKeyOf(table, cell, quote.icmpType, quote.icmpCode, source, destination, quote.icmpIdentifier);
    reply = QUERY_REPLY[quote.icmpType]!;
  } else {
    const ported = hasPorts(table, protocol);
    swapped = keyOf(
      table,
      cell,
      protocol,
      source,
      destination,
      ported ? quote.sourcePort : 0,
      ported ? quote.destinationPort : 0,
    );
  }
  const slot = find(table);
  if (slot < 0 || table.times[slot * ENTRY_DOUBLES + EXPIRES]! <= table.now || errorDestination !== source) {
    invalid(table);
    return;
  }
  if (protocol !== ICMP) reply = directionOf(table, slot, swapped);
  table.ctstate = CTSTATE.RELATED;
  // An error about an original packet travels the way replies do.
  table.reply = 1 - reply;
  table.slot = slot;
  table.pending = false;
}
