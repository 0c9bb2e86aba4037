/** `tagplane bench`: how fast, on this machine, with these rules and this traffic. */
import { Command, InvalidArgumentError } from 'commander';
import { UsageError } from '../exit.ts';
import type { Task } from '../replay/prepare.ts';
import { isFile } from '../replay/team.ts';
import { addSourceOptions, loadSources, type SourceOptions } from '../sources/options.ts';
import { styleFor } from '../style.ts';
import { printable } from '../text.ts';
import { highestRate, percentilesOf, type Spread, spreadOf } from './figures.ts';
import { printFindings } from './report.ts';
import { familiesOf, without } from './shapes.ts';
import { burstTimes, keepsPace, type Pass, runStage, STAGES, type Stage } from './stages.ts';

interface BenchOptions extends SourceOptions {
  readonly json?: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly ring: number;
  readonly connections: number;
  readonly strictChecksums?: boolean;
  readonly tcpWindows?: boolean;
}

export interface Findings {
  readonly captures: readonly string[];
  readonly packets: number;
  readonly octets: number;
  readonly rounds: number;
  /** Nanoseconds a packet, by the clock and of processors; the difference from the stage before, by the clock. */
  readonly stages: readonly { readonly stage: Stage; readonly wall: Spread; readonly cpu: Spread }[];
  /** Nanoseconds a burst, for each of PERCENTILES. */
  readonly bursts: readonly number[];
  /** Packets a second that a ring of so many packets never overflows at. */
  readonly paced: { readonly packetsPerSecond: number; readonly ring: number; readonly seconds: number };
  /** Nanoseconds a packet that matching takes longer with a family of chains than without; null for several judged cells. */
  readonly shapes: readonly { readonly family: string; readonly rules: number; readonly cost: Spread }[] | null;
}

function whole(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 1');
  return Number(text);
}

function duration(text: string): number {
  const seconds = Number(text);
  if (!/^[0-9]*\.?[0-9]+$/.test(text) || seconds === 0) throw new InvalidArgumentError('expected seconds above 0');
  return seconds;
}

const DEFAULT_ROUNDS = 5;
const DEFAULT_SECONDS = 0.5;
/** What network cards have at most. */
const DEFAULT_RING = 4096;
const DEFAULT_CONNECTIONS = 1 << 21;

export function benchCommand(): Command {
  const command = new Command('bench')
    .argument('<capture...>', 'pcap or pcapng files, also gzip or zstd; several are merged by time')
    .option('--json', 'everything as one JSON document')
    .option('--rounds <number>', 'passes of each stage, in turn', whole, DEFAULT_ROUNDS)
    .option('--seconds <number>', 'of each trial at a pace', duration, DEFAULT_SECONDS)
    .option('--ring <number>', 'packets that may wait before one is lost', whole, DEFAULT_RING)
    .option('--connections <number>', 'most connections to remember', whole, DEFAULT_CONNECTIONS)
    .option('--strict-checksums', 'as of replay')
    .option('--tcp-windows', 'as of replay');
  return addSourceOptions(command)
    .addHelpText('after', HELP)
    .action(async (captures: string[], options: BenchOptions) => bench(captures, options));
}

const HELP = `
Examples:
  $ tagplane bench capture.pcapng --foundation foundation.yaml --cell cell-b
  $ tagplane bench eth0.pcap --iptables cell-b=iptables-save.txt --rounds 11 --json

Stages are timed in turn, each anew in every round; docs/bench.md says what the figures mean.`;

async function bench(captures: readonly string[], options: BenchOptions): Promise<void> {
  const once = captures.find((path) => !isFile(path));
  if (once !== undefined)
    throw new UsageError(
      `bench reads captures again and again, and ${once === '-' ? 'standard input' : once} can be read once`,
    );
  const sources = await loadSources(options);
  for (const warning of sources.warnings) process.stderr.write(`tagplane: ${printable(warning)}\n`);
  const task: Task = {
    captures,
    sources,
    strictChecksums: options.strictChecksums === true,
    tcpWindows: options.tcpWindows === true,
    connections: options.connections,
    keepLogs: false,
    flows: false,
  };
  const findings = await find(task, options);
  if (options.json === true) process.stdout.write(`${JSON.stringify({ schemaVersion: 1, ...findings }, null, 2)}\n`);
  else process.stdout.write(printFindings(findings, styleFor(process.stdout.isTTY, process.env)));
}

/** Halvings between nothing and the rate without a pace. */
const BISECTIONS = 7;

async function find(task: Task, { rounds, seconds, ring }: BenchOptions): Promise<Findings> {
  // Matching asks the rules of one cell.
  const isAlone = task.sources.foundation.cells.length === 1 || task.sources.cells.length === 1;
  const stages = STAGES.filter((stage) => stage !== 'rules' || isAlone);
  const [warm] = await inTurn(1, [() => runStage('report', task)]);
  const { packets, octets } = warm![0]!;
  if (packets === 0) throw new UsageError('there is no packet in the captures to measure with');
  const passes = await inTurn(
    rounds,
    stages.map((stage) => () => runStage(stage, task)),
  );
  const found = stages.map((stage, index) => ({
    stage,
    wall: spreadOf(passes[index]!.map((pass) => pass.wall / packets)),
    cpu: spreadOf(passes[index]!.map((pass) => pass.cpu / packets)),
  }));
  const top = 1e9 / found.find(({ stage }) => stage === 'verdicts')!.wall.least;
  return {
    captures: task.captures,
    packets,
    octets,
    rounds,
    stages: found,
    bursts: percentilesOf(await burstTimes(task)),
    paced: {
      packetsPerSecond: await highestRate(top, BISECTIONS, (rate) => keepsPace(task, rate, seconds, ring)),
      ring,
      seconds,
    },
    shapes: isAlone ? await costs(task, rounds, packets) : null,
  };
}

/** Run each of `works` once in every round, one after the other; gives the passes of each. */
async function inTurn(rounds: number, works: readonly (() => Promise<Pass>)[]): Promise<Pass[][]> {
  const passes = works.map((): Pass[] => []);
  for (let round = 0; round < rounds; round++)
    for (const [index, work] of works.entries()) passes[index]!.push(await work());
  return passes;
}

async function costs(task: Task, rounds: number, packets: number): Promise<NonNullable<Findings['shapes']>> {
  const families = familiesOf(task);
  const passes = await inTurn(
    rounds,
    [task, ...families.map(({ name }) => without(task, name))].map((one) => () => runStage('rules', one)),
  );
  return families.map(({ name, rules }, index) => ({
    family: name,
    rules,
    cost: spreadOf(passes[0]!.map(({ wall }, round) => (wall - passes[index + 1]![round]!.wall) / packets)),
  }));
}
