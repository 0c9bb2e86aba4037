/**
 * Locates, matches or judges a capture that is in memory, with the loops of a file of machine code, for `octets.test.ts`.
 *
 *   node lines-program.js LOOPS locate|match|cell CAPTURE FOUNDATION CELL
 *
 * Prints how many packets there were. What the loops count they tell themselves.
 */
import { readFileSync, statSync } from 'node:fs';
import { argv, stdout } from 'node:process';
import { openSource } from '../../src/capture/file.ts';
import { open } from '../../src/capture/reader.ts';
import { loadNative } from '../../src/cli/loops.ts';
import { create as createBurst } from '../../src/dataplane/burst.ts';
import { createMatcher, locateAll, matchAll } from '../../src/dataplane/match.ts';
import { createDataplane } from '../../src/dataplane/setup.ts';
import { plan } from '../../src/foundation/plan.ts';
import { readFoundation } from '../../src/foundation/read.ts';
import { reserve } from '../../src/memory/arena.ts';
import { play } from '../../src/replay/player.ts';

const [loops, work, capture, foundationFile, cell] = argv.slice(2) as [string, string, string, string, string];
const native = loadNative(loops);
if (typeof native === 'string') throw new Error(native);
const arena = reserve(2 ** 29, (memory) => native.bind(memory.buffer));
if (arena === null) throw new Error('no memory for the arena');
const foundation = readFoundation(readFileSync(foundationFile, 'utf8'), foundationFile);
const dataplane = createDataplane(foundation, new Map([[cell, { ruleset: plan(foundation, cell), backend: 'nft' }]]), {
  vxlanPort: foundation.overlay.port,
  strictChecksums: false,
  judged: [cell],
  connectionLimit: 1 << 18,
  arena,
});
// As in a long capture, of which this is the beginning.
dataplane.straight!.frontsAfter = 0;
const burst = createBurst(undefined, arena);
const matcher = createMatcher(dataplane, arena);
const reader = await open(await openSource(capture), { arena, chunkLength: statSync(capture).size + 1 });
if (work === 'locate') await locateAll(reader, matcher, burst, () => {});
else if (work === 'match') await matchAll(reader, matcher, burst);
else await play(reader, dataplane, [], { flows: null });
stdout.write(String(reader.packets));
