/**
 * Translation: a packet, or an ICMP error and the packet it quotes, as its connection wants it at one hook.
 *
 * Source: nf_nat_packet and nf_nat_manip_pkt (nf_nat_core.c, nf_nat_proto.c), nf_nat_icmp_reply_translation
 * (nf_nat_proto.c). A packet is made to look like the inverse of what the other direction looks like. An error is changed
 * like a packet of the direction it travels; the packet inside travelled the other way, and its other end is changed.
 */
import type { RulePacket } from '../../rules/packet.ts';
import * as checksum from '../../wire/checksum.ts';
import * as icmp from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import { rewrite } from './rewrite.ts';
import {
  type Connection,
  changes,
  createTuple,
  invert,
  isChanged,
  MANIP,
  manipOf,
  STATUS,
  type Tuple,
} from './tuples.ts';

/** What became of a packet. */
export const TRANSLATED = {
  /** The octets are as they were. */
  UNCHANGED: 0,
  CHANGED: 1,
  /** The kernel drops the packet here. */
  DROPPED: 2,
} as const;

export type Translated = (typeof TRANSLATED)[keyof typeof TRANSLATED];

const SETTLED = STATUS.SOURCE_DONE | STATUS.DESTINATION_DONE;

/** Scratch: the ends that the packet at hand is to have. */
const target = createTuple();

/** The tuple of packets that come in the other way. */
const opposite = (connection: Readonly<Connection>, reply: number): Tuple =>
  reply === 1 ? connection.original : connection.reply;

/**
 * Change the packet at `at`, which goes `reply` (0 or 1), for `hook`. See `rewrite` for `end` and `partial`. ICMP errors
 * are for `translateError`.
 */
export function translate(
  view: DataView,
  at: number,
  end: number,
  connection: Readonly<Connection>,
  reply: number,
  hook: number,
  partial: boolean,
): Translated {
  const manip = manipOf(hook);
  if (!changes(connection.status, manip, reply)) return TRANSLATED.UNCHANGED;
  invert(opposite(connection, reply), target);
  return rewrite(view, at, end, target, manip, partial) ? TRANSLATED.CHANGED : TRANSLATED.DROPPED;
}

/**
 * Change the ICMP error at `at`, which is RELATED to `connection` and goes `reply`, for `hook`. Its checksum is computed
 * anew when the quoted packet was changed; an error with a wrong one is dropped.
 */
export function translateError(
  view: DataView,
  at: number,
  end: number,
  connection: Readonly<Connection>,
  reply: number,
  hook: number,
): Translated {
  const message = ipv4.payloadStart(view, at);
  const quoted = message + icmp.HEADER_LENGTH;
  if (end - quoted < ipv4.HEADER_LENGTH) return TRANSLATED.DROPPED;
  if (!checksum.isGood(checksum.sum(view, message, end))) return TRANSLATED.DROPPED;
  if (icmp.type(view, message) === icmp.TYPES.REDIRECT && !mayRedirect(connection.status)) return TRANSLATED.DROPPED;
  const manip = manipOf(hook);
  if (!changes(connection.status, manip, reply)) return TRANSLATED.UNCHANGED;
  const other = opposite(connection, reply);
  const otherEnd = manip === MANIP.SOURCE ? MANIP.DESTINATION : MANIP.SOURCE;
  if (ipv4.payloadStart(view, quoted) > end) return TRANSLATED.DROPPED;
  if (!rewrite(view, quoted, end, other, otherEnd, false)) return TRANSLATED.DROPPED;
  icmp.setChecksum(view, message, 0);
  icmp.setChecksum(view, message, checksum.complement(checksum.sum(view, message, end)));
  invert(other, target);
  // An error has no ports and no identifier: only its address changes.
  target.protocol = PROTOCOL.ICMP;
  return rewrite(view, at, end, target, manip, false) ? TRANSLATED.CHANGED : TRANSLATED.DROPPED;
}

/** A redirect would name the wrong hosts when the connection has NAT, or may yet get one. */
const mayRedirect = (status: number): boolean => (status & SETTLED) === SETTLED && !isChanged(status);

/** Let `packet` show the ends that the packet at `at` has now, as the rules and the routes behind a hook see it. */
export function refresh(view: DataView, at: number, packet: RulePacket): void {
  packet.source = ipv4.source(view, at);
  packet.destination = ipv4.destination(view, at);
  const transport = ipv4.payloadStart(view, at);
  if (packet.protocol === PROTOCOL.TCP || packet.protocol === PROTOCOL.UDP) {
    packet.sourcePort = view.getUint16(transport);
    packet.destinationPort = view.getUint16(transport + 2);
  } else if (packet.protocol === PROTOCOL.ICMP && !icmp.isError(packet.icmpType)) {
    packet.sourcePort = icmp.identifier(view, transport);
  }
}
