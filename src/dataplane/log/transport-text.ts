/**
 * The part of a LOG line that speaks of a transport header: `PROTO=TCP SPT=42001 DPT=8080 WINDOW=64860 ...`.
 *
 * Source: net/netfilter/nf_log_syslog.c of Linux 6.18 (nf_log_dump_tcp_header, nf_log_dump_udp_header, and the cases of
 * dump_ipv4_packet for AH and ESP). Every item ends with a blank, the last one too. ICMP is in `packet-text.ts`, because
 * it quotes a packet.
 *
 * Octets are bounded by `end` alone: the kernel checks no header length here either, it asks whether the fields are there.
 */
import * as tcp from '../../wire/tcp.ts';
import * as udp from '../../wire/udp.ts';
import type { Line, LogOptions } from './line.ts';

/** Octet 12 of the TCP header has the accurate ECN flag (AE) in its lowest bit, and three bits that mean nothing. */
const ACCURATE_ECN = 0x1;
const RESERVED = 0xe;
/** In the order in which they are printed. */
const FLAGS = [
  ['CWR', tcp.FLAG.CWR],
  ['ECE', tcp.FLAG.ECE],
  ['URG', tcp.FLAG.URG],
  ['ACK', tcp.FLAG.ACK],
  ['PSH', tcp.FLAG.PSH],
  ['RST', tcp.FLAG.RST],
  ['SYN', tcp.FLAG.SYN],
  ['FIN', tcp.FLAG.FIN],
] as const;
/** Octets of an authentication header up to its sequence number, and of an ESP header; the SPI stands at 4 and at 0. */
const AUTHENTICATION_LENGTH = 12;
const AUTHENTICATION_SPI = 4;
const ESP_LENGTH = 8;

/** Octets left of the packet at `at`; the kernel prints the difference as an unsigned number, even below 0. */
export const incomplete = (at: number, end: number): string => `INCOMPLETE [${(end - at) >>> 0} bytes] `;

export const hexadecimal = (value: number, digits: number): string =>
  value.toString(16).toUpperCase().padStart(digits, '0');

/** `OPT (020405B4) ` for the octets from `from` to `to`. */
export function optionsText(view: DataView, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at += 1) text += hexadecimal(view.getUint8(at), 2);
  return `OPT (${text}) `;
}

/** Append a TCP header. False when the line ends here, without the mark. */
export function tcpText(line: Line, view: DataView, at: number, end: number, options: LogOptions): boolean {
  if (end - at < tcp.HEADER_LENGTH) {
    line.text += incomplete(at, end);
    return false;
  }
  const reserved = tcp.reserved(view, at);
  const flags = tcp.flags(view, at);
  line.text += `SPT=${tcp.sourcePort(view, at)} DPT=${tcp.destinationPort(view, at)} `;
  if (options.tcpSequence)
    line.text += `SEQ=${tcp.sequenceNumber(view, at)} ACK=${tcp.acknowledgmentNumber(view, at)} `;
  line.text += `WINDOW=${tcp.window(view, at)} RES=0x${hexadecimal((reserved & RESERVED) << 2, 2)} `;
  if ((reserved & ACCURATE_ECN) !== 0) line.text += 'AE ';
  for (const [name, bit] of FLAGS) if ((flags & bit) !== 0) line.text += `${name} `;
  line.text += `URGP=${tcp.urgentPointer(view, at)} `;
  const headerEnd = tcp.payloadStart(view, at);
  if (!options.tcpOptions || headerEnd <= at + tcp.HEADER_LENGTH) return true;
  line.text += headerEnd > end ? 'OPT (TRUNCATED)' : optionsText(view, tcp.optionsStart(view, at), headerEnd);
  return headerEnd <= end;
}

/** Append a header of UDP or UDP-Lite. False when the line ends here, without the mark. */
export function udpText(line: Line, view: DataView, at: number, end: number): boolean {
  if (end - at < udp.HEADER_LENGTH) {
    line.text += incomplete(at, end);
    return false;
  }
  line.text += `SPT=${udp.sourcePort(view, at)} DPT=${udp.destinationPort(view, at)} LEN=${udp.length(view, at)} `;
  return true;
}

const spi = (view: DataView, at: number): string => `SPI=0x${view.getUint32(at).toString(16)} `;

export const authenticationText = (view: DataView, at: number, end: number): string =>
  end - at < AUTHENTICATION_LENGTH ? incomplete(at, end) : spi(view, at + AUTHENTICATION_SPI);

export const espText = (view: DataView, at: number, end: number): string =>
  end - at < ESP_LENGTH ? incomplete(at, end) : spi(view, at);
