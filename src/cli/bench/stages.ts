/**
 * Stages of a replay, each with all before it, and what they take on this machine, with these rules and this traffic.
 *
 * Every pass builds everything anew. Time is that of the clock from the first octet read to the last packet counted, and CPU time of the
 * process meanwhile, in which V8's own threads are as well.
 */
import { create as createRecords } from '../../capture/burst.ts';
import { create as createBurst } from '../../dataplane/burst.ts';
import { countRead, countVerdicts } from '../../dataplane/counters.ts';
import { judge } from '../../dataplane/judge.ts';
import { createMatcher, matchAll } from '../../dataplane/match.ts';
import { countCompiled } from '../../dataplane/straight.ts';
import { BY } from '../../replay/pacing.ts';
import { type Playback, play } from '../../replay/player.ts';
import { EXIT, exitCodeOf } from '../exit.ts';
import { openGate } from '../replay/pace.ts';
import { prepare, type Replaying, type Task } from '../replay/prepare.ts';

export const STAGES = ['records', 'rules', 'verdicts', 'report'] as const;
export type Stage = (typeof STAGES)[number];

/** What stages are, for people. */
export const ABOUT: Readonly<Record<Stage, string>> = {
  records: 'octets read, records located',
  rules: 'and every packet matched by itself',
  verdicts: 'records, judged with connections, and counted',
  report: 'and added up by flow, as a report needs it',
};

/** One pass; times in nanoseconds. */
export interface Pass {
  readonly wall: number;
  readonly cpu: number;
  readonly packets: number;
  readonly octets: number;
}

async function timed(task: Task, work: (replaying: Replaying) => Promise<void>): Promise<Pass> {
  const replaying = await prepare(task, null);
  try {
    const before = process.cpuUsage();
    const began = process.hrtime.bigint();
    await work(replaying);
    const wall = Number(process.hrtime.bigint() - began);
    const { user, system } = process.cpuUsage(before);
    const { packets } = replaying.source;
    return { wall, cpu: (user + system) * 1000, packets, octets: replaying.dataplane.counters.octets };
  } finally {
    await replaying.source.close();
  }
}

/** A capture that is damaged is no good for measuring. */
function requireWhole({ damage }: Playback): void {
  if (damage !== null) throw damage;
}

async function readAll({ source }: Replaying): Promise<void> {
  const records = createRecords();
  do while (source.fill(records) > 0);
  while (await source.refill());
}

const playAll = async ({ source, dataplane, table }: Replaying): Promise<void> =>
  requireWhole(await play(source, dataplane, [], { flows: table }));

/** Run `stage` once. */
export function runStage(stage: Stage, task: Task): Promise<Pass> {
  switch (stage) {
    case 'records':
      return timed(task, readAll);
    case 'rules':
      return timed(task, async ({ source, dataplane }) => {
        const { arena } = dataplane.options;
        await matchAll(source, createMatcher(dataplane, arena), createBurst(undefined, arena));
      });
    case 'verdicts':
      return timed({ ...task, flows: false }, playAll);
    default:
      return timed({ ...task, flows: true }, playAll);
  }
}

/** Nanoseconds that each burst of up to 256 packets takes to be judged and counted. */
export async function burstTimes(task: Task): Promise<number[]> {
  const { source, dataplane } = await prepare({ ...task, flows: false }, null);
  const burst = createBurst(undefined, dataplane.options.arena);
  const times: number[] = [];
  do {
    for (let count = source.fill(burst.records); count > 0; count = source.fill(burst.records)) {
      const began = performance.now();
      judge(dataplane, burst);
      if (!countCompiled(dataplane, burst)) {
        countRead(dataplane.counters, burst);
        countVerdicts(dataplane.counters, burst, false);
      }
      times.push((performance.now() - began) * 1e6);
      dataplane.late.length = 0;
    }
  } while (await source.refill());
  await source.close();
  return times;
}

/** Rounds that no trial comes to the end of. */
const ENDLESS = 1e9;

/**
 * Whether packets that come at `rate` a second for `seconds` seconds, the capture as often as that takes, never fill a ring of `ring`
 * packets: none waits for longer than the ring takes to fill.
 */
export async function keepsPace(task: Task, rate: number, seconds: number, ring: number): Promise<boolean> {
  const { source, dataplane } = await prepare({ ...task, flows: false }, null, ENDLESS);
  const overflows = (): boolean => (gate.pacing.worst / 1e9) * rate > ring;
  const isDone = (): boolean => gate.pacing.packets >= rate * seconds || overflows();
  const gate = openGate({ by: BY.PACKETS, rate }, { stop: isDone, whenStopped: async () => {}, flush: async () => {} });
  const playback = await play(source, dataplane, [], { gate, stop: isDone });
  await source.close();
  if (playback.damage !== null && exitCodeOf(playback.damage) !== EXIT.INPUT) throw playback.damage;
  return !overflows();
}
