/** TCP, UDP, ICMP and ICMPv6 of a located packet as plain data, with the packet that an ICMP error quotes. */
import { formatIpv4, formatIpv6At } from '../../wire/address.ts';
import * as icmp from '../../wire/icmp.ts';
import * as icmp6 from '../../wire/icmp6.ts';
import { CHECKSUM, type Checksum, transport as transportChecksum } from '../../wire/integrity.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import * as quotes from '../../wire/quote.ts';
import type { Stack } from '../../wire/stack.ts';
import * as tcp from '../../wire/tcp.ts';
import * as udp from '../../wire/udp.ts';
import type * as model from './model.ts';

type Transport = Pick<model.DecodedStack, 'tcp' | 'udp' | 'icmp' | 'icmp6'>;
type Network = Pick<model.DecodedQuote, 'ip4' | 'ip6'>;

const STATUS: Readonly<Record<Checksum, model.ChecksumStatus>> = {
  [CHECKSUM.NONE]: 'absent',
  [CHECKSUM.GOOD]: 'good',
  [CHECKSUM.BAD]: 'bad',
  [CHECKSUM.PARTIAL]: 'partial',
  [CHECKSUM.UNVERIFIABLE]: 'unverified',
};

/** In the order in which tcpdump writes them. */
const FLAG_LETTERS = [
  [tcp.FLAG.FIN, 'F'],
  [tcp.FLAG.SYN, 'S'],
  [tcp.FLAG.RST, 'R'],
  [tcp.FLAG.PSH, 'P'],
  [tcp.FLAG.ACK, '.'],
  [tcp.FLAG.URG, 'U'],
  [tcp.FLAG.ECE, 'E'],
  [tcp.FLAG.CWR, 'W'],
] as const;

const quote = quotes.create();

/** The transport header of `stack`; `network` decodes the IP header of a quoted packet. */
export function decodeTransport(
  view: DataView,
  stack: Readonly<Stack>,
  network: (quoted: Readonly<Stack>) => Network,
): Transport {
  const none: Transport = { tcp: null, udp: null, icmp: null, icmp6: null };
  if (stack.transport < 0) return none;
  const status = STATUS[transportChecksum(view, stack)];
  switch (stack.protocol) {
    case PROTOCOL.TCP:
      return { ...none, tcp: decodeTcp(view, stack, status) };
    case PROTOCOL.UDP:
      return { ...none, udp: decodeUdp(view, stack.transport, status) };
    case PROTOCOL.ICMP:
      return { ...none, icmp: decodeIcmp(view, stack, status, network) };
    default:
      return { ...none, icmp6: decodeIcmp6(view, stack, status, network) };
  }
}

function decodeTcp(view: DataView, stack: Readonly<Stack>, checksumStatus: model.ChecksumStatus): model.DecodedTcp {
  const at = stack.transport;
  const flags = tcp.flags(view, at);
  return {
    sourcePort: tcp.sourcePort(view, at),
    destinationPort: tcp.destinationPort(view, at),
    sequenceNumber: tcp.sequenceNumber(view, at),
    acknowledgmentNumber: tcp.acknowledgmentNumber(view, at),
    headerLength: tcp.headerLength(view, at),
    reserved: tcp.reserved(view, at),
    flags,
    flagLetters: FLAG_LETTERS.map(([bit, letter]) => ((flags & bit) === 0 ? '' : letter)).join(''),
    window: tcp.window(view, at),
    urgentPointer: tcp.urgentPointer(view, at),
    options: tcpOptions(view, tcp.optionsStart(view, at), Math.min(tcp.payloadStart(view, at), stack.end)),
    checksum: tcp.checksum(view, at),
    checksumStatus,
  };
}

/** The options in `[at, end)`, up to the end of the list or the first that does not fit. */
function tcpOptions(view: DataView, at: number, end: number): string[] {
  const found: string[] = [];
  let next = at;
  while (next < end) {
    const kind = view.getUint8(next);
    if (kind <= 1) {
      found.push(kind === 0 ? 'eol' : 'nop');
      if (kind === 0) break;
      next++;
      continue;
    }
    const length = next + 1 < end ? view.getUint8(next + 1) : 0;
    if (length < 2 || length > end - next) {
      found.push('[bad opt]');
      break;
    }
    found.push(tcpOption(view, next, kind, length));
    next += length;
  }
  return found;
}

