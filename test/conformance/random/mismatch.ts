/** A difference between the kernel and tagplane. */
export interface Mismatch {
  /** Which part of tagplane differs: the judge of replays, or the emulated cells. */
  readonly side: 'judge' | 'cells';
  readonly cell: string;
  /** Number of the frame among those of the case, from 0; -1 for counters, which have none. */
  readonly step: number;
  /** What differs: `fate`, `taps`, or `counters of` a rule. */
  readonly subject: string;
  /** What the case calls the frame; empty for counters. */
  readonly what: string;
  readonly kernel: string;
  readonly tagplane: string;
  /** The packet; for counters, those that the rule decided here. */
  readonly packets: readonly Uint8Array[];
}

/** What stays the same of a mismatch while frames around it are left out. */
export const kindOf = ({ side, subject, what }: Mismatch): string =>
  `${side} ${subject.replace(/[0-9]+/g, 'N').replace(/--.*? /, ' ')} ${what.replace(/[0-9.]+/g, 'N')}`;

/** Add one to the count of `name`. */
export const count = (counts: Map<string, number>, name: string, by = 1): void => {
  counts.set(name, (counts.get(name) ?? 0) + by);
};
