/** What is read as YAML, and what is refused although YAML allows it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Item } from '../../src/foundation/item.ts';
import { parseYaml } from '../../src/foundation/yaml.ts';
import { refused } from './example.ts';

const test = suite('foundation/yaml');

const at = (item: Item, ...path: readonly (string | number)[]): Item => {
  let found: Item | undefined = item;
  for (const step of path) {
    if (found?.kind === 'object') found = found.entries.get(String(step));
    else if (found?.kind === 'array') found = found.items[Number(step)];
    else found = undefined;
  }
  assert.ok(found, path.join('.'));
  return found;
};

test('YAML 1.2: no, on and 22:22 are text, 010 is ten, 0o10 is eight', () => {
  const item = parseYaml('a: no\nb: on\nc: 22:22\nd: 010\ne: 0o10\nf: true\ng: ~\nh:\n', 'y');
  const values = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((key) => {
    const one = at(item, key);
    return 'value' in one ? one.value : one.kind;
  });
  assert.equal(values, ['no', 'on', '22:22', 10, 8, true, 'null', 'null']);
});

test('an alias stands for its anchor, at the place where it is used', () => {
  const item = parseYaml('a: &x { b: 1 }\nc: [*x, *x]\n', 'y');
  assert.is((at(item, 'c', 1, 'b') as { value?: unknown }).value, 1);
});

const REFUSED: readonly [string, string, string, string][] = [
  [
    'two equal keys',
    'a: 1\na: 2\n',
    'ERR_FOUNDATION_KEY',
    'y:2:1: got the key "a" a second time, the first is a (y:1:4)',
  ],
  [
    '__proto__',
    '__proto__: { a: 1 }\n',
    'ERR_FOUNDATION_KEY',
    'y:1:1: got the key "__proto__", which is never allowed',
  ],
  ['a tag', 'a: !!str 1\n', 'ERR_FOUNDATION_SYNTAX', 'y:1:10: got the tag "tag:yaml.org,2002:str"'],
  ['YAML 1.1', '%YAML 1.1\n---\na: 22:22\n', 'ERR_FOUNDATION_SYNTAX', 'y:1:1: got YAML 1.1, expected YAML 1.2'],
  ['two documents', 'a: 1\n---\nb: 2\n', 'ERR_FOUNDATION_SYNTAX', 'y:2:1: got a second document, expected one'],
  ['a list as a key', '? [a]\n: 1\n', 'ERR_FOUNDATION_SYNTAX', 'y:1:3: got a key that is not text, expected a word'],
  ['an alias of nothing', 'a: *x\n', 'ERR_FOUNDATION_SYNTAX', ''],
  ['an alias inside its anchor', 'a: &x [*x]\n', 'ERR_FOUNDATION_SYNTAX', ''],
  [
    'a byte order mark',
    '\ufeffa: 1\n',
    'ERR_FOUNDATION_SYNTAX',
    'y:1:1: got a byte order mark, expected UTF-8 without one',
  ],
  ['NUL', 'a: "x\0"\n', 'ERR_FOUNDATION_SYNTAX', 'y:1:6: got the control character "\\u0000", expected printable text'],
  ['a tab as indentation', 'a:\n\tb: 1\n', 'ERR_FOUNDATION_SYNTAX', ''],
];
for (const [name, text, code, message] of REFUSED) {
  test(`refused: ${name}`, () => {
    const error = refused(() => parseYaml(text, 'y'));
    assert.is(error.code, code);
    if (message === '') assert.match(error.message, /^y:\d+:\d+: ./);
    else assert.is(error.message, message);
  });
}

test('an alias bomb is refused', () => {
  const levels = 'bcdefghij'.split('').map((name, _index) => {
    const inner = `*${String.fromCharCode(name.charCodeAt(0) - 1)}`;
    return `${name}: &${name} [${Array(9).fill(inner).join(', ')}]`;
  });
  const error = refused(() => parseYaml(`a: &a [x, x]\n${levels.join('\n')}\n`, 'y'));
  assert.is(error.code, 'ERR_FOUNDATION_LIMIT');
  assert.match(error.message, /more than 100 aliases/);
});

test('deep nesting is refused at once, in every notation', () => {
  const depth = 1_000_000;
  const texts = ['['.repeat(depth), '{a: '.repeat(depth), '- '.repeat(depth), '? '.repeat(depth)];
  for (const text of texts) {
    const error = refused(() => parseYaml(text, 'y'));
    assert.is(error.code, 'ERR_FOUNDATION_LIMIT', text.slice(0, 4));
  }
  const indented = Array.from({ length: 200 }, (_, level) => `${' '.repeat(level)}a:`).join('\n');
  assert.is(refused(() => parseYaml(indented, 'y')).code, 'ERR_FOUNDATION_LIMIT');
});

test('lists nested 64 deep are read', () => {
  assert.is(parseYaml('['.repeat(64) + ']'.repeat(64), 'y').kind, 'array');
});

test.run();
