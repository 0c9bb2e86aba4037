/**
 * JSON text (RFC 8259) as a tree of items.
 *
 * `JSON.parse` cannot say where a value was written, keeps the last of two equal keys and treats `__proto__` as a word
 * like any other; this reader names the place and refuses both. Otherwise the two agree on every text.
 */
import { FoundationError, quote } from './error.ts';
import {
  type ArrayItem,
  addEntry,
  checkText,
  type Item,
  LIMIT,
  type ObjectItem,
  placeAt,
  type Source,
} from './item.ts';

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y;
const SPACE = /[ \t\n\r]*/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

interface Reader {
  readonly source: Source;
  at: number;
}

/** Parse one JSON value that fills `text`. `outer` is the string item that `text` was the content of, if any. */
export function parseJson(text: string, file: string, outer: Item | null = null): Item {
  const source: Source = { file, text, outer };
  checkText(source);
  const reader: Reader = { source, at: 0 };
  skipSpace(reader);
  const item = readValue(reader, null, '', 0);
  if (reader.at < text.length) throw unexpected(reader, 'the end of the text');
  return item;
}

function unexpected(reader: Reader, expected: string, at = reader.at): FoundationError {
  const character = reader.source.text.codePointAt(at);
  const got = character === undefined ? 'the end of the text' : quote(String.fromCodePoint(character));
  return new FoundationError(
    'ERR_FOUNDATION_SYNTAX',
    placeAt(reader.source, at, ''),
    `got ${got}, expected ${expected}`,
  );
}

function skipSpace(reader: Reader): void {
  SPACE.lastIndex = reader.at;
  SPACE.test(reader.source.text);
  reader.at = SPACE.lastIndex;
}

/** Take `character` if it is next, and the space after it. */
function take(reader: Reader, character: string): boolean {
  if (reader.source.text[reader.at] !== character) return false;
  reader.at += 1;
  skipSpace(reader);
  return true;
}

/** Read one value and the space after it. */
function readValue(reader: Reader, parent: Item | null, key: string | number, depth: number): Item {
  const { source, at } = reader;
  switch (source.text[at]) {
    case '{':
      return readObject(reader, parent, key, depth + 1);
    case '[':
      return readArray(reader, parent, key, depth + 1);
    case '"':
      return { kind: 'text', source, parent, key, at, value: readText(reader) };
    case 't':
      return { kind: 'boolean', source, parent, key, at, value: readWord(reader, 'true', true) };
    case 'f':
      return { kind: 'boolean', source, parent, key, at, value: readWord(reader, 'false', false) };
    case 'n':
      readWord(reader, 'null', null);
      return { kind: 'null', source, parent, key, at };
    default: {
      const text = readNumber(reader);
      return { kind: 'number', source, parent, key, at, value: Number(text), text };
    }
  }
}

function checkDepth(reader: Reader, depth: number): void {
  if (depth <= LIMIT.DEPTH) return;
  const sentence = `got lists and mappings nested deeper than ${LIMIT.DEPTH}`;
  throw new FoundationError('ERR_FOUNDATION_LIMIT', placeAt(reader.source, reader.at, ''), sentence);
}

function readObject(reader: Reader, parent: Item | null, key: string | number, depth: number): ObjectItem {
  checkDepth(reader, depth);
  const object: ObjectItem = { kind: 'object', source: reader.source, parent, key, at: reader.at, entries: new Map() };
  take(reader, '{');
  if (take(reader, '}')) return object;
  do {
    const at = reader.at;
    if (reader.source.text.charCodeAt(at) !== QUOTE) throw unexpected(reader, 'a key in double quotes');
    const name = readText(reader);
    if (!take(reader, ':')) throw unexpected(reader, '":"');
    addEntry(object, name, at, readValue(reader, object, name, depth));
  } while (take(reader, ','));
  if (!take(reader, '}')) throw unexpected(reader, '"," or "}"');
  return object;
}

function readArray(reader: Reader, parent: Item | null, key: string | number, depth: number): ArrayItem {
  checkDepth(reader, depth);
  const array: ArrayItem = { kind: 'array', source: reader.source, parent, key, at: reader.at, items: [] };
  take(reader, '[');
  if (take(reader, ']')) return array;
  do array.items.push(readValue(reader, array, array.items.length, depth));
  while (take(reader, ','));
  if (!take(reader, ']')) throw unexpected(reader, '"," or "]"');
  return array;
}

/** Read a string and the space after it. */
function readText(reader: Reader): string {
  const { text } = reader.source;
  const start = reader.at;
  let at = start + 1;
  let hasEscapes = false;
  for (let code = text.charCodeAt(at); code !== QUOTE; code = text.charCodeAt(at)) {
    // charCodeAt is NaN past the end, which no comparison below survives.
    if (!(code >= 0x20)) throw unexpected(reader, 'a closing quote', at);
    if (code === BACKSLASH) {
      hasEscapes = true;
      at += 1;
    }
    at += 1;
  }
  reader.at = at + 1;
  const value = hasEscapes ? decodeEscapes(reader, start, reader.at) : text.slice(start + 1, at);
  skipSpace(reader);
  return value;
}

function decodeEscapes(reader: Reader, start: number, end: number): string {
  try {
    return JSON.parse(reader.source.text.slice(start, end)) as string;
  } catch {
    throw unexpected(reader, 'a string with valid escapes', start);
  }
}

function readWord<T>(reader: Reader, word: string, value: T): T {
  if (!reader.source.text.startsWith(word, reader.at)) throw unexpected(reader, 'a JSON value');
  reader.at += word.length;
  skipSpace(reader);
  return value;
}

function readNumber(reader: Reader): string {
  NUMBER.lastIndex = reader.at;
  const found = NUMBER.exec(reader.source.text)?.[0];
  if (found === undefined) throw unexpected(reader, 'a JSON value');
  reader.at += found.length;
  skipSpace(reader);
  return found;
}
