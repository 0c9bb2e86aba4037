/**
 * How many ICMP errors a Linux cell sends: net/ipv4/icmp.c (`icmpv4_global_allow`, `icmpv4_xrlim_allow`), net/ipv4/inetpeer.c
 * (`inet_peer_xrlim_allow`) and net/ipv4/route.c (`ip_error`, `ip_rt_send_redirect`) of Linux 6.18.
 *
 * Three limits, in jiffies, on capture time:
 *
 * - `allowIcmp`: every error whose type is in net.ipv4.icmp_ratemask (fragmentation needed never is). First the cell's own
 *   bucket: refilled by icmp_msgs_per_sec once it is empty, at most every 20 ms, holding icmp_msgs_burst at most. Then the
 *   bucket of the host that the error goes to: one error per icmp_ratelimit, six at once.
 * - `allowUnroutable` comes before it for packets to which routing has no way (ICMP 3/0, 3/1 and 3/13 of `ip_error`): one a
 *   second per sender, five at once. It takes from the same tokens, so such a message pays twice.
 * - `allowRedirect` comes before it for redirects: waits that double from 40 ms, silence after nine that were ignored.
 *
 * What one error takes out of the cell's bucket the kernel draws at random, 0, 1 or 2, so that nobody can count what others
 * were sent; here it is a parameter. TCP resets are not limited, and nothing is that goes out by the loopback interface:
 * do not ask for those. Time never runs backwards: a packet stamped earlier than one before it earns nothing.
 */
import { HZ, NANOSECONDS_PER_JIFFY } from '../../rules/limit.ts';
import { TYPES } from '../../wire/icmp.ts';
import { createPeers, type Peers, peerOf } from './icmp-peers.ts';

const FRAGMENTATION_NEEDED = 4;
const HIGHEST_TYPE = 18;
/** XRLIM_BURST_FACTOR. */
const PEER_BURST = 6;
/** Shortest time between two refills of the cell's bucket. */
const REFILL_JIFFIES = HZ / 50;
/** net.ipv4.route.error_cost and error_burst. */
const UNROUTABLE_COST = HZ;
const UNROUTABLE_BURST = 5 * HZ;
/** net.ipv4.route.redirect_load, redirect_number and redirect_silence. */
const REDIRECT_LOAD = HZ / 50;
const REDIRECT_NUMBER = 9;
const REDIRECT_SILENCE = REDIRECT_LOAD << (REDIRECT_NUMBER + 1);

/** Settings under net.ipv4, by the names they have there. */
export interface IcmpLimitSettings {
  /** icmp_ratelimit, in milliseconds. */
  readonly ratelimitMilliseconds: number;
  /** icmp_ratemask: bit n stands for type n. */
  readonly ratemask: number;
  readonly messagesPerSecond: number;
  readonly messagesBurst: number;
}

/** The kernel's own: destination unreachable, source quench, time exceeded and parameter problem are limited. */
export const DEFAULT_ICMP_LIMITS: IcmpLimitSettings = {
  ratelimitMilliseconds: 1000,
  ratemask: 0x1818,
  messagesPerSecond: 1000,
  messagesBurst: 50,
};

/** The buckets of one cell. */
export interface IcmpLimits {
  readonly settings: IcmpLimitSettings;
  /** icmp_ratelimit in jiffies. */
  readonly peerCost: number;
  /** Errors left in the cell's bucket; may be negative. */
  credit: number;
  /** When that was refilled last, in jiffies. */
  refilled: number;
  readonly peers: Peers;
}

export const createIcmpLimits = (settings: IcmpLimitSettings = DEFAULT_ICMP_LIMITS): IcmpLimits => ({
  settings,
  peerCost: Math.ceil((settings.ratelimitMilliseconds * HZ) / 1000),
  credit: 0,
  refilled: -HZ,
  peers: createPeers(),
});

const jiffiesOf = (nanoseconds: number): number => Math.floor(nanoseconds / NANOSECONDS_PER_JIFFY);

/**
 * Whether an ICMP message of `type` and `code` may go to `destination` at `time` (nanoseconds); it is charged when it may.
 * `drawn` is what it takes from the cell's bucket: 0, 1 or 2. Ask for messages that `writeIcmpError` has written.
 */
export function allowIcmp(
  limits: IcmpLimits,
  type: number,
  code: number,
  destination: number,
  time: number,
  drawn: number,
): boolean {
  if (!isLimited(limits.settings.ratemask, type, code)) return true;
  const now = jiffiesOf(time);
  if (!hasCredit(limits, now)) return false;
  if (!takePeer(limits.peers, destination, limits.peerCost, now)) return false;
  limits.credit -= drawn;
  return true;
}

const isLimited = (mask: number, type: number, code: number): boolean =>
  type <= HIGHEST_TYPE &&
  !(type === TYPES.DESTINATION_UNREACHABLE && code === FRAGMENTATION_NEEDED) &&
  ((mask >>> type) & 1) === 1;

/** Only an empty bucket is refilled. A refill that does not make up for what was overdrawn lets a message pass, too. */
function hasCredit(limits: IcmpLimits, now: number): boolean {
  if (limits.credit > 0) return true;
  const waited = Math.min(now - limits.refilled, HZ);
  if (waited < REFILL_JIFFIES) return false;
  const earned = Math.floor((limits.settings.messagesPerSecond * waited) / HZ);
  if (earned === 0) return false;
  limits.refilled = now;
  limits.credit = Math.min(limits.credit + earned, limits.settings.messagesBurst);
  return true;
}

function takePeer(peers: Peers, address: number, cost: number, now: number): boolean {
  const slot = peerOf(peers, address, now);
  const waited = now - peers.last[slot]!;
  if (waited > 0) {
    peers.last[slot] = now;
    peers.tokens[slot] = Math.min(peers.tokens[slot]! + waited, PEER_BURST * cost);
  }
  if (peers.tokens[slot]! < cost) return false;
  peers.tokens[slot] = peers.tokens[slot]! - cost;
  return true;
}

/** Whether the sender of a packet without a route may be told at all at `time` (nanoseconds); it is charged when it may. */
export function allowUnroutable(limits: IcmpLimits, source: number, time: number): boolean {
  const { peers } = limits;
  const now = jiffiesOf(time);
  const slot = peerOf(peers, source, now);
  const waited = Math.max(0, now - peers.last[slot]!);
  const tokens = Math.min(peers.tokens[slot]! + waited, UNROUTABLE_BURST);
  const isAllowed = tokens >= UNROUTABLE_COST;
  peers.last[slot] = Math.max(now, peers.last[slot]!);
  peers.tokens[slot] = isAllowed ? tokens - UNROUTABLE_COST : tokens;
  return isAllowed;
}

/** Whether the sender of a packet that takes a detour may be sent a redirect at `time` (nanoseconds). */
export function allowRedirect(limits: IcmpLimits, source: number, time: number): boolean {
  const { peers } = limits;
  const now = jiffiesOf(time);
  const slot = peerOf(peers, source, now);
  if (now > peers.last[slot]! + REDIRECT_SILENCE) {
    peers.tokens[slot] = 0;
    peers.redirects[slot] = 0;
  }
  const sent = peers.redirects[slot]!;
  if (sent >= REDIRECT_NUMBER) {
    peers.last[slot] = now;
    return false;
  }
  if (sent > 0 && now <= peers.last[slot]! + (REDIRECT_LOAD << sent)) return false;
  peers.last[slot] = now;
  peers.redirects[slot] = sent + 1;
  return true;
}
