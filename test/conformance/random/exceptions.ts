/**
 * Differences between the kernel and the judge that are known, each with the reason. One that no longer happens in a whole
 * run is stale, and the run fails.
 */
import type { Arrival } from './fate.ts';
import type { Judgement } from './judge-side.ts';

interface Exception {
  readonly name: string;
  readonly applies: (arrival: Arrival, judgement: Judgement) => boolean;
}

export const EXCEPTIONS: readonly Exception[] = [
  {
    name: 'plain IPv4 between hosts is observed, not judged',
    applies: (_, { reason }) => reason === 'underlay.other' || reason === 'underlay.unknown-cell',
  },
];

/** The name of the exception that covers a difference, or null. */
export const exceptionOf = (arrival: Arrival, judgement: Judgement): string | null =>
  EXCEPTIONS.find(({ applies }) => applies(arrival, judgement))?.name ?? null;
