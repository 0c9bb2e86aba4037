/**
 * A packet of the host itself sets out: net/ipv4/ip_output.c ip_local_out. Connection tracking, nat and filter OUTPUT,
 * then the way out. Answers have mark 0; the outer packet of a tunnel keeps the mark of what it carries.
 */
import { REASON } from '../verdict.ts';
import type { Emulation, Host } from './emulation.ts';
import { drop } from './end.ts';
import { type Frame, LOCAL } from './frame.ts';
import { tell } from './logged.ts';
import { output } from './output.ts';
import { attach, endRefused, track, walk } from './packet.ts';
import { routeOutput } from './route.ts';

/** Send the IPv4 packet at `network`. */
export function localOut(emulation: Emulation, host: Host, frame: Frame): void {
  const { packet, outcome } = emulation.dataplane;
  const { reason, rule } = frame;
  routeOutput(emulation, host, frame);
  // A broadcast leaves by its device. That the host hears it, too (ip_mc_output), shows nowhere: no device sees the copy.
  if (frame.local === LOCAL.ADDRESS || frame.out < 0) {
    drop(emulation, frame, host.cell.index, REASON.ROUTE_NONE);
    return;
  }
  if (frame.attached === 1) attach(emulation, host, frame);
  else track(emulation, host, frame, false);
  packet.outInterface = emulation.devices[frame.out]!.interface;
  const passes = emulation.translation.output(host.cell.index, packet, frame);
  tell(emulation, frame);
  if (!passes || frame.barred === 1) {
    drop(emulation, frame, host.cell.index, REASON.RULE_DROP);
    return;
  }
  frame.mark = packet.mark;
  if (!walk(emulation, host, frame, host.outputChain)) {
    endRefused(emulation, host, frame, outcome.verdict);
    return;
  }
  if (rule >= 0) {
    frame.reason = reason;
    frame.rule = rule;
  }
  output(emulation, host, frame);
}
