/** What the rules say of packets by themselves: in TypeScript and in compiled code, held against the reference evaluator. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { open } from '../../src/capture/reader.ts';
import { fromOctets } from '../../src/capture/source.ts';
import { create } from '../../src/dataplane/burst.ts';
import type { Dataplane } from '../../src/dataplane/dataplane.ts';
import { createMatcher, matchAll, matchBurst } from '../../src/dataplane/match.ts';
import { filterOf } from '../../src/dataplane/setup.ts';
import { VERDICT } from '../../src/dataplane/verdict.ts';
import { hostVethName } from '../../src/foundation/lease.ts';
import { plan } from '../../src/foundation/plan.ts';
import { heap, reserve } from '../../src/memory/arena.ts';
import type { MakeLoops } from '../../src/memory/loops.ts';
import { InterfaceNames } from '../../src/rules/interfaces.ts';
import { CTSTATE, type Ruleset } from '../../src/rules/model.ts';
import { createOutcome, createPacket, RULE_VERDICT } from '../../src/rules/packet.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { createReference } from '../../src/rules/reference.ts';
import { checkAsync, join, pcapHeader, pcapRecord } from '../capture/build.ts';
import { createRandom, tables } from '../support/evaluation.ts';
import { loopsTest } from '../support/loops.ts';
import { rangesOf } from '../support/ranges.ts';
import {
  CALLERS,
  CONTAINERS,
  dataplaneOf,
  FOUNDATION,
  frameOf,
  LONG_WALKS,
  NETWORK,
  type Packet,
  packetsOfLongWalks,
  packetsOn,
  strip,
  UNFLAGGED,
} from './plain-packets.ts';

const test = suite('dataplane: match');

/** Verdict and rule of every packet, and the counters of every rule, by the reference evaluator alone. */
function expectedOf(
  ruleset: Ruleset,
  packets: readonly Packet[],
  step: number,
): { rows: [number, number][]; sums: number[][] } {
  const interfaces = new InterfaceNames();
  const reference = createReference(filterOf(ruleset), interfaces, { backend: 'nft' });
  const chain = reference.prepare('FORWARD');
  const packet = createPacket();
  const outcome = createOutcome();
  const rows = packets.map(({ source, destination, protocol, ports, flags, mark }, index): [number, number] => {
    Object.assign(packet, { source, destination, protocol, sourcePort: ports[0], destinationPort: ports[1] });
    packet.tcpFlags = protocol === 6 ? flags : 0;
    packet.transport = 1;
    packet.mark = mark & UNFLAGGED ? 0 : mark & 0xffff;
    packet.ctstate = CTSTATE.NEW;
    packet.length = frameOf(packets[index]!).length - 64;
    packet.time = index * step;
    packet.inInterface = interfaces.number('silk-vtep');
    packet.outInterface = interfaces.number(leaving(destination));
    reference.evaluate(chain, packet, outcome);
    const { verdict, rule } = outcome;
    if (verdict === RULE_VERDICT.ACCEPT) return [VERDICT.DELIVER, rule];
    return [verdict === RULE_VERDICT.REJECT ? VERDICT.REJECT : VERDICT.DROP, rule];
  });
  const { packets: counted, bytes } = reference.counters();
  return { rows, sums: [[...counted], [...bytes]] };
}

/** Where the routing table of cell `b` sends a packet. */
function leaving(destination: number): string {
  if (CONTAINERS.some((host) => NETWORK + host === destination)) return hostVethName(destination);
  const own = [NETWORK, 0x0a000066, 0xa9fe0001];
  if (own.includes(destination)) return '';
  return destination >>> 16 === 0x0aff ? 'silk-vtep' : 'eth0';
}

/** Packets that routing leads somewhere: others never come to FORWARD. */
const isRouted = ({ destination }: Packet): boolean => destination < 0xe0000000 && destination >>> 24 !== 127;

const captureOf = (packets: readonly Packet[], step: number): Uint8Array =>
  join(
    pcapHeader(),
    ...packets.map((packet, index) => {
      const time = index * step;
      return pcapRecord(1_700_000_000 + Math.floor(time / 1e6), time % 1e6, frameOf(packet));
    }),
  );

const countersOf = (dataplane: Dataplane): number[][] => {
  const { packets, bytes } = dataplane.cells[1]!.filter.counters();
  return [[...packets], [...bytes]];
};

