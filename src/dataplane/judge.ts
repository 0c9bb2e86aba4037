/**
 * Judge: the way of every packet of a burst, from its first octet to a verdict.
 *
 * A VXLAN frame between cells leaves one cell (`egress`) and enters the other (`receive`). A frame seen at a container's
 * interface enters its cell there (`tap`). Everything else is observed: it is on the wire, but not in the overlay.
 */
import { lookupUnderlay } from '../foundation/directory.ts';
import { FAULT } from '../wire/fault.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { locate } from '../wire/layers.ts';
import { ETHER_TYPE, LINKTYPE, PROTOCOL } from '../wire/protocol.ts';
import type { Layers, Stack } from '../wire/stack.ts';
import * as vxlan from '../wire/vxlan.ts';
import { type Burst, reset } from './burst.ts';
import type { Cell } from './cell.ts';
import type { Dataplane } from './dataplane.ts';
import {
  ACCEPTED,
  innerFrame,
  innerHost,
  ipv4Fault,
  ipv4Header,
  routing,
  udpChecksum,
  vlanTags,
  vxlanHeader,
} from './decapsulate.ts';
import { egress } from './egress.ts';
import { enter } from './enter.ts';
import { decidePlain, survey } from './plain.ts';
import { hold, isFragment, isWholeCut, releaseExpired, settle } from './reassemble.ts';
import { decide, describe, isCut, refuse } from './row.ts';
import { bindBurst, bindTables, cellOfCompiled, type Straight, takeBack } from './straight.ts';
import { tap } from './tap.ts';
import { REASON, VERDICT } from './verdict.ts';

/** Judge every row of `burst`, or those from `from` on when compiled code has judged the ones before. */
export function judge(dataplane: Dataplane, burst: Burst, from = 0): void {
  if (from === 0) reset(burst);
  const { straight } = dataplane;
  const { moves } = dataplane.connections;
  const cell = cellOfCompiled(dataplane);
  if (straight !== null && cell !== null && bindBurst(straight, cell, dataplane, burst)) {
    judgeCompiled(dataplane, burst, straight, cell, from);
    straight.burst = burst;
  } else {
    dataplane.touched = survey(dataplane, burst);
    for (let i = from; i < burst.records.count; i++) judgeRow(dataplane, burst, i);
  }
  keepTallies(dataplane, burst, moves);
}

/** Rows that are touched and then judged: what they lead to, and the frames themselves, fit in the first cache. */
const PIECE = 128;

/** Let compiled code judge what it can, and do the rest in between, in the order of the rows. */
function judgeCompiled(dataplane: Dataplane, burst: Burst, straight: Straight, cell: Cell, first: number): void {
  const { count } = burst.records;
  for (let from = first; from < count; from += PIECE) {
    judgePiece(dataplane, burst, straight, cell, from, Math.min(from + PIECE, count));
  }
}

function judgePiece(
  dataplane: Dataplane,
  burst: Burst,
  straight: Straight,
  cell: Cell,
  from: number,
  to: number,
): void {
  const { at, loops } = straight;
  let moves = -1;
  let i = from;
  for (;;) {
    // What only TypeScript does may take several rows, or all that are left.
    while (i < to && !bindTables(straight, cell, dataplane)) judgeRow(dataplane, burst, i++);
    if (i === to) return;
    if (dataplane.connections.moves !== moves) dataplane.touched = loops.touch(at, i, to);
    moves = dataplane.connections.moves;
    i = loops.run(at, i, to);
    takeBack(straight, dataplane);
    if (i === to) return;
    judgeRow(dataplane, burst, i++);
  }
}

function judgeRow(dataplane: Dataplane, burst: Burst, i: number): void {
  if (dataplane.fragments.queues.size !== 0) releaseExpired(dataplane, burst.records.time[i]!);
  const isGeneral = dataplane.options.strictChecksums || dataplane.connections.windows !== null;
  if (isGeneral || !decidePlain(dataplane, burst, i)) judgeGeneral(dataplane, burst, i);
}

/** Entries may have moved meanwhile; then what rows say of their words holds no more. */
function keepTallies({ connections }: Dataplane, burst: Burst, moves: number): void {
  burst.tallies = connections.words;
  if (connections.moves !== moves) burst.tally.fill(-1);
}

/** Judge row `i`, a frame of any shape. */
export function judgeGeneral(dataplane: Dataplane, burst: Burst, i: number): void {
  const { records } = burst;
  const { layers, options } = dataplane;
  const at = records.at[i]!;
  locate(
    records.view,
    at,
    records.end[i]!,
    at + records.originalLength[i]!,
    records.linkType[i]!,
    options.vxlanPort,
    layers,
  );
  judgeFrame(dataplane, burst, i, records.view, layers);
}

