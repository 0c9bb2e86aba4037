/**
 * YAML 1.2 text (core schema) as a tree of items.
 *
 * What makes YAML dangerous to read is left out: tags, YAML 1.1 by directive, merge keys, several documents, keys that
 * are not text, more than 100 aliases. The tokens are fed to the composer one by one, so that nesting is refused before
 * anything recurses over it.
 */
import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  type Node,
  Parser,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { escaped, FoundationError, type FoundationErrorCode, quote } from './error.ts';
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
  if (complaint !== undefined)
    throw failure('ERR_FOUNDATION_SYNTAX', source, complaint.pos[0], escaped(complaint.message));
  const { yaml } = document.directives;
  if (yaml.explicit === true && yaml.version !== '1.2') {
    throw failure('ERR_FOUNDATION_SYNTAX', source, 0, `got YAML ${yaml.version}, expected YAML 1.2`);
  }
  const walk: Walk = { source, anchors: new Map(), aliases: 0 };
  return convert(walk, document.contents, { parent: null, key: '', at: 0, depth: 0 });
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

/** Where an item goes. `at` also stands in for an absent node (`key:` with nothing behind it). */
interface Slot {
  readonly parent: Item | null;
  readonly key: string | number;
  readonly at: number;
  readonly depth: number;
}

function convert(walk: Walk, node: Node | null, slot: Slot): Item {
  if (node === null) return { kind: 'null', source: walk.source, ...placed(slot) };
  const found = { ...slot, at: node.range?.[0] ?? slot.at };
  if (isAlias(node)) return convert(walk, follow(walk, node.source, found.at), found);
  if (node.tag !== undefined) {
    throw failure('ERR_FOUNDATION_SYNTAX', walk.source, found.at, `got the tag ${quote(node.tag)}`);
  }
  const item = convertPlain(walk, node, found);
  // After the content: an alias inside its own anchor finds nothing.
  if ('anchor' in node && node.anchor !== undefined) walk.anchors.set(node.anchor, node);
  return item;
}

const placed = ({ parent, key, at }: Slot): Omit<Slot, 'depth'> => ({ parent, key, at });

function follow(walk: Walk, name: string, at: number): Node {
  walk.aliases += 1;
  if (walk.aliases > LIMIT.ALIASES) {
    throw failure('ERR_FOUNDATION_LIMIT', walk.source, at, `got more than ${LIMIT.ALIASES} aliases`);
  }
  const anchored = walk.anchors.get(name);
  if (anchored !== undefined) return anchored;
  const sentence = `got an alias of ${quote(name)}, which no anchor before it has`;
  throw failure('ERR_FOUNDATION_SYNTAX', walk.source, at, sentence);
}

function convertPlain(walk: Walk, node: Node, slot: Slot): Item {
  const common = { source: walk.source, ...placed(slot) };
  if (isMap(node)) return convertMap(walk, node, slot);
  if (isSeq(node)) return convertSequence(walk, node, slot);
  if (!isScalar(node)) {
    throw failure('ERR_FOUNDATION_SYNTAX', walk.source, slot.at, 'got something that is no YAML value');
  }
  const { value } = node;
  if (value === null) return { kind: 'null', ...common };
  if (typeof value === 'boolean') return { kind: 'boolean', ...common, value };
  if (typeof value === 'number') return { kind: 'number', ...common, value, text: node.source ?? '' };
  return { kind: 'text', ...common, value: value as string };
}

/** The slot of something inside the collection in `slot`; aliases can nest deeper than the text does. */
function inside(walk: Walk, slot: Slot): Pick<Slot, 'at' | 'depth'> {
  if (slot.depth >= LIMIT.DEPTH) throw tooDeep(walk.source, slot.at);
  return { at: slot.at, depth: slot.depth + 1 };
}

function convertSequence(walk: Walk, sequence: YAMLSeq, slot: Slot): ArrayItem {
  const array: ArrayItem = { kind: 'array', source: walk.source, ...placed(slot), items: [] };
  const within = inside(walk, slot);
  for (const [key, element] of sequence.items.entries()) {
    array.items.push(convert(walk, element as Node | null, { parent: array, key, ...within }));
  }
  return array;
}

function convertMap(walk: Walk, map: YAMLMap, slot: Slot): ObjectItem {
  const object: ObjectItem = { kind: 'object', source: walk.source, ...placed(slot), entries: new Map() };
  const { depth } = inside(walk, slot);
  for (const pair of map.items) {
    const name = pair.key as Node;
    const at = name.range?.[0] ?? slot.at;
    if (!isScalar(name) || typeof name.value !== 'string') {
      throw failure('ERR_FOUNDATION_SYNTAX', walk.source, at, 'got a key that is not text, expected a word');
    }
    const value = convert(walk, pair.value as Node | null, { parent: object, key: name.value, at, depth });
    addEntry(object, name.value, at, value);
  }
  return object;
}
