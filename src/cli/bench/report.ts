/** What `tagplane bench` found, for people. */
import type { Style } from '../style.ts';
import { type Column, count, octets, printable, table } from '../text.ts';
import type { Findings } from './command.ts';
import { PERCENTILES, type Spread } from './figures.ts';
import { ABOUT } from './stages.ts';

const WIDTH = 80;
/** Code is warm, and tables have grown, long before the end of a longer capture. */
const FEW = 100_000;

const nanoseconds = (value: number): string => (value < 100 ? value.toFixed(1) : count(Math.round(value)));
const spread = ({ least, most }: Spread): string => `${nanoseconds(least)} to ${nanoseconds(most)}`;
const perSecond = (rate: number): string =>
  rate >= 1e6 ? `${(rate / 1e6).toFixed(2)} million` : count(Math.round(rate));

export function printFindings(findings: Findings, style: Style): string {
  const { captures, packets, octets: size, rounds, bursts, paced } = findings;
  const lines = [
    `${captures.map(printable).join(', ')}: ${count(packets)} packets, ${octets(size)}; medians of ${rounds} rounds`,
    ...(packets < FEW ? ['so few packets tell what it takes to begin: use a longer capture'] : []),
    '',
    style.title('what stages take, nanoseconds a packet'),
    ...stageTable(findings),
    '',
    style.title('a burst of up to 256 packets, microseconds'),
    `  ${PERCENTILES.map((percent, index) => `${percent === 100 ? 'most' : `p${percent}`} ${(bursts[index]! / 1000).toFixed(1)}`).join('   ')}`,
    '',
    style.title('at a pace'),
    `  ${perSecond(paced.packetsPerSecond)} packets a second for ${paced.seconds} s, with a ring of ${count(paced.ring)}, none lost`,
    ...shapeTable(findings, style),
  ];
  return `${lines.join('\n')}\n`;
}

function stageTable({ stages, packets, octets: size }: Findings): string[] {
  const columns: Column[] = [
    { title: 'stage', align: 'left' },
    { title: 'by the clock', align: 'right' },
    { title: 'least to most', align: 'right' },
    { title: 'CPU', align: 'right' },
    { title: 'packets/s', align: 'right' },
    { title: 'Mbit/s', align: 'right' },
  ];
  const rows = stages.map(({ stage, wall, cpu }) => [
    stage,
    nanoseconds(wall.median),
    spread(wall),
    nanoseconds(cpu.median),
    perSecond(1e9 / wall.median),
    count(Math.round((size * 8) / (wall.median * packets) / 1e-3)),
  ]);
  return [...table(columns, rows, WIDTH), ...stages.map(({ stage }) => `  ${stage}: ${ABOUT[stage]}`)];
}

function shapeTable({ shapes }: Findings, style: Style): string[] {
  if (shapes === null) return [];
  const columns: Column[] = [
    { title: 'chains', align: 'left' },
    { title: 'rules', align: 'right' },
    { title: 'matching takes longer by', align: 'right' },
    { title: 'least to most', align: 'right' },
  ];
  const rows = shapes.map(({ family, rules, cost }) => [
    printable(family),
    count(rules),
    nanoseconds(cost.median),
    spread(cost),
  ]);
  return ['', style.title('what rules cost, nanoseconds a packet'), ...table(columns, rows, WIDTH)];
}
