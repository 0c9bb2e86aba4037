/**
 * What one way of dealing with packets holds and leaves behind, for `heap.test.ts`, which runs it in processes of its own.
 *
 *   node --expose-gc heap-program.js WORK PACKETS
 *
 * Prints a line of JSON (`Measured`). Nothing is measured during the first WARM_UP packets: code is compiled meanwhile, and tables
 * fill until they turn over. TAGPLANE_LOOPS in the environment chooses what runs the inner loops.
 */
import { argv, env, memoryUsage, stdout } from 'node:process';
import { chooseLoops } from '../../src/cli/loops.ts';
import { createEmulation } from '../../src/dataplane/emulate/create.ts';
import { inject, tapNamed } from '../../src/dataplane/emulate/journey.ts';
import * as library from '../../src/index.ts';
import { FOUNDATION } from '../dataplane/plain-packets.ts';
import { createTraffic, type Kinds, type Traffic } from './heap-traffic.ts';

/** What `heap.test.ts` reads. All but packets and collections in octets. */
export interface Measured {
  /** Packets that were measured. */
  readonly packets: number;
  /** Those that the work has counted itself, from the first, less those that the traffic has handed out. */
  readonly missing: number;
  /** By how much the heap has grown, all garbage removed, and by how much buffers outside of it. */
  readonly held: number;
  readonly heldOutside: number;
  /** By how much the room of the arena has shrunk. */
  readonly placed: number;
  /** What was allocated on the heap meanwhile. */
  readonly allocated: number;
  readonly collections: number;
}

const WARM_UP = 1_500_000;
/** Fresh conversations fill a table of this size long before the warm-up is over. */
const CONNECTIONS = 1 << 14;
const ARENA = 2 ** 28;

type Allocated = Pick<Measured, 'allocated' | 'collections'>;

/**
 * Adds up what is allocated from one look to the next. Where the heap has become smaller in between, it was collected: the little that was
 * allocated since the last look goes uncounted.
 */
function createMeter(): { readonly look: () => void; readonly allocated: Allocated } {
  const allocated = { allocated: 0, collections: 0 };
  let last = memoryUsage().heapUsed;
  const look = (): void => {
    const { heapUsed } = memoryUsage();
    if (heapUsed < last) allocated.collections += 1;
    else allocated.allocated += heapUsed - last;
    last = heapUsed;
  };
  return { look, allocated };
}

/** What is in use when all garbage is gone. */
function inUse(): { readonly heapUsed: number; readonly external: number } {
  for (let round = 0; round < 3; round++) globalThis.gc!();
  return memoryUsage();
}

/** Does all of the work on `traffic`. Gives the packets that it counted. */
type Work = (traffic: Traffic, arena: library.Arena) => Promise<number>;

interface Way {
  readonly kinds: Kinds;
  readonly work: Work;
}

const dataplaneOf = (
  options: Partial<library.DataplaneOptions>,
  judged: readonly string[] = ['b'],
): library.Dataplane =>
  library.createDataplane(
    FOUNDATION,
    new Map(judged.map((cell) => [cell, { ruleset: library.plan(FOUNDATION, cell), backend: 'nft' }])),
    { vxlanPort: FOUNDATION.overlay.port, strictChecksums: false, judged, connectionLimit: CONNECTIONS, ...options },
  );

interface Asked {
  readonly options?: Partial<library.DataplaneOptions>;
  readonly flows?: boolean;
  readonly observers?: readonly library.Observer[];
}

const playing =
  ({ options = {}, flows = true, observers = [] }: Asked = {}): Work =>
  async (traffic, arena) => {
    const dataplane = dataplaneOf({ arena, ...options });
    const table = flows ? library.createFlows(library.createEnds(dataplane.directory), dataplane.straight) : null;
    const reader = await library.open(traffic, { arena });
    const { damage } = await library.play(reader, dataplane, observers, { flows: table });
    if (damage !== null) throw damage;
    return dataplane.counters.read;
  };

const matching: Work = async (traffic, arena) => {
  const dataplane = dataplaneOf({ arena });
  const reader = await library.open(traffic, { arena });
  await library.matchAll(reader, library.createMatcher(dataplane, arena), library.createBurst(undefined, arena));
  return dataplane.counters.read;
};

