/**
 * IPv6 fragments: RFC 8200 section 4.5; net/ipv6/reassembly.c ipv6_frag_rcv and ip6_frag_queue. `fragments.ts` keeps them as it
 * keeps those of IPv4, but for twice the time. A datagram that never becomes whole is forgotten in silence.
 */
import * as extension from '../../wire/extension.ts';
import * as fragment6 from '../../wire/fragment6.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import { ACCEPTED } from '../decapsulate.ts';
import { ADDED, add, evict, expire, type HeldFrame } from '../fragments.ts';
import { REASON } from '../verdict.ts';
import type { Emulation } from './emulation.ts';
import type { Frame } from './frame.ts';
import { PROBLEM, type Problem, tell } from './ip6-problem.ts';

const NONE: readonly HeldFrame[] = [];
/** What the kernel keeps IPv6 fragments longer than IPv4 ones (net.ipv6.ip6frag_time). */
const LONGER = 30e9;
const LARGEST_PAYLOAD = 65_535;
const PAYLOAD_LENGTH_FIELD = 4;
const OFFSET_FIELD = 2;
const MINIMUM_TCP = 20;
const MINIMUM_UDP = 8;
const MINIMUM_ICMP6 = 8;

/** The fragment waits: it is part of another packet now. */
export const WAITS = -2;

/** Where the next header is named, and where it begins. */
export interface Place {
  field: number;
  at: number;
}

/**
 * Take the fragment with the header at `place.at`. ACCEPTED: `frame` holds the whole datagram, and `place` what follows the
 * fragment header. WAITS, or a REASON to drop the packet.
 */
export function defragment6(emulation: Emulation, frame: Frame, place: Place, problem: Problem): number {
  const { view, network, end } = frame;
  const { at } = place;
  if (ipv6.payloadLength(view, network) === 0 || end - at < fragment6.HEADER_LENGTH) {
    tell(problem, PROBLEM.FIELD, at - network);
    return REASON.IP6_EXTENSION;
  }
  const from = fragment6.fragmentOffset(view, at);
  const more = fragment6.moreFragments(view, at) === 1;
  if (from === 0 && !more) {
    place.field = at;
    place.at = at + fragment6.HEADER_LENGTH;
    return ACCEPTED;
  }
  if (from === 0 && isHeaderCut(frame)) {
    tell(problem, PROBLEM.INCOMPLETE, 0);
    return REASON.IP6_EXTENSION;
  }
  const to = from + end - at - fragment6.HEADER_LENGTH;
  if (to > LARGEST_PAYLOAD) tell(problem, PROBLEM.FIELD, at - network + OFFSET_FIELD);
  else if (more && (to & 7) !== 0) tell(problem, PROBLEM.FIELD, PAYLOAD_LENGTH_FIELD);
  return problem.code === PROBLEM.NONE ? keep(emulation, frame, place, from, to, more) : REASON.IP6_EXTENSION;
}

function keep(emulation: Emulation, frame: Frame, place: Place, from: number, to: number, more: boolean): number {
  const { fragments6, now } = emulation;
  expire(fragments6, now - LONGER);
  const held = heldFrame(emulation, frame, place, from, to);
  const { view, network } = frame;
  const addresses = Buffer.from(frame.octets.subarray(network + 8, network + ipv6.HEADER_LENGTH)).toString('hex');
  const identification = `${addresses}/${fragment6.identification(view, place.at)}`;
  switch (add(fragments6, held, identification, more)) {
    case ADDED.COMPLETE:
      put(frame, fragments6.ended, place);
      return ACCEPTED;
    case ADDED.WAITS:
      evict(fragments6);
      return WAITS;
    case ADDED.DUPLICATE:
      return REASON.FRAGMENT_DUPLICATE;
    case ADDED.OVERLAP:
      return REASON.FRAGMENT_OVERLAP;
    default:
      return REASON.FRAGMENT_TOO_BIG;
  }
}

/** The part before the fragment header, the next header that it names, and the payload. */
function heldFrame(emulation: Emulation, frame: Frame, { field, at }: Place, from: number, to: number): HeldFrame {
  const { view, network, end } = frame;
  const datagram = frame.octets.slice(network, end);
  datagram[field - network] = fragment6.nextHeader(view, at);
  datagram.copyWithin(at - network, at - network + fragment6.HEADER_LENGTH);
  return {
    octets: datagram,
    datagram,
    headerLength: at - network,
    from,
    to,
    mark: frame.mark,
    tag: -1,
    cell: emulation.devices[frame.device]!.cell,
    source: 0,
    destination: 0,
    protocol: 0,
    originalLength: end - network,
    linkType: 0,
    interfaceIndex: frame.device,
    file: 0,
    packet: frame.packet,
    offset: 0,
    time: emulation.now,
    companions: NONE,
  };
}

/** Write the datagram of `pieces` into `frame`, which held the last one, with the mark of the first. */
function put(frame: Frame, pieces: readonly HeldFrame[], place: Place): void {
  const first = pieces.find(({ from }) => from === 0)!;
  const { network, octets } = frame;
  octets.set(first.datagram.subarray(0, first.headerLength), network);
  const payload = network + first.headerLength;
  frame.end = payload;
  for (const { datagram, headerLength, from, to } of pieces) {
    octets.set(datagram.subarray(headerLength, headerLength + to - from), payload + from);
    frame.end = Math.max(frame.end, payload + to);
  }
  ipv6.setPayloadLength(frame.view, network, frame.end - network - ipv6.HEADER_LENGTH);
  frame.mark = first.mark;
  place.at = payload;
}

/** Whether the first fragment ends before the transport header does (RFC 7112; ipv6frag_thdr_truncated). */
function isHeaderCut({ view, network, end }: Frame): boolean {
  let next = ipv6.nextHeader(view, network);
  let at = ipv6.payloadStart(view, network);
  while (extension.isExtension(next) || next === PROTOCOL.FRAGMENT) {
    if (end - at < 2) return false;
    const length = next === PROTOCOL.FRAGMENT ? fragment6.HEADER_LENGTH : extension.headerLength(view, at, next);
    next = view.getUint8(at);
    at += length;
  }
  return next !== PROTOCOL.NO_NEXT_HEADER && at + needed(next) > end;
}

function needed(protocol: number): number {
  switch (protocol) {
    case PROTOCOL.TCP:
      return MINIMUM_TCP;
    case PROTOCOL.UDP:
      return MINIMUM_UDP;
    case PROTOCOL.ICMP6:
      return MINIMUM_ICMP6;
    default:
      return 1;
  }
}
