/** A chain prepared for packets that have something in common says of them what the reference says, and counts the same. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/rules/compile.ts';
import { describe } from '../../src/rules/describe.ts';
import { InterfaceNames } from '../../src/rules/interfaces.ts';
import type { Known } from '../../src/rules/known.ts';
import { createOutcome, createPacket } from '../../src/rules/packet.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { createReference } from '../../src/rules/reference.ts';
import { createRandom, packetsFor, plainOutcome, tables } from '../support/evaluation.ts';
import { check } from '../support/property.ts';

const test = suite('rules: what is known of packets');
const PACKETS = 60;

/** Packets of one kind, aimed at the rules of `table` in all that is not known. */
test('random tables, packets of one kind', () => {
  check(
    fc.property(tables, fc.integer(), (table, seed) => {
      const interfaces = new InterfaceNames();
      const random = createRandom(seed);
      const reference = createReference(table, interfaces, { backend: 'nft' });
      const compiled = compile(table, interfaces, { backend: 'nft' });
      const next = packetsFor(table, interfaces, seed);
      const packet = createPacket();
      next(packet);
      const inInterface = packet.inInterface;
      next(packet);
      const outs = [packet.outInterface, interfaces.number('s-010255001004'), interfaces.number('late0')];
      const known: Known = {
        inInterface,
        outInterfaces: new Set(outs.slice(0, 1 + random(3))),
        markBits: [0x0048ffff, 0xffff, 3][random(3)]!,
      };
      const [theirs, mine] = [reference.prepare('FORWARD'), compiled.prepare('FORWARD', known)];
      const [expected, actual] = [createOutcome(), createOutcome()];
      for (let index = 0; index < PACKETS; index++) {
        next(packet);
        packet.inInterface = inInterface;
        packet.outInterface = [...known.outInterfaces][random(known.outInterfaces.size)]!;
        packet.mark = (packet.mark & known.markBits) >>> 0;
        reference.evaluate(theirs, packet, expected);
        compiled.evaluate(mine, packet, actual);
        assert.equal(plainOutcome(actual), plainOutcome(expected));
      }
      const [counted, wanted] = [compiled.counters(), reference.counters()];
      assert.equal([...counted.packets], [...wanted.packets]);
      assert.equal([...counted.bytes], [...wanted.bytes]);
      assert.equal(counted.policyPackets[theirs], wanted.policyPackets[theirs]);
    }),
    1500,
  );
});

const RULES = `*filter
:FORWARD ACCEPT [0:0]
-A FORWARD -i eth0 -j DROP
-A FORWARD -i silk-vtep -j ACCEPT
-A FORWARD -o s-+ -j ACCEPT
-A FORWARD -o eth0 -j DROP
-A FORWARD -o s-1 -j ACCEPT
-A FORWARD -m mark --mark 0xffff0000 -j DROP
-A FORWARD ! -i silk-vtep -j DROP
COMMIT
`;

const entriesOf = (
  rules: string,
  known: Omit<Known, 'inInterface' | 'outInterfaces'>,
  outs: readonly string[],
): number => {
  const interfaces = new InterfaceNames();
  const { ruleset } = parseRuleset(rules, { file: 'rules', unknownMatches: 'error' });
  const compiled = compile(ruleset.tables[0]!, interfaces, { backend: 'nft' });
  const outInterfaces = new Set(outs.map((name) => interfaces.number(name)));
  const number = compiled.prepare('FORWARD', { ...known, inInterface: interfaces.number('silk-vtep'), outInterfaces });
  return describe(compiled.matcher(number)).entries;
};

test('what none can match is left out, and what all match is not asked', () => {
  const without = (line: string): string => RULES.replace(`${line}\n`, '');
  // The first rule is left out; the second takes every packet.
  assert.is(entriesOf(RULES, { markBits: 0xffff }, ['s-1', 's-2']), 1);
  const open = without('-A FORWARD -i silk-vtep -j ACCEPT');
  assert.is(entriesOf(open, { markBits: 0xffff }, ['s-1', 's-2']), 1);
  // Of two interfaces one is a container's: `-o s-+` and `-o s-1` are asked, and the mark cannot be.
  assert.is(entriesOf(open, { markBits: 0xffff }, ['s-1', 't-2']), 2);
  assert.is(entriesOf(open, { markBits: 0xffff0000 }, ['s-1', 't-2']), 3);
});

test('a rule that sets the mark makes every mark possible', () => {
  const marking = RULES.replace(
    '-A FORWARD -i eth0 -j DROP',
    '-A FORWARD -p tcp -j MARK --set-xmark 0xffff0000/0xffffffff',
  );
  assert.is(
    entriesOf(marking.replace('-A FORWARD -i silk-vtep -j ACCEPT\n', ''), { markBits: 0xffff }, ['s-1', 't-2']),
    4,
  );
});

test.run();
