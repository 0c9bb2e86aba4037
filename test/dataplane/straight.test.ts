/** Compiled code over rules of every sort, and over many connections, beside the general way. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Burst, create, reset } from '../../src/dataplane/burst.ts';
import { countRead, countVerdicts } from '../../src/dataplane/counters.ts';
import type { Dataplane } from '../../src/dataplane/dataplane.ts';
import { judge, judgeGeneral } from '../../src/dataplane/judge.ts';
import { createDataplane } from '../../src/dataplane/setup.ts';
import { countCompiled } from '../../src/dataplane/straight.ts';
import { containerMac } from '../../src/foundation/lease.ts';
import { plan } from '../../src/foundation/plan.ts';
import { readFoundation } from '../../src/foundation/read.ts';
import { type Arena, heap, type Place, reserve } from '../../src/memory/arena.ts';
import { createEnds } from '../../src/replay/ends.ts';
import * as flows from '../../src/replay/flows.ts';
import { InterfaceNames } from '../../src/rules/interfaces.ts';
import type { Rule, Ruleset, Table } from '../../src/rules/model.ts';
import { createPacket } from '../../src/rules/packet.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import * as checksum from '../../src/wire/checksum.ts';
import { LINKTYPE } from '../../src/wire/protocol.ts';
import { createRandom, packetsFor, tables } from '../support/evaluation.ts';
import { SYN } from '../support/frames.ts';
import { octets } from '../support/hex.ts';
import { check } from '../support/property.ts';
import { columns, connections, counters, countRuns } from './judged.ts';

const test = suite('dataplane: compiled code');

const NETWORK = 0x0aff0100;
const CONTAINERS = [4, 5, 6];
const FOUNDATION = readFoundation(
  JSON.stringify({
    tagplane: 1,
    cells: [
      { name: 'a', underlay: '10.0.0.101', lease: '10.255.2.0/24' },
      { name: 'b', underlay: '10.0.0.102', lease: '10.255.1.0/24' },
    ],
    apps: [
      ...CONTAINERS.map((host) => ({
        name: `back-${host}`,
        guid: `0000000${host}-0000-4000-8000-000000000001`,
        tag: `000${host}`,
        instances: [{ cell: 'b', ip: `10.255.1.${host}` }],
      })),
      {
        name: 'front',
        guid: '00000001-0000-4000-8000-000000000001',
        tag: '0001',
        instances: [{ cell: 'a', ip: '10.255.2.7' }],
      },
    ],
    policies: [{ source: 'front', destination: 'back-4', protocol: 'tcp', ports: '1000-2000' }],
  }),
  'foundation.json',
);

/** What a packet inside the tunnel is made of. */
interface Packet {
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
  readonly ports: readonly [number, number];
  readonly flags: number;
  readonly mark: number;
}

const INNER_IPV4 = 64;
const TRANSPORT = 84;

function frameOf({ source, destination, protocol, ports, flags, mark }: Packet): Uint8Array {
  const frame = octets(SYN);
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  view.setUint8(42, mark === 0 ? 0x08 : 0x88);
  view.setUint16(44, mark & 0xffff);
  for (const [at, network] of [
    [50, NETWORK],
    [56, 0x0aff0200],
  ] as const) {
    const mac = containerMac(network);
    view.setUint32(at, Math.floor(mac / 0x10000));
    view.setUint16(at + 4, mac % 0x10000);
  }
  view.setUint8(INNER_IPV4 + 9, protocol);
  view.setUint32(INNER_IPV4 + 12, source);
  view.setUint32(INNER_IPV4 + 16, destination);
  view.setUint16(TRANSPORT, ports[0]);
  view.setUint16(TRANSPORT + 2, ports[1]);
  if (protocol === 17) view.setUint16(TRANSPORT + 4, 40);
  else view.setUint8(TRANSPORT + 13, flags);
  view.setUint16(INNER_IPV4 + 10, 0);
  view.setUint16(INNER_IPV4 + 10, checksum.complement(checksum.sum(view, INNER_IPV4, INNER_IPV4 + 20)));
  return frame;
}

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

const dataplaneOf = (ruleset: Ruleset, connectionLimit: number, arena: Arena): Dataplane =>
  createDataplane(FOUNDATION, new Map([['b', { ruleset, backend: 'nft' }]]), {
    vxlanPort: 4789,
    strictChecksums: false,
    judged: ['b'],
    connectionLimit,
    arena,
  });

const BURST = 200;

/** Only the first that differ are compared by name: the difference between long lists takes minutes to print. */
function agreeOn(list: readonly flows.Flow[], expected: readonly flows.Flow[]): void {
  assert.is(list.length, expected.length);
  const other = list.findIndex((flow, at) => JSON.stringify(flow) !== JSON.stringify(expected[at]));
  assert.equal(list[other], expected[other]);
}

/** Judge `packets` both ways and hold everything together. Gives how many rows compiled code judged. */
function agree(ruleset: Ruleset, packets: readonly Packet[], limit: number, step: number, arena: Arena): number {
  const mine = dataplaneOf(ruleset, limit, arena);
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
  arena.release(place, ROOM);
  return compiled;
}

const PACKETS = 240;

