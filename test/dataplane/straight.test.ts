/** Compiled code over rules of every sort, and over many connections, beside the general way. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Burst, create, reset } from '../../src/dataplane/burst.ts';
import { countRead, countVerdicts } from '../../src/dataplane/counters.ts';
import { judge, judgeGeneral } from '../../src/dataplane/judge.ts';
import { countCompiled } from '../../src/dataplane/straight.ts';
import { plan } from '../../src/foundation/plan.ts';
import { heap, type Place, reserve } from '../../src/memory/arena.ts';
import type { MakeLoops } from '../../src/memory/loops.ts';
import { createEnds } from '../../src/replay/ends.ts';
import * as flows from '../../src/replay/flows.ts';
import type { Ruleset } from '../../src/rules/model.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { LINKTYPE } from '../../src/wire/protocol.ts';
import { createRandom, tables } from '../support/evaluation.ts';
import { loopsTest } from '../support/loops.ts';
import { check } from '../support/property.ts';
import { columns, connections, counters, countRuns } from './judged.ts';
import {
  agreeOn,
  dataplaneOf,
  FOUNDATION,
  frameOf,
  LONG_WALKS,
  NETWORK,
  PACKETS,
  type Packet,
  packetsOfLongWalks,
  packetsOn,
  strip,
} from './plain-packets.ts';

const test = suite('dataplane: compiled code');

const ROOM = 64 * 1024;

/** Put the frames of `packets` into `burst`, `step` apart from `from` on. */
function fill(burst: Burst, packets: readonly Packet[], from: number, step: number, place: Place): void {
  const { records } = burst;
  const bytes = new Uint8Array(place.buffer, place.offset, ROOM);
  let next = 0;
  for (const [i, packet] of packets.entries()) {
    const frame = frameOf(packet);
    bytes.set(frame, next);
    records.at[i] = next;
    records.end[i] = next + frame.length;
    records.originalLength[i] = frame.length;
    records.time[i] = from + i * step;
    records.linkType[i] = LINKTYPE.ETHERNET;
    records.file[i] = 3;
    records.packet[i] = from / step + i + 1;
    next += frame.length;
  }
  records.octets = bytes;
  records.view = new DataView(place.buffer, place.offset, ROOM);
  records.count = packets.length;
}

const BURST = 200;

/** Judge `packets` both ways and hold everything together. Gives how many rows compiled code judged. */
function agree(
  ruleset: Ruleset,
  packets: readonly Packet[],
  limit: number,
  step: number,
  makeLoops: MakeLoops,
): number {
  // An arena of its own: a table of connections takes a good part of what is left of one.
  const arena = reserve(2 ** 28, makeLoops);
  assert.ok(arena !== null);
  const mine = dataplaneOf(ruleset, limit, arena);
  // The first burst without fronts, the others with them.
  mine.straight!.frontsAfter = 1;
  const theirs = dataplaneOf(ruleset, limit, heap);
  const burst = create(undefined, arena);
  const expected = create();
  const [sums, expectedSums] = [mine, theirs].map(({ directory, straight }) =>
    flows.create(createEnds(directory), straight),
  ) as [flows.FlowTable, flows.FlowTable];
  const place = arena.allocate(ROOM);
  let compiled = 0;
  for (let from = 0; from < packets.length; from += BURST) {
    const list = packets.slice(from, from + BURST);
    fill(burst, list, from * step, step, place);
    fill(expected, list, from * step, step, heap.allocate(ROOM));
    compiled += countRuns(mine.straight!, () => judge(mine, burst));
    reset(expected);
    for (let i = 0; i < list.length; i++) judgeGeneral(theirs, expected, i);
    assert.equal(columns(burst), columns(expected));
    if (!countCompiled(mine, burst)) {
      countRead(mine.counters, burst);
      countVerdicts(mine.counters, burst, false);
    }
    countRead(theirs.counters, expected);
    countVerdicts(theirs.counters, expected, false);
    flows.add(sums, burst);
    flows.add(expectedSums, expected);
  }
  agreeOn(flows.list(sums), flows.list(expectedSums));
  assert.is(sums.overflow, expectedSums.overflow);
  assert.equal(connections(mine), connections(theirs));
  assert.equal(counters(mine), counters(theirs));
  const { read, octets, held, verdicts, reasons, notes } = theirs.counters;
  assert.equal(
    { ...mine.counters, place: 0, fresh: 0 },
    { read, octets, held, verdicts, reasons, notes, place: 0, fresh: 0 },
  );
  return compiled;
}

