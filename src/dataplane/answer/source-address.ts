/**
 * From which of its addresses a Linux cell sends an ICMP error: `__icmp_send` in net/ipv4/icmp.c.
 *
 * 1. A packet that was for the cell itself (routing calls its destination local) is answered from that destination.
 * 2. Else, with net.ipv4.icmp_errors_use_inbound_ifaddr = 1 (default 0), from the first address of the interface that the
 *    packet came in by, one of the sender's subnet preferred (`inet_select_addr`).
 * 3. Else from the preferred source of the route back to the packet's sender: the route's `src`, or the first address of
 *    its interface.
 *    When the error repeats a source route, it goes to the first hop of that (the destination that was written), and the
 *    route to that hop counts.
 * 4. When nothing of that gives an address, from 192.0.0.8 (RFC 7600 section 4.8).
 *
 * On a silk cell case 3 is the rule. Its routes give
 *
 *     to a container of the same cell   169.254.0.1, the host's end of the veth pair (connected /32, scope link)
 *     to a lease of another cell        the address of the cell's own VTEP (`src` of the lease's route)
 *     to the underlay and beyond        the cell's underlay address
 *
 * and a container asking its cell's own addresses, such as the VTEP's, is case 1. A TCP reset has no such choice: its
 * source is the destination of the segment.
 */

/** 192.0.0.8, the IPv4 dummy address (INADDR_DUMMY). */
const DUMMY = 0xc000_0008;

/**
 * The source of the error about a packet to `destination`. `isLocal`: routing would deliver it to the cell itself.
 * `inbound`: 0, or the address that case 2 gives when that setting is on. `preferred`: the preferred source of the route
 * back, 0 for none.
 */
export function sourceAddress(destination: number, isLocal: boolean, inbound: number, preferred: number): number {
  if (isLocal) return destination;
  const address = inbound === 0 ? preferred : inbound;
  return address === 0 ? DUMMY : address;
}
