/**
 * Match: what the rules say of each packet of a burst by itself, without connections: the chain FORWARD of the one cell that is
 * judged, with every packet as the first of its connection (ctstate NEW).
 *
 * This is the question that packet filters are compared by, and what a rule change does to single packets. Nothing is
 * asked of the tunnel: checksums, MAC addresses, VNI and TTL are `judge`'s business. A packet that the chain accepts
 * counts as delivered; a frame that carries no IPv4 packet in VXLAN is observed. Fragments are asked one by one, as rules see them
 * without reassembly. Rule counters count as in a judged replay.
 *
 * Compiled code (`native/match.h`) takes plain frames, as far as it can walk the plan; the rest is done here, and so is all of it on
 * a machine without.
 */
import type { RecordSource } from '../capture/reader.ts';
import { lookup } from '../foundation/directory.ts';
import { type Arena, heap } from '../memory/arena.ts';
import { CTSTATE } from '../rules/model.ts';
import { RULE_VERDICT } from '../rules/packet.ts';
import { wayOf } from '../rules/ways.ts';
import { locate } from '../wire/layers.ts';
import { PROTOCOL } from '../wire/protocol.ts';
import * as tcp from '../wire/tcp.ts';
import * as vxlan from '../wire/vxlan.ts';
import { type Burst, reset } from './burst.ts';
import { type Cell, reasonOf } from './cell.ts';
import { countRead, countVerdicts } from './counters.ts';
import type { Dataplane } from './dataplane.ts';
import { outInterface, ROUTE, route } from './forward.ts';
import { createOutlines, HEADER_AT, OUTLINE, OUTLINE_WORDS, outline } from './outline.ts';
import { type Matching, matchingOf, matchRows, siftBursts, surveyBursts } from './straight-match.ts';
import * as transport from './transport.ts';
import { TRANSPORT } from './transport.ts';
import { REASON, VERDICT } from './verdict.ts';

/** The cell whose rules are asked: the first that is judged. */
export const matchedCell = ({ cells, judged }: Dataplane): Cell => cells[judged.indexOf(1)]!;

/** What matching takes along from burst to burst. */
export interface Matcher {
  readonly dataplane: Dataplane;
  readonly outlines: Uint32Array<ArrayBuffer>;
  /** Compiled code that can take rows; null without. */
  readonly matching: Matching | null;
}

export function createMatcher(dataplane: Dataplane, arena: Arena = heap): Matcher {
  const outlines = createOutlines(arena);
  return { dataplane, outlines, matching: matchingOf(dataplane, outlines) };
}

/**
 * Locate the layers of every packet of `source`, in `burst` and in the matcher's outlines; what has no outline is told to `other`, row by
 * row, while burst and outlines are about it. Gives how many packets there were.
 */
export async function locateAll(
  source: RecordSource,
  { dataplane, outlines, matching }: Matcher,
  burst: Burst,
  other: (row: number) => void,
): Promise<number> {
  const { records } = burst;
  const before = source.packets;
  for (;;) {
    records.count = matching === null ? 0 : surveyBursts(matching, dataplane, burst, source);
    if (records.count === 0) {
      if (source.fill(records) > 0) outline(outlines, records, dataplane.options.vxlanPort, 0, records.count);
      else if (await source.refill()) continue;
      else return source.packets - before;
    }
    for (let i = 0; i < records.count; i++) if (outlines[i * OUTLINE_WORDS + OUTLINE.TRANSPORT] === 0) other(i);
  }
}

/** Write verdict, reason and rule of every row of `burst`. */
export function matchBurst(matcher: Matcher, burst: Burst): void {
  const { dataplane, outlines, matching } = matcher;
  reset(burst);
  const left = matching === null ? -1 : matchRows(matching, dataplane, burst);
  if (left >= 0) {
    matchListed(matcher, burst, left);
    return;
  }
  outline(outlines, burst.records, dataplane.options.vxlanPort, 0, burst.records.count);
  for (let i = 0; i < burst.records.count; i++) matchRow(dataplane, burst, outlines, i);
}

/** Match the rows that compiled code listed. */
function matchListed({ dataplane, outlines, matching }: Matcher, burst: Burst, left: number): void {
  const { notes } = matching!.straight;
  for (let k = 0; k < left; k++) matchRow(dataplane, burst, outlines, notes[k]!);
}

