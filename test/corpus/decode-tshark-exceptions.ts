/**
 * Where `decode` and tshark differ on purpose. Every exception is narrow, has a reason outside both programs, is listed in
 * docs/decode.md under its name, and must be met in the corpus: one that no packet needs any more fails the test.
 */
import type { CaptureErrorCode } from '../../src/capture/error.ts';
import { ETHER_TYPE, PROTOCOL } from '../../src/wire/protocol.ts';
import type { Difference } from './decode-tshark-compare.ts';

export interface Exception {
  readonly name: string;
  readonly reason: string;
  readonly explains: (difference: Difference) => boolean;
}

/** Layers in the order in which they follow each other. */
const ORDER = [
  'ethernet',
  'cooked',
  'loopback',
  'vlans',
  'arp',
  'ip4',
  'ip6',
  'fragment',
  'tcp',
  'udp',
  'icmp',
  'icmp6',
];
const LAYER_OF_FAULT: Readonly<Record<string, string>> = {
  ETHERNET: 'ethernet',
  SLL: 'cooked',
  VLAN: 'vlans',
  ARP: 'arp',
  IPV4: 'ip4',
  IPV6: 'ip6',
  EXTENSION: 'fragment',
  FRAGMENT6: 'fragment',
  TCP: 'tcp',
  UDP: 'tcp',
  ICMP: 'tcp',
  ICMP6: 'tcp',
  VXLAN: 'vxlan',
};

const isMissing = ({ field, ours, theirs }: Difference): boolean =>
  field === 'present' && ours === 'false' && theirs === 'true';

/** tshark shows what it can of a header that `decode` refused, and of the headers behind it. */
function isBehindFault(difference: Difference, fault: string): boolean {
  const { stack, header } = difference;
  if (!isMissing(difference) || stack.fault?.name !== fault) return false;
  const layer = LAYER_OF_FAULT[fault.slice(0, fault.indexOf('_'))]!;
  return header === 'vxlan' || ORDER.indexOf(header) >= ORDER.indexOf(layer);
}

const KERNEL = 'the kernel drops it (measured, see the oracle captures)';

/** Why a packet with the fault is refused, and so shown no further. */
const REFUSED: Readonly<Record<string, string>> = {
  ETHERNET_SHORT: 'IEEE 802.3 clause 3.2: 14 octets',
  VLAN_SHORT: 'IEEE 802.1Q clause 9.6: 4 octets',
  ARP_SHORT: 'RFC 826; 28 octets for IPv4 over Ethernet',
  ARP_HARDWARE_LENGTH_NOT_6: 'RFC 826 over Ethernet',
  ARP_PROTOCOL_LENGTH_NOT_4: 'RFC 826 for IPv4',
  IPV4_SHORT: `RFC 791 section 3.1: 20 octets; ${KERNEL}`,
  IPV4_VERSION_NOT_4: `RFC 1122 section 3.2.1.1: silently discard; ${KERNEL}`,
  IPV4_IHL_BELOW_5: `RFC 791 section 3.1: the minimum is 5; ${KERNEL}`,
  IPV4_TOTAL_LENGTH_BELOW_HEADER: `ip_rcv, net/ipv4/ip_input.c; ${KERNEL}`,
  IPV4_TOTAL_LENGTH_BEYOND_END: `ip_rcv, net/ipv4/ip_input.c; ${KERNEL}`,
  IPV4_OPTION_LENGTH_BELOW_2: `__ip_options_compile, net/ipv4/ip_options.c; ${KERNEL}`,
  IPV4_OPTION_BEYOND_HEADER: `__ip_options_compile, net/ipv4/ip_options.c; ${KERNEL}`,
  IPV6_PAYLOAD_LENGTH_BEYOND_END: `ip6_rcv_core, net/ipv6/ip6_input.c; ${KERNEL}`,
  IPV6_JUMBO_BEYOND_END: 'RFC 2675 section 3',
  EXTENSION_OPTION_BEYOND_HEADER: 'RFC 8200 section 4.2; ip6_parse_tlv, net/ipv6/exthdrs.c',
  EXTENSION_HOP_BY_HOP_NOT_FIRST: 'RFC 8200 section 4.1: only directly behind the IPv6 header',
  UDP_SHORT: `RFC 768: 8 octets; ${KERNEL}`,
  UDP_LENGTH_BELOW_HEADER: `RFC 768: the minimum is 8; ${KERNEL}`,
  UDP_LENGTH_BEYOND_END: `__udp4_lib_rcv, net/ipv4/udp.c; ${KERNEL}`,
  TCP_SHORT: `RFC 9293 section 3.1: 20 octets; ${KERNEL}`,
  TCP_DATA_OFFSET_BELOW_5: `RFC 9293 section 3.1; ${KERNEL}`,
  TCP_DATA_OFFSET_BEYOND_END: `tcp_v4_rcv, net/ipv4/tcp_ipv4.c; ${KERNEL}`,
  ICMP_SHORT: `RFC 792: 8 octets; ${KERNEL}`,
  ICMP6_SHORT: 'RFC 4443 section 2.1; icmpv6_rcv, net/ipv6/icmp.c',
  VXLAN_SHORT: `RFC 7348 section 5: 8 octets; ${KERNEL}`,
};

