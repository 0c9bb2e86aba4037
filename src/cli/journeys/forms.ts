/** Journeys on standard output: as JSON while they end, a line each or in one document, or counted for the report. */
import { openSink } from '../../capture/file.ts';
import { type TextWriter, textWriter } from '../../capture/text.ts';
import type { TapSums } from './report.ts';

export type Form = 'text' | 'json' | 'ndjson' | 'none';

export const SCHEMA_VERSION = 1;

/** Takes journeys as they end, described. */
export interface JourneyForm {
  add(journey: object): void;
  drain(): Promise<void>;
  /** `sums` are what each captured tap says in the end. */
  finish(sums: readonly TapSums[]): Promise<void>;
  abort(): Promise<void>;
}

const NOTHING = (): Promise<void> => Promise.resolve();

/** The form of `form`; null where journeys are not listed. */
export function openForm(form: Form, captures: readonly string[]): JourneyForm | null {
  if (form === 'text' || form === 'none') return null;
  const writer = textWriter(openSink('-', { inputs: [] }));
  return form === 'ndjson' ? lines(writer) : document(writer, captures);
}

function lines(writer: TextWriter): JourneyForm {
  let isFull = writer.write(`${JSON.stringify({ schemaVersion: SCHEMA_VERSION, format: 'tagplane-journeys' })}\n`);
  return {
    add(journey) {
      isFull = writer.write(`${JSON.stringify(journey)}\n`);
    },
    drain: () => (isFull ? writer.drain() : NOTHING()),
    finish: () => writer.finish(),
    abort: () => writer.abort(),
  };
}

const indented = (value: unknown, indent: string): string =>
  JSON.stringify(value, null, 2).replaceAll('\n', `\n${indent}`);

/** One document, written while its parts become known. */
function document(writer: TextWriter, captures: readonly string[]): JourneyForm {
  const begin = { schemaVersion: SCHEMA_VERSION, captures };
  let isFull = writer.write(`${JSON.stringify(begin, null, 2).slice(0, -2)},\n  "journeys": [`);
  let count = 0;
  return {
    add(journey) {
      isFull = writer.write(`${count === 0 ? '' : ','}\n    ${indented(journey, '    ')}`);
      count += 1;
    },
    drain: () => (isFull ? writer.drain() : NOTHING()),
    async finish(sums) {
      writer.write(`${count === 0 ? '' : '\n  '}],\n  "taps": ${indented(sums, '  ')}\n}\n`);
      await writer.finish();
    },
    abort: () => writer.abort(),
  };
}
