/**
 * Which field of tshark says the same as which field of `decode`, header by header, and how one packet of tshark is taken
 * apart into headers.
 */
import type { DecodedStack } from '../../src/cli/decode/model.ts';
import { formatIpv6, parseIpv6 } from '../../src/wire/address.ts';

export type HeaderName =
  | 'ethernet'
  | 'cooked'
  | 'loopback'
  | 'vlans'
  | 'arp'
  | 'ip4'
  | 'ip6'
  | 'fragment'
  | 'udp'
  | 'tcp'
  | 'icmp'
  | 'icmp6'
  | 'vxlan';

interface Header {
  /** tshark's protocol. */
  readonly protocol: string;
  /** Ours to theirs. */
  readonly fields: Readonly<Record<string, string>>;
}

export const HEADERS: Readonly<Record<HeaderName, Header>> = {
  ethernet: { protocol: 'eth', fields: { source: 'eth.src', destination: 'eth.dst' } },
  cooked: { protocol: 'sll', fields: { packetType: 'sll.pkttype', hardwareType: 'sll.hatype' } },
  loopback: { protocol: 'null', fields: {} },
  vlans: {
    protocol: 'vlan',
    fields: { priority: 'vlan.priority', dropEligible: 'vlan.dei', identifier: 'vlan.id' },
  },
  arp: {
    protocol: 'arp',
    fields: {
      hardwareType: 'arp.hw.type',
      protocolType: 'arp.proto.type',
      operation: 'arp.opcode',
      senderHardware: 'arp.src.hw_mac',
      senderProtocol: 'arp.src.proto_ipv4',
      targetHardware: 'arp.dst.hw_mac',
      targetProtocol: 'arp.dst.proto_ipv4',
    },
  },
  ip4: {
    protocol: 'ip',
    fields: {
      version: 'ip.version',
      source: 'ip.src',
      destination: 'ip.dst',
      headerLength: 'ip.hdr_len',
      totalLength: 'ip.len',
      identification: 'ip.id',
      reservedFlag: 'ip.flags.rb',
      dontFragment: 'ip.flags.df',
      moreFragments: 'ip.flags.mf',
      fragmentOffset: 'ip.frag_offset',
      timeToLive: 'ip.ttl',
      protocol: 'ip.proto',
      dscp: 'ip.dsfield.dscp',
      ecn: 'ip.dsfield.ecn',
      checksum: 'ip.checksum',
      checksumStatus: 'ip.checksum.status',
    },
  },
  ip6: {
    protocol: 'ipv6',
    fields: {
      version: 'ipv6.version',
      source: 'ipv6.src',
      destination: 'ipv6.dst',
      payloadLength: 'ipv6.plen',
      nextHeader: 'ipv6.nxt',
      hopLimit: 'ipv6.hlim',
      dscp: 'ipv6.tclass.dscp',
      ecn: 'ipv6.tclass.ecn',
      flowLabel: 'ipv6.flow',
    },
  },
  fragment: {
    protocol: 'ipv6.fraghdr',
    fields: {
      nextHeader: 'ipv6.fraghdr.nxt',
      fragmentOffset: 'ipv6.fraghdr.offset',
      moreFragments: 'ipv6.fraghdr.more',
      identification: 'ipv6.fraghdr.ident',
    },
  },
  udp: {
    protocol: 'udp',
    fields: {
      sourcePort: 'udp.srcport',
      destinationPort: 'udp.dstport',
      length: 'udp.length',
      checksum: 'udp.checksum',
      checksumStatus: 'udp.checksum.status',
    },
  },
  tcp: {
    protocol: 'tcp',
    fields: {
      sourcePort: 'tcp.srcport',
      destinationPort: 'tcp.dstport',
      sequenceNumber: 'tcp.seq_raw',
      acknowledgmentNumber: 'tcp.ack_raw',
      headerLength: 'tcp.hdr_len',
      reserved: 'tcp.flags',
      flags: 'tcp.flags',
      window: 'tcp.window_size_value',
      urgentPointer: 'tcp.urgent_pointer',
      checksum: 'tcp.checksum',
      checksumStatus: 'tcp.checksum.status',
    },
  },
  icmp: {
    protocol: 'icmp',
    fields: {
      type: 'icmp.type',
      code: 'icmp.code',
      checksum: 'icmp.checksum',
      checksumStatus: 'icmp.checksum.status',
      identifier: 'icmp.ident',
      sequenceNumber: 'icmp.seq',
      mtu: 'icmp.mtu',
      address: 'icmp.redir_gw',
    },
  },
  icmp6: {
    protocol: 'icmpv6',
    fields: {
      type: 'icmpv6.type',
      code: 'icmpv6.code',
      checksum: 'icmpv6.checksum',
      checksumStatus: 'icmpv6.checksum.status',
      identifier: 'icmpv6.echo.identifier',
      sequenceNumber: 'icmpv6.echo.sequence_number',
      mtu: 'icmpv6.mtu',
    },
  },
  vxlan: {
    protocol: 'vxlan',
    fields: {
      flags: 'vxlan.flags',
      groupPolicyId: 'vxlan.gbp',
      vni: 'vxlan.vni',
      dontLearn: 'vxlan.flag_d',
      policyApplied: 'vxlan.flag_a',
      reserved: 'vxlan.reserved8',
    },
  },
};

