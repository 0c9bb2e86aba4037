/**
 * Item: a JSON or YAML value that remembers where it was written.
 *
 * Both parsers build this tree, so that everything above them reads one shape and every complaint can name file, line,
 * column and path. Mappings are `Map`s: a key is data and never reaches an object's prototype. Line and column are
 * counted only when somebody asks.
 */
import { FoundationError, type FoundationErrorCode, type Place, quote } from './error.ts';

/** One input. `outer` is set for JSON text inside a JSON string; its items are placed where that string is. */
export interface Source {
  readonly file: string;
  readonly text: string;
  readonly outer: Item | null;
}

interface Located {
  readonly source: Source;
  readonly parent: Item | null;
  /** Key or index under `parent`; unused at the root. */
  readonly key: string | number;
  /** Offset in `source.text`, in UTF-16 units. */
  readonly at: number;
}

export interface ObjectItem extends Located {
  readonly kind: 'object';
  readonly entries: Map<string, Item>;
}

export interface ArrayItem extends Located {
  readonly kind: 'array';
  readonly items: Item[];
}

interface TextItem extends Located {
  readonly kind: 'text';
  readonly value: string;
}

interface NumberItem extends Located {
  readonly kind: 'number';
  readonly value: number;
  /** As written: `0x50` and `1e3` are numbers to YAML, and not ports. */
  readonly text: string;
}

interface BooleanItem extends Located {
  readonly kind: 'boolean';
  readonly value: boolean;
}

interface NullItem extends Located {
  readonly kind: 'null';
}

export type Item = ObjectItem | ArrayItem | TextItem | NumberItem | BooleanItem | NullItem;

/** Limits of every input: a foundation of 65,535 apps and 200,000 policies stays well below them. */
export const LIMIT = {
  /** UTF-16 units of text. */
  TEXT_LENGTH: 64 * 1024 * 1024,
  /** Mappings and lists inside each other. */
  DEPTH: 64,
  /** YAML aliases followed. */
  ALIASES: 100,
} as const;

/** Keys that could reach an object's prototype in careless code further on; no format here has a use for them. */
const FORBIDDEN_KEYS: readonly string[] = ['__proto__', 'constructor', 'prototype'];

/** Path of an item: `apps[2].instances[0].ip`; keys that are not plain words stand in brackets. */
function pathOf(item: Item): string {
  const steps: string[] = [];
  for (let step: Item = item; step.parent !== null; step = step.parent) {
    if (typeof step.key === 'number') steps.push(`[${step.key}]`);
    else steps.push(/^\w+$/.test(step.key) ? `.${step.key}` : `[${quote(step.key)}]`);
  }
  const inner = steps.reverse().join('');
  const { outer } = item.source;
  if (outer !== null) return `${pathOf(outer)}${inner}`;
  return inner.startsWith('.') ? inner.slice(1) : inner;
}

/** Where offset `at` of `source` is; for JSON inside a string, where that string is. */
export function placeAt(source: Source, at: number, path: string): Place {
  if (source.outer !== null) return { ...placeOf(source.outer), path };
  let line = 1;
  let start = 0;
  for (let next = source.text.indexOf('\n'); next >= 0 && next < at; next = source.text.indexOf('\n', start)) {
    line += 1;
    start = next + 1;
  }
  return { file: source.file, line, column: at - start + 1, path };
}

export const placeOf = (item: Item): Place => placeAt(item.source, item.at, pathOf(item));

/** `path (file:line:column)`, for the other side of a contradiction. */
export function mention(item: Item): string {
  const place = placeOf(item);
  const path = place.path === '' ? '' : `${place.path} `;
  return `${path}(${place.file}:${place.line}:${place.column})`;
}

/** An item as a message repeats it. */
function describe(item: Item): string {
  switch (item.kind) {
    case 'object':
      return 'a mapping';
    case 'array':
      return 'a list';
    case 'text':
      return quote(item.value);
    case 'number':
      return item.text;
    case 'boolean':
      return String(item.value);
    case 'null':
      return 'nothing (null)';
  }
}

/** The error that `item` is not what was wanted. `hint` follows the expectation, after a colon. */
export function refusal(code: FoundationErrorCode, item: Item, expected: string, hint = ''): FoundationError {
  const sentence = `got ${describe(item)}, expected ${expected}${hint === '' ? '' : `: ${hint}`}`;
  return new FoundationError(code, placeOf(item), sentence);
}

/** The error that `item` and `other` contradict each other; the sentence ends before naming `other`. */
export const conflict = (item: Item, other: Item, sentence: string): FoundationError =>
  new FoundationError('ERR_FOUNDATION_CONFLICT', placeOf(item), `${sentence} ${mention(other)}`, placeOf(other));

/** Refuse text that no format here may contain, before any parser sees it. */
export function checkText(source: Source): void {
  const { text } = source;
  if (text.length > LIMIT.TEXT_LENGTH) {
    const sentence = `got ${text.length} characters, expected at most ${LIMIT.TEXT_LENGTH}`;
    throw new FoundationError('ERR_FOUNDATION_LIMIT', placeAt(source, 0, ''), sentence);
  }
  if (text.startsWith('\ufeff')) {
    const sentence = 'got a byte order mark, expected UTF-8 without one';
    throw new FoundationError('ERR_FOUNDATION_SYNTAX', placeAt(source, 0, ''), sentence);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: YAML 1.2 section 5.1 and RFC 8259 section 7 exclude them
  const at = text.search(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/);
  if (at < 0) return;
  const sentence = `got the control character ${quote(text[at]!)}, expected printable text`;
  throw new FoundationError('ERR_FOUNDATION_SYNTAX', placeAt(source, at, ''), sentence);
}

/** Add a key to a mapping; `at` is where the key is written. */
export function addEntry(object: ObjectItem, key: string, at: number, value: Item): void {
  const fail = (sentence: string): FoundationError =>
    new FoundationError('ERR_FOUNDATION_KEY', placeAt(object.source, at, pathOf(object)), sentence);
  if (FORBIDDEN_KEYS.includes(key)) throw fail(`got the key ${quote(key)}, which is never allowed`);
  const first = object.entries.get(key);
  if (first !== undefined) throw fail(`got the key ${quote(key)} a second time, the first is ${mention(first)}`);
  object.entries.set(key, value);
}
