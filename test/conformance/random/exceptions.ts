/**
 * Differences between the kernel and tagplane that are known, each with the reason. They are counted; one that never happens
 * in a run of `STALE_AFTER` packets is stale, and the run fails.
 */
import { count, type Mismatch } from './mismatch.ts';

interface Exception {
  readonly name: string;
  readonly applies: (mismatch: Mismatch) => boolean;
}

/** Packets after which every exception must have been seen. */
export const STALE_AFTER = 20_000;

const EXCEPTIONS: readonly Exception[] = [
  {
    name: 'judge: plain IPv4 between hosts is observed, not judged',
    applies: ({ side, tagplane }) => side === 'judge' && tagplane.startsWith('observed, underlay.'),
  },
];

/** Those that every long run has to meet. */
export const FREQUENT_EXCEPTIONS = EXCEPTIONS.map(({ name }) => name);

/** Sort the mismatches of a case into those that stand and counts of those that are excepted. */
export function sift(mismatches: readonly Mismatch[]): { standing: Mismatch[]; excepted: Map<string, number> } {
  const standing: Mismatch[] = [];
  const excepted = new Map<string, number>();
  for (const mismatch of mismatches) {
    const exception = EXCEPTIONS.find(({ applies }) => applies(mismatch));
    if (exception === undefined) standing.push(mismatch);
    else count(excepted, exception.name);
  }
  return { standing, excepted };
}
