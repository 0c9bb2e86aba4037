/** A capture that compiled code plays by itself, burst after burst, leaves behind what TypeScript does row by row. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { open } from '../../src/capture/reader.ts';
import { fromOctets } from '../../src/capture/source.ts';
import type { Dataplane } from '../../src/dataplane/dataplane.ts';
import { plan } from '../../src/foundation/plan.ts';
import { heap, reserve } from '../../src/memory/arena.ts';
import type { MakeLoops } from '../../src/memory/loops.ts';
import { createEnds } from '../../src/replay/ends.ts';
import * as flows from '../../src/replay/flows.ts';
import { type Playback, play } from '../../src/replay/player.ts';
import type { Ruleset } from '../../src/rules/model.ts';
import { checkAsync, join, pcapHeader, pcapRecord } from '../capture/build.ts';
import { connections, counters } from '../dataplane/judged.ts';
import {
  agreeOn,
  CALLERS,
  dataplaneOf,
  FOUNDATION,
  frameOf,
  NETWORK,
  type Packet,
  packetsOn,
  strip,
  UNFLAGGED,
} from '../dataplane/plain-packets.ts';
import { createRandom, tables } from '../support/evaluation.ts';
import { loopsTest } from '../support/loops.ts';

const test = suite('replay: player');

interface Played {
  readonly playback: Playback;
  readonly dataplane: Dataplane;
  /** Null where nobody wanted packets added up by flow. */
  readonly table: flows.FlowTable | null;
  /** Packets that compiled code played by itself. */
  readonly alone: number;
}

/** Play a capture with nobody looking on; `alone` is what the loop `play` dealt with. */
async function playAlone(
  capture: Uint8Array,
  ruleset: Ruleset,
  makeLoops: MakeLoops,
  limit: number,
  wantsFlows: boolean,
): Promise<Played> {
  // An arena of its own: a table of connections takes a good part of what is left of one.
  const arena = reserve(2 ** 28, makeLoops);
  assert.ok(arena !== null);
  const dataplane = dataplaneOf(ruleset, limit, arena);
  // With fronts where nobody wants flows, and without them where somebody does.
  if (!wantsFlows) dataplane.straight!.frontsAfter = 0;
  const table = wantsFlows ? flows.create(createEnds(dataplane.directory), dataplane.straight) : null;
  const reader = await open(fromOctets(capture, 'test.pcap'), { arena, chunkLength: 1 << 16 });
  let alone = 0;
  const { lendTo } = reader;
  const counting: typeof lendTo = (burst, loop) => {
    const before = reader.packets;
    const left = lendTo!(burst, loop);
    alone += reader.packets - before - left;
    return left;
  };
  const source = {
    ...reader,
    lendTo: counting,
    get epochNanoseconds() {
      return reader.epochNanoseconds;
    },
    get packets() {
      return reader.packets;
    },
  };
  const playback = await play(source, dataplane, [], { flows: table });
  return { playback, dataplane, table, alone };
}

/** The same where there is no compiled code. */
async function playPlainly(capture: Uint8Array, ruleset: Ruleset, limit: number): Promise<Omit<Played, 'alone'>> {
  const dataplane = dataplaneOf(ruleset, limit, heap);
  const table = flows.create(createEnds(dataplane.directory));
  const reader = await open(fromOctets(capture, 'test.pcap'));
  const playback = await play(reader, dataplane, [(burst) => flows.add(table, burst)]);
  return { playback, dataplane, table };
}

/** Hold both ways together, with flows and without. Gives how many packets compiled code played by itself. */
async function agree(capture: Uint8Array, ruleset: Ruleset, makeLoops: MakeLoops, limit = 1 << 20): Promise<number> {
  const theirs = await playPlainly(capture, ruleset, limit);
  const mine = await playAlone(capture, ruleset, makeLoops, limit, true);
  same(mine, theirs);
  agreeOn(flows.list(mine.table!), flows.list(theirs.table!));
  assert.is(mine.table!.overflow, theirs.table!.overflow);
  const bare = await playAlone(capture, ruleset, makeLoops, limit, false);
  same(bare, theirs);
  return Math.min(mine.alone, bare.alone);
}

function same(mine: Played, theirs: Omit<Played, 'alone'>): void {
  assert.equal(
    { ...mine.playback, damage: `${mine.playback.damage}` },
    { ...theirs.playback, damage: `${theirs.playback.damage}` },
  );
  assert.equal(connections(mine.dataplane), connections(theirs.dataplane));
  assert.equal(counters(mine.dataplane), counters(theirs.dataplane));
  const { read, octets, held, verdicts, reasons, notes } = theirs.dataplane.counters;
  assert.equal(
    { ...mine.dataplane.counters, place: 0, fresh: 0 },
    { read, octets, held, verdicts, reasons, notes, place: 0, fresh: 0 },
  );
}

