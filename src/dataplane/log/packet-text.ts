/**
 * The part of a LOG line that speaks of an IPv4 packet: `SRC=10.255.1.4 DST=10.255.2.7 LEN=60 ... PROTO=ICMP TYPE=3 CODE=3
 * [SRC=...] `.
 *
 * Source: net/netfilter/nf_log_syslog.c of Linux 6.18 (dump_ipv4_packet). What an ICMP error quotes is printed like a
 * packet of its own, one level deep, whatever its header says: nobody has checked it.
 */
import { formatIpv4 } from '../../wire/address.ts';
import * as icmp from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import type { Line, LogOptions } from './line.ts';
import {
  authenticationText,
  espText,
  hexadecimal,
  incomplete,
  optionsText,
  tcpText,
  udpText,
} from './transport-text.ts';

/** Of the octet behind the header length: precedence (RFC 791) and type of service, without its lowest bit. */
const PRECEDENCE = 0xe0;
const TYPE_OF_SERVICE = 0x1e;
const serviceOctet = (view: DataView, at: number): number => (ipv4.dscp(view, at) << 2) | ipv4.ecn(view, at);

/** Octets that an ICMP message must have for its fields to be printed, by type; 0 asks for nothing but the header. */
const REQUIRED_LENGTH = [4, 0, 0, 28, 28, 28, 0, 0, 4, 0, 0, 28, 28, 20, 20, 0, 0, 12, 12];
const FRAGMENTATION_NEEDED = 4;

/**
 * Append the packet at `at`. False when the line ends here: the kernel leaves the rest out, the mark included, where a
 * header of IPv4, TCP or UDP is cut short.
 */
export function packetText(
  line: Line,
  view: DataView,
  at: number,
  end: number,
  options: LogOptions,
  quoted: boolean,
): boolean {
  if (end - at < ipv4.HEADER_LENGTH) {
    line.text += 'TRUNCATED';
    return false;
  }
  const service = serviceOctet(view, at);
  line.text +=
    `SRC=${formatIpv4(ipv4.source(view, at))} DST=${formatIpv4(ipv4.destination(view, at))} ` +
    `LEN=${ipv4.totalLength(view, at)} TOS=0x${hexadecimal(service & TYPE_OF_SERVICE, 2)} ` +
    `PREC=0x${hexadecimal(service & PRECEDENCE, 2)} TTL=${ipv4.timeToLive(view, at)} ` +
    `ID=${ipv4.identification(view, at)} ${fragmentText(view, at)}`;
  const headerEnd = ipv4.payloadStart(view, at);
  if (options.ipOptions && headerEnd > at + ipv4.HEADER_LENGTH) {
    if (headerEnd > end) {
      line.text += 'TRUNCATED';
      return false;
    }
    line.text += optionsText(view, ipv4.optionsStart(view, at), headerEnd);
  }
  return protocolText(line, view, at, end, options, quoted);
}

/** `CE ` is the reserved bit; the offset is printed as it stands in the header, in units of 8 octets. */
function fragmentText(view: DataView, at: number): string {
  const offset = ipv4.fragmentOffset(view, at) >>> 3;
  return (
    (ipv4.reserved(view, at) === 1 ? 'CE ' : '') +
    (ipv4.dontFragment(view, at) === 1 ? 'DF ' : '') +
    (ipv4.moreFragments(view, at) === 1 ? 'MF ' : '') +
    (offset === 0 ? '' : `FRAG:${offset} `)
  );
}

function protocolText(
  line: Line,
  view: DataView,
  at: number,
  end: number,
  options: LogOptions,
  quoted: boolean,
): boolean {
  const transport = ipv4.payloadStart(view, at);
  const isFirst = ipv4.fragmentOffset(view, at) === 0;
  switch (ipv4.protocol(view, at)) {
    case PROTOCOL.TCP:
      line.text += 'PROTO=TCP ';
      return isFirst ? tcpText(line, view, transport, end, options) : true;
    case PROTOCOL.UDP:
      line.text += 'PROTO=UDP ';
      return isFirst ? udpText(line, view, transport, end) : true;
    case PROTOCOL.UDP_LITE:
      line.text += 'PROTO=UDPLITE ';
      return isFirst ? udpText(line, view, transport, end) : true;
    case PROTOCOL.ICMP:
      line.text += 'PROTO=ICMP ';
      if (isFirst) icmpText(line, view, transport, end, options, quoted);
      return true;
    case PROTOCOL.AUTHENTICATION:
      // Later fragments do not even say their protocol.
      if (isFirst) line.text += `PROTO=AH ${authenticationText(view, transport, end)}`;
      return true;
    case PROTOCOL.ESP:
      line.text += isFirst ? `PROTO=ESP ${espText(view, transport, end)}` : 'PROTO=ESP ';
      return true;
    default:
      line.text += `PROTO=${ipv4.protocol(view, at)} `;
      return true;
  }
}

function icmpText(line: Line, view: DataView, at: number, end: number, options: LogOptions, quoted: boolean): void {
  if (end - at < icmp.HEADER_LENGTH) {
    line.text += incomplete(at, end);
    return;
  }
  const type = icmp.type(view, at);
  line.text += `TYPE=${type} CODE=${icmp.code(view, at)} `;
  if (end - at < (REQUIRED_LENGTH[type] ?? 0)) {
    line.text += incomplete(at, end);
    return;
  }
  switch (type) {
    case icmp.TYPES.ECHO_REPLY:
    case icmp.TYPES.ECHO:
      line.text += `ID=${icmp.identifier(view, at)} SEQ=${icmp.sequenceNumber(view, at)} `;
      break;
    case icmp.TYPES.PARAMETER_PROBLEM:
      line.text += `PARAMETER=${icmp.pointer(view, at)} `;
      break;
    case icmp.TYPES.REDIRECT:
      line.text += `GATEWAY=${formatIpv4(icmp.gateway(view, at))} `;
      if (!quoted) quoteText(line, view, at, end, options);
      break;
    case icmp.TYPES.SOURCE_QUENCH:
    case icmp.TYPES.TIME_EXCEEDED:
      if (!quoted) quoteText(line, view, at, end, options);
      break;
    case icmp.TYPES.DESTINATION_UNREACHABLE:
      if (!quoted) quoteText(line, view, at, end, options);
      if (icmp.code(view, at) === FRAGMENTATION_NEEDED) line.text += `MTU=${icmp.nextHopMtu(view, at)} `;
      break;
  }
}

function quoteText(line: Line, view: DataView, at: number, end: number, options: LogOptions): void {
  line.text += '[';
  packetText(line, view, icmp.payloadStart(view, at), end, options, true);
  line.text += '] ';
}
