/** `tagplane replay`: what happens to the packets of a capture, and which rule decided. */
import { Command, InvalidArgumentError } from 'commander';
import type { Dataplane } from '../../dataplane/dataplane.ts';
import { BY, type Pacing } from '../../replay/pacing.ts';
import type { Playback } from '../../replay/player.ts';
import { type Summary, summarise } from '../../replay/summary.ts';
import { changesOf, type Timeline, windowsOf } from '../../replay/timeline.ts';
import { describeError, EXIT, exitCodeOf, UsageError } from '../exit.ts';
import { endBySignal } from '../interruption.ts';
import {
  addSourceOptions,
  loadSources,
  readsStandardInput,
  type SourceOptions,
  type Sources,
} from '../sources/options.ts';
import { styleFor } from '../style.ts';
import { printable } from '../text.ts';
import { addControlOptions, type Control, type ControlOptions, loadControl } from './control.ts';
import { failOnWords, isContradiction } from './fail-on.ts';
import { wantsLogs } from './log-outputs.ts';
import type { OutputOptions } from './output.ts';
import { addPaceOptions, type PaceOptions, tempoOf } from './pace.ts';
import type { Task } from './prepare.ts';
import { report } from './report.ts';
import { type Refused, type Replayed, run } from './run.ts';
import { isFile, whyAlone, workersOf } from './team.ts';
import { describeRule, SCHEMA_VERSION } from './verdict-lines.ts';

interface ReplayOptions extends SourceOptions, ControlOptions, PaceOptions {
  readonly json?: boolean;
  readonly ndjson?: boolean;
  readonly verdicts?: string;
  readonly write?: string;
  readonly split?: string;
  readonly kernLog?: string;
  readonly iptablesLog?: string;
  readonly saveCounters?: string;
  readonly strictChecksums?: boolean;
  readonly tcpWindows?: boolean;
  readonly connections: number;
  readonly top: number;
  readonly at?: readonly string[];
  readonly tap?: readonly string[];
  readonly seed: number;
  readonly mtu?: readonly string[];
  readonly failOn?: readonly string[];
  readonly quiet?: boolean;
  readonly workers: number;
}

const REPORT_WIDTH = 80;
const DEFAULT_TOP = 20;
/** 32 octets each; nf_conntrack's own limit on a large cell is of this order. */
const DEFAULT_CONNECTIONS = 1 << 21;

