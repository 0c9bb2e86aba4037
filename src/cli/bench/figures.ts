/** What is made of measurements: medians, percentiles, and the highest rate of which something holds. */

/** Median, least and most. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >>> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, least: sorted[0]!, most: sorted.at(-1)! };
}

export const PERCENTILES = [50, 90, 99, 99.9, 100] as const;

/** The least value that so many percent of `values` are not above (nearest rank), for each of PERCENTILES. */
export function percentilesOf(values: readonly number[]): number[] {
  const sorted = Float64Array.from(values).sort();
  // In tenths of a percent, so that ranks are quotients of whole numbers.
  const rank = (percent: number): number => Math.ceil((Math.round(percent * 10) * sorted.length) / 1000);
  return PERCENTILES.map((percent) => sorted[Math.max(rank(percent), 1) - 1]!);
}

/**
 * The highest rate up to `top` that `holds`, to one part in 2 to the power of `steps`; 0 when none does. What holds at a rate is taken to
 * hold at every lower one.
 */
export async function highestRate(
  top: number,
  steps: number,
  holds: (rate: number) => Promise<boolean>,
): Promise<number> {
  let [low, high] = [0, top];
  if (await holds(top)) return top;
  for (let step = 0; step < steps; step++) {
    const middle = (low + high) / 2;
    if (await holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}
