/** Programs shown in the documentation are run, and print what is shown: a block `js`, then a block `text`. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ROOT } from './support/shared.ts';

const test = suite('docs-library');
const FOLDER = join(ROOT, 'docs');
const TIMEOUT_MILLISECONDS = 60_000;

let programs = 0;
for (const page of readdirSync(FOLDER).filter((name) => name.endsWith('.md'))) {
  const text = readFileSync(join(FOLDER, page), 'utf8');
  const shown = [...text.matchAll(/^```js\n([\s\S]*?)^```\n\n```text\n([\s\S]*?)^```$/gm)];
  programs += shown.length;
  for (const [i, [, program, output]] of shown.entries()) {
    test(`${page}: program ${i + 1} prints what is shown`, () => {
      // Inside the package its own name can be imported.
      const file = join(ROOT, 'dist', `docs-${page}-${i}.mjs`);
      writeFileSync(file, program!);
      const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
        cwd: ROOT,
        encoding: 'utf8',
        timeout: TIMEOUT_MILLISECONDS,
        env: { ...process.env, NO_COLOR: '1' },
      });
      rmSync(file);
      assert.is(status, 0, stderr);
      assert.is(stdout, output);
    });
  }
}

test('there are such programs', () => assert.ok(programs > 0));

test.run();
