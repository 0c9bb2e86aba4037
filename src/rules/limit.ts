/**
 * `-m limit`: one token bucket per rule.
 *
 * iptables-legacy asks net/netfilter/xt_limit.c, which counts credits: CREDITS_PER_JIFFY are earned each jiffy, a match
 * costs what one packet's share of a second (minute, hour, day) earns. iptables-nft loads the same match as the native
 * expression of net/netfilter/nft_limit.c, whose tokens are nanoseconds. Both start full. Time is capture time and never
 * runs backwards: a packet stamped earlier than one before it earns nothing.
 *
 * xt_limit adds modulo 2^32, so a bucket left alone for 37 hours (at 250 Hz) can be found less than full; so here.
 */
import type { Backend } from './evaluator.ts';
import type { Rate, TimeUnit } from './model.ts';

/** Timer ticks per second of the emulated kernel: CONFIG_HZ of Ubuntu's generic kernels up to 24.04, so of stemcells. */
export const HZ = 250;
export const NANOSECONDS_PER_JIFFY = 1_000_000_000 / HZ;

/** xt_limit.c: the power of two below 0xffffffff / (HZ * 86400), so that a day's credits fit 32 bits. */
const CREDITS_PER_JIFFY = 2 ** Math.floor(Math.log2(0xffffffff / (HZ * 86_400)));
/** XT_LIMIT_SCALE: iptables hands the kernel an interval in units of 100 microseconds. */
const SCALE = 10_000;

export const SECONDS: Readonly<Record<TimeUnit, number>> = { sec: 1, min: 60, hour: 3600, day: 86_400 };

/** A token bucket; `tokens` and `last` change, in credits and jiffies (legacy) or nanoseconds (nft). */
export interface Limit {
  tokens: number;
  last: number;
  readonly cost: number;
  readonly capacity: number;
  readonly earned: number;
  /** Nanoseconds in one step of the clock. */
  readonly step: number;
  /** Gains are taken modulo this. */
  readonly modulus: number;
}

/** xt_limit.c user2credits. */
const credits = (user: number): number =>
  user > Math.floor(0xffffffff / (HZ * CREDITS_PER_JIFFY))
    ? Math.floor(user / SCALE) * HZ * CREDITS_PER_JIFFY
    : Math.floor((user * HZ * CREDITS_PER_JIFFY) / SCALE);

/** The units that iptables-nft tries in turn, in seconds, and the last of them into which `interval` divides well. */
const UNITS = [86_400, 3600, 60, 1];

/** iptables/nft.c add_nft_limit: a rate is only known as an interval of 100 microseconds, and becomes a rate again. */
function nftCost(interval: number): number {
  let chosen = UNITS[0]!;
  for (const seconds of UNITS.slice(1)) {
    const whole = SCALE * seconds;
    if (interval > whole || Math.floor(whole / interval) < whole % interval) break;
    chosen = seconds;
  }
  return Math.floor((chosen * 1_000_000_000) / Math.floor((SCALE * chosen) / interval));
}

/** A full bucket. iptables takes up to 10000 a second; higher rates are held to that. */
export function createLimit(rate: Rate, burst: number, backend: Backend): Limit {
  const interval = Math.max(1, Math.floor((SCALE * SECONDS[rate.per]) / rate.count));
  if (backend === 'nft') {
    const cost = nftCost(interval);
    const capacity = cost * burst;
    return { tokens: capacity, last: 0, cost, capacity, earned: 1, step: 1, modulus: Number.MAX_SAFE_INTEGER };
  }
  const capacity = credits(interval * burst);
  return {
    tokens: capacity,
    last: 0,
    cost: credits(interval),
    capacity,
    earned: CREDITS_PER_JIFFY,
    step: NANOSECONDS_PER_JIFFY,
    modulus: 2 ** 32,
  };
}

/** Whether the bucket pays for a packet at `time` (nanoseconds); it is charged when it does. */
export function takeLimit(limit: Limit, time: number): boolean {
  const now = Math.floor(time / limit.step);
  if (now > limit.last) {
    const gain = ((now - limit.last) * limit.earned) % limit.modulus;
    limit.tokens = Math.min(limit.capacity, (limit.tokens + gain) % limit.modulus);
    limit.last = now;
  }
  if (limit.tokens < limit.cost) return false;
  limit.tokens -= limit.cost;
  return true;
}
