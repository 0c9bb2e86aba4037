/** UDP over IPv6 for the host itself: net/ipv6/udp.c __udp6_lib_rcv. A checksum has to be there (RFC 8200 section 8.1). */
import * as checksum from '../../wire/checksum.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import * as udp from '../../wire/udp.ts';
import { REASON, VERDICT } from '../verdict.ts';
import type { Device } from './device.ts';
import type { Emulation, Host } from './emulation.ts';
import { drop, end } from './end.ts';
import type { Frame } from './frame.ts';
import { sendError6 } from './ip6-answer.ts';

const DESTINATION_UNREACHABLE = 1;
const PORT_UNREACHABLE = 4;
/** Programs are asked by IPv4 address; this is none. */
const NO_IPV4 = 0;

/** Deliver the datagram at `at` of `frame`. */
export function deliverUdp6(emulation: Emulation, host: Host, frame: Frame, device: Device, at: number): void {
  const refused = checks(frame, at);
  if (refused >= 0) {
    drop(emulation, frame, device.cell, refused);
    return;
  }
  const port = udp.destinationPort(frame.view, at);
  if (emulation.listens(device.cell, PROTOCOL.UDP, NO_IPV4, port)) {
    end(emulation, frame, device.cell, VERDICT.DELIVER, REASON.HOST_OVERLAY, -1);
    return;
  }
  sendError6(emulation, host, frame, device, DESTINATION_UNREACHABLE, PORT_UNREACHABLE, 0);
  drop(emulation, frame, device.cell, REASON.HOST_NO_SOCKET);
}

function checks({ view, network, end: last }: Frame, at: number): number {
  if (last - at < udp.HEADER_LENGTH) return REASON.TRANSPORT_SHORT;
  const declared = udp.length(view, at);
  const length = declared === 0 ? last - at : declared;
  if (length > last - at || length < udp.HEADER_LENGTH) return REASON.UDP_LENGTH;
  if (udp.checksum(view, at) === 0) return REASON.UDP_CHECKSUM;
  const pseudo = checksum.pseudo6(view, ipv6.sourceStart(view, network), PROTOCOL.UDP, length);
  return checksum.isGood(pseudo + checksum.sum(view, at, at + length)) ? -1 : REASON.UDP_CHECKSUM;
}
