/** A case through the emulated cells: the same frames, put in at the same taps and times; what every device saw of them. */
import { createEmulation, type Options } from '../../../src/dataplane/emulate/create.ts';
import { createDraws, type Draws } from '../../../src/dataplane/emulate/draws.ts';
import type { Emulation } from '../../../src/dataplane/emulate/emulation.ts';
import { exchangeRules } from '../../../src/dataplane/emulate/exchange.ts';
import { createRecorder, inject, type Passage, tapNamed } from '../../../src/dataplane/emulate/journey.ts';
import { advance } from '../../../src/dataplane/emulate/run.ts';
import { DIRECTION } from '../../../src/dataplane/emulate/seams.ts';
import { createTranslation } from '../../../src/dataplane/emulate/translation.ts';
import { createDataplane } from '../../../src/dataplane/setup.ts';
import { REASONS } from '../../../src/dataplane/verdict.ts';
import { parseIpv4 } from '../../../src/wire/address.ts';
import { NO_ICMP_LIMITS } from '../../dataplane/emulate/emulating.ts';
import { type Flows, learn, note } from './flows.ts';
import { countsOf } from './judge-side.ts';
import { type Count, type Counts, difference, type KernelResult } from './kernel.ts';
import { type Epoch, firstEpoch, nextEpoch } from './rules.ts';
import type { Case, FrameStep } from './step.ts';
import { tunnelPortsOf } from './tunnel-ports.ts';
import type { Event } from './wire-lab.ts';
import { createWorld, GATEWAY } from './world.ts';

/** A frame at a device of a cell. */
export interface Passed {
  readonly cell: string;
  readonly device: string;
  readonly outgoing: boolean;
  readonly octets: Uint8Array;
}

export interface Emulated {
  /** What each frame of the case caused, in order. */
  readonly steps: readonly (readonly Passed[])[];
  /** What timers caused at the end of a stage and in a pause. */
  readonly between: readonly Passed[];
  /** Codes of the reasons for which packets ended in each step. */
  readonly reasons: readonly (readonly string[])[];
  /** Counters of each epoch, by cell name. */
  readonly counts: readonly Counts[];
  /** What of it frames of translated flows were counted for. */
  readonly translated: readonly Counts[];
  /** What LOG rules logged, in order, and the number of the frame that it was because of, or BY_TIMER. */
  readonly lines: readonly { readonly text: string; readonly frame: number }[];
  /** The cells at the end. */
  readonly emulation: Emulation;
}

export const BY_TIMER = -1;

const LAB_MAC = 0x4201_0000_0000;

function optionsOf(one: Case, epoch: Epoch): Options {
  const gateway = parseIpv4(GATEWAY.address)!;
  const underlays = [...epoch.foundation.cells.map(({ underlay }) => underlay), gateway];
  return {
    underlayMtu: one.underlayMtu,
    mtus: new Map(),
    partialChecksums: false,
    nat: true,
    underlayPrefixLength: 24,
    gateway,
    icmpLimits: NO_ICMP_LIMITS,
    underlayMacs: new Map(underlays.map((underlay) => [underlay, LAB_MAC + underlay])),
  };
}

const DATAPLANE = { vxlanPort: 4789, strictChecksums: true, judged: [], connectionLimit: 1 << 20, keepLogs: true };

function createFor(one: Case, epoch: Epoch, now: () => number, offset: () => number, draws: Draws) {
  const rules = new Map([...epoch.rules].map(([name, ruleset]) => [name, { ruleset, backend: one.backend }]));
  const { record, observer } = createRecorder(now);
  const dataplane = createDataplane(epoch.foundation, rules, DATAPLANE);
  const translation = createTranslation(dataplane, rules, { offset });
  const emulation = createEmulation(dataplane, optionsOf(one, epoch), { draws, observer, translation });
  return { record, emulation };
}

/** Give the hosts of `emulation` the rules of `epoch`; all else stays as it is. */
function changeRules(emulation: Emulation, epoch: Epoch): void {
  for (const host of emulation.hosts) exchangeRules(emulation, host, epoch.rules.get(host.cell.name)!);
}

/** The tap where a frame of the case is put in. */
function tapOf(epoch: Epoch, at: string): string {
  const container = createWorld(epoch.foundation).containers.find(({ name }) => name === at);
  if (container === undefined) return `${at}/eth0`;
  const veth = container.address.split('.').map((part) => part.padStart(3, '0'));
  return `${container.cell.name}/s-${veth.join('')}/eth0`;
}

function passedOf(emulation: Emulation, passages: readonly Passage[]): Passed[] {
  return passages.map(({ device, direction, octets }) => {
    const { tap, cell } = emulation.devices[device]!;
    const name = emulation.hosts[cell]!.cell.name;
    return { cell: name, device: tap.slice(name.length + 1), outgoing: direction === DIRECTION.OUT, octets };
  });
}

