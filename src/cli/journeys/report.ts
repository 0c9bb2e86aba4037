/** The report of a run of journeys: what each captured tap confirms, what it contradicts, and what became of the packets. */
import type { Emulation } from '../../dataplane/emulate/emulation.ts';
import { FOUND, type Found, type Journey, ORIGIN, type Place, type Seen } from '../../replay/journeys/model.ts';
import { count, printable, shorten } from '../text.ts';
import { reasonOf, verdictOf } from './describe.ts';

export interface TapSums {
  readonly tap: string;
  captured: number;
  entered: number;
  agreed: number;
  different: number;
  missing: number;
  unexpected: number;
  leftOut: number;
  recut: number;
  own: number;
  cut: number;
  crowded: number;
}

const COLUMN_OF = {
  [FOUND.ENTERED]: 'entered',
  [FOUND.AGREED]: 'agreed',
  [FOUND.DIFFERENT]: 'different',
  [FOUND.MISSING]: 'missing',
  [FOUND.LEFT_OUT]: 'leftOut',
  [FOUND.RECUT]: 'recut',
  [FOUND.OWN]: 'own',
  [FOUND.CUT]: 'cut',
  [FOUND.CROWDED]: 'crowded',
} as const satisfies Record<Found, keyof TapSums>;

/** Everything that is counted. */
export interface Sums {
  readonly emulation: Emulation;
  readonly taps: Map<number, TapSums>;
  readonly kinds: Map<string, number>;
  /** Emulated passages that no capture could be held against, since too much waited. */
  crowded: number;
  journeys: number;
}

/** Sums with a row for each tap of `devices`, in the order of the foundation's devices. */
export function createSums(emulation: Emulation, devices: Iterable<number>): Sums {
  const none = { captured: 0, entered: 0, agreed: 0, different: 0, missing: 0, unexpected: 0 };
  const others = { leftOut: 0, recut: 0, own: 0, cut: 0, crowded: 0 };
  const ordered = [...new Set(devices)].sort((a, b) => a - b);
  const taps = ordered.map((one) => [one, { tap: emulation.devices[one]!.tap, ...none, ...others }] as const);
  return { emulation, taps: new Map(taps), kinds: new Map(), crowded: 0, journeys: 0 };
}

export function countSeen({ taps }: Sums, { device, found }: Seen): void {
  const sum = taps.get(device)!;
  sum.captured += 1;
  sum[COLUMN_OF[found]] += 1;
}

export function countPlace(sums: Sums, { device }: Place, found: Found): void {
  if (found === FOUND.MISSING) sums.taps.get(device)!.unexpected += 1;
  else sums.crowded += 1;
}

const ORIGINS = {
  [ORIGIN.ENTERED]: 'put in',
  [ORIGIN.SUPPOSED]: 'put in',
  [ORIGIN.RESUMED]: 'put in behind the cell that kept it',
  [ORIGIN.MADE]: 'answer or part',
} as const;

export function countJourney(sums: Sums, { fate, origin }: Journey): void {
  const kind = `${verdictOf(fate).padEnd(13)}${reasonOf(fate).padEnd(30)}${ORIGINS[origin]}`;
  sums.kinds.set(kind, (sums.kinds.get(kind) ?? 0) + 1);
  sums.journeys += 1;
}

const COLUMNS = ['captured', 'entered', 'agreed', 'different', 'missing', 'unexpected', 'leftOut'] as const;
const HEADINGS = ['captured', 'entered', 'agreed', 'differ', 'missing', 'extra', 'left'];
const TAP_WIDTH = 26;
const COLUMN_WIDTHS = [9, 8, 7, 7, 8, 7, 6];

/** What has no column: it is told where there is any. */
const REMARKS = [
  ['recut', 'agree as data of TCP streams, which a network card cut or joined on the way'],
  ['own', 'may be of programs of a cell itself, which are not emulated'],
  ['cut', 'could not be put in: the capture cut them'],
  ['crowded', 'were given up early: too many packets waited at a time'],
] as const;

/** Rows that fit 80 columns, contradictions aside. `contradictions` are the first of `found`. */
export function report(sums: Sums, contradictions: readonly string[], found: number): string[] {
  const row = (name: string, cells: readonly string[]): string =>
    `${shorten(printable(name), TAP_WIDTH).padEnd(TAP_WIDTH)}${cells
      .map((cell, i) => ` ${cell}`.padStart(COLUMN_WIDTHS[i]!))
      .join('')}`;
  const cellsOf = (sum: TapSums): string[] => COLUMNS.map((column) => count(sum[column]));
  const lines = [row('tap', HEADINGS), ...[...sums.taps.values()].map((sum) => row(sum.tap, cellsOf(sum)))];
  for (const sum of sums.taps.values()) {
    for (const [column, why] of REMARKS)
      if (sum[column] > 0) lines.push(`${count(sum[column])} of ${printable(sum.tap)} ${why}`);
  }
  if (sums.crowded > 0)
    lines.push(`${count(sums.crowded)} emulated frames were not compared: too many waited at a time`);
  if (found > 0) lines.push('', 'contradictions', ...contradictions.map(printable));
  if (found > contradictions.length) lines.push(`  and ${count(found - contradictions.length)} more: --json has all`);
  lines.push('', `${count(sums.journeys)} journeys`);
  for (const [kind, number] of [...sums.kinds].sort(([a], [b]) => (a < b ? -1 : 1))) {
    lines.push(`${count(number).padStart(9)}  ${kind}`.trimEnd());
  }
  return lines;
}
