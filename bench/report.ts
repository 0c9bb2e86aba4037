/**
 * Draws what the benchmarks found, and writes the tables of docs/performance.md.
 *
 *   npm run bench > results.ndjson
 *   node dist/bench/report.js results.ndjson [DIRECTORY]
 *
 * DIRECTORY is docs/performance when it is left out: the charts go there, with a copy of the results, and the page beside it gets the table between its
 * marks. A chart that has no lines in the file is not drawn, and standard error says so.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './harness.ts';
import { drawRoofline, type Roof } from './roofline.ts';
import { type Bar, draw, drawBars, type Point, type Series } from './svg.ts';

/** A line of results; what stands in it depends on the benchmark. */
export type Line = Readonly<Record<string, unknown>>;

export const read = (text: string): Line[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

const figure = (line: Line, name: string): number => {
  const value = line[name];
  if (typeof value !== 'number')
    throw new Error(`results: ${name} of ${String(line.bench)}: expected a number, got ${String(value)}`);
  return value;
};

const pointOf = (line: Line, x: string, y = 'ratio', least = 'ratioLeast', most = 'ratioMost'): Point => ({
  x: figure(line, x),
  y: figure(line, y),
  least: figure(line, least),
  most: figure(line, most),
});

/** What of a line must agree with. */
const matches = (line: Line, fields: Line): boolean =>
  Object.entries(fields).every(([name, value]) => line[name] === value);

/** The charts by the name of their file; only those that the lines have something for. */
export function chartsOf(lines: readonly Line[]): Map<string, string> {
  const of = (fields: Line): Line[] => lines.filter((line) => matches(line, fields));
  const charts = new Map<string, string>();
  const chart = (
    name: string,
    title: string,
    xLabel: string,
    yLabel: string,
    all: readonly Series[],
    must: number[] = [],
  ) => {
    const series = all.filter(({ points }) => points.length > 0);
    if (series.length === 0) return;
    const asked = must.map((y) => ({ name: `asked for: ${y}`, y }));
    charts.set(name, draw({ title, xLabel, yLabel, series, lines: asked }));
  };
  const RATIO = 'times the yardstick';
  chart('rules.svg', 'Matching alone, in memory', 'policies', RATIO, [
    { name: '80 % allowed', points: of({ bench: 'policies', hitRate: 0.8 }).map((line) => pointOf(line, 'policies')) },
  ]);
  chart(
    'families.svg',
    'Matching rules without exact fields, in memory',
    'rules',
    RATIO,
    ['acl', 'fw', 'ipc'].map((family) => ({
      name: family,
      points: of({ bench: 'families', family }).map((line) => pointOf(line, 'rules')),
    })),
  );
  chart('flows.svg', 'The whole cell, from a file', 'connections in the file', RATIO, [
    {
      name: 'to verdicts',
      points: of({ bench: 'flows', work: 'verdicts' }).map((line) => pointOf(line, 'connections')),
    },
    {
      name: 'and sums by flow',
      points: of({ bench: 'flows', work: 'flows' }).map((line) => pointOf(line, 'connections')),
    },
  ]);
  chart('containers.svg', 'The whole cell, 10,000 policies', 'containers', RATIO, [
    {
      name: 'without logging',
      points: of({ bench: 'containers', logging: false, policies: 10_000 }).map((line) => pointOf(line, 'containers')),
    },
  ]);
  chart('size.svg', 'The whole cell, 10,000 connections', 'octets of payload', RATIO, [
    { name: 'to verdicts', points: of({ bench: 'size' }).map((line) => pointOf(line, 'payload')) },
  ]);
  chart(
    'workers.svg',
    'Several workers over one, 100,000 connections',
    'workers',
    'times one worker, busiest thread',
    ['verdicts', 'flows', 'windows'].map((work) => ({
      name: work,
      points: of({ bench: 'workers', work, flows: 100_000 }).map((line) =>
        pointOf(line, 'workers', 'gain', 'gainLeast', 'gainMost'),
      ),
    })),
  );
  bars(charts, 'targets.svg', 'What is asked for (line) and aimed at (dashes)', RATIO, askedOf(lines));
  bars(
    charts,
    'stages.svg',
    'What stages take, 100,000 connections',
    'nanoseconds a packet',
    of({ bench: 'stages', flows: 100_000 }).map((line) => {
      const value = figure(line, 'nanoseconds');
      return { name: String(line.stage), value, least: value, most: value };
    }),
  );
  roofline(charts, of({ bench: 'bandwidth' }));
  return charts;
}

const LINE = 64;
const SECOND = 1e9;

/** A roof of what is read in order, one of lines that wait for each other, and the stages. */
function roofline(charts: Map<string, string>, lines: readonly Line[]): void {
  const stages = lines.filter(({ stage }) => stage !== undefined);
  if (stages.length === 0) return;
  const roofs = lines.flatMap((line): Roof[] => {
    if (line.what === 'in order')
      return [{ name: 'read in order', octetsPerSecond: figure(line, 'gigabytesPerSecond') * SECOND }];
    return line.what === 'one after the other'
      ? [{ name: 'lines that wait for each other', octetsPerSecond: (LINE / figure(line, 'nanoseconds')) * SECOND }]
      : [];
  });
  const points = stages.map((line) => ({
    name: String(line.stage),
    x: figure(line, 'octets'),
    y: SECOND / figure(line, 'nanoseconds'),
    least: SECOND / figure(line, 'most'),
    most: SECOND / figure(line, 'least'),
  }));
  charts.set('roofline.svg', drawRoofline('Stages below what memory gives one core', roofs, points));
}

function bars(charts: Map<string, string>, name: string, title: string, unit: string, all: readonly Bar[]): void {
  if (all.length > 0) charts.set(name, drawBars(title, unit, all));
}

const nameOf = (line: Line): string =>
  line.bench === 'match'
    ? `${String(line.work)}, ${String(line.where)}, ${figure(line, 'policies').toLocaleString('en')} policies`
    : `cell, ${figure(line, 'connections').toLocaleString('en')} connections`;

const askedOf = (lines: readonly Line[]): Bar[] =>
  lines
    .filter((line) => typeof line.must === 'number')
    .map((line) => ({
      name: nameOf(line),
      value: figure(line, 'ratio'),
      least: figure(line, 'ratioLeast'),
      most: figure(line, 'ratioMost'),
      must: figure(line, 'must'),
      aim: figure(line, 'aim'),
    }));

const text = (value: unknown): string => (typeof value === 'number' ? value.toLocaleString('en') : String(value));

const percent = (value: unknown): string => `${Math.round(Number(value) * 100)} %`;

/** What memory gave, with the least and the most. */
const memoryOf = (line: Line): string =>
  line.what === 'in order'
    ? `${text(line.gigabytesPerSecond)} GB a second (${text(line.least)} to ${text(line.most)})`
    : `${text(line.nanoseconds)} ns a line (${text(line.least)} to ${text(line.most)})`;

/** On what results were made: a line for each run, which names its questions and rounds from the second run on. */
function statedOf(lines: readonly Line[]): string[] {
  const starts = lines.flatMap((line, index) => (typeof line.schemaVersion === 'number' ? [index] : []));
  return starts.flatMap((start, run) => {
    const machine = lines[start]!;
    const own = lines.slice(start + 1, starts[run + 1]);
    const asked = new Set(own.map(({ bench }) => `\`${text(bench)}\``));
    const found = run === 0 ? 'Found' : `${[...asked].join(', ')}: found in ${text(own[0]?.rounds)} rounds`;
    return [
      `${found} on ${text(machine.date)} at commit ${text(machine.commit)}: ${text(machine.processors)} processors (${text(machine.processor)}), ${text(machine.memoryGigabytes)} GB, Node ${text(machine.node)}, ${text(machine.system)}.`,
      '',
    ];
  });
}

/** The part of docs/performance.md that is made of the results. */
export function tablesOf(lines: readonly Line[]): string {
  const rows = (header: readonly string[], body: readonly (readonly string[])[]): string[] =>
    body.length === 0
      ? []
      : [
          `| ${header.join(' | ')} |`,
          `|${header.map(() => '---').join('|')}|`,
          ...body.map((row) => `| ${row.join(' | ')} |`),
          '',
        ];
  const of = (bench: string): Line[] => lines.filter((line) => line.bench === bench);
  const ratioRow = (names: readonly string[]) => (line: Line) => [
    ...names.map((name) => text(line[name])),
    `${text(line.nanoseconds)} ns`,
    `${text(line.ratio)} (${text(line.ratioLeast)} to ${text(line.ratioMost)})`,
    line.must === undefined ? '' : `${text(line.must)}, ${text(line.aim)}`,
  ];
  const ratios = (bench: string, names: readonly string[]): string[] =>
    rows([...names, 'a packet', 'times the yardstick', 'asked for, aimed at'], of(bench).map(ratioRow(names)));
  const section = (title: string, question: string, table: readonly string[]): string[] =>
    table.length === 0 ? [] : [`### ${title}`, '', `\`npm run bench -- ${question}\``, '', ...table];
  return [
    ...statedOf(lines),
    ...section('Locating and matching', 'match', ratios('match', ['work', 'where', 'policies'])),
    ...section('Connections', 'flows', ratios('flows', ['connections', 'work'])),
    ...section('Policies', 'policies', ratios('policies', ['policies', 'hitRate'])),
    ...section('Rules without exact fields', 'families', ratios('families', ['family', 'rules'])),
    ...section('Containers', 'containers', ratios('containers', ['containers', 'policies', 'logging'])),
    ...section('Length of packets', 'size', ratios('size', ['payload'])),
    ...section('Rows of a burst', 'burst', ratios('burst', ['work', 'rows', 'policies'])),
    ...section('Where packets come from', 'source', ratios('source', ['source', 'chunk'])),
    ...section('Memory and stages', 'bandwidth', [
      ...rows(
        ['memory is read', 'found'],
        of('bandwidth')
          .filter(({ what }) => what !== undefined)
          .map((line) => [text(line.what), memoryOf(line)]),
      ),
      ...rows(
        ['stage', 'octets a packet', 'a packet', 'packets a second', 'of what is read in order'],
        of('bandwidth')
          .filter(({ stage }) => stage !== undefined)
          .map((line) => [
            text(line.stage),
            text(line.octets),
            `${text(line.nanoseconds)} ns`,
            `${(1000 / figure(line, 'nanoseconds')).toFixed(1)} million`,
            `${percent(line.share)} (${percent(line.shareLeast)} to ${percent(line.shareMost)})`,
          ]),
      ),
    ]),
    ...section(
      'Small things',
      'micro',
      rows(
        ['for each of a burst of 256', 'each', 'times a word read'],
        of('micro').map((line) => [
          text(line.what),
          `${text(line.nanoseconds)} ns`,
          `${text(line.perWord)} (${text(line.perWordLeast)} to ${text(line.perWordMost)})`,
        ]),
      ),
    ),
    ...section(
      'Workers',
      'workers',
      rows(
        ['work', 'connections', 'workers', 'busiest thread', 'gain', 'gain by the clock'],
        of('workers').map((line) => [
          text(line.work),
          text(line.flows),
          text(line.workers),
          `${text(line.threadNanoseconds)} ns`,
          `${text(line.gain)} (${text(line.gainLeast)} to ${text(line.gainMost)})`,
          text(line.wallGain),
        ]),
      ),
    ),
    ...section(
      'Compiling',
      'compile',
      rows(
        ['policies', 'compile', 'exchange', 'more memory', 'asked for, aimed at'],
        of('compile').map((line) => [
          text(line.policies),
          `${text(line.milliseconds)} ms (${text(line.least)} to ${text(line.most)})`,
          `${text(line.exchangeMilliseconds)} ms`,
          `${text(line.megabytes)} MB`,
          line.mustMilliseconds === undefined
            ? ''
            : `${text(line.mustMilliseconds)} ms, ${text(line.aimMilliseconds)} ms`,
        ]),
      ),
    ),
    ...section(
      'Starting',
      'startup',
      rows(
        ['process', 'CPU time', 'times node', 'asked for, aimed at'],
        of('startup').map((line) => [
          text(line.what),
          `${text(line.milliseconds)} ms (${text(line.least)} to ${text(line.most)})`,
          text(line.perNode),
          line.mustMilliseconds === undefined
            ? ''
            : `${text(line.mustMilliseconds)} ms, ${text(line.aimMilliseconds)} ms`,
        ]),
      ),
    ),
    ...section(
      'Stages',
      'stages',
      rows(
        ['connections', 'stage', 'a packet', 'adds'],
        of('stages').map((line) => [
          text(line.flows),
          text(line.stage),
          `${text(line.nanoseconds)} ns`,
          `${text(line.adds)} ns`,
        ]),
      ),
    ),
    ...section(
      'Memory',
      'memory',
      rows(
        ['gigabytes of capture', 'resident'],
        of('memory').map((line) => [text(line.gigabytes), `${text(line.residentMegabytes)} MB`]),
      ),
    ),
  ]
    .join('\n')
    .trimEnd();
}

export const BEGIN = '<!-- results -->';
export const END = '<!-- end of results -->';

/** `page` with `tables` between its marks. */
export function filled(page: string, tables: string): string {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`the page has no marks ${BEGIN} and ${END}`);
  return `${page.slice(0, from + BEGIN.length)}\n${tables}\n${page.slice(to)}`;
}

const CHARTS = [
  'targets.svg',
  'rules.svg',
  'flows.svg',
  'containers.svg',
  'size.svg',
  'workers.svg',
  'stages.svg',
  'roofline.svg',
];

function main(results: string, directory: string): void {
  const text = readFileSync(results, 'utf8');
  const lines = read(text);
  const charts = chartsOf(lines);
  mkdirSync(directory, { recursive: true });
  for (const name of CHARTS) {
    const svg = charts.get(name);
    if (svg === undefined) console.error(`not drawn, for the results have nothing for it: ${name}`);
    else writeFileSync(join(directory, name), svg);
  }
  writeFileSync(join(directory, 'results.ndjson'), text);
  const page = join(dirname(directory), `${basename(directory)}.md`);
  writeFileSync(page, filled(readFileSync(page, 'utf8'), tablesOf(lines)));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [results, directory = join(ROOT, 'docs', 'performance')] = process.argv.slice(2);
  if (results === undefined) {
    console.error('usage: node dist/bench/report.js RESULTS.ndjson [DIRECTORY]');
    process.exitCode = 2;
  } else main(results, directory);
}
