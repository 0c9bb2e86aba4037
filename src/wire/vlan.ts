/**
 * What follows the EtherType of an 802.1Q or 802.1ad tag: the tag control information and the next EtherType
 * (IEEE 802.1Q clause 9.6).
 *
 *  0: priority:3 dropEligible:1 identifier:12 type:16
 *
 * `at` is the octet behind the 0x8100 or 0x88a8 that announced the tag.
 */
import { FAULT, type Fault } from './fault.ts';

const CONTROL = 0;
const TYPE = 2;

export const HEADER_LENGTH = 4;

export interface Vlan {
  priority: number;
  dropEligible: number;
  /** 0 is a priority tag without a VLAN, 4095 is reserved. */
  identifier: number;
  type: number;
}

export const create = (): Vlan => ({ priority: 0, dropEligible: 0, identifier: 0, type: 0 });

/** FAULT.NONE means that every accessor below is in bounds. */
export function check(_view: DataView, at: number, end: number): Fault {
  return end - at < HEADER_LENGTH ? FAULT.VLAN_SHORT : FAULT.NONE;
}

export const priority = (view: DataView, at: number): number => view.getUint16(at + CONTROL) >>> 13;
export const dropEligible = (view: DataView, at: number): number => (view.getUint16(at + CONTROL) >>> 12) & 1;
export const identifier = (view: DataView, at: number): number => view.getUint16(at + CONTROL) & 0xfff;
export const type = (view: DataView, at: number): number => view.getUint16(at + TYPE);
export const payloadStart = (_view: DataView, at: number): number => at + HEADER_LENGTH;

export function decode(view: DataView, at: number, into: Vlan): void {
  into.priority = priority(view, at);
  into.dropEligible = dropEligible(view, at);
  into.identifier = identifier(view, at);
  into.type = type(view, at);
}

export function encode(header: Readonly<Vlan>, view: DataView, at: number): void {
  view.setUint16(
    at + CONTROL,
    (header.priority << 13) | ((header.dropEligible & 1) << 12) | (header.identifier & 0xfff),
  );
  view.setUint16(at + TYPE, header.type);
}