/** Last octet of the Ethernet destination, which is that of the underlay address of one of the two cells. */
const CELL_OCTET = 5;
const CELL_B = 0x66;

/** Octet for octet through the cell that each frame goes to, and on to wherever it goes from there. */
const emulating: Work = async (traffic, arena) => {
  const reader = await library.open(traffic, { arena });
  const records = library.createRecordBurst(arena);
  const emulation = createEmulation(
    dataplaneOf({ arena, windows: true }, ['a', 'b']),
    {
      underlayMtu: 1500,
      mtus: new Map(),
      partialChecksums: false,
      underlayPrefixLength: 24,
      gateway: 0,
      icmpLimits: { ratelimitMilliseconds: 1000, ratemask: 6168, messagesPerSecond: 1000, messagesBurst: 50 },
      nat: true,
      underlayMacs: new Map(FOUNDATION.cells.map(({ underlay }) => [underlay, 0x4201_0000_0000 + underlay])),
    },
    {
      draws: { identification: () => 1, sourcePort: () => 50_000, credit: () => 0 },
      observer: { passed: () => {}, ended: () => {} },
    },
  );
  const taps = [tapNamed(emulation, 'a/eth0'), tapNamed(emulation, 'b/eth0')] as const;
  do {
    while (reader.fill(records) > 0) {
      const { octets, at, end, time, count } = records;
      for (let i = 0; i < count; i++) {
        const tap = taps[octets[at[i]! + CELL_OCTET] === CELL_B ? 1 : 0];
        inject(emulation, tap, octets.subarray(at[i], end[i]), time[i]!);
      }
    }
  } while (await reader.refill());
  return reader.packets;
};

const seen = new Float64Array(256);
const look: library.Observer = ({ records, verdict }) => {
  for (let i = 0; i < records.count; i++) seen[verdict[i]!]! += 1;
};

const WAYS: Readonly<Record<string, Way>> = {
  /** What compiled code plays by itself where it is there: with and without flows. */
  flows: { kinds: 'known', work: playing() },
  verdicts: { kinds: 'known', work: playing({ flows: false }) },
  /** A table that is full all the time. */
  fresh: { kinds: 'plain', work: playing() },
  /** Packets of every kind, so that TypeScript has to go on with most bursts. */
  mixed: { kinds: 'mixed', work: playing() },
  observed: { kinds: 'mixed', work: playing({ observers: [look] }) },
  checksums: { kinds: 'mixed', work: playing({ options: { strictChecksums: true } }) },
  windows: { kinds: 'mixed', work: playing({ options: { windows: true } }) },
  matched: { kinds: 'mixed', work: matching },
  emulated: { kinds: 'mixed', work: emulating },
};

async function measure({ kinds, work }: Way, wanted: number): Promise<Measured> {
  const arena = library.reserve(ARENA, chooseLoops(env)) ?? library.heap;
  const meter = createMeter();
  let rounds = 0;
  let result: Omit<Measured, 'missing'> | null = null;
  let before = { heapUsed: 0, external: 0, spare: 0 };
  const isOver = (isRound: boolean): boolean => {
    meter.look();
    if (!isRound) return false;
    const warm = Math.ceil(WARM_UP / traffic.packets);
    const measured = Math.ceil(wanted / traffic.packets);
    if (rounds === warm) {
      before = { ...inUse(), spare: arena.spare() };
      meter.look();
      Object.assign(meter.allocated, { allocated: 0, collections: 0 });
    } else if (rounds === warm + measured) {
      const { allocated, collections } = meter.allocated;
      const { heapUsed, external } = inUse();
      result = {
        packets: measured * traffic.packets,
        held: heapUsed - before.heapUsed,
        heldOutside: external - before.external,
        placed: (before.spare - arena.spare()) * 4,
        allocated,
        collections,
      };
      return true;
    }
    rounds += 1;
    return false;
  };
  const traffic = createTraffic(kinds, isOver);
  const counted = await work(traffic, arena);
  return { ...result!, missing: rounds * traffic.packets - counted };
}

const [way, wanted] = argv.slice(2) as [string, string];
stdout.write(`${JSON.stringify(await measure(WAYS[way]!, Number(wanted)))}\n`);
