/**
 * Pacing: when each packet of a replay is due, by capture time or at a steady rate.
 *
 * Deadlines are counted from the start of the replay: of packet `n` at `r` a second it is `n / r`, whatever the packets before it
 * waited for, so that a replay that was late once catches up, and rounding does not add up. A packet never goes before its
 * deadline; how far behind it went is counted.
 */
import type { RecordBurst } from '../capture/burst.ts';

/** What packets are due by. */
export const BY = {
  /** Capture time; `rate` is how many times as fast. */
  TIME: 0,
  /** `rate` packets a second. */
  PACKETS: 1,
  /** `rate` bits a second, of packets as long as they were on the wire. */
  BITS: 2,
} as const;

export interface Pace {
  readonly by: (typeof BY)[keyof typeof BY];
  /** Above 0. */
  readonly rate: number;
}

/** Lets packets go when their time has come. */
export interface Gate {
  /** How many rows of `records`, from the first on, may go now; 0 when somebody has to wait for that. */
  release(records: RecordBurst): number;
  /** Until more may go, or until the replay is to stop. */
  wait(): Promise<void>;
}

export interface Pacing {
  readonly pace: Pace;
  /** Packets and their octets that went. */
  packets: number;
  octets: number;
  /** Latest capture time so far, from the first packet's on, in nanoseconds: packets that are out of time wait for nobody. */
  first: number;
  reached: number;
  /** When the next packet is due, in nanoseconds from the start. */
  next: number;
  /** Packets that went more than LATE_NANOSECONDS behind their deadline, and the most that one was behind. */
  late: number;
  worst: number;
}

/** What a timer of the system may well be off. */
export const LATE_NANOSECONDS = 2e6;
const SECOND = 1e9;
const BITS = 8;

export const createPacing = (pace: Pace): Pacing => ({
  pace,
  packets: 0,
  octets: 0,
  first: Number.NaN,
  reached: 0,
  next: 0,
  late: 0,
  worst: 0,
});

/** How many rows of `records` are due at `now`, in nanoseconds from the start; they count as gone. */
export function release(pacing: Pacing, { count, time, originalLength }: RecordBurst, now: number): number {
  for (let i = 0; i < count; i++) {
    const due = deadline(pacing, time[i]!);
    if (due > now) {
      pacing.next = due;
      return i;
    }
    if (now - due > LATE_NANOSECONDS) pacing.late += 1;
    if (now - due > pacing.worst) pacing.worst = now - due;
    pacing.packets += 1;
    pacing.octets += originalLength[i]!;
  }
  return count;
}

/** When the packet that comes next is due. */
function deadline(pacing: Pacing, time: number): number {
  const { pace, packets, octets } = pacing;
  if (pace.by === BY.PACKETS) return (packets * SECOND) / pace.rate;
  if (pace.by === BY.BITS) return (octets * BITS * SECOND) / pace.rate;
  if (Number.isNaN(pacing.first)) pacing.first = time;
  pacing.reached = Math.max(pacing.reached, time - pacing.first);
  return pacing.reached / pace.rate;
}
