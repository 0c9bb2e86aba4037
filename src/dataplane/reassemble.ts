/**
 * Letting fragments wait, and telling all of them what became of their datagram.
 *
 * A fragment that completes its datagram is judged as the whole datagram, at once; the ones before it come back through
 * `late`. An inner fragment may itself have come in fragments of the outer packet: those wait with it, as companions.
 */

import { isTruncation } from '../wire/fault.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { locate } from '../wire/layers.ts';
import { LINKTYPE } from '../wire/protocol.ts';
import type { Stack } from '../wire/stack.ts';
import { type Burst, HELD } from './burst.ts';
import type { Dataplane } from './dataplane.ts';
import { ADDED, add, assemble, evict, expire, type HeldFrame } from './fragments.ts';
import { dropped, sameAs } from './late.ts';
import { decide, refuse } from './row.ts';
import { REASON, VERDICT } from './verdict.ts';

/** No frames. */
export const NONE: readonly HeldFrame[] = [];

export const isFragment = (stack: Stack): boolean => stack.fragmentOffset !== 0 || stack.moreFragments === 1;

/** Give up on datagrams whose time is up at `now`; +Infinity gives up on all. */
export function releaseExpired(dataplane: Dataplane, now: number): void {
  for (const frame of expire(dataplane.fragments, now)) release(dataplane, frame, REASON.FRAGMENT_INCOMPLETE);
}

function release(dataplane: Dataplane, frame: HeldFrame, reason: number): void {
  dataplane.late.push(dropped(frame, VERDICT.DROP, reason));
  for (const companion of frame.companions) dataplane.late.push(dropped(companion, VERDICT.DROP, reason));
}

/**
 * Let the fragment at `stack` wait. When it completes its datagram, put that into `dataplane.whole`, find its headers
 * (`wholeLayers`) and return the frames it came in, this one last; none otherwise, with row `i` decided.
 */
export function hold(
  dataplane: Dataplane,
  burst: Burst,
  i: number,
  view: DataView,
  stack: Stack,
  mark: number,
): readonly HeldFrame[] {
  const { fragments } = dataplane;
  // The outer datagram that was just put together, when this fragment came out of it.
  const companions = view === dataplane.wholeView ? fragments.ended.slice(0, -1) : NONE;
  const frame = heldFrame(burst, i, view, stack, mark, companions);
  switch (add(fragments, frame, ipv4.identification(view, stack.network), stack.moreFragments === 1)) {
    case ADDED.COMPLETE: {
      const { end, total } = assemble(fragments.ended, dataplane.whole);
      locate(dataplane.wholeView, 0, end, total, LINKTYPE.RAW, dataplane.options.vxlanPort, dataplane.wholeLayers);
      return fragments.ended;
    }
    case ADDED.WAITS:
      decide(burst, i, HELD, REASON.FRAGMENT_INCOMPLETE);
      for (const evicted of evict(fragments)) release(dataplane, evicted, REASON.FRAGMENT_LIMIT);
      break;
    case ADDED.DUPLICATE:
      refuse(burst, i, stack, REASON.FRAGMENT_DUPLICATE);
      break;
    case ADDED.OVERLAP: {
      const ended = fragments.ended;
      refuse(burst, i, stack, REASON.FRAGMENT_OVERLAP);
      settle(dataplane, burst, i, ended);
      break;
    }
    default:
      refuse(burst, i, stack, REASON.FRAGMENT_TOO_BIG);
  }
  return NONE;
}

const isCutFrame = (frame: HeldFrame): boolean =>
  frame.octets.length < frame.originalLength || frame.companions.some(isCutFrame);

/** Whether the headers of the datagram that came in `frames` end where the capture cut one of them. */
export const isWholeCut = (frames: readonly HeldFrame[], stack: Stack): boolean =>
  isTruncation(stack.fault) && frames.some(isCutFrame);

function heldFrame(
  burst: Burst,
  i: number,
  view: DataView,
  stack: Stack,
  mark: number,
  companions: readonly HeldFrame[],
): HeldFrame {
  const { records } = burst;
  const headerLength = ipv4.headerLength(view, stack.network);
  const octets = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const payload = stack.wireEnd - stack.network - headerLength;
  return {
    octets: records.octets.slice(records.at[i], records.end[i]),
    datagram: octets.slice(stack.network, stack.end),
    headerLength,
    from: stack.fragmentOffset,
    // What is not the last fragment is cut to a multiple of 8 octets (ip_frag_queue).
    to: stack.fragmentOffset + (stack.moreFragments === 1 ? payload & ~7 : payload),
    mark,
    tag: burst.tag[i]!,
    cell: burst.cell[i]!,
    source: ipv4.source(view, stack.network),
    destination: ipv4.destination(view, stack.network),
    protocol: ipv4.protocol(view, stack.network),
    originalLength: records.originalLength[i]!,
    linkType: records.linkType[i]!,
    interfaceIndex: records.interfaceIndex[i]!,
    file: records.file[i]!,
    packet: records.packet[i]!,
    offset: records.offset[i]!,
    time: records.time[i]!,
    companions,
  };
}

/** Tell the other fragments of row `i`'s datagram what became of it. While it waits itself, they wait with it. */
export function settle(dataplane: Dataplane, burst: Burst, i: number, frames: readonly HeldFrame[]): void {
  if (burst.verdict[i] === HELD) return;
  for (const frame of frames.slice(0, -1)) {
    dataplane.late.push(sameAs(burst, i, frame));
    for (const companion of frame.companions) dataplane.late.push(sameAs(burst, i, companion));
  }
}
