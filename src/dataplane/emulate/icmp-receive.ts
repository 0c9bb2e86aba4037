/**
 * ICMP for the host itself: net/ipv4/icmp.c icmp_rcv, and what its handlers refuse. Echo and timestamp requests are answered;
 * what an error tells goes to a program, so only whether it could is asked here.
 */
import * as icmp from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { ACCEPTED } from '../decapsulate.ts';
import { REASON } from '../verdict.ts';
import { sendEcho, sendTimestamp } from './answer.ts';
import type { Emulation, Host } from './emulation.ts';
import { type Frame, LOCAL } from './frame.ts';

const LAST_KNOWN_TYPE = icmp.TYPES.ADDRESS_MASK_REPLY;
/** PROBE (RFC 8335), which a host leaves alone by default (net.ipv4.icmp_echo_enable_probe). */
const EXTENDED_ECHO = 42;
const EXTENDED_ECHO_REPLY = 43;
const SHORTEST_HEADER_WORDS = 5;

/** Let the host have the ICMP message at `at` of `frame`, whose checksum is right. A REASON to drop it, or ACCEPTED. */
export function icmpReceive(emulation: Emulation, host: Host, frame: Frame, at: number): number {
  const type = icmp.type(frame.view, at);
  if (type === EXTENDED_ECHO || type === EXTENDED_ECHO_REPLY) return ACCEPTED;
  if (type > LAST_KNOWN_TYPE) return REASON.ICMP_TYPE;
  if (frame.local === LOCAL.BROADCAST && !isForEverybody(type)) return REASON.ICMP_GROUP;
  if (icmp.isError(type)) return quoteFault(frame, at, type);
  if (type === icmp.TYPES.ECHO) sendEcho(emulation, host, frame);
  else if (type === icmp.TYPES.TIMESTAMP) sendTimestamp(emulation, host, frame);
  return ACCEPTED;
}

/** Of what may go to a broadcast address, echo and timestamp requests are ignored (icmp_echo_ignore_broadcasts). */
const isForEverybody = (type: number): boolean =>
  type === icmp.TYPES.ADDRESS_MASK_REQUEST || type === icmp.TYPES.ADDRESS_MASK_REPLY;

/** icmp_unreach, icmp_redirect: a program can only be found by a quoted header. */
function quoteFault({ view, end }: Frame, at: number, type: number): number {
  const quoted = icmp.payloadStart(view, at);
  const isWhole = end - quoted >= ipv4.HEADER_LENGTH;
  if (type === icmp.TYPES.REDIRECT) return isWhole ? ACCEPTED : REASON.ICMP_SHORT_REDIRECT;
  return isWhole && ipv4.ihl(view, quoted) >= SHORTEST_HEADER_WORDS ? ACCEPTED : REASON.ICMP_QUOTE;
}
