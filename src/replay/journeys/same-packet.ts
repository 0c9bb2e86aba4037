/**
 * The same packet at two taps: a name made of the octets that do not change on the way between them.
 *
 *     changes                          why
 *     Ethernet, outer headers          each device writes its own
 *     TOS, TTL, header checksum        ECN, hops (RFC 791)
 *     TCP and UDP checksum             may be left to the network card (the pseudo-header's sum stands there)
 *     IPv4 options                     record route and timestamps grow
 *     identification of ICMP           a host's answers have one that it draws
 *
 * What stays is the protocol, the addresses, identification, fragment offset and length, and the first octets of the
 * payload: ports, sequence numbers, quoted headers. An outer fragment behind the first has no inner packet in it: it is
 * named after its outer header.
 */
import * as ethernet from '../../wire/ethernet.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { ETHER_TYPE, PROTOCOL } from '../../wire/protocol.ts';
import * as udp from '../../wire/udp.ts';
import * as vxlan from '../../wire/vxlan.ts';

/**
 * Payload octets that are looked at: an ICMP error with the header and the ports that it quotes. More would not tell packets
 * apart, and would lose those that a capture cut.
 */
const LOOKED_AT = 36;
const IDENTIFICATION = 4;
const PROTOCOL_FIELD = 9;
const SOURCE = 12;
const DESTINATION = 16;
const ADDRESSES_END = 20;
const PORT_LENGTH = 2;
const TCP_CHECKSUM = 16;
const UDP_CHECKSUM = 6;

/** Offset of the IPv4 header of the Ethernet frame at `at`, or -1 when it carries something else or is too short. */
export function networkOf(view: DataView, at: number, end: number): number {
  const network = at + ethernet.HEADER_LENGTH;
  if (end - network < ipv4.HEADER_LENGTH || ethernet.type(view, at) !== ETHER_TYPE.IPV4) return -1;
  const holds = ipv4.version(view, network) === 4 && ipv4.payloadStart(view, network) <= end;
  return holds && ipv4.ihl(view, network) >= 5 ? network : -1;
}

/** Offset of the Ethernet frame inside a VXLAN packet whose outer IPv4 header is at `network`, or -1. */
export function innerFrame(view: DataView, network: number, end: number, vxlanPort: number): number {
  if (ipv4.protocol(view, network) !== PROTOCOL.UDP || ipv4.fragmentOffset(view, network) !== 0) return -1;
  const at = ipv4.payloadStart(view, network);
  const inner = at + udp.HEADER_LENGTH + vxlan.HEADER_LENGTH;
  if (inner > end || udp.destinationPort(view, at) !== vxlanPort) return -1;
  return inner;
}

/** Offset of the IPv4 header that the foundation's packet begins with: the inner one in VXLAN; -1 when there is none. */
export function packetOf(view: DataView, at: number, end: number, vxlanPort: number): number {
  const network = networkOf(view, at, end);
  if (network < 0) return -1;
  const frame = innerFrame(view, network, end, vxlanPort);
  return frame < 0 ? network : networkOf(view, frame, end);
}

/** Place in the payload of a checksum that may be left to a card, or -1. */
function checksumField(view: DataView, network: number): number {
  if (ipv4.fragmentOffset(view, network) !== 0) return -1;
  const protocol = ipv4.protocol(view, network);
  if (protocol === PROTOCOL.TCP) return TCP_CHECKSUM;
  return protocol === PROTOCOL.UDP ? UDP_CHECKSUM : -1;
}

/**
 * The name of the packet in the Ethernet frame in `[at, end)` of `view`: two frames with the same name, a short time apart,
 * are the same packet. Null when the frame carries no IPv4 packet.
 */
export function nameOf(view: DataView, at: number, end: number, vxlanPort: number): string | null {
  const network = packetOf(view, at, end, vxlanPort);
  return network < 0 ? null : nameOfPacket(view, network, end);
}

/** The name of the packet whose whole IPv4 header is at `network`. */
export const nameOfPacket = (view: DataView, network: number, end: number): string => spell(view, network, end, false);

/** The same without what a masquerade changes: source address and source port. */
export const nameBehindMasquerade = (view: DataView, network: number, end: number): string =>
  spell(view, network, end, true);

function spell(view: DataView, network: number, end: number, isMasked: boolean): string {
  const payload = ipv4.payloadStart(view, network);
  const last = Math.min(end, payload + LOOKED_AT, Math.max(network + ipv4.totalLength(view, network), payload));
  const isDrawn = ipv4.protocol(view, network) === PROTOCOL.ICMP;
  const skipped = checksumField(view, network);
  const hasPorts = skipped >= 0;
  let name = `${ipv4.totalLength(view, network) - ipv4.headerLength(view, network)}/`;
  for (let i = IDENTIFICATION; i < IDENTIFICATION + 4; i++) name += isDrawn && i < 6 ? '-' : hex(view, network + i);
  name += hex(view, network + PROTOCOL_FIELD);
  for (let i = isMasked ? DESTINATION : SOURCE; i < ADDRESSES_END; i++) name += hex(view, network + i);
  for (let i = isMasked && hasPorts ? payload + PORT_LENGTH : payload; i < last; i++) {
    const field = i - payload - skipped;
    if (skipped < 0 || field < 0 || field > 1) name += hex(view, i);
  }
  return name;
}

const HEX = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, '0'));

const hex = (view: DataView, at: number): string => HEX[view.getUint8(at)]!;
