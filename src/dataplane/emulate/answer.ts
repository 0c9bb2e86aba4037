/**
 * Answers of the host: ICMP errors, resets and echo replies leave it as packets of its own (net/ipv4/icmp.c,
 * net/ipv4/tcp_ipv4.c tcp_v4_send_reset, net/ipv4/netfilter/nf_reject_ipv4.c). What they hold is plugged in (`seams.ts`).
 */
import * as ipv4 from '../../wire/ipv4.ts';
import type { Emulation, Host } from './emulation.ts';
import { CAST, type Frame, LOCAL, LONGEST_FRAME, release, take } from './frame.ts';
import { preferredSource } from './route.ts';

/** An ICMP error is at most 576 octets long (RFC 1812 section 4.3.2.3). */
const LONGEST_ERROR = 576 + 40;
const LONGEST_RESET = 60;

/** Whether a host answers at all: never to what was sent to many. */
const isForOne = (frame: Frame): boolean => frame.cast === CAST.HOST && frame.local !== LOCAL.BROADCAST;

/** Send what was written behind `reply.at`, or nothing. */
function send(emulation: Emulation, host: Host, reply: Frame, length: number): void {
  reply.end = reply.at + length;
  if (length === 0) release(emulation.frames, reply);
  else emulation.localOut(emulation, host, reply);
}

/**
 * Answer `frame` with an ICMP error; `word` is what its octets 4 to 7 hold. It comes from the address that `frame` was
 * sent to when that is the host's, else from the one that the host takes for packets to its sender (icmp_send).
 */
export function sendError(
  emulation: Emulation,
  host: Host,
  frame: Frame,
  type: number,
  code: number,
  word: number,
): void {
  if (!isForOne(frame)) return;
  const { view, network, end } = frame;
  const isOwn = frame.local === LOCAL.ADDRESS;
  const source = isOwn ? ipv4.destination(view, network) : preferredSource(emulation, host, ipv4.source(view, network));
  if (source === 0) return;
  const reply = take(emulation.frames, LONGEST_ERROR, frame.packet);
  const identification = emulation.draws.identification(host.cell.index);
  const length = emulation.answers.error(
    view,
    network,
    end,
    type,
    code,
    word,
    source,
    identification,
    reply.view,
    reply.at,
  );
  send(emulation, host, reply, length);
}

/** Answer a TCP segment with a reset; `rejected` when a rule asks for it. */
export function sendReset(emulation: Emulation, host: Host, frame: Frame, rejected: boolean): void {
  if (!isForOne(frame)) return;
  const reply = take(emulation.frames, LONGEST_RESET, frame.packet);
  const identification = emulation.draws.identification(host.cell.index);
  const { view, network, end } = frame;
  send(
    emulation,
    host,
    reply,
    emulation.answers.reset(view, network, end, rejected, identification, reply.view, reply.at),
  );
}

/** Answer an ICMP query. */
export function sendEcho(emulation: Emulation, host: Host, frame: Frame): void {
  if (!isForOne(frame)) return;
  const { view, network, end } = frame;
  const reply = take(emulation.frames, Math.min(end - network, LONGEST_FRAME), frame.packet);
  const identification = emulation.draws.identification(host.cell.index);
  send(emulation, host, reply, emulation.answers.echo(view, network, end, identification, reply.view, reply.at));
}
