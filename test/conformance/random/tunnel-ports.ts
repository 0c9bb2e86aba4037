/**
 * UDP source ports of tunnels, which a kernel makes of the addresses and ports inside and of a key that it drew: the emulated
 * cells take those that the kernel's cells took.
 */
import { isVxlan, networkAt } from './fate.ts';
import type { Event } from './wire-lab.ts';

const TCP = 6;
const UDP = 17;
/** UDP header, VXLAN header, and Ethernet header up to its type. */
const BEFORE_INNER = 8 + 8;

const word = (octets: Uint8Array, at: number): number => ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
const hex = (octets: Uint8Array, at: number, length: number): string =>
  Buffer.from(octets.subarray(at, at + length)).toString('hex');

/** What the port is made of: cell, protocol, addresses and ports of the packet at `at`; -1 for a frame without one. */
export function insideOf(cell: string, octets: Uint8Array, at: number): string {
  if (at < 0) return cell;
  const protocol = octets[at + 9]!;
  const isWhole = (word(octets, at + 6) & 0x3fff) === 0;
  const ports = (protocol === TCP || protocol === UDP) && isWhole ? hex(octets, at + (octets[at]! & 0xf) * 4, 4) : '';
  return `${cell} ${protocol} ${hex(octets, at + 12, 8)} ${ports}`;
}

interface Taken {
  readonly frame: number;
  readonly port: number;
}

/** Gives the port that `cell` takes for the packet at `at`, and 0 when the kernel's cell has sent none like it. */
export type TunnelPorts = (frame: number, cell: string, octets: Uint8Array, at: number) => number;

/** The ports in `events`, in their order. A packet like one before takes the next port; the last one stays. */
export function tunnelPortsOf(events: readonly Event[]): TunnelPorts {
  const taken = new Map<string, Taken[]>();
  for (const { step, cell, device, outgoing, octets } of events) {
    const at = networkAt(octets, 0);
    if (!outgoing || device !== 'eth0' || at < 0 || !isVxlan(octets, at)) continue;
    const transport = at + 20;
    const inside = insideOf(cell, octets, networkAt(octets, transport + BEFORE_INNER));
    const list = taken.get(inside) ?? [];
    taken.set(inside, list);
    list.push({ frame: step, port: word(octets, transport) });
  }
  return (frame, cell, octets, at) => {
    const list = taken.get(insideOf(cell, octets, at)) ?? [];
    // Some frames of the kernel's cell may have no counterpart here; that is for others to tell.
    while (list.length > 1 && list[0]!.frame < frame) list.shift();
    return (list.length > 1 ? list.shift() : list[0])?.port ?? 0;
  };
}
