/**
 * Directory: who has this address, this tag. The dataplane's way from numbers on a packet to the words of the platform.
 *
 * Built once from a foundation; a lookup reads typed arrays, allocates nothing and answers with an index or -1. Addresses
 * are found by open addressing with linear probing in tables at most half full.
 */

import { vtepAddress } from './lease.ts';
import type { App, Cell, Foundation, Instance } from './model.ts';

/** From 32-bit addresses to small non-negative numbers. */
interface AddressTable {
  /** Number of slots, a power of two, less one. */
  readonly slotMask: number;
  readonly addresses: Uint32Array;
  /** -1 marks a free slot. */
  readonly values: Int32Array;
}

export interface Directory {
  readonly foundation: Foundation;
  /** All instances, apps in order and each app's instances in order. */
  readonly instances: readonly Instance[];
  /** Index into `foundation.apps` of each instance. */
  readonly instanceApp: Int32Array;
  /** Index into `foundation.cells` of each instance. */
  readonly instanceCell: Int32Array;
  readonly byAddress: AddressTable;
  readonly byUnderlay: AddressTable;
  readonly byVtep: AddressTable;
  /** App index by tag, 65,536 entries, -1 for a tag that no app has. */
  readonly byTag: Int32Array;
}

const UNKNOWN = -1;
/** 2^32 divided by the golden ratio (Knuth, volume 3, section 6.4). */
const MULTIPLIER = 0x9e3779b1;

/** Build the directory of a checked foundation. */
export function createDirectory(foundation: Foundation): Directory {
  const cellIndex = new Map(foundation.cells.map((cell, index) => [cell.name, index]));
  const instances = foundation.apps.flatMap((app) => app.instances);
  const owners = foundation.apps.flatMap((app, index) => app.instances.map(() => index));
  const byTag = new Int32Array(0x10000).fill(UNKNOWN);
  for (const [index, app] of foundation.apps.entries()) if (app.tag !== null) byTag[app.tag] = index;
  return {
    foundation,
    instances,
    instanceApp: Int32Array.from(owners),
    instanceCell: Int32Array.from(instances, (instance) => cellIndex.get(instance.cell) ?? UNKNOWN),
    byAddress: createTable(instances.map((instance) => instance.address)),
    byUnderlay: createTable(foundation.cells.map((cell) => cell.underlay)),
    byVtep: createTable(foundation.cells.map((cell) => vtepAddress(cell.lease))),
    byTag,
  };
}

/** A table from each address to its position in `addresses`. */
function createTable(addresses: readonly number[]): AddressTable {
  let slots = 8;
  while (slots < addresses.length * 2) slots *= 2;
  const slotMask = slots - 1;
  const table = { slotMask, addresses: new Uint32Array(slots), values: new Int32Array(slots).fill(UNKNOWN) };
  for (const [value, address] of addresses.entries()) {
    let slot = firstSlot(address, slotMask);
    while (table.values[slot] !== UNKNOWN) slot = (slot + 1) & slotMask;
    table.addresses[slot] = address;
    table.values[slot] = value;
  }
  return table;
}

/** Where the search for `address` begins. */
export const firstSlot = (address: number, slotMask: number): number => {
  const mixed = Math.imul(address, MULTIPLIER);
  return (mixed ^ (mixed >>> 15)) & slotMask;
};

/** The value under `address`, or -1. Slots are in range by the mask; a free one ends every probe. */
function find(table: AddressTable, address: number): number {
  const { slotMask, addresses, values } = table;
  let slot = firstSlot(address, slotMask);
  for (let value = values[slot]!; value !== UNKNOWN; value = values[slot]!) {
    if (addresses[slot] === address) return value;
    slot = (slot + 1) & slotMask;
  }
  return UNKNOWN;
}

/** Index into `directory.instances` of the container at an overlay address, or -1. */
export const lookup = (directory: Directory, address: number): number => find(directory.byAddress, address);

/** Index into `foundation.apps` of the app whose container has an overlay address, or -1. */
export function lookupApp(directory: Directory, address: number): number {
  const instance = lookup(directory, address);
  return instance === UNKNOWN ? UNKNOWN : directory.instanceApp[instance]!;
}

/** Index into `foundation.apps` of the app with a tag, or -1; tags above 65535 have no app. */
export const lookupTag = (directory: Directory, tag: number): number => directory.byTag[tag] ?? UNKNOWN;

/** Index into `foundation.cells` of the cell with an underlay address, or -1. */
export const lookupUnderlay = (directory: Directory, address: number): number => find(directory.byUnderlay, address);

/** Index into `foundation.cells` of the cell whose VTEP has an overlay address, or -1. */
export const lookupVtep = (directory: Directory, address: number): number => find(directory.byVtep, address);

/** The app behind an index that a lookup gave; undefined for -1. */
export const appAt = (directory: Directory, index: number): App | undefined => directory.foundation.apps[index];

/** The cell behind an index that a lookup gave; undefined for -1. */
export const cellAt = (directory: Directory, index: number): Cell | undefined => directory.foundation.cells[index];
