/** What rules and connection tracking see of a frame's IPv4 packet, and its connection. */
import { CTSTATE } from '../../rules/model.ts';
import { RULE_VERDICT, type RuleVerdict } from '../../rules/packet.ts';
import * as checksum from '../../wire/checksum.ts';
import * as integrity from '../../wire/integrity.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { locate } from '../../wire/layers.ts';
import { LINKTYPE, PROTOCOL } from '../../wire/protocol.ts';
import * as udp from '../../wire/udp.ts';
import { VERIFIED } from '../answer/rejected-checksum.ts';
import { reasonOf } from '../cell.ts';
import * as conntrack from '../conntrack.ts';
import { read, TRANSPORT } from '../transport.ts';
import { VERDICT } from '../verdict.ts';
import type { Emulation, Host } from './emulation.ts';
import { end } from './end.ts';
import type { Frame } from './frame.ts';
import { keep, tell } from './logged.ts';

/** Bits that say more of a connection than its state. */
const TRANSLATED = CTSTATE.SNAT | CTSTATE.DNAT;
/** No VXLAN is looked for: tunnels are opened by the host that they lead to. */
const NO_VXLAN = -1;

/** Read the packet of `frame` into the rules' record. */
export function describe(emulation: Emulation, host: Host, frame: Frame): void {
  const { dataplane } = emulation;
  const { packet, layers } = dataplane;
  locate(frame.view, frame.network, frame.end, frame.end, LINKTYPE.RAW, NO_VXLAN, layers);
  read(frame.view, layers.outer, packet);
  if (packet.transport === TRANSPORT.PORTS_ONLY && host.cell.filter.backend === 'legacy')
    packet.transport = TRANSPORT.NONE;
  packet.time = emulation.now;
  packet.mark = frame.mark;
  packet.inInterface = frame.device < 0 ? 0 : emulation.devices[frame.device]!.interface;
  packet.outInterface = 0;
}

/** Read the packet of `frame` and find its connection. `arrived`: its checksum has not been looked at by this host. */
export function track(emulation: Emulation, host: Host, frame: Frame, arrived: boolean): void {
  describe(emulation, host, frame);
  const { dataplane } = emulation;
  const { packet, layers, connections } = dataplane;
  if (arrived && !hasGoodTransport(emulation, frame)) {
    emulation.translation.invalidate();
    packet.ctstate = connections.ctstate;
    packet.connectionMark = 0;
  } else {
    emulation.translation.track(host.cell, frame.view, layers.outer);
  }
  frame.ctstate = packet.ctstate;
  emulation.tracked = frame.packet;
}

/**
 * Give `frame` to the connection of the packet that was tracked last, and do not track it itself (nf_conntrack_attach): a reset
 * that a rule sends, by which the connection closes (nf_ct_set_closing); an ICMP error, which its quote would not always
 * lead there, because the connection is not remembered yet or the packet is half translated.
 */
export function attach(emulation: Emulation, host: Host, frame: Frame): void {
  describe(emulation, host, frame);
  if (emulation.dataplane.packet.protocol === PROTOCOL.ICMP) emulation.translation.relate();
  else {
    emulation.dataplane.connections.now = emulation.now;
    emulation.translation.attach();
  }
  emulation.tracked = 0;
  emulation.dataplane.packet.ctstate = CTSTATE.RELATED;
  frame.ctstate = CTSTATE.RELATED;
}

/** Let `frame` look RELATED to a connection that it leaves alone: nat will not let it pass. */
export function relate(emulation: Emulation, host: Host, frame: Frame): void {
  describe(emulation, host, frame);
  emulation.dataplane.packet.ctstate = CTSTATE.RELATED;
  frame.ctstate = CTSTATE.RELATED;
}

/**
 * nf_conntrack looks at the checksums of TCP, UDP and ICMP that come in (net.netfilter.nf_conntrack_checksum), before it looks
 * for the connection; `frame.verified` says what it found.
 */
function hasGoodTransport(emulation: Emulation, frame: Frame): boolean {
  const { layers, options, packet } = emulation.dataplane;
  const status = integrity.transport(frame.view, layers.outer);
  if (!options.strictChecksums) {
    frame.verified = VERIFIED.UNNECESSARY;
    frame.partial = Number(status === integrity.CHECKSUM.PARTIAL);
    return true;
  }
  if (packet.protocol === PROTOCOL.UDP_LITE) return isLiteGood(frame, layers.outer.wireEnd);
  if (isDamaged(status)) {
    frame.verified = VERIFIED.NO;
    return false;
  }
  if (status === integrity.CHECKSUM.GOOD) frame.verified = VERIFIED.VALID;
  return true;
}

/** udplite_error: the sum is taken with the number of UDP in the pseudo-header, so that right ones are wrong. */
function isLiteGood({ view, network }: Frame, end: number): boolean {
  const at = ipv4.payloadStart(view, network);
  const length = end - at;
  if (length < udp.HEADER_LENGTH) return false;
  const covered = udp.length(view, at) || length;
  if (covered > length) return false;
  const pseudo = checksum.pseudo4(ipv4.source(view, network), ipv4.destination(view, network), PROTOCOL.UDP, length);
  return checksum.isGood(pseudo + checksum.sum(view, at, at + covered));
}

export const isDamaged = (status: number): boolean =>
  status === integrity.CHECKSUM.BAD || status === integrity.CHECKSUM.PARTIAL;

/**
 * Walk chain `chain` of the filter table. True when the rules let `frame` on; its mark, reason and deciding rule are
 * what they said. When not, the caller ends it.
 */
export function walk(emulation: Emulation, host: Host, frame: Frame, chain: number): boolean {
  const { packet, outcome } = emulation.dataplane;
  packet.mark = frame.mark;
  host.cell.filter.evaluate(chain, packet, outcome);
  keep(emulation.dataplane, host.cell.index, host.cell.filter.rules, outcome, frame);
  tell(emulation, frame);
  frame.mark = outcome.mark;
  frame.rule = outcome.rule;
  frame.reason = reasonOf(host.cell, outcome.verdict, outcome.rule, packet.ctstate & ~TRANSLATED);
  if (outcome.verdict !== RULE_VERDICT.ACCEPT) return false;
  packet.mark = outcome.mark;
  return true;
}

/** End `frame`, which the last walk refused with `verdict` (one of RULE_VERDICT). */
export function endRefused(emulation: Emulation, host: Host, frame: Frame, verdict: RuleVerdict): void {
  const ours = verdict === RULE_VERDICT.REJECT ? VERDICT.REJECT : VERDICT.DROP;
  end(emulation, frame, host.cell.index, ours, frame.reason, frame.rule);
}

/**
 * Remember the connection of the packet that was tracked last, with the mark that the walk before gave it; false when the
 * table is full and `frame` has to be dropped.
 */
export function confirm(emulation: Emulation, frame: Frame): boolean {
  const { packet, outcome, connections } = emulation.dataplane;
  if (frame.attached === 1) return true;
  connections.now = emulation.now;
  if (!emulation.translation.confirm()) return false;
  if (outcome.connectionMark !== packet.connectionMark && connections.slot >= 0)
    conntrack.setConnectionMark(connections, outcome.connectionMark);
  return true;
}
