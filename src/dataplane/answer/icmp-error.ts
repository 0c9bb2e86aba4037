/**
 * The ICMP error that a Linux cell sends about a packet: RFC 792, RFC 1122 section 3.2.2, RFC 1812 section 4.3;
 * `__icmp_send` in net/ipv4/icmp.c of Linux 6.18.
 *
 *     IPv4 header     20     TOS 0xc0 and the packet's own TOS bits (mask 0x1e, so ECN's upper bit stays), DF clear
 *     echoed options  0-40   see echo-options.ts
 *     ICMP header     8      octets 4 to 7 are pointer, gateway or MTU; the length field of RFC 4884 stays 0
 *     quote           up to 576 - 28 - options, less on a path with a smaller MTU
 *
 * The packet is quoted as it is when the error occurs: after `receiveOptions`, and in FORWARD with its TTL counted down.
 * The answer carries mark 0 (net.ipv4.fwmark_reflect is 0). Rate limits are asked separately: see icmp-limit.ts.
 */
import * as checksum from '../../wire/checksum.ts';
import * as icmp from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import { echoOptions, type OwnEntry } from './echo-options.ts';
import { UNANSWERED } from './unanswered.ts';

/** Longest answer (RFC 1812 section 4.3.2.3). */
const LONGEST = 576;
/** IPV4_MIN_MTU: nothing is sent on a path with less (ip_setup_cork). */
const SMALLEST_MTU = 68;
/** IPTOS_PREC_INTERNETCONTROL, and the bits of the packet's TOS that are kept beside it (IPTOS_TOS_MASK). */
const INTERNET_CONTROL = 0xc0;
const TOS_MASK = 0x1e;
/** NR_ICMP_TYPES: higher types are taken for errors, as are these (icmp_pointers in icmp.c). */
const HIGHEST_TYPE = 18;
const ERROR_TYPES =
  (1 << 1) |
  (1 << 2) |
  (1 << icmp.TYPES.DESTINATION_UNREACHABLE) |
  (1 << icmp.TYPES.SOURCE_QUENCH) |
  (1 << icmp.TYPES.REDIRECT) |
  (1 << 6) |
  (1 << 7) |
  (1 << 9) |
  (1 << 10) |
  (1 << icmp.TYPES.TIME_EXCEEDED) |
  (1 << icmp.TYPES.PARAMETER_PROBLEM);

/** What the octets of the offending packet do not tell. `source` is that of the answer: see source-address.ts. */
export interface IcmpError extends OwnEntry {
  type: number;
  code: number;
  /** Octets 4 to 7: next-hop MTU, gateway, `pointer * 2 ** 24`, or 0. */
  information: number;
  /** Drawn by the kernel. */
  identification: number;
  /** net.ipv4.ip_default_ttl, or the hop limit of the route. */
  timeToLive: number;
  /** Of the route that the answer takes. */
  mtu: number;
  /** Octets that local delivery has cut off the packet's end, because its UDP length is shorter than the IP payload. */
  trimmed: number;
  /** 1 when the packet came in a frame to a broadcast or multicast MAC. */
  groupFrame: number;
  /** 1 when routing says that the packet's destination is a broadcast. */
  broadcast: number;
}

export const createIcmpError = (): IcmpError => ({
  type: icmp.TYPES.DESTINATION_UNREACHABLE,
  code: 0,
  information: 0,
  source: 0,
  identification: 0,
  timeToLive: 64,
  mtu: 1500,
  milliseconds: 0,
  isUnicast: () => true,
  trimmed: 0,
  groupFrame: 0,
  broadcast: 0,
});

/**
 * Write the error about the packet whose IPv4 header is at `network`, of which `[network, end)` was captured, to `at` in
 * `into`; the two must not overlap. The header's own lengths are taken to be good (`ipv4.check`). Returns the length of
 * the answer, 576 at most, or one of UNANSWERED; then the octets at `at` are undefined.
 */
