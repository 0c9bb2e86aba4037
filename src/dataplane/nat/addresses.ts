/**
 * Addresses that MASQUERADE and REDIRECT take on a silk cell.
 *
 * Source: inet_select_addr (net/ipv4/devinet.c) with RT_SCOPE_UNIVERSE for MASQUERADE, nf_nat_redirect_ipv4 for REDIRECT.
 * silk gives global scope only to the underlay's address; those of the VTEP (the lease's first) and of the host's ends of
 * veths (169.254.0.1) have link scope. So whatever interface a masqueraded packet leaves by, it gets the underlay's.
 */

/** By interface number (`InterfaceNames`); 0 is none. */
export interface InterfaceAddresses {
  /**
   * What MASQUERADE takes for packets that leave there: the interface's first primary address of global scope, or, when
   * it has none, that of another interface.
   */
  readonly masquerade: Uint32Array;
  /** Where REDIRECT sends packets that came in there: the interface's first address of any scope. */
  readonly redirect: Uint32Array;
}

/** The host's end of every veth. */
const LINK_LOCAL = 0xa9fe0001;

/**
 * Addresses of a cell with one underlay interface. `count` is how many interface numbers were given out; all that are
 * neither the underlay's nor the VTEP's are veths of containers.
 */
export function silkAddresses(
  count: number,
  underlayInterface: number,
  underlay: number,
  vtepInterface: number,
  vtep: number,
): InterfaceAddresses {
  const masquerade = new Uint32Array(count).fill(underlay);
  const redirect = new Uint32Array(count).fill(LINK_LOCAL);
  // Number 0 is no interface.
  masquerade[0] = 0;
  redirect[0] = 0;
  redirect[underlayInterface] = underlay;
  redirect[vtepInterface] = vtep;
  return { masquerade, redirect };
}
