/**
 * The rules of every cell at each moment of a case: as planned at first, then in each of the three stages in which the
 * policy agent brings other policies (vxlan-policy-agent/enforcer/enforcer.go): a jump to a new, empty chain comes to stand
 * before the old one, the new chain is filled, the old one is removed.
 */
import type { Foundation } from '../../../src/foundation/model.ts';
import { DEFAULT_POLICY_CHAIN_MICROSECONDS, plan } from '../../../src/foundation/plan.ts';
import { readFoundation } from '../../../src/foundation/read.ts';
import type { Chain, Ruleset } from '../../../src/rules/model.ts';
import { printRule } from '../../../src/rules/print-save.ts';
import { withLogs } from './logged-rules.ts';
import type { Case, PoliciesStep } from './step.ts';

export interface Epoch {
  readonly foundation: Foundation;
  /** By cell name. */
  readonly rules: ReadonlyMap<string, Ruleset>;
  /** What makes these rules of those of the epoch before, for `iptables-restore --noflush`, by cell name. */
  readonly documents: ReadonlyMap<string, string>;
}

const FILE = 'foundation.json';

/** `policies` in the place of the case's own. Tags stay with their apps, whatever the policies are. */
export function foundationOf(one: Case, policies = one.foundation.policies): Foundation {
  const tagged = readFoundation(JSON.stringify(one.foundation), FILE);
  const apps = one.foundation.apps.map((app, index) => ({
    ...app,
    tag: (tagged.apps[index]!.tag ?? 0x1000 + index).toString(16).toUpperCase().padStart(4, '0'),
  }));
  return readFoundation(JSON.stringify({ ...one.foundation, apps, policies }), FILE);
}

const filterOf = (ruleset: Ruleset): readonly Chain[] => ruleset.tables.find(({ name }) => name === 'filter')!.chains;

const withFilter = (ruleset: Ruleset, change: (chain: Chain) => readonly Chain[]): Ruleset => ({
  tables: ruleset.tables.map((table) =>
    table.name === 'filter' ? { ...table, chains: table.chains.flatMap(change) } : table,
  ),
});

const isPolicies = ({ name }: Chain): boolean => name.startsWith('vpa--');
const policyChain = (ruleset: Ruleset): Chain => filterOf(ruleset).find(isPolicies)!;
const document = (...lines: string[]): string => `*filter\n${lines.join('\n')}\nCOMMIT\n`;

/** The rules of the first epoch; the others follow from it with `nextEpoch`. */
export function firstEpoch(one: Case): Epoch {
  const foundation = foundationOf(one);
  const rules = new Map(foundation.cells.map(({ name }) => [name, withLogs(plan(foundation, name), name, one.seed)]));
  return { foundation, rules, documents: new Map() };
}

/** The old rules with `fresh` beside the agent's chain, a jump to it before all others of FORWARD. */
function besides(old: Ruleset, fresh: Chain): Ruleset {
  return withFilter(old, (chain) => {
    if (chain.name === 'FORWARD') {
      const jump = { ...chain.rules[0]!, target: { kind: 'jump', chain: fresh.name } } as const;
      return [{ ...chain, rules: [jump, ...chain.rules] }];
    }
    return isPolicies(chain) ? [chain, fresh] : [chain];
  });
}

/** The rules without the chain `gone` and the jumps to it. */
const without = (ruleset: Ruleset, gone: string): Ruleset =>
  withFilter(ruleset, (chain) => {
    if (chain.name === gone) return [];
    const rules = chain.rules.filter(({ target }) => target?.kind !== 'jump' || target.chain !== gone);
    return [{ ...chain, rules }];
  });

/**
 * What comes after `before`; only the agent's chain of `settled` stood when policies began to change. `changes` counts their
 * changes. Rules that stay are the same objects, as `exchange` wants them.
 */
export function nextEpoch(one: Case, before: Epoch, settled: Epoch, step: PoliciesStep, changes: number): Epoch {
  const foundation = foundationOf(one, step.policies);
  const rules = new Map<string, Ruleset>();
  const documents = new Map<string, string>();
  for (const { name } of foundation.cells) {
    const old = settled.rules.get(name)!;
    const planned = plan(foundation, name, {
      policyChainMicroseconds: DEFAULT_POLICY_CHAIN_MICROSECONDS + changes,
    });
    const target = withLogs(planned, name, one.seed);
    const [gone, fresh] = [policyChain(old).name, policyChain(target)];
    switch (step.stage) {
      case 'inserted':
        rules.set(name, besides(old, { ...fresh, rules: [] }));
        documents.set(name, document(`:${fresh.name} - [0:0]`, `-I FORWARD 1 -j ${fresh.name}`));
        break;
      case 'filled':
        rules.set(name, besides(old, fresh));
        documents.set(name, document(...fresh.rules.map((rule) => printRule(fresh.name, rule))));
        break;
      case 'removed':
        rules.set(name, without(before.rules.get(name)!, gone));
        documents.set(name, document(`-D FORWARD -j ${gone}`, `-F ${gone}`, `-X ${gone}`));
        break;
    }
  }
  return { foundation, rules, documents };
}