/** Frames as records, `step` microseconds apart; where `odd` says so, an hour back, cut short, or of no cell at all. */
function captureOf(packets: readonly Packet[], step: number, odd: (index: number) => number): Uint8Array {
  let time = 0;
  const records = packets.map((packet, index) => {
    const frame = frameOf(packet);
    const kind = odd(index);
    time += step;
    if (kind === 1) time = Math.max(0, time - 3.6e9);
    const at = [1_700_000_000 + Math.floor(time / 1e6), time % 1e6] as const;
    if (kind === 2) return pcapRecord(...at, frame.subarray(0, 60), { original: frame.length });
    if (kind === 3) return pcapRecord(...at, new Uint8Array(60));
    return pcapRecord(...at, frame);
  });
  return join(pcapHeader(), ...records);
}

const oddities = fc.constantFrom(0, 0, 0, 500, 100_000);

/** In one of `rarity` packets, one of three. */
const someOdd = (rarity: number, random: (limit: number) => number) => (): number =>
  rarity > 0 && random(rarity) === 0 ? 1 + random(3) : 0;

loopsTest(test, 'rules and packets of every sort, of which compiled code can do only some', async (makeLoops) => {
  await checkAsync(
    fc.asyncProperty(
      tables,
      fc.constantFrom(-1, -1, 3),
      fc.integer(),
      fc.constantFrom(20, 1 << 20),
      oddities,
      fc.nat({ max: 40 }),
      async (table, keep, seed, limit, rarity, cut) => {
        const ruleset = { tables: [strip(table, keep)] };
        const packets = [seed, seed + 1, seed].flatMap((one) => packetsOn(ruleset, one));
        const capture = captureOf(packets, 1000, someOdd(rarity, createRandom(seed)));
        await agree(capture.subarray(0, capture.length - cut), ruleset, makeLoops, limit);
      },
    ),
    60,
  );
});

/** A packet on the edges of the one policy. */
const planned = (random: (limit: number) => number): Packet => ({
  source: 0x0aff0200 + random(4),
  destination: NETWORK + 4 + random(2),
  protocol: random(4) === 0 ? 17 : 6,
  ports: [30_000 + random(16), [999, 1000, 2000, 2001][random(4)]!],
  // A burst with one of the rare ones is not played by compiled code alone.
  flags: random(400) === 0 ? [2, 4, 17, 18][random(4)]! : 16,
  mark: (random(3) === 0 ? random(150) : CALLERS[random(CALLERS.length)]!) | (random(8) === 0 ? UNFLAGGED : 0),
});

loopsTest(test, 'whole bursts', async (makeLoops) => {
  const ruleset = plan(FOUNDATION, 'b');
  const burstsOf = (random: (limit: number) => number, length: number) => Array.from({ length }, () => planned(random));
  await checkAsync(
    fc.asyncProperty(
      fc.integer(),
      fc.constantFrom(1000, 1_000_000),
      fc.constantFrom(20, 1 << 20),
      oddities,
      fc.nat({ max: 40 }),
      async (seed, step, limit, rarity, cut) => {
        const random = createRandom(seed);
        const capture = captureOf(burstsOf(random, 1500), step, someOdd(rarity, random));
        await agree(capture.subarray(0, capture.length - cut), ruleset, makeLoops, limit);
      },
    ),
    60,
  );
  // How many packets compiled code plays alone depends on the draws above; without oddities it is told of one seed.
  const alone = await agree(
    captureOf(burstsOf(createRandom(7), 20_000), 1000, () => 0),
    ruleset,
    makeLoops,
  );
  assert.ok(alone > 5000, `${alone} packets were played by compiled code alone`);
});

loopsTest(test, 'tables that grow, in bursts of which nobody sees any', async (makeLoops) => {
  const random = createRandom(3);
  const packets = Array.from(
    { length: 60_000 },
    (_, index): Packet => ({
      source: 0x0b000000 + random(index < 30_000 ? 40 : 4000),
      destination: NETWORK + 4,
      protocol: random(3) === 0 ? 17 : 6,
      ports: [4000 + random(20), 1000 + random(index < 20_000 ? 3 : 300)],
      flags: 16,
      mark: random(2),
    }),
  );
  const capture = captureOf(packets, 10, (index) => (index === 50_000 ? 1 : 0));
  const alone = await agree(capture, plan(FOUNDATION, 'b'), makeLoops);
  assert.ok(alone > packets.length / 2, `${alone} of ${packets.length} packets`);
});

test.run();
