/**
 * Chance from a seed: the same seed draws the same numbers on every machine. Mulberry32 (Tommy Ettinger, 2017), 32 bits of
 * state: enough for test cases, and a seed that fits on a command line.
 */
export interface Chance {
  /** An integer from `low` to `high`, both included. */
  readonly between: (low: number, high: number) => number;
  /** True in `percent` of 100 draws. */
  readonly percent: (percent: number) => boolean;
  readonly pick: <T>(items: readonly T[]) => T;
  /** One of `[weight, item]`, by weight. */
  readonly weighted: <T>(items: readonly (readonly [weight: number, item: T])[]) => T;
  readonly octets: (count: number) => number[];
}

export function createChance(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const between = (low: number, high: number): number => low + (next() % (high - low + 1));
  const pick = <T>(items: readonly T[]): T => {
    if (items.length === 0) throw new RangeError('nothing to pick from');
    return items[between(0, items.length - 1)]!;
  };
  return {
    between,
    percent: (percent) => between(0, 99) < percent,
    pick,
    weighted(items) {
      let left = between(
        1,
        items.reduce((sum, [weight]) => sum + weight, 0),
      );
      for (const [weight, item] of items) {
        left -= weight;
        if (left <= 0) return item;
      }
      throw new RangeError('nothing to pick from');
    },
    octets: (count) => Array.from({ length: count }, () => between(0, 255)),
  };
}
