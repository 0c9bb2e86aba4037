/**
 * Shapes of rules: what each family of a cell's chains costs a packet. A family is all chains with the same beginning, as silk and the policy agent
 * name them: `vpa--`, `overlay--`, `netout--`, `asg-`, `netin--`, `input--`.
 *
 * Its cost is what matching takes longer with it than without. Families share hash tables, and one that ends most walks makes others
 * cheaper, so costs may be below 0 and do not add up.
 */
import type { CellRules } from '../../dataplane/setup.ts';
import type { Chain, Ruleset } from '../../rules/model.ts';
import type { Task } from '../replay/prepare.ts';

export interface Family {
  readonly name: string;
  readonly rules: number;
}

/** What stands in front of the handle or number. Null for a built-in chain: without its jumps nobody comes to the others. */
export const familyOf = ({ name, policy }: Chain): string | null =>
  policy === null ? (/^[a-z]+-+/.exec(name)?.[0] ?? name) : null;

const filterChains = ({ tables }: Ruleset): readonly Chain[] =>
  tables.find(({ name }) => name === 'filter')?.chains ?? [];

/** Families of the cells that are judged, most rules first. */
export function familiesOf({ sources }: Task): Family[] {
  const rules = new Map<string, number>();
  for (const [cell, { ruleset }] of sources.rules) {
    if (sources.cells.length > 0 && !sources.cells.includes(cell)) continue;
    for (const chain of filterChains(ruleset)) {
      const name = familyOf(chain);
      if (name === null) continue;
      rules.set(name, (rules.get(name) ?? 0) + chain.rules.length);
    }
  }
  return [...rules]
    .map(([name, count]) => ({ name, rules: count }))
    .filter((family) => family.rules > 0)
    .sort((a, b) => b.rules - a.rules || (a.name < b.name ? -1 : 1));
}

/** `task` with the chains of family `name` empty. */
export function without(task: Task, name: string): Task {
  const emptied = (ruleset: Ruleset): Ruleset => ({
    tables: ruleset.tables.map((table) =>
      table.name === 'filter'
        ? {
            ...table,
            chains: table.chains.map((chain) => (familyOf(chain) === name ? { ...chain, rules: [] } : chain)),
          }
        : table,
    ),
  });
  const rules = new Map<string, CellRules>();
  for (const [cell, one] of task.sources.rules) rules.set(cell, { ...one, ruleset: emptied(one.ruleset) });
  return { ...task, sources: { ...task.sources, rules } };
}
