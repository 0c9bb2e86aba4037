/**
 * `--save-counters`: for every judged cell a file as `iptables-save -c -t filter` prints it there after the replay. Counters
 * begin at 0, whatever the rules' own file had, so a file says what this replay did.
 */
import { join } from 'node:path';
import { openSink } from '../../capture/file.ts';
import { textWriter } from '../../capture/text.ts';
import type { Cell } from '../../dataplane/cell.ts';
import type { Dataplane } from '../../dataplane/dataplane.ts';
import { countedTable } from '../../rules/counted.ts';
import { printSave } from '../../rules/print-save.ts';
import { makeDirectory } from './directory.ts';
import type { Inputs, Output } from './output.ts';

/** A cell's name as part of a file's: names may hold any character but control characters, even half a surrogate pair. */
const fileName = (cell: string): string => `${[...cell].map(escaped).join('')}.iptables-save-c`;

const escaped = (character: string): string =>
  /^[\ud800-\udfff]$/.test(character)
    ? `%u${character.charCodeAt(0).toString(16).toUpperCase()}`
    : encodeURIComponent(character);

/** Add a file in `directory` for each judged cell to `outputs`. Throws OutputError. */
export function openCounterOutputs(directory: string, dataplane: Dataplane, inputs: Inputs, outputs: Output[]): void {
  makeDirectory(directory);
  for (const cell of dataplane.cells) {
    if (dataplane.judged[cell.index] === 1)
      outputs.push(counterOutput(join(directory, fileName(cell.name)), cell, inputs));
  }
}

function counterOutput(path: string, cell: Cell, inputs: Inputs): Output {
  const writer = textWriter(openSink(path, { inputs: inputs.files }));
  return {
    observe: () => undefined,
    finish: () => {
      writer.write(printSave({ tables: [countedTable(cell.filter, cell.earlier)] }, { counters: true }));
      return writer.finish();
    },
    abort: () => writer.abort(),
  };
}
