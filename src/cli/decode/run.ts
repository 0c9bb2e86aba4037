/** What `tagplane decode` does: captures in, text out, burst by burst. */
import { readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import * as bursts from '../../capture/burst.ts';
import { openSource } from '../../capture/file.ts';
import { type CaptureReader, open } from '../../capture/reader.ts';
import { createDirectory } from '../../foundation/directory.ts';
import type { Foundation } from '../../foundation/model.ts';
import { readFoundation } from '../../foundation/read.ts';
import { PORT } from '../../wire/protocol.ts';
import { UsageError } from '../exit.ts';
import { FIELD_NAMES, parseFields } from './fields.ts';
import { type Form, fieldForm, jsonForm, lineForm, ndjsonForm } from './forms.ts';
import { NO_NAMES, namesOf } from './names.ts';
import { createOutput, type Output } from './output.ts';
import { decodePacket, type Origin } from './packet.ts';

export interface DecodeOptions {
  readonly json?: boolean;
  readonly ndjson?: boolean;
  /** Names joined by commas, or `list`. */
  readonly fields?: string;
  readonly header?: boolean;
  /** Packets to print at most, over all captures. */
  readonly count?: number;
  /** File that names addresses and tags. */
  readonly foundation?: string;
  /** VXLAN port; that of the foundation, or 4789, unless said otherwise. */
  readonly port?: number;
  readonly explainFaults?: boolean;
}

/** What is the same for all captures of one run. */
interface Run {
  readonly output: Output;
  readonly form: Form;
  readonly origin: Pick<Origin, 'names' | 'vxlanPort'>;
  readonly limit: number;
  printed: number;
  /** Somebody still reads the output, and the limit is not reached. */
  going: boolean;
}

/**
 * Print the packets of `captures` to `stream`. All whole packets before a damage are printed, and the output is closed in
 * its form, before CaptureError is thrown. Throws UsageError, FoundationError, OutputError.
 */
export async function runDecode(captures: readonly string[], options: DecodeOptions, stream: Writable): Promise<void> {
  const output = createOutput(stream, 'standard output');
  try {
    if (options.fields === 'list') {
      await output.write(`${FIELD_NAMES.join('\n')}\n`);
      return;
    }
    if (captures.length === 0) throw new UsageError('decode needs a capture; - is standard input');
    const run = prepare(output, options);
    run.going = (await output.write(run.form.begin)) && run.limit > 0;
    try {
      for (const path of captures) if (run.going) await decodeCapture(path, run);
    } finally {
      await output.write(run.form.end);
    }
  } finally {
    output.release();
  }
}

function prepare(output: Output, options: DecodeOptions): Run {
  const foundation = options.foundation === undefined ? null : loadFoundation(options.foundation);
  return {
    output,
    form: formOf(options),
    origin: {
      names: foundation === null ? NO_NAMES : namesOf(createDirectory(foundation)),
      vxlanPort: options.port ?? foundation?.overlay.port ?? PORT.VXLAN,
    },
    limit: options.count ?? Number.POSITIVE_INFINITY,
    printed: 0,
    going: true,
  };
}

function loadFoundation(path: string): Foundation {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new UsageError(`${path}: cannot be read: ${reason}`);
  }
  return readFoundation(text, path);
}

function formOf(options: DecodeOptions): Form {
  if (options.fields !== undefined) return fieldForm(parseFields(options.fields), options.header === true);
  if (options.json === true) return jsonForm();
  return options.ndjson === true ? ndjsonForm() : lineForm({ explainFaults: options.explainFaults === true });
}

async function decodeCapture(path: string, run: Run): Promise<void> {
  const reader = await open(await openSource(path));
  try {
    const burst = bursts.create();
    do {
      while (run.going && reader.fill(burst) > 0) await printBurst(reader, burst, run);
    } while (run.going && (await reader.refill()));
  } finally {
    await reader.close();
  }
}

/** One write per burst. */
async function printBurst(reader: CaptureReader, burst: Readonly<bursts.RecordBurst>, run: Run): Promise<void> {
  const { origin, form } = run;
  let text = '';
  const count = Math.min(burst.count, run.limit - run.printed);
  for (let row = 0; row < count; row++) {
    const { unitsPerSecond } = reader.interfaces[burst.interfaceIndex[row]!]!;
    const { epochNanoseconds, name } = reader;
    const packet = decodePacket(burst, row, { ...origin, file: name, epochNanoseconds, unitsPerSecond });
    text += form.packet(packet, run.printed + row);
  }
  run.printed += count;
  run.going = (await run.output.write(text)) && run.printed < run.limit;
}
