/** The compiled matcher against the reference: verdict, deciding rule, marks, log and counters of every packet. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type CompileOptions, compile } from '../../src/rules/compile.ts';
import { describe, printPlan } from '../../src/rules/describe.ts';
import type { Backend, Evaluator } from '../../src/rules/evaluator.ts';
import { InterfaceNames } from '../../src/rules/interfaces.ts';
import type { Chain, Rule, Table } from '../../src/rules/model.ts';
import { createOutcome, createPacket, type Outcome } from '../../src/rules/packet.ts';
import { createReference } from '../../src/rules/reference.ts';
import { BUILT_IN, createRandom, packetsFor, plainOutcome, tables } from '../support/evaluation.ts';
import { check } from '../support/property.ts';
import { containerAddress, policyOf, type SilkSize, silkTable } from '../support/silk-table.ts';

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

/** Packets at the silk-shaped tables' edges: policies hit and missed by one, own and foreign addresses, all states. */
function agreeOnSilk(size: SilkSize, count: number): void {
  const table = silkTable(size);
  const interfaces = new InterfaceNames();
  const reference = createReference(table, interfaces, { backend: 'nft' });
  const compiled = compile(table, interfaces, { backend: 'nft' });
  const [mine, theirs] = [reference.prepare('FORWARD'), compiled.prepare('FORWARD')];
  const random = createRandom(size.policies);
  const pick = <T>(values: readonly T[]): T => values[random(values.length)]!;
  const packet = createPacket();
  packet.transport = 1;
  packet.sourcePort = 40_000;
  const [expected, actual] = [createOutcome(), createOutcome()];
  const rules = new Set<number>();
  for (let index = 0; index < count; index += 1) {
    const { destination, tag, low, high } = policyOf(random(size.policies), size);
    packet.source = pick([0x0aff0104, containerAddress(random(size.containers)), 0x0a000009]);
    packet.destination = pick([destination, destination, destination + 1, 0x0b000001, 0x0aff0105]);
    packet.protocol = pick([6, 6, 6, 17]);
    packet.destinationPort = pick([low - 1, low, high, high + 1]);
    packet.mark = pick([tag, tag, tag ^ 1, 0xffff0000, 0]);
    packet.ctstate = pick([8, 8, 1, 2, 4, 64]);
    packet.outInterface = interfaces.number(pick(['eth0', 'silk-vtep', 's-010255001004']));
    packet.length = 40 + random(1000);
    packet.time += random(2_000_000);
    reference.evaluate(mine, packet, expected);
    compiled.evaluate(theirs, packet, actual);
    rules.add(expected.rule);
    if (!same(expected, actual)) assert.equal(plainOutcome(actual), plainOutcome(expected));
  }
  assert.ok(rules.size > size.containers, `only ${rules.size} rules decided`);
  sameCounters(compiled, reference);
}

test('the tables silk writes, from a few policies per container to many', () => {
  agreeOnSilk({ containers: 20, policies: 30 }, 20_000);
  agreeOnSilk({ containers: 30, policies: 2_000 }, 8_000);
});

test('60,000 policies take four tuples, no barrier and no call', () => {
  const compiled = compile(silkTable({ containers: 250, policies: 60_000 }), new InterfaceNames(), { backend: 'nft' });
  const plan = describe(compiled.matcher(compiled.prepare('FORWARD')));
  assert.equal(plan.tuples.map(({ fields }) => fields).sort(), [
    'destination/32',
    'destination/32 protocol mark',
    'source/32',
    'source/32 out-interface',
  ]);
  assert.is(plan.derived, 251);
  assert.equal(plan.barriers, []);
  assert.is(plan.calls, 0);
  assert.match(printPlan(plan), /^FORWARD \(policy ACCEPT\): \d+ entries, 251 derived counters/);
});

test('chains that double at every level are called: the plan stays small', () => {
  const levels = 40;
  const rule = (target: Rule['target'], source?: number): Rule => ({
    ip: source === undefined ? {} : { source: { address: source, mask: 0xffffffff, negated: false } },
    matches: [],
    target,
    counters: null,
    line: 0,
  });
  const chain = (level: number): Chain => {
    const below: Rule['target'] = { kind: 'jump', chain: `c${level + 1}` };
    const rules = level === levels ? [rule({ kind: 'none' })] : [rule(below, level), rule(below, level + 1)];
    return { name: `c${level}`, policy: level === 0 ? 'ACCEPT' : null, counters: null, rules };
  };
  const table: Table = { name: 'filter', chains: Array.from({ length: levels + 1 }, (_, level) => chain(level)) };
  const compiled = compile(table, new InterfaceNames(), { backend: 'nft' });
  const plan = describe(compiled.matcher(compiled.prepare('c0')));
  assert.ok(plan.entries < 10_000, `${plan.entries} entries`);
  assert.ok(plan.calls > 0);
  const reference = createReference(table, new InterfaceNames(), { backend: 'nft' });
  const [expected, actual] = [createOutcome(), createOutcome()];
  const packet = createPacket();
  packet.length = 60;
  for (packet.source = 0; packet.source <= levels + 1; packet.source += 1) {
    reference.evaluate(reference.prepare('c0'), packet, expected);
    compiled.evaluate(0, packet, actual);
    assert.equal(plainOutcome(actual), plainOutcome(expected));
  }
  sameCounters(compiled, reference);
});

test('interfaces named after the rules were compiled', () => {
  const interfaces = new InterfaceNames();
  const ip = { inInterface: { name: 's-+', negated: false }, outInterface: { name: 'late0', negated: false } };
  const rule: Rule = { ip, matches: [], target: { kind: 'DROP' }, counters: null, line: 0 };
  const chain: Chain = { name: 'FORWARD', policy: 'ACCEPT', counters: null, rules: [rule] };
  const compiled = compile({ name: 'filter', chains: [chain] }, interfaces, { backend: 'nft' });
  const forward = compiled.prepare('FORWARD');
  const packet = createPacket();
  const outcome = createOutcome();
  for (const [inside, out, verdict] of [
    ['s-1', 'late0', 1],
    ['s-2', 'late0', 1],
    ['t-1', 'late0', 0],
    ['s-1', 'late1', 0],
  ] as const) {
    packet.inInterface = interfaces.number(inside);
    packet.outInterface = interfaces.number(out);
    compiled.evaluate(forward, packet, outcome);
    assert.is(outcome.verdict, verdict, `${inside} ${out}`);
  }
});

test.run();