/** Counters of all tables of the cell whose index is `cell`, by `ruleName`. The filter table's begin anew when rules change. */
export function emulatedCounts({ hosts, translation }: Emulation, cell: number): Map<string, Count> {
  const tables = [hosts[cell]!.cell.filter, ...translation.tables(cell)];
  return new Map(tables.flatMap((table) => [...countsOf(table)]));
}

const countsOfAll = (emulation: Emulation): Counts =>
  new Map(emulation.dataplane.cells.map(({ name, index }) => [name, emulatedCounts(emulation, index)]));

/** The sum of `counts` and what was counted between `before` and `after`. */
const withDifference = (counts: Counts, after: Counts, before: Counts): Counts =>
  new Map(
    [...difference(after, before)].map(([cell, rules]) => [
      cell,
      new Map(
        [...rules].map(([rule, [packets, octets]]): [string, Count] => {
          const [earlier, earlierOctets] = counts.get(cell)?.get(rule) ?? [0, 0];
          return [rule, [packets + earlier, octets + earlierOctets]];
        }),
      ),
    ]),
  );

/** When a frame that was put on its wire at `sent` came to a cell: limits of iptables-nft reckon in nanoseconds. */
const arrivalTime = (sent: bigint, events: readonly Event[]): bigint => {
  const came = events.filter(({ outgoing }) => !outgoing).map(({ time }) => time);
  return came.toSorted((a, b) => Number(a - b))[0] ?? sent;
};

/**
 * Run the case that the kernel played through emulated cells. `eventsOf` gives what the kernel's cells saw because of the frame
 * with a number: the ports that they drew are in it.
 */
export function emulate(
  { played: one, times, origin, epochs }: KernelResult,
  eventsOf: (frame: number) => readonly Event[],
): Emulated {
  let clock: Emulation | null = null;
  let drawn: number[] = [];
  const ports = tunnelPortsOf(epochs.flatMap(({ events }) => events));
  const first = firstEpoch(one);
  const { emulation, record } = createFor(
    one,
    first,
    () => clock?.now ?? 0,
    () => drawn.shift() ?? 0,
    {
      ...createDraws(1),
      sourcePort: (cell, { buffer }, network) =>
        ports(steps.length, first.foundation.cells[cell]!.name, new Uint8Array(buffer), network),
    },
  );
  clock = emulation;
  const flows: Flows = new Map();
  const [steps, reasons, counts]: [Passed[][], string[][], Counts[]] = [[], [], []];
  const translated: Counts[] = [];
  const lines: Emulated['lines'][number][] = [];
  const takeLines = (frame: number): void => {
    for (const { text } of record.lines.splice(0)) lines.push({ text, frame });
  };
  let [epoch, settled, changes] = [first, first, 0];
  let [before, ofFlows] = [countsOfAll(emulation), new Map() as Counts];
  const close = (): void => {
    counts.push(difference(countsOfAll(emulation), before));
    translated.push(ofFlows);
    ofFlows = new Map();
  };
  const between: Passed[] = [];
  const elapse = (until: number): void => {
    record.passages.length = 0;
    advance(emulation, until);
    takeLines(BY_TIMER);
    between.push(...passedOf(emulation, record.passages));
  };
  const devices = new Map<string, number>();
  const put = (step: FrameStep, time: number): void => {
    const device = devices.get(step.at) ?? tapNamed(emulation, tapOf(first, step.at));
    devices.set(step.at, device);
    note(flows, step);
    drawn = learn(flows, step, eventsOf(steps.length));
    record.passages.length = 0;
    record.fates.length = 0;
    // Timers that are due by then are none of the frame's business.
    advance(emulation, time);
    takeLines(BY_TIMER);
    const earlier = step.flow === undefined ? null : countsOfAll(emulation);
    inject(emulation, device, Buffer.from(step.octets, 'hex'), time);
    if (earlier !== null) ofFlows = withDifference(ofFlows, countsOfAll(emulation), earlier);
    takeLines(steps.length);
    steps.push(passedOf(emulation, record.passages));
    reasons.push(record.fates.map(({ reason }) => REASONS[reason]!.code));
  };
  for (const step of one.steps) {
    if (step.kind === 'frame') {
      put(step, Number(arrivalTime(times[steps.length]!, eventsOf(steps.length)) - origin));
    } else if (step.kind === 'pause') {
      elapse(emulation.now + step.milliseconds * 1e6);
    } else {
      elapse(Number(epochs[counts.length]!.until - origin));
      close();
      if (step.stage === 'inserted') {
        settled = epoch;
        changes += 1;
      }
      epoch = nextEpoch(one, epoch, settled, step, changes);
      changeRules(emulation, epoch);
      before = countsOfAll(emulation);
    }
  }
  elapse(Number(epochs[counts.length]!.until - origin));
  close();
  return { steps, between, reasons, counts, translated, lines, emulation };
}
