/** iptables judges the printers and the parser; see rules-print.ts. */
import { readdirSync, readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { printSave } from '../../src/rules/print-save.ts';
import { rulesIn, WRITTEN } from '../rules/written.ts';
import { check } from '../support/property.ts';
import * as arbitrary from '../support/rulesets.ts';
import { shared, sharedTest, skip } from '../support/shared.ts';
import { BACKENDS, compare, savedBy, tablesIn, tablesOf, whyNot } from './rules-print.ts';

const test = suite('conformance/rules-print');
const reason = whyNot();
const FOLDER = 'lab/dumps';
const RULESETS = 30;

for (const backend of BACKENDS) {
  const name = `random rulesets are printed as iptables-${backend} prints them`;
  const dumpsName = `the dumps of the lab are printed as iptables-${backend} prints them`;
  if (reason !== null) {
    skip(test, name, reason);
    skip(test, dumpsName, reason);
    continue;
  }
  test(name, () => {
    const tables = tablesOf(backend);
    assert.ok(tables.includes('filter') && tables.includes('nat'), `this kernel has only ${tables.join(', ')}`);
    check(
      fc.property(arbitrary.ruleset(tables, true), (ruleset) => {
        const text = printSave(ruleset, { counters: true });
        const difference = compare(text, backend);
        if (difference !== null) throw new Error(difference);
        // The nft backend rewrites some rules (negated ports, order of chains); the legacy one keeps them.
        if (backend === 'legacy') assert.equal(savedBy(text, backend), tablesIn(text));
      }),
      RULESETS,
    );
  });

  sharedTest(test, FOLDER, dumpsName, () => {
    const dumps = readdirSync(shared(FOLDER)).filter((file) => file.includes('iptables-save'));
    assert.ok(dumps.length > 0);
    for (const dump of dumps) assert.is(compare(readFileSync(shared(FOLDER, dump), 'utf8'), backend), null, dump);
  });
}

if (reason !== null) skip(test, 'what people write is saved by iptables as written.ts says', reason);
else {
  test('what people write is saved by iptables as written.ts says', () => {
    for (const { table, line, saved } of WRITTEN) {
      const theirs = savedBy(`*${table}\n:chain -\n${line}\nCOMMIT\n`, 'legacy');
      assert.is.not(theirs, null, `iptables refuses ${line}`);
      assert.equal(rulesIn(theirs!.join('')), saved, line);
    }
  });
}

test.run();
