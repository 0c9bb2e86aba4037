/** Running `tagplane policy` inside the test's process, with everything it writes kept. */
import { Command } from 'commander';
import { exitCodeOf } from '../../src/cli/exit.ts';
import { policyCommand } from '../../src/cli/policy/command.ts';

export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
  /** Message of the error that ended it, or empty. */
  readonly error: string;
}

/** In place of a stream's `write`. */
const keep =
  (chunks: string[]) =>
  (chunk: string | Uint8Array): boolean => {
    chunks.push(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
    return true;
  };

export async function runPolicy(...words: string[]): Promise<Ran> {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  const program = new Command('tagplane').exitOverride().addCommand(policyCommand().exitOverride());
  let [error, exitCode] = ['', 0];
  process.stdout.write = keep(stdout);
  process.stderr.write = keep(stderr);
  try {
    await program.parseAsync(['policy', ...words], { from: 'user' });
    exitCode = Number(process.exitCode ?? 0);
  } catch (thrown) {
    error = (thrown as Error).message;
    exitCode = exitCodeOf(thrown);
  } finally {
    // What is left is the prototype's own.
    Reflect.deleteProperty(process.stdout, 'write');
    Reflect.deleteProperty(process.stderr, 'write');
    process.exitCode = 0;
  }
  return { stdout: stdout.join(''), stderr: stderr.join(''), exitCode, error };
}