/** Match and count every packet of `source`; `burst` is worked in. */
export async function matchAll(source: RecordSource, matcher: Matcher, burst: Burst): Promise<void> {
  const { dataplane, matching } = matcher;
  reset(burst);
  for (;;) {
    burst.records.count = 0;
    const left = matching === null ? -1 : siftBursts(matching, dataplane, burst, source);
    if (left > 0) matchListed(matcher, burst, left);
    else if (source.fill(burst.records) > 0) matchBurst(matcher, burst);
    else if (await source.refill()) continue;
    else return;
    countRead(dataplane.counters, burst);
    countVerdicts(dataplane.counters, burst, false);
  }
}

function matchRow(dataplane: Dataplane, burst: Burst, outlines: Uint32Array, i: number): void {
  const row = i * OUTLINE_WORDS;
  const isPlain = outlines[row + OUTLINE.TRANSPORT] !== 0;
  if (isPlain) readOutline(dataplane, burst, outlines, row);
  else if (!readFrame(dataplane, burst, i)) {
    burst.verdict[i] = VERDICT.OBSERVED;
    burst.reason[i] = REASON.UNDERLAY_OTHER;
    return;
  }
  const cell = matchedCell(dataplane);
  const { packet, outcome, directory } = dataplane;
  const instance = lookup(directory, packet.destination);
  const way = route(dataplane, cell, packet.destination, instance);
  packet.inInterface = cell.vtepInterface;
  packet.outInterface = way === ROUTE.LOCAL ? 0 : outInterface(dataplane, cell, way, instance);
  packet.ctstate = CTSTATE.NEW;
  packet.connectionMark = 0;
  packet.time = burst.records.time[i]!;
  if (isPlain && way === ROUTE.CONTAINER) {
    cell.filter.evaluate(cell.arrivingChain, packet, outcome);
    // Compiled code counts the next packet on the way that this one took.
    if (cell.arrivingPlan !== null) wayOf(cell.arrivingPlan.ways, outcome);
  } else cell.filter.evaluate(cell.forwardChain, packet, outcome);
  const { verdict, rule } = outcome;
  burst.rule[i] = rule;
  burst.reason[i] = reasonOf(cell, verdict, rule, CTSTATE.NEW);
  if (verdict === RULE_VERDICT.ACCEPT) burst.verdict[i] = VERDICT.DELIVER;
  else burst.verdict[i] = verdict === RULE_VERDICT.REJECT ? VERDICT.REJECT : VERDICT.DROP;
}

/** What the rules see of a plain frame. */
function readOutline({ packet }: Dataplane, { records }: Burst, outlines: Uint32Array, row: number): void {
  const ports = outlines[row + OUTLINE.PORTS]!;
  const protocol = outlines[row + OUTLINE.TRANSPORT]! & 0xff;
  const flagsAt = outlines[row + OUTLINE.START]! + HEADER_AT.INNER_TRANSPORT;
  packet.source = outlines[row + OUTLINE.SOURCE]!;
  packet.destination = outlines[row + OUTLINE.DESTINATION]!;
  packet.protocol = protocol;
  packet.length = outlines[row + OUTLINE.OCTETS]!;
  packet.mark = outlines[row + OUTLINE.MARK]!;
  packet.fragmentOffset = 0;
  packet.transport = TRANSPORT.WHOLE;
  packet.sourcePort = ports >>> 16;
  packet.destinationPort = ports & 0xffff;
  packet.tcpFlags = protocol === PROTOCOL.TCP ? tcp.flags(records.view, flagsAt) : 0;
  packet.icmpType = 0;
  packet.icmpCode = 0;
}

/** What the rules see of a frame of any shape. False when it carries no IPv4 packet in VXLAN. */
function readFrame({ packet, layers, options }: Dataplane, { records }: Burst, i: number): boolean {
  const { view } = records;
  const at = records.at[i]!;
  const wireEnd = at + records.originalLength[i]!;
  locate(view, at, records.end[i]!, wireEnd, records.linkType[i]!, options.vxlanPort, layers);
  const { inner } = layers;
  if (layers.vxlan < 0 || inner.version !== 4) return false;
  transport.read(view, inner, packet);
  packet.mark = vxlan.mark(view, layers.vxlan);
  return true;
}
