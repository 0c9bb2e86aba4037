/** ICMP redirects: net/ipv4/route.c, ip_rt_send_redirect. */
import * as icmp from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { allowRedirect } from '../answer/icmp-limit.ts';
import { sendError } from './answer.ts';
import type { Emulation, Host } from './emulation.ts';
import { type Frame, REDIRECT } from './frame.ts';
import { takeKept } from './logged.ts';

const FOR_HOST = 1;

/**
 * Tell the sender of `frame` its next hop when it could have reached that without this host. What rules logged of `frame` is told
 * behind it.
 */
export function redirect(emulation: Emulation, host: Host, frame: Frame): void {
  if (frame.redirect === REDIRECT.NO) return;
  const lines = takeKept(emulation);
  if (allowRedirect(host.limits, ipv4.source(frame.view, frame.network), emulation.now))
    sendError(emulation, host, frame, icmp.TYPES.REDIRECT, FOR_HOST, frame.nextHop);
  for (const line of lines) emulation.observer.logged?.(line, frame);
}
