/** `--kern-log` and `--iptables-log`: the lines of LOG rules, in the order in which packets met them. */
import { openSink } from '../../capture/file.ts';
import { type TextWriter, textWriter } from '../../capture/text.ts';
import type { Dataplane } from '../../dataplane/dataplane.ts';
import { type LoggedLine, takeLines } from '../../dataplane/log/lines.ts';
import type { Foundation } from '../../foundation/model.ts';
import { containersOf, iptablesLogEntry } from './iptables-log.ts';
import { kernLogLine } from './kern-log.ts';
import type { Inputs, Output, OutputOptions } from './output.ts';

export type LogOptions = Pick<OutputOptions, 'kernLog' | 'iptablesLog'>;
/** The captures, as lines need them. */
export type LogInputs = Pick<Inputs, 'files' | 'epochNanoseconds'>;

/** Whether `options` ask for lines. */
export const wantsLogs = ({ kernLog, iptablesLog }: Partial<LogOptions>): boolean =>
  kernLog !== undefined || iptablesLog !== undefined;

/** Writes lines in every form that is asked for. */
export interface LogWriters {
  readonly write: (line: LoggedLine) => void;
  /** Undefined while there is room. */
  readonly drain: () => Promise<void> | undefined;
  readonly finish: () => Promise<void>;
  readonly abort: () => Promise<void>;
}

/** A logged line in one form, newline included; null where the form has nothing for it. */
type Form = (line: LoggedLine) => string | null;

interface LogWriter {
  readonly writer: TextWriter;
  readonly form: Form;
  isFull: boolean;
}

/** Open what `options` ask for. Throws OutputError, and leaves nothing behind then. */
export async function openLogWriters(
  options: LogOptions,
  foundation: Foundation,
  inputs: LogInputs,
): Promise<LogWriters> {
  const writers: LogWriter[] = [];
  const each = async (act: (writer: TextWriter) => Promise<void>): Promise<void> => {
    for (const { writer } of writers) await act(writer);
  };
  const abort = (): Promise<void> => each((writer) => writer.abort());
  const open = (path: string | undefined, form: Form): void => {
    if (path === undefined) return;
    writers.push({ writer: textWriter(openSink(path, { inputs: inputs.files })), form, isFull: false });
  };
  try {
    open(options.kernLog, kernLogForm(inputs));
    open(options.iptablesLog, iptablesLogForm(foundation, inputs));
  } catch (error) {
    await abort();
    throw error;
  }
  return {
    write(line) {
      for (const one of writers) one.isFull = one.writer.write(one.form(line) ?? '');
    },
    drain: () => (writers.some(({ isFull }) => isFull) ? each((writer) => writer.drain()) : undefined),
    finish: () => each((writer) => writer.finish()),
    abort,
  };
}

/** The lines of a judging `dataplane`, as an output that takes them after each burst. Throws OutputError. */
export async function openLogOutput(options: LogOptions, dataplane: Dataplane, inputs: LogInputs): Promise<Output> {
  const { logs, cells, interfaces, directory } = dataplane;
  const writers = await openLogWriters(options, directory.foundation, inputs);
  return {
    observe() {
      for (const line of logs === null ? [] : takeLines(logs, cells, interfaces)) writers.write(line);
      return writers.drain();
    },
    finish: writers.finish,
    abort: writers.abort,
  };
}

/** Timers of emulated cells may run between two nanoseconds. */
const whole = (time: number): number => Math.round(time);

const kernLogForm =
  (inputs: LogInputs): Form =>
  ({ cell, time, text }) =>
    kernLogLine(cell.name, inputs.epochNanoseconds(), whole(time), text);

function iptablesLogForm(foundation: Foundation, inputs: LogInputs): Form {
  const containers = foundation.cells.map(({ name }) => containersOf(foundation, name));
  return ({ cell, time, text }) => {
    const { index } = cell;
    const nanoseconds = inputs.epochNanoseconds() + BigInt(whole(time));
    return iptablesLogEntry(text, nanoseconds, foundation.cells[index]!, containers[index]!);
  };
}
