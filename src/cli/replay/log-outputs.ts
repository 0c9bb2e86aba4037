/** `--kern-log` and `--iptables-log`: the lines of LOG rules, in the order in which packets met them. */
import { openSink } from '../../capture/file.ts';
import { textWriter } from '../../capture/text.ts';
import type { Dataplane } from '../../dataplane/dataplane.ts';
import { type LoggedLine, takeLines } from '../../dataplane/log/lines.ts';
import { containersOf, iptablesLogEntry } from './iptables-log.ts';
import { kernLogLine } from './kern-log.ts';
import type { Inputs, Output, OutputOptions } from './output.ts';

/** A logged line in one form, newline included; null where the form has nothing for it. */
type Form = (line: LoggedLine) => string | null;

/** Add what `options` asks for to `outputs`. Throws OutputError. */
export function openLogOutputs(options: OutputOptions, dataplane: Dataplane, inputs: Inputs, outputs: Output[]): void {
  const { logs, cells, interfaces } = dataplane;
  if (logs === null) return;
  let lines: readonly LoggedLine[] = [];
  // The first to look at a burst takes the lines; the others write them.
  const take = (): void => {
    lines = takeLines(logs, cells, interfaces);
  };
  outputs.push({ observe: take, finish: () => Promise.resolve(), abort: () => Promise.resolve() });
  const open = (path: string | undefined, form: Form): void => {
    if (path !== undefined) outputs.push(lineOutput(path, inputs, () => lines, form));
  };
  open(options.kernLog, kernLogForm(inputs));
  open(options.iptablesLog, iptablesLogForm(dataplane, inputs));
}

function lineOutput(path: string, inputs: Inputs, lines: () => readonly LoggedLine[], form: Form): Output {
  const writer = textWriter(openSink(path, { inputs: inputs.files }));
  return {
    observe: () => {
      let full = false;
      for (const line of lines()) full = writer.write(form(line) ?? '');
      return full ? writer.drain() : undefined;
    },
    finish: () => writer.finish(),
    abort: () => writer.abort(),
  };
}

const kernLogForm =
  (inputs: Inputs): Form =>
  ({ cell, time, text }) =>
    kernLogLine(cell.name, inputs.epochNanoseconds(), time, text);

function iptablesLogForm({ directory }: Dataplane, inputs: Inputs): Form {
  const { foundation } = directory;
  const containers = foundation.cells.map(({ name }) => containersOf(foundation, name));
  return ({ cell, time, text }) => {
    const { index } = cell;
    const nanoseconds = inputs.epochNanoseconds() + BigInt(time);
    return iptablesLogEntry(text, nanoseconds, foundation.cells[index]!, containers[index]!);
  };
}
