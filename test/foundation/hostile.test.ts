/** Whatever the text, a reader returns or throws a FoundationError; nothing else gets out. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FoundationError } from '../../src/foundation/error.ts';
import { joinArtefacts } from '../../src/foundation/join.ts';
import { parseItem, readFoundation } from '../../src/foundation/read.ts';
import { check } from '../support/property.ts';
import { EXAMPLE } from './example.ts';

const test = suite('foundation/hostile');

function onlyFoundationErrors(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof FoundationError)) throw error;
    assert.ok(error.line >= 1 && error.column >= 1, error.message);
    assert.not.match(error.message, /undefined|NaN|\[object/);
  }
}

const PIECES = [
  '',
  ' ',
  '\n',
  ':',
  '- ',
  '? ',
  '{',
  '}',
  '[',
  ']',
  ',',
  '"',
  "'",
  '|',
  '>',
  '&a ',
  '*a',
  '!!int ',
  '!',
  '#',
  '%',
  '@',
  '~',
  '<<: ',
  '---\n',
  '...\n',
  '0',
  '-1',
  '1e9',
  '.inf',
  '.nan',
  '0x0',
  'null',
  '\t',
  '\r',
  '\u2028',
  '\ud800',
  '__proto__: ',
  '\0',
];

/** `text` with up to four pieces cut out or put in. */
const mutated = (text: string): fc.Arbitrary<string> =>
  fc
    .array(fc.tuple(fc.nat(text.length), fc.nat(12), fc.constantFrom(...PIECES)), { minLength: 1, maxLength: 4 })
    .map((edits) =>
      edits.reduce((found, [at, cut, piece]) => found.slice(0, at) + piece + found.slice(at + cut), text),
    );

test('a mutated foundation file', () => {
  check(
    fc.property(mutated(EXAMPLE), (text) => onlyFoundationErrors(() => readFoundation(text, 'f.yml'))),
    1500,
  );
});

test('YAML made of its own punctuation', () => {
  const text = fc
    .array(fc.constantFrom(...PIECES, 'a', 'tagplane: 1\n', 'cells:\n'), { maxLength: 30 })
    .map((all) => all.join(''));
  check(
    fc.property(text, (one) => onlyFoundationErrors(() => readFoundation(one, 'f.yml'))),
    1500,
  );
});

/** Values of every kind under the keys that the formats know. */
const KEYS = [
  'policies',
  'source',
  'destination',
  'id',
  'tag',
  'tags',
  'ports',
  'port',
  'start',
  'end',
  'protocol',
  'rules',
  'security_groups',
  'guid',
  'name',
  'handle',
  'ip',
  'metadata',
  'next',
  'cells',
  'apps',
  'instances',
  'tagplane',
  'properties',
  'overlay',
];
const anything = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<unknown>(
      null,
      true,
      0,
      -1,
      65536,
      1.5,
      '',
      'tcp',
      '0001',
      '10.255.1.4',
      '10.0.0.0/8',
      '[]',
      '[{}]',
      1,
    ),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...KEYS), tie('value'), { maxKeys: 4 }),
  ),
})).value;

test('JSON of any shape in every artefact', () => {
  check(
    fc.property(anything, (value) => {
      const artefact = { text: JSON.stringify(value), file: 'a.json' };
      onlyFoundationErrors(() => joinArtefacts({ foundation: parseItem(artefact.text, 'f') }));
      onlyFoundationErrors(() => joinArtefacts({ policies: [artefact] }));
      onlyFoundationErrors(() => joinArtefacts({ tags: [artefact] }));
      onlyFoundationErrors(() => joinArtefacts({ securityGroups: [artefact] }));
      onlyFoundationErrors(() => joinArtefacts({ stores: [{ cell: 'c', ...artefact }] }));
    }),
    1500,
  );
});

test.run();
