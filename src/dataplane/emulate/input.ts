/**
 * Packets for the host itself: net/ipv4/ip_input.c ip_local_deliver. INPUT of the filter table, then the protocol: the VTEP
 * (or nobody) for UDP, nobody for TCP, the host's own ICMP.
 */
import * as checksum from '../../wire/checksum.ts';
import * as icmp from '../../wire/icmp.ts';
import * as integrity from '../../wire/integrity.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import * as tcp from '../../wire/tcp.ts';
import * as udp from '../../wire/udp.ts';
import { VERIFIED } from '../answer/rejected-checksum.ts';
import { ACCEPTED } from '../decapsulate.ts';
import { REASON, VERDICT } from '../verdict.ts';
import { sendError, sendReset } from './answer.ts';
import type { Emulation, Host } from './emulation.ts';
import { drop, end } from './end.ts';
import { CAST, type Frame, LOCAL } from './frame.ts';
import { icmpReceive } from './icmp-receive.ts';
import { tell } from './logged.ts';
import { confirm, describe, isDamaged, walk } from './packet.ts';
import { refuse } from './reject.ts';
import { vxlanReceive } from './vxlan-receive.ts';

const IGMP = 2;
const PROTOCOL_UNREACHABLE = 2;
const PORT_UNREACHABLE = 3;

/** Deliver `frame`, which was tracked and is for the host. */
export function input(emulation: Emulation, host: Host, frame: Frame): void {
  const { packet } = emulation.dataplane;
  packet.outInterface = 0;
  if (frame.verified === VERIFIED.VALID && frame.largestFragment === 0) frame.verified = VERIFIED.UNNECESSARY;
  const { translation } = emulation;
  let passes = translation.input(host.cell.index, packet, frame);
  tell(emulation, frame);
  frame.mark = packet.mark;
  if (passes && !walk(emulation, host, frame, host.cell.inputChain)) {
    refuse(emulation, host, frame);
    return;
  }
  passes &&= translation.delivering(host.cell.index, packet, frame);
  tell(emulation, frame);
  if (passes && confirm(emulation, frame)) deliver(emulation, host, frame);
  else drop(emulation, frame, host.cell.index, passes ? REASON.CONNTRACK_FULL : REASON.RULE_DROP);
}

/** ip_protocol_deliver_rcu. */
function deliver(emulation: Emulation, host: Host, frame: Frame): void {
  switch (ipv4.protocol(frame.view, frame.network)) {
    case PROTOCOL.UDP:
      deliverUdp(emulation, host, frame);
      break;
    case PROTOCOL.TCP:
      deliverTcp(emulation, host, frame);
      break;
    case PROTOCOL.ICMP:
      deliverIcmp(emulation, host, frame);
      break;
    case PROTOCOL.UDP_LITE:
      deliverUdpLite(emulation, host, frame);
      break;
    case IGMP:
      taken(emulation, host, frame);
      break;
    default:
      sendError(emulation, host, frame, icmp.TYPES.DESTINATION_UNREACHABLE, PROTOCOL_UNREACHABLE, 0);
      drop(emulation, frame, host.cell.index, REASON.HOST_NO_PROTOCOL);
  }
}

/** A program or the kernel itself has it. */
function taken(emulation: Emulation, host: Host, frame: Frame): void {
  const isUnderlay = ipv4.destination(frame.view, frame.network) === host.cell.underlay;
  const own = isUnderlay ? REASON.HOST_UNDERLAY : REASON.HOST_OVERLAY;
  end(emulation, frame, host.cell.index, VERDICT.DELIVER, frame.rule < 0 ? own : frame.reason, frame.rule);
}

/** Offset of the transport header, or -1 when it is not whole. */
const transportOf = (frame: Frame, length: number): number => {
  const at = ipv4.payloadStart(frame.view, frame.network);
  return frame.end - at < length ? -1 : at;
};

/** Whether the transport checksum that `describe` located is wrong; captures of a sending host are believed. */
function isWrong(emulation: Emulation, host: Host, frame: Frame): boolean {
  if (!emulation.dataplane.options.strictChecksums) return false;
  describe(emulation, host, frame);
  return isDamaged(integrity.transport(frame.view, emulation.dataplane.layers.outer));
}

