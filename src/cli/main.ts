#!/usr/bin/env node
/**
 * The command `tagplane`. Commands are loaded when they are asked for, so that `--version` costs next to nothing.
 *
 * A closed standard output (`| head`) ends the program quietly; every other error ends it with one line and the exit
 * code of its kind.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describeError, EXIT, exitCodeOf } from './exit.ts';

/**
 * The module at `path`, which is also what `load` imports. `import` asks other threads for each of the 150 files of a command; `require` reads
 * one after the other, and takes three quarters of the time. Node 22 before 22.12 has it for no module of this kind.
 */
async function loaded<T>(path: string, load: () => Promise<T>): Promise<T> {
  return process.features.require_module ? (createRequire(import.meta.url)(path) as T) : load();
}

/** Loads a command when it is named. */
const COMMANDS: Readonly<
  Record<string, { readonly about: string; readonly load: () => Promise<import('commander').Command> }>
> = {
  replay: {
    about: 'what happens to the packets of a capture, and which rule decided',
    load: async () => (await loaded('./replay/command.js', () => import('./replay/command.ts'))).replayCommand(),
  },
  decode: {
    about: 'what is in the packets of a capture, one line each',
    load: async () => (await loaded('./decode/command.js', () => import('./decode/command.ts'))).decodeCommand(),
  },
  bench: {
    about: 'how fast, on this machine, with these rules and this traffic',
    load: async () => (await loaded('./bench/command.js', () => import('./bench/command.ts'))).benchCommand(),
  },
  policy: {
    about: 'print, convert and check policies and the rules they become',
    load: async () => (await loaded('./policy/command.js', () => import('./policy/command.ts'))).policyCommand(),
  },
};

function version(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

async function run(words: readonly string[]): Promise<void> {
  if (words[0] === '--version' || words[0] === '-V') {
    process.stdout.write(`tagplane ${version()}\n`);
    return;
  }
  const { Command, CommanderError } = await loaded('commander', () => import('commander'));
  const program = new Command('tagplane')
    .description(
      'Replay captures from Cloud Foundry cells: which app talked to which, and what the rules did with every packet.',
    )
    .version(`tagplane ${version()}`, '-V, --version')
    .addHelpText('after', HELP)
    .showSuggestionAfterError(true)
    .exitOverride();
  const named = words.find((word) => word in COMMANDS);
  for (const [name, { about, load }] of Object.entries(COMMANDS)) {
    if (name === named) program.addCommand((await load()).description(about).exitOverride());
    else program.command(name).description(about);
  }
  try {
    await program.parseAsync(words, { from: 'user' });
  } catch (error) {
    // Commander has printed what was wrong; help and version are no errors.
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? EXIT.DONE : EXIT.INPUT;
  }
}

const HELP = `
Examples:
  $ tagplane replay capture.pcapng --foundation foundation.yaml
  $ tagplane replay eth0.pcap --iptables cell-b=iptables-save.txt --verdicts verdicts.ndjson
  $ tagplane decode capture.pcapng --count 10
  $ tagplane policy --foundation foundation.yaml --as iptables-L --cell cell-b

tagplane COMMAND --help says what each command takes.`;

function end(error: unknown): void {
  process.stderr.write(`${describeError(error)}\n`);
  process.exitCode = exitCodeOf(error);
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.DONE);
  end(error);
});
process.stderr.on('error', () => undefined);
run(process.argv.slice(2)).catch(end);
