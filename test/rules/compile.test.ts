/** The compiled matcher against the reference: verdict, deciding rule, marks, log and counters of every packet. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type CompileOptions, compile } from '../../src/rules/compile.ts';
import type { Backend, Evaluator } from '../../src/rules/evaluator.ts';
import { InterfaceNames } from '../../src/rules/interfaces.ts';
import type { Table } from '../../src/rules/model.ts';
import { createOutcome, createPacket, type Outcome } from '../../src/rules/packet.ts';
import { createReference } from '../../src/rules/reference.ts';
import { BUILT_IN, packetsFor, plainOutcome, tables } from '../support/evaluation.ts';
import { check } from '../support/property.ts';

const test = suite('rules/compile');

const same = (one: Outcome, other: Outcome): boolean => {
  if (one.verdict !== other.verdict || one.rule !== other.rule) return false;
  if (one.mark !== other.mark || one.connectionMark !== other.connectionMark) return false;
  if (one.logCount !== other.logCount) return false;
  for (let index = 0; index < Math.min(one.logCount, one.logRules.length); index += 1) {
    if (one.logRules[index] !== other.logRules[index] || one.logMarks[index] !== other.logMarks[index]) return false;
  }
  return true;
};

function sameCounters(one: Evaluator, other: Evaluator): void {
  const [mine, theirs] = [one.counters(), other.counters()];
  for (const field of ['packets', 'bytes', 'policyPackets', 'policyBytes'] as const) {
    assert.equal(Array.from(mine[field]), Array.from(theirs[field]), field);
  }
}

/** Run both over the same packets and hold everything they say against each other. */
function agree(table: Table, options: CompileOptions, seed: number, count: number): void {
  const interfaces = new InterfaceNames();
  const reference = createReference(table, interfaces, { backend: options.backend });
  const compiled = compile(table, interfaces, options);
  const chains = BUILT_IN.map((name) => [reference.prepare(name), compiled.prepare(name)] as const);
  const next = packetsFor(table, interfaces, seed);
  const packet = createPacket();
  const [expected, actual] = [createOutcome(), createOutcome()];
  for (let index = 0; index < count; index += 1) {
    next(packet);
    const [mine, theirs] = chains[index % chains.length]!;
    reference.evaluate(mine, packet, expected);
    compiled.evaluate(theirs, packet, actual);
    if (same(expected, actual)) continue;
    assert.equal(plainOutcome(actual), plainOutcome(expected));
  }
  sameCounters(compiled, reference);
}

const backends = fc.constantFrom<Backend>('nft', 'legacy');
const seeds = fc.integer();

test('random tables: the matcher says what the reference says', () => {
  check(
    fc.property(tables, backends, seeds, (table, backend, seed) => agree(table, { backend }, seed, 300)),
    200,
  );
});

test('random tables whose shared chains are called, not copied', () => {
  check(
    fc.property(tables, backends, seeds, (table, backend, seed) => agree(table, { backend, copies: 0 }, seed, 300)),
    150,
  );
});

test.run();
