/**
 * IPv6 extension headers of variable length: hop-by-hop options, routing, destination options (RFC 8200 sections 4.3,
 * 4.4 and 4.6) and the authentication header (RFC 4302 section 2).
 *
 *  0: nextHeader:8 length:8
 *
 * `length` counts units of 8 octets without the first 8; in the authentication header alone it counts units of 4 without
 * the first 8. Which header it is says the next-header field before it, so `check` and the positions take that number.
 * The option headers hold a list, walked by `check`:
 *
 *     list   = *( 0 / option )               0 is Pad1, a single octet
 *     option = type length *octet            length counts only what follows it
 */
import { FAULT, type Fault } from './fault.ts';
import { PROTOCOL } from './protocol.ts';

const NEXT_HEADER = 0;
const LENGTH = 1;
const FIXED = 2;

const PAD1 = 0;
const JUMBO_PAYLOAD = 0xc2;
const JUMBO_PAYLOAD_LENGTH = 4;

const HOP_BY_HOP = PROTOCOL.HOP_BY_HOP;
const ROUTING = PROTOCOL.ROUTING;
const AUTHENTICATION = PROTOCOL.AUTHENTICATION;
const DESTINATION = PROTOCOL.DESTINATION;

/** The least an extension header can be. */
export const HEADER_LENGTH = 8;

export interface Extension {
  nextHeader: number;
  length: number;
}

export const create = (): Extension => ({ nextHeader: 0, length: 0 });

/** Whether `protocol` is one of the headers of this file: the ones Linux walks over (net/ipv6/exthdrs_core.c). */
export const isExtension = (protocol: number): boolean =>
  protocol === HOP_BY_HOP || protocol === ROUTING || protocol === DESTINATION || protocol === AUTHENTICATION;

/** FAULT.NONE means: the accessors are in bounds, `payloadStart` <= `end`, and each option ends within the header. */
export function check(view: DataView, at: number, end: number, protocol: number): Fault {
  if (end - at < HEADER_LENGTH) return FAULT.EXTENSION_SHORT;
  if (headerLength(view, at, protocol) > end - at) return FAULT.EXTENSION_LENGTH_BEYOND_END;
  if (protocol !== HOP_BY_HOP && protocol !== DESTINATION) return FAULT.NONE;
  return badOption(view, at, protocol) < 0 ? FAULT.NONE : FAULT.EXTENSION_OPTION_BEYOND_HEADER;
}

/**
 * Offset of the first option that does not end within the header, or -1. Each step advances by an octet at least, and a
 * header has room for 2046 of them.
 */
export function badOption(view: DataView, at: number, protocol: number): number {
  const end = payloadStart(view, at, protocol);
  let next = at + FIXED;
  while (next < end) {
    if (view.getUint8(next) === PAD1) {
      next++;
      continue;
    }
    if (next + 1 >= end || view.getUint8(next + 1) > end - next - 2) return next;
    next += 2 + view.getUint8(next + 1);
  }
  return -1;
}

export const nextHeader = (view: DataView, at: number): number => view.getUint8(at + NEXT_HEADER);
export const length = (view: DataView, at: number): number => view.getUint8(at + LENGTH);
/** The whole header in octets. */
export const headerLength = (view: DataView, at: number, protocol: number): number =>
  protocol === AUTHENTICATION ? (length(view, at) + 2) << 2 : (length(view, at) + 1) << 3;
export const payloadStart = (view: DataView, at: number, protocol: number): number =>
  at + headerLength(view, at, protocol);

/**
 * Offset of the jumbo payload option of a hop-by-hop header that passed its check, or -1. RFC 2675 section 2 puts the
 * option at 4n + 2; Linux ignores it anywhere else.
 */
export function jumboOption(view: DataView, at: number): number {
  const end = payloadStart(view, at, HOP_BY_HOP);
  let next = at + FIXED;
  while (next < end) {
    if (view.getUint8(next) === PAD1) {
      next++;
      continue;
    }
    const size = view.getUint8(next + 1);
    const aligned = ((next - at) & 3) === 2;
    if (view.getUint8(next) === JUMBO_PAYLOAD && size === JUMBO_PAYLOAD_LENGTH && aligned) return next;
    next += 2 + size;
  }
  return -1;
}

/** The length that the option at `option` gives, in octets behind the IPv6 header. */
export const jumboPayloadLength = (view: DataView, option: number): number => view.getUint32(option + 2);

export function decode(view: DataView, at: number, into: Extension): void {
  into.nextHeader = nextHeader(view, at);
  into.length = length(view, at);
}

/** Write the two octets that every extension header begins with. */
export function encode(header: Readonly<Extension>, view: DataView, at: number): void {
  view.setUint8(at + NEXT_HEADER, header.nextHeader);
  view.setUint8(at + LENGTH, header.length);
}
