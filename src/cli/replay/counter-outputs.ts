/**
 * `--save-counters`: for every judged cell a file as `iptables-save -c -t filter` prints it there after the replay. Counters
 * begin at 0, whatever the rules' own file had, so a file says what this replay did.
 */
import { join } from 'node:path';
import { openSink } from '../../capture/file.ts';
import { type TextWriter, textWriter } from '../../capture/text.ts';
import type { Cell } from '../../dataplane/cell.ts';
import type { Dataplane } from '../../dataplane/dataplane.ts';
import { countedTable } from '../../rules/counted.ts';
import { printSave } from '../../rules/print-save.ts';
import { makeDirectory } from './directory.ts';
import type { Inputs, Output } from './output.ts';

/** A cell's name as part of a file's: names may hold any character but control characters. */
const fileName = (cell: string): string => `${encodeURIComponent(cell)}.iptables-save-c`;

export function counterOutput(directory: string, dataplane: Dataplane, inputs: Inputs): Output {
  makeDirectory(directory);
  const open: { readonly cell: Cell; readonly writer: TextWriter }[] = [];
  const abort = async (): Promise<void> => {
    for (const { writer } of open) await writer.abort();
  };
  for (const cell of dataplane.cells) {
    if (dataplane.judged[cell.index] === 0) continue;
    open.push({ cell, writer: textWriter(openSink(join(directory, fileName(cell.name)), { inputs: inputs.files })) });
  }
  return {
    observe: () => undefined,
    finish: async () => {
      for (const { cell, writer } of open) {
        writer.write(printSave({ tables: [countedTable(cell.filter)] }, { counters: true }));
        await writer.finish();
      }
    },
    abort,
  };
}
