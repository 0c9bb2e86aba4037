/** The forms that decoded packets are printed in: lines, chosen fields, one JSON document, a stream of JSON lines. */
import { fieldsOf } from './fields.ts';
import { type LineOptions, lineOf } from './line.ts';
import type { DecodedPacket } from './model.ts';

/** Raised when a key of the JSON changes its meaning or goes away; new keys do not raise it. */
export const SCHEMA_VERSION = 1;

export interface Form {
  readonly begin: string;
  readonly end: string;
  /** `index` counts printed packets from 0. */
  packet(packet: DecodedPacket, index: number): string;
}

/**
 * JSON in ASCII: names from captures and foundations cannot move a cursor or turn the reading direction of a terminal, and
 * any JSON reader gives them back as they were.
 */
export const jsonOf = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** What is printed, without the one key that only the line needs. */
const published = ({ timestampDigits: _, ...rest }: DecodedPacket): unknown => rest;

export const lineForm = (options: LineOptions): Form => ({
  begin: '',
  end: '',
  packet: (packet) => `${lineOf(packet, options)}\n`,
});

export const fieldForm = (names: readonly string[], header: boolean): Form => ({
  begin: header ? `${names.join('\t')}\n` : '',
  end: '',
  packet: (packet) => `${fieldsOf(packet, names)}\n`,
});

export const jsonForm = (): Form => ({
  begin: `{"schemaVersion":${SCHEMA_VERSION},"packets":[`,
  end: '\n]}\n',
  packet: (packet, index) => `${index === 0 ? '' : ','}\n${jsonOf(published(packet))}`,
});

export const ndjsonForm = (): Form => ({
  begin: `{"schemaVersion":${SCHEMA_VERSION}}\n`,
  end: '',
  packet: (packet) => `${jsonOf(published(packet))}\n`,
});
