/** `tagplane bench`: its arithmetic by hand, and that it measures what it says. How fast anything is, no test asks. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { highestRate, percentilesOf, spreadOf } from '../../src/cli/bench/figures.ts';
import { familyOf } from '../../src/cli/bench/shapes.ts';
import { capture, FOUNDATION, SCENARIO, tagplane } from './command.ts';

const test = suite('cli/bench');
const CAPTURE = capture('cell-b.eth0.pcapng');
const SHORT = ['--foundation', FOUNDATION, '--rounds', '2', '--seconds', '.05'];

test('medians, least and most', () => {
  assert.equal(spreadOf([5, 1, 9]), { median: 5, least: 1, most: 9 });
  assert.equal(spreadOf([4, 1, 9, 2]), { median: 3, least: 1, most: 9 });
});

test('percentiles by nearest rank', () => {
  const values = Array.from({ length: 1000 }, (_, index) => 1000 - index);
  assert.equal(percentilesOf(values), [500, 900, 990, 999, 1000]);
  assert.equal(percentilesOf([7]), [7, 7, 7, 7, 7]);
});

test('the highest rate is found by halves', async () => {
  const tried: number[] = [];
  const upTo = (limit: number) => async (rate: number) => {
    tried.push(rate);
    return rate <= limit;
  };
  assert.is(await highestRate(1024, 10, upTo(2000)), 1024);
  assert.equal(tried, [1024]);
  assert.is(await highestRate(1024, 10, upTo(700)), 700);
  assert.is(await highestRate(1024, 2, upTo(700)), 512);
  assert.is(await highestRate(1024, 10, upTo(0)), 0);
});

test('families of chains', () => {
  const chain = (name: string, policy: 'ACCEPT' | null = null) => ({ name, policy, counters: null, rules: [] });
  assert.is(familyOf(chain('vpa--1795375121798818')), 'vpa--');
  assert.is(familyOf(chain('asg-abc123')), 'asg-');
  assert.is(familyOf(chain('MINE')), 'MINE');
  assert.is(familyOf(chain('FORWARD', 'ACCEPT')), null);
});

interface Document {
  readonly packets: number;
  readonly octets: number;
  readonly stages: readonly {
    readonly stage: string;
    readonly wall: { median: number; least: number; most: number };
  }[];
  readonly bursts: readonly number[];
  readonly paced: { readonly packetsPerSecond: number; readonly ring: number; readonly seconds: number };
  readonly shapes: readonly { readonly family: string; readonly rules: number }[] | null;
}

test('--json', async () => {
  const { code, stdout, stderr } = await tagplane(['bench', CAPTURE, ...SHORT, '--cell', 'cell-b', '--json']);
  assert.is(code, 0, stderr);
  const { packets, stages, bursts, paced, shapes } = JSON.parse(stdout) as Document;
  assert.is(packets, 92);
  assert.equal(
    stages.map(({ stage }) => stage),
    ['records', 'rules', 'verdicts', 'report'],
  );
  for (const { wall } of stages) assert.ok(wall.least > 0 && wall.least <= wall.median && wall.median <= wall.most);
  assert.equal(
    bursts,
    bursts.toSorted((a, b) => a - b),
  );
  assert.ok(paced.packetsPerSecond >= 0);
  assert.equal({ ring: paced.ring, seconds: paced.seconds }, { ring: 4096, seconds: 0.05 });
  // As many rules as the chains of that name have.
  const save = readFileSync(`${SCENARIO}/cell-b.iptables-save`, 'utf8');
  const filter = save.slice(save.indexOf('*filter'), save.indexOf('COMMIT', save.indexOf('*filter')));
  const vpa = filter.split('\n').filter((line) => line.startsWith('-A vpa--')).length;
  assert.is(shapes!.find(({ family }) => family === 'vpa--')!.rules, vpa);
});

test('several judged cells have no rules of their own to match with', async () => {
  const { code, stdout } = await tagplane(['bench', CAPTURE, ...SHORT]);
  assert.is(code, 0);
  assert.match(stdout, /^verdicts +/m);
  assert.not.match(stdout, /what rules cost/);
  assert.match(stdout, /so few packets tell what it takes to begin/);
});

test('what cannot be measured', async () => {
  const damaged = await tagplane(['bench', capture('truth.ndjson'), ...SHORT]);
  assert.is(damaged.code, 2);
  assert.match(damaged.stderr, /not a pcap or pcapng file/);
  const once = await tagplane(['bench', '-', ...SHORT], { input: readFileSync(CAPTURE) });
  assert.is(once.code, 2);
  assert.is(once.stderr, 'tagplane: bench reads captures again and again, and standard input can be read once\n');
  const none = await tagplane(['bench', CAPTURE, ...SHORT, '--rounds', '0']);
  assert.is(none.code, 2);
  assert.match(none.stderr, /expected a whole number from 1/);
});

test.run();