/** Give up on every fragment that still waits: the capture is over. */
export function finish(dataplane: Dataplane): void {
  releaseExpired(dataplane, Number.POSITIVE_INFINITY);
}

function judgeFrame(dataplane: Dataplane, burst: Burst, i: number, view: DataView, layers: Layers): void {
  const { outer } = layers;
  if (outer.version !== 4) notIpv4(burst, i, outer);
  else if (isFragment(outer) && outer.protocol === PROTOCOL.UDP) outerFragment(dataplane, burst, i, view, layers);
  else if (layers.vxlan >= 0) tunnel(dataplane, burst, i, view, layers, underlayChecks(view, outer));
  else plain(dataplane, burst, i, view, layers);
}

const SUPPORTED: readonly number[] = Object.values(LINKTYPE);
const isSupported = (linkType: number): boolean => SUPPORTED.includes(linkType);

/** ARP and IPv6 between hosts is not the overlay's, right or wrong. */
const isHostsBusiness = (etherType: number): boolean => etherType === ETHER_TYPE.ARP || etherType === ETHER_TYPE.IPV6;

function notIpv4(burst: Burst, i: number, outer: Stack): void {
  if (outer.fault !== FAULT.NONE && isCut(burst, i, outer)) decide(burst, i, VERDICT.OBSERVED, REASON.CAPTURE_CUT);
  else if (!isSupported(burst.records.linkType[i]!)) decide(burst, i, VERDICT.UNSUPPORTED, REASON.FRAME_LINK_TYPE);
  else if (outer.etherType === ETHER_TYPE.IPV4) refuse(burst, i, outer, ipv4Fault(outer.fault));
  else if (outer.fault !== FAULT.NONE && outer.network < 0 && !isHostsBusiness(outer.etherType))
    refuse(burst, i, outer, REASON.FRAME_TOO_SMALL);
  else
    decide(
      burst,
      i,
      VERDICT.OBSERVED,
      outer.etherType === ETHER_TYPE.ARP ? REASON.UNDERLAY_ARP : REASON.UNDERLAY_OTHER,
    );
}

/** What the receiving cell's network stack asks before UDP: tags, header, checksum. */
function underlayChecks(view: DataView, outer: Stack): number {
  const tags = vlanTags(view, outer);
  return tags === ACCEPTED ? ipv4Header(view, outer) : tags;
}

/** Index of the cell with an underlay address, when its part is judged; -1 otherwise. */
function judgedCell(dataplane: Dataplane, underlay: number): number {
  const cell = lookupUnderlay(dataplane.directory, underlay);
  return cell >= 0 && dataplane.judged[cell] === 1 ? cell : -1;
}

/** A VXLAN frame. `objection` is what the underlay side of a receiver has against it. */
function tunnel(
  dataplane: Dataplane,
  burst: Burst,
  i: number,
  view: DataView,
  layers: Layers,
  objection: number,
): void {
  const { outer, inner } = layers;
  const from = judgedCell(dataplane, ipv4.source(view, outer.network));
  const to = judgedCell(dataplane, ipv4.destination(view, outer.network));
  describe(dataplane, burst, i, view, inner.version === 4 ? inner : outer);
  if (vxlan.groupPolicy(view, layers.vxlan) === 1) burst.tag[i] = vxlan.groupPolicyId(view, layers.vxlan);
  if (from >= 0) egress(dataplane, burst, i, dataplane.cells[from]!, view, layers);
  if (to >= 0) {
    burst.cell[i] = to;
    if (objection === ACCEPTED) receive(dataplane, burst, i, dataplane.cells[to]!, view, layers);
    else refuse(burst, i, outer, objection);
  } else if (from >= 0) {
    burst.cell[i] = from;
    decide(burst, i, VERDICT.FORWARD, REASON.EGRESS_SENT);
  } else {
    decide(burst, i, VERDICT.OBSERVED, REASON.UNDERLAY_UNKNOWN_CELL);
  }
}

