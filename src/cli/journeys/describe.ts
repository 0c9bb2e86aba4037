/** A journey as the outputs show it: the taps it passed with its time there, what became of it, and why. */
import { HELD } from '../../dataplane/burst.ts';
import type { Emulation } from '../../dataplane/emulate/emulation.ts';
import type { Fate } from '../../dataplane/emulate/journey.ts';
import { DIRECTION } from '../../dataplane/emulate/seams.ts';
import { REASONS, VERDICT_NAMES } from '../../dataplane/verdict.ts';
import { FOUND, type Journey, ORIGIN, type Place, type Seen } from '../../replay/journeys/model.ts';
import { formatIpv4 } from '../../wire/address.ts';
import { describeRule } from '../replay/verdict-lines.ts';

/** What is needed to put names to numbers. */
export interface Names {
  readonly emulation: Emulation;
  readonly files: readonly string[];
  readonly epochNanoseconds: () => bigint;
}

/** The word for a fate: one of VERDICT_NAMES, or that it became a part of another packet. */
export const verdictOf = (fate: Fate | null): string =>
  fate === null ? 'waiting' : fate.verdict === HELD ? 'reassembled' : VERDICT_NAMES[fate.verdict]!;

export const reasonOf = (fate: Fate | null): string => (fate === null ? 'none' : REASONS[fate.reason]!.code);

export const cellOf = ({ emulation }: Names, fate: Fate | null): string | null =>
  fate === null ? null : emulation.dataplane.cells[fate.cell]!.name;

export function ruleAt({ emulation }: Names, cell: number, rule: number): ReturnType<typeof describeRule> | null {
  const known = rule < 0 ? undefined : emulation.dataplane.cells[cell]?.filter.rules.rules[rule];
  return known === undefined ? null : describeRule(known);
}

function describePlace(names: Names, place: Place, isExtra: boolean): object {
  const { tap, cell } = names.emulation.devices[place.device]!;
  const isDecided = place.direction === DIRECTION.OUT && place.rule >= 0;
  return {
    tap,
    direction: place.direction === DIRECTION.OUT ? 'out' : 'in',
    timestamp: String(names.epochNanoseconds() + BigInt(Math.round(place.time))),
    length: place.length,
    mark: place.mark,
    rule: isDecided ? ruleAt(names, cell, place.rule) : null,
    ...(isExtra ? { extra: true } : {}),
  };
}

const describeSeen = ({ emulation, files }: Names, seen: Seen): object => ({
  file: files[seen.file],
  packet: seen.packet,
  tap: emulation.devices[seen.device]!.tap,
  found: seen.found,
  ...(seen.found === FOUND.DIFFERENT ? { differing: seen.differing } : {}),
});

export function describeJourney(names: Names, journey: Journey): object {
  const { ends, fate } = journey;
  return {
    journey: journey.number,
    cause: journey.cause === 0 ? null : journey.cause,
    origin: journey.origin,
    source: ends === null ? null : formatIpv4(ends.source),
    destination: ends === null ? null : formatIpv4(ends.destination),
    protocol: ends?.protocol ?? null,
    verdict: verdictOf(fate),
    reason: reasonOf(fate),
    cell: cellOf(names, fate),
    supposed: journey.origin === ORIGIN.SUPPOSED,
    taps: journey.places.map((place) => describePlace(names, place, journey.unexpected.includes(place))),
    rule: fate === null ? null : ruleAt(names, fate.cell, fate.rule),
    captured: journey.captured.map((one) => describeSeen(names, one)),
  };
}

/** A captured frame that no journey explains, in the form of one. */
export const describeAlone = (names: Names, seen: Seen): object => ({
  journey: null,
  cause: null,
  origin: null,
  verdict: null,
  reason: null,
  cell: null,
  supposed: false,
  taps: [],
  rule: null,
  captured: [describeSeen(names, seen)],
});
