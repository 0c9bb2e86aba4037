/** What a segment means for the entry of its connection: how long it is kept, or that it ends. */
import { TCP_TIMEOUT_UNACKNOWLEDGED, TCP_TIMEOUTS } from './tcp-state.ts';

/**
 * What a segment does to its connection. 1 to 11: let through, keep the connection for OUTCOME_TIMEOUTS[outcome] from now on;
 * 1 to 9 are the states of TCP_STATE.
 */
export const OUTCOME = {
  /** Kept as after too many retransmissions, or while a window is closed (nf_conntrack_tcp_timeout_max_retrans). */
  MAX_RETRANS: 10,
  /** Kept as while data, or everything that was picked up, is unacknowledged (nf_conntrack_tcp_timeout_unacknowledged). */
  UNACKNOWLEDGED: 11,
  /** Let through; the time that the connection is kept does not change. */
  KEPT: 12,
  /** Let through; the connection ends at once (a reset before any answer). */
  ENDED: 13,
  /** The connection ends at once and this SYN opens the next one with the same key: `openWindow`. */
  REOPENED: 14,
  INVALID: 15,
  /** INVALID, and the connection is kept for UNACKNOWLEDGED at most from now on: both ends think that it is over. */
  INVALID_SHORTENED: 16,
} as const;

export const isInvalid = (outcome: number): boolean => outcome >= OUTCOME.INVALID;

const MAX_RETRANS_NANOSECONDS = 300e9;

/** Nanoseconds, by outcome (1 to 11). */
export const OUTCOME_TIMEOUTS = Float64Array.of(...TCP_TIMEOUTS, MAX_RETRANS_NANOSECONDS, TCP_TIMEOUT_UNACKNOWLEDGED);
