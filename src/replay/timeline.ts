/**
 * Timeline: what is due at moments of capture time while a capture is played, and what was judged between one and the next.
 */
import type { RecordBurst } from '../capture/burst.ts';
import type { Burst } from '../dataplane/burst.ts';
import type { Dataplane } from '../dataplane/dataplane.ts';
import { exchange } from '../dataplane/exchange.ts';
import { VERDICT } from '../dataplane/verdict.ts';
import type { RulesChange } from '../foundation/schedule.ts';

/** A change that was made, and the packets that its cell judged from then on until the next one. */
export interface Applied {
  readonly change: RulesChange;
  packets: number;
  refused: number;
}

export interface Timeline {
  /** In the order of time. */
  readonly changes: readonly RulesChange[];
  readonly applied: Applied[];
}

export const createTimeline = (changes: readonly RulesChange[]): Timeline => ({ changes, applied: [] });

/** How many rows of `records` come before the next change is due. */
export function rowsBefore({ changes, applied }: Timeline, { time, count }: RecordBurst): number {
  const due = changes[applied.length]?.at ?? Number.POSITIVE_INFINITY;
  let row = 0;
  while (row < count && time[row]! < due) row += 1;
  return row;
}

/** Make the next change. */
export function step({ changes, applied }: Timeline, dataplane: Dataplane): void {
  const change = changes[applied.length]!;
  applied.push({ change, packets: 0, refused: 0 });
  const cell = dataplane.cells.find(({ name }) => name === change.cell)!;
  exchange(dataplane, cell, change.ruleset);
}

/** Count the rows of a judged burst with the last change of the cell that judged them. */
export function countRows({ applied }: Timeline, { cells }: Dataplane, burst: Burst): void {
  if (applied.length === 0) return;
  const last = cells.map(({ name }) => applied.findLast(({ change }) => change.cell === name));
  for (let i = 0; i < burst.records.count; i++) {
    const one = last[burst.cell[i]!];
    if (one === undefined) continue;
    one.packets += 1;
    if (burst.verdict[i] === VERDICT.REJECT || burst.verdict[i] === VERDICT.DROP) one.refused += 1;
  }
}

/** A change as reports show it. */
export interface ReportedChange {
  /** Nanoseconds since 1970. */
  readonly timestamp: string;
  readonly cell: string;
  readonly what: string;
  readonly window: boolean;
  /** Packets that the cell judged until its next change, and how many of them it rejected or dropped; null when it never came to that. */
  readonly packets: number | null;
  readonly refused: number | null;
}

export const changesOf = ({ changes, applied }: Timeline, epochNanoseconds: bigint): ReportedChange[] =>
  changes.map(({ at, cell, what, window }, index) => ({
    timestamp: String(epochNanoseconds + BigInt(Math.trunc(at))),
    cell,
    what,
    window: window === 1,
    packets: applied[index]?.packets ?? null,
    refused: applied[index]?.refused ?? null,
  }));
