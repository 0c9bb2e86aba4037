/**
 * Whether one rule matches one packet: the meaning of every condition, in the kernel's order.
 *
 * Source: ip_packet_match (net/ipv4/netfilter/ip_tables.c), then net/netfilter/xt_{tcpudp,multiport,iprange,mark,connmark,
 * state,conntrack,addrtype}.c. iptables-nft (1.8.8 and later) loads tcp, udp and mark as native expressions, which do
 * not match where the kernel's own matches drop a packet whose header they cannot read; everything else, and a tcp or udp
 * match without conditions, goes through the same xt code on both (nft_compat).
 *
 * In a later fragment a native expression reads the octets that lie where the header would be (nft_payload_fast_eval does
 * not look at the offset), and so does hashlimit; the kernel's own tcp and udp matches never match there.
 *
 * Not modelled: addrtype's --limit-iface types (the packet carries its addresses' types in the whole routing table).
 */
import type { Backend, Miss } from './evaluator.ts';
import { covers, type InterfaceNames } from './interfaces.ts';
import { ask, METER, type Meters } from './meters.ts';
import { CTSTATE, type InterfaceName, type Masked, type Match, type NegatablePorts, type Rule } from './model.ts';
import type { Outcome, RulePacket } from './packet.ts';

type Of<K extends Match['kind']> = Extract<Match, { kind: K }>;

/** A packet with one of these states belongs to a connection; INVALID and UNTRACKED ones have no connection mark. */
const TRACKED = CTSTATE.ESTABLISHED | CTSTATE.RELATED | CTSTATE.NEW;
/** The states xt_state knows; it does not see SNAT and DNAT. */
export const STATES = TRACKED | CTSTATE.INVALID | CTSTATE.UNTRACKED;
const TCP = 6;
const UDP = 17;
const ICMP = 1;
/** Offset of the second fragment of a datagram that was cut behind the first 8 octets of its TCP header. */
const EVIL_OFFSET = 8;

export const hasConnection = (packet: RulePacket): boolean => (packet.ctstate & TRACKED) !== 0;

/** The first condition of `rule` (id `id`) that fails. Meters before it are charged, as in the kernel. */
export function miss(
  rule: Rule,
  id: number,
  packet: RulePacket,
  outcome: Outcome,
  interfaces: InterfaceNames,
  meters: Meters,
  backend: Backend,
): Miss {
  const failed = missIp(rule, packet, interfaces);
  if (failed !== '') return failed;
  let meter = meters.first[id]!;
  for (let index = 0; index < rule.matches.length; index += 1) {
    const match = rule.matches[index]!;
    if (match.kind === 'limit' || match.kind === 'hashlimit') {
      const answer = ask(meters.list[meter]!, packet);
      meter += 1;
      if (answer === METER.HOTDROP) return 'hotdrop';
      if (answer === METER.MISS) return match.kind;
      continue;
    }
    const why = missMatch(match, packet, outcome, backend);
    if (why !== '') return why;
  }
  return '';
}

function missIp(rule: Rule, packet: RulePacket, interfaces: InterfaceNames): Miss {
  const { source, destination, inInterface, outInterface, protocol, fragment } = rule.ip;
  if (source !== undefined && !inBlock(source, packet.source)) return 'source';
  if (destination !== undefined && !inBlock(destination, packet.destination)) return 'destination';
  if (inInterface !== undefined && !isInterface(inInterface, interfaces.name(packet.inInterface)))
    return 'in-interface';
  if (outInterface !== undefined && !isInterface(outInterface, interfaces.name(packet.outInterface))) {
    return 'out-interface';
  }
  // Protocol 0 is how the kernel spells "all".
  if (protocol !== undefined && protocol.number !== 0) {
    if ((protocol.number === packet.protocol) === protocol.negated) return 'protocol';
  }
  if (fragment !== undefined && (packet.fragmentOffset !== 0) === fragment.negated) return 'fragment';
  // The kernel loads such a rule only with -p tcp (ipt_REJECT.c reject_tg_check).
  const resets = rule.target.kind === 'REJECT' && rule.target.with === 'tcp-reset';
  return resets && packet.protocol !== TCP ? 'protocol' : '';
}

const inBlock = (block: Masked, address: number): boolean =>
  (((address ^ block.address) & block.mask) === 0) !== block.negated;
const isInterface = (wanted: InterfaceName, name: string): boolean => covers(wanted.name, name) !== wanted.negated;

