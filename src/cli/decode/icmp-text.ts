/**
 * ICMP and ICMPv6 messages in tcpdump's words (print-icmp.c, print-icmp6.c), with the quoted packet behind them.
 */
import type { DecodedIcmp, DecodedQuote } from './model.ts';
import { protocolName } from './protocols.ts';

/** RFC 792, RFC 950 and RFC 1256. */
const TYPES: Readonly<Record<number, string>> = {
  0: 'echo reply',
  4: 'source quench',
  8: 'echo request',
  9: 'router advertisement',
  10: 'router solicitation',
  13: 'time stamp query',
  14: 'time stamp reply',
  15: 'information request',
  16: 'information reply',
  17: 'address mask request',
  18: 'address mask reply',
};

/** Codes of destination unreachable: RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1. */
const UNREACHABLE: Readonly<Record<number, string>> = {
  0: 'net unreachable',
  1: 'host unreachable',
  4: 'unreachable - need to frag',
  5: 'unreachable - source route failed',
  6: 'net unreachable - unknown',
  7: 'host unreachable - unknown',
  8: 'unreachable - source host isolated',
  9: 'net unreachable - admin prohibited',
  10: 'host unreachable - admin prohibited',
  11: 'net unreachable - tos prohibited',
  12: 'host unreachable - tos prohibited',
  13: 'unreachable - admin prohibited filter',
  14: 'unreachable - host precedence violation',
  15: 'unreachable - precedence cutoff',
};

const REDIRECTED: Readonly<Record<number, string>> = { 0: 'net', 1: 'host', 2: 'tos net', 3: 'tos host' };

const echo = ({ identifier, sequenceNumber }: DecodedIcmp): string =>
  identifier === null ? '' : `, id ${identifier}, seq ${sequenceNumber}`;

/** `ICMP echo request, id 1, seq 2, length 64`. `length` counts the header. */
export function icmpText(icmp: DecodedIcmp, length: number): string {
  return `ICMP ${icmpWords(icmp)}, length ${length}${quotedText(icmp.quoted)}`;
}

function icmpWords(icmp: DecodedIcmp): string {
  const { type, code, quoted } = icmp;
  const target = quoted?.ip4?.destination;
  switch (type) {
    case 3:
      return target === undefined ? `unreachable, code ${code}` : unreachable(icmp, target, quoted);
    case 5:
      return `redirect ${target ?? '?'} to ${REDIRECTED[code] ?? `code ${code}`} ${icmp.address}`;
    case 11:
      return code === 0
        ? 'time exceeded in-transit'
        : code === 1
          ? 'ip reassembly time exceeded'
          : `time exceeded-#${code}`;
    case 12:
      return code === 0 ? `parameter problem - octet ${icmp.pointer}` : `parameter problem - code ${code}`;
    default:
      return `${TYPES[type] ?? `type-#${type}`}${echo(icmp)}`;
  }
}

function unreachable({ code, mtu }: DecodedIcmp, target: string, quoted: DecodedQuote | null): string {
  const protocol = quoted?.protocol ?? 0;
  if (code === 2) return `${target} protocol ${protocol} unreachable`;
  if (code === 3) {
    const port = quoted?.destinationPort ?? null;
    return `${target} ${port === null ? `protocol ${protocol} port` : `${protocolName(protocol)} port ${port}`} unreachable`;
  }
  const reason = UNREACHABLE[code] ?? `#${code} unreachable`;
  const words = code === 0 || code === 6 || code === 9 || code === 11 ? `net ${target} ${reason.slice(4)}` : null;
  const host = /^host /.test(reason) ? `host ${target} ${reason.slice(5)}` : `${target} ${reason}`;
  return `${words ?? host}${mtu === null || mtu === 0 ? '' : ` (mtu ${mtu})`}`;
}

/** RFC 4443, RFC 4861 and RFC 3810. */
const TYPES6: Readonly<Record<number, string>> = {
  1: 'destination unreachable',
  2: 'packet too big',
  3: 'time exceeded',
  4: 'parameter problem',
  128: 'echo request',
  129: 'echo reply',
  130: 'multicast listener query',
  131: 'multicast listener report',
  132: 'multicast listener done',
  133: 'router solicitation',
  134: 'router advertisement',
  135: 'neighbor solicitation',
  136: 'neighbor advertisement',
  137: 'redirect',
  143: 'multicast listener report v2',
};

const UNREACHABLE6: Readonly<Record<number, string>> = {
  0: 'no route',
  1: 'administratively prohibited',
  2: 'beyond scope',
  3: 'address',
  4: 'port',
  5: 'source address failed policy',
  6: 'reject route',
};

/** `ICMP6, echo request, id 1, seq 2, length 64`. `length` counts the header. */
export function icmp6Text(icmp6: DecodedIcmp, length: number): string {
  const { type, code } = icmp6;
  const name = TYPES6[type] ?? `type ${type}`;
  return `ICMP6, ${name}${icmp6Details(icmp6, code)}${echo(icmp6)}, length ${length}${quotedText(icmp6.quoted)}`;
}

function icmp6Details({ type, address, mtu, pointer }: DecodedIcmp, code: number): string {
  if (type === 1) return ` (${UNREACHABLE6[code] ?? `code ${code}`})`;
  if (mtu !== null) return `, mtu ${mtu}`;
  if (pointer !== null) return `, octet ${pointer}`;
  if (address === null) return '';
  return type === 135 ? `, who has ${address}` : `, tgt is ${address}`;
}

/** ` (about IP A.P > B.P: tcp)`. */
function quotedText(quoted: DecodedQuote | null): string {
  const ip = quoted?.ip4 ?? quoted?.ip6 ?? null;
  if (quoted === null || ip === null) return '';
  const port = (number: number | null): string => (number === null ? '' : `.${number}`);
  const source = `${ip.source}${port(quoted.sourcePort)}`;
  const target = `${ip.destination}${port(quoted.destinationPort)}`;
  return ` (about ${ip.version === 4 ? 'IP' : 'IP6'} ${source} > ${target}: ${protocolName(quoted.protocol)})`;
}
