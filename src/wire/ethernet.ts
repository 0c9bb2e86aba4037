/**
 * Ethernet II frame header: IEEE 802.3 clause 3.2, RFC 894.
 *
 *  0: destination:32
 *  4: destination:16 source:16
 *  8: source:32
 *  12: type:16
 *
 * A `type` of at most 1500 is the length of an 802.3 frame. The frame check sequence is not part of what is read here.
 */
import { FAULT, type Fault } from './fault.ts';

const DESTINATION = 0;
const SOURCE = 6;
const TYPE = 12;

export const HEADER_LENGTH = 14;

export interface Ethernet {
  /** Unsigned 48-bit number. */
  destination: number;
  source: number;
  type: number;
}

export const create = (): Ethernet => ({ destination: 0, source: 0, type: 0 });

/** FAULT.NONE means that every accessor below is in bounds. */
export function check(_view: DataView, at: number, end: number): Fault {
  return end - at < HEADER_LENGTH ? FAULT.ETHERNET_SHORT : FAULT.NONE;
}

const mac = (view: DataView, at: number): number => view.getUint16(at) * 0x1_0000_0000 + view.getUint32(at + 2);

export const destination = (view: DataView, at: number): number => mac(view, at + DESTINATION);
export const source = (view: DataView, at: number): number => mac(view, at + SOURCE);
export const type = (view: DataView, at: number): number => view.getUint16(at + TYPE);
export const payloadStart = (_view: DataView, at: number): number => at + HEADER_LENGTH;

function setMac(view: DataView, at: number, value: number): void {
  view.setUint16(at, value / 0x1_0000_0000);
  view.setUint32(at + 2, value);
}

export const setDestination = (view: DataView, at: number, value: number): void =>
  setMac(view, at + DESTINATION, value);
export const setSource = (view: DataView, at: number, value: number): void => setMac(view, at + SOURCE, value);
export const setType = (view: DataView, at: number, value: number): void => view.setUint16(at + TYPE, value);

export function decode(view: DataView, at: number, into: Ethernet): void {
  into.destination = destination(view, at);
  into.source = source(view, at);
  into.type = type(view, at);
}

export function encode(header: Readonly<Ethernet>, view: DataView, at: number): void {
  setDestination(view, at, header.destination);
  setSource(view, at, header.source);
  setType(view, at, header.type);
}
