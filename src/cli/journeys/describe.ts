/** A journey as the outputs show it: the taps it passed with its time there, what became of it, and why. */
import { HELD } from '../../dataplane/burst.ts';
import type { Emulation } from '../../dataplane/emulate/emulation.ts';
import type { Fate, Passage, Record } from '../../dataplane/emulate/journey.ts';
import { DIRECTION } from '../../dataplane/emulate/seams.ts';
import { REASONS, VERDICT_NAMES } from '../../dataplane/verdict.ts';
import { FOUND, type Journeys, type Seen } from '../../replay/journeys.ts';
import { packetOf } from '../../replay/same-packet.ts';
import { formatIpv4 } from '../../wire/address.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { describeRule } from '../replay/verdict-lines.ts';

export interface Journey {
  readonly journey: number;
  /** The journey that this one answers or is a part of; null for one that was put in. */
  readonly cause: number | null;
  readonly source: string | null;
  readonly destination: string | null;
  readonly protocol: number | null;
  readonly verdict: string;
  readonly reason: string;
  readonly cell: string | null;
  /** Put in as its container must have sent it. */
  readonly supposed: boolean;
  readonly taps: readonly object[];
  readonly captured: readonly object[];
}

/** The word for a fate: one of VERDICT_NAMES, or that it became a part of another packet. */
const verdictOf = (fate: Fate | undefined): string =>
  fate === undefined ? 'waiting' : fate.verdict === HELD ? 'reassembled' : VERDICT_NAMES[fate.verdict]!;

function ruleAt(emulation: Emulation, cell: number, rule: number): object | null {
  const known = rule < 0 ? undefined : emulation.dataplane.cells[cell]?.filter.rules.rules[rule];
  return known === undefined ? null : describeRule(known);
}

function tapOf(emulation: Emulation, passage: Passage, epoch: bigint): object {
  const { tap, cell } = emulation.devices[passage.device]!;
  const isDecided = passage.direction === DIRECTION.OUT && passage.rule >= 0;
  return {
    tap,
    direction: passage.direction === DIRECTION.OUT ? 'out' : 'in',
    timestamp: String(epoch + BigInt(Math.round(passage.time))),
    length: passage.octets.length,
    mark: passage.mark,
    rule: isDecided ? ruleAt(emulation, cell, passage.rule) : null,
  };
}

const found = (emulation: Emulation, files: readonly string[], seen: Seen): object => ({
  file: files[seen.file],
  packet: seen.packet,
  tap: emulation.devices[seen.device]!.tap,
  found: seen.found,
  ...(seen.found === FOUND.DIFFERENT ? { differing: seen.differing } : {}),
});

function endsOf(passage: Passage | undefined, vxlanPort: number): Pick<Journey, 'source' | 'destination' | 'protocol'> {
  const none = { source: null, destination: null, protocol: null };
  if (passage === undefined) return none;
  const view = new DataView(passage.octets.buffer);
  const network = packetOf(view, 0, passage.octets.length, vxlanPort);
  if (network < 0) return none;
  return {
    source: formatIpv4(ipv4.source(view, network)),
    destination: formatIpv4(ipv4.destination(view, network)),
    protocol: ipv4.protocol(view, network),
  };
}

/** Items by the number of their packet. */
function byPacket<T>(items: readonly T[], packetOfItem: (item: T) => number): Map<number, T[]> {
  const found = new Map<number, T[]>();
  for (const item of items) {
    const packet = packetOfItem(item);
    const others = found.get(packet);
    if (others === undefined) found.set(packet, [item]);
    else others.push(item);
  }
  return found;
}

/** All journeys, in the order in which they began. */
export function describeJourneys(
  emulation: Emulation,
  record: Record,
  { seen, supposed }: Journeys,
  files: readonly string[],
  epoch: bigint,
): Journey[] {
  const passages = byPacket(record.passages, ({ packet }) => packet);
  const fates = byPacket(record.fates, ({ packet }) => packet);
  const captured = byPacket(seen, ({ journey }) => journey);
  const numbers = [...new Set([...passages.keys(), ...fates.keys()])].sort((a, b) => a - b);
  return numbers.map((journey) => {
    const passed = passages.get(journey) ?? [];
    const fate = fates.get(journey)?.at(-1);
    const cause = passed[0]?.cause ?? fate?.cause ?? 0;
    return {
      journey,
      cause: cause === 0 ? null : cause,
      ...endsOf(passed[0], emulation.dataplane.options.vxlanPort),
      verdict: verdictOf(fate),
      reason: fate === undefined ? 'none' : REASONS[fate.reason]!.code,
      cell: fate === undefined ? null : emulation.dataplane.cells[fate.cell]!.name,
      supposed: supposed.has(journey),
      taps: passed.map((passage) => tapOf(emulation, passage, epoch)),
      rule: fate === undefined ? null : ruleAt(emulation, fate.cell, fate.rule),
      captured: (captured.get(journey) ?? []).map((one) => found(emulation, files, one)),
    };
  });
}
