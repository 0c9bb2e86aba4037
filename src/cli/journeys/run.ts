/** Journeys: what `replay` does when captures are given by their taps, or taps are asked for. */
import type { Dataplane } from '../../dataplane/dataplane.ts';
import { createDataplane } from '../../dataplane/setup.ts';
import { type Followed, follow } from '../../replay/journeys/follow.ts';
import { createJourneys, show, watch } from '../../replay/journeys/journeys.ts';
import type { JourneyListener, JourneySettings } from '../../replay/journeys/model.ts';
import type { Journeys } from '../../replay/journeys/state.ts';
import { describeError, EXIT, exitCodeOf, UsageError } from '../exit.ts';
import { endBySignal, interruptible, watchForInterruption } from '../interruption.ts';
import { wantsLogs } from '../replay/log-outputs.ts';
import type { Sources } from '../sources/options.ts';
import { printable } from '../text.ts';
import type { Names } from './describe.ts';
import { type EffectOptions, openEffects } from './effects.ts';
import { type Form, openForm } from './forms.ts';
import { possibleTaps } from './place.ts';
import { type Beginning, type Given, type Opened, openAll } from './read.ts';
import { report } from './report.ts';
import { createResults, listenerOf, type Results, type Writers } from './results.ts';
import { openTaps, type TapFile } from './taps.ts';

export interface JourneyRun extends EffectOptions {
  /** Captures whose tap is inferred. */
  readonly captures: readonly string[];
  /** `TAP=FILE` each: captures of that tap, and taps to write. */
  readonly at: readonly string[];
  readonly tap: readonly string[];
  readonly seed: number;
  /** `NUMBER` of the underlay, or `TAP=NUMBER`. */
  readonly mtu: readonly string[];
  readonly connections: number;
  readonly strictChecksums: boolean;
  /** Most contradictions to name. */
  readonly top: number;
  /** Verdicts, and words of CONTRADICTIONS, that end the program with FINDINGS. */
  readonly failOn: readonly string[];
  readonly form: Form;
}

interface Word {
  readonly tap: string;
  readonly file: string;
}

function splitTap(text: string, option: string): Word {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1)
    throw new UsageError(`${option} ${text}: expected TAP=FILE, as ${option} cell-a/eth0=a.pcap`);
  return { tap: text.slice(0, at), file: text.slice(at + 1) };
}

/** TAP and FILE are easily exchanged. */
function refuseExchanged({ emulation }: Journeys, { tap, file }: Word, option: string): void {
  const names = emulation.devices.map((one) => one.tap);
  if (!names.includes(tap) && names.includes(file))
    throw new UsageError(`${option} ${tap}=${file}: expected TAP=FILE, got FILE=TAP; try ${option} ${file}=${tap}`);
}

/** The tap of a capture, told on stderr when it was inferred; null when nothing in it can be compared. */
function placeOf(dataplane: Dataplane, sources: Sources, { tap, file }: Given, beginning: Beginning): string | null {
  if (tap !== null) return tap;
  const possible = possibleTaps(dataplane, sources.cells, beginning);
  if (possible === null) {
    process.stderr.write(`tagplane: ${printable(file)} holds no IPv4 packet and is left out\n`);
    return null;
  }
  if (possible.length === 1) {
    process.stderr.write(`tagplane: ${printable(file)} was taken at ${printable(possible[0]!)}\n`);
    return possible[0]!;
  }
  const why = possible.length === 0 ? 'at no tap of this foundation' : `at any of ${possible.join(', ')}`;
  throw new UsageError(`${file} can have been taken ${why}: say where with --at TAP=${file}`);
}

/** What IPv4 allows (RFC 791), and what its length field holds. */
const LEAST_MTU = 68;
const MOST_MTU = 65_535;

/** The words of --mtu: of the underlay, and of single devices. */
function mtusBy(words: readonly string[]): Pick<JourneySettings, 'underlayMtu' | 'mtus'> {
  const mtus = new Map<string, number>();
  let underlayMtu: number | undefined;
  for (const word of words) {
    const at = word.indexOf('=');
    const text = word.slice(at + 1);
    const mtu = Number(text);
    if (!/^[0-9]{1,5}$/.test(text) || mtu < LEAST_MTU || mtu > MOST_MTU)
      throw new UsageError(`--mtu ${word}: expected a number from ${LEAST_MTU} to ${MOST_MTU}, or TAP=NUMBER`);
    if (at > 0) mtus.set(word.slice(0, at), mtu);
    else underlayMtu = mtu;
  }
  return underlayMtu === undefined ? { mtus } : { mtus, underlayMtu };
}

