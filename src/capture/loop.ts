/**
 * Loop: one source of packets again and again, as one that goes on: each round begins where the one before ended in time, and a pause
 * later.
 */
import type { RecordBurst } from './burst.ts';
import type { RecordSource } from './reader.ts';

export interface LoopOptions {
  /** Rounds in all. */
  readonly rounds: number;
  /** Nanoseconds between the latest packet of a round and the first of the next. */
  readonly pause: number;
  /** Open the source anew. */
  readonly reopen: () => Promise<RecordSource>;
  /** Called before the first packet of each round but the first, which is round 0. */
  readonly onRound: (round: number) => void;
}

/** `first` and what is opened after it. All must have the same packets. */
export function looped(first: RecordSource, { rounds, pause, reopen, onRound }: LoopOptions): RecordSource {
  let source = first;
  let round = 0;
  let before = 0;
  let shift = 0;
  let latest = 0;
  const fill = (burst: RecordBurst): number => {
    const count = source.fill(burst);
    for (let i = 0; i < count; i++) {
      burst.time[i]! += shift;
      if (burst.time[i]! > latest) latest = burst.time[i]!;
    }
    return count;
  };
  const next = async (): Promise<boolean> => {
    round += 1;
    if (round >= rounds || source.packets === 0) return false;
    before += source.packets;
    shift = latest + pause;
    await source.close();
    source = await reopen();
    onRound(round);
    return true;
  };
  return {
    get epochNanoseconds() {
      return first.epochNanoseconds;
    },
    get packets() {
      return before + source.packets;
    },
    fill,
    lendTo: undefined,
    refill: async () => (await source.refill()) || (await next()),
    close: () => source.close(),
  };
}
