/** Octets that stages touch are those that counting by hand finds. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { linesOf, octetsOf } from '../../bench/octets.ts';

const test = suite('bench: octets');

test('lines of records', () => {
  // A line each; a line in every second one; the beginning of every fourth line; a read that straddles two, one of them its neighbour's.
  assert.is(linesOf(64, 64), 1);
  assert.is(linesOf(128, 1), 1);
  assert.is(linesOf(256, 65), 2);
  assert.is(linesOf(64, 8, 60), 1);
  assert.is(linesOf(128, 8, 60), 2);
  // Two records to a line.
  assert.is(linesOf(32, 16), 0.5);
  // Whole records: their length.
  assert.is(linesOf(184, 184, 24), 184 / 64);
  // Of 184 octets 70 are left alone: from 2, 10, ... or 58 of a line on, and only from 58 on is a whole line among them.
  assert.is(linesOf(184, 114, 24), 184 / 64 - 1 / 8);
});

test('stages', () => {
  const traffic = { hitRate: 0.75, firsts: 0.5 };
  assert.is(octetsOf('locate', traffic), 176);
  assert.is(octetsOf('match', traffic), 176 + 64 * 1.25);
  assert.is(octetsOf('file', traffic), 2 * 184 + 64 * 1.25);
  assert.is(octetsOf('cell', traffic), 2 * 184 + 64 * (3 + 0.5 * 1.25));
});

test.run();
