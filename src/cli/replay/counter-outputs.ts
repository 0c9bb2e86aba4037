/**
 * `--save-counters`: for every cell a file as `iptables-save -c` prints it there after the replay, with the tables that were
 * walked: filter, and of emulated cells mangle and nat. Counters begin at 0, whatever the rules' own file had, so a file says
 * what this replay did.
 */
import { join } from 'node:path';
import { openSink } from '../../capture/file.ts';
import { textWriter } from '../../capture/text.ts';
import type { Cell } from '../../dataplane/cell.ts';
import { countedTable } from '../../rules/counted.ts';
import type { Evaluator } from '../../rules/evaluator.ts';
import { printSave } from '../../rules/print-save.ts';
import { makeDirectory } from './directory.ts';
import type { Output } from './output.ts';

/** A cell's name as part of a file's: names may hold any character but control characters, even half a surrogate pair. */
const fileName = (cell: string): string => `${[...cell].map(escaped).join('')}.iptables-save-c`;

const escaped = (character: string): string =>
  /^[\ud800-\udfff]$/.test(character)
    ? `%u${character.charCodeAt(0).toString(16).toUpperCase()}`
    : encodeURIComponent(character);

/** The tables of a cell that were walked beside filter. */
type OtherTables = (cell: Cell) => readonly Evaluator[];

/** Add a file in `directory` for each of `cells` to `outputs`; none may be one of the `inputs`. Throws OutputError. */
export function openCounterOutputs(
  directory: string,
  cells: readonly Cell[],
  others: OtherTables,
  inputs: readonly string[],
  outputs: Output[],
): void {
  makeDirectory(directory);
  for (const cell of cells) outputs.push(counterOutput(join(directory, fileName(cell.name)), cell, others, inputs));
}

function counterOutput(path: string, cell: Cell, others: OtherTables, inputs: readonly string[]): Output {
  const writer = textWriter(openSink(path, { inputs }));
  return {
    observe: null,
    finish: () => {
      const tables = [...others(cell).map((one) => countedTable(one)), countedTable(cell.filter, cell.earlier)];
      writer.write(printSave({ tables }, { counters: true }));
      return writer.finish();
    },
    abort: () => writer.abort(),
  };
}
