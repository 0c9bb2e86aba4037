/**
 * A packet of the host itself sets out: net/ipv4/ip_output.c ip_local_out. Connection tracking, nat and filter OUTPUT,
 * then the way out. Answers have mark 0; the outer packet of a tunnel keeps the mark of what it carries.
 */
import { REASON } from '../verdict.ts';
import type { Emulation, Host } from './emulation.ts';
import { drop } from './end.ts';
import { append, CAST, type Frame, LOCAL, take } from './frame.ts';
import { input } from './input.ts';
import { tell } from './logged.ts';
import { output } from './output.ts';
import { attach, confirm, endRefused, relate, track, walk } from './packet.ts';
import { routeOutput } from './route.ts';

/** Send the IPv4 packet at `network`. */
export function localOut(emulation: Emulation, host: Host, frame: Frame): void {
  const { packet, outcome } = emulation.dataplane;
  const { reason, rule } = frame;
  routeOutput(emulation, host, frame);
  if (frame.local === LOCAL.ADDRESS || frame.out < 0) {
    drop(emulation, frame, host.cell.index, REASON.ROUTE_NONE);
    return;
  }
  if (frame.barred === 1) relate(emulation, host, frame);
  else if (frame.attached === 1) attach(emulation, host, frame);
  else track(emulation, host, frame, false);
  packet.outInterface = emulation.devices[frame.out]!.interface;
  const passes = emulation.translation.output(host.cell.index, packet, frame);
  tell(emulation, frame);
  if (!passes) {
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
  if (frame.local === LOCAL.BROADCAST && !hear(emulation, host, frame)) return;
  output(emulation, host, frame);
}

/**
 * ip_mc_output: the host hears its own broadcast. The copy keeps its connection and comes in by the device that the packet
 * leaves by; no capture shows it (PACKET_LOOPBACK), but rules count it. False when the connection could not be remembered.
 */
function hear(emulation: Emulation, host: Host, frame: Frame): boolean {
  const { translation, frames, devices } = emulation;
  const { packet } = emulation.dataplane;
  const { index } = host.cell;
  const leaves = translation.postrouting(index, packet, frame);
  tell(emulation, frame);
  if (!leaves) {
    drop(emulation, frame, index, REASON.RULE_DROP);
    return false;
  }
  if (!confirm(emulation, frame)) {
    drop(emulation, frame, index, REASON.CONNTRACK_FULL);
    return false;
  }
  const copy = take(frames, frame.end - frame.network, frame.packet);
  append(copy, frame.octets, frame.network, frame.end - frame.network);
  copy.local = LOCAL.BROADCAST;
  copy.cast = CAST.BROADCAST;
  copy.attached = frame.attached;
  copy.mark = packet.mark;
  copy.ctstate = frame.ctstate;
  copy.device = frame.out;
  packet.inInterface = devices[frame.out]!.interface;
  packet.outInterface = 0;
  const arrives = translation.prerouting(index, packet, copy);
  tell(emulation, copy);
  if (arrives) input(emulation, host, copy);
  else drop(emulation, copy, index, REASON.RULE_DROP);
  packet.inInterface = 0;
  return true;
}
