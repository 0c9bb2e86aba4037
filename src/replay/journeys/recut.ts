/**
 * Segments that were cut or joined between two taps: a network card cuts what the sender's tap shows as one frame (TSO), and
 * a receiver may join what came (GRO). Such frames have no counterpart of their length, but the octets of their stream do.
 */
import * as ipv4 from '../../wire/ipv4.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import * as tcp from '../../wire/tcp.ts';
import { close } from './compare.ts';
import type { Seen } from './model.ts';
import { viewOf } from './place.ts';
import { packetOf } from './same-packet.ts';
import { type Journeys, spotOf } from './state.ts';

/** The octets of a TCP stream that a frame carries. */
export interface Stretch {
  /** Tap and direction, addresses and ports. */
  readonly stream: string;
  readonly sequence: number;
  readonly octets: Uint8Array;
}

/** The stretch in the Ethernet frame `octets` at `spot`; null when it carries no data of a TCP stream. */
export function stretchOf(octets: Uint8Array<ArrayBuffer>, spot: number, vxlanPort: number): Stretch | null {
  const view = viewOf(octets);
  const network = packetOf(view, 0, octets.length, vxlanPort);
  if (network < 0 || ipv4.protocol(view, network) !== PROTOCOL.TCP || ipv4.isFragment(view, network)) return null;
  const at = ipv4.payloadStart(view, network);
  const end = Math.min(octets.length, ipv4.payloadEnd(view, network));
  if (tcp.check(view, at, end) !== 0) return null;
  const data = octets.subarray(tcp.payloadStart(view, at), end);
  if (data.length === 0) return null;
  const ends = [ipv4.source(view, network), ipv4.destination(view, network), view.getUint32(at)];
  return { stream: `${spot} ${ends.join(' ')}`, sequence: tcp.sequenceNumber(view, at), octets: data };
}

/** Part of a stretch that another has, too: offsets in the one and the other. */
interface Overlap {
  readonly from: number;
  readonly otherFrom: number;
  readonly length: number;
}

/** What `one` and `other` have in common, by their sequence numbers; the length is 0 for nothing. */
function overlapOf(one: Stretch, other: Stretch): Overlap {
  const apart = (other.sequence - one.sequence) | 0;
  const from = Math.max(apart, 0);
  const otherFrom = Math.max(-apart, 0);
  const length = Math.min(one.octets.length - from, other.octets.length - otherFrom);
  return { from, otherFrom, length: Math.max(length, 0) };
}

function isSame(one: Stretch, other: Stretch, { from, otherFrom, length }: Overlap): boolean {
  for (let i = 0; i < length; i++) if (one.octets[from + i] !== other.octets[otherFrom + i]) return false;
  return true;
}

/** Frames of one stream that are looked at; the longest frame has fewer segments of the least length that hosts agree on. */
const MOST_PARTS = 128;

/**
 * The journey whose data `one` carries, cut otherwise than the emulation showed it at its tap; 0 when not all of its octets
 * were shown, or others.
 */
export function recut(journeys: Journeys, one: Seen): number {
  const { emulation, streams, fullWindow } = journeys;
  const stretch = stretchOf(one.octets, spotOf(one), emulation.dataplane.options.vxlanPort);
  if (stretch === null) return 0;
  const shown = (streams.get(stretch.stream) ?? [])
    .slice(0, MOST_PARTS)
    .filter(({ place }) => Math.abs(place.time - one.time) <= fullWindow);
  const parts = shown
    .map((open) => ({ open, overlap: overlapOf(stretch, open.stretch!) }))
    .filter(({ open, overlap }) => overlap.length > 0 && isSame(stretch, open.stretch!, overlap))
    .sort((a, b) => a.overlap.from - b.overlap.from);
  let covered = 0;
  for (const { overlap } of parts)
    if (overlap.from <= covered) covered = Math.max(covered, overlap.from + overlap.length);
  if (covered < stretch.octets.length) return 0;
  for (const { open, overlap } of parts) {
    open.seen += overlap.length;
    if (open.seen >= open.stretch!.octets.length) close(journeys, open);
  }
  return parts[0]!.open.place.packet;
}
