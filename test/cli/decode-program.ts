/** The `decode` command as a program, for tests that need a process of its own. */
import { argv, stderr } from 'node:process';
import { decodeCommand } from '../../src/cli/decode/command.ts';
import { describeError } from '../../src/cli/exit.ts';

try {
  await decodeCommand().parseAsync(argv);
} catch (error) {
  stderr.write(`${describeError(error)}\n`);
  process.exitCode = 2;
}