export function writeIcmpError(
  view: DataView,
  network: number,
  end: number,
  error: Readonly<IcmpError>,
  into: DataView,
  at: number,
): number {
  const refused = refuse(view, network, end, error);
  if (refused !== 0) return refused;
  const pointer = error.type === icmp.TYPES.PARAMETER_PROBLEM ? error.information >>> 24 : 0;
  const options = echoOptions(view, network, pointer, error, into, at);
  if (options < 0) return UNANSWERED.OPTIONS;
  const headers = ipv4.HEADER_LENGTH + options + icmp.HEADER_LENGTH;
  const room = Math.min(error.mtu, LONGEST) - headers;
  if (error.mtu < SMALLEST_MTU || room <= ipv4.HEADER_LENGTH) return UNANSWERED.MTU;
  const quoted = Math.min(ipv4.totalLength(view, network) - error.trimmed, room);
  if (quoted > end - network) return UNANSWERED.CUT;
  copy(view, network, quoted, into, at + headers);
  writeIcmp(error, into, at + headers - icmp.HEADER_LENGTH, at + headers + quoted);
  writeHeader(view, network, error, options, headers + quoted, into, at);
  return headers + quoted;
}

/** The reason why `icmp_send` stays silent about this packet whatever the path back is like, or 0. */
function refuse(view: DataView, network: number, end: number, error: Readonly<IcmpError>): number {
  const headerEnd = network + ipv4.HEADER_LENGTH;
  if (headerEnd > end || ipv4.payloadStart(view, network) > end) return UNANSWERED.CUT;
  if (error.groupFrame === 1 || error.broadcast === 1) return UNANSWERED.BROADCAST;
  if (isGroup(ipv4.destination(view, network))) return UNANSWERED.BROADCAST;
  if (!isHost(ipv4.source(view, network))) return UNANSWERED.SOURCE;
  if (ipv4.fragmentOffset(view, network) !== 0) return UNANSWERED.LATER_FRAGMENT;
  return ipv4.protocol(view, network) === PROTOCOL.ICMP ? refuseIcmp(view, network, end) : 0;
}

function refuseIcmp(view: DataView, network: number, end: number): number {
  const at = ipv4.payloadStart(view, network);
  if (at >= ipv4.payloadEnd(view, network)) return UNANSWERED.ICMP_ERROR;
  if (at >= end) return UNANSWERED.CUT;
  const type = icmp.type(view, at);
  return type > HIGHEST_TYPE || ((ERROR_TYPES >>> type) & 1) === 1 ? UNANSWERED.ICMP_ERROR : 0;
}

/** Multicast, or the limited broadcast address. */
export const isGroup = (address: number): boolean => address >>> 28 === 0xe || address === 0xffff_ffff;

/**
 * Routing drops packets from other sources as martians; 0.0.0.0 only gets by when it asks a broadcast address. The rest of
 * 0.0.0.0/8 is like any other since Linux 5.3 (ipv4_is_zeronet).
 */
const isHost = (address: number): boolean => address !== 0 && address >>> 28 < 0xe;

function copy(view: DataView, from: number, length: number, into: DataView, to: number): void {
  let next = 0;
  for (; next + 4 <= length; next += 4) into.setUint32(to + next, view.getUint32(from + next));
  for (; next < length; next += 1) into.setUint8(to + next, view.getUint8(from + next));
}

function writeIcmp(error: Readonly<IcmpError>, into: DataView, at: number, end: number): void {
  into.setUint16(at, (error.type << 8) | error.code);
  icmp.setChecksum(into, at, 0);
  into.setUint32(at + 4, error.information);
  icmp.setChecksum(into, at, checksum.complement(checksum.sum(into, at, end)));
}

/** All of the header but the destination and the options, which `echoOptions` has written. */
function writeHeader(
  view: DataView,
  network: number,
  error: Readonly<IcmpError>,
  options: number,
  length: number,
  into: DataView,
  at: number,
): void {
  const words = (ipv4.HEADER_LENGTH + options) >>> 2;
  into.setUint8(at, 0x40 | words);
  into.setUint8(at + 1, INTERNET_CONTROL | (view.getUint8(network + 1) & TOS_MASK));
  ipv4.setTotalLength(into, at, length);
  ipv4.setIdentification(into, at, error.identification);
  into.setUint16(at + 6, 0);
  ipv4.setTimeToLive(into, at, error.timeToLive);
  into.setUint8(at + 9, PROTOCOL.ICMP);
  ipv4.setHeaderChecksum(into, at, 0);
  ipv4.setSource(into, at, error.source);
  ipv4.setHeaderChecksum(into, at, checksum.complement(checksum.sum(into, at, at + (words << 2))));
}