async function agree(ruleset: Ruleset, all: readonly Packet[], step: number, makeLoops: MakeLoops): Promise<void> {
  const packets = all.filter(isRouted);
  const { rows, sums } = expectedOf(ruleset, packets, step * 1000);
  const capture = captureOf(packets, step);
  const arena = reserve(2 ** 27, makeLoops)!;
  const byRow = dataplaneOf(ruleset, 1000, arena);
  const matcher = createMatcher(byRow, arena);
  const burst = create(undefined, arena);
  const reader = await open(fromOctets(capture, 'test.pcap'), { arena });
  const found: [number, number][] = [];
  do {
    while (reader.fill(burst.records) > 0) {
      matchBurst(matcher, burst);
      for (let i = 0; i < burst.records.count; i++) found.push([burst.verdict[i]!, burst.rule[i]!]);
    }
  } while (await reader.refill());
  assert.equal(found, rows);
  assert.equal(countersOf(byRow), sums);

  const other = reserve(2 ** 27, makeLoops)!;
  const atOnce = dataplaneOf(ruleset, 1000, other);
  const source = await open(fromOctets(capture, 'test.pcap'), { arena: other, chunkLength: 1 << 15 });
  await matchAll(source, createMatcher(atOnce, other), create(undefined, other));
  assert.equal(countersOf(atOnce), sums);
  assert.is(atOnce.counters.read, packets.length);
  const verdicts = [0, 1, 2, 3, 4, 5, 6].map((verdict) => rows.filter(([one]) => one === verdict).length);
  assert.equal([...atOnce.counters.verdicts.subarray(0, 7)], verdicts);
  const octets = packets.reduce((sum, packet) => sum + frameOf(packet).length, 0);
  assert.is(atOnce.counters.octets, octets);
}

/** In every way that this machine can do it. */
function matchTest(name: string, body: (makeLoops: MakeLoops) => Promise<void>): void {
  loopsTest(test, name, body);
  test(`${name}, in TypeScript`, () => body(() => null));
}

matchTest('rules of every sort', async (makeLoops) => {
  await checkAsync(
    fc.asyncProperty(
      tables,
      fc.constantFrom(-1, -1, 3),
      fc.boolean(),
      fc.integer(),
      fc.constantFrom(0, 1000, 3e6),
      async (table, keep, isStripped, seed, step) => {
        const ruleset = { tables: [isStripped ? strip(table, keep) : table] };
        await agree(ruleset, packetsOn(ruleset, seed), step, makeLoops);
      },
    ),
    120,
  );
});

matchTest('walks of several steps', async (makeLoops) => {
  const { ruleset } = parseRuleset(LONG_WALKS, { file: 'rules', unknownMatches: 'error' });
  await agree(ruleset, packetsOfLongWalks(3000, 5), 1000, makeLoops);
});

matchTest('long lists of ranges', async (makeLoops) => {
  for (const [count, seed, plain] of [
    [60, 1, true],
    [400, 2, false],
    [2500, 3, true],
  ] as const) {
    const text = rangesOf(count, seed, plain, 0x0aff0200, NETWORK);
    const { ruleset } = parseRuleset(text, { file: 'rules', unknownMatches: 'error' });
    const packets = [1, 2, 3, 4].flatMap((other) => packetsOn(ruleset, seed * 10 + other));
    await agree(ruleset, packets, 1000, makeLoops);
  }
});

matchTest('policies as silk writes them', async (makeLoops) => {
  const random = createRandom(3);
  const packets = Array.from({ length: 4000 }, (): Packet => {
    const mark = random(4) === 0 ? random(200) : CALLERS[random(CALLERS.length)]!;
    return {
      source: 0x0aff0200 + 7 + random(30),
      destination: NETWORK + CONTAINERS[random(3)]!,
      protocol: random(5) === 0 ? 17 : 6,
      ports: [30_000 + random(1000), [999, 1000, 1500, 2000, 2001][random(5)]!],
      flags: 16,
      mark: random(10) === 0 ? mark | UNFLAGGED : mark,
    };
  });
  await agree(plan(FOUNDATION, 'b'), packets, 10, makeLoops);
});

test('a handful of policies is looked up in fronts, too', () => {
  const few = { ...FOUNDATION, policies: FOUNDATION.policies.slice(0, 3) };
  const { cells } = dataplaneOf(plan(few, 'b'), 100, heap);
  const { arrivingPlan } = cells.find((cell) => cell.name === 'b')!;
  assert.is(arrivingPlan!.tuples, 2, 'policies, and the last words of the overlay chains');
  // No bucket of the policies has anything else in it.
  for (let slot = 0; slot <= arrivingPlan!.sizes[0]!; slot++) {
    const [first, end] = [4, 5].map((word) => arrivingPlan!.slots[slot * 8 + word]!);
    assert.ok(end! - first! <= 1, `${end! - first!} entries in a bucket`);
  }
});

test.run();
