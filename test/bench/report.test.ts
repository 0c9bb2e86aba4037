/** Charts stand where arithmetic says, and docs/performance.md says what its results say. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BEGIN, chartsOf, END, filled, read, tablesOf } from '../../bench/report.ts';
import { drawRoofline, yOfDecades } from '../../bench/roofline.ts';
import { decades, draw, drawBars, PLOT, roundUp, xOf, yOf } from '../../bench/svg.ts';
import { ROOT } from '../support/shared.ts';

const test = suite('bench: report');

test('axes', () => {
  assert.equal(decades([10, 100, 60_000]), [1, 5]);
  assert.equal(decades([7]), [0, 1]);
  assert.equal(decades([1000]), [3, 4]);
  assert.equal([0.3, 1, 1.1, 4.2, 5, 7, 51].map(roundUp), [0.5, 1, 2, 5, 5, 10, 100]);
  assert.is(xOf(10, [1, 3]), PLOT.left);
  assert.is(xOf(1000, [1, 3]), PLOT.right);
  assert.is(xOf(100, [1, 3]), (PLOT.left + PLOT.right) / 2);
  assert.is(yOf(0, 5), PLOT.bottom);
  assert.is(yOf(5, 5), PLOT.top);
  assert.is(yOf(2.5, 5), (PLOT.bottom + PLOT.top) / 2);
});

test('points, whiskers and lines stand where they belong', () => {
  const svg = draw({
    title: 'a < b & "c"',
    xLabel: 'x',
    yLabel: 'y',
    series: [
      {
        name: 'one',
        points: [
          { x: 100, y: 1, least: 0.5, most: 2 },
          { x: 10, y: 2, least: 2, most: 2 },
        ],
      },
    ],
    lines: [{ name: 'asked for: 1', y: 1 }],
  });
  assert.match(svg, '<title>a &lt; b &amp; &quot;c&quot;</title>');
  // Decades 10 to 100, values 0 to 2, on a plot of 64 to 700 and 320 to 48.
  assert.match(svg, '<polyline points="64,48 700,184" ');
  assert.match(svg, '<line x1="700" y1="252" x2="700" y2="48" ');
  assert.match(svg, '<line x1="64" y1="184" x2="700" y2="184" stroke="#c33"');
  assert.match(svg, '>10</text>');
});

test('bars are as long as their values', () => {
  const svg = drawBars('t', 'times', [
    { name: 'a', value: 5, least: 4, most: 6, must: 2.5, aim: 10 },
    { name: 'b', value: 10, least: 10, most: 10 },
  ]);
  // 0 to 10 on 300 to 650.
  assert.match(svg, '<rect x="300" y="48" width="175" height="18"');
  assert.match(svg, '<rect x="300" y="74" width="350" height="18"');
  assert.match(svg, '<line x1="387.5" y1="45" x2="387.5" y2="69" stroke="#c33" stroke-width="2"/>');
  assert.match(svg, '<line x1="650" y1="45" x2="650" y2="69" stroke="#c33" stroke-dasharray="3 3"/>');
});

test('a roof falls by a decade for each decade of octets, and stages stand below it', () => {
  assert.is(yOfDecades(1e6, [6, 8]), PLOT.bottom);
  assert.is(yOfDecades(1e7, [6, 8]), (PLOT.bottom + PLOT.top) / 2);
  const roofs = [{ name: 'r', octetsPerSecond: 1e10 }];
  const svg = drawRoofline('t', roofs, [
    { name: 's', x: 1000, y: 1e6, least: 1e5, most: 1e7 },
    { name: 'u', x: 100, y: 1e8, least: 1e8, most: 1e8 },
  ]);
  // 100 to 1000 octets on 64 to 700; 10^5 to 10^8 packets on 320 to 48. 10^10 octets are 10^8 packets of 100 and 10^7 of 1000.
  assert.match(svg, '<line x1="64" y1="48" x2="700" y2="138.67" stroke="#c33"/>');
  assert.match(svg, '<circle cx="700" cy="229.33" ');
  assert.match(svg, '<line x1="700" y1="320" x2="700" y2="138.67" stroke="#2f6fb5"/>');
  assert.match(svg, '<circle cx="64" cy="48" ');
});

const RESULTS = `{"schemaVersion":1,"date":"2026-11-23","commit":"abc1234","processor":"P","processors":2,"memoryGigabytes":4,"node":"v20","system":"linux x64"}
{"bench":"flows","connections":100000,"work":"verdicts","nanoseconds":80,"ratio":0.9,"ratioLeast":0.8,"ratioMost":1,"must":0.8,"aim":1.7}
{"bench":"compile","policies":10,"milliseconds":5,"least":4,"most":6,"exchangeMilliseconds":3,"megabytes":1}
`;

test('results become tables, and only charts that they have something for', () => {
  const lines = read(RESULTS);
  assert.equal([...chartsOf(lines).keys()].sort(), ['flows.svg', 'targets.svg']);
  const tables = tablesOf(lines);
  assert.match(tables, 'Found on 2026-11-23 at commit abc1234: 2 processors (P), 4 GB, Node v20, linux x64.');
  assert.match(tables, '| 100,000 | verdicts | 80 ns | 0.9 (0.8 to 1) | 0.8, 1.7 |');
  assert.match(tables, '| 10 | 5 ms (4 to 6) | 3 ms | 1 MB |  |');
  assert.match(filled(`before ${BEGIN} old ${END} after`, tables), `before ${BEGIN}\nFound on`);
  assert.throws(() => filled('nothing', tables), /has no marks/);
  assert.throws(
    () => chartsOf([{ bench: 'flows', work: 'verdicts', connections: 'many' }]),
    /connections of flows: expected a number, got many/,
  );
});

test('memory and stages become two tables and a chart', () => {
  const lines = read(`{"bench":"bandwidth","what":"in order","gigabytesPerSecond":20,"least":18,"most":21}
{"bench":"bandwidth","what":"one after the other","nanoseconds":64,"least":60,"most":70}
{"bench":"bandwidth","stage":"match","octets":200,"nanoseconds":20,"least":10,"most":40,"share":0.5,"shareLeast":0.25,"shareMost":1}
`);
  const tables = tablesOf(lines);
  assert.match(tables, '| in order | 20 GB a second (18 to 21) |');
  assert.match(tables, '| one after the other | 64 ns a line (60 to 70) |');
  assert.match(tables, '| match | 200 | 20 ns | 50.0 million | 50 % (25 % to 100 %) |');
  // A line in 64 ns is 10^9 octets a second: 10^7 packets of 100 octets, 10^6 of 1000. The other roof begins at 2 * 10^8, in the decade up to 10^9.
  assert.match(chartsOf(lines).get('roofline.svg')!, '<line x1="64" y1="229.33" x2="700" y2="320" stroke="#c33"/>');
});

test('small things', () => {
  const [line] = read(
    '{"bench":"micro","what":"decode udp","nanoseconds":5.4,"perWord":3.7,"perWordLeast":3,"perWordMost":4}',
  );
  assert.match(tablesOf([line!]), '| decode udp | 5.4 ns | 3.7 (3 to 4) |');
});

test('what was found in a run of its own says so', () => {
  const later = `${RESULTS}{"schemaVersion":1,"date":"2026-11-24","commit":"def5678","processor":"Q","processors":8,"memoryGigabytes":8,"node":"v22","system":"linux arm64"}
{"bench":"burst","work":"cell","rows":4096,"policies":10000,"rounds":3,"nanoseconds":90,"ratio":0.7,"ratioLeast":0.6,"ratioMost":0.8}
`;
  const tables = tablesOf(read(later));
  assert.match(tables, 'Found on 2026-11-23 at commit abc1234: 2 processors (P)');
  assert.match(
    tables,
    '`burst`: found in 3 rounds on 2026-11-24 at commit def5678: 8 processors (Q), 8 GB, Node v22, linux arm64.',
  );
  assert.match(tables, '### Rows of a burst\n\n`npm run bench -- burst`\n');
  assert.match(tables, '| cell | 4,096 | 10,000 | 90 ns | 0.7 (0.6 to 0.8) |  |');
});

const DIRECTORY = join(ROOT, 'docs', 'performance');

test('docs/performance.md and its charts are what the committed results say', () => {
  const text = readFileSync(join(DIRECTORY, 'results.ndjson'), 'utf8');
  const page = readFileSync(join(ROOT, 'docs', 'performance.md'), 'utf8');
  const lines = read(text);
  assert.fixture(page, filled(page, tablesOf(lines)));
  for (const [name, svg] of chartsOf(lines)) assert.fixture(readFileSync(join(DIRECTORY, name), 'utf8'), svg, name);
  for (const [, name] of page.matchAll(/\]\(performance\/([a-z]+\.svg)\)/g))
    assert.ok(existsSync(join(DIRECTORY, name!)), `${name} is shown and not there`);
});

test.run();
