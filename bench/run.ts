/**
 * Runs the benchmarks, one process after the other: `npm run bench`, or `npm run bench -- replay` for those whose name
 * contains a word. Results are lines of JSON. `memory` writes files of gigabytes and only runs when it is named.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const words = process.argv.slice(2);
const ONLY_WHEN_NAMED = ['memory'];

const names = readdirSync(HERE)
  .filter((name) => name.endsWith('.bench.js'))
  .filter((name) =>
    words.length === 0
      ? !ONLY_WHEN_NAMED.some((word) => name.includes(word))
      : words.some((word) => name.includes(word)),
  );
for (const name of names) {
  const { status } = spawnSync(process.execPath, [join(HERE, name)], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
