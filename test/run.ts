/**
 * Runs every test file of the compiled tree, each in a process of its own, and holds the sums against `test/counts.json`.
 *
 * uvu passes a file that forgets `.run()`, and a suite that lost half its tests still looks green. So every file must
 * report at least as many tests as are written down for it, and every file written down must exist.
 *
 *   node dist/test/run.js                 all files but those that need root (`conformance/`)
 *   node dist/test/run.js conformance     those: they compare with the running kernel in namespaces of their own
 *   node dist/test/run.js wire capture    files whose path contains one of the words
 *   node dist/test/run.js --write-counts  write down what ran, after adding or removing tests on purpose
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const COUNTS = join(HERE, '..', '..', 'test', 'counts.json');
/** A test that hangs is ended after this long; the slowest file needs a small part of it. */
const TIMEOUT_MILLISECONDS = 20 * 60_000;

/** Files that only root can run; they have a command of their own. */
const needsRoot = (file: string): boolean => file.startsWith('conformance');

interface Result {
  readonly file: string;
  readonly total: number;
  readonly passed: number;
  readonly skipped: number;
  readonly ok: boolean;
  readonly output: string;
}

const number = (output: string, label: string): number =>
  Number(new RegExp(`${label}:\\s+(\\d+)`).exec(output)?.[1] ?? 0);

function run(file: string): Promise<Result> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--enable-source-maps', join(HERE, file)], {
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIMEOUT_MILLISECONDS,
      killSignal: 'SIGKILL',
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('close', (code, signal) => {
      const output = Buffer.concat(chunks).toString();
      const ended = signal === null ? '' : `\nended by ${signal}\n`;
      resolve({
        file,
        total: number(output, 'Total'),
        passed: number(output, 'Passed'),
        skipped: number(output, 'Skipped'),
        ok: code === 0,
        output: output + ended,
      });
    });
  });
}

async function runAll(files: readonly string[]): Promise<Result[]> {
  const waiting = [...files];
  const results: Result[] = [];
  const worker = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const result = await run(file);
      results.push(result);
      const skips = result.skipped > 0 ? `, ${result.skipped} skipped` : '';
      console.log(`${result.ok ? 'ok  ' : 'FAIL'} ${file}: ${result.passed} of ${result.total}${skips}`);
      if (result.ok) for (const line of result.output.match(/^(?:SKIP|NOTE) .*$/gm) ?? []) console.log(`     ${line}`);
      else console.log(result.output.replace(/^/gm, '     '));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return results.sort((a, b) => (a.file < b.file ? -1 : 1));
}

/** What is wrong with the sums, one sentence each. `whole` says whether a file of the counts should have run. */
function complaints(
  results: readonly Result[],
  expected: Readonly<Record<string, number>>,
  whole: (file: string) => boolean,
): string[] {
  const found = new Map(results.map((result) => [result.file, result]));
  const wrong: string[] = [];
  for (const result of results) {
    if (result.total + result.skipped === 0) wrong.push(`${result.file} ran no test: does it call .run()?`);
    if (!(result.file in expected)) wrong.push(`${result.file} is not in test/counts.json: npm test -- --write-counts`);
  }
  for (const [file, count] of Object.entries(expected).filter(([name]) => whole(name))) {
    const result = found.get(file);
    const ran = result === undefined ? 0 : result.total + result.skipped;
    if (ran < count) wrong.push(`${file} ran ${ran} tests, ${count} were written down in test/counts.json`);
  }
  return wrong;
}

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const write = process.argv.includes('--write-counts');
const files = readdirSync(HERE, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.js'))
  .map((file) => relative(HERE, join(HERE, file)))
  .filter((file) => (words.length === 0 ? !needsRoot(file) : words.some((word) => file.includes(word))))
  .sort();
const results = await runAll(files);
const expected = JSON.parse(readFileSync(COUNTS, 'utf8')) as Record<string, number>;
if (write) {
  const counted = Object.fromEntries(results.map((result) => [result.file, result.total + result.skipped]));
  const kept = Object.entries(expected).filter(([file]) => words.length > 0 || needsRoot(file));
  const merged = { ...Object.fromEntries(kept), ...counted };
  writeFileSync(COUNTS, `${JSON.stringify(Object.fromEntries(Object.entries(merged).sort()), null, 2)}\n`);
}
const whole = (file: string): boolean =>
  words.length === 0 ? !needsRoot(file) : words.length === 1 && words[0] === 'conformance' && needsRoot(file);
const wrong = write ? [] : complaints(results, expected, whole);
for (const line of wrong) console.log(line);
const sum = (pick: (result: Result) => number): number => results.reduce((total, result) => total + pick(result), 0);
// A file that died before its summary counts as one failure, so that the last line cannot look green.
const failed = sum((r) => (r.ok ? 0 : Math.max(1, r.total - r.passed))) + wrong.length;
console.log(`${sum((r) => r.passed)} passed, ${failed} failed, ${sum((r) => r.skipped)} skipped`);
process.exitCode = failed === 0 ? 0 : 1;
