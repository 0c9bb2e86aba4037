/**
 * ICMPv6 errors of a host: net/ipv6/icmp.c icmp6_send. As much of the packet is quoted as 1280 octets hold. A kernel draws the
 * flow label (net.ipv6.auto_flowlabels); here it is 0. No limits apply.
 */
import * as checksum from '../../wire/checksum.ts';
import * as ethernet from '../../wire/ethernet.ts';
import * as icmp6 from '../../wire/icmp6.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { ETHER_TYPE, PROTOCOL } from '../../wire/protocol.ts';
import type { Device } from './device.ts';
import type { Emulation, Host } from './emulation.ts';
import { type Frame, LONGEST_FRAME, take } from './frame.ts';
import { isMulticastAt, neighbourMac } from './ip6-link.ts';
import { transmit } from './transmit.ts';

/** IPV6_MIN_MTU: no answer is longer. */
const LONGEST = 1280;
const HOP_LIMIT = 64;
const CHECKSUM_FIELD = 2;
const INFORMATION = 4;
const FIRST_QUERY = 128;
const ADDRESS_LENGTH = 16;

const header = { ...ipv6.create(), version: 6, nextHeader: PROTOCOL.ICMP6, hopLimit: HOP_LIMIT };

/** Answer the packet in `frame`, which came by `device`; `information` is octets 4 to 7. Nothing is said about errors or to groups. */
export function sendError6(
  emulation: Emulation,
  host: Host,
  frame: Frame,
  device: Device,
  type: number,
  code: number,
  information: number,
): void {
  const { view, network, end } = frame;
  const asker = ipv6.sourceStart(view, network);
  const mac = device.ipv6 === null ? -1 : neighbourMac(view, asker, device.ipv6);
  if (mac < 0 || isMulticastAt(view, asker) || isError(frame)) return;
  const quoted = Math.min(end - network, LONGEST - ipv6.HEADER_LENGTH - icmp6.HEADER_LENGTH);
  const reply = take(emulation.frames, LONGEST_FRAME, frame.packet);
  const at = reply.at + ethernet.HEADER_LENGTH;
  const message = at + ipv6.HEADER_LENGTH;
  reply.network = at;
  reply.end = message + icmp6.HEADER_LENGTH + quoted;
  header.payloadLength = icmp6.HEADER_LENGTH + quoted;
  ipv6.encode(header, reply.view, at);
  const source = ipv6.destinationStart(view, network);
  reply.octets.set(frame.octets.subarray(source, source + ADDRESS_LENGTH), ipv6.sourceStart(view, at));
  reply.octets.set(frame.octets.subarray(asker, asker + ADDRESS_LENGTH), ipv6.destinationStart(view, at));
  reply.octets.set(frame.octets.subarray(network, network + quoted), message + icmp6.HEADER_LENGTH);
  writeMessage(reply.view, at, message, reply.end, (type << 24) | (code << 16), information);
  ethernet.setDestination(reply.view, reply.at, mac);
  ethernet.setSource(reply.view, reply.at, device.mac);
  ethernet.setType(reply.view, reply.at, ETHER_TYPE.IPV6);
  transmit(emulation, host, reply, device);
}

/** The ICMPv6 header at `message`, with its checksum over what follows until `end` (RFC 4443 section 2.3). */
function writeMessage(
  view: DataView,
  network: number,
  message: number,
  end: number,
  first: number,
  information: number,
): void {
  view.setUint32(message, first);
  view.setUint32(message + INFORMATION, information);
  const pseudo = checksum.pseudo6(view, ipv6.sourceStart(view, network), PROTOCOL.ICMP6, end - message);
  view.setUint16(message + CHECKSUM_FIELD, checksum.complement(pseudo + checksum.sum(view, message, end)));
}

/** RFC 4443 section 2.4 (e.1). */
function isError({ view, network, end }: Frame): boolean {
  const message = ipv6.payloadStart(view, network);
  return ipv6.nextHeader(view, network) === PROTOCOL.ICMP6 && (end <= message || view.getUint8(message) < FIRST_QUERY);
}
