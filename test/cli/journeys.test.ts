/** `tagplane replay --at` and `--tap`: the taps of a real kernel against emulated cells, and the files that come out. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
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

test('taps with one file are interfaces of it, and tshark reads it', () =>
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
  }));

test('mistakes are named', async () => {
  for (const [words, message] of [
    [['--at', 'cell-a/eth0'], /expected TAP=FILE/],
    [['--at', `cell-a/eth9=${CONTAINERS[0]}`], /no tap "cell-a\/eth9"/],
    [[capture('cell-b.eth0.pcapng'), '--tap', 'cell-a/eth0=x.pcapng'], /at any of cell-a\/eth0, cell-b\/eth0/],
    [[...at('cell-b'), '--verdicts', 'x'], /--verdicts cannot be combined/],
  ] as const) {
    const { code, stderr } = await tagplane(['replay', ...words, ...WITH]);
    assert.is(code, 2);
    assert.match(stderr, message);
  }
});

test.run();
