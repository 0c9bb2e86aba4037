/**
 * GRE as far as connections are told apart by it: tunnels of version 1 carry the calls of PPTP.
 *
 * Source: RFC 2637 section 4.1; gre_pkt_to_tuple (net/netfilter/nf_conntrack_proto_gre.c).
 *
 *   0  flags, version (lowest 3 bits) | 2  protocol type | 4  length of the payload | 6  call identifier of the receiver
 */
const VERSION = 0x7;
const VERSION_PPTP = 1;
const TYPE_PPP = 0x880b;
const CALL_END = 8;

/** The call of the packet at `at`, which ends at `end`; 0 when it has none, -1 when it is of version 1 and bears no PPP. */
export function callOf(view: DataView, at: number, end: number): number {
  if (at + CALL_END > end || (view.getUint8(at + 1) & VERSION) !== VERSION_PPTP) return 0;
  return view.getUint16(at + 2) === TYPE_PPP ? view.getUint16(at + 6) : -1;
}
