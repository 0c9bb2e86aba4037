/**
 * What LOG rules say of frames on their way. The octets of a frame are those that its rules see, so nothing has to be made up
 * for its line, unlike where captures are judged (`log/keep.ts`).
 *
 * Lines are told as soon as they are written, in the order in which the kernel logs them. So those of a packet whose sender
 * is told of a shorter way wait for the redirect, which leaves before the rules are asked (`forward.ts`).
 */
import type { Outcome } from '../../rules/packet.ts';
import type { RuleTable } from '../../rules/table.ts';
import type { Dataplane } from '../dataplane.ts';
import { type LoggedLine, takeLines } from '../log/lines.ts';
import { type Changes, NO_LINK, record } from '../log/records.ts';
import type { Emulation } from './emulation.ts';
import { type Frame, REDIRECT } from './frame.ts';

const NOTHING: readonly LoggedLine[] = [];
const AS_IT_IS: Changes = { hops: 0, ecn: -1 };

/** Keep what the walk through a chain of `rules` logged, which ended with `outcome`, for the cell numbered `cell`. */
export function keep(dataplane: Dataplane, cell: number, rules: RuleTable, outcome: Outcome, frame: Frame): void {
  const { logs, packet } = dataplane;
  if (logs === null || outcome.logCount === 0) return;
  const { view, link, network, end } = frame;
  record(logs, cell, rules, packet, outcome, view, link < 0 ? NO_LINK : link, network, end, AS_IT_IS);
}

/** Take out what was kept and not told. */
export function takeKept({ dataplane }: Emulation): readonly LoggedLine[] {
  const { logs, cells, interfaces } = dataplane;
  return logs === null || logs.walks === 0 ? NOTHING : takeLines(logs, cells, interfaces);
}

/** Tell what was kept of `frame`, unless a redirect about it comes first. */
export function tell(emulation: Emulation, frame: Frame): void {
  if (frame.redirect === REDIRECT.NO) for (const line of takeKept(emulation)) emulation.observer.logged?.(line, frame);
}
