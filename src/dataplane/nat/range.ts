/**
 * Range: what a NAT rule allows, as numbers. Source: struct nf_nat_range2 and its flags
 * (include/uapi/linux/netfilter/nf_nat.h), nf_nat_inet_in_range and l4proto_in_range (nf_nat_core.c).
 */
import type { NatRange } from '../../rules/model.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import { hasPorts, MANIP, type Tuple } from './tuples.ts';

export const RANGE = {
  /** The addresses say something. */
  ADDRESSES: 1,
  /** The ports say something. */
  PORTS: 2,
  RANDOM: 4,
  PERSISTENT: 8,
  RANDOM_FULLY: 16,
} as const;

export interface Range {
  flags: number;
  addressLow: number;
  addressHigh: number;
  /** Of ICMP the identifiers. The lower one may be written second: only the search for a free port puts them in order. */
  portLow: number;
  portHigh: number;
}

export const createRange = (): Range => ({ flags: 0, addressLow: 0, addressHigh: 0, portLow: 0, portHigh: 0 });

/** The range of a rule. */
export function rangeOf(to: NatRange): Range {
  const range = createRange();
  if (to.addressLow !== undefined) {
    range.flags |= RANGE.ADDRESSES;
    range.addressLow = to.addressLow;
    range.addressHigh = to.addressHigh ?? to.addressLow;
  }
  if (to.portLow !== undefined) {
    range.flags |= RANGE.PORTS;
    range.portLow = to.portLow;
    range.portHigh = to.portHigh ?? to.portLow;
  }
  if (to.random) range.flags |= RANGE.RANDOM;
  if (to.randomFully) range.flags |= RANGE.RANDOM_FULLY;
  if (to.persistent) range.flags |= RANGE.PERSISTENT;
  return range;
}

/** Fill `into` with the ports and flags of `rule` and one address: MASQUERADE and REDIRECT find it out per packet. */
export function withAddress(rule: Readonly<Range>, address: number, into: Range): void {
  into.flags = rule.flags | RANGE.ADDRESSES;
  into.addressLow = address;
  into.addressHigh = address;
  into.portLow = rule.portLow;
  into.portHigh = rule.portHigh;
}

/** Whether the port, or ICMP identifier, that `manip` changes lies in the range. Other protocols have none to be wrong. */
export function portInRange(tuple: Readonly<Tuple>, range: Readonly<Range>, manip: number): boolean {
  if (tuple.protocol !== PROTOCOL.ICMP && !hasPorts(tuple.protocol)) return true;
  const port = manip === MANIP.SOURCE || tuple.protocol === PROTOCOL.ICMP ? tuple.sourcePort : tuple.destinationPort;
  return port >= range.portLow && port <= range.portHigh;
}

/** Whether the source of `tuple` is one that `range` allows. */
export const sourceInRange = (tuple: Readonly<Tuple>, range: Readonly<Range>): boolean =>
  ((range.flags & RANGE.ADDRESSES) === 0 || (tuple.source >= range.addressLow && tuple.source <= range.addressHigh)) &&
  ((range.flags & RANGE.PORTS) === 0 || portInRange(tuple, range, MANIP.SOURCE));
