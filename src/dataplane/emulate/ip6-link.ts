/**
 * IPv6 on a device. Silk's devices have none: containers and VTEPs are IPv4 only (c2c.md section 6), and a frame that says
 * IPv6 is dropped. A device that was given an address receives as Linux does, for that address alone.
 */

/** Addresses are eight groups, the most significant first (`parseIpv6`). */
export interface Ipv6Link {
  readonly address: readonly number[];
  /** Whom it can answer; neighbours are not discovered. */
  readonly neighbours: readonly { readonly address: readonly number[]; readonly mac: number }[];
}

const GROUPS = 8;

/** Whether the 16 octets at `at` are `address`. */
export function isAddressAt(view: DataView, at: number, address: readonly number[]): boolean {
  for (let i = 0; i < GROUPS; i++) if (view.getUint16(at + 2 * i) !== address[i]) return false;
  return true;
}

/** Hardware address of the neighbour whose address is at `at`, or -1. */
export function neighbourMac(view: DataView, at: number, { neighbours }: Ipv6Link): number {
  for (const { address, mac } of neighbours) if (isAddressAt(view, at, address)) return mac;
  return -1;
}

/** Whether the 16 octets at `at` are ::1. */
export const isLoopbackAt = (view: DataView, at: number): boolean =>
  view.getUint32(at) === 0 &&
  view.getUint32(at + 4) === 0 &&
  view.getUint32(at + 8) === 0 &&
  view.getUint32(at + 12) === 1;

const MULTICAST = 0xff;

/** Whether the address at `at` is a group's (RFC 4291 section 2.7). */
export const isMulticastAt = (view: DataView, at: number): boolean => view.getUint8(at) === MULTICAST;

/** Its scope: the lower half of the second octet. */
export const scopeAt = (view: DataView, at: number): number => view.getUint8(at + 1) & 0xf;
