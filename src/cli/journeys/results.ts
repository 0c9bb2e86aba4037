/** Results of a run of journeys while they come in: counted, written to taps, listed, and the first contradictions in words. */
import { FOUND, type JourneyListener } from '../../replay/journeys/model.ts';
import type { Contradiction } from '../replay/fail-on.ts';
import { aboutPlace, aboutSeen } from './contradictions.ts';
import { describeAlone, describeJourney, type Names, verdictOf } from './describe.ts';
import type { Effects } from './effects.ts';
import type { JourneyForm } from './forms.ts';
import { countJourney, countPlace, countSeen, createSums, type Sums } from './report.ts';
import type { TapWriters } from './taps.ts';

/** What results are written to. */
export interface Writers {
  readonly taps: TapWriters;
  readonly effects: Effects;
  /** Null where journeys are not listed. */
  readonly form: JourneyForm | null;
}

export interface Results extends Writers {
  readonly names: Names;
  readonly sums: Sums;
  /** The first ones, in words; `found` counts all. */
  readonly contradictions: string[];
  readonly most: number;
  found: number;
  /** Verdicts and kinds of contradictions that occurred. */
  readonly met: Set<string>;
}

export const createResults = (names: Names, devices: readonly number[], writers: Writers, most: number): Results => {
  const sums = createSums(
    names.emulation,
    devices.filter((device) => device >= 0),
  );
  return { ...writers, names, sums, contradictions: [], most, found: 0, met: new Set() };
};

function contradict(results: Results, kind: Contradiction, text: () => string): void {
  results.met.add(kind);
  results.found += 1;
  if (results.contradictions.length < results.most) results.contradictions.push(text());
}

export const listenerOf = (results: Results): JourneyListener => ({
  compared(seen, journey) {
    const { names, sums, form } = results;
    countSeen(sums, seen);
    if (seen.found === FOUND.MISSING) contradict(results, 'missing', () => aboutSeen(names, seen, journey));
    if (seen.found === FOUND.DIFFERENT) contradict(results, 'differ', () => aboutSeen(names, seen, journey));
    if (journey === null && seen.found !== FOUND.LEFT_OUT) form?.add(describeAlone(names, seen));
  },
  unexpected(place, found, journey) {
    countPlace(results.sums, place, found);
    if (found === FOUND.MISSING) contradict(results, 'extra', () => aboutPlace(results.names, place, journey));
  },
  passed: (place, octets, journey) => results.taps.write(place, octets, journey),
  ended(journey) {
    countJourney(results.sums, journey);
    results.met.add(verdictOf(journey.fate));
    results.form?.add(describeJourney(results.names, journey));
  },
  logged: (line) => results.effects.logged(line),
});
