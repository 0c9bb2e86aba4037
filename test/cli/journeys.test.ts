/** `tagplane replay --at` and `--tap`: the taps of a real kernel against emulated cells, and the files that come out. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ROOT, skip } from '../support/shared.ts';
import { hasTshark } from '../support/tshark.ts';
import { capture, FOUNDATION, inDirectory, tagplane } from './command.ts';

const test = suite('cli/journeys');
const WITH = ['--foundation', FOUNDATION];
const CONTAINERS = ['frontend-0', 'backend-0', 'backend-1', 'batch-0', 'orders-0'].map((one) =>
  capture(`${one}.eth0.pcap`),
);
const at = (cell: string): string[] => ['--at', `${cell}/eth0=${capture(`${cell}.eth0.pcapng`)}`];

interface Sum {
  readonly tap: string;
  readonly captured: number;
  readonly agreed: number;
  readonly entered: number;
  readonly different: number;
  readonly missing: number;
  readonly unexpected: number;
}

const sumsOf = async (words: readonly string[]): Promise<Sum[]> => {
  const { code, stdout, stderr } = await tagplane(['replay', ...words, ...WITH, '--json']);
  assert.is(code, 0, stderr);
  return (JSON.parse(stdout) as { taps: Sum[] }).taps;
};

test('every packet of every tap is one journey, and the kernel contradicts nothing', async () => {
  const sums = await sumsOf([...CONTAINERS, ...at('cell-a'), ...at('cell-b')]);
  assert.is(sums.length, 7);
  for (const { tap, different, missing, unexpected } of sums) {
    assert.equal({ tap, different, missing, unexpected }, { tap, different: 0, missing: 0, unexpected: 0 });
  }
  assert.is(sums.find(({ tap }) => tap === 'cell-b/eth0')!.agreed, 90);
  assert.is(sums.find(({ tap }) => tap === 'cell-b/eth0')!.entered, 0);
});

test('the underlay alone is enough', async () => {
  const [sum] = await sumsOf(at('cell-b'));
  assert.is(sum!.agreed, 90);
  assert.is(sum!.missing + sum!.different + sum!.unexpected, 0);
});

const oneFile = (): Promise<void> =>
  inDirectory(async (directory) => {
    const file = join(directory, 'taps.pcapng');
    const taps = ['cell-a/silk-vtep', 'cell-b/eth0'].flatMap((tap) => ['--tap', `${tap}=${file}`]);
    const { code, stderr } = await tagplane(['replay', ...CONTAINERS, ...taps, ...WITH, '-q']);
    assert.is(code, 0, stderr);
    const shown = execFileSync('tshark', [
      ...['-n', '-r', file, '-T', 'fields', '-e', 'frame.interface_name', '-e', 'frame.comment'],
    ]).toString();
    const lines = shown.trim().split('\n');
    assert.is(lines.filter((line) => line.startsWith('cell-b/eth0\t')).length, 90);
    assert.ok(lines.every((line) => /\ttagplane: journey \d+/.test(line)));
    const again = await tagplane(['replay', '--at', `cell-b/eth0=${file}`, ...WITH]);
    assert.is(again.code, 2);
    assert.match(again.stderr, /several interfaces \(cell-a\/silk-vtep, cell-b\/eth0\), expected those of one tap/);
  });

const ONE_FILE = 'taps with one file are interfaces of it, and tshark reads it';
if (hasTshark()) test(ONE_FILE, oneFile);
else skip(test, ONE_FILE, 'tshark is not on this machine');

test('a tap that was written can be given again, and agrees', () =>
  inDirectory(async (directory) => {
    const file = join(directory, 'vtep.pcapng');
    const written = await tagplane(['replay', ...CONTAINERS, '--tap', `cell-b/silk-vtep=${file}`, ...WITH, '-q']);
    assert.is(written.code, 0, written.stderr);
    const sums = await sumsOf(['--at', `cell-b/silk-vtep=${file}`, ...at('cell-b')]);
    assert.equal(
      sums.map(({ tap, agreed, missing, different, unexpected }) => [tap, agreed, missing, different, unexpected]),
      [
        ['cell-b/eth0', 90, 0, 0, 0],
        ['cell-b/silk-vtep', 90, 0, 0, 0],
      ],
    );
  }));

test('offloaded segments, larger than any MTU, pass as their cells pass them', async () => {
  const folder = join(ROOT, 'captures', 'offload');
  const inside = ['frontend-0', 'backend-0', 'backend-1', 'batch-0', 'orders-0'].map((one) =>
    join(folder, `${one}.eth0.pcap`),
  );
  const underlay = ['--at', `cell-b/eth0=${join(folder, 'cell-b.eth0.pcapng')}`];
  for (const words of [[...inside, ...underlay], underlay]) {
    const rules = ['--foundation', join(folder, 'foundation.yaml')];
    const { code, stdout, stderr } = await tagplane(['replay', ...words, ...rules, '--json']);
    assert.is(code, 0, stderr);
    const { taps } = JSON.parse(stdout) as { taps: Sum[] };
    for (const { tap, different, missing, unexpected } of taps)
      assert.equal([different, missing, unexpected], [0, 0, 0], tap);
    assert.is(taps.find(({ tap }) => tap === 'cell-b/eth0')!.agreed, 23);
  }
});

test('lines and the document say the same; lines come while captures are read', async () => {
  const words = ['replay', ...CONTAINERS, ...at('cell-b'), ...WITH];
  const [document, lines] = await Promise.all([tagplane([...words, '--json']), tagplane([...words, '--ndjson'])]);
  const [header, ...journeys] = lines.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  assert.equal(header, { schemaVersion: 1, format: 'tagplane-journeys' });
  assert.equal(journeys, (JSON.parse(document.stdout) as { journeys: object[] }).journeys);
  const numbers = journeys.map((one) => (one as { journey: number }).journey);
  assert.equal(
    numbers,
    [...numbers].sort((a, b) => a - b),
  );
});

test('the same captures and seed give the same octets, in any order of the words', () =>
  inDirectory(async (directory) => {
    const written: Buffer[] = [];
    for (const [i, words] of [CONTAINERS, [...CONTAINERS].reverse()].entries()) {
      const file = join(directory, `${i}.pcapng`);
      const { code } = await tagplane([
        'replay',
        ...words,
        '--tap',
        `cell-a/eth0=${file}`,
        '--seed',
        '7',
        ...WITH,
        '-q',
      ]);
      assert.is(code, 0);
      written.push(readFileSync(file));
    }
    assert.ok(written[0]!.equals(written[1]!));
    assert.ok(written[0]!.length > 10_000);
  }));

test('a capture from a pipe has its tap inferred, too', async () => {
  const input = readFileSync(CONTAINERS[0]!);
  const { code, stderr, stdout } = await tagplane(['replay', '-', ...at('cell-b'), ...WITH], { input });
  assert.is(code, 0, stderr);
  assert.match(stderr, /- was taken at cell-a\/s-010255001004\/eth0/);
  assert.match(stdout, /cell-a\/s-010255001004\/eth0 +84 /);
});

test('a damaged capture is told of with its offset; whole packets before it, and other captures, are followed', () =>
  inDirectory(async (directory) => {
    const whole = readFileSync(CONTAINERS[0]!);
    const file = join(directory, 'frontend.pcap');
    writeFileSync(file, whole.subarray(0, 6000));
    const tap = join(directory, 'tap.pcapng');
    const words = ['--at', `cell-a/s-010255001004/eth0=${file}`, ...at('cell-b'), '--tap', `cell-b/silk-vtep=${tap}`];
    const { code, stdout, stderr } = await tagplane(['replay', ...words, ...WITH, '--json']);
    assert.is(code, 2);
    assert.match(stderr, /frontend\.pcap: .*offset \d+/);
    const { taps } = JSON.parse(stdout) as { taps: Sum[] };
    const [underlay, inside] = taps;
    assert.is(inside!.tap, 'cell-a/s-010255001004/eth0');
    assert.ok(inside!.captured > 20 && inside!.captured < 84);
    // What the damaged capture does not show any more is put in from the underlay.
    assert.equal([underlay!.agreed, underlay!.missing, underlay!.different], [90, 0, 0]);
    assert.ok(existsSync(tap));
  }));

test('two damaged captures are both told of', () =>
  inDirectory(async (directory) => {
    const files = [0, 1].map((i) => {
      const file = join(directory, `${i}.pcap`);
      writeFileSync(file, readFileSync(CONTAINERS[i]!).subarray(0, 500 + i));
      return file;
    });
    const { code, stderr } = await tagplane(['replay', ...files, '--tap', 'cell-a/eth0=/dev/null', ...WITH, '-q']);
    assert.is(code, 2);
    for (const file of files) assert.ok(stderr.includes(file), stderr);
  }));

test('an output that cannot be written leaves nothing behind', () =>
  inDirectory(async (directory) => {
    const words = [...CONTAINERS, '--tap', `cell-a/eth0=${join(directory, 'none', 'x.pcapng')}`];
    const { code } = await tagplane([
      'replay',
      ...words,
      '--tap',
      `cell-b/eth0=${join(directory, 'y.pcapng')}`,
      ...WITH,
    ]);
    assert.is(code, 74);
    assert.equal(readdirSync(directory), []);
  }));

test('mistakes are named', async () => {
  for (const [words, message] of [
    [['--at', 'cell-a/eth0'], /expected TAP=FILE/],
    [['--at', `cell-a/eth9=${CONTAINERS[0]}`], /no tap "cell-a\/eth9"/],
    [[capture('cell-b.eth0.pcapng'), '--tap', 'cell-a/eth0=x.pcapng'], /at any of cell-a\/eth0, cell-b\/eth0/],
    [[...at('cell-b'), '--verdicts', 'x'], /--verdicts cannot be combined/],
    [['--at', `cell-x/eth0=${CONTAINERS[0]}`], /no cell "cell-x" .*expected one of cell-a, cell-b/],
    [['--at', `cell-a/eht0=${CONTAINERS[0]}`], /cell-a has cell-a\/eth0, .*did you mean cell-a\/eth0\?/],
    [['--at', `${CONTAINERS[0]}=cell-a/eth0`], /got FILE=TAP; try --at cell-a\/eth0=/],
    [[...at('cell-b'), '--tap', 'cell-b/silk=x'], /no tap "cell-b\/silk".*did you mean cell-b\/silk-vtep/],
    [['--at', 'cell-a/eth0=missing.pcap'], /missing\.pcap: cannot be opened: ENOENT/],
    [[...at('cell-b'), ...at('cell-b')], /is given twice/],
    [['-', '--at', 'cell-a/eth0=-'], /standard input \(-\) can be read once/],
    [[...at('cell-b'), '--mtu', '67'], /--mtu 67: expected a number from 68 to 65535/],
    [[...at('cell-b'), '--mtu', 'cell-c/eth0=1400'], /no cell "cell-c"/],
    [[capture('cell-b.eth0.pcapng'), '--mtu', '1400'], /--mtu is of emulated cells/],
    [[capture('cell-b.eth0.pcapng'), '--fail-on', 'extra'], /--fail-on extra needs emulated cells/],
  ] as const) {
    const { code, stderr } = await tagplane(['replay', ...words, ...WITH]);
    assert.is(code, 2);
    assert.match(stderr, message);
  }
});

test.run();
