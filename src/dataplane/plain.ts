/**
 * The way of nearly every packet, in straight line: VXLAN to a container of a cell that is judged, IPv4 without options,
 * TCP or UDP, whole, with nothing odd about it.
 *
 * `decidePlain` judges one such row, or leaves it untouched for the general way (`judge.ts`, `decapsulate.ts`, `forward.ts`),
 * which says the same of it; `test/dataplane/plain.test.ts` holds the two against each other. Here each word of a header is read
 * once, at offsets that are the same for every frame:
 *
 *     14  outer IPv4 | 34 UDP | 42 VXLAN | 50 inner Ethernet | 64 inner IPv4 | 84 TCP or UDP
 *
 * What the rules said of a packet is remembered with its connection, and holds for the next packet with the same tunnel
 * header and connection state; then nothing is looked up but that one entry. `survey` looks at a whole burst first and
 * touches those entries, so that cache misses overlap.
 */
import { BURST_CAPACITY } from '../capture/burst.ts';
import { lookup, lookupUnderlay } from '../foundation/directory.ts';
import { HOST_VETH_ADDRESS } from '../foundation/lease.ts';
import { RULE_VERDICT } from '../rules/packet.ts';
import { ROW_DOUBLES, ROW_NOTES, ROW_WORDS, WAY_BITS, wayOf } from '../rules/ways.ts';
import { fold } from '../wire/checksum.ts';
import { LINKTYPE } from '../wire/protocol.ts';
import { type Burst, NOTE } from './burst.ts';
import { type Cell, reasonOf } from './cell.ts';
import * as conntrack from './conntrack.ts';
import type { Dataplane } from './dataplane.ts';
import { send } from './egress.ts';
import { keepPlain, keepPlainSent } from './log/keep.ts';
import { isPickUp } from './tcp-state.ts';
import { TRANSPORT } from './transport.ts';
import { REASON, VERDICT } from './verdict.ts';

// Module-local copies: V8 folds these into the code, and loads imported bindings each time.
const LINKTYPE_ETHERNET = LINKTYPE.ETHERNET;
const ENTRY_WORDS = conntrack.ENTRY_WORDS;
const TUNNEL = conntrack.TUNNEL;
const SAID = conntrack.SAID;
const RULE = conntrack.RULE;
const TALLY = conntrack.TALLY;
const BACK = conntrack.BACK;
const INVALID = 1;
const ESTABLISHED = 2;
const ETHER_TYPE_IPV4 = 0x0800;
const VERSION_4_IHL_5 = 0x45;
const FRAGMENT_BITS = 0x3fff;
const CONGESTION_EXPERIENCED = 3;
const TCP = 6;
const UDP = 17;
const UDP_LENGTH = 8;
const TCP_LENGTH = 20;
const IPV4_LENGTH = 20;
const CHECKSUM_GOOD = 0xffff;
/** G and I are the only bits of the first octet that may be set; I must be. */
const VXLAN_FIRST_OCTET = 0x7f000000;
const VXLAN_INSTANCE = 0x08000000;
const VXLAN_MARK = 0x0048ffff;
const HOST_VETH_WORD = HOST_VETH_ADDRESS | 0;
const NETWORK_127 = 127;
const NETWORK_224 = 224;

const OUTER_IPV4 = 14;
const OUTER_UDP = 34;
const VXLAN = 42;
const INNER = 50;
const INNER_IPV4 = 64;
const INNER_TRANSPORT = 84;
const SHORTEST = INNER_TRANSPORT + UDP_LENGTH;

/** Hash of the key of each row's connection, if the row is plain. */
const hashes = new Int32Array(BURST_CAPACITY);

/** Touch the connections of all rows that may be plain. */
export function survey(dataplane: Dataplane, burst: Burst): number {
  const { view, at, end, count } = burst.records;
  for (let i = 0; i < count; i++) {
    const start = at[i]!;
    hashes[i] =
      end[i]! - start < SHORTEST
        ? 0
        : conntrack.hashOf(
            view.getInt32(start + INNER_IPV4 + 12),
            view.getInt32(start + INNER_IPV4 + 16),
            view.getInt32(start + INNER_TRANSPORT),
          );
  }
  return conntrack.touch(dataplane.connections, hashes, count);
}

