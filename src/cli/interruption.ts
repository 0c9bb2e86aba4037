/** SIGINT and SIGTERM stop a command that reads captures at the next burst, with outputs complete up to there. */
import type { RecordSource } from '../capture/reader.ts';
import { EXIT } from './exit.ts';

export interface Interruption {
  /** Exit code of the signal that came; 0 before. */
  code: number;
  signal: NodeJS.Signals | null;
  /** Called when a signal comes. */
  wake: () => void;
  end: () => void;
}

/** `source`, read with `refill` in place of its own. */
const withRefill = (source: RecordSource, refill: () => Promise<boolean>): RecordSource => ({
  get epochNanoseconds() {
    return source.epochNanoseconds;
  },
  get packets() {
    return source.packets;
  },
  fill: (burst) => source.fill(burst),
  lendTo: source.lendTo,
  refill,
  close: () => source.close(),
});

/**
 * `source`, which gives way for a moment whenever it reads on: a file never has to be waited for, and a signal comes only to a program
 * that waits.
 */
export const giving = (source: RecordSource): RecordSource =>
  withRefill(source, async () => {
    const going = await source.refill();
    await new Promise((resolve) => void setImmediate(resolve));
    return going;
  });

/** `source`, which gives way, and is at its end once a signal has come, even while a pipe has nothing to give. */
export function interruptible(source: RecordSource, interruption: Interruption): RecordSource {
  const given = giving(source);
  return withRefill(
    given,
    () =>
      new Promise((resolve, reject) => {
        interruption.wake = () => resolve(false);
        given.refill().then(resolve, reject);
      }),
  );
}

/** Watch for signals until `end` is called; a second signal ends the program at once. */
export function watchForInterruption(): Interruption {
  const state: Interruption = { code: 0, signal: null, wake: () => undefined, end: () => undefined };
  const listen = (signal: NodeJS.Signals, code: number): (() => void) => {
    const listener = (): void => {
      if (state.code !== 0) process.exit(code);
      state.code = code;
      state.signal = signal;
      state.wake();
    };
    process.on(signal, listener);
    return () => void process.off(signal, listener);
  };
  const stops = [listen('SIGINT', EXIT.INTERRUPTED), listen('SIGTERM', EXIT.TERMINATED)];
  state.end = () => {
    for (const stop of stops) stop();
  };
  return state;
}

/** A read from a pipe that has nothing to give holds up even process.exit; the signal itself does not wait. */
export function endBySignal({ signal }: Interruption): void {
  if (signal !== null) process.stdout.write('', () => process.kill(process.pid, signal));
}
