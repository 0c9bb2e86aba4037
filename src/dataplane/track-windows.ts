/**
 * Connection tracking of the protocols that a table with windows follows in full: TCP with its sequence numbers, SCTP, GRE
 * and UDP-Lite.
 *
 * Source: nf_conntrack_in and nf_conntrack_handle_packet (net/netfilter/nf_conntrack_core.c), nf_conntrack_proto_{tcp,sctp,gre,
 * udp}.c, kernel 6.x with the defaults of its timeouts. DCCP has none of its own any more. What is known of a connection lies
 * at its place times ENTRY_WINDOW_WORDS in `windows`: the words of `tcp-window-words.ts` or of `sctp-follow.ts`.
 */
import { CTSTATE } from '../rules/model.ts';
import type { RulePacket } from '../rules/packet.ts';
import * as gre from '../wire/gre.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { PROTOCOL } from '../wire/protocol.ts';
import type { Stack } from '../wire/stack.ts';
import {
  type Conntrack,
  ENTRY_DOUBLES,
  ENTRY_WINDOW_WORDS,
  ENTRY_WORDS,
  EXPIRES,
  invalid,
  SEEN_REPLY,
  STATE,
  SWAPPED,
} from './connection-table.ts';
import { followSctp, openSctp, SCTP_OUTCOME, SCTP_STATUS } from './sctp-follow.ts';
import { SCTP_TIMEOUTS } from './sctp-state.ts';
import { TCP_STATE } from './tcp-state.ts';
import { followWindow, openWindow } from './tcp-window.ts';
import { isInvalid, OUTCOME, OUTCOME_TIMEOUTS } from './tcp-window-outcome.ts';
import { after, STATUS_FIELD, WORD } from './tcp-window-words.ts';

const SECOND = 1e9;
const UNREPLIED = 30 * SECOND;
const UDP_LITE_REPLIED = 120 * SECOND;
const GRE_REPLIED = 180 * SECOND;
const UDP_LITE_HEADER = 8;

/** Whether a table with windows knows more of `protocol` than its addresses. */
export const isFollowed = (protocol: number): boolean => protocol === PROTOCOL.TCP || hasFurtherPorts(protocol);

/** Protocols beside TCP and UDP whose connections are told apart by ports, or by the call that a GRE tunnel is for. */
export const hasFurtherPorts = (protocol: number): boolean =>
  protocol === PROTOCOL.SCTP || protocol === PROTOCOL.UDP_LITE || protocol === PROTOCOL.GRE;

/**
 * Show `table` the packet at `stack`, which `packet` describes and which it is asked about next. Ports of SCTP and UDP-Lite go into
 * `packet`, and as its destination port the call of GRE. Nothing happens in a table without windows.
 */
export function show(table: Conntrack, packet: RulePacket, view: DataView, stack: Stack): void {
  if (table.windows === null) return;
  const transport = ipv4.payloadStart(view, stack.network);
  table.view = view;
  table.transport = transport;
  table.length = stack.wireEnd - transport;
  table.captured = stack.end - transport;
  if (packet.protocol === PROTOCOL.GRE) packet.destinationPort = Math.max(gre.callOf(view, transport, stack.end), 0);
  else if (hasFurtherPorts(packet.protocol) && table.captured >= 4) {
    packet.sourcePort = view.getUint16(transport);
    packet.destinationPort = view.getUint16(transport + 2);
  }
}

/** `track` for a packet of `protocol` (`isFollowed`) whose key has place `slot`, or -1. */
export function trackFollowed(table: Conntrack, protocol: number, slot: number, swapped: number): void {
  if (!isWhole(table, protocol)) invalid(table);
  else if (slot < 0 || table.times[slot * ENTRY_DOUBLES + EXPIRES]! <= table.now) open(table, protocol, swapped);
  else follow(table, protocol, slot, swapped);
}

/** What the kernel asks of a header before it looks for the connection, where `stack` has not asked it already. */
function isWhole({ view, transport, length, captured }: Conntrack, protocol: number): boolean {
  switch (protocol) {
    case PROTOCOL.SCTP:
      // Without all octets nothing can be said of the checksum.
      return captured >= length;
    case PROTOCOL.UDP_LITE: {
      if (captured < UDP_LITE_HEADER) return false;
      const covered = view.getUint16(transport + 4) || length;
      return covered >= UDP_LITE_HEADER && covered <= length && view.getUint16(transport + 6) !== 0;
    }
    case PROTOCOL.GRE:
      return gre.callOf(view, transport, transport + captured) >= 0;
    default:
      return true;
  }
}

function open(table: Conntrack, protocol: number, swapped: number): void {
  const { pendingWindow, view, transport, length } = table;
  pendingWindow.fill(0);
  table.timeout = UNREPLIED;
  if (protocol === PROTOCOL.TCP) {
    const outcome = openWindow(pendingWindow, 0, view, transport, length);
    if (isInvalid(outcome)) {
      invalid(table);
      return;
    }
    table.timeout = OUTCOME_TIMEOUTS[outcome]!;
  } else if (protocol === PROTOCOL.SCTP) {
    const outcome = openSctp(pendingWindow, 0, view, transport, length);
    if (outcome === SCTP_OUTCOME.INVALID) {
      invalid(table);
      return;
    }
    if (outcome !== SCTP_OUTCOME.KEPT) table.timeout = SCTP_TIMEOUTS[outcome]!;
  }
  table.ctstate = CTSTATE.NEW;
  table.reply = 0;
  table.slot = -1;
  table.pending = true;
  table.state = swapped;
}

