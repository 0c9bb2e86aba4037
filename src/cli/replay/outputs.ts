/**
 * What a replay writes beside its report: one line of JSON per packet, captures with the verdict in each packet's
 * comment, one capture per verdict, the lines of LOG rules, rules with their counters. Files appear under their names when they are complete, and not before.
 */
import { join } from 'node:path';
import { openSink } from '../../capture/file.ts';
import { type TextWriter, textWriter } from '../../capture/text.ts';
import { type PcapngWriter, pcapngWriter } from '../../capture/writer.ts';
import type { Burst } from '../../dataplane/burst.ts';
import type { Dataplane } from '../../dataplane/dataplane.ts';
import { REASONS, VERDICT_NAMES } from '../../dataplane/verdict.ts';
import { lookup } from '../../foundation/directory.ts';
import type { Observer } from '../../replay/player.ts';
import { printable } from '../text.ts';
import { openCounterOutputs } from './counter-outputs.ts';
import { makeDirectory } from './directory.ts';
import { openLogOutput, wantsLogs } from './log-outputs.ts';
import type { Inputs, Output, OutputOptions } from './output.ts';
import { createVerdictLines, isFinal } from './verdict-lines.ts';

export interface Outputs {
  readonly observers: readonly Observer[];
  /** Let people see what was written so far. */
  flush(): Promise<void>;
  /** Put everything under its final name. */
  finish(): Promise<void>;
  /** Leave nothing behind. */
  abort(): Promise<void>;
}

/** Open what `options` asks for. Throws OutputError. */
export async function openOutputs(options: OutputOptions, dataplane: Dataplane, inputs: Inputs): Promise<Outputs> {
  const outputs: Output[] = [];
  const abort = async (): Promise<void> => {
    for (const output of outputs) await output.abort();
  };
  try {
    await openAll(options, dataplane, inputs, outputs);
  } catch (error) {
    await abort();
    throw error;
  }
  return {
    observers: outputs.flatMap(({ observe }) => observe ?? []),
    flush: async () => {
      for (const output of outputs) await output.flush?.();
    },
    finish: async () => {
      for (const output of outputs) await output.finish();
    },
    abort,
  };
}

async function openAll(options: OutputOptions, dataplane: Dataplane, inputs: Inputs, outputs: Output[]): Promise<void> {
  if (options.ndjson) outputs.push(verdictLines('-', dataplane, inputs));
  if (options.verdicts !== undefined) outputs.push(verdictLines(options.verdicts, dataplane, inputs));
  if (options.write !== undefined) outputs.push(annotated(options.write, dataplane, inputs));
  if (options.split !== undefined) outputs.push(split(options.split, dataplane, inputs));
  if (wantsLogs(options)) outputs.push(await openLogOutput(options, dataplane, inputs));
  if (options.saveCounters === undefined) return;
  const judged = dataplane.cells.filter(({ index }) => dataplane.judged[index] === 1);
  openCounterOutputs(options.saveCounters, judged, () => [], inputs.files, outputs);
}

function verdictLines(path: string, dataplane: Dataplane, inputs: Inputs): Output {
  const writer: TextWriter = textWriter(openSink(path, { inputs: inputs.files }));
  const lines = createVerdictLines(dataplane, inputs.files, inputs.epochNanoseconds, inputs.round);
  writer.write(lines.header);
  return {
    observe: (burst) => {
      let full = false;
      for (let i = 0; i < burst.records.count; i++) if (isFinal(burst, i)) full = writer.write(lines.line(burst, i));
      return full ? writer.drain() : undefined;
    },
    flush: () => writer.drain(),
    finish: () => writer.finish(),
    abort: () => writer.abort(),
  };
}

/** A pcapng file that takes rows of bursts; interfaces are described when their first packet comes. */
interface Annotator {
  readonly writer: PcapngWriter;
  readonly write: (burst: Burst, i: number) => boolean;
}

