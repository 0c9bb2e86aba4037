/**
 * The lines that LOG rules of each cell wrote, in order: those of the kernel and those of the emulated cells. Identifications of
 * packets that cells make are masked, since the kernel draws them.
 */
import type { Comparison } from './compare-verdicts.ts';
import type { Emulated } from './emulate-side.ts';
import type { KernelResult } from './kernel.ts';
import { wordOf } from './logged-rules.ts';
import type { Mismatch } from './mismatch.ts';
import { foundationOf } from './rules.ts';
import { createWorld, type World } from './world.ts';

const SHOWN = 3;

/** The addresses of the cells themselves. */
const ownAddresses = ({ cells }: World): string[] => [
  '169.254.0.1',
  ...cells.flatMap(({ vtep, underlay }) => [vtep, underlay]),
];

/** A line without the identifications of packets that cells made, whether it is about one or about an error that quotes it. */
function masked(text: string, own: readonly string[]): string {
  const source = own.map((address) => address.replaceAll('.', '\\.')).join('|');
  return text.replace(new RegExp(`(SRC=(?:${source}) [^[]*?ID=)\\d+ (DF )?`, 'g'), '$1drawn $2');
}

/**
 * When a neighbour does not answer, the kernel says so by its own clock: those lines have no order among the others (and
 * the tunnel's, if it leaves by one, cannot be told from others).
 */
const isTimer = (text: string, own: readonly string[]): boolean =>
  / TYPE=3 CODE=1 /.test(text) && own.some((address) => text.includes(`SRC=${address} `));

interface Ours {
  readonly text: string;
  /** Number of the frame that it came of. */
  readonly frame: number;
}

/** The first line that differs, with what comes around it. */
function firstDifference(
  cell: string,
  theirs: readonly string[],
  ours: readonly Ours[],
  frames: readonly string[],
): Mismatch[] {
  const length = Math.max(theirs.length, ours.length);
  let at = 0;
  while (at < length && theirs[at] === ours[at]?.text) at += 1;
  if (at === length) return [];
  const around = (lines: readonly string[]): string => lines.slice(Math.max(at - 1, 0), at + SHOWN).join('\n');
  const step = ours[Math.min(at, ours.length - 1)]?.frame ?? 0;
  return [
    {
      side: 'cells',
      cell,
      step,
      subject: 'log lines',
      what: frames[step] ?? '',
      kernel: `${theirs.length} lines, from ${at}\n${around(theirs)}`,
      tagplane: `${ours.length} lines\n${around(ours.map(({ text }) => text))}`,
      packets: [],
    },
  ];
}

export function compareLogs({ played, lines }: KernelResult, { lines: all }: Emulated): Comparison {
  const world = createWorld(foundationOf(played));
  const own = ownAddresses(world);
  const frames = played.steps.flatMap((step) => (step.kind === 'frame' ? [step.what] : []));
  const mismatches: Mismatch[] = [];
  let compared = 0;
  for (const { name } of world.cells) {
    const word = wordOf(name);
    const theirs = lines
      .filter((text) => text.startsWith(word) && !isTimer(text, own))
      .map((text) => masked(text, own));
    const ours = all
      .filter(({ text }) => text.startsWith(word) && !isTimer(text, own))
      .map(({ text, frame }) => ({ text: masked(text, own), frame }));
    compared += theirs.length;
    mismatches.push(...firstDifference(name, theirs, ours, frames));
  }
  return { mismatches, compared, rules: 0, reasons: new Map() };
}
