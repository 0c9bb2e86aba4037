/**
 * Timeline: what is due at moments of capture time while a capture is played, and what was judged between one and the next.
 */
import type { RecordBurst } from '../capture/burst.ts';
import type { Burst } from '../dataplane/burst.ts';
import type { Dataplane } from '../dataplane/dataplane.ts';
import { exchange } from '../dataplane/exchange.ts';
import { VERDICT } from '../dataplane/verdict.ts';
import type { RulesChange, Window } from '../foundation/schedule.ts';
import { type Comparison, createComparison } from '../rules/compared.ts';
import { RULE_VERDICT, type RuleVerdict } from '../rules/packet.ts';
import { formatIpv4 } from '../wire/address.ts';
import { protocolName } from './summary.ts';

/** A change that was made, and the packets that its cell judged from then on until the next one. */
export interface Applied {
  readonly change: RulesChange;
  packets: number;
  refused: number;
}

/** A time in which a cell had old and new rules together, from its first step on. */
export interface OpenWindow {
  readonly window: Window;
  readonly cell: string;
  /** Nanoseconds of capture time; until is null while it is open. */
  readonly from: number;
  until: number | null;
  readonly comparison: Comparison;
}

export interface Timeline {
  /** In the order of time. */
  readonly changes: readonly RulesChange[];
  readonly applied: Applied[];
  /** In the order in which they opened. */
  readonly windows: OpenWindow[];
}

export const createTimeline = (changes: readonly RulesChange[]): Timeline => ({ changes, applied: [], windows: [] });

/** How many rows of `records` come before the next change is due. */
export function rowsBefore({ changes, applied }: Timeline, { time, count }: RecordBurst): number {
  const due = changes[applied.length]?.at ?? Number.POSITIVE_INFINITY;
  let row = 0;
  while (row < count && time[row]! < due) row += 1;
  return row;
}

/** Make the next change. */
export function step(timeline: Timeline, dataplane: Dataplane): void {
  const { changes, applied } = timeline;
  const change = changes[applied.length]!;
  applied.push({ change, packets: 0, refused: 0 });
  const cell = dataplane.cells.find(({ name }) => name === change.cell)!;
  const open = openWindow(timeline, change);
  exchange(dataplane, cell, change.ruleset, open && { ...open.window, comparison: open.comparison });
}

/** The window that `change` belongs to; null for none. Another one of its cell closes. */
function openWindow({ windows }: Timeline, { at, cell, window }: RulesChange): OpenWindow | null {
  const last = windows.findLast((one) => one.cell === cell) ?? null;
  if (last !== null && last.window === window) return last;
  if (last?.until === null) last.until = at;
  if (window === null) return null;
  const opened = { window, cell, from: at, until: null, comparison: createComparison() };
  windows.push(opened);
  return opened;
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
    window: window !== null,
    packets: applied[index]?.packets ?? null,
    refused: applied[index]?.refused ?? null,
  }));

/** A packet that a window answered otherwise than the rules before or after it. */
export interface ReportedDifference {
  readonly timestamp: string;
  readonly source: string;
  readonly destination: string;
  readonly protocol: string;
  readonly verdict: string;
  readonly before: string;
  readonly after: string;
}

/** A window as reports show it. */
export interface ReportedWindow {
  readonly cell: string;
  /** Nanoseconds since 1970; null for one that was open when the capture ended. */
  readonly from: string;
  readonly until: string | null;
  /** Walks of packets through the cell's rules, and those that ended otherwise than with the rules before, after, and both. */
  readonly packets: number;
  readonly unlikeBefore: number;
  readonly unlikeAfter: number;
  readonly unlikeBoth: number;
  readonly examples: readonly ReportedDifference[];
}

const VERDICT_WORDS: Readonly<Record<RuleVerdict, string>> = {
  [RULE_VERDICT.ACCEPT]: 'accept',
  [RULE_VERDICT.DROP]: 'drop',
  [RULE_VERDICT.REJECT]: 'reject',
  [RULE_VERDICT.NAT]: 'nat',
};

export function windowsOf({ windows }: Timeline, epochNanoseconds: bigint): ReportedWindow[] {
  const moment = (time: number): string => String(epochNanoseconds + BigInt(Math.trunc(time)));
  return windows.map(({ cell, from, until, comparison: { walks, examples, ...unlike } }) => ({
    cell,
    from: moment(from),
    until: until === null ? null : moment(until),
    packets: walks,
    ...unlike,
    examples: examples.map(({ time, source, destination, protocol, sourcePort, destinationPort, ...said }) => ({
      timestamp: moment(time),
      source: `${formatIpv4(source)}:${sourcePort}`,
      destination: `${formatIpv4(destination)}:${destinationPort}`,
      protocol: protocolName(protocol),
      verdict: VERDICT_WORDS[said.verdict],
      before: VERDICT_WORDS[said.before],
      after: VERDICT_WORDS[said.after],
    })),
  }));
}
