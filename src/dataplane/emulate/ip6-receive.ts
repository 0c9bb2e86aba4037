/**
 * IPv6 that a device receives: net/ipv6/ip6_input.c ip6_rcv_core, and for the device's own address ip6_input_finish with the
 * extension headers of net/ipv6/exthdrs.c, to UDP. What would be forwarded, neighbour discovery, ICMPv6 and TCP are not emulated.
 */
import * as extension from '../../wire/extension.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import { HELD } from '../burst.ts';
import { ACCEPTED } from '../decapsulate.ts';
import { REASON, VERDICT } from '../verdict.ts';
import { DEVICE, type Device } from './device.ts';
import type { Emulation, Host } from './emulation.ts';
import { drop, end } from './end.ts';
import { CAST, type Frame } from './frame.ts';
import { sendError6 } from './ip6-answer.ts';
import { defragment6, type Place, WAITS } from './ip6-fragment.ts';
import { isAddressAt, isLoopbackAt, isMulticastAt, scopeAt } from './ip6-link.ts';
import { options } from './ip6-options.ts';
import { PROBLEM, type Problem, tell } from './ip6-problem.ts';
import { deliverUdp6 } from './ip6-udp.ts';

const NEXT_HEADER_FIELD = 6;
const INTERFACE_LOCAL = 1;
const PARAMETER_PROBLEM = 4;
const ROUTING_TYPE = 2;
const SEGMENTS_LEFT = 3;
/** Routing headers that a host takes only when it was told to: mobile IPv6, RPL, segment routing. */
const FIRST_REFUSED_TYPE = 2;
const LAST_REFUSED_TYPE = 4;
/** A transport protocol is next. */
const FOUND = -3;

const place: Place = { field: 0, at: 0 };
const problem: Problem = { code: PROBLEM.NONE, pointer: 0 };

/** `device` received the IPv6 packet at `at` of `frame`. */
export function receiveIpv6(emulation: Emulation, host: Host, frame: Frame, device: Device, at: number): void {
  const refused = checks(frame, device, at);
  if (refused === REASON.UNDERLAY_OTHER) {
    end(emulation, frame, device.cell, VERDICT.OBSERVED, refused, -1);
    return;
  }
  if (refused !== ACCEPTED) {
    drop(emulation, frame, device.cell, refused);
    return;
  }
  frame.network = at;
  if (ipv6.payloadLength(frame.view, at) !== 0) frame.end = ipv6.payloadEnd(frame.view, at);
  else if (ipv6.nextHeader(frame.view, at) !== PROTOCOL.HOP_BY_HOP) frame.end = ipv6.payloadStart(frame.view, at);
  input(emulation, host, frame, device);
}

/** ip6_rcv_core. Without an address the underlay's IPv6 is the host's business, and silk's devices take none. */
function checks({ view, cast, end: last }: Frame, device: Device, at: number): number {
  if (cast === CAST.OTHER_HOST) return REASON.VXLAN_OTHER_HOST;
  if (device.ipv6 === null) return device.kind === DEVICE.UNDERLAY ? REASON.UNDERLAY_OTHER : REASON.IP6_DISABLED;
  if (last - at < ipv6.HEADER_LENGTH) return REASON.IP6_HEADER;
  if (ipv6.version(view, at) !== 6) return REASON.IP6_VERSION;
  if (!areAddressesGood(view, at)) return REASON.IP6_HEADER;
  const length = ipv6.payloadLength(view, at);
  if (length + ipv6.HEADER_LENGTH > last - at) return REASON.IP6_TOO_SMALL;
  return ACCEPTED;
}

/** RFC 4291 sections 2.5.3 and 2.7. */
function areAddressesGood(view: DataView, at: number): boolean {
  const source = ipv6.sourceStart(view, at);
  const destination = ipv6.destinationStart(view, at);
  if (isLoopbackAt(view, source) || isLoopbackAt(view, destination) || isMulticastAt(view, source)) return false;
  return !isMulticastAt(view, destination) || scopeAt(view, destination) > INTERFACE_LOCAL;
}

