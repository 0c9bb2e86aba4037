/** The end of a frame's way: whoever watches is told, and the frame goes back to the pool. */
import { isMalformed, VERDICT } from '../verdict.ts';
import type { Emulation } from './emulation.ts';
import { type Frame, release } from './frame.ts';

/** `frame` ended on the cell numbered `cell` with one of VERDICT for `reason`; `rule` is the deciding one, or -1. */
export function end(
  emulation: Emulation,
  frame: Frame,
  cell: number,
  verdict: number,
  reason: number,
  rule: number,
): void {
  emulation.observer.ended(frame, cell, verdict, reason, rule);
  release(emulation.frames, frame);
}

/** Discarded without an answer, for a wrong header or another `reason`. */
export function drop(emulation: Emulation, frame: Frame, cell: number, reason: number): void {
  end(emulation, frame, cell, isMalformed(reason) ? VERDICT.MALFORMED : VERDICT.DROP, reason, -1);
}
