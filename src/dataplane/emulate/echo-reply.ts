/** The echo reply of a host: net/ipv4/icmp.c icmp_echo and icmp_reply. TOS of the request, TTL 64, DF clear. */
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
  into.setUint16(to + CHECKSUM_FIELD, 0);
  const replyEnd = to + end - message;
  into.setUint16(to + CHECKSUM_FIELD, checksum.complement(checksum.sum(into, to, replyEnd)));
  header.version = 4;
  header.ihl = (ipv4.HEADER_LENGTH + options) >>> 2;
  header.dscp = ipv4.dscp(view, network);
  header.ecn = ipv4.ecn(view, network);
  header.totalLength = replyEnd - at;
  header.identification = own.identification;
  header.timeToLive = own.timeToLive;
  header.protocol = PROTOCOL.ICMP;
  header.source = own.source;
  header.destination = ipv4.source(view, network);
  ipv4.encode(header, into, at);
  writeHeaderChecksum(into, at);
  return replyEnd - at;
}
