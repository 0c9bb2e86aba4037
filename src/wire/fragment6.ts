/**
 * IPv6 fragment header: RFC 8200 section 4.5.
 *
 *  0: nextHeader:8 reserved:8 fragmentOffset:13 reservedBits:2 moreFragments:1
 *  4: identification:32
 */
import { FAULT, type Fault } from './fault.ts';

const NEXT_HEADER = 0;
const RESERVED = 1;
const OFFSET_AND_MORE = 2;
const IDENTIFICATION = 4;

export const HEADER_LENGTH = 8;

export interface Fragment6 {
  nextHeader: number;
  reserved: number;
  /** In octets, a multiple of 8. */
  fragmentOffset: number;
  reservedBits: number;
  moreFragments: number;
  identification: number;
}

export const create = (): Fragment6 => ({
  nextHeader: 0,
  reserved: 0,
  fragmentOffset: 0,
  reservedBits: 0,
  moreFragments: 0,
  identification: 0,
});

/** FAULT.NONE means that every accessor below is in bounds. */
export function check(_view: DataView, at: number, end: number): Fault {
  return end - at < HEADER_LENGTH ? FAULT.FRAGMENT6_SHORT : FAULT.NONE;
}

export const nextHeader = (view: DataView, at: number): number => view.getUint8(at + NEXT_HEADER);
export const reserved = (view: DataView, at: number): number => view.getUint8(at + RESERVED);
/** In octets: the 13 bits count units of 8 and stand 3 bits up already. */
export const fragmentOffset = (view: DataView, at: number): number => view.getUint16(at + OFFSET_AND_MORE) & 0xfff8;
export const reservedBits = (view: DataView, at: number): number => (view.getUint16(at + OFFSET_AND_MORE) >>> 1) & 3;
export const moreFragments = (view: DataView, at: number): number => view.getUint16(at + OFFSET_AND_MORE) & 1;
export const identification = (view: DataView, at: number): number => view.getUint32(at + IDENTIFICATION);
export const payloadStart = (_view: DataView, at: number): number => at + HEADER_LENGTH;

export function decode(view: DataView, at: number, into: Fragment6): void {
  into.nextHeader = nextHeader(view, at);
  into.reserved = reserved(view, at);
  into.fragmentOffset = fragmentOffset(view, at);
  into.reservedBits = reservedBits(view, at);
  into.moreFragments = moreFragments(view, at);
  into.identification = identification(view, at);
}

export function encode(header: Readonly<Fragment6>, view: DataView, at: number): void {
  view.setUint8(at + NEXT_HEADER, header.nextHeader);
  view.setUint8(at + RESERVED, header.reserved);
  const low = ((header.reservedBits & 3) << 1) | (header.moreFragments & 1);
  view.setUint16(at + OFFSET_AND_MORE, (header.fragmentOffset & 0xfff8) | low);
  view.setUint32(at + IDENTIFICATION, header.identification);
}
