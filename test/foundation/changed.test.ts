/** Foundations whose policies or security groups have become others. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { withPolicies, withSecurityGroups } from '../../src/foundation/changed.ts';
import type { Item } from '../../src/foundation/item.ts';
import { plan } from '../../src/foundation/plan.ts';
import { parseItem, readFoundation } from '../../src/foundation/read.ts';
import { scheduleOf } from '../../src/foundation/schedule.ts';
import { EXAMPLE, edited, refused, SOURCE_GUID } from './example.ts';

const test = suite('foundation/changed');
const itemOf = (text: string): Item => parseItem(text, 'changed.json');
const FOUNDATION = readFoundation(EXAMPLE, 'foundation.yaml');
const tagOf = (foundation: typeof FOUNDATION, name: string): number | null =>
  foundation.apps.find((app) => app.name === name)!.tag;

test('policies of a foundation file take the place of the old ones; apps keep their tags', () => {
  const changed = withPolicies(FOUNDATION, itemOf(edited('ports: "8080"', 'ports: "9090"')));
  assert.equal(
    changed.policies.map(({ ports }) => ports),
    [{ start: 9090, end: 9090 }],
  );
  assert.is(tagOf(changed, 'source-app'), tagOf(FOUNDATION, 'source-app'));
  assert.equal(changed.cells, FOUNDATION.cells);
});

test('an app that gets into its first policy is given the lowest tag that is free, and keeps it without one', () => {
  const none = withPolicies(FOUNDATION, itemOf('{ "policies": [] }'));
  assert.equal(none.policies, []);
  assert.is(tagOf(none, 'dest-app'), tagOf(FOUNDATION, 'dest-app'));
  const stranger = '11111111-0000-4000-8000-000000000001';
  const policy = {
    source: { id: stranger },
    destination: { id: SOURCE_GUID, protocol: 'tcp', ports: { start: 1, end: 2 } },
  };
  const changed = withPolicies(FOUNDATION, itemOf(JSON.stringify({ policies: [policy] })));
  assert.is(changed.apps.find(({ guid }) => guid === stranger)!.tag, 3, '1 and 2 are taken');
});

test('a tag that is not the one an app has is refused, and so is an app that nobody knows by name', () => {
  const policies = [
    {
      source: { id: SOURCE_GUID, tag: '0009' },
      destination: { id: SOURCE_GUID, tag: '0009', protocol: 'tcp', ports: { start: 1, end: 1 } },
    },
  ];
  const conflict = refused(() => withPolicies(FOUNDATION, itemOf(JSON.stringify({ policies }))));
  assert.is(conflict.code, 'ERR_FOUNDATION_CONFLICT');
  const unknown = refused(() =>
    withPolicies(FOUNDATION, itemOf(edited('destination: dest-app', 'destination: nobody'))),
  );
  assert.is(unknown.code, 'ERR_FOUNDATION_REFERENCE');
});

test('security groups take the place of the old ones; two with one GUID are refused', () => {
  const group = { guid: 'g', name: 'one', rules: '[]', staging_default: false, running_default: true };
  const list = (...groups: object[]): string => JSON.stringify({ next: 0, security_groups: groups });
  const changed = withSecurityGroups(FOUNDATION, itemOf(list(group)), 'groups.json');
  assert.equal(
    changed.securityGroups.map(({ name }) => name),
    ['one'],
  );
  const twice = refused(() => withSecurityGroups(FOUNDATION, itemOf(list(group, group)), 'groups.json'));
  assert.match(twice.message, /security group with the GUID g/);
});

test('a restart flushes filter and nat, and leaves mangle', () => {
  const ruleset = plan(FOUNDATION, 'cell-b');
  const timing = { pollInterval: 1, groupPollInterval: 1, firstPoll: 0, insert: 0, fill: 0, remove: 0 };
  const [flush] = scheduleOf('cell-b', ruleset, FOUNDATION, [{ kind: 'restart', at: 0 }], timing, 0n);
  for (const table of flush!.ruleset.tables) {
    const before = ruleset.tables.find(({ name }) => name === table.name)!;
    if (table.name === 'mangle') assert.equal(table, before);
    else {
      assert.ok(
        before.chains.some(({ rules }) => rules.length > 0),
        table.name,
      );
      for (const { policy, rules } of table.chains) assert.equal([policy, rules], ['ACCEPT', []]);
    }
  }
});

test.run();