function wholeNumber(text: string): number {
  if (text === 'all') return Number.POSITIVE_INFINITY;
  if (!/^[1-9][0-9]{0,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 1, or "all"');
  return Number(text);
}

const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

export function replayCommand(): Command {
  const command = new Command('replay')
    .argument('[capture...]', 'pcap or pcapng, also gzip or zstd; - is standard input; several are merged by time')
    .option('--json', 'the report as one JSON document')
    .option('--ndjson', 'a line of JSON per packet on standard output, in place of the report')
    .option('--verdicts <file>', 'write a line of JSON per packet')
    .option('-w, --write <file>', 'write a pcapng with the verdict in the comment of every packet')
    .option('--split <directory>', 'write one pcapng per verdict')
    .option('--at <tap=file>', 'a capture and the tap that it was taken at: cell-a/eth0=a.pcap', collect)
    .option(
      '--tap <tap=file>',
      'run the packets through emulated cells, and write what this tap sees as pcapng',
      collect,
    )
    .option('--seed <number>', 'what emulated cells draw numbers from that no capture shows', wholeNumber, 1)
    .option('--mtu <number>', 'MTU of the emulated underlay, 1500; as TAP=NUMBER of a single device', collect)
    .option('--kern-log <file>', 'write what the LOG rules log, as lines of kern.log')
    .option('--iptables-log <file>', 'write the JSON that iptables-logger makes of those lines')
    .option(
      '--save-counters <directory>',
      "write each cell's rules with their counters, as iptables-save -c; of emulated cells all tables",
    )
    .option(
      '--strict-checksums',
      'drop for wrong UDP checksums, as a cell does; without it they are taken for offloading',
    )
    .option(
      '--tcp-windows',
      'follow TCP sequence numbers and SCTP as a cell does; slower, and packets missing in the capture make others INVALID',
    )
    .option('--connections <number>', 'most connections to remember', wholeNumber, DEFAULT_CONNECTIONS)
    .option(
      '--workers <number>',
      'judge by as many threads, each its share of the connections; "all": one a processor',
      wholeNumber,
      1,
    )
    .option('--top <number>', 'rows of the tables, or "all"', wholeNumber, DEFAULT_TOP)
    .option(
      '--fail-on <verdicts>',
      'exit with 1 when a packet got one of these verdicts; of emulated cells also missing, differ, extra',
      failOnWords,
    )
    .option('-q, --quiet', 'no report, only the files that were asked for');
  return addPaceOptions(addControlOptions(addSourceOptions(command)))
    .addHelpText('after', HELP)
    .action(async (captures: string[], options: ReplayOptions) => replay(captures, options));
}

const HELP = `
Examples:
  $ tagplane replay capture.pcapng --foundation foundation.yaml
  $ tagplane replay eth0.pcap --foundation cells.yaml --iptables cell-b=iptables-save.txt
  $ tagplane replay a.pcap b.pcap.gz --foundation foundation.yaml -w judged.pcapng
  $ tagplane replay capture.pcapng --foundation foundation.yaml --logging --kern-log kern.log
  $ tagplane replay eth0.pcap --foundation cells.yaml --policies-at +12.5s=policies.json
  $ tagplane replay capture.pcapng --foundation foundation.yaml --speed 10 --ndjson
  $ tagplane replay --at cell-a/s-010255001004/eth0=a.pcap --tap cell-b/eth0=b.pcapng \\
      --foundation foundation.yaml
  $ tcpdump -i eth0 -w - port 4789 | tagplane replay - --foundation foundation.yaml --ndjson

A frame to a known cell is judged by that cell. A frame from a known cell feeds that cell's
connection tracking, so that replies are known. docs/replay.md explains verdicts and reasons.
With --at or --tap, packets run through emulated cells: docs/journeys.md.`;

async function replay(paths: readonly string[], options: ReplayOptions): Promise<void> {
  if (paths.length === 0 && options.at === undefined)
    throw new UsageError('no capture: name one, or use --at TAP=FILE');
  const readings = paths.filter((path) => path === '-').length + Number(readsStandardInput(options));
  if (readings > 1) throw new UsageError('standard input (-) can be read once: give the others as files');
  const sources = await loadSources(options);
  for (const warning of sources.warnings) process.stderr.write(`tagplane: ${printable(warning)}\n`);
  if (options.at !== undefined || options.tap !== undefined) {
    await journeys(paths, sources, options);
    return;
  }
  const contradiction = options.failOn?.find(isContradiction);
  if (contradiction !== undefined)
    throw new UsageError(`--fail-on ${contradiction} needs emulated cells: use it with --at or --tap`);
  if (options.mtu !== undefined) throw new UsageError('--mtu is of emulated cells: use it with --at or --tap');
  checkPace(paths, options);
  const control = await loadControl(options, sources);
  const reports = options.ndjson !== true && options.quiet !== true && options.step !== true;
  const task: Task = {
    captures: paths,
    sources,
    strictChecksums: options.strictChecksums === true,
    tcpWindows: options.tcpWindows === true,
    connections: options.connections,
    keepLogs: wantsLogs(options),
    // Flows are in the report alone: without one, packets need not be added up by flow.
    flows: reports,
  };
  const done = await runTask(task, options, control);
  const { interruption } = done;
  if ('why' in done) {
    process.exitCode = interruption.code;
    endBySignal(interruption);
    return;
  }
  const { dataplane, playback, elapsed, epoch, pacing } = done;
  const summary = summarise(dataplane, done.flows, playback.backwards);
  if (reports) {
    printReport(
      { summary, dataplane, playback, sources, elapsed, epoch, pacing, timeline: control.timeline },
      paths,
      options,
    );
  }
  process.exitCode = exitCode(summary, playback, options, interruption.code);
  endBySignal(interruption);
}

/** Captures that are read again, and lines that are waited for, need a file and standard input of their own. */
function checkPace(paths: readonly string[], options: ReplayOptions): void {
  const once = paths.find((path) => !isFile(path));
  if (options.loop > 1 && once !== undefined)
    throw new UsageError(`--loop reads captures again, and ${once === '-' ? 'standard input' : once} can be read once`);
  if (options.step === true && (paths.includes('-') || readsStandardInput(options)))
    throw new UsageError('--step waits for lines on standard input, which is to be read as a file');
}

/** Replay by as many workers as are asked for, or by one where several would not do. */
async function runTask(task: Task, options: ReplayOptions, control: Control): Promise<Replayed | Refused> {
  const outputs: OutputOptions = {
    verdicts: options.verdicts,
    write: options.write,
    split: options.split,
    kernLog: options.kernLog,
    iptablesLog: options.iptablesLog,
    saveCounters: options.saveCounters,
    ndjson: options.ndjson === true || options.step === true,
  };
  const tempo = tempoOf(options);
  const workers = workersOf(options.workers);
  if (workers === 1) return run(task, outputs, control, tempo, 1);
  const { verdicts, write, split, kernLog, iptablesLog, saveCounters, ndjson } = outputs;
  const eachPacket = ndjson || [verdicts, write, split, kernLog, iptablesLog].some((path) => path !== undefined);
  const counters = saveCounters !== undefined;
  const isPaced = tempo.pace !== null || tempo.step || tempo.rounds > 1;
  const why = whyAlone(task, { eachPacket, counters, changes: control.plan !== null, isPaced });
  if (why === null) {
    const done = await run(task, outputs, control, tempo, workers);
    if (!('why' in done)) return done;
    sayAlone(done.why);
    if (done.interruption.code !== 0) return done;
  } else {
    sayAlone(why);
  }
  return run(task, outputs, control, tempo, 1);
}

const sayAlone = (why: string): void =>
  void process.stderr.write(`tagplane: one worker judges all packets: ${printable(why)}\n`);

/** What came of the pace, for `--json`. */
const describePacing = ({ pace, packets, octets, late, worst }: Pacing, elapsed: number): object => ({
  by: ['speed', 'pps', 'mbps'][pace.by],
  rate: pace.by === BY.BITS ? pace.rate / 1e6 : pace.rate,
  packetsPerSecond: packets / (elapsed / 1e9),
  megabitsPerSecond: (octets * 8) / (elapsed / 1e3),
  late,
  worstMilliseconds: worst / 1e6,
});

/** Options that speak of what replay without emulated cells writes. */
const NOT_WITH_JOURNEYS = [
  'verdicts',
  'write',
  'split',
  'policiesAt',
  'asgsAt',
  'agentRestartAt',
  'speed',
  'pps',
  'mbps',
  'step',
] as const;

/** Run the packets through the whole emulated foundation. */
async function journeys(paths: readonly string[], sources: Sources, options: ReplayOptions): Promise<void> {
  const other = NOT_WITH_JOURNEYS.find((name) => options[name] !== undefined);
  if (other !== undefined)
    throw new UsageError(
      `--${other.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} cannot be combined with --at or --tap`,
    );
  if (options.loop > 1) throw new UsageError('--loop cannot be combined with --at or --tap');
  const { runJourneys } = await import('../journeys/run.ts');
  const form = options.ndjson === true ? 'ndjson' : options.json === true ? 'json' : options.quiet ? 'none' : 'text';
  await runJourneys(sources, {
    captures: paths,
    at: options.at ?? [],
    tap: options.tap ?? [],
    seed: options.seed,
    mtu: options.mtu ?? [],
    connections: options.connections,
    strictChecksums: options.strictChecksums === true,
    top: options.top,
    failOn: options.failOn ?? [],
    kernLog: options.kernLog,
    iptablesLog: options.iptablesLog,
    saveCounters: options.saveCounters,
    form,
  });
}

/** First the worst: a bug of ours, damaged input, an interruption, findings. */
function exitCode(summary: Summary, playback: Playback, options: ReplayOptions, interrupted: number): number {
  if (summary.unreconciled !== 0) {
    process.stderr.write(`tagplane: internal error: ${summary.unreconciled} packets are missing from the sums\n`);
    return EXIT.BUG;
  }
  if (playback.damage !== null) {
    process.stderr.write(`${describeError(playback.damage)}\n`);
    return exitCodeOf(playback.damage);
  }
  if (interrupted !== 0) return interrupted;
  const found = options.failOn?.some((verdict) => summary.verdicts[verdict]! > 0) ?? false;
  return found ? EXIT.FINDINGS : EXIT.DONE;
}

interface Reported {
  readonly summary: Summary;
  readonly dataplane: Dataplane;
  readonly playback: Playback;
  readonly sources: Sources;
  readonly elapsed: number;
  readonly epoch: bigint;
  readonly pacing: Pacing | null;
  readonly timeline: Timeline | null;
}

/** The deciding rule of a flow's first packet, as the verdict lines show it. */
function ruleOf(dataplane: Dataplane, { cell, rule }: Summary['flows'][number]): object | null {
  const judging = dataplane.cells.find(({ name }) => name === cell);
  return judging === undefined || rule === null ? null : describeRule(judging.known[rule]!);
}

function printReport(replayed: Reported, paths: readonly string[], options: ReplayOptions): void {
  const { summary, dataplane, playback, sources, elapsed, epoch, pacing, timeline } = replayed;
  if (options.json === true) {
    const ruled = (flows: Summary['flows']): object[] =>
      flows.map((flow) => ({ ...flow, rule: ruleOf(dataplane, flow) }));
    const { flows: all, denied, ...sums } = summary;
    const document = {
      schemaVersion: SCHEMA_VERSION,
      captures: paths,
      rules: sources.origins,
      ...sums,
      ...(pacing === null ? {} : { pacing: describePacing(pacing, elapsed) }),
      ...(timeline === null ? {} : { changes: changesOf(timeline, epoch), windows: windowsOf(timeline, epoch) }),
      flows: ruled(all),
      denied: ruled(denied),
    };
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  const lines = report({
    summary,
    dataplane,
    playback,
    files: paths,
    epochNanoseconds: epoch,
    origins: sources.origins,
    elapsed,
    pacing,
    changes: timeline === null ? null : changesOf(timeline, epoch),
    windows: timeline === null ? [] : windowsOf(timeline, epoch),
    width: Math.max(REPORT_WIDTH, process.stdout.isTTY ? process.stdout.columns : 0),
    style: styleFor(process.stdout.isTTY, process.env),
    top: options.top,
  });
  process.stdout.write(`${lines.join('\n')}\n`);
}
