/** What judging leaves behind, in a form that two dataplanes can be compared by. */
import * as assert from 'uvu/assert';
import type { Burst } from '../../src/dataplane/burst.ts';
import { ENTRY_WORDS } from '../../src/dataplane/conntrack.ts';
import type { Dataplane } from '../../src/dataplane/dataplane.ts';
import type { Straight } from '../../src/dataplane/straight.ts';

const COLUMNS = [
  'verdict',
  'reason',
  'rule',
  'cell',
  'mark',
  'tag',
  'ctstate',
  'reply',
  'version',
  'source',
  'destination',
  'protocol',
  'sourcePort',
  'destinationPort',
  'note',
  'fault',
  'faultAt',
] as const;

/** Every column of the rows of `burst`. */
export const columns = (burst: Burst): object =>
  Object.fromEntries(COLUMNS.map((name) => [name, [...burst[name].subarray(0, burst.records.count)]]));

/** The counters of every rule and chain. */
export const counters = (dataplane: Dataplane): object =>
  dataplane.cells.map(({ filter }) => {
    const { packets, bytes, policyPackets, policyBytes } = filter.counters();
    return [[...packets], [...bytes], [...policyPackets], [...policyBytes]];
  });

/**
 * Key, state and times of every connection; what the straight way remembers beside them is its own business. The table's own
 * number of refusals must be right.
 */
export function connections({ connections: { words, times, used, refusals } }: Dataplane): string[] {
  const found: string[] = [];
  for (let slot = 0; slot < used; slot++) {
    const expires = times[(slot * ENTRY_WORDS) / 2 + 3]!;
    if (expires > Number.NEGATIVE_INFINITY)
      found.push(`${[...words.subarray(slot * ENTRY_WORDS, slot * ENTRY_WORDS + 6)].join(' ')} ${expires}`);
  }
  assert.is(refusals, used - found.length, 'refusals');
  return found.sort();
}

/** Rows that compiled code judges while `action` runs. */
export function countRuns(straight: Straight, action: () => void): number {
  let rows = 0;
  const { loops } = straight;
  const counting = (control: number, row: number, to: number): number => {
    const stopped = loops.run(control, row, to);
    rows += stopped - row;
    return stopped;
  };
  Object.assign(straight, { loops: { ...loops, run: counting } });
  action();
  return rows;
}
