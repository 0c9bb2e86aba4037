/** One case on both sides. */
import { type Comparison, compareVerdicts } from './compare-verdicts.ts';
import { compareTaps } from './compare-taps.ts';
import { exceptionOf } from './exceptions.ts';
import { runOnKernel } from './kernel.ts';
import { count, type Mismatch } from './mismatch.ts';
import type { Case } from './step.ts';

export interface Trial {
  /** Frames of the case. */
  readonly frames: number;
  readonly comparisons: readonly Comparison[];
  /** What differs and is no exception. */
  readonly mismatches: readonly Mismatch[];
  readonly exceptions: ReadonlyMap<string, number>;
}

/** Run `one` on the kernel and on both of tagplane's sides. */
export async function tryCase(one: Case): Promise<Trial> {
  const kernel = await runOnKernel(one, true);
  const comparisons = [compareVerdicts(one, kernel), compareTaps(one, kernel)];
  const mismatches: Mismatch[] = [];
  const exceptions = new Map<string, number>();
  for (const mismatch of comparisons.flatMap((comparison) => comparison.mismatches)) {
    const exception = exceptionOf(mismatch);
    if (exception === null) mismatches.push(mismatch);
    else count(exceptions, exception);
  }
  const frames = one.steps.filter(({ kind }) => kind === 'frame').length;
  return { frames, comparisons, mismatches, exceptions };
}
