/**
 * The captures of this repository, judged: every packet gets the verdict that the kernel gave it.
 *
 * `truth.ndjson` was derived from the taps alone (captures/truth.ts): a frame was delivered when its packet came out at
 * the container's interface, rejected when the cell answered it with ICMP 3/3.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { NOTE } from '../../src/dataplane/burst.ts';
import type { CellRules } from '../../src/dataplane/setup.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { ROOT } from '../support/shared.ts';
import { foundationAt, judgeWith, planned } from './support.ts';

const test = suite('scenarios/truth');

interface Truth {
  readonly tap: string;
  readonly packet: number;
  readonly direction: 'to-cell' | 'from-cell';
  readonly truth: 'delivered' | 'rejected' | 'host' | 'dropped' | 'other';
}

/** Which of our verdicts says the same as the kernel's fate, for a frame that enters a cell. */
const SAME: Readonly<Record<Truth['truth'], readonly string[]>> = {
  delivered: ['deliver'],
  rejected: ['reject'],
  host: ['deliver'],
  dropped: ['drop', 'malformed'],
  other: ['observed'],
};

const scenario = (name: string, file: string): string => join(ROOT, 'captures', name, file);

function truthOf(name: string): { files: Record<string, string>; truths: Truth[] } {
  const [head, ...lines] = readFileSync(scenario(name, 'truth.ndjson'), 'utf8').trim().split('\n');
  return {
    files: (JSON.parse(head!) as { files: Record<string, string> }).files,
    truths: lines.map((line) => JSON.parse(line) as Truth),
  };
}

/** What `iptables-save` printed on the real cells of a scenario. */
const dumped = (name: string): Map<string, CellRules> =>
  new Map(
    ['cell-a', 'cell-b'].map((cell) => {
      const file = scenario(name, `${cell}.iptables-save`);
      const text = readFileSync(file, 'utf8');
      const { ruleset } = parseRuleset(text, { file, unknownMatches: 'error' });
      return [cell, { ruleset, backend: text.includes('nf_tables') ? 'nft' : 'legacy' }];
    }),
  );

async function compare(name: string, rules: (name: string) => ReadonlyMap<string, CellRules>): Promise<void> {
  const foundation = foundationAt(scenario(name, 'foundation.yaml'));
  const { files, truths } = truthOf(name);
  const taps = [...new Set(truths.map(({ tap }) => tap))];
  assert.ok(taps.length > 0);
  for (const tap of taps) {
    const judged = await judgeWith(scenario(name, files[tap]!), foundation, rules(name));
    const known = truths.filter((truth) => truth.tap === tap);
    assert.is(judged.length, known.length, `${tap}: as many verdicts as truths`);
    // On a container's interface, what the cell handed in was judged before; only what the container sent is judged.
    const atContainer = tap.includes('/s-');
    for (const [index, { packet, direction, truth }] of known.entries()) {
      const { verdict, reason, note } = judged[index]!;
      const where = `${name} ${tap} packet ${packet}: the kernel ${truth}, tagplane ${verdict} (${reason})`;
      if (atContainer && direction === 'from-cell') assert.is(verdict, 'observed', where);
      else assert.ok(SAME[truth].includes(verdict), where);
      assert.is(note & (NOTE.EGRESS_TAG | NOTE.EGRESS_REFUSED), 0, `${where}: the sender's rules gave another tag`);
    }
  }
}

for (const name of ['two-cells', 'logging-legacy', 'offload']) {
  test(`${name}: the planned rules judge as the kernel did`, () =>
    compare(name, () => planned(foundationAt(scenario(name, 'foundation.yaml')))));
  test(`${name}: the rules of the real cells judge as the kernel did`, () => compare(name, dumped));
}

test.run();
