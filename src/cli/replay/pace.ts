/**
 * How fast a capture is replayed, from the command line, with the words of tcpreplay.
 *
 *     --speed FACTOR   --pps NUMBER   --mbps NUMBER   --topspeed   --step      one of them
 *     --loop NUMBER
 */
import { createInterface } from 'node:readline';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { BY, createPacing, type Gate, type Pace, type Pacing, release } from '../../replay/pacing.ts';

export interface PaceOptions {
  readonly speed?: number;
  readonly pps?: number;
  readonly mbps?: number;
  readonly topspeed?: boolean;
  readonly step?: boolean;
  readonly loop: number;
}

const WAYS = ['speed', 'pps', 'mbps', 'topspeed', 'step'] as const;

function positive(text: string): number {
  const number = Number(text);
  if (!/^[0-9]+(?:\.[0-9]+)?$|^\.[0-9]+$/.test(text) || number === 0 || !Number.isFinite(number))
    throw new InvalidArgumentError('expected a number above 0, such as 2 or 0.5');
  return number;
}

function rounds(text: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 1 to 999999');
  return Number(text);
}

/** Add the options to a command. */
export function addPaceOptions(command: Command): Command {
  const option = (flags: string, description: string): Option =>
    new Option(flags, description).helpGroup('How fast packets come:');
  const way = (flags: string, description: string, name: string): Option =>
    option(flags, description).conflicts(WAYS.filter((other) => other !== name));
  return command
    .addOption(way('--topspeed', 'as fast as they can, which is the default', 'topspeed'))
    .addOption(way('--speed <factor>', 'by capture time, this many times as fast', 'speed').argParser(positive))
    .addOption(way('--pps <number>', 'packets per second', 'pps').argParser(positive))
    .addOption(way('--mbps <number>', 'million bits per second, of packets as on the wire', 'mbps').argParser(positive))
    .addOption(way('--step', 'one with each line on standard input, its verdict line on standard output', 'step'))
    .addOption(
      option('--loop <number>', 'all captures this often, with connections of their own each time')
        .argParser(rounds)
        .default(1),
    );
}

/** How packets come. */
export interface Tempo {
  /** Null for as fast as they can. */
  readonly pace: Pace | null;
  readonly step: boolean;
  readonly rounds: number;
}

export const tempoOf = (options: PaceOptions): Tempo => ({
  pace: paceOf(options),
  step: options.step === true,
  rounds: options.loop,
});

/** The pace that is asked for; null for none. */
function paceOf({ speed, pps, mbps }: PaceOptions): Pace | null {
  if (speed !== undefined) return { by: BY.TIME, rate: speed };
  if (pps !== undefined) return { by: BY.PACKETS, rate: pps };
  return mbps === undefined ? null : { by: BY.BITS, rate: mbps * 1e6 };
}

/** What a gate has to know of the replay. */
export interface Waiting {
  readonly stop: () => boolean;
  /** Resolves when a signal comes. */
  readonly whenStopped: () => Promise<void>;
  /** Show what was written so far, before a wait that people notice. */
  readonly flush: () => Promise<void>;
}

export interface PacedGate extends Gate {
  readonly pacing: Pacing;
}

/** A signal is noticed within this time. */
const GLANCE = 50e6;
/** Timers are as much as this late: the rest is waited for by looking at the clock. */
const TIMER = 2e6;

/** Lets packets go at `pace` from its first call on. `now` is in nanoseconds, `sleep` takes some. */
export function openGate(
  pace: Pace,
  { stop, flush }: Waiting,
  now: () => number = () => Number(process.hrtime.bigint()),
  sleep: (nanoseconds: number) => Promise<void> = sleepFor,
): PacedGate {
  const pacing = createPacing(pace);
  let start = Number.NaN;
  const elapsed = (): number => {
    if (Number.isNaN(start)) start = now();
    return now() - start;
  };
  return {
    pacing,
    release: (records) => release(pacing, records, elapsed()),
    async wait() {
      if (pacing.next - elapsed() > GLANCE) await flush();
      for (let left = pacing.next - elapsed(); left > 0 && !stop(); left = pacing.next - elapsed())
        await sleep(Math.min(left, GLANCE));
    },
  };
}

/** Sleep for less than `nanoseconds` where a timer can, or for a moment. */
const sleepFor = (nanoseconds: number): Promise<void> =>
  new Promise((resolve) => {
    if (nanoseconds > TIMER) setTimeout(resolve, (nanoseconds - TIMER / 2) / 1e6);
    else setImmediate(resolve);
  });

export interface StepGate extends Gate {
  /** Whether the end was asked for. */
  readonly hasEnded: () => boolean;
  readonly close: () => void;
}

const PROMPT = 'Enter: the next packet, q: end\n';

/** Lets one packet go with each line of `input`; `q`, or its end, ends the replay. */
export function openSteps(input: NodeJS.ReadableStream, { flush, whenStopped }: Waiting): StepGate {
  const lines = createInterface({ input });
  const iterator = lines[Symbol.asyncIterator]();
  let mayGo = false;
  let ended = false;
  let isFirst = true;
  return {
    hasEnded: () => ended,
    close: () => lines.close(),
    release() {
      const rows = Number(mayGo);
      mayGo = false;
      return rows;
    },
    async wait() {
      await flush();
      if (isFirst) process.stderr.write(PROMPT);
      isFirst = false;
      const line = await Promise.race([iterator.next(), whenStopped()]);
      ended = line === undefined || line.done === true || line.value.trim() === 'q';
      mayGo = !ended;
    },
  };
}
