/**
 * What the kernel did with every frame that reached or left a cell, derived from what other taps saw.
 *
 * No rule is looked at, and nothing of the project's dataplane. For a frame with an inner packet P:
 *
 *     delivered  P arrived at the tap inside its destination's container
 *     rejected   the destination's cell sent ICMP 3/3 (port unreachable) quoting P, and P arrived nowhere
 *     host       P is addressed to a cell itself (the address of its VTEP)
 *     dropped    none of these; `icmp` says which other error quoted P, if one did
 *     other      no IPv4 between containers or cells: ARP on the underlay
 *
 * Packets are the same when addresses, protocol, identification, fragment field and payload are (checksums apart, which
 * offloading fills in late). Checks that hold or throw: a packet seen n times at a tap arrived n times or never; no
 * packet both arrived and was rejected; TTL and order in time are those of one hop; every packet that arrived at a
 * container is explained by a frame of its cell, and every ICMP error of a cell by a packet it quotes.
 */
import type { Cell, Foundation } from '../src/foundation/model.ts';
import { contains, formatIpv4, parseIpv4 } from '../src/wire/address.ts';
import { HOST_VETH_ADDRESS } from '../test/conformance/lab-names.ts';
import { type Frame, identityOf, isFragment, type Packet, PROTOCOL, quotableIdentities, readIpv4 } from './frames.ts';

type Truth = 'delivered' | 'rejected' | 'host' | 'dropped' | 'other';

interface Evidence {
  readonly tap: string;
  readonly packet: number;
}

export interface TruthLine {
  readonly tap: string;
  readonly packet: number;
  /** Seen from the cell that the tap belongs to. */
  readonly direction: 'to-cell' | 'from-cell';
  readonly truth: Truth;
  /** Type and code of the ICMP error that quotes the packet. */
  readonly icmp: string | null;
  /** The frame at another tap that proves it; null where the proof is that there is none. */
  readonly evidence: Evidence | null;
}

/** One tap's frames, with where it was. */
export interface TapFrames {
  readonly name: string;
  readonly cell: string;
  readonly kind: 'underlay' | 'veth' | 'container';
  /** Overlay address of the container, for `veth` and `container`. */
  readonly address: number;
  readonly frames: readonly Frame[];
}

const HOST_VETH = parseIpv4(HOST_VETH_ADDRESS)!;
const ICMP_ERRORS = [3, 11, 12];
/** Quoted header and message begin after type, code, checksum and four more octets. */
const QUOTE_AT = 8;

interface Quoting {
  readonly frame: Frame;
  readonly type: number;
  readonly code: number;
}

interface Seen {
  readonly foundation: Foundation;
  /** What arrived inside containers, by address and packet identity, in the order of time. */
  readonly arrivals: ReadonlyMap<string, readonly Frame[]>;
  /** ICMP errors made by cells that arrived inside containers, by the identity they quote. */
  readonly errors: ReadonlyMap<string, readonly Quoting[]>;
  readonly claimed: Set<Frame>;
  readonly explained: Set<Frame>;
}

/** One line for every frame of every underlay and host veth tap, tap by tap. */
export function deriveTruth(foundation: Foundation, taps: readonly TapFrames[]): TruthLine[] {
  const seen = lookInside(foundation, taps);
  const lines = taps.filter((tap) => tap.kind !== 'container').flatMap((tap) => judgeTap(seen, tap));
  checkNothingUnexplained(seen, taps);
  return lines;
}

function lookInside(foundation: Foundation, taps: readonly TapFrames[]): Seen {
  const arrivals = new Map<string, Frame[]>();
  const errors = new Map<string, Quoting[]>();
  for (const tap of taps.filter(({ kind }) => kind === 'container')) {
    for (const frame of arrivedAt(tap)) {
      const packet = frame.inner!;
      append(arrivals, arrivalKey(tap.address, packet), frame);
      if (isFromCell(foundation, packet) && isError(packet)) {
        const [type, code] = [packet.payload[0]!, packet.payload[1]!];
        const { whole, fragment } = quotableIdentities(readIpv4(packet.payload.subarray(QUOTE_AT)));
        append(errors, whole, { frame, type, code });
        append(errors, fragment, { frame, type, code });
      }
    }
  }
  return { foundation, arrivals, errors, claimed: new Set(), explained: new Set() };
}

const arrivedAt = ({ address, frames }: TapFrames): Frame[] =>
  frames.filter(({ inner }) => inner?.destination === address);
const arrivalKey = (address: number, packet: Packet): string => `${address} ${identityOf(packet)}`;
const isError = ({ protocol, payload }: Packet): boolean =>
  protocol === PROTOCOL.ICMP && ICMP_ERRORS.includes(payload[0]!);

/** Whether a cell itself made the packet: from the host's end of a veth, or from a VTEP. */
const isFromCell = ({ cells }: Foundation, { source }: Packet): boolean =>
  source === HOST_VETH || cells.some(({ lease }) => lease.address === source);

function append<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}

