/**
 * Player: packets of a capture through the dataplane, burst by burst, at whatever speed the machine has.
 *
 * Observers see every burst after it was judged: first the rows as they stood in the capture (fragments that still wait
 * have verdict HELD), then the fragments that were decided meanwhile, as rows of a burst of their own.
 */
import { dropRows } from '../capture/burst.ts';
import type { RecordSource } from '../capture/reader.ts';
import type { Burst } from '../dataplane/burst.ts';
import * as bursts from '../dataplane/burst.ts';
import { countRead, countVerdicts } from '../dataplane/counters.ts';
import type { Dataplane } from '../dataplane/dataplane.ts';
import { finish, judge } from '../dataplane/judge.ts';
import * as late from '../dataplane/late.ts';
import { countCompiled } from '../dataplane/straight.ts';
import { countRows, rowsBefore, step, type Timeline } from './timeline.ts';

/** Looks at a judged burst before the next one takes its place; a promise is awaited. */
export type Observer = (burst: Burst) => void | Promise<void>;

export interface Playback {
  /** Time of the first and the last packet in nanoseconds since the source's epoch. */
  first: number;
  last: number;
  /** Packets whose time was before that of the packet before them. */
  backwards: number;
  /** What ended the capture early; null when it was read to its end. */
  damage: Error | null;
}

/** Whether to stop at the next burst; asked once per burst. */
export type Stop = () => boolean;

/** What is due when, once the time of the first packet in nanoseconds since `epochNanoseconds` is known. */
export type Plan = (first: number, epochNanoseconds: bigint) => Timeline;

/**
 * Play `source` to its end, or until `stop` says so. A damaged capture is not an error of the player: all whole packets
 * before the damage are judged and observed, then it is handed back in `damage`.
 */
export async function play(
  source: RecordSource,
  dataplane: Dataplane,
  observers: readonly Observer[],
  stop: Stop = () => false,
  plan: Plan | null = null,
): Promise<Playback> {
  const burst = bursts.create(undefined, dataplane.options.arena);
  const lateBurst = bursts.create();
  const playback: Playback = { first: Number.NaN, last: Number.NaN, backwards: 0, damage: null };
  let timeline: Timeline | null = null;
  const observe = async (seen: Burst): Promise<void> => {
    for (const observer of observers) {
      const waiting = observer(seen);
      if (waiting !== undefined) await waiting;
    }
  };
  const observeLate = async (): Promise<void> => {
    while (dataplane.late.length > 0) {
      late.fill(lateBurst, dataplane.late);
      countVerdicts(dataplane.counters, lateBurst, true);
      await observe(lateBurst);
    }
  };
  const judgeBurst = async (): Promise<void> => {
    judge(dataplane, burst);
    if (!countCompiled(dataplane, burst)) {
      countRead(dataplane.counters, burst);
      countVerdicts(dataplane.counters, burst, false);
    }
    followTime(playback, burst);
    if (timeline !== null) countRows(timeline, dataplane, burst);
    await observe(burst);
    if (dataplane.late.length > 0) await observeLate();
  };
  // A burst ends where a change is due: whoever looks at it finds the rules that judged all of it.
  const judgeInParts = async (planned: Plan): Promise<void> => {
    const { records } = burst;
    timeline ??= planned(records.time[0]!, source.epochNanoseconds);
    for (;;) {
      const { count } = records;
      records.count = rowsBefore(timeline, records);
      const judged = records.count;
      if (judged > 0) await judgeBurst();
      if (judged === count) return;
      dropRows(records, judged, count);
      step(timeline, dataplane);
    }
  };
  try {
    while (!stop()) {
      if (source.fill(burst.records) === 0) {
        if (await source.refill()) continue;
        break;
      }
      if (plan === null) await judgeBurst();
      else await judgeInParts(plan);
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    playback.damage = error;
  }
  finish(dataplane);
  await observeLate();
  return playback;
}

function followTime(playback: Playback, burst: Burst): void {
  const { count, time } = burst.records;
  let last = Number.isNaN(playback.last) ? time[0]! : playback.last;
  if (Number.isNaN(playback.first)) playback.first = last;
  for (let i = 0; i < count; i++) {
    if (time[i]! < last) playback.backwards += 1;
    last = time[i]!;
  }
  playback.last = last;
}
