/**
 * One stage of the receiving cell, and all before it, in a process of its own, for `stages.bench.ts`.
 *
 *   node stages-once.js STAGE CAPTURE FOUNDATION CELL [ROUNDS]
 *
 * Prints a line of JSON: CPU nanoseconds per packet of every round, of the thread that does the work.
 */
import { readFileSync } from 'node:fs';
import { create as createRecords, type RecordBurst } from '../src/capture/burst.ts';
import { openSource } from '../src/capture/file.ts';
import { type CaptureReader, open } from '../src/capture/reader.ts';
import { create as createBurst } from '../src/dataplane/burst.ts';
import { countRead, countVerdicts } from '../src/dataplane/counters.ts';
import type { Options } from '../src/dataplane/dataplane.ts';
import { createEmulation } from '../src/dataplane/emulate/create.ts';
import { finish, inject, tapNamed } from '../src/dataplane/emulate/journey.ts';
import { judge } from '../src/dataplane/judge.ts';
import { createDataplane } from '../src/dataplane/setup.ts';
import { countCompiled } from '../src/dataplane/straight.ts';
import { plan } from '../src/foundation/plan.ts';
import { readFoundation } from '../src/foundation/read.ts';
import { heap, reserve } from '../src/memory/arena.ts';
import { createEnds } from '../src/replay/ends.ts';
import * as flows from '../src/replay/flows.ts';
import { locate } from '../src/wire/layers.ts';
import * as stack from '../src/wire/stack.ts';
import { quiet, threadNanoseconds } from './measure.ts';

const [stage, capture, foundationFile, cell, rounds = '1'] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string?,
];
const foundation = readFoundation(readFileSync(foundationFile, 'utf8'), foundationFile);
const rules = new Map([[cell, { ruleset: plan(foundation, cell), backend: 'nft' as const }]]);
const arena = reserve(2 ** 31) ?? heap;
const vxlanPort = foundation.overlay.port;

type Work = (records: RecordBurst) => void;

const dataplaneWith = (options: Partial<Options>): ReturnType<typeof createDataplane> =>
  createDataplane(foundation, rules, {
    vxlanPort,
    strictChecksums: false,
    judged: [cell],
    connectionLimit: 1 << 22,
    ...options,
  });

/** What is done with each burst of records. */
const STAGES: Readonly<Record<string, () => Work>> = {
  /** Records located, octets read. */
  read: () => () => {},
  /** Every layer of the outer and the inner packet located, by the general code. */
  layers: () => {
    const layers = stack.create();
    return ({ view, at, end, originalLength, linkType, count }) => {
      for (let i = 0; i < count; i++) {
        locate(view, at[i]!, end[i]!, at[i]! + originalLength[i]!, linkType[i]!, vxlanPort, layers);
      }
    };
  },
  judge: () => judging({ arena }, false),
  flows: () => judging({ arena }, true),
  /** The same in TypeScript: without compiled code, and without the straight way. */
  typescript: () => judging({}, true),
  general: () => judging({ strictChecksums: true }, true),
  windows: () => judging({ windows: true }, true),
  emulate: emulating,
};

function judging(options: Partial<Options>, adds: boolean): Work {
  const dataplane = dataplaneWith(options);
  const burst = createBurst(undefined, options.arena);
  const table = flows.create(createEnds(dataplane.directory), dataplane.straight);
  return (records) => {
    Object.assign(burst, { records });
    judge(dataplane, burst);
    if (!adds) return;
    if (!countCompiled(dataplane, burst)) {
      countRead(dataplane.counters, burst);
      countVerdicts(dataplane.counters, burst, false);
    }
    flows.add(table, burst);
  };
}

/** Frames come in at the cell's underlay and leave at its containers. */
function emulating(): Work {
  const dataplane = dataplaneWith({ windows: true });
  const macs = new Map(foundation.cells.map(({ underlay }, index) => [underlay, 0x4201_0a00_0001 + index]));
  const emulation = createEmulation(
    dataplane,
    {
      underlayMtu: 1500,
      mtus: new Map(),
      partialChecksums: false,
      underlayPrefixLength: 24,
      gateway: 0,
      icmpLimits: { ratelimitMilliseconds: 1000, ratemask: 6168, messagesPerSecond: 1000, messagesBurst: 50 },
      nat: true,
      underlayMacs: macs,
    },
    {
      draws: { identification: () => 1, sourcePort: () => 50_000, credit: () => 0 },
      observer: { passed: () => {}, ended: () => {} },
    },
  );
  const device = tapNamed(emulation, `${cell}/eth0`);
  return ({ octets, at, end, time, count }) => {
    for (let i = 0; i < count; i++) inject(emulation, device, octets.subarray(at[i], end[i]), time[i]!);
    finish(emulation);
  };
}

async function run(reader: CaptureReader, work: Work): Promise<number> {
  const records = createRecords(arena);
  let packets = 0;
  for (;;) {
    const count = reader.fill(records);
    if (count === 0 && !(await reader.refill())) return packets;
    if (count === 0) continue;
    packets += count;
    work(records);
  }
}

const nanoseconds: number[] = [];
for (let round = 0; round < Number(rounds); round++) {
  const work = STAGES[stage]!();
  const reader = await open(await openSource(capture), { arena });
  await quiet();
  const before = threadNanoseconds();
  const packets = await run(reader, work);
  nanoseconds.push((threadNanoseconds() - before) / packets);
  await reader.close();
}
process.stdout.write(`${JSON.stringify({ nanoseconds })}\n`);
