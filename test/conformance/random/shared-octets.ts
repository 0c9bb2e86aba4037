/**
 * A tunnel's frame as it was sent. A packet socket shares octets with the packet, and when the receiving cell lets go on together
 * what came in fragments, it writes new headers into all but the first of them (ip_do_fragment; neigh_hh_output puts two octets of
 * zero before the Ethernet header, where the VNI ends): the sockets of both cells show those. What the sender's VTEP was given is
 * a copy.
 */
import { isPiece, isVxlan, networkAt } from './fate.ts';
import type { Event } from './wire-lab.ts';
import type { World } from './world.ts';

/** Ethernet, IPv4 without options, UDP, VXLAN. */
const TUNNEL = 14 + 20 + 8 + 8;
/** Ethernet and IPv4 without options, which are what is written anew. */
const HEADERS = 14 + 20;
/** Last octet of the foundation's VNI, and the reserved one behind it. */
const VNI_END = [1, 0] as const;

/** `events` with the frames inside of tunnels as the VTEPs of the cells of `world` were given them. */
export function withOwnOctets(events: readonly Event[], { cells }: World): readonly Event[] {
  const given = new Map<string, Event>();
  const keyOf = (step: number, cell: string, inner: Uint8Array): string =>
    `${step} ${cell} ${inner.length} ${Buffer.from(inner.subarray(HEADERS)).toString('hex')}`;
  for (const event of events) {
    const { step, cell, device, outgoing, octets } = event;
    if (device === 'silk-vtep' && outgoing) given.set(keyOf(step, cell, octets), event);
  }
  return events.map((event) => {
    const { step, device, octets } = event;
    const at = device === 'eth0' ? networkAt(octets, 0) : -1;
    if (at < 0 || !isVxlan(octets, at)) return event;
    const source = octets.slice(at + 12, at + 16).join('.');
    const sender = cells.find(({ underlay }) => underlay === source);
    const inner = sender && given.get(keyOf(step, sender.name, octets.subarray(TUNNEL)));
    if (inner === undefined || !isPiece(inner)) return event;
    return {
      ...event,
      octets: Uint8Array.from([...octets.subarray(0, TUNNEL - VNI_END.length), ...VNI_END, ...inner.octets]),
    };
  });
}