/** The files that are asked for: taps with the same file share it. */
function tapFiles(journeys: Journeys, words: readonly string[]): TapFile[] {
  const files = new Map<string, number[]>();
  for (const word of words.map((text) => splitTap(text, '--tap'))) {
    refuseExchanged(journeys, word, '--tap');
    const device = show(journeys, word.tap);
    const devices = files.get(word.file) ?? [];
    if (!devices.includes(device)) files.set(word.file, [...devices, device]);
  }
  return [...files].map(([file, devices]) => ({ file, devices }));
}

function givenBy({ captures, at }: JourneyRun): Given[] {
  const given = [...captures.map((file) => ({ file, tap: null })), ...at.map((word) => splitTap(word, '--at'))];
  if (given.filter(({ file }) => file === '-').length > 1)
    throw new UsageError('standard input (-) can be read once: give the others as files');
  const twice = given.find(({ file }, i) => given.findIndex((one) => one.file === file) < i);
  if (twice !== undefined) throw new UsageError(`${twice.file} is given twice: each packet would be there twice`);
  return given;
}

export async function runJourneys(sources: Sources, run: JourneyRun): Promise<void> {
  const given = givenBy(run);
  const dataplane = createDataplane(sources.foundation, sources.rules, {
    vxlanPort: sources.foundation.overlay.port,
    strictChecksums: run.strictChecksums,
    connectionLimit: run.connections,
    judged: [],
    keepLogs: wantsLogs(run),
  });
  let listener: JourneyListener | undefined;
  const journeys = createJourneys(
    dataplane,
    sources.rules,
    { seed: run.seed, ...mtusBy(run.mtu) },
    {
      compared: (seen, journey) => listener!.compared(seen, journey),
      unexpected: (place, found, journey) => listener!.unexpected(place, found, journey),
      passed: (place, octets, journey) => listener!.passed(place, octets, journey),
      ended: (journey) => listener!.ended(journey),
      logged: (line, journey) => listener!.logged(line, journey),
    },
  );
  const outputs = tapFiles(journeys, run.tap);
  for (const { tap, file } of given) {
    if (tap === null) continue;
    refuseExchanged(journeys, { tap, file }, '--at');
    watch(journeys, tap);
  }
  const opened = await openAll(given);
  try {
    const taps = given.map((one, i) => placeOf(dataplane, sources, one, opened.beginnings[i]!));
    const devices = taps.map((tap) => (tap === null ? -1 : watch(journeys, tap)));
    const files = given.map(({ file }) => file);
    const names = { emulation: journeys.emulation, files, epochNanoseconds: () => opened.source.epochNanoseconds };
    const results = createResults(names, devices, await openWriters(outputs, names, run), run.top);
    listener = listenerOf(results);
    await followAll(journeys, opened, devices, results, run);
  } finally {
    await opened.source.close();
  }
}

/** Open everything that is written. Throws OutputError, and leaves nothing behind then. */
async function openWriters(outputs: readonly TapFile[], names: Names, run: JourneyRun): Promise<Writers> {
  const effects = await openEffects(run, names);
  try {
    return { effects, taps: await openTaps(outputs, names), form: openForm(run.form, names.files) };
  } catch (error) {
    await effects.abort();
    throw error;
  }
}

async function followAll(
  journeys: Journeys,
  { source }: Opened,
  devices: readonly number[],
  results: Results,
  run: JourneyRun,
): Promise<void> {
  const interruption = watchForInterruption();
  const { taps, form, effects, sums } = results;
  let followed: Followed;
  try {
    const between = async (): Promise<void> => {
      await taps.drain();
      await form?.drain();
      await effects.drain();
    };
    followed = await follow(
      interruptible(source, interruption),
      journeys,
      devices,
      between,
      () => interruption.code !== 0,
    );
    if (followed.damage !== null && exitCodeOf(followed.damage) !== EXIT.INPUT) throw followed.damage;
    await taps.finish();
    await effects.finish();
    await form?.finish([...sums.taps.values()]);
  } catch (error) {
    await taps.abort();
    await effects.abort();
    await form?.abort();
    throw error;
  } finally {
    interruption.end();
  }
  if (run.form === 'text') {
    const lines = report(sums, results.contradictions, results.found);
    process.stdout.write(`${lines.join('\n')}\n`);
  }
  process.exitCode = exitCode(results, [...source.damage], run, interruption.code);
  endBySignal(interruption);
}

/** First the worst: damaged input, an interruption, findings. */
function exitCode({ met }: Results, damage: readonly Error[], { failOn }: JourneyRun, interrupted: number): number {
  for (const one of damage) process.stderr.write(`${describeError(one)}\n`);
  if (damage.length > 0) return exitCodeOf(damage[0]);
  if (interrupted !== 0) return interrupted;
  return failOn.some((word) => met.has(word)) ? EXIT.FINDINGS : EXIT.DONE;
}
