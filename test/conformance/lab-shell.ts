/**
 * Programs of the machine, run for the lab: to the end (`run`) or in the background (`start`).
 *
 * Nothing here goes through a shell: arguments are lists. Background programs are ended by their own process id.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export type LabErrorCode =
  | 'ERR_LAB_PRIVILEGE'
  | 'ERR_LAB_PROGRAM'
  | 'ERR_LAB_COMMAND'
  | 'ERR_LAB_TIMEOUT'
  | 'ERR_LAB_UNSUPPORTED';

/** The lab could not be built, or a program in it failed. */
export class LabError extends Error {
  readonly code: LabErrorCode;

  constructor(code: LabErrorCode, message: string) {
    super(message);
    this.name = 'LabError';
    this.code = code;
  }
}

/** A program that hangs is ended after this long. */
const TIMEOUT_MILLISECONDS = 30_000;
const OUTPUT_LIMIT = 64 * 1024 * 1024;

export interface RunOptions {
  /** Text for standard input. */
  readonly input?: string;
  /** Exit codes that are no failure; only 0 unless said otherwise. */
  readonly allow?: readonly number[];
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run `program` to its end. Throws ERR_LAB_COMMAND with what it said when its exit code is not allowed. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Outcome {
  const result = spawnSync(program, args, {
    encoding: 'utf8',
    input: options.input ?? '',
    timeout: TIMEOUT_MILLISECONDS,
    maxBuffer: OUTPUT_LIMIT,
  });
  const command = [program, ...args].join(' ');
  if (result.error !== undefined) throw new LabError('ERR_LAB_COMMAND', `${command}: ${result.error.message}`);
  const code = result.status ?? -1;
  if (!(options.allow ?? [0]).includes(code)) {
    const input = options.input === undefined ? '' : `\ninput:\n${options.input}`;
    throw new LabError('ERR_LAB_COMMAND', `${command} ended with ${code}: ${result.stderr.trim()}${input}`);
  }
  return { code, stdout: result.stdout, stderr: result.stderr };
}

/** Arguments that run a program inside a network namespace; the program replaces `ip`, so the process id stays. */
const inNamespace = (namespace: string, program: string, args: readonly string[]): [string, string[]] => [
  'ip',
  ['netns', 'exec', namespace, program, ...args],
];

/** Run `program` inside `namespace` to its end. */
export const runIn = (namespace: string, program: string, args: readonly string[], options: RunOptions = {}): Outcome =>
  run(...inNamespace(namespace, program, args), options);

export interface Background {
  readonly child: ChildProcess;
  /** What it has written to standard error so far. */
  readonly said: () => string;
}

/** Start `program` inside `namespace`. Its standard input stays open until it is stopped. */
export function start(namespace: string, program: string, args: readonly string[], directory?: string): Background {
  const [command, all] = inNamespace(namespace, program, args);
  const child = spawn(command, all, {
    stdio: ['pipe', 'ignore', 'pipe'],
    ...(directory === undefined ? {} : { cwd: directory }),
  });
  const chunks: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk));
  // A program that could not be started shows as one that never becomes ready; the reason is kept for that message.
  child.on('error', (error) => chunks.push(error.message));
  return { child, said: () => chunks.join('') };
}

/** Ask a background program to end (SIGINT, as tcpdump and dumpcap expect) and wait until it has. */
export async function stop({ child }: Background, signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
  // No process id: it could not be started.
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Wait until `ready` is true; throws ERR_LAB_TIMEOUT saying what was waited for. */
export async function waitFor(what: string, ready: () => boolean, said: () => string = () => ''): Promise<void> {
  const end = Date.now() + TIMEOUT_MILLISECONDS / 2;
  while (!ready()) {
    if (Date.now() > end) throw new LabError('ERR_LAB_TIMEOUT', `waited in vain for ${what}: ${said()}`);
    await sleep(20);
  }
}

const isProgram = (name: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** Why no lab can be built here, or undefined: root is needed, and each of `programs`. */
export function obstacle(programs: readonly string[]): LabError | undefined {
  if (process.platform !== 'linux') return new LabError('ERR_LAB_PRIVILEGE', 'network namespaces need Linux');
  if (process.getuid?.() !== 0) {
    return new LabError('ERR_LAB_PRIVILEGE', 'network namespaces need root: run this again with sudo');
  }
  const missing = programs.filter((program) => !isProgram(program));
  if (missing.length === 0) return undefined;
  return new LabError('ERR_LAB_PROGRAM', `not installed, or not in PATH: ${missing.join(', ')}`);
}
