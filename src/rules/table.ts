/**
 * RuleTable: the rules of one table, numbered.
 *
 * A rule's id is its position when the chains are read one after the other in their order in the table. Ids are what the
 * packet path carries; chain, number and text are looked up when somebody asks.
 */
import type { Chain, Rule, Ruleset, Table, TableName } from './model.ts';

export interface NumberedRule {
  readonly id: number;
  readonly chain: Chain;
  /** Position in its chain, from 1, as `iptables -L --line-numbers` counts. */
  readonly number: number;
  readonly rule: Rule;
}

export interface RuleTable {
  readonly name: TableName;
  readonly chains: ReadonlyMap<string, Chain>;
  /** Indexed by rule id. */
  readonly rules: readonly NumberedRule[];
  /** Id of the first rule of each chain (the id the next rule would have got, for an empty chain). */
  readonly firstId: ReadonlyMap<string, number>;
}

/** Number the rules of `table`. */
export function numberRules(table: Table): RuleTable {
  const chains = new Map<string, Chain>();
  const firstId = new Map<string, number>();
  const rules: NumberedRule[] = [];
  for (const chain of table.chains) {
    chains.set(chain.name, chain);
    firstId.set(chain.name, rules.length);
    for (const [index, rule] of chain.rules.entries()) rules.push({ id: rules.length, chain, number: index + 1, rule });
  }
  return { name: table.name, chains, rules, firstId };
}

/** The table called `name`, or undefined when the ruleset has none. */
export const tableOf = (ruleset: Ruleset, name: TableName): Table | undefined =>
  ruleset.tables.find((table) => table.name === name);
