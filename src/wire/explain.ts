/**
 * explain: what a fault means, in words and numbers, worked out from the octets that caused it. Cold code, run for the
 * packets that somebody asks about.
 *
 * There are three kinds of sentence:
 *
 *     short     UDP header needs 8 octets at offset 34, only 4 are there (IPv4 total length)
 *     beyond    UDP length is 48 at offset 38, only 40 octets are there (IPv4 total length)
 *     value     UDP length is 4 at offset 38, at least 8 are needed
 */
import * as arp from './arp.ts';
import * as ethernet from './ethernet.ts';
import * as extension from './extension.ts';
import { FAULT, type Fault, layerOf } from './fault.ts';
import * as fragment6 from './fragment6.ts';
import * as icmp from './icmp.ts';
import * as icmp6 from './icmp6.ts';
import * as ipv4 from './ipv4.ts';
import * as ipv6 from './ipv6.ts';
import * as loopback from './loopback.ts';
import { PROTOCOL } from './protocol.ts';
import * as sll from './sll.ts';
import * as sll2 from './sll2.ts';
import type { Stack } from './stack.ts';
import * as tcp from './tcp.ts';
import * as udp from './udp.ts';
import * as vlan from './vlan.ts';
import * as vxlan from './vxlan.ts';

export interface Explanation {
  /** The header that was refused, as its file is called: `ipv4`, `udp`. */
  readonly layer: string;
  /** The field that is wrong, as the RFC spells it; `header` where the fixed part is cut. */
  readonly field: string;
  /** The value of the field; the octets that are there where the header is cut. */
  readonly got: number;
  /** What would have been right: the bound, or the only value. For lengths, the octets that are there. */
  readonly needed: number;
  /** Who made the claim that does not hold: `captured octets`, `IPv4 total length`, or the field itself. */
  readonly saidBy: string;
  /** Offset of the field, counted from `origin`. */
  readonly offset: number;
  readonly sentence: string;
}

/** What is wrong, before it is put into words. `rule` is absent for lengths that point behind the end. */
interface Finding {
  readonly field: string;
  readonly offset: number;
  readonly got: number;
  readonly needed: number;
  readonly rule?: string;
}

const TITLES: Readonly<Record<string, string>> = {
  ethernet: 'Ethernet',
  vlan: 'VLAN tag',
  sll: 'Linux cooked',
  sll2: 'Linux cooked v2',
  loopback: 'BSD loopback',
  ip: 'IP',
  arp: 'ARP',
  ipv4: 'IPv4',
  ipv6: 'IPv6',
  extension: 'IPv6 extension',
  fragment6: 'IPv6 fragment',
  icmp: 'ICMP',
  icmp6: 'ICMPv6',
  udp: 'UDP',
  tcp: 'TCP',
  vxlan: 'VXLAN',
};

/**
 * Explain `fault` of the header at `at` (`stack.faultAt`); `end` is the end it was checked against (`stack.end`). The
 * stack, when given, says which header set that end. Offsets in the answer count from `origin`, the first octet of the
 * frame. For FAULT.NONE the sentence is `nothing is wrong`.
 */
export function explain(
  fault: Fault,
  view: DataView,
  at: number,
  end: number,
  stack?: Readonly<Stack>,
  origin = 0,
): Explanation {
  const layer = layerOf(fault);
  if (fault === FAULT.NONE) {
    return { layer, field: '', got: 0, needed: 0, saidBy: '', offset: at - origin, sentence: 'nothing is wrong' };
  }
  const title = TITLES[layer]!;
  const length = fixedLength(fault);
  if (length > 0) {
    const inUdp = fault === FAULT.VXLAN_SHORT && stack !== undefined;
    const got = Math.max(0, (inUdp ? Math.min(end, udp.payloadEnd(view, stack.transport)) : end) - at);
    const saidBy = inUdp ? 'UDP length' : whoEnds(at, stack);
    const sentence = `${title} header needs ${octets(length)} at offset ${at - origin}, only ${areThere(got)} (${saidBy})`;
    return { layer, field: 'header', got, needed: length, saidBy, offset: at - origin, sentence };
  }
  const { field, offset, got, needed, rule } = find(fault, view, at, end, stack);
  const where = `${title} ${field} is ${got} at offset ${offset - origin}`;
  if (rule !== undefined) {
    const saidBy = `${title} ${field}`;
    return { layer, field, got, needed, saidBy, offset: offset - origin, sentence: `${where}, ${rule}` };
  }
  // A length that fits on the wire was held against the captured octets, any other against the wire.
  const missing = stack === undefined ? 0 : Math.max(0, stack.wireEnd - end);
  const cut = missing > 0 && got <= needed + missing;
  const room = cut ? needed : needed + missing;
  const saidBy = cut ? CAPTURED : whoEnds(at, stack, missing > 0);
  const sentence = `${where}, only ${areThere(room)} (${saidBy})`;
  return { layer, field, got, needed: room, saidBy, offset: offset - origin, sentence };
}

