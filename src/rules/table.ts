/**
 * RuleTable: the rules of one table, numbered.
 *
 * A rule's id is its position when the chains are read one after the other in their order in the table. Ids are what the
 * packet path carries; chain, number and text are looked up when somebody asks.
 */
import { type Chain, CTSTATE, type Match, type Rule, type Ruleset, type Table, type TableName } from './model.ts';

/** What some matches of a rule are, as bits: whoever goes through many thousand rules need not look into each again. */
export const TRAIT = {
  /** limit, hashlimit. */
  METERED: 1,
  ADDRESS_TYPE: 2,
  /** Holds for packets of known connections, or of errors about them. */
  CONNECTION: 4,
  /** mark, negated. */
  OTHER_MARK: 8,
} as const;

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
  /** TRAIT by rule id. */
  readonly traits: Uint8Array;
  /** Id of the first rule of each chain (the id the next rule would have got, for an empty chain). */
  readonly firstId: ReadonlyMap<string, number>;
}

const CONNECTION_STATES = CTSTATE.ESTABLISHED | CTSTATE.RELATED;

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
  return { name: table.name, chains, rules, traits: Uint8Array.from(rules, traitsOf), firstId };
}

function traitsOf({ rule }: NumberedRule): number {
  let traits = 0;
  for (const match of rule.matches) traits |= traitOf(match);
  return traits;
}

function traitOf(match: Match): number {
  switch (match.kind) {
    case 'limit':
    case 'hashlimit':
      return TRAIT.METERED;
    case 'addrtype':
      return TRAIT.ADDRESS_TYPE;
    case 'mark':
      return match.negated ? TRAIT.OTHER_MARK : 0;
    case 'state':
    case 'conntrack':
      return !match.negated && (match.states & CONNECTION_STATES) !== 0 ? TRAIT.CONNECTION : 0;
    default:
      return 0;
  }
}

/** The table called `name`, or undefined when the ruleset has none. */
export const tableOf = (ruleset: Ruleset, name: TableName): Table | undefined =>
  ruleset.tables.find((table) => table.name === name);