/** Without `frame.encap_type` a frame is a pcapng block that holds no packet, which tshark numbers like one. */
const FRAME_FIELDS = ['frame.encap_type', 'frame.protocols', 'frame.len', 'frame.cap_len', 'frame.time_epoch'];
/** What `readFields` is asked for. */
export const FIELDS: readonly string[] = [
  ...FRAME_FIELDS,
  ...new Set(Object.values(HEADERS).flatMap(({ fields }) => Object.values(fields))),
];
const COLUMN = new Map(FIELDS.map((field, index) => [field, index]));

/** Fields of one header, by tshark's names; a field that tshark could not read is empty. */
export type TsharkHeader = Readonly<Record<string, string>>;
export type TsharkStack = Partial<Record<HeaderName, TsharkHeader[]>>;

export interface TsharkPacket {
  readonly protocols: string;
  readonly length: number;
  readonly capturedLength: number;
  /** Nanoseconds since 1970, as text. */
  readonly timestamp: string;
  readonly outer: TsharkStack;
  readonly inner: TsharkStack | null;
  readonly vxlan: TsharkHeader | null;
}

const NAME_OF = new Map(
  (Object.entries(HEADERS) as [HeaderName, Header][]).map(([name, { protocol }]) => [protocol, name]),
);
const LINKS = ['eth', 'sll', 'null', 'raw'];
const NETWORKS = ['ip', 'ipv6', 'arp'];
const TRANSPORTS = ['udp', 'tcp', 'icmp', 'icmpv6'];
const EXTENSIONS = ['ipv6.hopopts', 'ipv6.routing', 'ipv6.dstopts', 'ah'];

/** Which headers may follow; a token out of turn is a layer that `decode` does not look into, and ends the reading. */
function rank(protocol: string, isInside: boolean): number {
  if (LINKS.includes(protocol)) return isInside && protocol !== 'eth' ? 0 : 1;
  if (protocol === 'vlan') return 2;
  if (NETWORKS.includes(protocol)) return 3;
  if (EXTENSIONS.includes(protocol) || protocol === 'ipv6.fraghdr') return 4;
  return TRANSPORTS.includes(protocol) ? 5 : 0;
}

export function takeApart(values: readonly string[]): TsharkPacket {
  const column = (field: string): string => values[COLUMN.get(field)!] ?? '';
  const used = new Map<string, number>();
  const headerAt = (protocol: string): TsharkHeader => {
    const index = used.get(protocol) ?? 0;
    used.set(protocol, index + 1);
    const names = Object.values(HEADERS[NAME_OF.get(protocol)!].fields);
    return Object.fromEntries(names.map((name) => [name, column(name).split(',')[index] ?? '']));
  };
  const outer: TsharkStack = {};
  let inner: TsharkStack | null = null;
  let vxlan: TsharkHeader | null = null;
  let stack = outer;
  let last = 0;
  for (const protocol of column('frame.protocols').split(':')) {
    if (protocol === 'ethertype') continue;
    if (protocol === 'vxlan' && last === 5 && inner === null && stack.udp !== undefined) {
      vxlan = headerAt(protocol);
      inner = {};
      stack = inner;
      last = 0;
      continue;
    }
    // The authentication header over IPv4 is a protocol like any other, which ends the walk.
    if (protocol === 'ah' && stack.ip4 !== undefined) break;
    const next = rank(protocol, inner !== null);
    const repeats = next === last && (next === 2 || next === 4);
    if (next === 0 || (next <= last && !repeats)) break;
    last = next;
    const name = NAME_OF.get(protocol);
    if (name === undefined) continue;
    const list = stack[name] ?? [];
    stack[name] = list;
    list.push(headerAt(protocol));
  }
  const [seconds, fraction = ''] = column('frame.time_epoch').split('.');
  return {
    protocols: column('frame.protocols'),
    length: Number(column('frame.len')),
    capturedLength: Number(column('frame.cap_len')),
    timestamp: String(BigInt(seconds!) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9))),
    outer,
    inner,
    vxlan,
  };
}

/** Our headers of one name in a stack, as a list. */
export function ourHeaders(stack: DecodedStack, name: HeaderName): readonly object[] {
  if (name === 'vlans') return stack.vlans;
  const header = stack[name as keyof DecodedStack];
  return typeof header === 'object' && header !== null ? [header] : [];
}

/** Wireshark's proto_checksum_status: 0 bad, 1 good, 2 unverified, 3 not present, 4 illegal. */
const STATUSES: Readonly<Record<string, number>> = { bad: 0, good: 1, unverified: 2, absent: 3, partial: 0 };

/** A value of ours as tshark would print it, numbers in decimal; null is empty. */
export function ourText(field: string, value: unknown): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'string') return field === 'checksumStatus' ? String(STATUSES[value]) : value;
  return typeof value === 'number' ? String(value) : '';
}

/** A value of tshark's as `ourText` writes it: numbers in decimal, offsets in octets, addresses in RFC 5952's form. */
export function theirText(header: HeaderName, field: string, text: string): string {
  if (text === '') return '';
  if (header === 'ip6' && (field === 'source' || field === 'destination')) return formatIpv6(parseIpv6(text) ?? []);
  if (!/^(?:0x[0-9a-f]+|[0-9]+)$/.test(text)) return text;
  const value = Number(text);
  if (field === 'fragmentOffset') return String(value * 8);
  if (header === 'tcp' && field === 'flags') return String(value & 0xff);
  return header === 'tcp' && field === 'reserved' ? String(value >>> 8) : String(value);
}
