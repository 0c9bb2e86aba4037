/**
 * VXLAN header: RFC 7348 section 5, with the group policy bits of draft-smith-vxlan-group-policy section 2.1.
 *
 *  0: groupPolicy:1 reservedFlags:3 instance:1 reservedFlags:4 dontLearn:1 reservedFlags:2 policyApplied:1 reservedFlags:3 groupPolicyId:16
 *  4: vni:24 reserved:8
 *
 * Reserved bits are kept and readable, because receivers disagree about them: RFC 7348 ignores them, Linux drops a frame
 * for any flag it was not configured for. No flag is judged here.
 *
 * Linux gives the header to its packet filter as a mark (include/net/vxlan.h): the group policy id in the low 16 bits,
 * D as 0x400000 and A as 0x80000. These are the places the bits have in the first word of the header.
 */
import { FAULT, type Fault } from './fault.ts';

const FLAGS = 0;
const GROUP_POLICY_ID = 2;
const VNI_AND_RESERVED = 4;

const GROUP_POLICY = 0x8000;
const INSTANCE = 0x0800;
const DONT_LEARN = 0x0040;
const POLICY_APPLIED = 0x0008;
const RESERVED_FLAGS = 0x77b7;
/** The bits of a mark that VXLAN carries: dontLearn, policyApplied and the group policy id. */
export const MARK_BITS = 0x0048ffff;

export const HEADER_LENGTH = 8;

export interface Vxlan {
  /** G: the group policy id is meant. */
  groupPolicy: number;
  /** I: the VNI is meant; 1 in every valid header. */
  instance: number;
  /** D: do not learn the inner source address. */
  dontLearn: number;
  /** A: policy has been applied. */
  policyApplied: number;
  /** The other 12 bits of the first two octets, in place (mask 0x77b7). */
  reservedFlags: number;
  groupPolicyId: number;
  vni: number;
  /** The last octet. */
  reserved: number;
}

export const create = (): Vxlan => ({
  groupPolicy: 0,
  instance: 0,
  dontLearn: 0,
  policyApplied: 0,
  reservedFlags: 0,
  groupPolicyId: 0,
  vni: 0,
  reserved: 0,
});

/** FAULT.NONE means that every accessor below is in bounds; it says nothing about the flags. */
export function check(_view: DataView, at: number, end: number): Fault {
  return end - at < HEADER_LENGTH ? FAULT.VXLAN_SHORT : FAULT.NONE;
}

export const groupPolicy = (view: DataView, at: number): number => view.getUint16(at + FLAGS) >>> 15;
export const instance = (view: DataView, at: number): number => (view.getUint16(at + FLAGS) >>> 11) & 1;
export const dontLearn = (view: DataView, at: number): number => (view.getUint16(at + FLAGS) >>> 6) & 1;
export const policyApplied = (view: DataView, at: number): number => (view.getUint16(at + FLAGS) >>> 3) & 1;
export const reservedFlags = (view: DataView, at: number): number => view.getUint16(at + FLAGS) & RESERVED_FLAGS;
export const groupPolicyId = (view: DataView, at: number): number => view.getUint16(at + GROUP_POLICY_ID);
export const vni = (view: DataView, at: number): number => view.getUint32(at + VNI_AND_RESERVED) >>> 8;
export const reserved = (view: DataView, at: number): number => view.getUint8(at + VNI_AND_RESERVED + 3);
/** The first octet as Wireshark and the kernel's documentation print it: 0x88 is G and I. */
export const flags = (view: DataView, at: number): number => view.getUint8(at + FLAGS);
/** The mark that a Linux VTEP with group policy gives the inner packet: 0 when G is clear. */
export const mark = (view: DataView, at: number): number =>
  view.getInt32(at + FLAGS) & MARK_BITS & (view.getInt32(at + FLAGS) >> 31);
export const payloadStart = (_view: DataView, at: number): number => at + HEADER_LENGTH;

export function decode(view: DataView, at: number, into: Vxlan): void {
  into.groupPolicy = groupPolicy(view, at);
  into.instance = instance(view, at);
  into.dontLearn = dontLearn(view, at);
  into.policyApplied = policyApplied(view, at);
  into.reservedFlags = reservedFlags(view, at);
  into.groupPolicyId = groupPolicyId(view, at);
  into.vni = vni(view, at);
  into.reserved = reserved(view, at);
}

export function encode(header: Readonly<Vxlan>, view: DataView, at: number): void {
  const bits =
    (header.groupPolicy === 0 ? 0 : GROUP_POLICY) |
    (header.instance === 0 ? 0 : INSTANCE) |
    (header.dontLearn === 0 ? 0 : DONT_LEARN) |
    (header.policyApplied === 0 ? 0 : POLICY_APPLIED);
  view.setUint16(at + FLAGS, bits | (header.reservedFlags & RESERVED_FLAGS));
  view.setUint16(at + GROUP_POLICY_ID, header.groupPolicyId);
  view.setUint32(at + VNI_AND_RESERVED, (header.vni << 8) | (header.reserved & 0xff));
}

/**
 * Write the header that a Linux VTEP with group policy sends for a packet with this mark: G is set for every mark but 0,
 * and the bits of the mark that have no place in the header are lost.
 */
export function encodeMark(packetMark: number, network: number, view: DataView, at: number): void {
  const policy = packetMark === 0 ? 0 : 0x8000_0000 | (packetMark & MARK_BITS);
  view.setUint32(at + FLAGS, 0x0800_0000 | policy);
  view.setUint32(at + VNI_AND_RESERVED, network << 8);
}