/** Judge row `i`. False, and nothing done, when it is not plain. */
export function decidePlain(dataplane: Dataplane, burst: Burst, i: number): boolean {
  const { records } = burst;
  const { view } = records;
  const at = records.at[i]!;
  const end = records.end[i]!;
  if (records.linkType[i] !== LINKTYPE_ETHERNET || end - at < SHORTEST) return false;
  const datagramEnd = underlayEnd(view, at, end, dataplane.options.vxlanPort);
  if (datagramEnd === 0) return false;
  const to = lookupUnderlay(dataplane.directory, view.getUint32(at + OUTER_IPV4 + 16));
  if (to < 0 || dataplane.judged[to] === 0) return false;
  const cell = dataplane.cells[to]!;
  if (!isForeign(view.getInt32(at + OUTER_IPV4 + 12), cell) || !isTunnel(view, at, cell)) return false;
  const flags = innerFlags(view, at, datagramEnd);
  if (flags < 0) return false;
  return decideInner(dataplane, burst, i, view, at, cell, flags);
}

const half = (word: number): number => (word >>> 16) + (word & 0xffff);

/** Where the UDP datagram of the underlay ends, when it is one to `port` without anything odd; else 0. */
function underlayEnd(view: DataView, at: number, end: number, port: number): number {
  const first = view.getInt32(at + OUTER_IPV4);
  const fragment = view.getInt32(at + OUTER_IPV4 + 4);
  const protocol = view.getInt32(at + OUTER_IPV4 + 8);
  if (view.getUint16(at + 12) !== ETHER_TYPE_IPV4 || first >>> 24 !== VERSION_4_IHL_5) return 0;
  const packetEnd = at + OUTER_IPV4 + (first & 0xffff);
  if (packetEnd > end || (fragment & FRAGMENT_BITS) !== 0 || ((protocol >>> 16) & 0xff) !== UDP) return 0;
  const addresses = half(view.getInt32(at + OUTER_IPV4 + 12)) + half(view.getInt32(at + OUTER_IPV4 + 16));
  if (fold(half(first) + half(fragment) + half(protocol) + addresses) !== CHECKSUM_GOOD) return 0;
  if (view.getUint16(at + OUTER_UDP + 2) !== port) return 0;
  const datagramEnd = at + OUTER_UDP + view.getUint16(at + OUTER_UDP + 4);
  return datagramEnd > packetEnd ? 0 : datagramEnd;
}

/** Not a source that routing on `cell` refuses, nor one that comes close. */
function isForeign(source: number, cell: Cell): boolean {
  const network = source >>> 24;
  return (
    network < NETWORK_224 &&
    network !== NETWORK_127 &&
    network !== 0 &&
    source !== cell.vtepWord &&
    source !== cell.underlayWord &&
    source !== HOST_VETH_WORD
  );
}

/** Whether the VXLAN header and the Ethernet header in it are in order, for the VTEP of `cell` and not from it. */
function isTunnel(view: DataView, at: number, cell: Cell): boolean {
  const { vtepMacHigh, vtepMacLow } = cell;
  const vxlan = view.getInt32(at + VXLAN);
  if ((vxlan & VXLAN_FIRST_OCTET) !== VXLAN_INSTANCE || view.getInt32(at + VXLAN + 4) !== cell.vni << 8) return false;
  const middle = view.getInt32(at + INNER + 4);
  if (((view.getInt32(at + INNER) ^ vtepMacHigh) | ((middle >>> 16) ^ vtepMacLow)) !== 0) return false;
  const last = view.getInt32(at + INNER + 8);
  return ((middle << 16) | (last >>> 16)) !== vtepMacHigh || (last & 0xffff) !== vtepMacLow;
}

