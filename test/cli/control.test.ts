/** `replay --policies-at`, `--asgs-at` and `--agent-restart-at`: what changes, when, and what packets met in between. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { capture, FOUNDATION, inDirectory, tagplane } from './command.ts';

const test = suite('cli/control');
const REPLAY = ['replay', capture('cell-b.eth0.pcapng'), '--foundation', FOUNDATION];

interface Change {
  readonly timestamp: string;
  readonly cell: string;
  readonly what: string;
  readonly window: boolean;
  readonly packets: number | null;
}

interface Window {
  readonly cell: string;
  readonly from: string;
  readonly until: string | null;
  readonly packets: number;
  readonly unlikeBefore: number;
  readonly unlikeAfter: number;
  readonly unlikeBoth: number;
  readonly examples: readonly { readonly destination: string; readonly before: string; readonly after: string }[];
}

interface Document {
  readonly changes: readonly Change[];
  readonly windows: readonly Window[];
  readonly verdicts: Readonly<Record<string, number>>;
}

async function replayed(...options: readonly string[]): Promise<Document> {
  const { code, stdout, stderr } = await tagplane([...REPLAY, '--json', ...options]);
  assert.is(code, 0, stderr);
  return JSON.parse(stdout) as Document;
}

const text = readFileSync(FOUNDATION, 'utf8');
const FRONTEND_8080 = '  - { source: frontend, destination: backend, protocol: tcp, ports: "8080" }\n';

/** A foundation file with one piece of text replaced. */
function rewritten(directory: string, piece: string, by: string): string {
  assert.ok(text.includes(piece));
  const file = join(directory, 'changed.yaml');
  writeFileSync(file, text.replace(piece, by));
  return file;
}

/** Steps that last as long as the capture, so that packets fall into each of them. */
const SLOW = ['--poll-interval', '10ms', '--insert-time', '0s', '--fill-time', '100ms', '--remove-time', '10s'];

test('a policy goes: packets that only the old chain still accepts are counted, with examples', () =>
  inDirectory(async (directory) => {
    const file = rewritten(directory, FRONTEND_8080, '');
    const { changes, windows } = await replayed('--policies-at', `+0s=${file}`, '--cell', 'cell-b', ...SLOW);
    const steps = changes
      .filter(({ cell }) => cell === 'cell-b')
      .map(({ what, window }) => [what.split(' ')[1], window]);
    assert.equal(steps, [
      ['inserted,', true],
      ['filled', true],
      ['chain', false],
    ]);
    const window = windows.find(({ cell }) => cell === 'cell-b')!;
    assert.is(window.until, null);
    assert.ok(window.packets > 40);
    assert.is(window.unlikeBefore, 0);
    assert.ok(window.unlikeAfter > 0);
    assert.is(window.unlikeBoth, 0);
    for (const { destination, before, after } of window.examples) {
      assert.match(destination, /^10\.255\.2\.7:8080$/);
      assert.equal([before, after], ['accept', 'reject']);
    }
  }));

test('a policy comes: in the first step it does not hold yet, in the second it does', () =>
  inDirectory(async (directory) => {
    const file = rewritten(
      directory,
      FRONTEND_8080,
      `${FRONTEND_8080}  - { source: frontend, destination: backend, protocol: tcp, ports: "9999" }\n`,
    );
    const { windows } = await replayed('--policies-at', `+0s=${file}`, '--cell', 'cell-b', ...SLOW);
    const window = windows.find(({ cell }) => cell === 'cell-b')!;
    for (const { before, after } of window.examples) assert.equal([before, after], ['reject', 'accept']);
    assert.is(window.unlikeBoth, 0);
  }));

test('the report names the steps and the windows', () =>
  inDirectory(async (directory) => {
    const file = rewritten(directory, FRONTEND_8080, '');
    const { code, stdout } = await tagplane([...REPLAY, '--policies-at', `+0s=${file}`, ...SLOW]);
    assert.is(code, 0);
    const lines = stdout.replaceAll('\n  ', ' ');
    assert.match(lines, /vpa--[0-9]+ inserted, empty; then [0-9,]+ packets, [0-9,]+ refused in this window/);
    assert.match(lines, /while old and new rules were both there\n/);
    assert.match(lines, /[0-9]+ packets met its rules; 0 would have been answered otherwise before it, 1 after it/);
    assert.match(stdout, /tcp 10\.255\.1\.4:[0-9]+ > 10\.255\.2\.7:8080: accept; before: accept, after: reject/);
  }));

test('security groups go through a candidate chain, container by container', () =>
  inDirectory(async (directory) => {
    const file = rewritten(directory, 'destination: 0.0.0.0-9.255.255.255', 'destination: 0.0.0.0-8.255.255.255');
    const options = ['--asg-poll-interval', '10ms', '--fill-time', '1ms', '--remove-time', '1ms'];
    const { changes, windows } = await replayed('--asgs-at', `+0s=${file}`, '--cell', 'cell-b', ...options);
    const steps = changes.filter(({ cell }) => cell === 'cell-b').map(({ what }) => what);
    const [inserted, filled, removed, renamed] = steps;
    assert.is(steps.length, 8, 'two containers, four steps each');
    const candidate = inserted!.split(' ')[0]!;
    assert.match(candidate, /^casg-/);
    assert.is(filled, `${candidate} filled`);
    assert.is(removed, `old chain removed, ${candidate} alone`);
    assert.is(renamed, `${candidate} renamed to ${candidate.slice(1)}`);
    assert.is(windows.filter(({ cell }) => cell === 'cell-b').length, 2);
    for (const { from, until } of windows) assert.ok(BigInt(until!) > BigInt(from));
  }));

test('a restart lets everything pass', async () => {
  const before = await replayed();
  assert.ok(before.verdicts.reject! > 0);
  assert.is(before.changes, undefined);
  const { changes, verdicts } = await replayed('--agent-restart-at', '+0s');
  assert.is(verdicts.reject, 0);
  assert.match(changes[0]!.what, /flushed by pre-start/);
});

test('a time that is none, and a file that is not there, are named', async () => {
  for (const [option, value, message] of [
    ['--policies-at', 'noon=x.json', /--policies-at noon: expected a time such as/],
    ['--policies-at', 'x.json', /--policies-at x\.json: expected TIME=FILE/],
    ['--asgs-at', '+1s=', /--asgs-at \+1s=: expected TIME=FILE/],
    ['--agent-restart-at', 'soon', /--agent-restart-at soon: expected a time/],
    ['--policies-at', '+1s=nowhere.json', /nowhere\.json/],
  ] as const) {
    const { code, stderr } = await tagplane([...REPLAY, option, value]);
    assert.is(code, 2);
    assert.match(stderr, message);
  }
});

test.run();
