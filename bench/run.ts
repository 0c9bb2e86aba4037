/**
 * Runs the benchmarks, one process after the other: `npm run bench`, or `npm run bench -- flows match` for those of that name. Results are
 * lines of JSON, the first of which says on what they were made. `memory` writes files of gigabytes and only runs when it is
 * named; `--list` names them all.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const words = process.argv.slice(2);
const ONLY_WHEN_NAMED = ['memory'];

const known = readdirSync(HERE)
  .filter((name) => name.endsWith('.bench.js'))
  .map((name) => name.replace('.bench.js', ''))
  .sort();

/** What stands on the first line. */
function conditions(): object {
  const git = spawnSync('git', ['-C', HERE, 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8' });
  return {
    schemaVersion: 1,
    date: new Date().toISOString().slice(0, 10),
    commit: git.status === 0 ? git.stdout.trim() : null,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    processors: cpus().length,
    memoryGigabytes: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    system: `${process.platform} ${process.arch}`,
  };
}

function main(): void {
  if (words.includes('--list')) {
    for (const name of known) console.log(name);
    return;
  }
  const strangers = words.filter((word) => !known.includes(word));
  if (strangers.length > 0) {
    console.error(`no benchmark is called ${strangers.join(', ')}: expected ${known.join(', ')}`);
    process.exitCode = 2;
    return;
  }
  process.stdout.write(`${JSON.stringify(conditions())}\n`);
  const names = words.length === 0 ? known.filter((name) => !ONLY_WHEN_NAMED.includes(name)) : words;
  for (const name of names) {
    const { status } = spawnSync(process.execPath, [join(HERE, `${name}.bench.js`)], { stdio: 'inherit' });
    if (status !== 0) process.exitCode = 1;
  }
}

main();
