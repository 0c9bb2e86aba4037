/** The compiled plan of cells' rules: how many entries in which hash tables, for every built-in chain. */
import { compile } from '../../rules/compile.ts';
import { describe, type PlanDescription, printPlan } from '../../rules/describe.ts';
import { InterfaceNames } from '../../rules/interfaces.ts';
import type { TableName } from '../../rules/model.ts';
import { UsageError } from '../exit.ts';
import type { Sources } from '../sources/options.ts';
import { printable } from '../text.ts';
import { selectedCells } from './iptables.ts';

export interface CellPlan {
  readonly cell: string;
  readonly backend: string;
  readonly table: TableName;
  readonly chains: readonly PlanDescription[];
}

/** Compile the rules of the selected cells, as a dataplane would. Throws UsageError and ChainError. */
export function compilePlans(sources: Sources, name: TableName): CellPlan[] {
  return selectedCells(sources).map((cell) => {
    const { ruleset, backend } = sources.rules.get(cell)!;
    const table = ruleset.tables.find((one) => one.name === name);
    if (table === undefined) throw new UsageError(`--table ${name}: the rules of ${cell} have no such table`);
    const compiled = compile(table, new InterfaceNames(), { backend });
    const builtIn = table.chains.filter(({ policy }) => policy !== null);
    const chains = builtIn.map((chain) => describe(compiled.matcher(compiled.prepare(chain.name))));
    return { cell, backend, table: name, chains };
  });
}

/** The plans as text, each cell under a line of its own. */
export const printPlans = (plans: readonly CellPlan[]): string =>
  plans
    .map(({ cell, table, backend, chains }) => {
      const heading = `# ${printable(cell)}, table ${table}, ${backend}\n`;
      return heading + chains.map(printPlan).join('');
    })
    .join('\n');
