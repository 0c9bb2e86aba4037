/** Output: one thing that a replay writes beside its report; what it is told of the captures, and what it can be asked. */
import type { Observer } from '../../replay/player.ts';

export interface OutputOptions {
  /** Paths; `-` is standard output. Undefined where nothing is asked for. */
  readonly verdicts: string | undefined;
  readonly write: string | undefined;
  readonly split: string | undefined;
  readonly kernLog: string | undefined;
  readonly iptablesLog: string | undefined;
  readonly saveCounters: string | undefined;
  /** Verdict lines on standard output. */
  readonly ndjson: boolean;
}

/** The captures that are being read, as outputs need them. */
export interface Inputs {
  readonly files: readonly string[];
  readonly epochNanoseconds: () => bigint;
  /** Which time the captures are read, from 1; null where they are read once. */
  readonly round: () => number | null;
  /** Name and snapshot length of an interface of a file. */
  readonly describe: (file: number, index: number) => { readonly name: string; readonly snapLength: number };
}

export interface Output {
  /** Null for what looks at sums alone. */
  readonly observe: Observer | null;
  /** Let people see what was written so far; left out for what is shown when it is complete. */
  readonly flush?: () => Promise<void>;
  /** Put it under its final name. */
  readonly finish: () => Promise<void>;
  /** Leave nothing behind. */
  readonly abort: () => Promise<void>;
}
