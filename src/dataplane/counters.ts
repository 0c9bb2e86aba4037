/**
 * Counters: every packet that was read ends in exactly one verdict and one reason.
 *
 * `read = forward + deliver + reject + drop + malformed + unsupported + observed`, once no fragment is held any more.
 * The program checks its own sums with `reconcile`.
 */
import { type Burst, HELD, NOTE } from './burst.ts';
import { REASONS, VERDICT_NAMES } from './verdict.ts';

export interface Counters {
  /** Packets handed in, and their octets on the wire. */
  read: number;
  octets: number;
  /** Indexed by VERDICT. */
  readonly verdicts: Float64Array;
  /** Indexed by REASON. */
  readonly reasons: Float64Array;
  /** Fragments that wait for their datagram. */
  held: number;
  /** Indexed by the bit number of NOTE. */
  readonly notes: Float64Array;
}

export const create = (): Counters => ({
  read: 0,
  octets: 0,
  verdicts: new Float64Array(VERDICT_NAMES.length),
  reasons: new Float64Array(REASONS.length),
  held: 0,
  notes: new Float64Array(8),
});

/** Count the rows of a burst that came from a capture. */
export function countRead(counters: Counters, burst: Burst): void {
  const { count, originalLength } = burst.records;
  counters.read += count;
  for (let i = 0; i < count; i++) counters.octets += originalLength[i]!;
}

/** Count the verdicts of a burst; `late` for fragments that were held before. */
export function countVerdicts(counters: Counters, burst: Burst, late: boolean): void {
  const count = burst.records.count;
  if (late) counters.held -= count;
  for (let i = 0; i < count; i++) {
    const verdict = burst.verdict[i]!;
    if (verdict === HELD) {
      counters.held += 1;
      continue;
    }
    counters.verdicts[verdict]! += 1;
    counters.reasons[burst.reason[i]!]! += 1;
    const note = burst.note[i]!;
    if ((note & ~NOTE.OPENED) !== 0) countNotes(counters, note);
  }
}

function countNotes(counters: Counters, note: number): void {
  if ((note & NOTE.EGRESS_TAG) !== 0) counters.notes[0]! += 1;
  if ((note & NOTE.EGRESS_REFUSED) !== 0) counters.notes[1]! += 1;
  if ((note & NOTE.PICKED_UP) !== 0) counters.notes[2]! += 1;
}

/** Packets that are missing from, or too many in, the sums: 0 is right. */
export function reconcile(counters: Counters): number {
  let verdicts = counters.held;
  let reasons = counters.held;
  for (const count of counters.verdicts) verdicts += count;
  for (const count of counters.reasons) reasons += count;
  return verdicts === counters.read ? counters.read - reasons : counters.read - verdicts;
}
