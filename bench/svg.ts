/**
 * Charts as SVG: points with whiskers over a logarithmic axis, and bars. Text and axes take the reader's own colours, light or dark. The same
 * numbers give the same octets.
 */

export interface Point {
  readonly x: number;
  readonly y: number;
  readonly least: number;
  readonly most: number;
}

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

/** A value that is asked for, drawn across. */
export interface Line {
  readonly name: string;
  readonly y: number;
}

export interface Chart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  readonly lines: readonly Line[];
}

export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly least: number;
  readonly most: number;
  /** What is asked for, and what is aimed at. */
  readonly must?: number;
  readonly aim?: number;
}

const WIDTH = 720;
const HEIGHT = 380;
export const PLOT = { left: 64, right: 700, top: 48, bottom: 320 };
const BAR_HEIGHT = 26;
const BAR_LEFT = 300;
export const COLOURS = ['#2f6fb5', '#c0562b', '#3b8f5a', '#8a5bb0', '#a08a1c'];

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
export const number = (value: number): string => String(Number(value.toFixed(2)));
export const text = (x: number, y: number, words: string, more = ''): string =>
  `<text x="${number(x)}" y="${number(y)}"${more}>${escaped(words)}</text>`;
export const line = (x1: number, y1: number, x2: number, y2: number, more = ''): string =>
  `<line x1="${number(x1)}" y1="${number(y1)}" x2="${number(x2)}" y2="${number(y2)}"${more}/>`;

/** A whole chart of `height`. */
export const document = (title: string, body: readonly string[], height = HEIGHT): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" role="img">`,
    `<title>${escaped(title)}</title>`,
    '<style>text{fill:#222}.axis{stroke:#888}.grid{stroke:#8884}@media(prefers-color-scheme:dark){text{fill:#ddd}}</style>',
    text(PLOT.left, 24, title, ' font-size="15"'),
    ...body,
    '</svg>',
    '',
  ].join('\n');

/** Powers of ten that enclose the values. */
export function decades(values: readonly number[]): readonly [from: number, to: number] {
  const from = Math.floor(Math.log10(Math.min(...values)) + 1e-9);
  const to = Math.ceil(Math.log10(Math.max(...values)) - 1e-9);
  return [from, Math.max(to, from + 1)];
}

/** A round number at or above `value`: 1, 2 or 5 times a power of ten. */
export function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * (1 - 1e-9))!;
}

/** Where `value` stands on a logarithmic axis of those decades. */
export const xOf = (value: number, [from, to]: readonly [number, number]): number =>
  PLOT.left + ((Math.log10(value) - from) / (to - from)) * (PLOT.right - PLOT.left);

/** Where `value` stands on an axis from 0 to `top`. */
export const yOf = (value: number, top: number): number => PLOT.bottom - (value / top) * (PLOT.bottom - PLOT.top);

export const shortened = (value: number): string =>
  value >= 1e6 ? `${number(value / 1e6)}M` : value >= 1e3 ? `${number(value / 1e3)}k` : number(value);

/** A chart of points over a logarithmic axis. */
export function draw(chart: Chart): string {
  const points = chart.series.flatMap((series) => series.points);
  const range = decades(points.map(({ x }) => x));
  const top = roundUp(Math.max(...points.map(({ most }) => most), ...chart.lines.map(({ y }) => y)));
  return document(chart.title, [
    ...axes(chart, range, top),
    ...chart.lines.flatMap(({ name, y }) => [
      line(PLOT.left, yOf(y, top), PLOT.right, yOf(y, top), ' stroke="#c33" stroke-dasharray="5 4"'),
      text(PLOT.right, yOf(y, top) - 4, name, ' text-anchor="end" font-size="11"'),
    ]),
    ...chart.series.flatMap((series, index) => curve(series, COLOURS[index % COLOURS.length]!, index, range, top)),
  ]);
}

const STEPS = 5;

function axes({ xLabel, yLabel }: Chart, range: readonly [number, number], top: number): string[] {
  const marks: string[] = [];
  for (let step = 0; step <= STEPS; step++) {
    const value = (top * step) / STEPS;
    const y = yOf(value, top);
    marks.push(line(PLOT.left, y, PLOT.right, y, ' class="grid"'));
    marks.push(text(PLOT.left - 8, y + 4, number(value), ' text-anchor="end"'));
  }
  for (let power = range[0]; power <= range[1]; power++) {
    const x = xOf(10 ** power, range);
    marks.push(line(x, PLOT.bottom, x, PLOT.bottom + 5, ' class="axis"'));
    marks.push(text(x, PLOT.bottom + 20, shortened(10 ** power), ' text-anchor="middle"'));
  }
  return [
    ...marks,
    line(PLOT.left, PLOT.bottom, PLOT.right, PLOT.bottom, ' class="axis"'),
    text((PLOT.left + PLOT.right) / 2, PLOT.bottom + 42, xLabel, ' text-anchor="middle"'),
    text(PLOT.left, PLOT.top - 10, yLabel),
  ];
}

function curve(
  { name, points }: Series,
  colour: string,
  index: number,
  range: readonly [number, number],
  top: number,
): string[] {
  const sorted = points.toSorted((a, b) => a.x - b.x);
  const path = sorted.map(({ x, y }) => `${number(xOf(x, range))},${number(yOf(y, top))}`).join(' ');
  return [
    `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...sorted.flatMap(({ x, y, least, most }) => [
      line(xOf(x, range), yOf(least, top), xOf(x, range), yOf(most, top), ` stroke="${colour}"`),
      `<circle cx="${number(xOf(x, range))}" cy="${number(yOf(y, top))}" r="3.5" fill="${colour}"/>`,
    ]),
    `<rect x="${PLOT.left + index * 210}" y="${HEIGHT - 12}" width="10" height="10" fill="${colour}"/>`,
    text(PLOT.left + index * 210 + 15, HEIGHT - 3, name),
  ];
}

/** Bars, one below the other, with marks for what is asked for (solid) and aimed at (dashed). */
export function drawBars(title: string, unit: string, bars: readonly Bar[]): string {
  const top = roundUp(Math.max(...bars.flatMap(({ most, must = 0, aim = 0 }) => [most, must, aim])));
  const at = (value: number): number => BAR_LEFT + (value / top) * (PLOT.right - BAR_LEFT - 50);
  const height = PLOT.top + bars.length * BAR_HEIGHT + 40;
  const rows = bars.flatMap(({ name, value, least, most, must, aim }, index) => {
    const y = PLOT.top + index * BAR_HEIGHT;
    const middle = y + BAR_HEIGHT / 2 - 3;
    return [
      text(BAR_LEFT - 8, middle + 4, name, ' text-anchor="end"'),
      `<rect x="${BAR_LEFT}" y="${y}" width="${number(at(value) - BAR_LEFT)}" height="${BAR_HEIGHT - 8}" fill="${COLOURS[0]}"/>`,
      line(at(least), middle, at(most), middle, ' stroke="#888" stroke-width="2"'),
      ...(must === undefined
        ? []
        : [line(at(must), y - 3, at(must), y + BAR_HEIGHT - 5, ' stroke="#c33" stroke-width="2"')]),
      ...(aim === undefined
        ? []
        : [line(at(aim), y - 3, at(aim), y + BAR_HEIGHT - 5, ' stroke="#c33" stroke-dasharray="3 3"')]),
      text(PLOT.right, middle + 4, number(value), ' text-anchor="end"'),
    ];
  });
  return document(title, [...rows, text(BAR_LEFT, height - 12, unit)], height);
}
