/**
 * The reset with which a host answers a segment to a port where nobody listens: `tcp_v4_send_reset` in net/ipv4/tcp_ipv4.c and
 * `ip_send_unicast_reply` in net/ipv4/ip_output.c of Linux 6.18.
 *
 * It is the reset of a rule (tcp-reset.ts), but with the segment's type of service, and it repeats IP options as ICMP errors
 * do (echo-options.ts).
 */
import * as checksum from '../../wire/checksum.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import * as tcp from '../../wire/tcp.ts';
import { echoOptions, type OwnEntry } from './echo-options.ts';
import { VERIFIED } from './rejected-checksum.ts';
import { type TcpReset, writeTcpReset } from './tcp-reset.ts';
import { UNANSWERED } from './unanswered.ts';

const SERVICE = 1;
const WITHOUT_ECN = 0xfc;
/** An IPv4 header with all the options it has room for. */
const LONGEST_HEADER = 60;

/**
 * Write the reset for the segment in the packet at `network`, whose checksum is good and of which `[network, end)` was captured,
 * to `at` in `into`. Returns its length, 40 to 80, or one of UNANSWERED.
 */
export function writeSocketReset(
  view: DataView,
  network: number,
  end: number,
  reset: Readonly<TcpReset & OwnEntry>,
  into: DataView,
  at: number,
): number {
  const length = writeTcpReset(view, network, end, VERIFIED.UNNECESSARY, reset, into, at);
  if (length < 0) return length;
  const segment = at + ipv4.HEADER_LENGTH;
  move(into, segment, at + LONGEST_HEADER);
  const options = echoOptions(view, network, 0, reset, into, at);
  if (options < 0) return UNANSWERED.OPTIONS;
  move(into, at + LONGEST_HEADER, segment + options);
  into.setUint8(at, 0x40 | ((ipv4.HEADER_LENGTH + options) >>> 2));
  into.setUint8(at + SERVICE, view.getUint8(network + SERVICE) & WITHOUT_ECN);
  ipv4.setTotalLength(into, at, length + options);
  ipv4.setHeaderChecksum(into, at, 0);
  ipv4.setHeaderChecksum(into, at, checksum.complement(checksum.sum(into, at, segment + options)));
  return length + options;
}

/** The TCP header at `from`, to `to`, which is not within it. */
function move(view: DataView, from: number, to: number): void {
  for (let octet = 0; octet < tcp.HEADER_LENGTH; octet += 4) view.setUint32(to + octet, view.getUint32(from + octet));
}
