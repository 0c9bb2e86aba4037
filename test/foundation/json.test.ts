/** The JSON reader against the engine's own: the same texts are taken, with the same values, but for what is refused on purpose. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Item } from '../../src/foundation/item.ts';
import { parseJson } from '../../src/foundation/json.ts';
import { check } from '../support/property.ts';
import { refused } from './example.ts';

const test = suite('foundation/json');

/** The plain value of an item. */
function plain(item: Item): unknown {
  switch (item.kind) {
    case 'object':
      return Object.fromEntries([...item.entries].map(([key, value]) => [key, plain(value)]));
    case 'array':
      return item.items.map(plain);
    case 'null':
      return null;
    default:
      return item.value;
  }
}

type Answer = { readonly value: unknown } | 'refused';
const engine = (text: string): Answer => {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return 'refused';
  }
};
const ours = (text: string): Answer => {
  try {
    return { value: plain(parseJson(text, 'j')) };
  } catch {
    return 'refused';
  }
};

test('any JSON value reads as the engine reads it, indented or not', () => {
  check(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(0, 1, 4), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      if (/"(?:__proto__|constructor|prototype)"/.test(text) || text.includes('\u007f')) return;
      assert.equal(ours(text), engine(text));
    }),
    500,
  );
});

test('a text changed anywhere is taken or refused as the engine does', () => {
  const text = JSON.stringify({ a: [1, -0.5e3, true, false, null], b: { c: 'x\\"\u20ac', d: '' } });
  check(
    fc.property(
      fc.nat(text.length),
      fc.nat(2),
      fc.constantFrom('', ',', ':', '"', '{', '}', '[', ']', '0', '-', '.', 'e', '\\', 'u', 't', ' ', '\n', '\t', '/'),
      (at, removed, inserted) => {
        const changed = text.slice(0, at) + inserted + text.slice(at + removed);
        const expected = engine(changed);
        // Two equal keys are refused here and not there.
        if (expected !== 'refused' && ours(changed) === 'refused') {
          assert.match(refused(() => parseJson(changed, 'j')).message, /second time/);
        } else assert.equal(ours(changed), expected, changed);
      },
    ),
    3000,
  );
});

const REFUSED: readonly [string, string, string, string][] = [
  [
    'two equal keys',
    '{"a":1,\n "a":2}',
    'ERR_FOUNDATION_KEY',
    'j:2:2: got the key "a" a second time, the first is a (j:1:6)',
  ],
  ['__proto__', '{"__proto__":{}}', 'ERR_FOUNDATION_KEY', 'j:1:2: got the key "__proto__", which is never allowed'],
  [
    'constructor, escaped',
    '{"\\u0063onstructor":1}',
    'ERR_FOUNDATION_KEY',
    'j:1:2: got the key "constructor", which is never allowed',
  ],
  [
    'a byte order mark',
    '\ufeff{}',
    'ERR_FOUNDATION_SYNTAX',
    'j:1:1: got a byte order mark, expected UTF-8 without one',
  ],
  ['NUL', '{"a":"\0"}', 'ERR_FOUNDATION_SYNTAX', 'j:1:7: got the control character "\\u0000", expected printable text'],
  ['nothing', '', 'ERR_FOUNDATION_SYNTAX', 'j:1:1: got the end of the text, expected a JSON value'],
  ['an open string', '["abc', 'ERR_FOUNDATION_SYNTAX', 'j:1:6: got the end of the text, expected a closing quote'],
  ['a bad escape', '["\\x"]', 'ERR_FOUNDATION_SYNTAX', 'j:1:2: got "\\"", expected a string with valid escapes'],
  ['a trailing comma', '[1,]', 'ERR_FOUNDATION_SYNTAX', 'j:1:4: got "]", expected a JSON value'],
  ['text behind the value', '{} x', 'ERR_FOUNDATION_SYNTAX', 'j:1:4: got "x", expected the end of the text'],
];
for (const [name, text, code, message] of REFUSED) {
  test(`refused: ${name}`, () => {
    const error = refused(() => parseJson(text, 'j'));
    assert.is(error.code, code);
    assert.is(error.message, message);
  });
}

test('lists nested 64 deep are read, one more is refused, and so are a million', () => {
  assert.is(parseJson('['.repeat(64) + ']'.repeat(64), 'j').kind, 'array');
  for (const depth of [65, 1_000_000]) {
    for (const open of ['[', '{"a":']) {
      const error = refused(() => parseJson(open.repeat(depth), 'j'));
      assert.is(error.code, 'ERR_FOUNDATION_LIMIT');
    }
  }
});

test('a text beyond the limit is refused unread', () => {
  const error = refused(() => parseJson(' '.repeat(64 * 1024 * 1024 + 1), 'j'));
  assert.is(error.code, 'ERR_FOUNDATION_LIMIT');
});

test.run();