/** Packets on the edges of what `table` asks, that come again, also in the other direction of their connection. */
function packetsOn(ruleset: Ruleset, seed: number): Packet[] {
  const table = ruleset.tables[0]!;
  const random = createRandom(seed);
  const next = packetsFor(table, new InterfaceNames(), seed);
  const packet = createPacket();
  const packets: Packet[] = [];
  for (let index = 0; index < PACKETS / 4; index++) {
    next(packet);
    packets.push({
      source: random(3) === 0 ? NETWORK + CONTAINERS[random(3)]! : packet.source,
      destination: random(3) === 0 ? packet.destination : NETWORK + CONTAINERS[random(3)]!,
      protocol: packet.protocol === 17 ? 17 : 6,
      ports: [packet.sourcePort, packet.destinationPort],
      flags: [2, 16, 16, 18, 17, 4][random(6)]!,
      mark: packet.mark & 0xffff,
    });
  }
  const again = packets.map((one) =>
    random(2) === 0
      ? { ...one, flags: 16, ports: [one.ports[0] ^ random(4), one.ports[1]] as const }
      : { ...one, source: one.destination, destination: one.source, ports: [one.ports[1], one.ports[0]] as const },
  );
  return [...packets, ...again, ...packets.map((one) => ({ ...one, flags: 16 })), ...again];
}

/** What compiled code leaves to TypeScript, by the kind of match or target. */
const LEFT = ['limit', 'hashlimit', 'addrtype', 'multiport', 'unknown', 'LOG', 'NFLOG', 'MARK', 'CONNMARK', 'DNAT'];

const isLeft = ({ matches, target }: Rule): boolean =>
  LEFT.includes(target.kind) ||
  matches.some((one) => LEFT.includes(one.kind) || (one.kind === 'tcp' && one.flags !== undefined));

/** `table` with little, or nothing, that is left to TypeScript. */
const strip = (table: Table, keep: number): Table => ({
  ...table,
  chains: table.chains.map((chain) => ({
    ...chain,
    rules: chain.rules.filter((rule, index) => !isLeft(rule) || index === keep),
  })),
});

test('rules of every sort', () => {
  const arena = reserve(2 ** 31);
  assert.ok(arena !== null);
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
        compiled += agree(ruleset, packetsOn(ruleset, seed), limit, step, arena);
        rows += PACKETS;
      },
    ),
    400,
  );
  assert.ok(compiled > rows / 10, `${compiled} of ${rows} rows were judged by compiled code`);
});

/** Rules that make walks of several steps: skipped, stopped at a barrier, told by state, and ended by the policy. */
const LONG_WALKS = `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:first - [0:0]
:second - [0:0]
:third - [0:0]
-A FORWARD -p udp -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -d 10.255.1.4/32 -j first
-A FORWARD -m mark --mark 0x3 -j third
-A FORWARD -m mark --mark 0x1 -j second
-A FORWARD -p tcp -m tcp --dport 53 -j REJECT --reject-with tcp-reset
-A first -p tcp -m tcp --dport 1000:1999 -j RETURN
-A first -p tcp -m tcp --sport 30000:30031 -j ACCEPT
-A first ! -s 10.255.1.5/32
-A second -p tcp -m conntrack --ctstate NEW -m tcp --dport 1500 -j ACCEPT
-A second -p tcp -m conntrack --ctstate ESTABLISHED -m tcp --sport 1500 -j ACCEPT
-A second -m iprange --dst-range 10.255.1.5-10.255.1.6 -j ACCEPT
-A third -p tcp -m tcp --dport 9 -j MARK --set-xmark 0x1/0xffffffff
-A third -p udp -j DROP
COMMIT
`;

test('walks of several steps', () => {
  const arena = reserve(2 ** 30);
  assert.ok(arena !== null);
  const random = createRandom(11);
  const some = <T>(values: readonly T[]): T => values[random(values.length)]!;
  const packets = Array.from({ length: 6000 }, (): Packet => {
    const there = { source: NETWORK + some([5, 5, 0x107]), destination: NETWORK + some([4, 4, 6]) };
    const ports = [30_000 + random(64), some([53, 900, 1500, 1999, 2000])] as const;
    const protocol = some([6, 6, 17]);
    const one = { ...there, ports, protocol, flags: some([2, 16, 16, 18]), mark: random(4) };
    if (one.source !== NETWORK + 5 || random(3) !== 0) return one;
    return { ...one, source: one.destination, destination: one.source, ports: [ports[1], ports[0]] };
  });
  const { ruleset } = parseRuleset(LONG_WALKS, { file: 'rules', unknownMatches: 'error' });
  const compiled = agree(ruleset, packets, 1 << 20, 1e6, arena);
  assert.ok(compiled > packets.length / 4, `${compiled} of ${packets.length}`);
});

test('a connection that is opened anew from its other end', () => {
  const arena = reserve(2 ** 30);
  assert.ok(arena !== null);
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
  agree(ruleset, packets, 1000, 1e9, arena);
});

test('more connections and refusals than the first table has room for', () => {
  const arena = reserve(2 ** 30);
  assert.ok(arena !== null);
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
    const compiled = agree(ruleset, packets, limit, 1e6, arena);
    assert.ok(compiled > packets.length / 2, `${compiled} of ${packets.length}`);
  }
});

test('more ways and flows than there is room for', () => {
  const arena = reserve(2 ** 30);
  assert.ok(arena !== null);
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
  const compiled = agree(ruleset, packets, 1 << 20, 1000, arena);
  assert.ok(compiled > packets.length / 2, `${compiled} of ${packets.length}`);
});

test.run();
