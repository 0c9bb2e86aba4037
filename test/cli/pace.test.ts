/** `tagplane replay` at a pace, in steps, and in loops. No test asks that something be fast; that a pace is not too fast, some do. */
import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { create } from '../../src/capture/burst.ts';
import { openGate, openSteps } from '../../src/cli/replay/pace.ts';
import { BY } from '../../src/replay/pacing.ts';
import { capture, ended, FOUNDATION, start, tagplane } from './command.ts';

const test = suite('cli/pace');
const CAPTURE = capture('cell-b.eth0.pcapng');
const WITH = ['replay', CAPTURE, '--foundation', FOUNDATION];
const PACKETS = 92;
/** Nanoseconds from its first to its last packet, as capinfos says. */
const SPAN = 825_781_294;

interface Report {
  readonly packets: number;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly reasons: readonly { readonly reason: string; readonly packets: number }[];
  readonly flows: readonly { readonly packets: number; readonly connections: number }[];
  readonly pacing?: Readonly<Record<string, number | string>>;
}

async function reportOf(...words: readonly string[]): Promise<Report> {
  const { code, stdout, stderr } = await tagplane([...WITH, ...words, '--json']);
  assert.is(code, 0, stderr);
  return JSON.parse(stdout) as Report;
}

for (const [option, value, by, atLeast] of [
  ['--pps', '200', 'pps', (PACKETS - 1) / 200],
  ['--speed', '2', 'speed', SPAN / 2 / 1e9],
  ['--mbps', '.5', 'mbps', 0],
] as const) {
  test(`${option} takes its time and changes nothing else`, async () => {
    const { pacing, ...paced } = await reportOf(option, value);
    const { pacing: none, ...free } = await reportOf('--topspeed');
    assert.is(none, undefined);
    assert.equal(paced, free);
    assert.is(pacing!.by, by);
    assert.is(pacing!.rate, Number(value));
    const took = PACKETS / Number(pacing!.packetsPerSecond);
    assert.ok(took >= atLeast, `${took} s, at least ${atLeast}`);
    if (option === '--mbps') assert.ok(Number(pacing!.megabitsPerSecond) <= 0.55);
  });
}

test('the report says whether the pace was kept', async () => {
  const { stdout } = await tagplane([...WITH, '--pps', '1000']);
  assert.match(stdout, /^92 packets in .* per second, (?:none|\d+) more than 2 ms/m);
});

test('ways exclude each other', async () => {
  for (const words of [
    ['--pps', '5', '--speed', '2'],
    ['--mbps', '5', '--step'],
    ['--topspeed', '--pps', '5'],
  ]) {
    const { code, stderr } = await tagplane([...WITH, ...words]);
    assert.is(code, 2);
    assert.match(stderr, /cannot be used with option/);
  }
});

for (const [words, why] of [
  [['--pps', '0'], /expected a number above 0/],
  [['--speed', 'fast'], /expected a number above 0/],
  [['--mbps', '1e400'], /expected a number above 0/],
  [['--loop', '0'], /expected a whole number from 1/],
] as const) {
  test(`${words.join(' ')} is refused`, async () => {
    const { code, stderr } = await tagplane([...WITH, ...words]);
    assert.is(code, 2);
    assert.match(stderr, why);
  });
}

test('emulated cells have no pace', async () => {
  for (const words of [
    ['--pps', '5'],
    ['--loop', '2'],
  ]) {
    const { code, stderr } = await tagplane([...WITH, '--tap', 'cell-b/eth0=x', ...words]);
    assert.is(code, 2);
    assert.match(stderr, /^tagplane: --\w+ cannot be combined with --at or --tap\n$/);
  }
});

test('a signal ends the wait, with what was replayed until then', async () => {
  const child = start([...WITH, '--pps', '1', '--ndjson']);
  // The first line comes when there is a wait: then the handler of signals is there, and one packet went.
  child.stdout!.once('data', () => child.kill('SIGINT'));
  const { code, stdout } = await ended(child);
  assert.is(code, 130);
  const lines = stdout.trimEnd().split('\n');
  assert.ok(lines.length >= 2 && lines.length < PACKETS, `${lines.length} lines`);
  for (const line of lines) JSON.parse(line);
});

