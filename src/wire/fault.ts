/**
 * Why a header was refused: one small integer per cause, so that a counter array can be indexed by it.
 *
 * A fault is only a number on the packet path. What it means in words, which octets it speaks of and who claimed the
 * length that does not fit is worked out later, from the same octets, by `explain.ts`.
 */
export const FAULT = {
  NONE: 0,
} as const;

export type Fault = (typeof FAULT)[keyof typeof FAULT];
