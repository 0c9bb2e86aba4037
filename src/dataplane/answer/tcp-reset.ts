/**
 * The reset of `-j REJECT --reject-with tcp-reset`: `nf_send_reset` in net/ipv4/netfilter/nf_reject_ipv4.c; RFC 9293
 * section 3.5.2.
 *
 *     IPv4 header   20    TOS 0, identification 0, DF; source and destination exchanged
 *     TCP header    20    RST with the sequence number that the segment acknowledged; or, when it acknowledged none, RST
 *                         and ACK with sequence number 0, acknowledging all of the segment; window 0
 *
 * It carries mark 0 (net.ipv4.fwmark_reflect is 0).
 */
import * as checksum from '../../wire/checksum.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import * as tcp from '../../wire/tcp.ts';
import { isGroup } from './icmp-error.ts';
import { VERIFIED, type Verified, verify } from './rejected-checksum.ts';
import { UNANSWERED } from './unanswered.ts';

const LENGTH = ipv4.HEADER_LENGTH + tcp.HEADER_LENGTH;

export interface TcpReset {
  /** net.ipv4.ip_default_ttl, or the hop limit of the rejected packet's route. */
  timeToLive: number;
  /** 1 when routing says that the rejected packet's destination is a broadcast. What sort of frame it was is not asked. */
  broadcast: number;
}

const ipHeader = ipv4.create();
const tcpHeader = tcp.create();

/**
 * Write the reset for the segment in the packet at `network`, of which `[network, end)` was captured, to `at` in `into`.
 * Returns its length, 40, or one of UNANSWERED.
 */
export function writeTcpReset(
  view: DataView,
  network: number,
  end: number,
  verified: Verified,
  reset: Readonly<TcpReset>,
  into: DataView,
  at: number,
): number {
  const refused = refuse(view, network, end, verified, reset);
  if (refused !== 0) return refused;
  answer(view, network);
  ipHeader.timeToLive = reset.timeToLive;
  ipv4.encode(ipHeader, into, at);
  ipv4.setHeaderChecksum(into, at, checksum.complement(checksum.sum(into, at, at + ipv4.HEADER_LENGTH)));
  const segment = at + ipv4.HEADER_LENGTH;
  tcp.encode(tcpHeader, into, segment);
  const pseudo = checksum.pseudo4(ipHeader.source, ipHeader.destination, PROTOCOL.TCP, tcp.HEADER_LENGTH);
  tcp.setChecksum(into, segment, checksum.complement(pseudo + checksum.sum(into, segment, at + LENGTH)));
  return LENGTH;
}

function refuse(view: DataView, network: number, end: number, verified: Verified, reset: Readonly<TcpReset>): number {
  if (network + ipv4.HEADER_LENGTH > end) return UNANSWERED.CUT;
  if (ipv4.fragmentOffset(view, network) !== 0) return UNANSWERED.LATER_FRAGMENT;
  if (ipv4.protocol(view, network) !== PROTOCOL.TCP) return UNANSWERED.NOT_TCP;
  const at = ipv4.payloadStart(view, network);
  if (at + tcp.HEADER_LENGTH > ipv4.payloadEnd(view, network)) return UNANSWERED.SHORT_TCP;
  if (at + tcp.HEADER_LENGTH > end) return UNANSWERED.CUT;
  if ((tcp.flags(view, at) & tcp.FLAG.RST) !== 0) return UNANSWERED.RESET;
  const sum = verified === VERIFIED.UNNECESSARY ? 0 : verify(view, network, end);
  if (sum !== 0) return sum;
  return reset.broadcast === 1 || isGroup(ipv4.destination(view, network)) ? UNANSWERED.BROADCAST : 0;
}

/** Fill the two headers. A data offset beyond the segment makes its length negative, as in the kernel. */
function answer(view: DataView, network: number): void {
  const at = ipv4.payloadStart(view, network);
  const flags = tcp.flags(view, at);
  ipHeader.version = 4;
  ipHeader.ihl = 5;
  ipHeader.totalLength = LENGTH;
  ipHeader.dontFragment = 1;
  ipHeader.protocol = PROTOCOL.TCP;
  ipHeader.source = ipv4.destination(view, network);
  ipHeader.destination = ipv4.source(view, network);
  tcpHeader.sourcePort = tcp.destinationPort(view, at);
  tcpHeader.destinationPort = tcp.sourcePort(view, at);
  tcpHeader.dataOffset = tcp.HEADER_LENGTH >>> 2;
  if ((flags & tcp.FLAG.ACK) !== 0) {
    tcpHeader.sequenceNumber = tcp.acknowledgmentNumber(view, at);
    tcpHeader.acknowledgmentNumber = 0;
    tcpHeader.flags = tcp.FLAG.RST;
    return;
  }
  const synchronize = (flags & tcp.FLAG.SYN) === 0 ? 0 : 1;
  const finish = (flags & tcp.FLAG.FIN) === 0 ? 0 : 1;
  const length = ipv4.payloadEnd(view, network) - tcp.payloadStart(view, at) + synchronize + finish;
  tcpHeader.sequenceNumber = 0;
  tcpHeader.acknowledgmentNumber = (tcp.sequenceNumber(view, at) + length) >>> 0;
  tcpHeader.flags = tcp.FLAG.RST | tcp.FLAG.ACK;
}
