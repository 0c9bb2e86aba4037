/**
 * Counters: every packet that was read ends in exactly one verdict and one reason.
 *
 * `read = forward + deliver + reject + drop + malformed + unsupported + observed`, once no fragment is held any more.
 * The program checks its own sums with `reconcile`.
 */
import { type Arena, heap, type Place } from '../memory/arena.ts';
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
  /** Where the sums are, and two more in front of them, which `count` of `straight.ts` takes over: octets and held. */
  readonly place: Place;
  readonly fresh: Float64Array;
}

/** Doubles for each part, as in `native/layout.h`. */
const FRESH = 2;
const VERDICTS = 8;
const REASONS_ROOM = 128;
const NOTES = 8;

export function create(arena: Arena = heap): Counters {
  const place = arena.allocate((FRESH + VERDICTS + REASONS_ROOM + NOTES) * 8);
  const doubles = (from: number, length: number): Float64Array =>
    new Float64Array(place.buffer, place.offset + from * 8, length);
  return {
    read: 0,
    octets: 0,
    verdicts: doubles(FRESH, VERDICT_NAMES.length),
    reasons: doubles(FRESH + VERDICTS, REASONS.length),
    held: 0,
    notes: doubles(FRESH + VERDICTS + REASONS_ROOM, NOTES),
    place,
    fresh: doubles(0, FRESH),
  };
}

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
