/** The command itself: version, help, and words that it does not know. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ROOT } from '../support/shared.ts';
import { tagplane } from './command.ts';

const test = suite('cli/main');
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

for (const word of ['--version', '-V']) {
  test(word, async () => {
    assert.equal(await tagplane([word]), { code: 0, stdout: `tagplane ${version}\n`, stderr: '' });
  });
}

for (const words of [['--help'], ['help'], ['replay', '--help'], ['decode', '--help'], ['policy', '--help']]) {
  test(`${words.join(' ')} has examples and is at most 100 columns wide`, async () => {
    const { code, stdout, stderr } = await tagplane(words);
    assert.is(code, 0);
    assert.is(stderr, '');
    assert.match(stdout, /Usage: tagplane/);
    assert.match(stdout, /Examples?:\n/);
    for (const line of stdout.split('\n')) assert.ok(line.length <= 100, line);
  });
}

test('an unknown command is told, with the one that was meant', async () => {
  const { code, stdout, stderr } = await tagplane(['reply', 'x.pcap']);
  assert.is(code, 2);
  assert.is(stdout, '');
  assert.match(stderr, /unknown command 'reply'[\s\S]*replay/);
});

test('no command prints the help on standard error and is a mistake', async () => {
  const { code, stdout, stderr } = await tagplane([]);
  assert.is(code, 2);
  assert.is(stdout, '');
  assert.match(stderr, /Usage: tagplane/);
});

test('an unknown option', async () => {
  const { code, stderr } = await tagplane(['--verbose']);
  assert.is(code, 2);
  assert.match(stderr, /unknown option '--verbose'/);
});

test('words that are properties of every object are no commands', async () => {
  for (const word of ['constructor', 'toString', '__proto__']) {
    const { code, stderr } = await tagplane([word]);
    assert.is(code, 2, stderr);
    assert.match(stderr, /unknown command/);
  }
});

test.run();
