/**
 * The line that the kernel logs for a packet at a LOG rule:
 *
 *     OK_0001_20e39f68-0000-4000-8 IN=silk-vtep OUT=s-010255002007 MAC=ee:ee:0a:ff:02:00:ee:ee:0a:ff:01:00:08:00
 *       SRC=10.255.1.4 DST=10.255.2.7 LEN=60 TOS=0x00 PREC=0x00 TTL=62 ID=4660 DF PROTO=TCP SPT=42001 DPT=8080
 *       WINDOW=64860 RES=0x00 SYN URGP=0 MARK=0x1
 *
 * in one line, with a blank at the end. The octets are those of the packet as it stands at the rule's hook: in FORWARD its
 * TTL is decremented already, in INPUT it is not. MAC is the link header that it came in with; packets of the cell itself
 * (OUTPUT) came in by no interface and have none. Both iptables backends print the same: either way it is
 * nf_log_ip_packet (net/netfilter/nf_log_syslog.c of Linux 6.18) that writes.
 *
 * `--log-uid` adds something only for packets of a local program's socket, which no packet here is.
 */
import type { Target } from '../../rules/model.ts';
import { formatMac } from '../../wire/address.ts';
import * as ethernet from '../../wire/ethernet.ts';
import { packetText } from './packet-text.ts';

/** What `-j LOG` asks for. */
export type LogTarget = Extract<Target, { kind: 'LOG' }>;

export type LogOptions = Pick<LogTarget, 'tcpSequence' | 'tcpOptions' | 'ipOptions'>;

/** The line so far. */
export interface Line {
  text: string;
}

/** What the hook knows of the packet beside its octets. */
export interface LogContext {
  /** Names of its interfaces; empty where there is none. */
  readonly inInterface: string;
  readonly outInterface: string;
  /** Its mark at the rule. */
  readonly mark: number;
}

/**
 * The line of `target` for the IPv4 packet from `network` to `end` (exclusive), a packet that the kernel's own header
 * check let in. `link` is the offset of the Ethernet header that it came in with, or -1. Level and newline are not part
 * of the line.
 */
export function logLine(
  target: LogTarget,
  context: LogContext,
  view: DataView,
  link: number,
  network: number,
  end: number,
): string {
  const { inInterface, outInterface, mark } = context;
  const line: Line = { text: `${target.prefix}IN=${inInterface} OUT=${outInterface} ` };
  if (inInterface !== '') line.text += target.macdecode && link >= 0 ? decodedMac(view, link) : macText(view, link);
  const isWhole = packetText(line, view, network, end, target, false);
  if (isWhole && mark !== 0) line.text += `MARK=0x${(mark >>> 0).toString(16)} `;
  return line.text;
}

function macText(view: DataView, link: number): string {
  if (link < 0) return 'MAC= ';
  const type = ethernet.type(view, link).toString(16).padStart(4, '0');
  const addresses = `${formatMac(ethernet.destination(view, link))}:${formatMac(ethernet.source(view, link))}`;
  return `MAC=${addresses}:${type.slice(0, 2)}:${type.slice(2)} `;
}

function decodedMac(view: DataView, link: number): string {
  const type = ethernet.type(view, link).toString(16).padStart(4, '0');
  const source = formatMac(ethernet.source(view, link));
  return `MACSRC=${source} MACDST=${formatMac(ethernet.destination(view, link))} MACPROTO=${type} `;
}