/** The TCP flags of the packet inside (0 for UDP), when there is nothing odd about it; else -1. */
function innerFlags(view: DataView, at: number, end: number): number {
  const first = view.getInt32(at + INNER_IPV4);
  const fragment = view.getInt32(at + INNER_IPV4 + 4);
  const protocol = view.getInt32(at + INNER_IPV4 + 8);
  if (view.getUint16(at + INNER + 12) !== ETHER_TYPE_IPV4 || first >>> 24 !== VERSION_4_IHL_5) return -1;
  const length = first & 0xffff;
  if (at + INNER_IPV4 + length > end || (fragment & FRAGMENT_BITS) !== 0 || protocol >>> 24 <= 1) return -1;
  const outer = view.getUint8(at + OUTER_IPV4 + 1);
  if ((outer & 3) === CONGESTION_EXPERIENCED && ((first >>> 16) & 3) === 0) return -1;
  const addresses = half(view.getInt32(at + INNER_IPV4 + 12)) + half(view.getInt32(at + INNER_IPV4 + 16));
  if (fold(half(first) + half(fragment) + half(protocol) + addresses) !== CHECKSUM_GOOD) return -1;
  const room = length - IPV4_LENGTH;
  const number = (protocol >>> 16) & 0xff;
  if (number === TCP) {
    if (room < TCP_LENGTH) return -1;
    const offset = view.getUint16(at + INNER_TRANSPORT + 12);
    const header = (offset >>> 12) << 2;
    return header < TCP_LENGTH || header > room ? -1 : offset & 0xff;
  }
  if (number !== UDP) return -1;
  const declared = view.getUint16(at + INNER_TRANSPORT + 4);
  return declared < UDP_LENGTH || declared > room ? -1 : 0;
}

/**
 * Judge the packet inside: say of it what was said of the one before it, if that holds for this one, else walk the rules.
 * False, and nothing done, when the packet is not one that `cell` forwards to a container.
 */
function decideInner(
  dataplane: Dataplane,
  burst: Burst,
  i: number,
  view: DataView,
  at: number,
  cell: Cell,
  flags: number,
): boolean {
  const { connections } = dataplane;
  const source = view.getUint32(at + INNER_IPV4 + 12);
  const destination = view.getUint32(at + INNER_IPV4 + 16);
  const protocol = view.getUint8(at + INNER_IPV4 + 9);
  const ports = view.getInt32(at + INNER_TRANSPORT);
  const tunnel = view.getInt32(at + VXLAN);
  connections.now = burst.records.time[i]!;
  const hashed = conntrack.hashOf(source | 0, destination | 0, ports);
  let slot = conntrack.findPorted(connections, cell.index, protocol, source, destination, ports, hashed);
  if (saidOf(connections, slot, tunnel) === 0 && !isToContainer(dataplane, source, destination, cell)) return false;
  burst.version[i] = 4;
  burst.cell[i] = cell.index;
  burst.source[i] = source;
  burst.destination[i] = destination;
  burst.protocol[i] = protocol;
  burst.sourcePort[i] = ports >>> 16;
  burst.destinationPort[i] = ports & 0xffff;
  if (tunnel < 0) {
    burst.tag[i] = tunnel & 0xffff;
    burst.mark[i] = tunnel & VXLAN_MARK;
  }
  const length = view.getUint16(at + INNER_IPV4 + 2);
  if (dataplane.judgedCells !== 1) {
    leave(dataplane, burst, i, view.getUint32(at + OUTER_IPV4 + 12), flags, length);
    slot = conntrack.findPorted(connections, cell.index, protocol, source, destination, ports, hashed);
  }
  conntrack.trackFound(connections, slot, protocol, flags);
  burst.ctstate[i] = connections.ctstate;
  burst.reply[i] = connections.reply;
  if (connections.pending) burst.note[i]! |= isPickUp(protocol, flags) ? NOTE.OPENED | NOTE.PICKED_UP : NOTE.OPENED;
  const said = saidOf(connections, slot, tunnel);
  const { ctstate } = connections;
  const holds = said >>> STATE_SHIFT === stateBits(ctstate) && ctstate !== INVALID && connections.marks.size === 0;
  if (said !== 0 && holds) {
    sayAgain(dataplane, burst, i, cell, slot, said, length);
  } else {
    walk(dataplane, burst, i, cell, slot, tunnel, flags, length);
  }
  return true;
}

