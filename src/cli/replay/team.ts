/**
 * Team: the workers of a replay beside the first one, which is the main thread, each in a thread of its own.
 */
import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Part } from '../../replay/join.ts';
import type { Rule, Ruleset } from '../../rules/model.ts';
import type { Task } from './prepare.ts';
import { attend, callMeeting, createMeeting, type Rendezvous } from './rendezvous.ts';
import type { Assignment } from './worker.ts';

export interface Team {
  readonly rendezvous: Rendezvous;
  /** Let all workers stop behind the same packet. */
  readonly stop: () => void;
  /** Whether a worker ended with an error. */
  readonly hasFailed: () => boolean;
  /** What the others found, once they are done. Throws the error of one that failed. */
  readonly parts: () => Promise<Part[]>;
  /** End those that are still at work. */
  readonly end: () => Promise<void>;
}

/** Start workers 1 to `size` - 1 of `size` on `task`. */
export function startTeam(task: Task, size: number): Team {
  const meeting = createMeeting(size);
  let failed = false;
  const threads = Array.from({ length: size - 1 }, (_, index) => {
    const assignment: Assignment = { task, share: { number: index + 1, of: size }, meeting };
    return new Worker(new URL('./worker.js', import.meta.url), { workerData: assignment });
  });
  const answers = threads.map(
    (thread) =>
      new Promise<Part>((resolve, reject) => {
        thread.once('message', resolve);
        thread.once('error', reject);
        thread.once('exit', (code) => reject(new Error(`a worker ended with ${code} and no answer`)));
      }),
  );
  for (const answer of answers) {
    answer.catch(() => {
      failed = true;
    });
  }
  return {
    rendezvous: attend(meeting, 0),
    stop: () => callMeeting(meeting),
    hasFailed: () => failed,
    parts: () => Promise.all(answers),
    end: async () => {
      await Promise.all(threads.map((thread) => thread.terminate()));
    },
  };
}

/** Workers at most, however many are asked for. */
const MOST_WORKERS = 64;

/** The number of workers that `--workers` means; `all` is one for each processor. */
export const workersOf = (given: number): number =>
  Math.min(given === Number.POSITIVE_INFINITY ? availableParallelism() : given, MOST_WORKERS);

/** What of a replay has one order, or is there once: then one worker has to do it. */
export interface Demands {
  /** Whether something is written for each packet. */
  readonly eachPacket: boolean;
  /** Whether the counters of rules are written. */
  readonly counters: boolean;
  readonly changes: boolean;
  readonly isPaced: boolean;
}

/** Why `task` cannot be shared; null when it can. */
export function whyAlone(
  { captures, sources }: Task,
  { eachPacket, counters, changes, isPaced }: Demands,
): string | null {
  if (captures.length > 1) return 'several captures are merged in one order';
  if (!captures.every(isFile)) return `${captures[0] === '-' ? 'standard input' : captures[0]} can be read only once`;
  if (eachPacket) return 'what is written for each packet has one order';
  if (isPaced) return 'packets come one after the other in their time';
  if (changes) return 'rules change while packets flow';
  const limiting = [...sources.rules].find(([, { ruleset }]) => hasLimits(ruleset, counters));
  return limiting === undefined ? null : `rules of ${limiting[0]} count in a limit what many connections send`;
}

/** Another worker can open it anew. What is not there is told by whoever opens it. */
export function isFile(path: string): boolean {
  if (path === '-') return false;
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? true;
}

/**
 * Whether what many connections send together decides about one of them. A limit in front of LOG decides only about a line, and how
 * often the rule counts.
 */
const hasLimits = ({ tables }: Ruleset, counters: boolean): boolean =>
  tables.some(
    ({ name, chains }) =>
      name === 'filter' &&
      chains.some(({ rules }) => rules.some((rule) => isLimited(rule) && (counters || !isNote(rule)))),
  );

const isLimited = ({ matches }: Rule): boolean => matches.some(({ kind }) => kind === 'limit' || kind === 'hashlimit');

const isNote = ({ target }: Rule): boolean => ['LOG', 'NFLOG', 'none'].includes(target.kind);
