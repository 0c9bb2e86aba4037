/**
 * Every command shown in the documentation is run, and prints what is shown.
 *
 * A block marked `console` holds lines that begin with `$ ` and the output of each. Figures that differ from run to run (how
 * long a replay took) are compared as figures. TAGPLANE_WRITE_DOCS=1 writes what the commands print into the pages.
 *
 * The list of reasons in docs/replay.md, between its two marks, is held against the table in the code the same way.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { REASONS } from '../src/dataplane/verdict.ts';
import { ROOT } from './support/shared.ts';

const test = suite('docs');
const WRITE = process.env.TAGPLANE_WRITE_DOCS === '1';
const TIMEOUT_MILLISECONDS = 120_000;
const PAGES = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

/** Figures of time and speed, which no two runs share. */
const withoutFigures = (text: string): string =>
  text.replace(/^([\d,]+ packets in) .* per second$/gm, '$1 N').replace(/[ \t]+$/gm, '');

const bin = mkdtempSync(join(tmpdir(), 'tagplane-docs-'));
const MAIN = join(ROOT, 'dist', 'src', 'cli', 'main.js');
writeFileSync(join(bin, 'tagplane'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`, { mode: 0o755 });

function run(command: string): string {
  const child = spawnSync('bash', ['-c', command], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: TIMEOUT_MILLISECONDS,
    env: {
      ...process.env,
      PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`,
      NO_COLOR: '1',
      TZ: 'UTC',
      LC_ALL: 'C.UTF-8',
    },
  });
  assert.is(child.status, 0, `${command}\n${child.stderr}`);
  return child.stdout;
}

/** The page with the output of every command in its console blocks as it is now. */
function rerun(page: string): string {
  return page.replace(/^```console\n([\s\S]*?)^```$/gm, (_, block: string) => {
    const commands = block.split('\n').filter((line) => line.startsWith('$ '));
    const shown = commands.map((line) => `${line}\n${run(line.slice(2))}`);
    return `\`\`\`console\n${shown.join('')}\`\`\``;
  });
}

const reasonTable = (): string =>
  [
    '| reason | because | kernel |',
    '|---|---|---|',
    ...REASONS.map(({ code, because, kernel }) => `| \`${code}\` | ${because} | ${kernel ?? ''} |`),
  ].join('\n');

const withReasons = (page: string): string =>
  page.replace(
    /<!-- reasons -->[\s\S]*?<!-- end of reasons -->/,
    `<!-- reasons -->\n${reasonTable()}\n<!-- end of reasons -->`,
  );

for (const name of PAGES) {
  const path = join(ROOT, name);
  const page = readFileSync(path, 'utf8');
  if (!page.includes('```console') && !page.includes('<!-- reasons -->')) continue;
  test(`${name} shows what the commands print`, () => {
    const now = withReasons(rerun(page));
    if (WRITE) writeFileSync(path, now);
    else assert.is(withoutFigures(now), withoutFigures(page));
  });
}

test('every page of docs/ is reachable from the README', () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  for (const name of PAGES.slice(1)) assert.ok(readme.includes(`(${name})`), `${name} is not linked from README.md`);
});

test('links between pages lead somewhere', () => {
  for (const name of PAGES) {
    const page = readFileSync(join(ROOT, name), 'utf8');
    for (const [, link] of page.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      assert.ok(existsSync(join(ROOT, name, '..', link!)), `${name} links to ${link}`);
    }
  }
});

test.after(() => rmSync(bin, { recursive: true }));
test.run();