const refused: Exception[] = Object.entries(REFUSED).map(([fault, reason]) => ({
  name: `refused ${fault}`,
  reason,
  explains: (difference) => isBehindFault(difference, fault),
}));

/** Link types whose records begin with octets that Wireshark takes off before it counts lengths and reads times. */
const PSEUDO_HEADERS = [177, 197];
/** Nanoseconds from the first packet of the file on which a number no longer holds every nanosecond. */
const EXACT = Number.MAX_SAFE_INTEGER;
const LARGEST_INT = 0x7fff_ffff;

const isTime = ({ header, field }: Difference): boolean => header === 'frame' && field === 'timestamp';
const isLength = ({ header, field }: Difference): boolean => header === 'frame' && field.endsWith('Length');

/** 1953631157 s and 4293562680 µs; 980658802 s and 1882137472 ns. */
const OVERFLOWING = ['1953635450562680000', '980658803882137472'];

const apart = ({ ours, theirs }: Difference): number => Math.abs(Number(BigInt(ours) - BigInt(theirs)));

const frames: Exception[] = [
  {
    name: 'pseudo-header of the link type',
    reason: 'LAPD and ERF records begin with a header of the recorder; it is part of the record as the file states it',
    explains: (one) => PSEUDO_HEADERS.includes(one.our.linkType) && (isTime(one) || isLength(one)),
  },
  {
    name: 'length above 2^31 - 1',
    reason: 'Wireshark cuts the original length to a signed 32-bit number; the file says more',
    explains: (one) => isLength(one) && Number(one.ours) > LARGEST_INT && Number(one.theirs) === LARGEST_INT,
  },
  {
    name: 'time more than 104 days from the first packet',
    reason:
      'bursts hold nanoseconds since the first packet as a number: exact for 104 days, 53 bits of the distance beyond',
    explains: (one) =>
      isTime(one) && Math.abs(one.sinceFirst) > EXACT && apart(one) <= Math.abs(one.sinceFirst) / 2 ** 52 + 500,
  },
  {
    name: 'fraction above a second',
    reason: 'two fuzzed records state 4,293,562,680 µs and 1,882,137,472 ns: decode carries over, Wireshark does not',
    explains: (one) => isTime(one) && OVERFLOWING.includes(one.ours),
  },
  {
    name: 'packet without a time',
    reason: 'Simple Packet Blocks have no time (pcapng section 4.4): decode repeats the one before, tshark has none',
    explains: (one) => isTime(one) && one.theirs === '0',
  },
];

/** A route option with one stop takes 7 octets, padded to 8. */
const hasSourceRoute = ({ stack }: Difference): boolean => (stack.ip4?.headerLength ?? 0) >= 28;

