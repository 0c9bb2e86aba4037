/**
 * Out of the tunnel: drivers/net/vxlan/vxlan_core.c, vxlan_rcv. The VTEP takes the headers off, gives the packet the mark
 * that its group policy id means, and receives the inner frame.
 */
import * as checksum from '../../wire/checksum.ts';
import * as ethernet from '../../wire/ethernet.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { locate } from '../../wire/layers.ts';
import { ETHER_TYPE, LINKTYPE } from '../../wire/protocol.ts';
import * as vxlan from '../../wire/vxlan.ts';
import { VERIFIED } from '../answer/rejected-checksum.ts';
import { ACCEPTED, innerFrame, vxlanHeader } from '../decapsulate.ts';
import { REASON } from '../verdict.ts';
import { type Emulation, enqueue, type Host } from './emulation.ts';
import { drop } from './end.ts';
import { type Frame, forget } from './frame.ts';

const CONGESTION_EXPERIENCED = 3;
/** The I flag alone, and no group policy id: all that a VTEP without group policy takes. */
const PLAIN_FLAGS = 0x0800_0000;
const ECT_0 = 2;
const ECT_1 = 1;

/** `frame` is an outer IPv4 packet; its VXLAN header is at `at`, and its UDP datagram ends at `end`. */
export function vxlanReceive(emulation: Emulation, host: Host, frame: Frame, at: number, end: number): void {
  const { view } = frame;
  const refused = end - at < vxlan.HEADER_LENGTH ? REASON.VXLAN_TOO_SMALL : check(emulation, host, frame, at, end);
  if (refused !== ACCEPTED) {
    drop(emulation, frame, host.cell.index, refused);
    return;
  }
  const outerEcn = ipv4.ecn(view, frame.network);
  // Without the G flag the packet keeps the mark that it has: that of the outer packet.
  if (emulation.options.groupPolicy && vxlan.groupPolicy(view, at) === 1) frame.mark = vxlan.mark(view, at);
  frame.at = vxlan.payloadStart(view, at);
  frame.end = end;
  if (frame.segmentLength !== 0) frame.segmentLength -= frame.at + ethernet.HEADER_LENGTH - frame.network;
  handOnCongestion(view, frame, outerEcn);
  forget(frame);
  frame.verified = VERIFIED.VALID;
  enqueue(emulation, frame, host.vtep.index);
}

/** The questions of vxlan_rcv in its order; the inner frame has to have an IP header when it says so. */
function check(emulation: Emulation, host: Host, frame: Frame, at: number, end: number): number {
  const { view } = frame;
  const refused = vxlanHeader(view, at, host.cell.vni);
  if (refused !== ACCEPTED) return refused;
  if (!emulation.options.groupPolicy && view.getUint32(at) !== PLAIN_FLAGS) return REASON.VXLAN_INVALID_HEADER;
  const { layers } = emulation.dataplane;
  locate(view, frame.network, frame.end, frame.end, LINKTYPE.RAW, emulation.dataplane.options.vxlanPort, layers);
  const inner = innerFrame(view, layers, host.cell);
  if (inner !== ACCEPTED) return inner;
  const needed = needsOctets(view, vxlan.payloadStart(view, at));
  return end - vxlan.payloadStart(view, at) - ethernet.HEADER_LENGTH < needed ? REASON.VXLAN_TOO_SMALL : ACCEPTED;
}

const IPV6_HEADER = 40;

/** Octets that must follow the Ethernet header at `at` (pskb_inet_may_pull). */
function needsOctets(view: DataView, at: number): number {
  switch (ethernet.type(view, at)) {
    case ETHER_TYPE.IPV4:
      return ipv4.HEADER_LENGTH;
    case ETHER_TYPE.IPV6:
      return IPV6_HEADER;
    default:
      return 0;
  }
}

/** RFC 6040 section 4.2: what the outer packet met goes on inside (INET_ECN_decapsulate). */
function handOnCongestion(view: DataView, frame: Frame, outer: number): void {
  if (ethernet.type(view, frame.at) !== ETHER_TYPE.IPV4) return;
  const network = frame.at + ethernet.HEADER_LENGTH;
  const inner = ipv4.ecn(view, network);
  let ecn = inner;
  if (outer === CONGESTION_EXPERIENCED && inner !== 0) ecn = CONGESTION_EXPERIENCED;
  else if (outer === ECT_1 && inner === ECT_0) ecn = ECT_1;
  if (ecn === inner) return;
  const before = view.getUint16(network);
  ipv4.setEcn(view, network, ecn);
  const sum = checksum.update16(ipv4.headerChecksum(view, network), before, view.getUint16(network));
  ipv4.setHeaderChecksum(view, network, sum);
}
