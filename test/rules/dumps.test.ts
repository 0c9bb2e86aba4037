/**
 * The cells of the lab as iptables 1.8.9 printed them on a real kernel: what we print of what we parsed is the same text.
 */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Counters, Ruleset, Table } from '../../src/rules/model.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { printList } from '../../src/rules/print-list.ts';
import { printSave } from '../../src/rules/print-save.ts';
import { tableOf } from '../../src/rules/table.ts';
import { shared, sharedTest } from '../support/shared.ts';

const test = suite('rules/dumps');
const FOLDER = 'lab/dumps';

const read = (name: string): string => readFileSync(shared(FOLDER, name), 'utf8');

function parse(name: string): Ruleset {
  const { ruleset, warnings } = parseRuleset(read(name), { file: name, unknownMatches: 'error' });
  assert.equal(warnings, []);
  return ruleset;
}

for (const cell of ['cellA', 'cellB']) {
  for (const dump of ['nft', 'logging']) {
    const name = `${cell}.iptables-save.${dump}.txt`;
    sharedTest(test, FOLDER, `${name} is printed as it was read`, () => {
      const time = / on (.*)$/m.exec(read(name))![1]!;
      assert.is(printSave(parse(name), { comments: { style: 'nft', version: '1.8.9', time } }), read(name));
    });
  }

  sharedTest(test, FOLDER, `${cell}: iptables -L of the dump with logging`, () => {
    const table = tableOf(parse(`${cell}.iptables-save.logging.txt`), 'filter')!;
    assert.is(printList(table), read(`${cell}.iptables-L.txt`));
  });

  sharedTest(test, FOLDER, `${cell}: iptables -L -n -v of the dump with logging`, () => {
    const listing = read(`${cell}.iptables-L-n-v.txt`);
    const table = tableOf(parse(`${cell}.iptables-save.logging.txt`), 'filter')!;
    const counted = withCounters(table, listing);
    assert.is(printList(counted, { numeric: true, verbose: true }), listing);
  });
}

/** The dumps were saved without -c: take the counters, and nothing else, from the listing. */
function withCounters(table: Table, listing: string): Table {
  const counters = [...listing.matchAll(/^ *([0-9]+) +([0-9]+) (?!packets)/gm)].map(toCounters);
  const policies = [...listing.matchAll(/\(policy [A-Z]+ ([0-9]+) packets, ([0-9]+) bytes\)/g)].map(toCounters);
  const chains = table.chains.map((chain) => ({
    ...chain,
    counters: chain.policy === null ? chain.counters : policies.shift()!,
    rules: chain.rules.map((rule) => ({ ...rule, counters: counters.shift()! })),
  }));
  assert.is(counters.length + policies.length, 0);
  return { ...table, chains };
}

const toCounters = ([, packets, bytes]: RegExpMatchArray): Counters => ({
  packets: Number(packets),
  bytes: Number(bytes),
});

test.run();
