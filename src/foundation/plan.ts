/**
 * plan: every chain that silk's CNI plugin and the policy agent write on a cell.
 *
 * The result is what `iptables-save` would show on a cell whose containers were started in the order of the foundation:
 * tables mangle, filter, nat; in each the built-in chains, then the others by name. Nothing in it depends on time or
 * chance; the time in the name of the agent's chain is an option.
 */
import type { Chain, Rule, Ruleset, Table, TableName } from '../rules/model.ts';
import { chainName } from './chain-names.ts';
import { FoundationError, quote } from './error.ts';
import type { Cell, Foundation } from './model.ts';
import * as container from './plan-container.ts';
import { policyRules } from './plan-policies.ts';
import { groupRulesOf } from './plan-security-groups.ts';
import * as parts from './rule-parts.ts';

export interface PlanOptions {
  /** When the agent wrote its chain, in microseconds since 1970: 16 digits of the chain's name. */
  readonly policyChainMicroseconds?: number;
  /** The agent's logging of accepted connections, which can be switched at run time; `iptables_logging` otherwise. */
  readonly policyLogging?: boolean;
}

/** 2020-09-13 12:26:40 UTC: recognisable as nobody's clock. */
export const DEFAULT_POLICY_CHAIN_MICROSECONDS = 1_600_000_000_000_000;

const BUILT_IN = {
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
} as const satisfies Partial<Record<TableName, readonly string[]>>;

type PlannedTable = keyof typeof BUILT_IN;

/** Plan the cell called `name`. Throws FoundationError when the foundation has no such cell. */
export function plan(foundation: Foundation, name: string, options: PlanOptions = {}): Ruleset {
  const cell = foundation.cells.find((one) => one.name === name);
  if (cell === undefined) {
    const known = foundation.cells.slice(0, 8).map((one) => quote(one.name));
    const sentence = `got no cell called ${quote(name)}, expected one of ${known.join(', ') || 'none'}`;
    throw new FoundationError('ERR_FOUNDATION_REFERENCE', null, sentence);
  }
  const containers = containersOn(foundation, cell);
  return {
    tables: [
      table('mangle', mangleChains(containers, cell)),
      table('filter', filterChains(foundation, containers, cell, options)),
      table('nat', natChains(foundation, containers, cell)),
    ],
  };
}

/** The cell's containers in the order of the foundation. */
const containersOn = (foundation: Foundation, cell: Cell): container.Container[] =>
  foundation.apps.flatMap((app) =>
    app.instances
      .filter((instance) => instance.cell === cell.name)
      .map((instance) => ({
        app: app.guid,
        instance,
        groupRules: groupRulesOf(foundation, app, instance.workload),
      })),
  );

type Chains = [string, Rule[]][];

function filterChains(
  foundation: Foundation,
  containers: readonly container.Container[],
  cell: Cell,
  options: PlanOptions,
): Chains {
  const { settings } = foundation;
  const policyChain = `vpa--${options.policyChainMicroseconds ?? DEFAULT_POLICY_CHAIN_MICROSECONDS}`;
  const logging = options.policyLogging ?? settings.logging;
  return [
    ['INPUT', containers.map(({ instance }) => container.inputJump(instance))],
    [
      'FORWARD',
      [
        parts.rule({}, [], parts.jump(policyChain)),
        ...containers.flatMap(({ instance }) => container.forwardJumps(instance, cell)),
      ],
    ],
    [policyChain, policyRules(foundation, containers, logging)],
    ...containers.flatMap((one) => container.filterChains(one, settings)),
  ];
}

const netinJumps = (containers: readonly container.Container[]): Rule[] =>
  containers.map(({ instance }) => parts.rule({}, [], parts.jump(chainName('netin', instance.handle))));

const mangleChains = (containers: readonly container.Container[], cell: Cell): Chains => [
  ['PREROUTING', netinJumps(containers)],
  ...containers.map(({ instance }): Chains[number] => [
    chainName('netin', instance.handle),
    container.netinMangleRules(instance, cell),
  ]),
];

function natChains(foundation: Foundation, containers: readonly container.Container[], cell: Cell): Chains {
  const { settings, overlay } = foundation;
  const kept = settings.noMasqueradeRange ?? (settings.masquerade === 'lease' ? cell.lease : overlay.network);
  return [
    ['PREROUTING', netinJumps(containers)],
    ['POSTROUTING', containers.map(({ instance }) => container.masqueradeRule(instance, kept))],
    ...containers.map(({ instance }): Chains[number] => [
      chainName('netin', instance.handle),
      container.netinNatRules(instance, cell),
    ]),
  ];
}

/** The built-in chains of `name` in the kernel's order, then the others sorted by their octets. */
function table(name: PlannedTable, chains: Chains): Table {
  const rules = new Map(chains);
  const builtIn: readonly string[] = BUILT_IN[name];
  const own = [...rules.keys()].filter((chain) => !builtIn.includes(chain)).sort((a, b) => (a < b ? -1 : 1));
  const finish = (chain: string, policy: Chain['policy']): Chain => ({
    name: chain,
    policy,
    counters: null,
    rules: rules.get(chain) ?? [],
  });
  return {
    name,
    chains: [...builtIn.map((chain) => finish(chain, 'ACCEPT')), ...own.map((chain) => finish(chain, null))],
  };
}
