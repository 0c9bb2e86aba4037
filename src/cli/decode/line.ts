/**
 * One packet as one line, in the manner of tcpdump:
 *
 *   TIME [vlan N,] IP A.P (NAME) > B.P (NAME): WHAT
 *   TIME IP A.P > B.P: VXLAN, vni N, tag 0xNNNN (APP) [G,I], IP A.P (APP) > B.P (APP): WHAT
 *
 * What tcpdump -n prints for a header is printed in the same words, so that eyes and scripts need not learn new ones. In
 * square brackets stand what tcpdump leaves to -v: wrong checksums, headers refused, octets that the capture cut off.
 */

import { printable, shorten } from '../text.ts';
import { icmp6Text, icmpText } from './icmp-text.ts';
import type { DecodedArp, DecodedIp4, DecodedIp6, DecodedPacket, DecodedStack, DecodedVxlan } from './model.ts';
import { protocolName } from './protocols.ts';
import { timestampText } from './time.ts';

export interface LineOptions {
  /** Say of a refused header what is wrong with it, in a sentence. */
  readonly explainFaults: boolean;
}

/** Names longer than this would hide the packet. */
const NAME_WIDTH = 40;
const ETHER_TYPES: Readonly<Record<number, string>> = {
  2114: 'wake-on-LAN',
  32821: 'RARP',
  33024: 'VLAN',
  34887: 'MPLS',
  34888: 'MPLS multicast',
  34915: 'PPPoE discovery',
  34916: 'PPPoE session',
  34958: 'EAPOL',
  34984: 'service VLAN',
  35020: 'LLDP',
  35045: 'MACsec',
  35063: 'PTP',
};

/** `packet` as one line, without the line end; safe to print. */
export function lineOf(packet: DecodedPacket, options: LineOptions): string {
  const time = timestampText(packet.timestamp, packet.timestampDigits);
  const outer = stackText(packet.outer, packet, options);
  const inside =
    packet.vxlan === null || packet.inner === null
      ? ''
      : `VXLAN, ${vxlanText(packet.vxlan)}, ${stackText(packet.inner, packet, options)}`;
  const cut =
    packet.capturedLength < packet.originalLength
      ? ` [captured ${packet.capturedLength} of ${packet.originalLength} octets]`
      : '';
  return `${time} ${outer}${inside}${cut}`;
}

/** The outer packet of a VXLAN frame ends with its addresses; what it carries follows. */
function stackText(stack: DecodedStack, packet: DecodedPacket, options: LineOptions): string {
  const carries = packet.vxlan !== null && stack === packet.outer;
  const what = carries ? '' : contentText(stack, packet);
  const notes = notesOf(stack, options);
  const end = carries && notes !== '' ? `${notes.trimStart()} ` : notes;
  return `${vlanText(stack)}${networkText(stack)}${what}${end}`;
}

const vlanText = (stack: DecodedStack): string =>
  stack.vlans
    .map(({ identifier, priority }) => `vlan ${identifier}${priority === 0 ? '' : ` p ${priority}`}, `)
    .join('');

/** A name behind what it names. */
const named = (name: string | null): string => (name === null ? '' : ` (${printable(shorten(name, NAME_WIDTH))})`);

/** `IP A.P > B.P: `; empty for packets without IP. */
function networkText(stack: DecodedStack): string {
  const ip = stack.ip4 ?? stack.ip6;
  if (ip === null) return '';
  const ports = stack.tcp ?? stack.udp;
  const source = `${ip.source}${ports === null ? '' : `.${ports.sourcePort}`}${named(nameOf(ip, 'source'))}`;
  const target = `${ip.destination}${ports === null ? '' : `.${ports.destinationPort}`}${named(nameOf(ip, 'destination'))}`;
  return `${ip.version === 4 ? 'IP' : 'IP6'} ${source} > ${target}: `;
}

function nameOf(ip: DecodedIp4 | DecodedIp6, side: 'source' | 'destination'): string | null {
  if (ip.version === 6) return null;
  return side === 'source' ? ip.sourceName : ip.destinationName;
}

function contentText(stack: DecodedStack, packet: DecodedPacket): string {
  if (stack.arp !== null) return arpText(stack.arp, stack);
  if (stack.ip4 === null && stack.ip6 === null) return frameText(stack, packet);
  return `${transportText(stack)}${fragmentText(stack)}`;
}

function transportText(stack: DecodedStack): string {
  const { tcp, udp, icmp, icmp6, payloadLength } = stack;
  if (tcp !== null) return tcpText(stack);
  if (udp !== null) return `UDP, length ${udp.length === 0 ? payloadLength : udp.length - 8}`;
  if (icmp !== null) return icmpText(icmp, payloadLength + 8);
  if (icmp6 !== null) return icmp6Text(icmp6, payloadLength + 8);
  return `${protocolName(stack.protocol ?? 0)}, length ${payloadLength}`;
}

