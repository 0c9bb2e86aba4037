/** The report of a run of journeys: what each captured tap confirms, and what became of the packets. */
import type { Emulation } from '../../dataplane/emulate/emulation.ts';
import { FOUND, type Journeys } from '../../replay/journeys.ts';
import { count, printable, shorten } from '../text.ts';
import type { Journey } from './describe.ts';

export interface TapSums {
  readonly tap: string;
  captured: number;
  entered: number;
  agreed: number;
  different: number;
  missing: number;
  unexpected: number;
  leftOut: number;
}

const COLUMN_OF = {
  [FOUND.ENTERED]: 'entered',
  [FOUND.AGREED]: 'agreed',
  [FOUND.DIFFERENT]: 'different',
  [FOUND.MISSING]: 'missing',
  [FOUND.LEFT_OUT]: 'leftOut',
} as const;

/** What was found at each captured tap, in the order of the foundation's devices. */
export function sumTaps(emulation: Emulation, devices: ReadonlySet<number>, { seen, unexpected }: Journeys): TapSums[] {
  const sums = new Map<number, TapSums>();
  for (const device of [...devices].sort((a, b) => a - b)) {
    const { tap } = emulation.devices[device]!;
    const none = { captured: 0, entered: 0, agreed: 0, different: 0, missing: 0, unexpected: 0, leftOut: 0 };
    sums.set(device, { tap, ...none });
  }
  for (const { device, found } of seen) {
    const sum = sums.get(device)!;
    sum.captured += 1;
    sum[COLUMN_OF[found]] += 1;
  }
  for (const { device } of unexpected) sums.get(device)!.unexpected += 1;
  return [...sums.values()];
}

const COLUMNS = ['captured', 'entered', 'agreed', 'different', 'missing', 'unexpected', 'leftOut'] as const;
const HEADINGS = ['captured', 'entered', 'agreed', 'differ', 'missing', 'extra', 'left'];
const TAP_WIDTH = 26;
const COLUMN_WIDTHS = [9, 8, 7, 7, 8, 7, 6];

/** Rows that fit 80 columns. */
export function report(sums: readonly TapSums[], journeys: readonly Journey[]): string[] {
  const row = (name: string, cells: readonly string[]): string =>
    `${shorten(printable(name), TAP_WIDTH).padEnd(TAP_WIDTH)}${cells
      .map((cell, i) => cell.padStart(COLUMN_WIDTHS[i]!))
      .join('')}`;
  const lines = [
    row('tap', HEADINGS),
    ...sums.map((sum) =>
      row(
        sum.tap,
        COLUMNS.map((column) => count(sum[column])),
      ),
    ),
    '',
  ];
  const kinds = new Map<string, number>();
  for (const { verdict, reason, cause } of journeys) {
    const kind = `${verdict.padEnd(13)}${reason.padEnd(38)}${cause === null ? 'put in' : 'answer or part'}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  lines.push(`${count(journeys.length)} journeys`);
  for (const [kind, number] of [...kinds].sort(([a], [b]) => (a < b ? -1 : 1))) {
    lines.push(`${count(number).padStart(9)}  ${kind}`.trimEnd());
  }
  return lines;
}
