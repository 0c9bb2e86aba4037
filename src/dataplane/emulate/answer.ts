/**
 * Answers of the host: ICMP errors, resets and echo replies leave it as packets of its own (net/ipv4/icmp.c,
 * net/ipv4/tcp_ipv4.c tcp_v4_send_reset, net/ipv4/netfilter/nf_reject_ipv4.c). `answer/` writes them; here is where they
 * come from and go to.
 */
import { CTSTATE } from '../../rules/model.ts';
import * as icmp from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import type { OwnEntry } from '../answer/echo-options.ts';
import { type IcmpError, writeIcmpError } from '../answer/icmp-error.ts';
import { allowIcmp } from '../answer/icmp-limit.ts';
import { writeReject } from '../answer/reject.ts';
import { writeSocketReset } from '../answer/socket-reset.ts';
import { writeEchoReply, writeTimestampReply } from './echo-reply.ts';
import type { Emulation, Host } from './emulation.ts';
import { CAST, type Frame, LOCAL, LONGEST_FRAME, REDIRECT, release, take } from './frame.ts';
import { sourceTowards } from './route.ts';

const LONGEST_ERROR = 576;
/** ICMP header and the sender's time. */
const SHORTEST_TIMESTAMP = 12;
const MILLISECOND = 1e6;
const DAY = 86_400_000;

/** What the host enters into options of `frame`: the address that the sender of `frame` knows it by, and the time. */
export function ownEntry(emulation: Emulation, host: Host, frame: Frame): OwnEntry {
  const { error } = host;
  error.source = sourceTowards(emulation, host, frame);
  error.milliseconds = Math.floor(emulation.now / MILLISECOND) % DAY;
  return error;
}

/** Prepare the host's error about `frame`. */
function errorAbout(emulation: Emulation, host: Host, frame: Frame): IcmpError {
  const { error } = host;
  ownEntry(emulation, host, frame);
  error.identification = emulation.draws.identification(host.cell.index, frame.view, frame.network, frame.end);
  error.groupFrame = Number(frame.cast !== CAST.HOST);
  error.broadcast = Number(frame.local === LOCAL.BROADCAST);
  return error;
}

/** Whether an answer to `frame` can be given to its connection: it has one, and nothing was tracked since (a redirect, say). */
const isAttached = ({ tracked }: Emulation, { packet, ctstate }: Frame): number =>
  Number(tracked === packet && ctstate !== CTSTATE.INVALID);

/** Send what was written behind `reply.at`, or nothing. */
function send(emulation: Emulation, host: Host, reply: Frame, length: number): void {
  reply.end = reply.at + Math.max(length, 0);
  if (length <= 0) release(emulation.frames, reply);
  else emulation.localOut(emulation, host, reply);
}

/** Whether the limits let the error of `host.error` go to `destination`. */
const isAllowed = (emulation: Emulation, host: Host, destination: number): boolean =>
  allowIcmp(
    host.limits,
    host.error.type,
    host.error.code,
    destination,
    emulation.now,
    emulation.draws.credit(host.cell.index),
  );

/** Answer `frame` with an ICMP error; `information` is what its octets 4 to 7 hold (icmp_send). */
export function sendError(
  emulation: Emulation,
  host: Host,
  frame: Frame,
  type: number,
  code: number,
  information: number,
): void {
  const error = errorAbout(emulation, host, frame);
  if (error.source === 0) return;
  error.type = type;
  error.code = code;
  error.information = information;
  const { view, network, end } = frame;
  const reply = take(emulation.frames, LONGEST_ERROR, frame.packet);
  reply.barred = Number(type === icmp.TYPES.REDIRECT && frame.redirect === REDIRECT.HELD_BACK);
  const length = writeIcmpError(view, network, end, error, reply.view, reply.at);
  const isSent = length > 0 && isAllowed(emulation, host, ipv4.source(view, network));
  reply.attached = isAttached(emulation, frame);
  send(emulation, host, reply, isSent ? length : 0);
}

/** Answer `frame` as a rule's REJECT with `code` does. */
export function sendReject(emulation: Emulation, host: Host, frame: Frame, code: number): void {
  const error = errorAbout(emulation, host, frame);
  if (error.source === 0) return;
  const { view, network, end } = frame;
  const reply = take(emulation.frames, LONGEST_ERROR, frame.packet);
  const length = writeReject(view, network, end, code, frame.verified, error, reply.view, reply.at);
  const isIcmp = code >= 0;
  reply.attached = isAttached(emulation, frame);
  const isSent = length > 0 && (!isIcmp || isAllowed(emulation, host, ipv4.source(view, network)));
  send(emulation, host, reply, isSent ? length : 0);
}

/** Answer a segment to a closed port. Its checksum has been looked at. */
export function sendReset(emulation: Emulation, host: Host, frame: Frame): void {
  const { view, network, end } = frame;
  const reply = take(emulation.frames, LONGEST_ERROR, frame.packet);
  const length = writeSocketReset(view, network, end, errorAbout(emulation, host, frame), reply.view, reply.at);
  send(emulation, host, reply, frame.cast === CAST.HOST ? length : 0);
}

/** Answer an ICMP echo (icmp_echo). */
export function sendEcho(emulation: Emulation, host: Host, frame: Frame): void {
  if (frame.local !== LOCAL.ADDRESS) return;
  const { view, network, end } = frame;
  const error = errorAbout(emulation, host, frame);
  const reply = take(emulation.frames, LONGEST_FRAME, frame.packet);
  send(emulation, host, reply, writeEchoReply(view, network, end, error, reply.octets, reply.view, reply.at));
}

/** Answer an ICMP timestamp request (icmp_timestamp), which needs no more than the time of its sender behind the header. */
export function sendTimestamp(emulation: Emulation, host: Host, frame: Frame): void {
  const { view, network, end } = frame;
  if (frame.local !== LOCAL.ADDRESS || end - ipv4.payloadStart(view, network) < SHORTEST_TIMESTAMP) return;
  const error = errorAbout(emulation, host, frame);
  const reply = take(emulation.frames, LONGEST_ERROR, frame.packet);
  send(emulation, host, reply, writeTimestampReply(view, network, error, reply.octets, reply.view, reply.at));
}