function annotator(path: string, dataplane: Dataplane, inputs: Inputs): Annotator {
  const writer = pcapngWriter(openSink(path, { inputs: inputs.files }), {
    epochNanoseconds: inputs.epochNanoseconds(),
  });
  const interfaces = new Map<string, number>();
  const interfaceOf = (burst: Burst, i: number): number => {
    const { file, interfaceIndex, linkType } = burst.records;
    const key = `${file[i]}/${interfaceIndex[i]}`;
    const known = interfaces.get(key);
    if (known !== undefined) return known;
    const added = writer.addInterface({ ...inputs.describe(file[i]!, interfaceIndex[i]!), linkType: linkType[i]! });
    interfaces.set(key, added);
    return added;
  };
  const write = (burst: Burst, i: number): boolean => {
    const { view, octets, at, end, originalLength, time } = burst.records;
    const comment = commentOf(dataplane, burst, i);
    return writer.packet(view, octets, at[i]!, end[i]!, originalLength[i]!, time[i]!, interfaceOf(burst, i), comment);
  };
  return { writer, write };
}

/** A writer that opens with the first packet: before that nobody knows when the capture began. */
function annotated(path: string, dataplane: Dataplane, inputs: Inputs): Output {
  let open: Annotator | undefined;
  const opened = (): Annotator => {
    open ??= annotator(path, dataplane, inputs);
    return open;
  };
  return {
    observe: (burst) => {
      const { writer, write } = opened();
      let full = false;
      for (let i = 0; i < burst.records.count; i++) if (isFinal(burst, i)) full = write(burst, i);
      return full ? writer.drain() : undefined;
    },
    finish: () => opened().writer.finish(),
    abort: async () => open?.writer.abort(),
  };
}

function split(directory: string, dataplane: Dataplane, inputs: Inputs): Output {
  makeDirectory(directory);
  const open = new Map<number, Annotator>();
  const opened = (verdict: number): Annotator => {
    const known = open.get(verdict);
    if (known !== undefined) return known;
    const added = annotator(join(directory, `${VERDICT_NAMES[verdict]}.pcapng`), dataplane, inputs);
    open.set(verdict, added);
    return added;
  };
  const full = new Set<Annotator>();
  const drain = async (): Promise<void> => {
    for (const one of full) await one.writer.drain();
    full.clear();
  };
  return {
    observe: (burst) => {
      for (let i = 0; i < burst.records.count; i++) {
        if (!isFinal(burst, i)) continue;
        const one = opened(burst.verdict[i]!);
        if (one.write(burst, i)) full.add(one);
      }
      return full.size > 0 ? drain() : undefined;
    },
    finish: async () => {
      for (const one of open.values()) await one.writer.finish();
    },
    abort: async () => {
      for (const one of open.values()) await one.writer.abort();
    },
  };
}

/** What stands in a packet's comment: `tagplane: reject overlay.reject, frontend -> backend, tag 0x0001, cell-b ...`. */
function commentOf(dataplane: Dataplane, burst: Burst, i: number): string {
  const { cells, directory } = dataplane;
  const parts = [`tagplane: ${VERDICT_NAMES[burst.verdict[i]!]} ${REASONS[burst.reason[i]!]!.code}`];
  if (burst.version[i] === 4) parts.push(`${appAt(burst.source[i]!)} -> ${appAt(burst.destination[i]!)}`);
  if (burst.tag[i]! >= 0) parts.push(`tag 0x${burst.tag[i]!.toString(16).padStart(4, '0')}`);
  const cell = cells[burst.cell[i]!];
  if (cell !== undefined) parts.push(cell.name);
  const rule = burst.rule[i]! < 0 ? undefined : cell?.filter.rules.rules[burst.rule[i]!];
  if (rule !== undefined) parts.push(`${rule.chain.name} ${rule.number}`);
  // Comments are shown on terminals; names come from outside.
  return printable(parts.join(', '));

  function appAt(address: number): string {
    const instance = lookup(directory, address);
    return instance < 0 ? '?' : directory.foundation.apps[directory.instanceApp[instance]!]!.name;
  }
}