function missMatch(
  match: Exclude<Match, Of<'limit' | 'hashlimit'>>,
  packet: RulePacket,
  outcome: Outcome,
  backend: Backend,
): Miss {
  switch (match.kind) {
    case 'tcp':
      return packet.protocol === TCP ? missTcp(match, packet, backend) : 'protocol';
    case 'udp':
      return packet.protocol === UDP ? missUdp(match, packet, backend) : 'protocol';
    case 'icmp':
      return packet.protocol === ICMP ? missIcmp(match, packet) : 'protocol';
    case 'multiport':
      return hasMultiport(packet.protocol) ? missMultiport(match, packet) : 'protocol';
    case 'iprange':
      return missRange(match, packet);
    case 'mark':
      return ((outcome.mark & match.mask) >>> 0 === match.value) === match.negated ? 'mark' : '';
    case 'connmark':
      if (!hasConnection(packet)) return 'connmark';
      return ((outcome.connectionMark & match.mask) >>> 0 === match.value) === match.negated ? 'connmark' : '';
    case 'state':
      return ((packet.ctstate & STATES & match.states) !== 0) === match.negated ? 'ctstate' : '';
    case 'conntrack':
      return ((packet.ctstate & match.states) !== 0) === match.negated ? 'ctstate' : '';
    case 'addrtype':
      return missTypes(match, packet);
    case 'comment':
      return '';
    case 'unknown':
      return 'unknown-match';
  }
}

/** Whether a port condition says anything: iptables writes an absent one as 0:65535. */
export const constrains = (ports: NegatablePorts | undefined): ports is NegatablePorts =>
  ports !== undefined && (ports.negated || ports.low > 0 || ports.high < 0xffff);

/** Whether iptables-nft loads this tcp or udp match as native expressions (iptables/nft.c add_nft_tcp, add_nft_udp). */
export const isNative = (match: Of<'tcp'> | Of<'udp'>, backend: Backend): boolean =>
  backend === 'nft' &&
  (constrains(match.sourcePorts) ||
    constrains(match.destinationPorts) ||
    (match.kind === 'tcp' && match.flags !== undefined && (match.flags.mask !== 0 || match.flags.negated)));

const outside = (ports: NegatablePorts | undefined, port: number): boolean =>
  ports !== undefined && (port >= ports.low && port <= ports.high) === ports.negated;

function missTcp(match: Of<'tcp'>, packet: RulePacket, backend: Backend): Miss {
  const native = isNative(match, backend);
  if (packet.fragmentOffset !== 0 && !native) {
    return packet.fragmentOffset === EVIL_OFFSET ? 'hotdrop' : 'transport-header';
  }
  if (packet.transport !== 1) {
    if (!native) return 'hotdrop';
    if (packet.transport === 0 || match.flags !== undefined) return 'transport-header';
  }
  if (outside(match.sourcePorts, packet.sourcePort)) return 'source-port';
  if (outside(match.destinationPorts, packet.destinationPort)) return 'destination-port';
  const flags = match.flags;
  if (flags !== undefined && ((packet.tcpFlags & flags.mask) === flags.set) === flags.negated) return 'tcp-flags';
  return '';
}

function missUdp(match: Of<'udp'>, packet: RulePacket, backend: Backend): Miss {
  const native = isNative(match, backend);
  if (packet.fragmentOffset !== 0 && !native) return 'transport-header';
  if (packet.transport !== 1) {
    if (!native) return 'hotdrop';
    if (packet.transport === 0) return 'transport-header';
  }
  if (outside(match.sourcePorts, packet.sourcePort)) return 'source-port';
  return outside(match.destinationPorts, packet.destinationPort) ? 'destination-port' : '';
}

function missIcmp(match: Of<'icmp'>, packet: RulePacket): Miss {
  if (packet.fragmentOffset !== 0) return 'transport-header';
  if (packet.transport !== 1) return 'hotdrop';
  const code = packet.icmpCode >= match.codeLow && packet.icmpCode <= match.codeHigh;
  const hit = match.type === 255 || (packet.icmpType === match.type && code);
  return hit === match.negated ? 'icmp-type' : '';
}

/** xt_multiport.c loads only for these: TCP, UDP, DCCP, SCTP, UDP-Lite. */
export const hasMultiport = (protocol: number): boolean =>
  protocol === TCP || protocol === UDP || protocol === 33 || protocol === 132 || protocol === 136;

function missMultiport(match: Of<'multiport'>, packet: RulePacket): Miss {
  if (packet.fragmentOffset !== 0) return 'transport-header';
  if (packet.transport === 0) return 'hotdrop';
  const source = match.which !== 'destination' && within(match, packet.sourcePort);
  const destination = match.which !== 'source' && within(match, packet.destinationPort);
  return (source || destination) === match.negated ? 'ports' : '';
}

function within(match: Of<'multiport'>, port: number): boolean {
  for (let index = 0; index < match.ranges.length; index += 1) {
    const range = match.ranges[index]!;
    if (port >= range.low && port <= range.high) return true;
  }
  return false;
}

function missRange(match: Of<'iprange'>, packet: RulePacket): Miss {
  const { source, destination } = match;
  if (source !== undefined) {
    if ((packet.source >= source.low && packet.source <= source.high) === source.negated) return 'source-range';
  }
  if (destination === undefined) return '';
  const inside = packet.destination >= destination.low && packet.destination <= destination.high;
  return inside === destination.negated ? 'destination-range' : '';
}

function missTypes(match: Of<'addrtype'>, packet: RulePacket): Miss {
  const { source, destination } = match;
  if (source !== undefined && ((packet.sourceType & source.types) !== 0) === source.negated) return 'source-type';
  if (destination === undefined) return '';
  return ((packet.destinationType & destination.types) !== 0) === destination.negated ? 'destination-type' : '';
}
