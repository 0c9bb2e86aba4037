/** What a replay works with: a dataplane, the captures as one source of packets, and a table of flows. Each worker has its own. */
import { openSource } from '../../capture/file.ts';
import { looped } from '../../capture/loop.ts';
import { merge } from '../../capture/merge.ts';
import { type CaptureReader, open, type RecordSource } from '../../capture/reader.ts';
import type { Dataplane } from '../../dataplane/dataplane.ts';
import { createDataplane } from '../../dataplane/setup.ts';
import type { Share } from '../../dataplane/share.ts';
import { enterZone } from '../../dataplane/zone.ts';
import { type Arena, heap, reserve } from '../../memory/arena.ts';
import { createEnds } from '../../replay/ends.ts';
import * as flows from '../../replay/flows.ts';
import { chooseLoops } from '../loops.ts';
import type { Sources } from '../sources/options.ts';
import type { Inputs } from './output.ts';

/** What is to be replayed, and how: plain data, which can be sent to a thread. */
export interface Task {
  readonly captures: readonly string[];
  readonly sources: Sources;
  readonly strictChecksums: boolean;
  readonly tcpWindows: boolean;
  /** Most connections to remember. */
  readonly connections: number;
  readonly keepLogs: boolean;
  /** Whether packets are added up by flow. */
  readonly flows: boolean;
}

export interface Replaying {
  readonly dataplane: Dataplane;
  readonly source: RecordSource;
  readonly readers: readonly CaptureReader[];
  /** Which time the captures are read, from 1. */
  readonly round: () => number;
  readonly table: flows.FlowTable | null;
}

/** Address space for everything that grows with the capture; only what is used of it takes memory. */
const ARENA_LIMIT = 2 ** 31;

/** Between two rounds: fragments that still wait are given up meanwhile, as at the end of a capture. */
const PAUSE_NANOSECONDS = 31e9;

/** Open the captures of `task` for `share` of their packets, or for all, to be read `rounds` times. Throws CaptureError. */
export async function prepare(task: Task, share: Share | null, rounds = 1): Promise<Replaying> {
  const { sources, captures } = task;
  const arena = reserve(ARENA_LIMIT, chooseLoops(process.env)) ?? heap;
  const dataplane = createDataplane(sources.foundation, sources.rules, {
    vxlanPort: sources.foundation.overlay.port,
    strictChecksums: task.strictChecksums,
    windows: task.tcpWindows,
    connectionLimit: task.connections,
    judged: sources.cells,
    arena,
    keepLogs: task.keepLogs,
    ...(share === null ? {} : { share }),
  });
  const readers = await openCaptures(captures, arena);
  const first = await sourceOf(readers, arena);
  let round = 1;
  const onRound = (number: number): void => {
    round = number + 1;
    enterZone(dataplane, number);
  };
  const reopen = async (): Promise<RecordSource> => sourceOf(await openCaptures(captures, arena), arena);
  return {
    dataplane,
    source: rounds === 1 ? first : looped(first, { rounds, pause: PAUSE_NANOSECONDS, reopen, onRound }),
    readers,
    round: () => round,
    table: task.flows ? flows.create(createEnds(dataplane.directory), dataplane.straight, dataplane.cells) : null,
  };
}

const sourceOf = async (readers: CaptureReader[], arena: Arena): Promise<RecordSource> =>
  readers.length === 1 ? readers[0]! : merge(readers, arena);

async function openCaptures(paths: readonly string[], arena: Arena): Promise<CaptureReader[]> {
  const readers: CaptureReader[] = [];
  for (const [file, path] of paths.entries()) readers.push(await open(await openSource(path), { file, arena }));
  return readers;
}

export function inputsOf({ source, readers, round }: Replaying, paths: readonly string[], rounds: number): Inputs {
  return {
    files: paths,
    epochNanoseconds: () => source.epochNanoseconds,
    round: () => (rounds === 1 ? null : round()),
    describe: (file, index) => {
      const described = readers[file]?.interfaces[index];
      const name = described?.name ?? `interface ${index}`;
      return { name: paths.length > 1 ? `${paths[file]}: ${name}` : name, snapLength: described?.snapLength ?? 0 };
    },
  };
}
