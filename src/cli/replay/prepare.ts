/** What a replay works with: a dataplane, the captures as one source of packets, and a table of flows. Each worker has its own. */
import { openSource } from '../../capture/file.ts';
import { merge } from '../../capture/merge.ts';
import { type CaptureReader, open, type RecordSource } from '../../capture/reader.ts';
import type { Dataplane } from '../../dataplane/dataplane.ts';
import { createDataplane } from '../../dataplane/setup.ts';
import type { Share } from '../../dataplane/share.ts';
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
  readonly table: flows.FlowTable | null;
}

/** Address space for everything that grows with the capture; only what is used of it takes memory. */
const ARENA_LIMIT = 2 ** 31;

/** Open the captures of `task` for `share` of their packets, or for all. Throws CaptureError. */
export async function prepare(task: Task, share: Share | null): Promise<Replaying> {
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
  return {
    dataplane,
    source: readers.length === 1 ? readers[0]! : await merge(readers, arena),
    readers,
    table: task.flows ? flows.create(createEnds(dataplane.directory), dataplane.straight, dataplane.cells) : null,
  };
}

async function openCaptures(paths: readonly string[], arena: Arena): Promise<CaptureReader[]> {
  const readers: CaptureReader[] = [];
  for (const [file, path] of paths.entries()) readers.push(await open(await openSource(path), { file, arena }));
  return readers;
}

export function inputsOf({ source, readers }: Replaying, paths: readonly string[]): Inputs {
  return {
    files: paths,
    epochNanoseconds: () => source.epochNanoseconds,
    describe: (file, index) => {
      const described = readers[file]?.interfaces[index];
      const name = described?.name ?? `interface ${index}`;
      return { name: paths.length > 1 ? `${paths[file]}: ${name}` : name, snapLength: described?.snapLength ?? 0 };
    },
  };
}