test('--step: a packet with each line, until q', async () => {
  const { code, stdout, stderr } = await tagplane([...WITH, '--step'], { input: Buffer.from('\n\nq\n\n\n') });
  assert.is(code, 0);
  assert.is(stderr, 'Enter: the next packet, q: end\n');
  const all = (await tagplane([...WITH, '--ndjson'])).stdout.split('\n');
  assert.equal(stdout.trimEnd().split('\n'), all.slice(0, 3));
});

test('--step ends with standard input, and needs it', async () => {
  const { code, stdout } = await tagplane([...WITH, '--step'], { input: Buffer.from('\n\n') });
  assert.is(code, 0);
  assert.is(stdout.trimEnd().split('\n').length, 3);
  const refused = await tagplane(['replay', '-', '--foundation', FOUNDATION, '--step']);
  assert.is(refused.code, 2);
  assert.match(refused.stderr, /--step waits for lines on standard input/);
});

for (const loops of ['native', 'wasm', 'none']) {
  test(`--loop: the same again each time, with connections of their own (${loops})`, async () => {
    const environment = loops === 'native' ? {} : { TAGPLANE_LOOPS: loops };
    for (const name of ['cell-b.eth0.pcapng', 'cell-b.s-010255002007.pcap']) {
      const report = async (...words: string[]): Promise<Report> => {
        const { code, stdout, stderr } = await tagplane(
          ['replay', capture(name), '--foundation', FOUNDATION, '--cell', 'cell-b', '--json', ...words],
          { environment },
        );
        assert.is(code, 0, stderr);
        return JSON.parse(stdout) as Report;
      };
      const one = await report();
      const three = await report('--loop', '3');
      assert.is(three.packets, one.packets * 3);
      for (const [verdict, packets] of Object.entries(one.verdicts))
        assert.is(three.verdicts[verdict], packets * 3, verdict);
      assert.equal(
        three.reasons,
        one.reasons.map(({ reason, packets }) => ({ reason, packets: packets * 3 })),
      );
      assert.equal(
        three.flows.map(({ packets, connections }) => [packets, connections]),
        one.flows.map(({ packets, connections }) => [packets * 3, connections * 3]),
      );
    }
  });
}

test('lines of loops say which one', async () => {
  const { stdout } = await tagplane([...WITH, '--loop', '2', '--ndjson']);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => JSON.parse(line) as { loop: number; packet: number; timestamp: string });
  assert.is(lines.length, PACKETS * 2);
  assert.is(lines.filter(({ loop }) => loop === 2).length, PACKETS);
  const times = lines.map(({ timestamp }) => BigInt(timestamp));
  assert.is(Number(times[PACKETS]! - times[PACKETS - 1]!), 31e9);
});

test('--loop needs files', async () => {
  const { code, stderr } = await tagplane(['replay', '-', '--foundation', FOUNDATION, '--loop', '2'], {
    input: readFileSync(CAPTURE),
  });
  assert.is(code, 2);
  assert.is(stderr, 'tagplane: --loop reads captures again, and standard input can be read once\n');
});

test('a gate sleeps until the next packet is due, and shows what was written before it sleeps long', async () => {
  let clock = 5e9;
  const slept: number[] = [];
  let flushed = 0;
  const gate = openGate(
    { by: BY.PACKETS, rate: 8 },
    { stop: () => clock >= 5.3e9, flush: async () => void flushed++, whenStopped: async () => {} },
    () => clock,
    async (nanoseconds) => {
      slept.push(nanoseconds);
      clock += nanoseconds;
    },
  );
  const records = create();
  records.count = 3;
  assert.is(gate.release(records), 1);
  await gate.wait();
  assert.equal(slept, [50e6, 50e6, 25e6]);
  assert.is(flushed, 1);
  assert.is(gate.release(records), 1);
  await gate.wait();
  assert.is(gate.release(records), 1);
  // It stops although a fourth packet would be due later.
  await gate.wait();
  assert.is(clock, 5.3e9);
});

test('a signal ends the wait for a line', async () => {
  const input = new PassThrough();
  const steps = openSteps(input, { stop: () => true, flush: async () => {}, whenStopped: async () => {} });
  await steps.wait();
  assert.is(steps.release(create()), 0);
  assert.ok(steps.hasEnded());
  steps.close();
});

test.run();
