/**
 * fast-check with a seed that can be set and is always told: TAGPLANE_SEED reruns the same cases, TAGPLANE_RUNS says how
 * many. A failure prints the command that repeats it.
 */
import fc from 'fast-check';

const SEED = process.env.TAGPLANE_SEED;
const RUNS = process.env.TAGPLANE_RUNS;

/** Check `property` over `runs` random cases (TAGPLANE_RUNS overrides). */
export function check<T>(property: fc.IProperty<T>, runs = 200): void {
  const seed = SEED === undefined ? Date.now() & 0x7fffffff : Number(SEED);
  const details = fc.check(property, { seed, numRuns: RUNS === undefined ? runs : Number(RUNS) });
  if (!details.failed) return;
  const file = process.argv[1] ?? '';
  throw new Error(
    `${fc.defaultReportMessage(details)}\n${String(details.errorInstance)}\nrerun: TAGPLANE_SEED=${seed}${RUNS === undefined ? '' : ` TAGPLANE_RUNS=${RUNS}`} node ${file}`,
  );
}
