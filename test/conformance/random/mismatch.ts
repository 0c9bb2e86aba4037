/** A difference between the kernel and tagplane. */
export interface Mismatch {
  readonly cell: string;
  /** Number of the frame among those of the case, from 0; -1 for counters, which have none. */
  readonly step: number;
  /** What differs. */
  readonly subject: string;
  readonly kernel: string;
  readonly tagplane: string;
  /** The packet; for counters, those that the rule decided here. */
  readonly packets: readonly Uint8Array[];
}
