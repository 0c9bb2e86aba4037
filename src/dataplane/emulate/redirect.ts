/** ICMP redirects: net/ipv4/route.c, ip_rt_send_redirect. */
import * as icmp from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { allowRedirect } from '../answer/icmp-limit.ts';
import { sendError } from './answer.ts';
import type { Emulation, Host } from './emulation.ts';
import { type Frame, REDIRECT } from './frame.ts';
import { takeKept } from './logged.ts';

const FOR_HOST = 1;

/** Keep the header of `frame` as a redirect quotes it: the kernel sends that before ip_forward_options writes to it. */
export function keepHeader(frame: Frame): void {
  const { octets, view, network } = frame;
  if (frame.redirect === REDIRECT.NO || ipv4.ihl(view, network) === 5) return;
  frame.headerBefore = octets.slice(network, network + ipv4.headerLength(view, network));
}

/** Send the redirect about `frame`, with the header that was kept. */
function sendRedirect(emulation: Emulation, host: Host, frame: Frame): void {
  const { octets, network, headerBefore } = frame;
  const header = headerBefore === null ? null : octets.slice(network, network + headerBefore.length);
  if (headerBefore !== null) octets.set(headerBefore, network);
  if (allowRedirect(host.limits, ipv4.source(frame.view, network), emulation.now))
    sendError(emulation, host, frame, icmp.TYPES.REDIRECT, FOR_HOST, frame.nextHop);
  if (header !== null) octets.set(header, network);
}

/**
 * Tell the sender of `frame` its next hop when it could have reached that without this host. What rules logged of `frame` is told
 * behind it.
 */
export function redirect(emulation: Emulation, host: Host, frame: Frame): void {
  if (frame.redirect === REDIRECT.NO) return;
  const lines = takeKept(emulation);
  sendRedirect(emulation, host, frame);
  for (const line of lines) emulation.observer.logged?.(line, frame);
}