const layers: Exception[] = [
  {
    name: 'third VLAN tag',
    reason: 'two tags are walked (IEEE 802.1ad); what follows a third is not decoded',
    explains: (one) => isMissing(one) && one.stack.vlans.length === 2 && isVlan(one.stack.etherType),
  },
  {
    name: 'fragment header in a fragment',
    reason: 'no receiver looks behind it before it has reassembled the outer fragment (RFC 8200 section 4.5)',
    explains: (one) => isMissing(one) && one.stack.fragment !== null && one.stack.protocol === PROTOCOL.FRAGMENT,
  },
  {
    name: 'reverse ARP',
    reason: 'RFC 903 has its own EtherType, 0x8035, which tshark hands to its ARP dissector',
    explains: (one) => isMissing(one) && one.header === 'arp' && one.stack.etherType === 0x8035,
  },
  {
    name: 'ARP for other hardware',
    reason: 'the layout of RFC 826 is the same for all 6-octet addresses; tshark names them MAC for Ethernet only',
    explains: (one) =>
      one.header === 'arp' && one.field.endsWith('Hardware') && one.theirs === '' && one.stack.arp?.hardwareType !== 1,
  },
  {
    name: 'Cisco ISL',
    reason: 'a proprietary header that tshark recognises by the destination address; decode reads the Ethernet header',
    explains: (one) =>
      one.header === 'ethernet' && one.ours.startsWith('01:00:0c:00:00') && one.field === 'destination',
  },
  {
    name: 'source route, destination',
    reason: 'RFC 791 section 3.1: the header names the next stop; tshark shows the last stop of the option instead',
    explains: (one) => one.header === 'ip4' && one.field === 'destination' && hasSourceRoute(one),
  },
  {
    name: 'source route, checksum',
    reason:
      'Linux sums the address in the header (inet_compute_pseudo, include/net/ip.h); tshark the last of the option',
    explains: (one) =>
      (one.header === 'tcp' || one.header === 'udp') &&
      one.field === 'checksumStatus' &&
      hasSourceRoute(one) &&
      one.their[one.at === 'inner' ? 'inner' : 'outer']?.ip4?.[0]?.['ip.dst'] !== one.stack.ip4?.destination,
  },
  {
    name: 'routing header, checksum',
    reason: 'Linux sums the address in the header; tshark the last of the routing header (RFC 8200 section 8.1)',
    explains: (one) =>
      one.field === 'checksumStatus' &&
      one.ours === '0' &&
      one.stack.ip6?.extensions.includes(PROTOCOL.ROUTING) === true,
  },
  {
    name: 'UDP over IPv6 without a checksum',
    reason: 'RFC 6935 section 5 allows it for tunnels, so it is absent; tshark calls it illegal (status 4)',
    explains: (one) =>
      one.header === 'udp' &&
      one.field === 'checksumStatus' &&
      one.ours === '3' &&
      one.theirs === '4' &&
      one.stack.ip6 !== null,
  },
  {
    name: 'total length 0 of a segment above 64 KiB',
    reason:
      'BIG TCP (iph_totlen, include/linux/ip.h): the length is that of the frame; tshark stops reading the header',
    explains: (one) => {
      const outer = one.our.outer.ip4;
      return (
        outer?.totalLength === 0 && one.our.originalLength > 65_535 && (one.theirs === '' || one.theirs === 'false')
      );
    },
  },
];

const isVlan = (type: number | null): boolean => type === ETHER_TYPE.VLAN || type === ETHER_TYPE.SERVICE_VLAN;

export const EXCEPTIONS: readonly Exception[] = [...refused, ...frames, ...layers];

/** Files that the two programs do not read alike. */
export interface FileException {
  readonly name: string;
  readonly reason: string;
  readonly files: readonly RegExp[];
  /** What `decode` makes of them: all packets, or an error of this code. */
  readonly outcome: 'whole' | CaptureErrorCode;
}

export const FILE_EXCEPTIONS: readonly FileException[] = [
  {
    name: 'pcap version 2.5',
    reason:
      'libpcap refuses minor versions above 4 (sf-pcap.c), and this file is its own test of that; Wireshark reads it',
    files: [/libpcap\/tests\/pcap-invalid-version-2\.pcap$/],
    outcome: 'capture.version',
  },
  {
    name: 'link type unknown to Wireshark',
    reason: 'a link type is a number; records of one that nobody knows can still be counted and listed',
    files: [/frf16_magic_ie-oobr\.pcap$/, /vtp_asan(?:-[23])?\.pcap$/, /mp4-ftyp-styp-sidx\.pcap$/],
    outcome: 'whole',
  },
  {
    name: 'damaged plain file taken for a patched one',
    reason:
      'Wireshark guesses a 24-octet record header against the magic (libpcap.c); libpcap and decode believe the magic',
    files: [/bug-6875-01\/fuzz\.pcap$/],
    outcome: 'capture.corrupt',
  },
];

export const fileExceptionOf = (file: string): FileException | undefined =>
  FILE_EXCEPTIONS.find(({ files }) => files.some((pattern) => pattern.test(file)));