loopsTest(test, 'rules of every sort', (makeLoops) => {
  let compiled = 0;
  let rows = 0;
  check(
    fc.property(
      tables,
      fc.constantFrom(-1, -1, -1, 3),
      fc.integer(),
      fc.constantFrom(3, 20, 1000),
      fc.constantFrom(1e6, 3e9),
      (table, keep, seed, limit, step) => {
        const ruleset = { tables: [strip(table, keep)] };
        compiled += agree(ruleset, packetsOn(ruleset, seed), limit, step, makeLoops);
        rows += PACKETS;
      },
    ),
    400,
  );
  assert.ok(compiled > rows / 10, `${compiled} of ${rows} rows were judged by compiled code`);
});

loopsTest(test, 'walks of several steps', (makeLoops) => {
  const packets = packetsOfLongWalks(6000, 11);
  const { ruleset } = parseRuleset(LONG_WALKS, { file: 'rules', unknownMatches: 'error' });
  const compiled = agree(ruleset, packets, 1 << 20, 1e6, makeLoops);
  assert.ok(compiled > packets.length / 4, `${compiled} of ${packets.length}`);
});

loopsTest(test, 'a connection that is opened anew from its other end', (makeLoops) => {
  const text = `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
-A FORWARD -p udp -m conntrack --ctstate ESTABLISHED -j ACCEPT
-A FORWARD -p udp -m limit --limit 1000/sec -j ACCEPT
COMMIT
`;
  const { ruleset } = parseRuleset(text, { file: 'rules', unknownMatches: 'error' });
  const [left, right] = [NETWORK + 4, 0x0aff0207];
  const other: Packet = { source: right, destination: left + 1, protocol: 17, ports: [9, 9], flags: 0, mark: 0 };
  const there: Packet = { ...other, source: left, destination: right, ports: [1000, 2000] };
  const back: Packet = { ...other, source: right, destination: left, ports: [2000, 1000] };
  const packets = Array.from({ length: 2 * BURST + 2 }, () => other);
  // One burst opens it, and learns the flow of the replies; the next has one of these, and later sees it opened anew.
  packets.splice(BURST - 2, 3, there, back, back);
  packets.splice(2 * BURST - 4, 2, back, there);
  packets.splice(2 * BURST, 1, back);
  agree(ruleset, packets, 1000, 1e9, makeLoops);
});

loopsTest(test, 'more connections and refusals than the first table has room for', (makeLoops) => {
  const random = createRandom(7);
  const packets = Array.from({ length: 20_000 }, (): Packet => {
    const client = random(6000);
    return {
      source: 0x0aff0207,
      destination: NETWORK + 4,
      protocol: 6,
      // Some ends were refused once, without their tag, and are let through later.
      ports: [20_000 + (client % 3000), client < 3000 ? 1500 : 2500],
      flags: random(8) === 0 ? 2 : 16,
      mark: random(4) === 0 ? 0 : 1,
    };
  });
  const ruleset = plan(FOUNDATION, 'b');
  for (const limit of [2000, 1 << 20]) {
    const compiled = agree(ruleset, packets, limit, 1e6, makeLoops);
    assert.ok(compiled > packets.length / 2, `${compiled} of ${packets.length}`);
  }
});

loopsTest(test, 'more ways and flows than there is room for', (makeLoops) => {
  const random = createRandom(5);
  const ports = Array.from({ length: 700 }, (_, index) => 1000 + index);
  const rules = ports.map(
    (port) => `-A FORWARD -p tcp -m tcp --dport ${port} -j ${port % 3 === 0 ? 'DROP' : 'ACCEPT'}`,
  );
  const text = `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n${rules.join('\n')}\nCOMMIT\n`;
  const { ruleset } = parseRuleset(text, { file: 'rules', unknownMatches: 'error' });
  const packets = Array.from(
    { length: 90_000 },
    (): Packet => ({
      source: 0x0b000000 + random(120_000),
      destination: NETWORK + 4,
      // Now and then a protocol that has no ports.
      protocol: random(500) === 0 ? 47 : 6,
      ports: [4000, ports[random(ports.length)]!],
      flags: 16,
      mark: 0,
    }),
  );
  const compiled = agree(ruleset, packets, 1 << 20, 1000, makeLoops);
  assert.ok(compiled > packets.length / 2, `${compiled} of ${packets.length}`);
});

test.run();