// What an entry remembers of the rules' answer, in one word that is never 0.
const VERDICT_SHIFT = WAY_BITS;
const REASON_SHIFT = WAY_BITS + 3;
const STATE_SHIFT = 30;
const WAY_MASK = (1 << WAY_BITS) - 1;

/** The two highest bits: the first is always set, the second for ESTABLISHED. INVALID packets are not remembered. */
const stateBits = (ctstate: number): number => (ctstate === ESTABLISHED ? 3 : 2);

/** Index of the words of the entry at `slot` for the direction of the packet that was looked up. */
const wordsOf = (connections: conntrack.Conntrack, slot: number): number =>
  slot * ENTRY_WORDS + connections.swapped * BACK;

/** What was said of the last packet like the one that was looked up, with the same first word of its tunnel header; or 0. */
function saidOf(connections: conntrack.Conntrack, slot: number, tunnel: number): number {
  if (slot < 0) return 0;
  const at = wordsOf(connections, slot);
  return connections.words[at + TUNNEL] === tunnel ? connections.words[at + SAID]! : 0;
}

/** Whether `cell` takes a packet from `source`, and forwards it to a container of its own. */
function isToContainer(dataplane: Dataplane, source: number, destination: number, cell: Cell): boolean {
  if (!isForeign(source | 0, cell) || cell.asksAddressTypes) return false;
  const instance = lookup(dataplane.directory, destination);
  return instance >= 0 && dataplane.directory.instanceCell[instance] === cell.index;
}

/** Row `i` goes the way that the packet before it went. */
function sayAgain(
  dataplane: Dataplane,
  burst: Burst,
  i: number,
  cell: Cell,
  slot: number,
  said: number,
  length: number,
): void {
  const { connections } = dataplane;
  const { sums } = cell.arrivingPlan!.ways;
  const way = (said & WAY_MASK) * ROW_DOUBLES;
  sums[way]! += 1;
  sums[way + 1]! += length;
  const words = wordsOf(connections, slot);
  burst.rule[i] = connections.words[words + RULE]!;
  burst.verdict[i] = (said >>> VERDICT_SHIFT) & 7;
  burst.reason[i] = (said >>> REASON_SHIFT) & 127;
  burst.said[i] = said;
  burst.tally[i] = words + TALLY;
  if (connections.pending && burst.verdict[i] === VERDICT.DELIVER && !conntrack.confirm(connections)) {
    refuseFull(burst, i);
  }
}

function refuseFull(burst: Burst, i: number): void {
  burst.tally[i] = -1;
  burst.verdict[i] = VERDICT.DROP;
  burst.reason[i] = REASON.CONNTRACK_FULL;
}

/** Walk the rules with row `i`, and remember what they say. */
function walk(
  dataplane: Dataplane,
  burst: Burst,
  i: number,
  cell: Cell,
  slot: number,
  tunnel: number,
  flags: number,
  length: number,
): void {
  const { packet, connections, outcome, directory } = dataplane;
  fillPacket(dataplane, burst, i, flags, length);
  packet.mark = burst.mark[i]!;
  packet.inInterface = cell.vtepInterface;
  packet.outInterface = dataplane.instanceInterfaces[lookup(directory, packet.destination)]!;
  packet.ctstate = connections.ctstate;
  packet.connectionMark = conntrack.connectionMark(connections);
  cell.filter.evaluate(cell.arrivingChain, packet, outcome);
  if (outcome.logCount !== 0) keepPlain(dataplane, cell, burst.records.view, burst.records.at[i]!);
  const verdict = outcome.verdict;
  burst.rule[i] = outcome.rule;
  burst.mark[i] = outcome.mark;
  burst.reason[i] = reasonOf(cell, verdict, outcome.rule, packet.ctstate);
  if (verdict !== RULE_VERDICT.ACCEPT) {
    burst.verdict[i] = verdict === RULE_VERDICT.REJECT ? VERDICT.REJECT : VERDICT.DROP;
  } else if (connections.pending && !conntrack.confirm(connections)) {
    refuseFull(burst, i);
    return;
  } else {
    burst.verdict[i] = VERDICT.DELIVER;
    if (outcome.connectionMark !== packet.connectionMark)
      conntrack.setConnectionMark(connections, outcome.connectionMark);
  }
  remember(dataplane, burst, i, cell, slot, tunnel);
}

