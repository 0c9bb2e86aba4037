/**
 * What captures show of the underlay while they are read: hardware addresses of its hosts, and whether cells leave outer
 * UDP checksums to their network cards.
 */
import { DEVICE } from './device.ts';
import type { Emulation } from './emulation.ts';

/**
 * The host of the underlay with `address` has the hardware address `mac`. What `underlayMac` of the emulation's options says is
 * the caller's to keep.
 */
export function learnUnderlay({ devices, hosts }: Emulation, address: number, mac: number): void {
  for (const { underlay } of hosts) if (underlay.address === address) underlay.mac = mac;
  for (const { kind, neighbours } of devices) {
    const known = kind === DEVICE.UNDERLAY ? neighbours.get(address) : undefined;
    // One that is being asked for is answered by nobody: packets wait for it.
    if (known?.asked === 0 && known.mac !== mac) neighbours.delete(address);
  }
}

/** A cell was seen to leave an outer checksum to its network card. */
export function learnPartialChecksums({ options }: Emulation): void {
  options.partialChecksums = true;
}
