/** ICMP redirects: net/ipv4/route.c, ip_rt_send_redirect. */
import * as icmp from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { allowRedirect } from '../answer/icmp-limit.ts';
import { sendError } from './answer.ts';
import type { Emulation, Host } from './emulation.ts';
import { type Frame, REDIRECT } from './frame.ts';

const FOR_HOST = 1;

/** Tell the sender of `frame` its next hop, which it could have reached without this host. */
export function redirect(emulation: Emulation, host: Host, frame: Frame): void {
  const isDue = allowRedirect(host.limits, ipv4.source(frame.view, frame.network), emulation.now);
  if (isDue && frame.redirect === REDIRECT.SENT)
    sendError(emulation, host, frame, icmp.TYPES.REDIRECT, FOR_HOST, frame.nextHop);
}
