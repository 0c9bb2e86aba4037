/** Workers that judge a share each find together what one finds that judges all. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { open } from '../../src/capture/reader.ts';
import { fromOctets } from '../../src/capture/source.ts';
import { MEMORY_LIMIT } from '../../src/dataplane/fragments.ts';
import { createDataplane } from '../../src/dataplane/setup.ts';
import type { Share } from '../../src/dataplane/share.ts';
import { heap, reserve } from '../../src/memory/arena.ts';
import type { MakeLoops } from '../../src/memory/loops.ts';
import { createEnds } from '../../src/replay/ends.ts';
import { flowSums, joinFlows } from '../../src/replay/flow-sums.ts';
import * as flows from '../../src/replay/flows.ts';
import { flowsOf, join, objection, type Part, partOf } from '../../src/replay/join.ts';
import { play } from '../../src/replay/player.ts';
import { countedTable } from '../../src/rules/counted.ts';
import type { Ruleset, Table } from '../../src/rules/model.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import * as checksum from '../../src/wire/checksum.ts';
import { checkAsync, join as joined, pcapHeader, pcapRecord } from '../capture/build.ts';
import { agreeOn, FOUNDATION, frameOf, NETWORK, type Packet, packetsOn, strip } from '../dataplane/plain-packets.ts';
import { createRandom, tables } from '../support/evaluation.ts';
import { loopsTest } from '../support/loops.ts';

const test = suite('replay: shares joined');
const LIMIT = 1 << 20;
const INNER = 64;

interface Found {
  readonly dataplane: ReturnType<typeof createDataplane>;
  readonly part: Part;
}

/** Play `capture` as worker `share`, or as the only one. */
async function find(
  capture: Uint8Array,
  ruleset: Ruleset,
  makeLoops: MakeLoops | null,
  share: Share | null,
  last = Number.POSITIVE_INFINITY,
): Promise<Found> {
  const arena = makeLoops === null ? heap : reserve(2 ** 28, makeLoops);
  assert.ok(arena !== null);
  const dataplane = createDataplane(FOUNDATION, new Map([['b', { ruleset, backend: 'nft' as const }]]), {
    vxlanPort: 4789,
    strictChecksums: false,
    judged: ['b'],
    connectionLimit: LIMIT,
    arena,
    ...(share === null ? {} : { share }),
  });
  const table = flows.create(createEnds(dataplane.directory), dataplane.straight);
  const reader = await open(fromOctets(capture, 'test.pcap'), { arena, chunkLength: 1 << 14 });
  const playback = await play(reader, dataplane, [], { flows: table, until: () => last });
  return { dataplane, part: partOf(dataplane, playback, reader.packets, flowSums(table)) };
}

const sharesOf = (of: number): Share[] => Array.from({ length: of }, (_, number) => ({ number, of }));

async function agree(capture: Uint8Array, ruleset: Ruleset, makeLoops: MakeLoops | null, workers: number) {
  const alone = await find(capture, ruleset, null, null);
  const found = await Promise.all(sharesOf(workers).map((share) => find(capture, ruleset, makeLoops, share)));
  const parts = found.map(({ part }) => part);
  assert.is(objection(parts, LIMIT), null);
  const { dataplane } = found[0]!;
  join(dataplane, parts.slice(1));
  const { read, octets, held, verdicts, reasons, notes } = dataplane.counters;
  assert.equal({ read, octets, held, verdicts, reasons, notes }, alone.part.counters);
  assert.equal(parts[0]!.playback, alone.part.playback);
  const sums = flowsOf(parts)!;
  agreeOn(sums.flows, alone.part.flows!.flows);
  assert.is(sums.overflow, alone.part.flows!.overflow);
  for (const cell of dataplane.cells) {
    const other = alone.dataplane.cells[cell.index]!;
    assert.equal(countedTable(cell.filter, cell.earlier), countedTable(other.filter));
  }
  return found.map(({ part: { counters } }) => counters.read);
}

/** `frame` with another packet inside the tunnel. */
function withInner(frame: Uint8Array, packet: Uint8Array): Uint8Array {
  const made = joined(frame.subarray(0, INNER), packet);
  const view = new DataView(made.buffer);
  view.setUint16(16, made.length - 14);
  view.setUint16(38, made.length - 34);
  view.setUint16(24, 0);
  view.setUint16(24, checksum.complement(checksum.sum(view, 14, 34)));
  return made;
}