const CAPTURED = 'captured octets';

const octets = (count: number): string => (count === 1 ? '1 octet' : `${count} octets`);
const areThere = (count: number): string => `${octets(count)} ${count === 1 ? 'is' : 'are'} there`;

/** Which claim set the end that the header at `at` was held against. */
function whoEnds(at: number, stack: Readonly<Stack> | undefined, onWire = false): string {
  if (stack === undefined || (!onWire && stack.wireEnd > stack.end)) return CAPTURED;
  if (stack.network < 0 || at <= stack.network) return 'frame length';
  return stack.version === 4 ? 'IPv4 total length' : 'IPv6 payload length';
}

/** Octets of the fixed part that is cut, 0 for faults that are not about that. */
function fixedLength(fault: Fault): number {
  switch (fault) {
    case FAULT.ETHERNET_SHORT:
      return ethernet.HEADER_LENGTH;
    case FAULT.VLAN_SHORT:
      return vlan.HEADER_LENGTH;
    case FAULT.SLL_SHORT:
      return sll.HEADER_LENGTH;
    case FAULT.SLL2_SHORT:
      return sll2.HEADER_LENGTH;
    case FAULT.LOOPBACK_SHORT:
      return loopback.HEADER_LENGTH;
    case FAULT.IP_SHORT:
      return 1;
    case FAULT.ARP_SHORT:
      return arp.HEADER_LENGTH;
    case FAULT.IPV4_SHORT:
      return ipv4.HEADER_LENGTH;
    case FAULT.IPV6_SHORT:
      return ipv6.HEADER_LENGTH;
    case FAULT.EXTENSION_SHORT:
      return extension.HEADER_LENGTH;
    case FAULT.FRAGMENT6_SHORT:
      return fragment6.HEADER_LENGTH;
    case FAULT.ICMP_SHORT:
      return icmp.HEADER_LENGTH;
    case FAULT.ICMP6_SHORT:
      return icmp6.HEADER_LENGTH;
    case FAULT.UDP_SHORT:
      return udp.HEADER_LENGTH;
    case FAULT.TCP_SHORT:
      return tcp.HEADER_LENGTH;
    case FAULT.VXLAN_SHORT:
      return vxlan.HEADER_LENGTH;
    default:
      return 0;
  }
}

const atLeast = (field: string, offset: number, got: number, needed: number): Finding => ({
  field,
  offset,
  got,
  needed,
  rule: `at least ${needed} are needed`,
});
const exactly = (field: string, offset: number, got: number, needed: number): Finding => ({
  field,
  offset,
  got,
  needed,
  rule: `it must be ${needed}`,
});
const beyond = (field: string, offset: number, got: number, needed: number): Finding => ({
  field,
  offset,
  got,
  needed,
});

