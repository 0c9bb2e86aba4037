/**
 * Share: the packets of one of several workers that judge a capture together, each with tables of its own.
 *
 * A packet belongs to a worker by the two addresses of its connection, whichever of them sends it: both directions, all
 * fragments, and the ICMP errors that quote it, meet at one. What a cell remembers of packets (connections, fragments
 * that wait) is kept by those addresses, so that a worker which sees only its share says the same of it. `native/share.h`
 * does this for the frames that `isFixed` means.
 */
import { BURST_CAPACITY, moveRow, type RecordBurst } from '../capture/burst.ts';
import { lookupUnderlay } from '../foundation/directory.ts';
import * as icmp from '../wire/icmp.ts';
import * as ipv4 from '../wire/ipv4.ts';
import { locate } from '../wire/layers.ts';
import { LINKTYPE, PROTOCOL } from '../wire/protocol.ts';
import { locate as locateQuote } from '../wire/quote.ts';
import type { Stack } from '../wire/stack.ts';
import type { Dataplane } from './dataplane.ts';
import { isFragment } from './reassemble.ts';

/** Worker `number` of `of`, from 0. */
export interface Share {
  readonly number: number;
  readonly of: number;
}

/** A packet that cannot be given to one worker before others have been seen. */
export const INDIVISIBLE = -1;

const ETHER_TYPE_IPV4 = 0x0800;
const VERSION_4_IHL_5 = 0x45;
const FRAGMENT_BITS = 0x3fff;
const OUTER_IPV4 = 14;
const OUTER_UDP = 34;
const INNER = 50;
const INNER_IPV4 = 64;
/** The two addresses of an inner packet without options end here. */
const SHORTEST = INNER_IPV4 + 20;

/** Which of `of` workers has connections between two addresses. */
export function pairShare(source: number, destination: number, of: number): number {
  const mixed = Math.imul(source ^ destination, 0x9e3779b1) + Math.imul(source + destination, 0x85ebca6b);
  return Math.imul((mixed ^ (mixed >>> 15)) & 0xffff, of) >>> 16;
}

/**
 * The number of the worker, of `of`, that row `i` belongs to; INDIVISIBLE for a fragment of the outer packet of a tunnel,
 * and for a fragment of an ICMP error, whose connection shows only when it is whole.
 */
export function shareOf(dataplane: Dataplane, records: RecordBurst, i: number, of: number): number {
  const { layers, options } = dataplane;
  const { view } = records;
  const at = records.at[i]!;
  const end = records.end[i]!;
  if (records.linkType[i] === LINKTYPE.ETHERNET && isFixed(view, at, end, options.vxlanPort)) {
    return pairShare(view.getInt32(at + INNER_IPV4 + 12), view.getInt32(at + INNER_IPV4 + 16), of);
  }
  locate(view, at, end, at + records.originalLength[i]!, records.linkType[i]!, options.vxlanPort, layers);
  const { outer, inner } = layers;
  if (isPieceOfTunnel(dataplane, view, outer)) return INDIVISIBLE;
  const stack = layers.vxlan >= 0 && inner.version === 4 ? inner : outer;
  // What is no IPv4 packet leaves nothing behind in a cell.
  return stack.version === 4 ? packetShare(dataplane, view, stack, of) : 0;
}

/** Whether the packet may be a fragment of a tunnel's packet, which tells in its first one alone whose frame it carries. */
const isPieceOfTunnel = ({ directory }: Dataplane, view: DataView, outer: Stack): boolean =>
  outer.version === 4 &&
  outer.protocol === PROTOCOL.UDP &&
  isFragment(outer) &&
  (lookupUnderlay(directory, ipv4.source(view, outer.network)) >= 0 ||
    lookupUnderlay(directory, ipv4.destination(view, outer.network)) >= 0);

/** An ICMP error belongs to the connection of what it quotes. */
function packetShare({ quote }: Dataplane, view: DataView, stack: Stack, of: number): number {
  if (stack.protocol === PROTOCOL.ICMP && stack.transport >= 0 && icmp.isError(icmp.type(view, stack.transport))) {
    if (isFragment(stack)) return INDIVISIBLE;
    locateQuote(view, stack, quote);
    if (quote.valid === 1) return pairShare(quote.source, quote.destination, of);
  }
  return pairShare(ipv4.source(view, stack.network), ipv4.destination(view, stack.network), of);
}

/**
 * Whether the addresses of the packet inside VXLAN are where they are in nearly every frame, and it is no ICMP: IPv4 without options that
 * is no fragment, UDP that is whole, Ethernet, and IPv4 again.
 */
function isFixed(view: DataView, at: number, end: number, vxlanPort: number): boolean {
  const room = end - at;
  if (room < SHORTEST) return false;
  const ipEnd = OUTER_IPV4 + view.getUint16(at + OUTER_IPV4 + 2);
  const udpEnd = OUTER_UDP + view.getUint16(at + OUTER_UDP + 4);
  return (
    view.getUint16(at + 12) === ETHER_TYPE_IPV4 &&
    view.getUint8(at + OUTER_IPV4) === VERSION_4_IHL_5 &&
    (view.getUint16(at + OUTER_IPV4 + 6) & FRAGMENT_BITS) === 0 &&
    view.getUint8(at + OUTER_IPV4 + 9) === PROTOCOL.UDP &&
    view.getUint16(at + OUTER_UDP + 2) === vxlanPort &&
    ipEnd <= room &&
    udpEnd <= ipEnd &&
    udpEnd >= SHORTEST &&
    view.getUint16(at + INNER + 12) === ETHER_TYPE_IPV4 &&
    view.getUint8(at + INNER_IPV4) >>> 4 === 4 &&
    view.getUint8(at + INNER_IPV4 + 9) !== PROTOCOL.ICMP
  );
}

/** Scratch of `keepShare`: the worker of each row. */
const shares = new Int32Array(BURST_CAPACITY);

/** Leave in `records` the rows of `share`. False, and nothing done, when one of them is indivisible. */
export function keepShare(dataplane: Dataplane, records: RecordBurst, { number, of }: Share): boolean {
  const { count } = records;
  for (let i = 0; i < count; i++) {
    const share = shareOf(dataplane, records, i, of);
    if (share === INDIVISIBLE) return false;
    shares[i] = share;
  }
  let kept = 0;
  for (let i = 0; i < count; i++) if (shares[i] === number) moveRow(records, i, kept++);
  records.count = kept;
  return true;
}
