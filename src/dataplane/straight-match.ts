/** Compiled code that matches packets by themselves (`match.ts`). */
import type { RecordSource } from '../capture/reader.ts';
import type { Burst } from './burst.ts';
import type { Cell } from './cell.ts';
import { COUNTERS, OUTLINES } from './control-block.ts';
import type { Dataplane } from './dataplane.ts';
import { bindBurst, cellOfCompiled, lend, prepare, type Straight, takeBack } from './straight.ts';

/** Where compiled code keeps what it knows of the rows of a burst that it matches. */
export interface Matching {
  readonly straight: Straight;
  readonly cell: Cell;
  readonly outlines: Uint32Array<ArrayBuffer>;
}

/** What compiled code can match rows with; null when it cannot. */
export function matchingOf(dataplane: Dataplane, outlines: Uint32Array<ArrayBuffer>): Matching | null {
  const { straight } = dataplane;
  const cell = cellOfCompiled(dataplane);
  if (straight === null || cell === null || outlines.buffer !== straight.memory.buffer) return null;
  straight.frontsAfter = 0;
  prepare(straight, cell);
  return { straight, cell, outlines };
}

/**
 * Locate whole bursts of `source` and write their outlines, up to one with rows that have none. Gives its rows, which are in `burst`; 0
 * when no more can be located.
 */
export function surveyBursts(
  { straight, cell, outlines }: Matching,
  dataplane: Dataplane,
  burst: Burst,
  source: RecordSource,
): number {
  return (
    source.lendTo?.(burst.records, (state) => {
      if (!bindBurst(straight, cell, dataplane, burst)) return 0;
      straight.control[OUTLINES] = outlines.byteOffset;
      return straight.loops.survey(straight.at, state);
    }) ?? 0
  );
}

/**
 * Match the rows of `burst`, each by itself (`match.ts`). Gives how many are left, which `straight.notes` lists; -1, and nothing done,
 * when compiled code cannot.
 */
export function matchRows({ straight, cell, outlines }: Matching, dataplane: Dataplane, burst: Burst): number {
  if (!bindBurst(straight, cell, dataplane, burst)) return -1;
  straight.control[OUTLINES] = outlines.byteOffset;
  const left = straight.loops.match(straight.at);
  takeBack(straight, dataplane);
  return left;
}

/**
 * Locate, match and count whole bursts of `source`. What is left is in `burst`: a burst of which only the rows that `straight.notes`
 * lists are not matched, and none is counted; or none. Gives how many they are; -1, and nothing done, when compiled code cannot.
 */
export function siftBursts(
  { straight, cell, outlines }: Matching,
  dataplane: Dataplane,
  burst: Burst,
  source: RecordSource,
): number {
  const { counters } = dataplane;
  const { control } = straight;
  if (counters.place.buffer !== straight.memory.buffer) return -1;
  return lend(straight, dataplane, burst, source, (state) => {
    if (!bindBurst(straight, cell, dataplane, burst)) return 0;
    control[OUTLINES] = outlines.byteOffset;
    control[COUNTERS] = counters.place.offset;
    const rows = straight.loops.sift(straight.at, state);
    takeBack(straight, dataplane);
    return rows;
  });
}
