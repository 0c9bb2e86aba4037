/**
 * Rule counters after a replay are those that the kernel had after the same traffic: `CELL.iptables-save-c` of every capture.
 *
 * The filter table is compared line by line. INPUT and OUTPUT are not walked for what the cells themselves say and hear
 * on the underlay, so the counters of those two policies are left out.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openSource } from '../../src/capture/file.ts';
import { merge } from '../../src/capture/merge.ts';
import { open } from '../../src/capture/reader.ts';
import type { Dataplane } from '../../src/dataplane/dataplane.ts';
import { takeLines } from '../../src/dataplane/log/lines.ts';
import { createDataplane } from '../../src/dataplane/setup.ts';
import { play } from '../../src/replay/player.ts';
import { countedTable } from '../../src/rules/counted.ts';
import type { Backend } from '../../src/rules/evaluator.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { printSave } from '../../src/rules/print-save.ts';
import { ROOT } from '../support/shared.ts';
import { foundationAt, OPTIONS } from './support.ts';

const test = suite('scenarios/counters');

interface Case {
  readonly scenario: string;
  readonly backend: Backend;
  /** Taps that see every packet of the cells once. */
  readonly captures: readonly string[];
  readonly cells: readonly string[];
}

const LOCAL_A = ['cell-a.s-010255001004.pcap', 'cell-a.s-010255001005.pcap', 'cell-a.s-010255001009.pcap'];
const LOCAL_B = ['cell-b.s-010255002007.pcap', 'cell-b.s-010255002008.pcap'];

const CASES: readonly Case[] = [
  {
    scenario: 'two-cells',
    backend: 'nft',
    captures: ['cell-a.eth0.pcapng', ...LOCAL_A, ...LOCAL_B],
    cells: ['cell-a', 'cell-b'],
  },
  {
    scenario: 'two-cells',
    backend: 'nft',
    captures: ['cell-b.eth0.pcapng', ...LOCAL_A, ...LOCAL_B],
    cells: ['cell-a', 'cell-b'],
  },
  {
    scenario: 'logging-legacy',
    backend: 'legacy',
    captures: ['cell-b.eth0.pcapng', ...LOCAL_A],
    cells: ['cell-a', 'cell-b'],
  },
];

const fileOf = (scenario: string, name: string): string => join(ROOT, 'captures', scenario, name);
const read = (scenario: string, name: string): string => readFileSync(fileOf(scenario, name), 'utf8');

/** The filter table of a dump, without remarks and without what is not counted. */
function filterTable(save: string): string {
  const from = save.indexOf('*filter');
  const table = save.slice(from, save.indexOf('COMMIT', from));
  return table.replace(/^(:(?:INPUT|OUTPUT) ACCEPT) .*$/gm, '$1');
}

async function replayed({ scenario, backend, captures, cells }: Case): Promise<Dataplane> {
  const rules = cells.map((cell) => {
    const file = `${cell}.iptables-save`;
    const { ruleset } = parseRuleset(read(scenario, file), { file, unknownMatches: 'error' });
    return [cell, { ruleset, backend }] as const;
  });
  const foundation = foundationAt(fileOf(scenario, 'foundation.yaml'));
  const dataplane = createDataplane(foundation, new Map(rules), { ...OPTIONS, keepLogs: true });
  const readers = await Promise.all(
    captures.map(async (name, file) => open(await openSource(fileOf(scenario, name)), { file })),
  );
  const source = await merge(readers);
  const { damage } = await play(source, dataplane, []);
  await source.close();
  assert.is(damage, null);
  return dataplane;
}

for (const one of CASES) {
  test(`${one.scenario}, ${one.captures[0]}: every counter is the kernel's`, async () => {
    const { cells } = await replayed(one);
    for (const name of one.cells) {
      const cell = cells.find((known) => known.name === name)!;
      const ours = printSave({ tables: [countedTable(cell.filter)] }, { counters: true });
      const kernel = read(one.scenario, `${name}.iptables-save-c`);
      assert.match(kernel, /^\[[1-9]\d*:\d+\] -A overlay--.* -j REJECT/m);
      assert.is(filterTable(ours), filterTable(kernel), name);
    }
  });
}

test('logging-legacy: as many lines as the kernel counted at its LOG rules, each with its rule’s prefix', async () => {
  const scenario = CASES.at(-1)!;
  const { logs, cells, interfaces } = await replayed(scenario);
  const lines = takeLines(logs!, cells, interfaces);
  for (const name of scenario.cells) {
    const rules = [
      ...read(scenario.scenario, `${name}.iptables-save-c`).matchAll(
        /^\[(\d+):\d+\] .*-j LOG --log-prefix "([^"]*)"/gm,
      ),
    ];
    const counted = new Map<string, number>();
    for (const [, packets, prefix] of rules) counted.set(prefix!, (counted.get(prefix!) ?? 0) + Number(packets));
    assert.ok(
      [...counted.values()].some((count) => count > 0),
      name,
    );
    for (const [prefix, count] of counted) {
      const ours = lines.filter(({ cell, text }) => cell.name === name && text.startsWith(`${prefix}IN=`));
      assert.is(ours.length, count, `${name} ${prefix}`);
    }
  }
});

test.run();
