/** A packet enters a cell by one of its interfaces: whole at once, or when the last of its fragments is there. */
import type { Stack } from '../wire/stack.ts';
import type { Burst } from './burst.ts';
import type { Cell } from './cell.ts';
import type { Dataplane } from './dataplane.ts';
import { forward } from './forward.ts';
import { keepLink } from './log/records.ts';
import { hold, isFragment, isWholeCut, settle } from './reassemble.ts';
import { decide, describe } from './row.ts';
import { REASON, VERDICT } from './verdict.ts';

/**
 * Judge the IPv4 packet at `stack`, which row `i` and `dataplane.packet` describe, as it comes into `cell` by
 * `inInterface`. A datagram in fragments has the mark of its first one, whatever the others carry.
 */
export function enter(
  dataplane: Dataplane,
  burst: Burst,
  i: number,
  cell: Cell,
  view: DataView,
  stack: Stack,
  inInterface: number,
  mark: number,
): void {
  if (!isFragment(stack)) {
    forward(dataplane, burst, i, cell, view, stack, inInterface, mark);
    return;
  }
  if (dataplane.logs !== null) keepLink(dataplane.logs, view, stack.link);
  const frames = hold(dataplane, burst, i, view, stack, mark);
  const first = frames.find((frame) => frame.from === 0);
  if (first === undefined) return;
  const whole = dataplane.wholeLayers.outer;
  describe(dataplane, burst, i, dataplane.wholeView, whole);
  if (isWholeCut(frames, whole)) decide(burst, i, VERDICT.OBSERVED, REASON.CAPTURE_CUT);
  else forward(dataplane, burst, i, cell, dataplane.wholeView, whole, inInterface, first.mark);
  settle(dataplane, burst, i, frames);
}
