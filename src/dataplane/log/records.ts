/**
 * LogRecords: what LOG rules saw, kept until somebody writes the lines.
 *
 * A walk over the rules that met LOG rules leaves one record with the beginning of the packet as it stood at the rules'
 * hook, and an entry for each rule. The caller that wants lines reads and empties them after each burst (`lines.ts`); a
 * dataplane that keeps no logs pays for a comparison per walk. Nothing is allocated after `create`.
 */
import { BURST_CAPACITY } from '../../capture/burst.ts';
import { LOG_CAPACITY, type Outcome, type RulePacket } from '../../rules/packet.ts';
import type { RuleTable } from '../../rules/table.ts';
import * as ethernet from '../../wire/ethernet.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { ETHER_TYPE } from '../../wire/protocol.ts';

/** A frame between cells is walked where it leaves and where it arrives. */
const WALKS = 2 * BURST_CAPACITY;
/** All that a line can show: an ICMP error and the TCP header that it quotes, each with the longest options. */
const PACKET_LIMIT = 60 + 8 + 60 + 60;
export const LINK_LENGTH = ethernet.HEADER_LENGTH;
/** Octets of one record: the Ethernet header, then the packet. */
export const SLOT = LINK_LENGTH + PACKET_LIMIT;

/** Instead of the offset of an Ethernet header: there is none. */
export const NO_LINK = -2;

export interface LogRecords {
  /** Records in use, and entries of rules in use. */
  walks: number;
  entries: number;
  /** Walks that found no room, because nobody emptied the records. */
  lost: number;
  // By walk.
  readonly cell: Int32Array;
  /** The table whose chain was walked. */
  readonly rules: RuleTable[];
  readonly inInterface: Int32Array;
  readonly outInterface: Int32Array;
  readonly time: Float64Array;
  /** 1 where the packet has an Ethernet header. */
  readonly linked: Uint8Array;
  /** Octets of the packet that are there. */
  readonly length: Int32Array;
  /** Number of the first entry behind those of the walk. */
  readonly entriesEnd: Int32Array;
  /** SLOT octets each. */
  readonly octets: Uint8Array;
  readonly view: DataView;
  // By entry: rule id in that table, and the mark at that rule.
  readonly rule: Int32Array;
  readonly mark: Uint32Array;
  /** Ethernet header for a packet whose own octets do not hold it; see `keepLink`. */
  readonly link: DataView;
}

export function create(): LogRecords {
  const octets = new Uint8Array(WALKS * SLOT);
  return {
    walks: 0,
    entries: 0,
    lost: 0,
    cell: new Int32Array(WALKS),
    rules: [],
    inInterface: new Int32Array(WALKS),
    outInterface: new Int32Array(WALKS),
    time: new Float64Array(WALKS),
    linked: new Uint8Array(WALKS),
    length: new Int32Array(WALKS),
    entriesEnd: new Int32Array(WALKS),
    octets,
    view: new DataView(octets.buffer),
    rule: new Int32Array(WALKS * LOG_CAPACITY),
    mark: new Uint32Array(WALKS * LOG_CAPACITY),
    link: new DataView(new ArrayBuffer(LINK_LENGTH)),
  };
}

export function empty(records: LogRecords): void {
  records.walks = 0;
  records.entries = 0;
}

/**
 * Remember the Ethernet header at `at` for the next record without one: reassembly drops it, and VLAN tags stand behind it
 * that the kernel has taken off before.
 */
export function keepLink(records: LogRecords, view: DataView, at: number): void {
  if (at < 0) return;
  ethernet.setDestination(records.link, 0, ethernet.destination(view, at));
  ethernet.setSource(records.link, 0, ethernet.source(view, at));
  ethernet.setType(records.link, 0, ETHER_TYPE.IPV4);
}

/** How the packet at a rule differs from the octets at hand. */
export interface Changes {
  /** What routing took from the TTL. */
  hops: number;
  /** ECN bits as decapsulation left them; -1 leaves them alone. */
  ecn: number;
}

/**
 * Keep the packet from `network` to `end`, of which `outcome` says which of `rules` logged it on `cell`. `link` is the offset
 * of its Ethernet header, or -1 for the one of `keepLink`, or NO_LINK.
 */
export function record(
  records: LogRecords,
  cell: number,
  rules: RuleTable,
  packet: RulePacket,
  outcome: Outcome,
  view: DataView,
  link: number,
  network: number,
  end: number,
  changes: Changes,
): void {
  if (records.walks === WALKS) {
    records.lost += 1;
    return;
  }
  const walk = records.walks++;
  const at = walk * SLOT;
  const length = Math.min(end - network, PACKET_LIMIT);
  records.cell[walk] = cell;
  records.rules[walk] = rules;
  records.inInterface[walk] = packet.inInterface;
  records.outInterface[walk] = packet.outInterface;
  records.time[walk] = packet.time;
  records.length[walk] = length;
  records.linked[walk] = Number(link !== NO_LINK);
  copy(records, at, link < 0 ? records.link : view, Math.max(link, 0), LINK_LENGTH);
  copy(records, at + LINK_LENGTH, view, network, length);
  change(records.view, at + LINK_LENGTH, changes);
  const count = Math.min(outcome.logCount, LOG_CAPACITY);
  for (let i = 0; i < count; i++) {
    records.rule[records.entries] = outcome.logRules[i]!;
    records.mark[records.entries] = outcome.logMarks[i]!;
    records.entries += 1;
  }
  records.entriesEnd[walk] = records.entries;
}

function copy(records: LogRecords, to: number, view: DataView, from: number, length: number): void {
  for (let i = 0; i < length; i++) records.octets[to + i] = view.getUint8(from + i);
}

function change(view: DataView, at: number, { hops, ecn }: Changes): void {
  if (hops !== 0) ipv4.setTimeToLive(view, at, ipv4.timeToLive(view, at) - hops);
  if (ecn >= 0) ipv4.setEcn(view, at, ecn);
}