/** The VTEP of `cell` takes the frame: from the UDP header to the packet inside. */
function receive(dataplane: Dataplane, burst: Burst, i: number, cell: Cell, view: DataView, layers: Layers): void {
  const { outer, inner } = layers;
  let refused = routing(view, outer, cell);
  if (refused === ACCEPTED && dataplane.options.strictChecksums) refused = udpChecksum(view, outer);
  if (refused === ACCEPTED) refused = vxlanHeader(view, layers.vxlan, cell.vni);
  if (refused === ACCEPTED) refused = innerFrame(view, layers, cell);
  if (refused !== ACCEPTED) {
    if (isCut(burst, i, inner)) decide(burst, i, VERDICT.OBSERVED, REASON.CAPTURE_CUT);
    else refuse(burst, i, inner, refused);
    return;
  }
  const mark = vxlan.mark(view, layers.vxlan);
  burst.mark[i] = mark;
  refused = vlanTags(view, inner);
  if (refused !== ACCEPTED) refuse(burst, i, inner, refused);
  else if (inner.etherType === ETHER_TYPE.ARP) decide(burst, i, VERDICT.DELIVER, REASON.INNER_ARP);
  else if (inner.etherType === ETHER_TYPE.IPV6) decide(burst, i, VERDICT.UNSUPPORTED, REASON.IP6_UNSUPPORTED);
  else if (inner.etherType !== ETHER_TYPE.IPV4) refuse(burst, i, inner, REASON.INNER_ETHERTYPE);
  else innerPacket(dataplane, burst, i, cell, view, layers, mark);
}

function innerPacket(
  dataplane: Dataplane,
  burst: Burst,
  i: number,
  cell: Cell,
  view: DataView,
  layers: Layers,
  mark: number,
): void {
  const { inner } = layers;
  // A fragment waits even so: its datagram tells whether what decides is there.
  if (inner.fault !== FAULT.NONE && !(inner.version === 4 && isFragment(inner)) && isCut(burst, i, inner)) {
    decide(burst, i, VERDICT.OBSERVED, REASON.CAPTURE_CUT);
    return;
  }
  let refused = innerHost(view, inner, cell);
  if (refused === ACCEPTED && inner.version !== 4) refused = ipv4Fault(inner.fault);
  if (refused === ACCEPTED) refused = ipv4Header(view, inner);
  if (refused !== ACCEPTED) refuse(burst, i, inner, refused);
  else enter(dataplane, burst, i, cell, view, inner, cell.vtepInterface, mark);
}

/** A fragment of UDP: a container's own, or of the outer packet, which a cell puts together before its VTEP sees it. */
function outerFragment(dataplane: Dataplane, burst: Burst, i: number, view: DataView, layers: Layers): void {
  const { outer } = layers;
  describe(dataplane, burst, i, view, outer);
  if (tap(dataplane, burst, i, view, outer)) return;
  const to = judgedCell(dataplane, dataplane.packet.destination);
  const from = judgedCell(dataplane, dataplane.packet.source);
  if (to < 0 && from < 0) {
    decide(burst, i, VERDICT.OBSERVED, REASON.UNDERLAY_OTHER);
    return;
  }
  burst.cell[i] = to;
  const refused = underlayChecks(view, outer);
  if (refused !== ACCEPTED) {
    refuse(burst, i, outer, refused);
    return;
  }
  const frames = hold(dataplane, burst, i, view, outer, 0);
  if (frames.length === 0) return;
  const whole = dataplane.wholeLayers;
  if (isWholeCut(frames, whole.vxlan >= 0 ? whole.inner : whole.outer)) {
    decide(burst, i, VERDICT.OBSERVED, REASON.CAPTURE_CUT);
  } else if (whole.vxlan >= 0) tunnel(dataplane, burst, i, dataplane.wholeView, whole, ACCEPTED);
  else decide(burst, i, VERDICT.OBSERVED, REASON.UNDERLAY_OTHER);
  settle(dataplane, burst, i, frames);
}

/** IPv4 outside the tunnel: a container's own interface, or the hosts' business. */
function plain(dataplane: Dataplane, burst: Burst, i: number, view: DataView, layers: Layers): void {
  const { outer } = layers;
  describe(dataplane, burst, i, view, outer);
  if (tap(dataplane, burst, i, view, outer)) return;
  const to = judgedCell(dataplane, dataplane.packet.destination);
  if (to >= 0 && outer.protocol === PROTOCOL.UDP && outer.fault !== FAULT.NONE) {
    burst.cell[i] = to;
    if (isCut(burst, i, outer)) decide(burst, i, VERDICT.OBSERVED, REASON.CAPTURE_CUT);
    else refuse(burst, i, outer, outer.fault === FAULT.VXLAN_SHORT ? REASON.VXLAN_TOO_SMALL : REASON.UDP_LENGTH);
  } else {
    decide(burst, i, VERDICT.OBSERVED, REASON.UNDERLAY_OTHER);
  }
}
