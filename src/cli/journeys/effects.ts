/** What the cells of a run of journeys leave behind beside packets: lines of LOG rules, rules with their counters. */
import type { Emulation } from '../../dataplane/emulate/emulation.ts';
import type { LoggedLine } from '../../dataplane/log/lines.ts';
import { openCounterOutputs } from '../replay/counter-outputs.ts';
import { type LogOptions, openLogWriters } from '../replay/log-outputs.ts';
import type { Output } from '../replay/output.ts';
import type { Names } from './describe.ts';

export interface EffectOptions extends LogOptions {
  /** A directory; undefined where no counters are asked for. */
  readonly saveCounters: string | undefined;
}

export interface Effects {
  logged(line: LoggedLine): void;
  drain(): Promise<void> | undefined;
  finish(): Promise<void>;
  abort(): Promise<void>;
}

/** Open what `options` ask for. Throws OutputError, and leaves nothing behind then. */
export async function openEffects(options: EffectOptions, names: Names): Promise<Effects> {
  const { emulation, files } = names;
  const { foundation } = emulation.dataplane.directory;
  const logs = await openLogWriters(options, foundation, names);
  const counters: Output[] = [];
  const abort = async (): Promise<void> => {
    await logs.abort();
    for (const one of counters) await one.abort();
  };
  try {
    if (options.saveCounters !== undefined) openCounters(options.saveCounters, emulation, files, counters);
  } catch (error) {
    await abort();
    throw error;
  }
  return {
    logged: logs.write,
    drain: logs.drain,
    async finish() {
      await logs.finish();
      for (const one of counters) await one.finish();
    },
    abort,
  };
}

function openCounters(directory: string, emulation: Emulation, files: readonly string[], outputs: Output[]): void {
  const { dataplane, translation } = emulation;
  openCounterOutputs(directory, dataplane.cells, ({ index }) => translation.tables(index), files, outputs);
}
