/** The steps of the policy agent, done by iptables on lab cells: after each one the kernel has the rules that the schedule says. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SCENARIOS } from '../../captures/scenarios.ts';
import type { Foundation } from '../../src/foundation/model.ts';
import { plan } from '../../src/foundation/plan.ts';
import { type AgentTiming, scheduleOf } from '../../src/foundation/schedule.ts';
import type { Chain, Ruleset } from '../../src/rules/model.ts';
import { printRule, printSave } from '../../src/rules/print-save.ts';
import { skip } from '../support/shared.ts';
import { DEFAULT_LAB, iptablesIn, type Lab, labObstacle, withLab } from './lab.ts';

const test = suite('conformance/control');
const FOUNDATION = SCENARIOS.find(({ name }) => name === 'two-cells')!.foundation;
const WITHOUT: Foundation = { ...FOUNDATION, policies: FOUNDATION.policies.slice(1) };
const TIMING: AgentTiming = {
  pollInterval: 5e9,
  groupPollInterval: 60e9,
  firstPoll: 0,
  insert: 1e9,
  fill: 1e9,
  remove: 1e9,
};
const EPOCH = 1_700_000_000_000_000_000n;

const filterOf = (ruleset: Ruleset): readonly Chain[] => ruleset.tables.find(({ name }) => name === 'filter')!.chains;

/** Chains and rules of the filter table in a dump, chains by name, without counters. */
const filterLines = (dump: string): string[] => {
  const lines = dump.split('\n').filter((line) => line.startsWith(':') || line.startsWith('-A'));
  const chains = lines.filter((line) => line.startsWith(':')).map((line) => line.split(' ')[0]!);
  return [...chains.sort(), ...lines.filter((line) => line.startsWith('-A')).sort(byChain)];
};
/** Rules of one chain stay in their order. */
const byChain = (one: string, other: string): number => {
  const [a, b] = [one.split(' ')[1]!, other.split(' ')[1]!];
  return a < b ? -1 : Number(a > b);
};

for (const backend of ['nft', 'legacy'] as const) {
  const name = `${backend}: rules after every step of a change and of a restart`;
  const problem = labObstacle(backend);
  if (problem !== undefined) {
    skip(test, name, problem.message);
    continue;
  }
  test(name, async () => {
    await withLab(FOUNDATION, { ...DEFAULT_LAB, backend }, async (lab: Lab) => {
      const cell = 'cell-b';
      const before = plan(FOUNDATION, cell, { policyChainMicroseconds: Number(lab.options.vpaTimestamp) });
      const events = [
        { kind: 'policies', at: 1, foundation: WITHOUT },
        { kind: 'restart', at: 20e9 },
      ] as const;
      const changes = scheduleOf(cell, before, FOUNDATION, events, TIMING, EPOCH);
      assert.is(changes.length, 7);
      const iptables = (...args: string[]): string => iptablesIn(lab, cell, 'iptables', args);
      const old = filterOf(before).find(({ name: chain }) => chain.startsWith('vpa--'))!.name;
      const fill = ({ name: chain, rules }: Chain): void => {
        const input = `*filter\n${rules.map((rule) => printRule(chain, rule)).join('\n')}\nCOMMIT\n`;
        lab.onCell(cell, `xtables-${backend}-multi`, ['iptables-restore', '--noflush'], { input });
      };
      const fresh = (index: number): Chain =>
        filterOf(changes[index]!.ruleset).find(({ name: chain }) => chain.startsWith('vpa--') && chain !== old)!;
      const insert = (index: number): void => {
        iptables('-w', '-N', fresh(index).name);
        iptables('-w', '-I', 'FORWARD', '1', '-j', fresh(index).name);
      };
      const remove = (): void => {
        iptables('-w', '-D', 'FORWARD', '-j', old);
        iptables('-w', '-F', old);
        iptables('-w', '-X', old);
      };
      const flush = (): void => {
        const input = '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n';
        lab.onCell(cell, `xtables-${backend}-multi`, ['iptables-restore'], { input });
      };
      const nothing = (): void => undefined;
      const steps = [
        () => insert(0),
        () => fill(fresh(1)),
        remove,
        flush,
        () => insert(4),
        () => fill(fresh(5)),
        nothing,
      ];
      for (const [index, step] of steps.entries()) {
        step();
        const expected = printSave({ tables: changes[index]!.ruleset.tables.filter(({ name: t }) => t === 'filter') });
        const dump = iptablesIn(lab, cell, 'iptables-save', ['-t', 'filter']);
        assert.equal(filterLines(dump), filterLines(expected), changes[index]!.what);
      }
    });
  });
}

test.run();
