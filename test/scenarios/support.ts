/** Replays for tests: what the command does, without the command. */
import { readFileSync } from 'node:fs';
import { openSource } from '../../src/capture/file.ts';
import { open } from '../../src/capture/reader.ts';
import { HELD } from '../../src/dataplane/burst.ts';
import type { Dataplane, Options } from '../../src/dataplane/dataplane.ts';
import { type CellRules, createDataplane } from '../../src/dataplane/setup.ts';
import { REASONS, VERDICT_NAMES } from '../../src/dataplane/verdict.ts';
import type { Foundation } from '../../src/foundation/model.ts';
import { plan } from '../../src/foundation/plan.ts';
import { readFoundation } from '../../src/foundation/read.ts';
import { play } from '../../src/replay/player.ts';

export interface Judged {
  readonly packet: number;
  readonly verdict: string;
  readonly reason: string;
  readonly tag: number;
  readonly mark: number;
  readonly note: number;
}

export const OPTIONS: Options = { vxlanPort: 4789, strictChecksums: false, judged: [], connectionLimit: 1 << 20 };

export const foundationAt = (path: string): Foundation => readFoundation(readFileSync(path, 'utf8'), path);

/** The rules that silk and the agent would write on every cell. */
export const planned = (foundation: Foundation): Map<string, CellRules> =>
  new Map(foundation.cells.map(({ name }) => [name, { ruleset: plan(foundation, name), backend: 'nft' }]));

/** Judge every packet of the capture at `path`, in the order of the capture. */
export async function judgeFile(path: string, dataplane: Dataplane): Promise<Judged[]> {
  const reader = await open(await openSource(path));
  const judged: Judged[] = [];
  const playback = await play(reader, dataplane, [
    (burst) => {
      for (let i = 0; i < burst.records.count; i++) {
        if (burst.verdict[i] === HELD) continue;
        judged.push({
          packet: burst.records.packet[i]!,
          verdict: VERDICT_NAMES[burst.verdict[i]!]!,
          reason: REASONS[burst.reason[i]!]!.code,
          tag: burst.tag[i]!,
          mark: burst.mark[i]!,
          note: burst.note[i]!,
        });
      }
    },
  ]);
  await reader.close();
  if (playback.damage !== null) throw playback.damage;
  return judged.sort((a, b) => a.packet - b.packet);
}

export const judgeWith = (
  path: string,
  foundation: Foundation,
  rules: ReadonlyMap<string, CellRules>,
  options: Partial<Options> = {},
): Promise<Judged[]> => judgeFile(path, createDataplane(foundation, rules, { ...OPTIONS, ...options }));