/** Options for the hop come first (ipv6_parse_hopopts), then routing, then the other headers. */
function input(emulation: Emulation, host: Host, frame: Frame, device: Device): void {
  const { view, network } = frame;
  problem.code = PROBLEM.NONE;
  place.field = network + NEXT_HEADER_FIELD;
  place.at = ipv6.payloadStart(view, network);
  const isHop = ipv6.nextHeader(view, network) === PROTOCOL.HOP_BY_HOP;
  let state: number = isHop ? optionHeader(frame, PROTOCOL.HOP_BY_HOP) : ACCEPTED;
  if (state === ACCEPTED && !isAddressAt(view, ipv6.destinationStart(view, network), device.ipv6!.address)) {
    end(emulation, frame, device.cell, VERDICT.UNSUPPORTED, REASON.IP6_UNSUPPORTED, -1);
    return;
  }
  while (state === ACCEPTED) state = step(emulation, frame);
  if (state === FOUND) deliverUdp6(emulation, host, frame, device, place.at);
  else if (state === WAITS) end(emulation, frame, device.cell, HELD, REASON.FRAGMENT_INCOMPLETE, -1);
  else refuse(emulation, host, frame, device, state);
}

function refuse(emulation: Emulation, host: Host, frame: Frame, device: Device, reason: number): void {
  if (problem.code !== PROBLEM.NONE)
    sendError6(emulation, host, frame, device, PARAMETER_PROBLEM, problem.code, problem.pointer);
  const isOurs = reason === REASON.IP6_UNSUPPORTED;
  if (isOurs) end(emulation, frame, device.cell, VERDICT.UNSUPPORTED, reason, -1);
  else drop(emulation, frame, device.cell, reason);
}

/** ip6_protocol_deliver_rcu: the next header. ACCEPTED goes on behind it; FOUND, WAITS or a REASON ends the walk. */
function step(emulation: Emulation, frame: Frame): number {
  switch (frame.view.getUint8(place.field)) {
    case PROTOCOL.ROUTING:
      return routingHeader(frame);
    case PROTOCOL.FRAGMENT:
      return defragment6(emulation, frame, place, problem);
    case PROTOCOL.DESTINATION:
      return optionHeader(frame, PROTOCOL.DESTINATION);
    case PROTOCOL.NO_NEXT_HEADER:
      return REASON.IP6_NO_NEXT_HEADER;
    case PROTOCOL.UDP:
      return FOUND;
    case PROTOCOL.TCP:
    case PROTOCOL.ICMP6:
    case PROTOCOL.UDP_LITE:
      return REASON.IP6_UNSUPPORTED;
    default:
      tell(problem, PROBLEM.NEXT_HEADER, place.field - frame.network);
      return REASON.HOST_NO_PROTOCOL;
  }
}

/** Whether the header of `kind` at `place` ends within the packet. */
function isWhole({ view, end: last }: Frame, kind: number): boolean {
  const { at } = place;
  return last - at >= extension.HEADER_LENGTH && extension.payloadStart(view, at, kind) <= last;
}

function goOn({ view }: Frame, kind: number): number {
  place.field = place.at;
  place.at = extension.payloadStart(view, place.at, kind);
  return ACCEPTED;
}

function optionHeader(frame: Frame, kind: number): number {
  if (!isWhole(frame, kind)) return REASON.IP6_EXTENSION;
  const refused = options(frame.view, frame.network, place.at, kind, problem);
  return refused === ACCEPTED ? goOn(frame, kind) : refused;
}

/** ipv6_rthdr_rcv: a host is the end of any way that has no segments left, and follows none (RFC 5095). */
function routingHeader(frame: Frame): number {
  const { view, network } = frame;
  if (!isWhole(frame, PROTOCOL.ROUTING) || frame.cast !== CAST.HOST) return REASON.IP6_EXTENSION;
  const type = view.getUint8(place.at + ROUTING_TYPE);
  if (type >= FIRST_REFUSED_TYPE && type <= LAST_REFUSED_TYPE) return REASON.IP6_EXTENSION;
  if (view.getUint8(place.at + SEGMENTS_LEFT) === 0) return goOn(frame, PROTOCOL.ROUTING);
  tell(problem, PROBLEM.FIELD, place.at + SEGMENTS_LEFT - network);
  return REASON.IP6_EXTENSION;
}
