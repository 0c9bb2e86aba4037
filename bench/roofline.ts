/**
 * The roofline of a machine: packets a second against the octets that each of them touches, both axes logarithmic. What memory gives is a
 * falling line: so many octets a second make so many packets of so many octets.
 */
import { COLOURS, decades, document, line, number, PLOT, type Point, shortened, text, xOf } from './svg.ts';

export interface Roof {
  readonly name: string;
  readonly octetsPerSecond: number;
}

/** Octets and packets a second of a stage. */
export interface Stage extends Point {
  readonly name: string;
}

type Decades = readonly [from: number, to: number];

/** Where `value` stands on the upright axis of those decades. */
export const yOfDecades = (value: number, [from, to]: Decades): number =>
  PLOT.bottom - ((Math.log10(value) - from) / (to - from)) * (PLOT.bottom - PLOT.top);

const powers = ([from, to]: Decades): number[] =>
  Array.from({ length: to - from + 1 }, (_, step) => 10 ** (from + step));

const axes = (across: Decades, up: Decades): string[] => [
  ...powers(up).flatMap((value) => {
    const y = yOfDecades(value, up);
    return [
      line(PLOT.left, y, PLOT.right, y, ' class="grid"'),
      text(PLOT.left - 8, y + 4, shortened(value), ' text-anchor="end"'),
    ];
  }),
  ...powers(across).flatMap((value) => {
    const x = xOf(value, across);
    return [
      line(x, PLOT.bottom, x, PLOT.bottom + 5, ' class="axis"'),
      text(x, PLOT.bottom + 20, shortened(value), ' text-anchor="middle"'),
    ];
  }),
  line(PLOT.left, PLOT.bottom, PLOT.right, PLOT.bottom, ' class="axis"'),
  text((PLOT.left + PLOT.right) / 2, PLOT.bottom + 42, 'octets that a packet touches', ' text-anchor="middle"'),
  text(PLOT.left, PLOT.top - 10, 'packets a second'),
];

export function drawRoofline(title: string, roofs: readonly Roof[], stages: readonly Stage[]): string {
  const across = decades(stages.map(({ x }) => x));
  const [narrow, wide] = [10 ** across[0], 10 ** across[1]];
  const ends = roofs.flatMap(({ octetsPerSecond }) => [octetsPerSecond / narrow, octetsPerSecond / wide]);
  const up = decades([...ends, ...stages.flatMap(({ least, most }) => [least, most])]);
  const at = (value: number): number => yOfDecades(value, up);
  return document(title, [
    ...axes(across, up),
    ...roofs.flatMap(({ name, octetsPerSecond }) => [
      line(PLOT.left, at(octetsPerSecond / narrow), PLOT.right, at(octetsPerSecond / wide), ' stroke="#c33"'),
      text(PLOT.right, at(octetsPerSecond / wide) + 16, name, ' text-anchor="end" font-size="11"'),
    ]),
    ...stages.flatMap(({ name, x, y, least, most }) => [
      line(xOf(x, across), at(least), xOf(x, across), at(most), ` stroke="${COLOURS[0]}"`),
      `<circle cx="${number(xOf(x, across))}" cy="${number(at(y))}" r="3.5" fill="${COLOURS[0]}"/>`,
      text(xOf(x, across) + 8, at(y) + 4, name),
    ]),
  ]);
}
