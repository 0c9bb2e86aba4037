/**
 * Forwarding: net/ipv4/ip_forward.c. TTL, path MTU, redirect, then FORWARD of the filter table, then the way out.
 */
import * as checksum from '../../wire/checksum.ts';
import * as icmp from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { REASON } from '../verdict.ts';
import { sendError } from './answer.ts';
import type { Emulation, Host } from './emulation.ts';
import { drop } from './end.ts';
import { CAST, type Frame, REDIRECT } from './frame.ts';
import { tell } from './logged.ts';
import { forwardOptions } from './options.ts';
import { output } from './output.ts';
import { walk } from './packet.ts';
import { keepHeader, redirect } from './redirect.ts';
import { refuse } from './reject.ts';

const FRAGMENTATION_NEEDED = 4;
const TTL_AND_PROTOCOL = 8;

/** Forward `frame`, which was tracked and routed to a device. */
export function forward(emulation: Emulation, host: Host, frame: Frame): void {
  const { cell } = host;
  if (frame.cast !== CAST.HOST) drop(emulation, frame, cell.index, REASON.LINK_GROUP);
  else if (ipv4.timeToLive(frame.view, frame.network) <= 1) {
    sendError(emulation, host, frame, icmp.TYPES.TIME_EXCEEDED, 0, 0);
    drop(emulation, frame, cell.index, REASON.IP4_TTL);
  } else if (exceeds(frame, emulation.devices[frame.out]!.mtu)) {
    const { mtu } = emulation.devices[frame.out]!;
    sendError(emulation, host, frame, icmp.TYPES.DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED, mtu);
    drop(emulation, frame, cell.index, REASON.IP4_MTU);
  } else {
    countDown(frame.view, frame.network);
    keepHeader(frame);
    filter(emulation, host, frame);
  }
}

/**
 * ip_exceeds_mtu: a datagram that came in fragments is held against the largest of them, one that a card is to cut against
 * its segments.
 */
function exceeds(frame: Frame, mtu: number): boolean {
  if (frame.end - frame.network <= mtu || ipv4.dontFragment(frame.view, frame.network) === 0) return false;
  if (frame.segmentLength !== 0) return frame.segmentLength > mtu;
  return frame.largestFragment === 0 || frame.largestFragment > mtu;
}

/** Take 1 from the TTL, and mend the header checksum (ip_decrease_ttl, RFC 1141). */
function countDown(view: DataView, network: number): void {
  const before = view.getUint16(network + TTL_AND_PROTOCOL);
  const after = before - 0x100;
  view.setUint16(network + TTL_AND_PROTOCOL, after);
  ipv4.setHeaderChecksum(view, network, checksum.update16(ipv4.headerChecksum(view, network), before, after));
}

/**
 * The rules. The kernel sends a redirect before it asks them; here it leaves behind them, just before the packet or the
 * answer does, because what was found out about the packet stays in one place. nat lets no redirect about a connection
 * pass that it has not finished with (nf_nat_icmp_reply_translation).
 */
function filter(emulation: Emulation, host: Host, frame: Frame): void {
  const { packet } = emulation.dataplane;
  packet.outInterface = emulation.devices[frame.out]!.interface;
  if (frame.redirect === REDIRECT.SENT && emulation.options.nat && emulation.translation.isOpening())
    frame.redirect = REDIRECT.HELD_BACK;
  const passes = emulation.translation.forward(host.cell.index, packet, frame);
  tell(emulation, frame);
  frame.mark = packet.mark;
  if (!passes) {
    redirect(emulation, host, frame);
    drop(emulation, frame, host.cell.index, REASON.RULE_DROP);
  } else if (walk(emulation, host, frame, host.cell.forwardChain)) {
    forwardOptions(emulation, host, frame);
    output(emulation, host, frame);
  } else refuse(emulation, host, frame);
}
