/**
 * Fragments are put together before connection tracking sees them: net/ipv4/ip_fragment.c, called by
 * net/ipv4/netfilter/nf_defrag_ipv4.c. `fragments.ts` keeps them and says when they are whole; here they are frames.
 */
import { HEADER_LENGTH as LINK_LENGTH } from '../../wire/ethernet.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { HELD } from '../burst.ts';
import { ADDED, add, assemble, evict, expire, type HeldFrame } from '../fragments.ts';
import { REASON } from '../verdict.ts';
import { sendError } from './answer.ts';
import type { Device } from './device.ts';
import type { Emulation, Host } from './emulation.ts';
import { drop, end } from './end.ts';
import { writeHeaderChecksum } from './fragment.ts';
import { append, type Frame, LOCAL, LONGEST_FRAME, take } from './frame.ts';
import { routeInput } from './route.ts';

const NONE: readonly HeldFrame[] = [];
const SERVICE = 1;
const FLAGS = 6;
const DONT_FRAGMENT = 0x4000;
const TIME_EXCEEDED = 11;
const REASSEMBLY = 1;
const CONGESTION_EXPERIENCED = 3;
const CONGESTION_BIT = 1 << CONGESTION_EXPERIENCED;

/**
 * Let the fragment in `frame` wait, which ends the frame. When it completes its datagram, that is what comes back; null
 * otherwise.
 */
export function defragment(emulation: Emulation, host: Host, frame: Frame, device: Device): Frame | null {
  const { fragments } = emulation.dataplane;
  const { view, network } = frame;
  const more = ipv4.moreFragments(view, network) === 1;
  const held = heldFrame(emulation, host, frame, more);
  switch (add(fragments, held, ipv4.identification(view, network), more)) {
    case ADDED.COMPLETE: {
      const whole = put(emulation, frame, fragments.ended, device);
      end(emulation, frame, host.cell.index, HELD, REASON.FRAGMENT_INCOMPLETE, -1);
      if (whole === null) return null;
      return whole;
    }
    case ADDED.WAITS:
      end(emulation, frame, host.cell.index, HELD, REASON.FRAGMENT_INCOMPLETE, -1);
      evict(fragments);
      break;
    case ADDED.DUPLICATE:
      drop(emulation, frame, host.cell.index, REASON.FRAGMENT_DUPLICATE);
      break;
    case ADDED.OVERLAP:
      drop(emulation, frame, host.cell.index, REASON.FRAGMENT_OVERLAP);
      break;
    default:
      drop(emulation, frame, host.cell.index, REASON.FRAGMENT_TOO_BIG);
  }
  return null;
}

/** The kernel cuts a fragment that is not the last to a multiple of 8 octets (ip_frag_queue). */
function heldFrame(emulation: Emulation, host: Host, frame: Frame, more: boolean): HeldFrame {
  const { view, network } = frame;
  const headerLength = ipv4.headerLength(view, network);
  const payload = frame.end - network - headerLength;
  const kept = more ? payload & ~7 : payload;
  const from = ipv4.fragmentOffset(view, network);
  const octets = frame.octets.slice(network - LINK_LENGTH, network + headerLength + kept);
  return {
    octets,
    datagram: octets.subarray(LINK_LENGTH),
    headerLength,
    from,
    to: from + kept,
    mark: frame.mark,
    tag: -1,
    cell: host.cell.index,
    source: ipv4.source(view, network),
    destination: ipv4.destination(view, network),
    protocol: ipv4.protocol(view, network),
    originalLength: frame.end - network,
    linkType: 0,
    interfaceIndex: frame.device,
    file: 0,
    packet: frame.packet,
    offset: 0,
    time: emulation.now,
    companions: NONE,
  };
}

const firstLength = (frame: HeldFrame): number => view16(frame.datagram, 2);
const view16 = (octets: Uint8Array, at: number): number => (octets[at]! << 8) | octets[at + 1]!;

/**
 * The datagram of `frames`, as a frame with the mark of the first fragment (ip_frag_reasm). Null when ECN marks of the
 * fragments contradict each other.
 */
function put(emulation: Emulation, last: Frame, frames: readonly HeldFrame[], device: Device): Frame | null {
  const congestion = ecnOf(frames);
  if (congestion < 0) return null;
  const ordered = frames.toSorted((a, b) => a.from - b.from);
  const whole = take(emulation.frames, LONGEST_FRAME, last.packet);
  const { end: length } = assemble(frames, emulation.dataplane.whole);
  append(whole, emulation.dataplane.whole, 0, length);
  whole.link = whole.network - LINK_LENGTH;
  whole.octets.set(ordered[0]!.octets.subarray(0, LINK_LENGTH), whole.link);
  whole.mark = ordered[0]!.mark;
  whole.device = device.index;
  whole.cast = last.cast;
  whole.pieces = ordered.length;
  let largest = 0;
  let largestUncut = 0;
  for (const [i, piece] of ordered.entries()) {
    whole.pieceLengths[i] = piece.to - piece.from;
    const size = firstLength(piece);
    if (size > largest) largest = size;
    if ((view16(piece.datagram, FLAGS) & DONT_FRAGMENT) !== 0 && size > largestUncut) largestUncut = size;
  }
  whole.largestFragment = largest;
  whole.keepsDontFragment = Number(largestUncut === largest);
  const { view, network } = whole;
  if (whole.keepsDontFragment === 1) view.setUint16(network + FLAGS, DONT_FRAGMENT);
  view.setUint8(network + SERVICE, view.getUint8(network + SERVICE) | congestion);
  writeHeaderChecksum(view, network);
  return whole;
}

/** What the ECN field of the datagram gains from its fragments (RFC 3168 section 5.3), or -1 when they contradict. */
function ecnOf(frames: readonly HeldFrame[]): number {
  let seen = 0;
  for (const { datagram } of frames) seen |= 1 << (datagram[SERVICE]! & 3);
  if ((seen & 1) !== 0) return seen === 1 ? 0 : -1;
  return (seen & CONGESTION_BIT) !== 0 && seen !== CONGESTION_BIT ? CONGESTION_EXPERIENCED : 0;
}

/** When the oldest incomplete datagram is given up; Infinity when none waits. */
export function firstDeadline({ dataplane }: Emulation): number {
  for (const queue of dataplane.fragments.queues.values()) return queue.deadline;
  return Number.POSITIVE_INFINITY;
}

/**
 * Give up on datagrams whose time has come. Their sender is told when the first fragment is there and the datagram was
 * for the host itself (ip_expire).
 */
export function giveUp(emulation: Emulation): void {
  for (const held of expire(emulation.dataplane.fragments, emulation.now)) {
    if (held.from !== 0) continue;
    const host = emulation.hosts[held.cell]!;
    const device = emulation.devices[held.interfaceIndex]!;
    const frame = take(emulation.frames, held.datagram.length, held.packet);
    append(frame, held.datagram, 0, held.datagram.length);
    frame.device = device.index;
    const refused = routeInput(emulation, host, frame, device);
    if (refused < 0 && frame.local === LOCAL.ADDRESS) sendError(emulation, host, frame, TIME_EXCEEDED, REASSEMBLY, 0);
    drop(emulation, frame, held.cell, REASON.FRAGMENT_INCOMPLETE);
  }
}