const swap16 = (packet: Uint8Array, at: number, sum: (view: DataView) => number): void => {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  view.setUint16(at, 0);
  view.setUint16(at, checksum.complement(sum(view)));
};

/** The ICMP error with which the destination of `frame` answers: port unreachable. */
function errorFor(frame: Uint8Array): Uint8Array {
  const quoted = frame.slice(INNER, INNER + 28);
  const packet = joined(quoted.slice(0, 20), Uint8Array.of(3, 3, 0, 0, 0, 0, 0, 0), quoted);
  const view = new DataView(packet.buffer);
  view.setUint16(2, packet.length);
  view.setUint8(9, 1);
  packet.set(quoted.subarray(16, 20), 12);
  packet.set(quoted.subarray(12, 16), 16);
  swap16(packet, 10, (header) => checksum.sum(header, 0, 20));
  swap16(packet, 22, (whole) => checksum.sum(whole, 20, packet.length));
  return withInner(frame, packet);
}

/** `frame` in two fragments of its inner packet. */
function fragmentsOf(frame: Uint8Array, identification: number): Uint8Array[] {
  const header = frame.slice(INNER, INNER + 20);
  const payload = frame.slice(INNER + 20);
  return [payload.subarray(0, 16), payload.subarray(16)].map((part, index) => {
    const packet = joined(header, part);
    const view = new DataView(packet.buffer);
    view.setUint16(2, packet.length);
    view.setUint16(4, identification);
    view.setUint16(6, index === 0 ? 0x2000 : 2);
    swap16(packet, 10, (whole) => checksum.sum(whole, 0, 20));
    return withInner(frame, packet);
  });
}

/** Frames of `packets` as records, some of them odd: errors, fragments, cut ones, others' business, back in time. */
function captureOf(packets: readonly Packet[], random: (below: number) => number, rarity: number): Uint8Array {
  let time = 0;
  const records: Uint8Array[] = [];
  const put = (frame: Uint8Array, captured = frame.length): void => {
    time += 1000;
    const at = [1_700_000_000 + Math.floor(time / 1e6), time % 1e6] as const;
    records.push(pcapRecord(...at, frame.subarray(0, captured), { original: frame.length }));
  };
  for (const [index, packet] of packets.entries()) {
    const frame = frameOf(packet);
    const kind = rarity > 0 && random(rarity) === 0 ? random(6) : -1;
    if (kind === 0) put(errorFor(frame));
    else if (kind === 1) for (const fragment of fragmentsOf(frame, index)) put(fragment);
    else if (kind === 2) put(frame, 60 + random(40));
    else if (kind === 3) put(new Uint8Array(60));
    else if (kind === 4) {
      time = Math.max(0, time - 5e6);
      put(frame);
    } else if (kind === 5) put(fragmentsOf(frame, index)[random(2)]!);
    else put(frame);
  }
  return joined(pcapHeader(), ...records);
}

/** Without what counts packets of all connections together. */
const withoutLimits = (table: Table): Table => ({
  ...table,
  chains: table.chains.map((chain) => ({
    ...chain,
    rules: chain.rules.filter(({ matches }) => !matches.some(({ kind }) => kind === 'limit' || kind === 'hashlimit')),
  })),
});

const body = (makeLoops: MakeLoops | null) => async () => {
  const busy = new Set<number>();
  await checkAsync(
    fc.asyncProperty(
      tables,
      fc.integer(),
      fc.constantFrom(1, 2, 3, 4, 7),
      fc.constantFrom(0, 3, 40),
      fc.boolean(),
      async (table, seed, workers, rarity, plain) => {
        const ruleset = { tables: [plain ? strip(table, -1) : withoutLimits(table)] };
        const capture = captureOf(packetsOn(ruleset, seed), createRandom(seed), rarity);
        const read = await agree(capture, ruleset, makeLoops, workers);
        for (const [number, packets] of read.entries()) if (packets > 0) busy.add(number);
      },
    ),
    60,
  );
  assert.equal([...busy].sort(), [0, 1, 2, 3, 4, 5, 6], 'workers that judged something');
};

loopsTest(test, 'rules and packets of every sort', (makeLoops) => body(makeLoops)());
test('rules and packets of every sort, in TypeScript', body(null));

const ACCEPT = parseRuleset('*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\nCOMMIT\n', {
  file: 'rules',
  unknownMatches: 'error',
}).ruleset;
const PACKET: Packet = {
  source: 0x0aff0204,
  destination: NETWORK + 4,
  protocol: 17,
  ports: [5000, 53],
  flags: 0,
  mark: 1,
};

