/**
 * Player: packets of a capture through the dataplane, burst by burst, at whatever speed the machine has.
 *
 * Observers see every burst after it was judged: first the rows as they stood in the capture (fragments that still wait
 * have verdict HELD), then the fragments that were decided meanwhile, as rows of a burst of their own.
 */
import { dropRows, type RecordBurst } from '../capture/burst.ts';
import type { RecordSource } from '../capture/reader.ts';
import type { Burst } from '../dataplane/burst.ts';
import * as bursts from '../dataplane/burst.ts';
import { countRead, countVerdicts } from '../dataplane/counters.ts';
import type { Dataplane } from '../dataplane/dataplane.ts';
import { finish, judge } from '../dataplane/judge.ts';
import * as late from '../dataplane/late.ts';
import { keepShare } from '../dataplane/share.ts';
import { countCompiled, playBursts } from '../dataplane/straight.ts';
import { add, type FlowTable } from './flows.ts';
import type { Gate } from './pacing.ts';
import { countRows, rowsBefore, step, type Timeline } from './timeline.ts';

/** Looks at a judged burst before the next one takes its place; a promise is awaited. */
export type Observer = (burst: Burst) => void | Promise<void>;

/** What has to be awaited, if anything: a burst that nothing waits for makes no promise. */
type Waiting = Promise<void> | undefined;

export interface Playback {
  /** Time of the first and the last packet in nanoseconds since the source's epoch. */
  first: number;
  last: number;
  /** Packets whose time was before that of the packet before them. */
  backwards: number;
  /** What ended the capture early; null when it was read to its end. */
  damage: Error | null;
  /** Packets that were read when one came that cannot be given to one worker; what was judged then means nothing. Else null. */
  indivisible: number | null;
}

/** Whether to stop; asked once per burst, or where compiled code plays bursts by itself once per chunk of the capture. */
export type Stop = () => boolean;

/** What is due when, once the time of the first packet in nanoseconds since `epochNanoseconds` is known. */
export type Plan = (first: number, epochNanoseconds: bigint) => Timeline;

export interface PlayOptions {
  /** Where packets are added up by flow, before observers see them. */
  readonly flows?: FlowTable | null;
  readonly stop?: Stop;
  readonly plan?: Plan | null;
  /** Lets packets go; without one they go as fast as they can. */
  readonly gate?: Gate | null;
  /** The packet that is played last, counted from 1 over the whole source; asked as often as `stop`. None when left out. */
  readonly until?: () => number;
}

/**
 * Play `source` to its end, or until `stop` says so. A damaged capture is not an error of the player: all whole packets
 * before the damage are judged and observed, then it is handed back in `damage`.
 */
export async function play(
  source: RecordSource,
  dataplane: Dataplane,
  observers: readonly Observer[],
  {
    flows = null,
    stop = () => false,
    plan = null,
    gate = null,
    until = () => Number.POSITIVE_INFINITY,
  }: PlayOptions = {},
): Promise<Playback> {
  const burst = bursts.create(undefined, dataplane.options.arena);
  const lateBurst = bursts.create();
  const { records } = burst;
  const playback: Playback = { first: Number.NaN, last: Number.NaN, backwards: 0, damage: null, indivisible: null };
  let timeline: Timeline | null = null;
  const observe = (seen: Burst): Waiting => {
    if (flows !== null) add(flows, seen);
    return observeFrom(observers, 0, seen);
  };
  const observeLate = async (): Promise<void> => {
    while (dataplane.late.length > 0) {
      late.fill(lateBurst, dataplane.late);
      countVerdicts(dataplane.counters, lateBurst, true);
      await observe(lateBurst);
    }
  };
  const judgeBurst = (judged = 0): Waiting => {
    judge(dataplane, burst, judged);
    if (!countCompiled(dataplane, burst)) {
      countRead(dataplane.counters, burst);
      countVerdicts(dataplane.counters, burst, false);
    }
    if (timeline !== null) countRows(timeline, dataplane, burst);
    const waiting = observe(burst);
    if (dataplane.late.length === 0) return waiting;
    return waiting === undefined ? observeLate() : waiting.then(observeLate);
  };
  // A burst ends where a change is due: whoever looks at it finds the rules that judged all of it.
  const judgeInParts = async (planned: Plan): Promise<void> => {
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
  const judgeAll = (judged: number): Waiting => (plan === null ? judgeBurst(judged) : judgeInParts(plan));
  // What was not let go when the replay stops was never there.
  const judgeReleased = async (opened: Gate): Promise<void> => {
    for (let left = records.count; left > 0; records.count = left) {
      const released = opened.release(records);
      if (released > 0) {
        records.count = released;
        followTime(playback, records);
        await judgeAll(0);
        dropRows(records, released, left);
        left -= released;
      } else if (stop()) return;
      else await opened.wait();
    }
  };
  // Nobody looks at bursts, nothing holds packets back, and no rules change between them: then compiled code may play them by itself.
  const isAlone = observers.length === 0 && plan === null && gate === null;
  const { share = null } = dataplane.options;
  try {
    while (!stop()) {
      const last = until();
      if (source.packets >= last) break;
      records.count = 0;
      const judged =
        isAlone && last === Number.POSITIVE_INFINITY ? playAhead(playback, dataplane, burst, source, flows) : 0;
      if (records.count === 0) {
        if (source.fill(records) === 0) {
          if (await source.refill()) continue;
          break;
        }
        records.count -= Math.max(source.packets - last, 0);
        if (gate === null) followTime(playback, records);
      }
      if (share !== null && judged === 0 && !keepShare(dataplane, records, share)) {
        playback.indivisible = source.packets;
        break;
      }
      if (records.count === 0) continue;
      const waiting = gate === null ? judgeAll(judged) : judgeReleased(gate);
      if (waiting !== undefined) await waiting;
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    playback.damage = error;
  }
  finish(dataplane);
  await observeLate();
  return playback;
}

/** Show `burst` to the observers from number `first` on, one after the other. */
function observeFrom(observers: readonly Observer[], first: number, burst: Burst): Waiting {
  for (let index = first; index < observers.length; index++) {
    const waiting = observers[index]!(burst);
    if (waiting !== undefined) return waiting.then(() => observeFrom(observers, index + 1, burst));
  }
  return undefined;
}

/**
 * Let compiled code play what it can of what is in memory. Leaves a burst that is judged in part, or none, and gives how many of its
 * rows are judged.
 */
function playAhead(
  playback: Playback,
  dataplane: Dataplane,
  burst: Burst,
  source: RecordSource,
  flows: FlowTable | null,
): number {
  const { records } = burst;
  const judged = playBursts(dataplane, burst, source, flows);
  if (judged < 0) return 0;
  // Compiled code goes no further than where time goes forward, and begins behind the first packet.
  playback.last = dataplane.straight!.lastTime;
  return records.count > 0 ? judged : 0;
}

function followTime(playback: Playback, { count, time }: RecordBurst): void {
  let last = Number.isNaN(playback.last) ? time[0]! : playback.last;
  if (Number.isNaN(playback.first)) playback.first = last;
  for (let i = 0; i < count; i++) {
    if (time[i]! < last) playback.backwards += 1;
    last = time[i]!;
  }
  playback.last = last;
}
