/**
 * Rendezvous: where several workers agree on the packet that they stop behind, so that an interrupted replay ends for all of
 * them at the same one. Each says how far it is and waits for the others; the furthest of them is where all go.
 */

/** What they share, as messages carry it. */
export interface Meeting {
  readonly words: Int32Array<SharedArrayBuffer>;
  /** Packets that each worker has read. */
  readonly packets: BigInt64Array<SharedArrayBuffer>;
}

const STOP = 0;
const ARRIVED = 1;

/** Longest wait for another worker's answer; it asks between two chunks of a file. */
const PATIENCE_MILLISECONDS = 10_000;

export const createMeeting = (workers: number): Meeting => ({
  words: new Int32Array(new SharedArrayBuffer(8)),
  packets: new BigInt64Array(new SharedArrayBuffer(workers * 8)),
});

/** Ask all workers to stop. */
export const callMeeting = ({ words }: Meeting): void => void Atomics.store(words, STOP, 1);

export interface Rendezvous {
  /** The packet to stop behind, for a worker that has read `packets`; +Infinity while nobody asks to stop. */
  readonly until: (packets: number) => number;
  /** This worker has read all that it will: nobody need wait for it. */
  readonly leave: (packets: number) => void;
}

/** The part of worker `number`. */
export function attend({ words, packets: reached }: Meeting, number: number): Rendezvous {
  let agreed = Number.POSITIVE_INFINITY;
  let hasArrived = false;
  const arrive = (packets: number): void => {
    if (hasArrived) return;
    hasArrived = true;
    Atomics.store(reached, number, BigInt(packets));
    Atomics.add(words, ARRIVED, 1);
    Atomics.notify(words, ARRIVED);
  };
  return {
    until(packets) {
      if (agreed !== Number.POSITIVE_INFINITY || Atomics.load(words, STOP) === 0) return agreed;
      arrive(packets);
      for (;;) {
        const arrived = Atomics.load(words, ARRIVED);
        if (arrived >= reached.length) break;
        if (Atomics.wait(words, ARRIVED, arrived, PATIENCE_MILLISECONDS) === 'timed-out') break;
      }
      agreed = Math.max(...Array.from(reached, Number));
      return agreed;
    },
    leave: arrive,
  };
}