/** One option that fits, in tcpdump's words; of an odd length, or unknown, as kind and octets. */
function tcpOption(view: DataView, at: number, kind: number, length: number): string {
  const { OPTION } = tcp;
  if (kind === OPTION.MAXIMUM_SEGMENT_SIZE && length === 4) return `mss ${view.getUint16(at + 2)}`;
  if (kind === OPTION.WINDOW_SCALE && length === 3) return `wscale ${view.getUint8(at + 2)}`;
  if (kind === OPTION.SACK_PERMITTED && length === 2) return 'sackOK';
  if (kind === OPTION.TIMESTAMPS && length === 10) {
    return `TS val ${view.getUint32(at + 2)} ecr ${view.getUint32(at + 6)}`;
  }
  if (kind === OPTION.SACK && length > 2 && (length - 2) % 8 === 0) {
    const blocks = Array.from({ length: (length - 2) / 8 }, (_, index) => at + 2 + 8 * index);
    return `sack ${blocks.length} ${blocks.map((block) => `{${view.getUint32(block)}:${view.getUint32(block + 4)}}`).join('')}`;
  }
  const octets = Array.from({ length: length - 2 }, (_, index) => view.getUint8(at + 2 + index));
  return `unknown-${kind}${octets.length === 0 ? '' : ` 0x${octets.map((one) => one.toString(16).padStart(2, '0')).join('')}`}`;
}

const decodeUdp = (view: DataView, at: number, checksumStatus: model.ChecksumStatus): model.DecodedUdp => ({
  sourcePort: udp.sourcePort(view, at),
  destinationPort: udp.destinationPort(view, at),
  length: udp.length(view, at),
  checksum: udp.checksum(view, at),
  checksumStatus,
});

/** Types that carry an identifier and a sequence number: echo, timestamp, information and address mask. */
const isQuery = (type: number): boolean =>
  type === icmp.TYPES.ECHO ||
  type === icmp.TYPES.ECHO_REPLY ||
  (type >= icmp.TYPES.TIMESTAMP && type <= icmp.TYPES.ADDRESS_MASK_REPLY);

const FRAGMENTATION_NEEDED = 4;

function decodeIcmp(
  view: DataView,
  stack: Readonly<Stack>,
  checksumStatus: model.ChecksumStatus,
  network: (quoted: Readonly<Stack>) => Network,
): model.DecodedIcmp {
  const at = stack.transport;
  const type = icmp.type(view, at);
  const code = icmp.code(view, at);
  const query = isQuery(type);
  const tooBig = type === icmp.TYPES.DESTINATION_UNREACHABLE && code === FRAGMENTATION_NEEDED;
  return {
    type,
    code,
    checksum: icmp.checksum(view, at),
    checksumStatus,
    identifier: query ? icmp.identifier(view, at) : null,
    sequenceNumber: query ? icmp.sequenceNumber(view, at) : null,
    address: type === icmp.TYPES.REDIRECT ? formatIpv4(icmp.gateway(view, at)) : null,
    mtu: tooBig ? icmp.nextHopMtu(view, at) : null,
    pointer: type === icmp.TYPES.PARAMETER_PROBLEM ? icmp.pointer(view, at) : null,
    quoted: decodeQuote(view, stack, network),
  };
}

function decodeIcmp6(
  view: DataView,
  stack: Readonly<Stack>,
  checksumStatus: model.ChecksumStatus,
  network: (quoted: Readonly<Stack>) => Network,
): model.DecodedIcmp {
  const at = stack.transport;
  const type = icmp6.type(view, at);
  const { TYPES } = icmp6;
  const isEcho = type === TYPES.ECHO_REQUEST || type === TYPES.ECHO_REPLY;
  const isNeighbor = type === TYPES.NEIGHBOR_SOLICITATION || type === TYPES.NEIGHBOR_ADVERTISEMENT;
  // RFC 4861 section 4.3: the 16 octets of the target address follow the header.
  const hasTarget = isNeighbor && stack.payload + 16 <= stack.end;
  return {
    type,
    code: icmp6.code(view, at),
    checksum: icmp6.checksum(view, at),
    checksumStatus,
    identifier: isEcho ? icmp6.identifier(view, at) : null,
    sequenceNumber: isEcho ? icmp6.sequenceNumber(view, at) : null,
    address: hasTarget ? formatIpv6At(view, stack.payload) : null,
    mtu: type === TYPES.PACKET_TOO_BIG ? icmp6.mtu(view, at) : null,
    pointer: type === TYPES.PARAMETER_PROBLEM ? icmp6.pointer(view, at) : null,
    quoted: decodeQuote(view, stack, network),
  };
}

function decodeQuote(
  view: DataView,
  stack: Readonly<Stack>,
  network: (quoted: Readonly<Stack>) => Network,
): model.DecodedQuote | null {
  quotes.locate(view, stack, quote);
  if (quote.stack.network < 0) return null;
  const { protocol } = quote.stack;
  const hasPorts = quote.valid === 1 && protocol !== PROTOCOL.ICMP && quote.sourcePort + quote.destinationPort > 0;
  return {
    ...network(quote.stack),
    protocol,
    sourcePort: hasPorts ? quote.sourcePort : null,
    destinationPort: hasPorts ? quote.destinationPort : null,
  };
}
