/** Parsing what was printed gives the same ruleset, for random rulesets over everything that is understood. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Ruleset, TableName } from '../../src/rules/model.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { printList } from '../../src/rules/print-list.ts';
import { printSave } from '../../src/rules/print-save.ts';
import { check } from '../support/property.ts';
import * as arbitrary from '../support/rulesets.ts';

const test = suite('rules/round-trip');
const TABLES: readonly TableName[] = ['raw', 'mangle', 'nat', 'filter', 'security'];

/** Random rulesets stand in no file: forget where a rule was read. */
const withoutLines = (ruleset: Ruleset): Ruleset => ({
  tables: ruleset.tables.map((table) => ({
    ...table,
    chains: table.chains.map((chain) => ({ ...chain, rules: chain.rules.map((rule) => ({ ...rule, line: 0 })) })),
  })),
});

for (const counters of [false, true]) {
  test(`parse(print(x)) is x, ${counters ? 'with' : 'without'} counters of rules`, () => {
    check(
      fc.property(arbitrary.ruleset(TABLES, counters), (ruleset) => {
        const text = printSave(ruleset, { counters });
        const parsed = parseRuleset(text, { file: 'x', unknownMatches: 'error' });
        assert.equal(withoutLines(parsed.ruleset), ruleset, text);
        assert.is(printSave(parsed.ruleset, { counters }), text);
      }),
      300,
    );
  });
}

test('a listing has one line for each rule, in every form', () => {
  check(
    fc.property(
      arbitrary.ruleset(TABLES, true),
      fc.boolean(),
      fc.boolean(),
      fc.boolean(),
      (ruleset, numeric, verbose, lineNumbers) => {
        for (const table of ruleset.tables) {
          const lines = printList(table, { numeric, verbose, lineNumbers }).split('\n');
          const rules = table.chains.reduce((sum, chain) => sum + chain.rules.length, 0);
          assert.is(lines.length, 3 * table.chains.length + rules);
        }
      },
    ),
    100,
  );
});

test.run();