const why = async (capture: Uint8Array, limit = LIMIT): Promise<string | null> => {
  const found = await Promise.all(sharesOf(2).map((share) => find(capture, ACCEPT, null, share)));
  return objection(
    found.map(({ part }) => part),
    limit,
  );
};

/** The outer packet's first fragment, with the checksum of its header. */
function outerFragment(frame: Uint8Array): Uint8Array {
  const fragment = frame.slice();
  const view = new DataView(fragment.buffer);
  view.setUint16(20, 0x2000);
  view.setUint16(24, 0);
  view.setUint16(24, checksum.complement(checksum.sum(view, 14, 34)));
  return fragment;
}

test('all end behind the packet that is said to be the last', async () => {
  const packets = Array.from({ length: 240 }, (_, index) => ({ ...PACKET, destination: NETWORK + 4 + (index % 3) }));
  const capture = captureOf(packets, createRandom(5), 10);
  for (const last of [1, 100, 201]) {
    const { part: alone } = await find(capture, ACCEPT, null, null, last);
    const found = await Promise.all(sharesOf(3).map((share) => find(capture, ACCEPT, null, share, last)));
    const parts = found.map(({ part }) => part);
    assert.is(alone.counters.read, last);
    assert.is(
      parts.reduce((sum, { counters }) => sum + counters.read, 0),
      last,
    );
    agreeOn(flowsOf(parts)!.flows, alone.flows!.flows);
  }
});

test('a fragment of the tunnel itself is left to one worker', async () => {
  const capture = joined(pcapHeader(), pcapRecord(1_700_000_000, 0, outerFragment(frameOf(PACKET))));
  assert.match((await why(capture))!, /^a fragment of a tunnel/);
});

test('a fragment of an ICMP error is left to one worker', async () => {
  const [first] = fragmentsOf(errorFor(frameOf(PACKET)), 7);
  assert.match((await why(joined(pcapHeader(), pcapRecord(1_700_000_000, 0, first!))))!, /^a fragment of a tunnel/);
});

test('more connections than may be remembered are left to one worker', async () => {
  const records = [4, 5, 6].map((host) =>
    pcapRecord(1_700_000_000, host, frameOf({ ...PACKET, destination: NETWORK + host })),
  );
  const capture = joined(pcapHeader(), ...records);
  assert.is(await why(capture, 3), null);
  assert.is(await why(capture, 2), 'there are more connections than --connections');
});

test('more fragments than a cell keeps, and captures that were not the same, are left to one worker', async () => {
  const capture = joined(pcapHeader(), pcapRecord(1_700_000_000, 0, frameOf(PACKET)));
  const [{ part: one }, { part: other }] = (await Promise.all(
    sharesOf(2).map((share) => find(capture, ACCEPT, null, share)),
  )) as [Found, Found];
  assert.is(objection([one, other], LIMIT), null);
  assert.is(objection([{ ...one, waiting: MEMORY_LIMIT }, other], LIMIT), null);
  assert.match(
    objection(
      [
        { ...one, waiting: MEMORY_LIMIT },
        { ...other, waiting: 1 },
      ],
      LIMIT,
    )!,
    /^more fragments wait/,
  );
  assert.match(objection([one, { ...other, packets: 2 }], LIMIT)!, /^the capture changed/);
});

test('of joined flows the first rows to come keep their packets', () => {
  const flow = (port: number, firstPacket: number): flows.Flow => ({
    sourceKind: 2,
    source: 1,
    destinationKind: 2,
    destination: 2,
    protocol: 6,
    port,
    verdict: 1,
    reason: 0,
    cell: 0,
    rule: firstPacket,
    packets: 2,
    octets: 10,
    connections: 1,
    firstFile: 0,
    firstPacket,
  });
  const some = Array.from({ length: flows.LIMIT }, (_, port) => flow(port, 1 + port * 2));
  const { flows: rows, overflow } = joinFlows([
    { flows: some, overflow: 3 },
    { flows: [flow(0, 2), flow(70_000, 4)], overflow: 0 },
  ]);
  assert.is(rows.length, flows.LIMIT);
  assert.equal(rows[0], { ...flow(0, 1), packets: 4, octets: 20, connections: 2 });
  assert.ok(rows.some(({ port }) => port === 70_000));
  assert.not(
    rows.some(({ port }) => port === flows.LIMIT - 1),
    'the row that came last has no room',
  );
  assert.is(overflow, 3 + 2);
});

test.run();
