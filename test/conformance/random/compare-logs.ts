/**
 * The lines that LOG rules of each cell wrote, in order: those of the kernel and those of the emulated cells. Identifications of
 * packets that cells make are masked, since the kernel draws them.
 */
import type { Comparison } from './compare-verdicts.ts';
import { BY_TIMER, type Emulated } from './emulate-side.ts';
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

interface Ours {
  readonly text: string;
  /** Number of the frame that it came of, or BY_TIMER. */
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

/** The first words of silk's LOG rules with a limit. */
const LIMITED = / ?DENY_/;

/**
 * Timers run by the kernel's own clock: what is logged because a neighbour does not answer (ICMP 3/1, and whatever carries that)
 * has no order among the other lines. Lines that read like one of those are held against each other apart, in any order, but
 * those of limits, which take the first that comes.
 */
function differences(
  cell: string,
  theirs: readonly string[],
  ours: readonly Ours[],
  what: readonly string[],
): Mismatch[] {
  const known = new Set(ours.filter(({ frame }) => frame === BY_TIMER).map(({ text }) => text));
  const isTimed = (text: string): boolean => known.has(text) || text.includes(' TYPE=3 CODE=1 ');
  const isCompared = (text: string): boolean => isTimed(text) && !LIMITED.test(text);
  const sorted = [...ours].sort((one, other) => (one.text < other.text ? -1 : Number(one.text > other.text)));
  return [
    ...firstDifference(
      cell,
      theirs.filter((text) => !isTimed(text)),
      ours.filter(({ text }) => !isTimed(text)),
      what,
    ),
    ...firstDifference(
      cell,
      theirs.filter(isCompared).sort(),
      sorted.filter(({ text }) => isCompared(text)),
      what,
    ),
  ];
}

export function compareLogs({ played, lines }: KernelResult, { lines: all }: Emulated): Comparison {
  const world = createWorld(foundationOf(played));
  const own = ownAddresses(world);
  const frames = played.steps.flatMap((step) => (step.kind === 'frame' ? [step.what] : []));
  const mismatches: Mismatch[] = [];
  let compared = 0;
  for (const { name } of lines === null ? [] : world.cells) {
    const word = wordOf(name);
    const theirs = lines!.filter((text) => text.startsWith(word)).map((text) => masked(text, own));
    const ours = all
      .filter(({ text }) => text.startsWith(word))
      .map(({ text, frame }) => ({ text: masked(text, own), frame }));
    compared += theirs.length;
    mismatches.push(...differences(name, theirs, ours, frames));
  }
  return { mismatches, compared, rules: 0, reasons: new Map() };
}
