/**
 * Into the tunnel: drivers/net/vxlan/vxlan_core.c, vxlan_xmit_one; net/ipv4/udp_tunnel_core.c, udp_tunnel_xmit_skb.
 *
 * Silk's VTEPs have no TOS, TTL or DF of their own: TOS 0 with the inner packet's ECN (RFC 6040 section 4.1, compatibility
 * for CE), TTL 64, DF clear, so that an outer packet too long for the underlay is fragmented. The UDP checksum is
 * computed, unless it is left to the network card: then the field holds the sum of the pseudo-header.
 */
import * as checksum from '../../wire/checksum.ts';
import * as ethernet from '../../wire/ethernet.ts';
import * as integrity from '../../wire/integrity.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { locate } from '../../wire/layers.ts';
import { ETHER_TYPE, LINKTYPE, PROTOCOL } from '../../wire/protocol.ts';
import * as udp from '../../wire/udp.ts';
import * as vxlan from '../../wire/vxlan.ts';
import type { Emulation, Host } from './emulation.ts';
import { writeHeaderChecksum } from './fragment.ts';
import { CAST, type Frame, forget } from './frame.ts';

const TIME_TO_LIVE = 64;
const ECT_0 = 2;
const CONGESTION_EXPERIENCED = 3;
/** A computed checksum of 0 is sent as this (RFC 768). */
const ALL_ONES = 0xffff;

const outerIp = { ...ipv4.create(), version: 4, ihl: 5, timeToLive: TIME_TO_LIVE, protocol: PROTOCOL.UDP };
const outerUdp = udp.create();

/** Offset of the inner IPv4 header behind the Ethernet header at `at`, or -1. */
function innerNetwork({ view, at, end }: Frame): number {
  const network = at + ethernet.HEADER_LENGTH;
  const isIpv4 = ethernet.type(view, at) === ETHER_TYPE.IPV4 && end - network >= ipv4.HEADER_LENGTH;
  return isIpv4 ? network : -1;
}

/** Congestion met before the tunnel stays inside; outside, the packet says that it can carry the mark. */
const outerEcn = (inner: number): number => (inner === CONGESTION_EXPERIENCED ? ECT_0 : inner);

/**
 * Put VXLAN, UDP and IPv4 headers in front of the Ethernet frame at `at`; `network` is then the outer IPv4 header. False,
 * with nothing written, when the VTEP has no forwarding entry for the destination MAC.
 */
export function encapsulate(emulation: Emulation, host: Host, frame: Frame): boolean {
  const { view } = frame;
  const remote = host.forwarding.get(ethernet.destination(view, frame.at)) ?? -1;
  if (remote < 0) return false;
  const inner = innerNetwork(frame);
  const link = frame.at;
  const sourcePort = emulation.draws.sourcePort(host.cell.index, view, inner, frame.end);
  const ecn = inner < 0 ? 0 : outerEcn(ipv4.ecn(view, inner));
  frame.at -= vxlan.HEADER_LENGTH;
  vxlan.encodeMark(emulation.options.groupPolicy ? frame.mark : 0, host.cell.vni, view, frame.at);
  frame.at -= udp.HEADER_LENGTH;
  outerUdp.sourcePort = sourcePort;
  outerUdp.destinationPort = emulation.dataplane.options.vxlanPort;
  outerUdp.length = frame.end - frame.at;
  outerUdp.checksum = 0;
  udp.encode(outerUdp, view, frame.at);
  frame.at -= ipv4.HEADER_LENGTH;
  frame.network = frame.at;
  outerIp.ecn = ecn;
  outerIp.totalLength = frame.end - frame.at;
  outerIp.identification = emulation.draws.identification(host.cell.index, view, -1, frame.end);
  outerIp.source = host.cell.underlay;
  outerIp.destination = remote;
  outerIp.headerChecksum = 0;
  ipv4.encode(outerIp, view, frame.network);
  writeHeaderChecksum(view, frame.network);
  writeUdpChecksum(emulation, host, frame, inner);
  if (frame.segmentLength !== 0) frame.segmentLength += inner - frame.network;
  forget(frame);
  frame.device = -1;
  frame.link = link;
  frame.maker = host.vtep.index;
  frame.cast = CAST.HOST;
  return true;
}

function writeUdpChecksum(emulation: Emulation, host: Host, frame: Frame, inner: number): void {
  const { view, network, end } = frame;
  const at = network + ipv4.HEADER_LENGTH;
  const pseudo = checksum.pseudo4(host.cell.underlay, outerIp.destination, PROTOCOL.UDP, end - at);
  const isFinal = !emulation.options.partialChecksums || end - network > host.underlay.mtu;
  if (frame.segmentLength !== 0) {
    // udp_set_csum: each segment will have one of its own.
    udp.setChecksum(view, at, checksum.fold(pseudo));
    return;
  }
  const unfinished = partialInside(emulation, frame, inner);
  if (unfinished >= 0) udp.setChecksum(view, at, localOffload(view, at, inner, unfinished, pseudo));
  else if (isFinal) udp.setChecksum(view, at, nonZero(checksum.complement(pseudo + checksum.sum(view, at, end))));
  else udp.setChecksum(view, at, checksum.fold(pseudo));
  if (unfinished >= 0 && isFinal) complete(view, inner, unfinished);
}

const nonZero = (sum: number): number => (sum === 0 ? ALL_ONES : sum);

/** Offset of the inner transport header whose checksum is itself left to the network card, or -1. */
function partialInside({ dataplane }: Emulation, { view, end }: Frame, inner: number): number {
  if (inner < 0) return -1;
  const { layers, options } = dataplane;
  if (options.strictChecksums) return -1;
  locate(view, inner, end, end, LINKTYPE.RAW, -1, layers);
  return integrity.transport(view, layers.outer) === integrity.CHECKSUM.PARTIAL ? layers.outer.transport : -1;
}

/**
 * The outer checksum when the card will complete the inner one (lco_csum): what lies behind the inner transport header will
 * then add up to the complement of what its checksum field holds now.
 */
function localOffload(view: DataView, at: number, inner: number, transport: number, pseudo: number): number {
  const field = view.getUint16(checksumField(view, inner, transport));
  return nonZero(checksum.complement(pseudo + checksum.sum(view, at, transport) + (~field & ALL_ONES)));
}

const TCP_CHECKSUM = 16;
const UDP_CHECKSUM = 6;

const checksumField = (view: DataView, inner: number, transport: number): number =>
  transport + (ipv4.protocol(view, inner) === PROTOCOL.TCP ? TCP_CHECKSUM : UDP_CHECKSUM);

/** What a network card does, or the kernel in its place: the field holds the pseudo-header's sum already. */
export function complete(view: DataView, inner: number, transport: number): void {
  const sum = checksum.sum(view, transport, ipv4.payloadEnd(view, inner));
  view.setUint16(checksumField(view, inner, transport), nonZero(checksum.complement(sum)));
}
