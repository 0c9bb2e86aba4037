/**
 * The replies of a host to ICMP echo and timestamp requests: net/ipv4/icmp.c icmp_echo, icmp_timestamp and icmp_reply. TOS of
 * the request, TTL 64, DF clear.
 */
import * as checksum from '../../wire/checksum.ts';
import * as icmp from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import { echoOptions } from '../answer/echo-options.ts';
import type { IcmpError } from '../answer/icmp-error.ts';
import { writeHeaderChecksum } from './fragment.ts';

const CHECKSUM_FIELD = 2;
const header = ipv4.create();

/**
 * Write the reply to the echo request in `[network, end)` of `view` to `at` in `into`, whose octets are `octets`. Source,
 * identification and TTL are those of `own`. Returns its length, or 0 when options leave it no room.
 */
export function writeEchoReply(
  view: DataView,
  network: number,
  end: number,
  own: Readonly<IcmpError>,
  octets: Uint8Array,
  into: DataView,
  at: number,
): number {
  const options = echoOptions(view, network, 0, own, into, at);
  if (options < 0) return 0;
  const message = ipv4.payloadStart(view, network);
  const to = at + ipv4.HEADER_LENGTH + options;
  octets.set(new Uint8Array(view.buffer, view.byteOffset + message, end - message), to);
  into.setUint8(to, icmp.TYPES.ECHO_REPLY);
  finish(view, network, own, into, at, to, to + end - message);
  return to + end - message - at;
}

/** Octets of a timestamp message: header, and the times of sending, receiving and replying (RFC 792). */
const TIMESTAMP_LENGTH = 20;
const CODE_FIELD = 1;
const RECEIVED = 12;
const TRANSMITTED = 16;

/**
 * The same for the timestamp request in `[network, end)`, which holds at least the time of its sender. Both times of the
 * reply are `own.milliseconds` since midnight, as the host's clock gives them.
 */
export function writeTimestampReply(
  view: DataView,
  network: number,
  own: Readonly<IcmpError>,
  octets: Uint8Array,
  into: DataView,
  at: number,
): number {
  const options = echoOptions(view, network, 0, own, into, at);
  if (options < 0) return 0;
  const message = ipv4.payloadStart(view, network);
  const to = at + ipv4.HEADER_LENGTH + options;
  octets.set(new Uint8Array(view.buffer, view.byteOffset + message, RECEIVED), to);
  into.setUint8(to, icmp.TYPES.TIMESTAMP_REPLY);
  into.setUint8(to + CODE_FIELD, 0);
  into.setUint32(to + RECEIVED, own.milliseconds);
  into.setUint32(to + TRANSMITTED, own.milliseconds);
  finish(view, network, own, into, at, to, to + TIMESTAMP_LENGTH);
  return to + TIMESTAMP_LENGTH - at;
}

/** Checksum of the ICMP message in `[message, end)` of `into`, and the IPv4 header at `at` before it. */
function finish(
  view: DataView,
  network: number,
  own: Readonly<IcmpError>,
  into: DataView,
  at: number,
  message: number,
  end: number,
): void {
  into.setUint16(message + CHECKSUM_FIELD, 0);
  into.setUint16(message + CHECKSUM_FIELD, checksum.complement(checksum.sum(into, message, end)));
  header.version = 4;
  header.ihl = (message - at) >>> 2;
  header.dscp = ipv4.dscp(view, network);
  header.ecn = ipv4.ecn(view, network);
  header.totalLength = end - at;
  header.identification = own.identification;
  header.timeToLive = own.timeToLive;
  header.protocol = PROTOCOL.ICMP;
  header.source = own.source;
  header.destination = ipv4.source(view, network);
  ipv4.encode(header, into, at);
  writeHeaderChecksum(into, at);
}