function follow(table: Conntrack, protocol: number, slot: number, swapped: number): void {
  const at = slot * ENTRY_WORDS + STATE;
  const state = table.words[at]!;
  const reply = (state & SWAPPED) === swapped ? 0 : 1;
  if (protocol === PROTOCOL.TCP) followTcp(table, slot, reply, swapped);
  else if (protocol === PROTOCOL.SCTP) followAssociation(table, slot, reply);
  else {
    const replied = protocol === PROTOCOL.GRE ? GRE_REPLIED : UDP_LITE_REPLIED;
    if (reply === 1) table.words[at] = state | SEEN_REPLY;
    expire(table, slot, table.now + ((state & SEEN_REPLY) === 0 ? UNREPLIED : replied));
    found(table, slot, reply, table.words[at]! & SEEN_REPLY);
  }
}

function followTcp(table: Conntrack, slot: number, reply: number, swapped: number): void {
  const windows = table.windows!;
  const at = slot * ENTRY_WINDOW_WORDS;
  const outcome = followWindow(windows, at, reply, table.view, table.transport, table.length);
  switch (outcome) {
    case OUTCOME.KEPT:
      break;
    case OUTCOME.ENDED:
      expire(table, slot, table.now);
      break;
    case OUTCOME.REOPENED:
      expire(table, slot, table.now);
      open(table, PROTOCOL.TCP, swapped);
      return;
    case OUTCOME.INVALID_SHORTENED:
      expire(table, slot, Math.min(expiry(table, slot), table.now + OUTCOME_TIMEOUTS[OUTCOME.UNACKNOWLEDGED]!));
      invalid(table);
      return;
    case OUTCOME.INVALID:
      invalid(table);
      return;
    default:
      expire(table, slot, table.now + OUTCOME_TIMEOUTS[outcome]!);
  }
  found(table, slot, reply, windows[at + WORD.STATUS]! & STATUS_FIELD.SEEN_REPLY);
}

function followAssociation(table: Conntrack, slot: number, reply: number): void {
  const windows = table.windows!;
  const at = slot * ENTRY_WINDOW_WORDS;
  const outcome = followSctp(windows, at, reply, table.view, table.transport, table.length);
  if (outcome === SCTP_OUTCOME.INVALID) {
    invalid(table);
    return;
  }
  if (outcome !== SCTP_OUTCOME.KEPT) expire(table, slot, table.now + SCTP_TIMEOUTS[outcome]!);
  found(table, slot, reply, windows[at + SCTP_STATUS]! & STATUS_FIELD.SEEN_REPLY);
}

const expiry = (table: Conntrack, slot: number): number => table.times[slot * ENTRY_DOUBLES + EXPIRES]!;

function expire(table: Conntrack, slot: number, time: number): void {
  table.times[slot * ENTRY_DOUBLES + EXPIRES] = time;
}

/** The packet belongs to the connection at `slot`, which was answered unless `answered` is 0. */
function found(table: Conntrack, slot: number, reply: number, answered: number): void {
  table.slot = slot;
  table.reply = reply;
  table.pending = false;
  table.ctstate = answered === 0 ? CTSTATE.NEW : CTSTATE.ESTABLISHED;
}

const stateOf = (table: Conntrack, slot: number): number =>
  table.windows![slot * ENTRY_WINDOW_WORDS + WORD.STATUS]! & STATUS_FIELD.STATE;

/**
 * The host answers the packet that was tracked last with an ICMP error: it belongs to the packet's connection, in the other
 * direction (nf_conntrack_attach).
 */
export function relate(table: Conntrack): void {
  table.ctstate = CTSTATE.RELATED;
  table.reply = 1 - table.reply;
  table.pending = false;
}

/**
 * The host resets the TCP connection of the packet that was tracked last: the reset belongs to it, in the other direction, and
 * it closes at `table.now` if it is confirmed (nf_conntrack_attach, nf_conntrack_tcp_set_closing).
 */
export function attach(table: Conntrack): void {
  relate(table);
  const { windows, slot } = table;
  if (windows === null || slot < 0 || stateOf(table, slot) === TCP_STATE.CLOSE) return;
  const at = slot * ENTRY_WINDOW_WORDS + WORD.STATUS;
  windows[at] = (windows[at]! & ~STATUS_FIELD.STATE) | TCP_STATE.CLOSE;
  expire(table, slot, table.now + OUTCOME_TIMEOUTS[TCP_STATE.CLOSE]!);
}

/**
 * Whether the TCP connection at `slot` is over or nearly so, and the SYN that opens another ends behind all that the client of
 * the old one sent (nf_nat_used_tuple_harder, nf_nat_may_kill, nf_seq_has_advanced).
 */
export function isOutrun(table: Conntrack, slot: number): boolean {
  const { windows, pendingWindow } = table;
  if (windows === null || (pendingWindow[WORD.STATUS]! & STATUS_FIELD.STATE) !== TCP_STATE.SYN_SENT) return false;
  if (stateOf(table, slot) < TCP_STATE.TIME_WAIT) return false;
  return after(pendingWindow[WORD.END]!, windows[slot * ENTRY_WINDOW_WORDS + WORD.END]!);
}
