/**
 * The rules planned for the cells of the repository's captures are those of the real cells, as the real `iptables -L` and
 * `iptables-save` printed them; only the time in the name of the agent's chain is theirs.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { plan } from '../../src/foundation/plan.ts';
import { printList } from '../../src/rules/print-list.ts';
import { printSave } from '../../src/rules/print-save.ts';
import { ROOT } from '../support/shared.ts';
import { foundationAt } from './support.ts';

const test = suite('scenarios/rules');

/** What iptables-save prints without its remarks (they hold the time), tables in order of their names, counters at 0. */
function comparable(save: string): string {
  const text = save.replace(/^#.*\n/gm, '').replace(/\[\d+:\d+\]/g, '[0:0]');
  return text
    .split(/(?<=^COMMIT\n)/m)
    .sort()
    .join('');
}

for (const scenario of ['two-cells', 'logging-legacy', 'offload']) {
  for (const cell of ['cell-a', 'cell-b']) {
    test(`${scenario} ${cell}: planned rules print as the real ones did`, () => {
      const read = (file: string): string => readFileSync(join(ROOT, 'captures', scenario, file), 'utf8');
      const save = read(`${cell}.iptables-save`);
      const policyChainMicroseconds = Number(/^:vpa--(\d{16}) /m.exec(save)![1]);
      const foundation = foundationAt(join(ROOT, 'captures', scenario, 'foundation.yaml'));
      const planned = plan(foundation, cell, { policyChainMicroseconds });
      assert.is(comparable(printSave(planned)), comparable(save));
      const filter = planned.tables.find(({ name }) => name === 'filter')!;
      assert.is(printList(filter, {}), read(`${cell}.iptables-L.txt`));
    });
  }
}

test.run();
