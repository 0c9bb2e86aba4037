/** `tagplane replay --workers`: the same octets come out, whatever the number; and what one worker does alone, with the reason. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { RecordSource } from '../../src/capture/reader.ts';
import { interruptible, watchForInterruption } from '../../src/cli/interruption.ts';
import { attend, callMeeting, createMeeting } from '../../src/cli/replay/rendezvous.ts';
import { ROOT } from '../support/shared.ts';
import { capture, FOUNDATION, inDirectory, SCENARIO, tagplane } from './command.ts';

const test = suite('cli/workers');
const CAPTURE = capture('cell-b.eth0.pcapng');
const WITH = ['--foundation', FOUNDATION];
const SCENARIOS = ['two-cells', 'logging-legacy', 'offload'];

/** Those taken on cells: pcapng at the underlay, pcap at a container's interface. */
const capturesOf = (scenario: string): string[] =>
  readdirSync(join(ROOT, 'captures', scenario)).filter((name) => /^cell-.*\.pcap(?:ng)?$/.test(name));

for (const scenario of SCENARIOS) {
  test(`the report of any number of workers is that of one: ${scenario}`, async () => {
    const directory = join(ROOT, 'captures', scenario);
    const report = async (file: string, workers: string): Promise<string> => {
      const words = ['replay', file, '--foundation', 'foundation.yaml', '--json', '--workers', workers];
      const { code, stdout, stderr } = await tagplane(words, { directory });
      assert.is(code, 0, stderr);
      assert.is(stderr, '');
      return stdout;
    };
    for (const file of capturesOf(scenario)) {
      const one = await report(file, '1');
      for (const workers of ['2', '4']) assert.is(await report(file, workers), one, `${file} with ${workers}`);
    }
  });
}

test('counters of rules are summed over all workers', async () => {
  await inDirectory(async (directory) => {
    const save = async (workers: string): Promise<string> => {
      const words = ['replay', CAPTURE, ...WITH, '--workers', workers, '--save-counters', join(directory, workers)];
      const { code, stderr } = await tagplane([
        ...words,
        '-q',
        '--iptables',
        `cell-b=${join(SCENARIO, 'cell-b.iptables-save')}`,
      ]);
      assert.is(code, 0, stderr);
      return readFileSync(join(directory, workers, 'cell-b.iptables-save-c'), 'utf8');
    };
    const one = await save('1');
    assert.match(one, /\[[1-9]\d*:\d+\]/);
    assert.is(await save('3'), one);
  });
});

const alone: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['several captures', [CAPTURE, CAPTURE, '--json'], /several captures are merged in one order/],
  ['standard input', ['-', '--json'], /standard input can be read only once/],
  ['a line for each packet', [CAPTURE, '--ndjson'], /what is written for each packet has one order/],
  ['changes', [CAPTURE, '--json', '--agent-restart-at', '+1s'], /rules change while packets flow/],
];

for (const [name, words, why] of alone) {
  test(`one worker is left with ${name}`, async () => {
    const input = readFileSync(CAPTURE);
    const one = await tagplane(['replay', ...words, ...WITH], { input });
    const two = await tagplane(['replay', ...words, ...WITH, '--workers', '2'], { input });
    assert.is(two.code, 0, two.stderr);
    assert.match(two.stderr, /^tagplane: one worker judges all packets: /);
    assert.match(two.stderr, why);
    assert.is(two.stdout, one.stdout);
  });
}

test('one worker is left with a limit that decides', async () => {
  await inDirectory(async (directory) => {
    const rules = join(directory, 'rules');
    writeFileSync(
      rules,
      '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n-A FORWARD -m limit --limit 5/sec -j ACCEPT\nCOMMIT\n',
    );
    const words = ['replay', CAPTURE, ...WITH, '--iptables', `cell-b=${rules}`, '--json'];
    const two = await tagplane([...words, '--workers', '2']);
    assert.match(
      two.stderr,
      /one worker judges all packets: rules of cell-b count in a limit what many connections send\n/,
    );
    assert.is(two.stdout, (await tagplane(words)).stdout);
  });
});

test('a damaged capture ends with the same words', async () => {
  await inDirectory(async (directory) => {
    const file = join(directory, 'cut.pcapng');
    writeFileSync(file, readFileSync(CAPTURE).subarray(0, 9000));
    const [one, two] = await Promise.all(
      ['1', '2'].map((workers) => tagplane(['replay', file, ...WITH, '--json', '--workers', workers])),
    );
    assert.is(one!.code, 2);
    assert.equal(two, one);
  });
});

test('a file that is not there', async () => {
  const { code, stderr } = await tagplane(['replay', 'nothing.pcap', ...WITH, '--workers', '2']);
  assert.is(code, 2);
  assert.is(stderr, 'tagplane: nothing.pcap: cannot be opened: ENOENT\n');
});

test('a number that is none', async () => {
  const { code, stderr } = await tagplane(['replay', CAPTURE, ...WITH, '--workers', '0']);
  assert.is(code, 2);
  assert.match(stderr, /--workers/);
});

test('workers agree to stop behind the packet of the one that is furthest', async () => {
  const meeting = createMeeting(3);
  const [one, two, three] = [0, 1, 2].map((number) => attend(meeting, number));
  assert.is(one!.until(10), Number.POSITIVE_INFINITY);
  two!.leave(25);
  callMeeting(meeting);
  // The third is in a thread of its own, which waits for the first.
  const thread = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     import(workerData.module).then(({ attend }) => parentPort.postMessage(attend(workerData.meeting, 2).until(40)));`,
    {
      eval: true,
      workerData: { module: new URL('../../src/cli/replay/rendezvous.js', import.meta.url).href, meeting },
    },
  );
  const answer = new Promise((resolve, reject) => thread.once('message', resolve).once('error', reject));
  assert.is(one!.until(10), 40);
  assert.is(one!.until(20), 40);
  assert.is(await answer, 40);
  assert.ok(three);
});

test('a signal is heard while a file is read', async () => {
  const interruption = watchForInterruption();
  let reads = 0;
  const endless = { refill: () => Promise.resolve(++reads < 1e6), fill: () => 0, close: () => Promise.resolve() };
  const source = interruptible({ ...endless, epochNanoseconds: 0n, packets: 0 } satisfies RecordSource, interruption);
  process.kill(process.pid, 'SIGINT');
  try {
    while (interruption.code === 0 && (await source.refill()));
    assert.is(interruption.code, 130);
    assert.ok(reads < 1e6, `${reads} reads`);
  } finally {
    interruption.end();
  }
});

test('every way to the report is named in --help', async () => {
  const { stdout } = await tagplane(['replay', '--help']);
  assert.match(stdout, /--workers <number>/);
});

test.run();
