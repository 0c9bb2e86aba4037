/**
 * Rules of cells as the three iptables programs print them: `iptables -S`, `iptables -L` and `iptables-save`.
 *
 * One cell's rules are printed as that program prints them. Several cells' follow each other, each under a comment line
 * that names the cell.
 */
import type { Chain, Ruleset, Table, TableName } from '../../rules/model.ts';
import { printList } from '../../rules/print-list.ts';
import { printRule, printRules, printSave } from '../../rules/print-save.ts';
import { UsageError } from '../exit.ts';
import type { Sources } from '../sources/options.ts';
import { listed } from '../sources/text.ts';
import { printable } from '../text.ts';

export interface IptablesOptions {
  readonly form: 'iptables-S' | 'iptables-L' | 'iptables-save';
  /** Only this table; `filter` for -S and -L, all for iptables-save unless given. */
  readonly table: TableName | undefined;
  /** Only this chain; a `*` at the end stands for the rest of a name. */
  readonly chain: string | undefined;
  readonly numeric: boolean;
  readonly verbose: boolean;
  readonly lineNumbers: boolean;
}

/** The chains of one cell that were asked for, by the table they are in. */
interface Selected {
  readonly cell: string;
  readonly backend: string;
  readonly tables: readonly SelectedTable[];
}

interface SelectedTable {
  readonly table: Table;
  readonly chains: readonly Chain[];
}

/** The rules of the selected cells as text. Throws UsageError when no cell has the chain or the table. */
export function printIptables(sources: Sources, options: IptablesOptions): string {
  const cells = select(sources, options);
  return cells
    .map(({ cell, tables }) => {
      const heading = cells.length > 1 ? `# ${printable(cell)}\n` : '';
      return heading + printCell(tables, options);
    })
    .join('\n');
}

/** The same as a document: every rule with its chain, its number and its text. */
export function iptablesDocument(sources: Sources, options: IptablesOptions): object {
  return {
    schemaVersion: 1,
    cells: select(sources, options).map(({ cell, backend, tables }) => ({
      cell,
      backend,
      tables: tables.map(({ table, chains }) => ({ table: table.name, chains: chains.map(chainDocument) })),
    })),
  };
}

const chainDocument = ({ name, policy, rules }: Chain): object => ({
  chain: name,
  policy,
  rules: rules.map((rule, index) => ({ number: index + 1, text: printRule(name, rule), line: rule.line || null })),
});

function printCell(tables: readonly SelectedTable[], options: IptablesOptions): string {
  const { form, numeric, verbose, lineNumbers } = options;
  // iptables-restore must be able to read this, so nothing is escaped.
  if (form === 'iptables-save') return printSave({ tables: tables.map(({ table }) => table) }, { counters: verbose });
  // A chain is listed as part of its table: its heading counts the rules that lead to it.
  const how = { numeric, verbose, lineNumbers };
  const list = ({ table, chains }: SelectedTable): string =>
    chains.length === table.chains.length
      ? printList(table, how)
      : chains.map(({ name }) => printList(table, { ...how, chain: name })).join('\n');
  const text =
    form === 'iptables-S' ? tables.map(({ chains }) => printRules(chains)).join('') : tables.map(list).join('\n');
  return text.split('\n').map(printable).join('\n');
}

/** The cells given with --cell, or all. Throws UsageError when there is none. */
export function selectedCells(sources: Sources): readonly string[] {
  const names = sources.cells.length > 0 ? sources.cells : [...sources.rules.keys()];
  if (names.length === 0)
    throw new UsageError('no cell is known, so there are no rules: give --foundation FILE with cells');
  return [...new Set(names)];
}

function select(sources: Sources, options: IptablesOptions): Selected[] {
  const names = selectedCells(sources);
  const cells = names.map((cell) => {
    const { ruleset, backend } = sources.rules.get(cell)!;
    return { cell, backend, tables: selectTables(ruleset, options) };
  });
  const found = cells.filter(({ tables }) => tables.length > 0);
  if (found.length > 0) return found;
  const what = [options.table ?? 'filter', options.chain].filter((word) => word !== undefined).join(' ');
  throw new UsageError(`--table or --chain: got ${what}, which is not in the rules of ${listed(names)}`);
}

function selectTables({ tables }: Ruleset, options: IptablesOptions): SelectedTable[] {
  const wanted = options.table ?? (options.form === 'iptables-save' ? undefined : 'filter');
  return tables
    .filter(({ name }) => wanted === undefined || name === wanted)
    .map((table) => ({ table, chains: table.chains.filter((chain) => isNamed(chain, options.chain ?? '*')) }))
    .filter(({ chains }) => chains.length > 0);
}

const isNamed = ({ name }: Chain, pattern: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
