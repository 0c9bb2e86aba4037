/** Contradictions: where captures show something else than the emulated cells did, in sentences. */
import { FOUND, type Journey, type Place, type Seen } from '../../replay/journeys/model.ts';
import { formatIpv4 } from '../../wire/address.ts';
import { seconds } from '../text.ts';
import { cellOf, type Names, reasonOf, ruleAt, verdictOf } from './describe.ts';

/** Runs of offsets that are named. */
const MOST_RUNS = 6;

/** `22, 24-25`: offsets of a frame, neighbours together. */
export function offsetsOf(offsets: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const offset of offsets) {
    const last = runs.at(-1);
    if (last?.[1] === offset - 1) last[1] = offset;
    else runs.push([offset, offset]);
  }
  const named = runs.slice(0, MOST_RUNS).map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`));
  return `${named.join(', ')}${runs.length > MOST_RUNS ? ' and more' : ''}`;
}

/** What the emulated cells did with the packet of a frame that they did not show. */
function instead(names: Names, journey: Journey | null): string {
  const fate = journey?.fate ?? null;
  if (journey === null) return 'the emulated cells made no such packet';
  const rule = fate === null ? null : ruleAt(names, fate.cell, fate.rule);
  const decided = rule === null ? '' : `, ${rule.chain} rule ${rule.number}: ${rule.text}`;
  const where = cellOf(names, fate);
  return `journey ${journey.number} ended with ${verdictOf(fate)} ${reasonOf(fate)}${where === null ? '' : ` on ${where}`}${decided}`;
}

/** A captured frame that the emulation does not confirm. */
export function aboutSeen(names: Names, seen: Seen, journey: Journey | null): string {
  const { tap } = names.emulation.devices[seen.device]!;
  const which = `${names.files[seen.file]} packet ${seen.packet}, ${tap}`;
  if (seen.found === FOUND.MISSING) return `missing: ${which}: ${instead(names, journey)}`;
  return `differs: ${which}: at octets ${offsetsOf(seen.differing)}, journey ${seen.journey}`;
}

/** What a captured tap should have seen. */
export function aboutPlace(names: Names, place: Place, journey: Journey | null): string {
  const { tap } = names.emulation.devices[place.device]!;
  const ends = journey?.ends ?? null;
  const packet = ends === null ? '' : `, ${formatIpv4(ends.source)} to ${formatIpv4(ends.destination)}`;
  return `extra: ${tap} at ${seconds(place.time)}${packet}: journey ${place.packet} passes here and no capture has it`;
}
