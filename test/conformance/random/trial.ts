/** One case on both sides. */
import { compareLogs } from './compare-logs.ts';
import { compareTaps, eventsByFrame } from './compare-taps.ts';
import { type Comparison, compareVerdicts } from './compare-verdicts.ts';
import { emulate } from './emulate-side.ts';
import { sift } from './exceptions.ts';
import { runOnKernel } from './kernel.ts';
import type { Mismatch } from './mismatch.ts';
import type { Case, PoliciesStep } from './step.ts';

export interface Trial {
  /** Frames of the case. */
  readonly frames: number;
  readonly comparisons: readonly Comparison[];
  /** What differs and is no exception. */
  readonly mismatches: readonly Mismatch[];
  readonly exceptions: ReadonlyMap<string, number>;
}

/** Run `one` on the kernel and on tagplane. */
export async function tryCase(one: Case): Promise<Trial> {
  const kernel = await runOnKernel(one, false);
  const ours = emulate(kernel, eventsByFrame(kernel));
  const comparisons = [compareVerdicts(kernel, ours.translated), compareTaps(kernel, ours), compareLogs(kernel, ours)];
  const { standing, excepted } = sift(comparisons.flatMap(({ mismatches }) => mismatches));
  const frames = one.steps.filter(({ kind }) => kind === 'frame').length;
  return { frames, comparisons, mismatches: standing, exceptions: excepted };
}

const NEXT: Readonly<Record<PoliciesStep['stage'], PoliciesStep['stage']>> = {
  inserted: 'filled',
  filled: 'removed',
  removed: 'inserted',
};

/** Whether the stages of every change of policies are there, in order; steps may have been left out. */
export function isPlayable({ steps }: Case): boolean {
  let awaited: PoliciesStep['stage'] = 'inserted';
  for (const step of steps) {
    if (step.kind !== 'policies') continue;
    if (step.stage !== awaited) return false;
    awaited = NEXT[awaited];
  }
  return steps.some(({ kind }) => kind === 'frame');
}
