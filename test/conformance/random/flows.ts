/**
 * Translated flows: which source port a cell drew for them is seen in what the cell sent, and whoever answers has to answer to
 * that one. The emulated cells are told what was drawn, as they are told of everything that a kernel draws.
 */
import { fingerprintAt, isError, look, networkAt, packetAt } from './fate.ts';
import type { FrameStep } from './step.ts';
import { type Event, isContainerEnd } from './wire-lab.ts';

const ICMP = 1;
const TCP = 6;
const UDP = 17;
/** Offset of the checksum in the transport header. */
const CHECKSUM_AT: Readonly<Record<number, number>> = { [ICMP]: 2, [TCP]: 16, [UDP]: 6 };
/** Offsets in an ICMP query: its identifier. */
const IDENTIFIER = 4;
/** Ports from here on are replaced by those from here on, as nf_nat_l4proto_unique_tuple has it; so are all of them here. */
const UNPRIVILEGED = 1024;

interface Flow {
  /** Fingerprints of what the client said so far. */
  readonly prints: Set<string>;
  readonly protocol: number;
  /** The client's port, or identifier of its queries, as it sends it; and as the server sees it. */
  readonly own: number;
  seen: number;
}

/** By the name of the flow. */
export type Flows = Map<string, Flow>;

const word = (octets: Uint8Array, at: number): number => ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);

const transportAt = (octets: Uint8Array, at: number): number => at + (octets[at]! & 0xf) * 4;

/** Where the packet at `at` has its sender's port or identifier; -1 in later fragments and ICMP errors. */
function sourcePortAt(octets: Uint8Array, at: number): number {
  if ((word(octets, at + 6) & 0x1fff) !== 0 || isError(octets, at)) return -1;
  return transportAt(octets, at) + (octets[at + 9] === ICMP ? IDENTIFIER : 0);
}

/** Note what the client says with `step`, before the cells have it. */
export function note(flows: Flows, step: FrameStep): void {
  if (step.flow === undefined || step.answers === true) return;
  const octets = Buffer.from(step.octets, 'hex');
  const at = networkAt(octets, 0);
  const port = at < 0 ? -1 : sourcePortAt(octets, at);
  if (at < 0 || isError(octets, at)) return;
  const flow = flows.get(step.flow);
  if (flow !== undefined) flow.prints.add(fingerprintAt(octets, at));
  else if (port >= 0) {
    const own = word(octets, port);
    flows.set(step.flow, { prints: new Set([fingerprintAt(octets, at)]), protocol: octets[at + 9]!, own, seen: own });
  }
}

/**
 * Learn from `events`, what the cells saw because of `step`, which port the server sees. Gives those that were drawn, in order,
 * as numbers that a search for a free one began with.
 */
export function learn(flows: Flows, step: FrameStep, events: readonly Event[]): number[] {
  const flow = step.flow === undefined || step.answers === true ? undefined : flows.get(step.flow);
  if (flow === undefined) return [];
  const drawn: number[] = [];
  let before = flow.own;
  for (const { octets, outgoing, device } of events) {
    const seen = outgoing && !isContainerEnd(device) ? look(octets) : null;
    if (seen === null || !flow.prints.has(seen.fingerprint)) continue;
    const port = sourcePortAt(octets, packetAt(octets));
    if (port < 0 || word(octets, port) === before) continue;
    before = word(octets, port);
    drawn.push(flow.protocol === ICMP ? before : before - UNPRIVILEGED);
  }
  flow.seen = before;
  return drawn;
}

/** `sum` of an Internet checksum when a word that it covers changes (RFC 1624). */
function updated(sum: number, from: number, to: number): number {
  let next = (~sum & 0xffff) + (~from & 0xffff) + to;
  while (next > 0xffff) next = (next & 0xffff) + (next >>> 16);
  return ~next & 0xffff;
}

/** Write `value` at `at`, and mend the checksum at `sumAt`, where there is one. */
function change(octets: Uint8Array, at: number, value: number, sumAt: number): void {
  const before = word(octets, at);
  octets.set([value >>> 8, value & 0xff], at);
  if (sumAt + 2 > octets.length) return;
  const sum = updated(word(octets, sumAt), before, value);
  octets.set([sum >>> 8, sum & 0xff], sumAt);
}

/** `step` with the port that the server sees in the place of the client's own, where it answers. */
export function filled(flows: Flows, step: FrameStep): FrameStep {
  const seen = step.answers === true ? flows.get(step.flow!)?.seen : undefined;
  if (seen === undefined) return step;
  const octets = Buffer.from(step.octets, 'hex');
  const at = networkAt(octets, 0);
  const [body, protocol] = [transportAt(octets, at), octets[at + 9]!];
  if (isError(octets, at)) fillQuote(octets, body, seen);
  else if ((word(octets, at + 6) & 0x1fff) === 0)
    change(octets, body + (protocol === ICMP ? IDENTIFIER : 2), seen, body + CHECKSUM_AT[protocol]!);
  return { ...step, octets: octets.toString('hex') };
}

/** The packet that the ICMP error at `message` quotes is the client's, as the server has it. */
function fillQuote(octets: Uint8Array, message: number, seen: number): void {
  const quoted = message + 8;
  const port = sourcePortAt(octets, quoted);
  if (port < 0 || port + 2 > octets.length) return;
  const sum = transportAt(octets, quoted) + CHECKSUM_AT[octets[quoted + 9]!]!;
  const before = word(octets, port);
  change(octets, port, seen, message + 2);
  if (sum + 2 <= octets.length) change(octets, sum, updated(word(octets, sum), before, seen), message + 2);
}
