/** Long lists of ranges: cut by every field, they say what the reference says, packet by packet. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/rules/compile.ts';
import { describe, printPlan } from '../../src/rules/describe.ts';
import type { Backend } from '../../src/rules/evaluator.ts';
import { InterfaceNames } from '../../src/rules/interfaces.ts';
import type { Table } from '../../src/rules/model.ts';
import { createOutcome, createPacket } from '../../src/rules/packet.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { createReference } from '../../src/rules/reference.ts';
import { packetsFor, plainOutcome } from '../support/evaluation.ts';
import { check } from '../support/property.ts';
import { rangesOf } from '../support/ranges.ts';

const test = suite('rules/slices');

const tableOf = (text: string): Table =>
  parseRuleset(text, { file: 'rules', unknownMatches: 'error' }).ruleset.tables[0]!;

/** Hold `count` packets against the reference; gives the longest bucket that was cut by every field. */
function agree(table: Table, backend: Backend, seed: number, count: number): number {
  const interfaces = new InterfaceNames();
  const reference = createReference(table, interfaces, { backend });
  const compiled = compile(table, interfaces, { backend });
  const [mine, theirs] = [reference.prepare('FORWARD'), compiled.prepare('FORWARD')];
  const next = packetsFor(table, interfaces, seed);
  const packet = createPacket();
  const [expected, actual] = [createOutcome(), createOutcome()];
  for (let index = 0; index < count; index += 1) {
    next(packet);
    reference.evaluate(mine, packet, expected);
    compiled.evaluate(theirs, packet, actual);
    assert.equal(plainOutcome(actual), plainOutcome(expected));
  }
  const [one, other] = [compiled.counters(), reference.counters()];
  assert.equal([...one.packets], [...other.packets]);
  assert.equal([...one.bytes], [...other.bytes]);
  const sliced = describe(compiled.matcher(theirs)).tuples.filter(({ slicedBuckets }) => slicedBuckets > 0);
  return Math.max(0, ...sliced.map(({ longestBucket }) => longestBucket));
}

test('ranges, holes, negations, barriers, marks and limits in one list', () => {
  let sliced = 0;
  check(
    fc.property(
      fc.integer({ min: 30, max: 300 }),
      fc.integer(),
      fc.boolean(),
      fc.constantFrom<Backend>('nft', 'legacy'),
      (count, seed, plain, backend) => {
        if (agree(tableOf(rangesOf(count, seed, plain)), backend, seed, 300) > 0) sliced += 1;
      },
    ),
    60,
  );
  assert.ok(sliced > 0, 'no list was cut');
});

test('more than one word of summary', () => {
  // 32 rules a word, 32 words a word of the summary.
  const longest = agree(tableOf(rangesOf(5000, 11, true)), 'nft', 3, 2000);
  assert.ok(longest > 32 * 32, `the longest bucket in slices has ${longest} entries`);
});

test('a plan says why it is as it is', () => {
  const lines = Array.from(
    { length: 20 },
    (_, index) => `-A FORWARD -s 10.${index}.0.0/16 -p tcp -m tcp --sport ${index}:100 -j DROP`,
  );
  const wide = Array.from(
    { length: 20 },
    (_, index) => `-A FORWARD -m iprange --dst-range 10.0.0.${index}-10.0.1.0 -j ACCEPT`,
  );
  const narrow = ['-A FORWARD -s 10.9.0.0/17 -m iprange --dst-range 10.0.0.1-10.0.0.2 -j DROP'];
  const chains = [':INPUT ACCEPT [0:0]', ':FORWARD DROP [0:0]', ':OUTPUT ACCEPT [0:0]'];
  const table = tableOf(['*filter', ...chains, ...lines, ...wide, ...narrow, 'COMMIT', ''].join('\n'));
  const compiled = compile(table, new InterfaceNames(), { backend: 'nft' });
  const printed = printPlan(describe(compiled.matcher(compiled.prepare('FORWARD')))).split('\n');
  // 20 starts at 10.0.0.0 to 10.0.0.19, one behind all of them at 10.0.1.1, and 0; 10.0.0.3 ends the narrow one and is there already.
  assert.equal(printed.slice(1), [
    '  by source/16 protocol: 20 entries in 20 buckets (longest 1), 32 slots',
    '  by every packet: 21 entries in 1 buckets (longest 21, 1 cut by every field), 64 slots',
    '    1 of them of one narrower shape: one more list to walk costs less than one more table to ask',
    '    ports alone leave long lists, so bits of these intervals are ANDed: destination (22)',
    '',
  ]);
});

test('one rule behind thousands that differ in one field alone', () => {
  const lines = Array.from({ length: 3000 }, (_, index) => {
    const block = `10.${index >> 8}.${index & 255}.0/25`;
    return `-A FORWARD -s ${block} -j DROP`;
  });
  const accepted = '-A FORWARD -s 10.11.0.128/25 -j ACCEPT';
  const chains = [':INPUT ACCEPT [0:0]', ':FORWARD DROP [0:0]', ':OUTPUT ACCEPT [0:0]'];
  // A shape with holes, so that no key answers it: addresses from 10.0.0.0 with any third octet.
  const holes = Array.from({ length: 40 }, (_, index) => `-A FORWARD -m iprange --src-range 11.0.0.${index}-11.0.1.0`);
  const table = tableOf(['*filter', ...chains, ...holes, ...lines, accepted, 'COMMIT', ''].join('\n'));
  const compiled = compile(table, new InterfaceNames(), { backend: 'nft' });
  const chain = compiled.prepare('FORWARD');
  const packet = createPacket();
  const outcome = createOutcome();
  Object.assign(packet, { source: 0x0a0b0081, protocol: 6, transport: 1 });
  compiled.evaluate(chain, packet, outcome);
  assert.is(outcome.verdict, 0);
  packet.source = 0x0a0b0001;
  compiled.evaluate(chain, packet, outcome);
  assert.is(outcome.verdict, 1);
});

test.run();