function judgeTap(seen: Seen, tap: TapFrames): TruthLine[] {
  const ours = seen.foundation.cells.find(({ name }) => name === tap.cell)!;
  const occurrences = new Map<string, number>();
  const totals = new Map<string, number>();
  for (const { inner } of tap.frames) if (inner !== null) count(totals, identityOf(inner));
  return tap.frames.map((frame) => {
    const direction = directionOf(frame, tap, ours);
    const place = { tap: tap.name, packet: frame.packet, direction };
    if (frame.inner === null || (tap.kind === 'underlay' && frame.groupId === null)) {
      return { ...place, truth: 'other', icmp: null, evidence: null };
    }
    const identity = identityOf(frame.inner);
    const occurrence = count(occurrences, identity) - 1;
    return { ...place, ...judge(seen, tap, frame, { occurrence, total: totals.get(identity)! }) };
  });
}

/** Add one to `key` and return the new count. */
function count(counts: Map<string, number>, key: string): number {
  const next = (counts.get(key) ?? 0) + 1;
  counts.set(key, next);
  return next;
}

function directionOf({ sourceMac, inner }: Frame, tap: TapFrames, ours: Cell): TruthLine['direction'] {
  if (tap.kind === 'veth') return inner?.destination === tap.address ? 'from-cell' : 'to-cell';
  return sourceMac.endsWith(ours.underlay.toString(16).padStart(8, '0')) ? 'from-cell' : 'to-cell';
}

function judge(
  seen: Seen,
  tap: TapFrames,
  frame: Frame,
  { occurrence, total }: { occurrence: number; total: number },
): Pick<TruthLine, 'truth' | 'icmp' | 'evidence'> {
  const packet = frame.inner!;
  const arrivals = seen.arrivals.get(arrivalKey(packet.destination, packet)) ?? [];
  const { whole, fragment } = quotableIdentities(packet);
  const quoting = (seen.errors.get(isFragment(packet) ? fragment : whole) ?? [])[occurrence];
  if (arrivals.length !== 0 && arrivals.length !== total) {
    throw new Error(`${tap.name} ${frame.packet}: seen ${total} times, arrived ${arrivals.length} times`);
  }
  const arrival = arrivals[occurrence];
  if (arrival !== undefined && quoting !== undefined)
    throw new Error(`${tap.name} ${frame.packet}: arrived and refused`);
  const icmp = quoting === undefined ? null : `${quoting.type}/${quoting.code}`;
  if (arrival !== undefined) {
    checkHop(tap, frame, arrival);
    seen.claimed.add(arrival);
    return { truth: 'delivered', icmp, evidence: evidenceOf(arrival) };
  }
  if (quoting !== undefined) {
    seen.explained.add(quoting.frame);
    checkJudge(seen.foundation, tap, frame, quoting.frame);
    return { truth: icmp === '3/3' ? 'rejected' : 'dropped', icmp, evidence: evidenceOf(quoting.frame) };
  }
  const toCell = seen.foundation.cells.some(({ lease }) => lease.address === packet.destination);
  return { truth: toCell ? 'host' : 'dropped', icmp, evidence: null };
}

const evidenceOf = ({ tap, packet }: Frame): Evidence => ({ tap, packet });

/** A cell forwards with one less TTL; what it has already forwarded to the container does not change any more. */
function checkHop(tap: TapFrames, frame: Frame, arrival: Frame): void {
  const hops = tap.kind === 'veth' && frame.inner!.destination === tap.address ? 0 : 1;
  const ttl = frame.inner!.ttl - hops;
  const place = `${tap.name} ${frame.packet} to ${arrival.tap} ${arrival.packet}`;
  if (arrival.inner!.ttl !== ttl) throw new Error(`${place}: TTL ${arrival.inner!.ttl}, expected ${ttl}`);
  if (arrival.timestampNanoseconds < frame.timestampNanoseconds)
    throw new Error(`${place}: arrived before it was sent`);
}

/** The cell of the destination answers: from its VTEP to another cell, from 169.254.0.1 to its own containers. */
function checkJudge({ cells }: Foundation, tap: TapFrames, frame: Frame, answer: Frame): void {
  const { source, destination } = frame.inner!;
  const cell = cells.find(({ lease }) => contains(lease, destination))!;
  const expected = contains(cell.lease, source) ? HOST_VETH : cell.lease.address;
  if (answer.inner!.source === expected) return;
  throw new Error(
    `${tap.name} ${frame.packet}: refused by ${formatIpv4(answer.inner!.source)}, not ${formatIpv4(expected)}`,
  );
}

function checkNothingUnexplained(seen: Seen, taps: readonly TapFrames[]): void {
  for (const tap of taps.filter(({ kind }) => kind === 'container')) {
    for (const frame of arrivedAt(tap)) {
      const local = frame.inner!.source === HOST_VETH;
      if (!local && !seen.claimed.has(frame))
        throw new Error(`${tap.name} ${frame.packet}: arrived, but was sent by nobody`);
    }
  }
  for (const { frame } of [...seen.errors.values()].flat()) {
    if (!seen.explained.has(frame)) throw new Error(`${frame.tap} ${frame.packet}: quotes a packet that no tap saw`);
  }
}
