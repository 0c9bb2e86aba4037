/**
 * YAML 1.2 text (core schema) as a tree of items.
 *
 * What makes YAML dangerous to read is left out: tags, YAML 1.1 by directive, merge keys, several documents, keys that
 * are not text, more than 100 aliases. The tokens are fed to the composer one by one, so that nesting is refused before
 * anything recurses over it.
 */
import { Composer, type Document, isAlias, isMap, isScalar, isSeq, Lexer, type Node, Parser, type YAMLMap } from 'yaml';
import { FoundationError, type FoundationErrorCode, quote } from './error.ts';
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

/** Entries of the parser's stack that are no collection: the document and the scalar being read. */
const STACK_SLACK = 4;

interface Walk {
  readonly source: Source;
  readonly anchors: Map<string, Node>;
  aliases: number;
}

/** Parse one YAML document that fills `text`. */
export function parseYaml(text: string, file: string): Item {
  const source: Source = { file, text, outer: null };
  checkText(source);
  const document = compose(source);
  const complaint = document.errors[0] ?? document.warnings[0];
  if (complaint !== undefined) throw failure('ERR_FOUNDATION_SYNTAX', source, complaint.pos[0], complaint.message);
  const { yaml } = document.directives;
  if (yaml.explicit === true && yaml.version !== '1.2') {
    throw failure('ERR_FOUNDATION_SYNTAX', source, 0, `got YAML ${yaml.version}, expected YAML 1.2`);
  }
  const walk: Walk = { source, anchors: new Map(), aliases: 0 };
  return convert(walk, document.contents, null, '', 0, 0);
}

function failure(code: FoundationErrorCode, source: Source, at: number, sentence: string): FoundationError {
  return new FoundationError(code, placeAt(source, at, ''), sentence);
}

/** Compose the one document of `source`, refusing nesting as soon as the parser's own stack shows it. */
function compose(source: Source): Document.Parsed {
  const parser = new Parser();
  const composer = new Composer({ version: '1.2', schema: 'core', uniqueKeys: false, prettyErrors: false });
  const documents: Document.Parsed[] = [];
  for (const lexeme of new Lexer().lex(source.text)) {
    for (const token of parser.next(lexeme)) documents.push(...composer.next(token));
    if (parser.stack.length > LIMIT.DEPTH + STACK_SLACK) throw tooDeep(source, parser.offset);
  }
  for (const token of parser.end()) documents.push(...composer.next(token));
  documents.push(...composer.end(true, source.text.length));
  const [document, second] = documents;
  if (second !== undefined) {
    throw failure('ERR_FOUNDATION_SYNTAX', source, second.range[0], 'got a second document, expected one');
  }
  return document!;
}

const tooDeep = (source: Source, at: number): FoundationError =>
  failure('ERR_FOUNDATION_LIMIT', source, at, `got lists and mappings nested deeper than ${LIMIT.DEPTH}`);

/** The item for `node`; `at` stands in for an absent node (`key:` with nothing behind it). */
function convert(
  walk: Walk,
  node: Node | null,
  parent: Item | null,
  key: string | number,
  at: number,
  depth: number,
): Item {
  const { source } = walk;
  if (node === null) return { kind: 'null', source, parent, key, at };
  const start = node.range?.[0] ?? at;
  if (isAlias(node)) return convert(walk, follow(walk, node.source, start), parent, key, start, depth);
  if (node.tag !== undefined) throw failure('ERR_FOUNDATION_SYNTAX', source, start, `got the tag ${quote(node.tag)}`);
  if (depth >= LIMIT.DEPTH && !isScalar(node)) throw tooDeep(source, start);
  const item = convertPlain(walk, node, parent, key, start, depth);
  // After the content: an alias inside its own anchor finds nothing.
  if ('anchor' in node && node.anchor !== undefined) walk.anchors.set(node.anchor, node);
  return item;
}

function follow(walk: Walk, name: string, at: number): Node {
  walk.aliases += 1;
  if (walk.aliases > LIMIT.ALIASES) {
    throw failure('ERR_FOUNDATION_LIMIT', walk.source, at, `got more than ${LIMIT.ALIASES} aliases`);
  }
  const anchored = walk.anchors.get(name);
  if (anchored !== undefined) return anchored;
  throw failure(
    'ERR_FOUNDATION_SYNTAX',
    walk.source,
    at,
    `got an alias of ${quote(name)}, which no anchor before it has`,
  );
}

function convertPlain(
  walk: Walk,
  node: Node,
  parent: Item | null,
  key: string | number,
  at: number,
  depth: number,
): Item {
  const { source } = walk;
  if (isMap(node)) return convertMap(walk, node, parent, key, at, depth);
  if (isSeq(node)) {
    const array: ArrayItem = { kind: 'array', source, parent, key, at, items: [] };
    for (const [index, element] of node.items.entries()) {
      array.items.push(convert(walk, element as Node | null, array, index, at, depth + 1));
    }
    return array;
  }
  if (!isScalar(node)) throw failure('ERR_FOUNDATION_SYNTAX', source, at, 'got something that is no YAML value');
  const { value } = node;
  if (value === null) return { kind: 'null', source, parent, key, at };
  if (typeof value === 'boolean') return { kind: 'boolean', source, parent, key, at, value };
  if (typeof value === 'number') return { kind: 'number', source, parent, key, at, value, text: node.source ?? '' };
  return { kind: 'text', source, parent, key, at, value: value as string };
}

function convertMap(
  walk: Walk,
  map: YAMLMap,
  parent: Item | null,
  key: string | number,
  at: number,
  depth: number,
): ObjectItem {
  const { source } = walk;
  const object: ObjectItem = { kind: 'object', source, parent, key, at, entries: new Map() };
  for (const pair of map.items) {
    const name = pair.key as Node;
    const nameAt = name.range?.[0] ?? at;
    if (!isScalar(name) || typeof name.value !== 'string') {
      throw failure('ERR_FOUNDATION_SYNTAX', source, nameAt, 'got a key that is not text, expected a word');
    }
    addEntry(
      object,
      name.value,
      nameAt,
      convert(walk, pair.value as Node | null, object, name.value, nameAt, depth + 1),
    );
  }
  return object;
}
