/**
 * Differences between the kernel and tagplane that are known, each with the reason. They are counted; one that never happens
 * in a run of `STALE_AFTER` packets is stale, and the run fails.
 */
import type { Mismatch } from './mismatch.ts';

interface Exception {
  readonly name: string;
  readonly applies: (mismatch: Mismatch) => boolean;
}

export const STALE_AFTER = 20_000;

export const EXCEPTIONS: readonly Exception[] = [
  {
    name: 'judge: plain IPv4 between hosts is observed, not judged (docs/dataplane.md)',
    applies: ({ side, tagplane }) => side === 'judge' && /^observed, underlay\./.test(tagplane),
  },
  {
    name: 'a limit keeps its tokens when policies change; here it begins anew',
    applies: ({ subject }) => / in epoch [1-9]/.test(subject) && subject.includes('(limit)'),
  },
];

/** The name of the exception that covers a difference, or null. */
export const exceptionOf = (mismatch: Mismatch): string | null =>
  EXCEPTIONS.find(({ applies }) => applies(mismatch))?.name ?? null;
