/**
 * From PREROUTING to a decision where the packet goes: the hooks of netfilter in their order of priority (defragmentation,
 * connection tracking, mangle, nat), then net/ipv4/ip_input.c ip_rcv_finish: routing and options.
 */
import * as icmp from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { allowUnroutable } from '../answer/icmp-limit.ts';
import { ACCEPTED } from '../decapsulate.ts';
import { REASON } from '../verdict.ts';
import { sendError } from './answer.ts';
import { defragment } from './defragment.ts';
import type { Device } from './device.ts';
import type { Emulation, Host } from './emulation.ts';
import { drop } from './end.ts';
import { forward } from './forward.ts';
import { type Frame, LOCAL } from './frame.ts';
import { input } from './input.ts';
import { tell } from './logged.ts';
import { receiveOptions } from './options.ts';
import { track } from './packet.ts';
import { routeInput } from './route.ts';

const NETWORK_UNREACHABLE = 0;

/** The IPv4 packet of `frame` came in by `device`; its header is good. */
export function prerouting(emulation: Emulation, host: Host, frame: Frame, device: Device): void {
  if (!ipv4.isFragment(frame.view, frame.network)) {
    arrive(emulation, host, frame, device);
    return;
  }
  const whole = defragment(emulation, host, frame, device);
  if (whole !== null) arrive(emulation, host, whole, device);
}

function arrive(emulation: Emulation, host: Host, frame: Frame, device: Device): void {
  track(emulation, host, frame, true);
  const { packet } = emulation.dataplane;
  const passes = emulation.translation.prerouting(host.cell.index, packet, frame);
  tell(emulation, frame);
  if (!passes) {
    drop(emulation, frame, host.cell.index, REASON.RULE_DROP);
    return;
  }
  frame.mark = packet.mark;
  let refused = routeInput(emulation, host, frame, device);
  if (refused === ACCEPTED) refused = receiveOptions(emulation, host, frame);
  if (refused !== ACCEPTED) drop(emulation, frame, host.cell.index, refused);
  else if (frame.local !== LOCAL.NO) input(emulation, host, frame);
  else if (frame.out < 0) unreachable(emulation, host, frame);
  else forward(emulation, host, frame);
}

/** ip_error: there is no route. */
function unreachable(emulation: Emulation, host: Host, frame: Frame): void {
  if (allowUnroutable(host.limits, ipv4.source(frame.view, frame.network), emulation.now))
    sendError(emulation, host, frame, icmp.TYPES.DESTINATION_UNREACHABLE, NETWORK_UNREACHABLE, 0);
  drop(emulation, frame, host.cell.index, REASON.ROUTE_NONE);
}
