import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as text from '../../src/cli/text.ts';
import { check } from '../support/property.ts';

const test = suite('cli/text');

test('escapes, line breaks and reordering marks are printed, not obeyed', () => {
  assert.is(text.printable('a\u001b[31mred\u0007'), 'a\\x1b[31mred\\x07');
  assert.is(text.printable('line\nbreak\r\u2028'), 'line\\x0abreak\\x0d\\u{2028}');
  assert.is(text.printable('gnp\u202efdp.exe'), 'gnp\\u{202e}fdp.exe');
  assert.is(text.printable('\u009b2J'), '\\x9b2J');
  assert.is(text.printable('\ud800x'), '\\u{d800}x');
  assert.is(text.printable('größe 😀 日本'), 'größe 😀 日本');
});

test('no string gets a control character through', () => {
  check(
    fc.property(fc.string({ unit: 'binary' }), (raw) => {
      for (const character of text.printable(raw)) {
        const code = character.codePointAt(0)!;
        if (code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x202a && code <= 0x202e)) return false;
      }
      return true;
    }),
  );
});

test('numbers', () => {
  assert.equal([0, 999, 1000, 1234567].map(text.count), ['0', '999', '1,000', '1,234,567']);
  assert.equal([0, 999, 1000, 12345, 999_499, 999_500, 5e9].map(text.octets), [
    '0 B',
    '999 B',
    '1.0 kB',
    '12.3 kB',
    '999 kB',
    '1.0 MB',
    '5.0 GB',
  ]);
  assert.is(text.share(1, 3), '33.3%');
  assert.is(text.share(0, 0), '-');
});

test('a table shrinks the columns that may shrink and never exceeds its width', () => {
  const columns: text.Column[] = [
    { title: 'source', align: 'left', least: 8 },
    { title: 'packets', align: 'right' },
  ];
  assert.equal(
    text.table(
      columns,
      [
        ['frontend', '12'],
        ['b', '1,200'],
      ],
      80,
    ),
    ['source    packets', 'frontend       12', 'b           1,200'],
  );
  const lines = text.table(columns, [['a-very-long-application-name', '1']], 20);
  assert.equal(lines, ['source       packets', 'a-very-lon…        1']);
});

test.run();
