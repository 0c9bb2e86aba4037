/**
 * Fewer steps with the same mismatch: delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing
 * Input", 2002). Parts of the steps are left out as long as the mismatch stays; each trial has a lab of its own.
 */
import type { Case, Step } from './step.ts';

/** Steps in `parts` parts of nearly the same size. */
function split(steps: readonly Step[], parts: number): Step[][] {
  return Array.from({ length: parts }, (_, part) =>
    steps.slice(Math.floor((part * steps.length) / parts), Math.floor(((part + 1) * steps.length) / parts)),
  ).filter((one) => one.length > 0);
}

/**
 * The shortest case found for which `stays` says that the mismatch is still there, after at most `trials` trials. `stays`
 * must hold for `one` itself.
 */
export async function shrink(one: Case, stays: (smaller: Case) => Promise<boolean>, trials: number): Promise<Case> {
  let { steps } = one;
  let [parts, left] = [2, trials];
  while (steps.length > 1 && left > 0) {
    const pieces = split(steps, parts);
    let smaller: Step[] | null = null;
    // Leaving out the front first: what comes last is mostly what shows.
    for (let without = 0; without < pieces.length && left > 0 && smaller === null; without++) {
      const rest = pieces.flatMap((piece, index) => (index === without ? [] : piece));
      left -= 1;
      if (await stays({ ...one, steps: rest })) smaller = rest;
    }
    if (smaller !== null) {
      steps = smaller;
      parts = Math.max(2, parts - 1);
    } else if (parts >= steps.length) break;
    else parts = Math.min(steps.length, parts * 2);
  }
  return { ...one, steps };
}
