/**
 * BSD loopback header, LINKTYPE_NULL and LINKTYPE_LOOP: https://www.tcpdump.org/linktypes.html
 *
 *  0: family:32
 *
 * The family is in the byte order of the machine that captured (NULL) or in network order (LOOP). No family needs more
 * than 16 bits, so the half that is not zero tells the order. AF_INET is 2 everywhere; AF_INET6 is 24 on NetBSD and
 * OpenBSD, 28 on FreeBSD, 30 on macOS.
 */
import { FAULT, type Fault } from './fault.ts';
import { ETHER_TYPE } from './protocol.ts';

const FAMILY = 0;

export const HEADER_LENGTH = 4;

export const FAMILIES = { INET: 2, INET6_NETBSD: 24, INET6_FREEBSD: 28, INET6_DARWIN: 30 } as const;

export interface Loopback {
  family: number;
}

export const create = (): Loopback => ({ family: 0 });

/** FAULT.NONE means that every accessor below is in bounds. */
export function check(_view: DataView, at: number, end: number): Fault {
  return end - at < HEADER_LENGTH ? FAULT.LOOPBACK_SHORT : FAULT.NONE;
}

export const family = (view: DataView, at: number): number =>
  view.getUint32(at + FAMILY, view.getUint16(at + FAMILY) !== 0);
export const payloadStart = (_view: DataView, at: number): number => at + HEADER_LENGTH;

/** The EtherType that says the same as `family`, 0 for families other than IPv4 and IPv6. */
export function etherType(view: DataView, at: number): number {
  switch (family(view, at)) {
    case FAMILIES.INET:
      return ETHER_TYPE.IPV4;
    case FAMILIES.INET6_NETBSD:
    case FAMILIES.INET6_FREEBSD:
    case FAMILIES.INET6_DARWIN:
      return ETHER_TYPE.IPV6;
    default:
      return 0;
  }
}

export function decode(view: DataView, at: number, into: Loopback): void {
  into.family = family(view, at);
}

/** Write the family in network order. */
export function encode(header: Readonly<Loopback>, view: DataView, at: number): void {
  view.setUint32(at + FAMILY, header.family);
}
