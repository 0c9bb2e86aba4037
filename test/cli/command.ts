/** Runs the command as a child process, with a time limit and an environment of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../support/shared.ts';

export const MAIN = join(ROOT, 'dist', 'src', 'cli', 'main.js');
export const SCENARIO = join(ROOT, 'captures', 'two-cells');
export const capture = (name: string): string => join(SCENARIO, name);
export const FOUNDATION = capture('foundation.yaml');

const TIMEOUT_MILLISECONDS = 30_000;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly input?: Uint8Array;
  readonly environment?: Readonly<Record<string, string>>;
  /** Working directory. */
  readonly directory?: string;
}

/** Start the command. Standard input stays open. */
export function start(words: readonly string[], { environment = {}, directory }: CommandOptions = {}): ChildProcess {
  const { PATH = '' } = process.env;
  const place = directory === undefined ? {} : { cwd: directory };
  return spawn(process.execPath, [MAIN, ...words], {
    ...place,
    env: { PATH, ...environment },
    timeout: TIMEOUT_MILLISECONDS,
  });
}

/** The exit code that a shell shows for a program that a signal ended. */
const codeOf = (signal: NodeJS.Signals | null): number | null =>
  signal === null ? null : 128 + constants.signals[signal];

/** Wait until `child` has ended, and collect what it says. */
export function ended(child: ChildProcess): Promise<Ended> {
  const said = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
  return new Promise((resolve) =>
    child.on('close', (code, signal) => resolve({ code: code ?? codeOf(signal), ...said })),
  );
}

/** Run the command to its end. */
export function tagplane(words: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  const child = start(words, options);
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(options.input ?? new Uint8Array(0));
  return ended(child);
}

/** Run `body` with an empty directory that is removed afterwards. */
export async function inDirectory<T>(body: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'tagplane-test-'));
  try {
    return await body(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