/** Keep what the rules said of row `i` with its connection, unless it depends on more than the entry knows. */
function remember(dataplane: Dataplane, burst: Burst, i: number, cell: Cell, found: number, tunnel: number): void {
  const { packet, connections, outcome } = dataplane;
  if (cell.arrivingPlan === null || packet.ctstate === INVALID) return;
  if (outcome.mark !== packet.mark || (outcome.connectionMark | packet.connectionMark) !== 0) return;
  const { ways } = cell.arrivingPlan;
  const way = wayOf(ways, outcome);
  if (way < 0) return;
  let slot = connections.slot >= 0 ? connections.slot : found;
  if (slot < 0) slot = conntrack.refuse(connections);
  if (slot < 0) return;
  const at = wordsOf(connections, slot);
  const { words } = connections;
  words[at + TUNNEL] = tunnel;
  const said =
    (stateBits(packet.ctstate) << STATE_SHIFT) |
    (burst.reason[i]! << REASON_SHIFT) |
    (burst.verdict[i]! << VERDICT_SHIFT) |
    way;
  words[at + SAID] = said;
  // Compiled code, which may walk this way before this one does again, knows no reasons.
  const note = way * ROW_WORDS + ROW_NOTES + (said >>> STATE_SHIFT === 3 ? 2 : 0);
  ways.rows[note] = said;
  ways.rows[note + 1] = outcome.rule;
  words[at + RULE] = outcome.rule;
  words[at + TALLY] = 0;
  burst.said[i] = said;
  burst.tally[i] = at + TALLY;
}

/** The packet leaves the cell that sent it, if that is judged too. */
function leave(dataplane: Dataplane, burst: Burst, i: number, underlay: number, flags: number, length: number): void {
  const { packet, connections } = dataplane;
  const from = lookupUnderlay(dataplane.directory, underlay);
  if (from < 0 || dataplane.judged[from] === 0) return;
  const sender = dataplane.cells[from]!;
  fillPacket(dataplane, burst, i, flags, length);
  const { protocol, source, destination } = packet;
  const ports = (packet.sourcePort << 16) | packet.destinationPort;
  packet.mark = 0;
  const hashed = conntrack.hashOf(source | 0, destination | 0, ports);
  const slot = conntrack.findPorted(connections, sender.index, protocol, source, destination, ports, hashed);
  conntrack.trackFound(connections, slot, protocol, flags);
  packet.ctstate = connections.ctstate;
  packet.connectionMark = conntrack.connectionMark(connections);
  send(dataplane, burst, i, sender, burst.mark[i]!, burst.tag[i]! >= 0);
  if (dataplane.outcome.logCount !== 0) keepPlainSent(dataplane, sender, burst.records.view, burst.records.at[i]!);
}

function fillPacket(dataplane: Dataplane, burst: Burst, i: number, flags: number, length: number): void {
  const { packet } = dataplane;
  packet.source = burst.source[i]!;
  packet.destination = burst.destination[i]!;
  packet.protocol = burst.protocol[i]!;
  packet.sourcePort = burst.sourcePort[i]!;
  packet.destinationPort = burst.destinationPort[i]!;
  packet.tcpFlags = flags;
  packet.icmpType = 0;
  packet.icmpCode = 0;
  packet.length = length;
  packet.fragmentOffset = 0;
  packet.transport = TRANSPORT.WHOLE;
  packet.time = burst.records.time[i]!;
}
