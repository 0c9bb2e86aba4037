/** Journeys: what `replay` does when captures are given by their taps, or taps are asked for. */
import { DEFAULT_ICMP_LIMITS } from '../../dataplane/answer/icmp-limit.ts';
import type { Dataplane } from '../../dataplane/dataplane.ts';
import { createEmulation } from '../../dataplane/emulate/create.ts';
import { createDraws } from '../../dataplane/emulate/draws.ts';
import type { Emulation } from '../../dataplane/emulate/emulation.ts';
import { createRecorder, type Record, tapNamed } from '../../dataplane/emulate/journey.ts';
import { createTranslation } from '../../dataplane/emulate/translation.ts';
import { createDataplane } from '../../dataplane/setup.ts';
import { describe, followAll } from '../../replay/journeys.ts';
import { createKnownDraws, type KnownDraws } from '../../replay/known-draws.ts';
import { UsageError } from '../exit.ts';
import type { Sources } from '../sources/options.ts';
import { printable } from '../text.ts';
import { describeJourneys } from './describe.ts';
import { possibleTaps, underlayOf } from './place.ts';
import { type Frame, type Given, type Read, readAll } from './read.ts';
import { report, sumTaps } from './report.ts';
import { type TapFile, writeTaps } from './taps.ts';

export interface JourneyRun {
  /** Captures whose tap is inferred. */
  readonly captures: readonly string[];
  /** `TAP=FILE` each: captures of that tap, and taps to write. */
  readonly at: readonly string[];
  readonly tap: readonly string[];
  readonly seed: number;
  readonly connections: number;
  readonly strictChecksums: boolean;
  readonly form: 'text' | 'json' | 'ndjson' | 'none';
}

export const SCHEMA_VERSION = 1;
/** Clocks of two cells are hardly further apart; the same packet is hardly sent again so soon. */
const WINDOW = 1e9;
const UNDERLAY_MTU = 1500;
const UNDERLAY_PREFIX_LENGTH = 24;

function splitTap(text: string, option: string): { tap: string; file: string } {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1)
    throw new UsageError(`${option} ${text}: expected TAP=FILE, as cell-a/eth0=a.pcap`);
  return { tap: text.slice(0, at), file: text.slice(at + 1) };
}

function deviceOf(emulation: Emulation, tap: string): number {
  const device = tapNamed(emulation, tap);
  if (device >= 0) return device;
  const names = emulation.devices.map((one) => one.tap).join(', ');
  throw new UsageError(`no tap "${tap}" in this foundation, expected one of ${names}`);
}

/** The tap of a capture, told on stderr when it was inferred. */
function placeOf(dataplane: Dataplane, sources: Sources, given: Given, frames: readonly Frame[]): string | null {
  if (given.tap !== null) return given.tap;
  const possible = possibleTaps(dataplane, sources.cells, frames);
  if (possible === null) {
    process.stderr.write(`tagplane: ${printable(given.file)} holds no IPv4 packet and is left out\n`);
    return null;
  }
  if (possible.length === 1) {
    process.stderr.write(`tagplane: ${printable(given.file)} was taken at ${printable(possible[0]!)}\n`);
    return possible[0]!;
  }
  const why = possible.length === 0 ? 'at no tap of this foundation' : `at any of ${possible.join(', ')}`;
  throw new UsageError(`${given.file} can have been taken ${why}: say where with --at TAP=${given.file}`);
}

interface Built {
  readonly emulation: Emulation;
  readonly record: Record;
  readonly draws: KnownDraws;
}

function build(dataplane: Dataplane, sources: Sources, frames: Iterable<Frame>, seed: number): Built {
  const { vxlanPort } = dataplane.options;
  const { macs, partialChecksums } = underlayOf(dataplane, frames);
  const draws = createKnownDraws(createDraws(seed), vxlanPort);
  let now = (): number => 0;
  const { record, observer } = createRecorder(() => now());
  const emulation = createEmulation(
    dataplane,
    {
      underlayMtu: UNDERLAY_MTU,
      mtus: new Map(),
      partialChecksums,
      underlayPrefixLength: UNDERLAY_PREFIX_LENGTH,
      gateway: 0,
      icmpLimits: DEFAULT_ICMP_LIMITS,
      nat: true,
      underlayMacs: macs,
    },
    { draws, observer, translation: createTranslation(dataplane, sources.rules, { offset: () => seed & 0xffff }) },
  );
  now = () => emulation.now;
  return { emulation, record, draws };
}

/** Frames of the taps of cells' underlay interfaces. */
function framesAtUnderlay(sources: Sources, taps: readonly (string | null)[], { frames }: Read): Frame[] {
  const names = sources.foundation.cells.map(({ name, interfaces }) => `${name}/${interfaces[0] ?? 'eth0'}`);
  return taps.flatMap((tap, i) => (tap !== null && names.includes(tap) ? frames[i]! : []));
}

/** The files that are asked for: taps with the same file share it. */
function tapFiles(emulation: Emulation, words: readonly string[]): TapFile[] {
  const files = new Map<string, number[]>();
  for (const { tap, file } of words.map((word) => splitTap(word, '--tap'))) {
    files.set(file, [...(files.get(file) ?? []), deviceOf(emulation, tap)]);
  }
  return [...files].map(([file, devices]) => ({ file, devices }));
}

export async function runJourneys(sources: Sources, run: JourneyRun): Promise<void> {
  const given: Given[] = [
    ...run.captures.map((file) => ({ file, tap: null })),
    ...run.at.map((word) => splitTap(word, '--at')),
  ];
  const dataplane = createDataplane(sources.foundation, sources.rules, {
    vxlanPort: sources.foundation.overlay.port,
    strictChecksums: run.strictChecksums,
    connectionLimit: run.connections,
    judged: [],
  });
  const read = await readAll(given);
  const taps = given.map((one, i) => placeOf(dataplane, sources, one, read.frames[i]!));
  const built = build(dataplane, sources, framesAtUnderlay(sources, taps, read), run.seed);
  const outputs = tapFiles(built.emulation, run.tap);
  const devices = taps.map((tap) => (tap === null ? null : deviceOf(built.emulation, tap)));
  const files = given.map(({ file }) => file);
  await follow(built, read, devices, outputs, files, run.form);
}

async function follow(
  { emulation, record, draws }: Built,
  { frames, epochNanoseconds }: Read,
  devices: readonly (number | null)[],
  outputs: readonly TapFile[],
  files: readonly string[],
  form: JourneyRun['form'],
): Promise<void> {
  const { vxlanPort } = emulation.dataplane.options;
  const seen = frames.flatMap((one, i) => {
    const device = devices[i]!;
    return device === null
      ? []
      : one.map((frame) => describe({ ...frame, device }, emulation.devices[device]!, vxlanPort));
  });
  const found = followAll(emulation, record, draws, seen, { window: WINDOW, vxlanPort });
  const journeys = describeJourneys(emulation, record, found, files, epochNanoseconds);
  await writeTaps(outputs, emulation, record.passages, journeys, { files, epochNanoseconds });
  const sums = sumTaps(emulation, new Set(devices.filter((device) => device !== null)), found);
  if (form === 'ndjson') {
    const header = { schemaVersion: SCHEMA_VERSION, format: 'tagplane-journeys' };
    for (const one of [header, ...journeys]) process.stdout.write(`${JSON.stringify(one)}\n`);
  } else if (form === 'json') {
    const document = { schemaVersion: SCHEMA_VERSION, captures: files, taps: sums, journeys };
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  } else if (form === 'text') process.stdout.write(`${report(sums, journeys).join('\n')}\n`);
}