function tcpText({ tcp, payloadLength }: DecodedStack): string {
  if (tcp === null) return '';
  const { sequenceNumber: sequence, flagLetters } = tcp;
  const parts = [`Flags [${flagLetters === '' ? 'none' : flagLetters}]`];
  if (payloadLength > 0) parts.push(`seq ${sequence}:${(sequence + payloadLength) % 0x1_0000_0000}`);
  else if (/[SFR]/.test(flagLetters)) parts.push(`seq ${sequence}`);
  if (flagLetters.includes('.')) parts.push(`ack ${tcp.acknowledgmentNumber}`);
  parts.push(`win ${tcp.window}`);
  if (flagLetters.includes('U')) parts.push(`urg ${tcp.urgentPointer}`);
  if (tcp.options.length > 0) parts.push(`options [${tcp.options.join(',')}]`);
  parts.push(`length ${payloadLength}`);
  return parts.join(', ');
}

/** As tcpdump wrote it before version 4: `(frag ID:SIZE@OFFSET+)`. */
function fragmentText({ ip4, ip6, fragment, payloadLength, tcp, udp, icmp, icmp6 }: DecodedStack): string {
  const at = fragment ?? ip4;
  if (at === null || (at.fragmentOffset === 0 && !at.moreFragments)) return '';
  const headers = (tcp?.headerLength ?? 0) + (udp === null && icmp === null && icmp6 === null ? 0 : 8);
  const size = ip4 === null || ip6 !== null ? payloadLength + headers : ip4.totalLength - ip4.headerLength;
  return ` (frag ${at.identification}:${size}@${at.fragmentOffset}${at.moreFragments ? '+' : ''})`;
}

const ARP_REQUEST = 1;
const ARP_REPLY = 2;

function arpText(arp: DecodedArp, stack: DecodedStack): string {
  // The whole frame behind its link header and tags, padding included, as tcpdump counts it.
  const length = 28 + stack.payloadLength;
  if (arp.operation === ARP_REQUEST) {
    return `ARP, Request who-has ${arp.targetProtocol} tell ${arp.senderProtocol}, length ${length}`;
  }
  if (arp.operation === ARP_REPLY) {
    return `ARP, Reply ${arp.senderProtocol} is-at ${arp.senderHardware}, length ${length}`;
  }
  return `ARP, operation ${arp.operation}, length ${length}`;
}

/** A frame of which no network header was read. */
function frameText(stack: DecodedStack, packet: DecodedPacket): string {
  const { ethernet, cooked, loopback, etherType, payloadLength } = stack;
  if (stack.fault !== null && etherType === null) return `frame, length ${payloadLength}`;
  if (etherType !== null) return `${etherTypeText(etherType)}, length ${payloadLength}`;
  if (ethernet !== null) return `${ethernet.source} > ${ethernet.destination}: 802.3, length ${payloadLength}`;
  if (cooked !== null) return `cooked protocol ${cooked.protocol}, length ${payloadLength}`;
  if (loopback !== null) return `loopback family ${loopback.family}, length ${payloadLength}`;
  return `link type ${packet.linkType}, length ${payloadLength}`;
}

function etherTypeText(type: number): string {
  const name = ETHER_TYPES[type];
  const number = `ethertype 0x${type.toString(16).padStart(4, '0')}`;
  return name === undefined ? number : `${number} (${name})`;
}

function vxlanText(vxlan: DecodedVxlan): string {
  const { groupPolicyId: id, app } = vxlan;
  const tag = `0x${id.toString(16).padStart(4, '0')}`;
  const parts = [`vni ${vxlan.vni}`];
  if (vxlan.groupPolicy) parts.push(`tag ${tag}${named(app)} [${[...vxlan.flagLetters].join(',')}]`);
  else parts.push(`${id === 0 ? '' : `id ${tag} without G `}[${[...vxlan.flagLetters].join(',')}]`);
  if (vxlan.reservedFlags !== 0) parts.push(`reserved flags 0x${vxlan.reservedFlags.toString(16).padStart(4, '0')}`);
  if (vxlan.reserved !== 0) parts.push(`reserved octet 0x${vxlan.reserved.toString(16).padStart(2, '0')}`);
  return parts.join(', ');
}

function notesOf(stack: DecodedStack, options: LineOptions): string {
  const notes: string[] = [];
  if (stack.ip4?.checksumStatus === 'bad') notes.push(badChecksum('ip', stack.ip4.checksum));
  for (const [name, header] of Object.entries({
    tcp: stack.tcp,
    udp: stack.udp,
    icmp: stack.icmp,
    icmp6: stack.icmp6,
  })) {
    if (header?.checksumStatus === 'bad') notes.push(badChecksum(name, header.checksum));
  }
  const { fault } = stack;
  if (fault?.cut === true) notes.push(`[|${fault.name.slice(0, fault.name.indexOf('_')).toLowerCase()}]`);
  else if (fault !== null)
    notes.push(`[malformed: ${fault.name}${options.explainFaults ? `, ${fault.sentence}` : ''}]`);
  return notes.map((note) => ` ${note}`).join('');
}

const badChecksum = (name: string, value: number): string =>
  `[bad ${name} checksum 0x${value.toString(16).padStart(4, '0')}]`;