/** The faults that speak of a field, one by one. */
function find(fault: Fault, view: DataView, at: number, end: number, stack?: Readonly<Stack>): Finding {
  const room = end - at;
  switch (fault) {
    case FAULT.IP_VERSION_NOT_4_OR_6:
      return { ...exactly('version', at, view.getUint8(at) >>> 4, 4), rule: 'it must be 4 or 6' };
    case FAULT.ARP_HARDWARE_LENGTH_NOT_6:
      return exactly('hardware address length', at + 4, arp.hardwareLength(view, at), 6);
    case FAULT.ARP_PROTOCOL_LENGTH_NOT_4:
      return exactly('protocol address length', at + 5, arp.protocolLength(view, at), 4);
    case FAULT.IPV4_VERSION_NOT_4:
      return exactly('version', at, ipv4.version(view, at), 4);
    case FAULT.IPV4_IHL_BELOW_5:
      return atLeast('IHL', at, ipv4.ihl(view, at), 5);
    case FAULT.IPV4_IHL_BEYOND_END:
      return beyond('header length', at, ipv4.headerLength(view, at), room);
    case FAULT.IPV4_TOTAL_LENGTH_BELOW_HEADER:
      return atLeast('total length', at + 2, ipv4.totalLength(view, at), ipv4.headerLength(view, at));
    case FAULT.IPV4_TOTAL_LENGTH_BEYOND_END:
      return beyond('total length', at + 2, ipv4.totalLength(view, at), room);
    case FAULT.IPV4_OPTION_LENGTH_BELOW_2:
    case FAULT.IPV4_OPTION_BEYOND_HEADER:
      return option(view, ipv4.badOption(view, at), ipv4.payloadStart(view, at));
    case FAULT.IPV6_VERSION_NOT_6:
      return exactly('version', at, ipv6.version(view, at), 6);
    case FAULT.IPV6_PAYLOAD_LENGTH_BEYOND_END:
      return beyond('payload length', at + 4, ipv6.payloadLength(view, at), room - ipv6.HEADER_LENGTH);
    case FAULT.IPV6_JUMBO_MISSING:
      return { ...exactly('payload length', at + 4, 0, 1), rule: 'but no jumbo payload option follows' };
    case FAULT.IPV6_JUMBO_BELOW_65536:
    case FAULT.IPV6_JUMBO_BEYOND_END:
      return jumbo(fault, view, ipv6.payloadStart(view, at), end);
    case FAULT.EXTENSION_LENGTH_BEYOND_END: {
      const protocol = stack?.protocol ?? PROTOCOL.DESTINATION;
      return beyond('header length', at + 1, extension.headerLength(view, at, protocol), room);
    }
    case FAULT.EXTENSION_OPTION_BEYOND_HEADER: {
      const bad = extension.badOption(view, at, PROTOCOL.DESTINATION);
      return option(view, bad, extension.payloadStart(view, at, PROTOCOL.DESTINATION), 0);
    }
    case FAULT.EXTENSION_HOP_BY_HOP_NOT_FIRST:
      return {
        ...exactly('header type', at, 0, 0),
        rule: 'hop-by-hop options must stand directly behind the IPv6 header',
      };
    case FAULT.EXTENSION_CHAIN_TOO_LONG:
      return chain(at, stack === undefined ? at : stack.network + ipv6.HEADER_LENGTH);
    case FAULT.UDP_LENGTH_BELOW_HEADER:
      return atLeast('length', at + 4, udp.length(view, at), udp.HEADER_LENGTH);
    case FAULT.UDP_LENGTH_BEYOND_END:
      return beyond('length', at + 4, udp.length(view, at), room);
    case FAULT.TCP_DATA_OFFSET_BELOW_5:
      return atLeast('data offset', at + 12, tcp.dataOffset(view, at), 5);
    case FAULT.TCP_DATA_OFFSET_BEYOND_END:
      return beyond('header length', at + 12, tcp.headerLength(view, at), room);
    default:
      return option(view, tcp.badOption(view, at, end), Math.min(tcp.payloadStart(view, at), end));
  }
}

/** An option whose length octet is too small, points behind the header, or is missing. `least` is 2 or, for IPv6, 0. */
function option(view: DataView, at: number, headerEnd: number, least = 2): Finding {
  if (at + 1 >= headerEnd)
    return { ...exactly('option kind', at, view.getUint8(at), 0), rule: 'its length is missing' };
  const length = view.getUint8(at + 1);
  if (length < least) return atLeast('option length', at + 1, length, least);
  // IPv6 options count neither type nor length in their length, those of IPv4 and TCP count both.
  const room = headerEnd - at - (2 - least);
  return { ...exactly('option length', at + 1, length, room), rule: `only ${octets(room)} are left in the header` };
}

function jumbo(fault: Fault, view: DataView, at: number, end: number): Finding {
  const option = extension.jumboOption(view, at);
  const length = extension.jumboPayloadLength(view, option);
  if (fault === FAULT.IPV6_JUMBO_BELOW_65536) return atLeast('jumbo payload length', option + 2, length, 65_536);
  return beyond('jumbo payload length', option + 2, length, end - at);
}

function chain(at: number, first: number): Finding {
  const rule = 'no more than 32 headers in 2048 octets are followed';
  return { ...exactly('chain length', at, at - first, 2048), rule };
}