/** __udp4_lib_rcv. */
function deliverUdp(emulation: Emulation, host: Host, frame: Frame): void {
  const { view } = frame;
  const at = transportOf(frame, udp.HEADER_LENGTH);
  const length = at < 0 ? 0 : udp.length(view, at);
  if (length < udp.HEADER_LENGTH || length > frame.end - at) {
    drop(emulation, frame, host.cell.index, at < 0 ? REASON.TRANSPORT_SHORT : REASON.UDP_LENGTH);
    return;
  }
  if (isWrong(emulation, host, frame)) {
    drop(emulation, frame, host.cell.index, REASON.UDP_CHECKSUM);
    return;
  }
  const port = udp.destinationPort(view, at);
  if (port === emulation.dataplane.options.vxlanPort) {
    vxlanReceive(emulation, host, frame, at + udp.HEADER_LENGTH, at + length);
  } else if (listens(emulation, host, frame, PROTOCOL.UDP, port)) taken(emulation, host, frame);
  else if (frame.local === LOCAL.BROADCAST) drop(emulation, frame, host.cell.index, REASON.HOST_NOBODY);
  else {
    sendError(emulation, host, frame, icmp.TYPES.DESTINATION_UNREACHABLE, PORT_UNREACHABLE, 0);
    drop(emulation, frame, host.cell.index, REASON.HOST_NO_SOCKET);
  }
}

/** The same for UDP-Lite (RFC 3828), whose length field says how much the checksum covers; nobody has such a socket. */
function deliverUdpLite(emulation: Emulation, host: Host, frame: Frame): void {
  const { view, network, end: packetEnd } = frame;
  const at = transportOf(frame, udp.HEADER_LENGTH);
  const length = packetEnd - at;
  const covered = at < 0 ? 0 : udp.length(view, at) || length;
  if (at < 0 || covered < udp.HEADER_LENGTH || covered > length || udp.checksum(view, at) === 0) {
    drop(emulation, frame, host.cell.index, REASON.UDP_LENGTH);
    return;
  }
  const source = ipv4.source(view, network);
  const pseudo = checksum.pseudo4(source, ipv4.destination(view, network), PROTOCOL.UDP_LITE, length);
  if (!checksum.isGood(pseudo + checksum.sum(view, at, at + covered))) {
    drop(emulation, frame, host.cell.index, REASON.UDP_CHECKSUM);
    return;
  }
  sendError(emulation, host, frame, icmp.TYPES.DESTINATION_UNREACHABLE, PORT_UNREACHABLE, 0);
  drop(emulation, frame, host.cell.index, REASON.HOST_NO_SOCKET);
}

const listens = (emulation: Emulation, host: Host, frame: Frame, protocol: number, port: number): boolean =>
  emulation.listens(host.cell.index, protocol, ipv4.destination(frame.view, frame.network), port);

/**
 * What no socket takes, whether it listens or is connected: which of the two, only the program knows (tcp_rcv_state_process,
 * tcp_rcv_established).
 */
function refusedByProgram(flags: number): number {
  if ((flags & tcp.FLAG.RST) !== 0) return REASON.TCP_RESET;
  if ((flags & tcp.FLAG.ACK) !== 0) return ACCEPTED;
  return (flags & (tcp.FLAG.SYN | tcp.FLAG.FIN)) === tcp.FLAG.SYN ? ACCEPTED : REASON.TCP_FLAGS;
}

/** tcp_v4_rcv: a program, or a reset. */
function deliverTcp(emulation: Emulation, host: Host, frame: Frame): void {
  const { view } = frame;
  const at = transportOf(frame, tcp.HEADER_LENGTH);
  const length = at < 0 ? 0 : tcp.headerLength(view, at);
  if (at < 0 || length > frame.end - at) {
    drop(emulation, frame, host.cell.index, REASON.TRANSPORT_SHORT);
  } else if (length < tcp.HEADER_LENGTH) {
    drop(emulation, frame, host.cell.index, REASON.TRANSPORT_TOO_SMALL);
  } else if (isWrong(emulation, host, frame)) {
    drop(emulation, frame, host.cell.index, REASON.TCP_CHECKSUM);
  } else if (frame.cast === CAST.HOST && listens(emulation, host, frame, PROTOCOL.TCP, tcp.destinationPort(view, at))) {
    const refused = refusedByProgram(tcp.flags(view, at));
    if (refused === ACCEPTED) taken(emulation, host, frame);
    else drop(emulation, frame, host.cell.index, refused);
  } else {
    if ((tcp.flags(view, at) & tcp.FLAG.RST) === 0) sendReset(emulation, host, frame);
    drop(emulation, frame, host.cell.index, REASON.HOST_NO_SOCKET);
  }
}

/** icmp_rcv. */
function deliverIcmp(emulation: Emulation, host: Host, frame: Frame): void {
  const at = transportOf(frame, icmp.HEADER_LENGTH);
  let refused: number = at < 0 ? REASON.TRANSPORT_SHORT : ACCEPTED;
  if (refused === ACCEPTED && isWrong(emulation, host, frame)) refused = REASON.ICMP_CHECKSUM;
  if (refused === ACCEPTED) refused = icmpReceive(emulation, host, frame, at);
  if (refused === ACCEPTED) taken(emulation, host, frame);
  else drop(emulation, frame, host.cell.index, refused);
}
