/**
 * `tagplane replay` as people run it: reports, files, streams, signals, and every way in which input or output can fail.
 * Judges: tshark for the captures it writes, the sums of its own lines for its reports.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  copyFileSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HAS_TSHARK, tsharkFields } from '../capture/tshark.ts';
import { ROOT, skip } from '../support/shared.ts';
import { capture, ended, FOUNDATION, inDirectory, MAIN, SCENARIO, start, tagplane } from './command.ts';

const test = suite('cli/replay');
const CAPTURE = capture('cell-b.eth0.pcapng');
const WITH = ['--foundation', FOUNDATION];
const PACKETS = 92;
const VERDICTS = { forward: 0, deliver: 82, reject: 7, drop: 1, malformed: 0, unsupported: 0, observed: 2 };

interface Line {
  readonly packet: number;
  readonly file: string;
  readonly verdict: string;
  readonly reason: string;
}

const linesOf = (text: string): Line[] =>
  text
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => JSON.parse(line) as Line);

const countBy = (lines: readonly Line[], verdict: string): number =>
  lines.filter((line) => line.verdict === verdict).length;

interface Report {
  readonly schemaVersion: number;
  readonly packets: number;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly reasons: readonly { readonly reason: string; readonly packets: number }[];
  readonly unreconciled: number;
}

async function jsonOf(words: readonly string[]): Promise<Report> {
  const { code, stdout, stderr } = await tagplane(['replay', ...words, '--json']);
  assert.is(code, 0, stderr);
  return JSON.parse(stdout) as Report;
}

test('the report', async () => {
  const words = ['replay', 'cell-b.eth0.pcapng', '--foundation', 'foundation.yaml', '--top', '4'];
  const { code, stdout, stderr } = await tagplane(words, { directory: SCENARIO });
  assert.is(code, 0, stderr);
  assert.is(stderr, '');
  const text = stdout.replace(/in [\d.]+ s: .* per second/, 'in TIME');
  assert.fixture(text, readFileSync(join(ROOT, 'test', 'fixtures', 'replay-report.txt'), 'utf8'));
});

test('no line of a report is wider than 80 columns', async () => {
  for (const name of ['two-cells', 'logging-legacy', 'offload']) {
    const folder = join(ROOT, 'captures', name);
    const words = ['replay', 'cell-b.eth0.pcapng', '--foundation', 'foundation.yaml', '--top', 'all'];
    const output = execFileSync(process.execPath, [MAIN, ...words], { cwd: folder, encoding: 'utf8' });
    for (const line of output.split('\n')) assert.ok(line.length <= 80, `${name}: ${line.length} columns: ${line}`);
  }
});

test('--json is one document whose sums agree', async () => {
  const report = await jsonOf([CAPTURE, ...WITH]);
  assert.is(report.schemaVersion, 1);
  assert.is(report.packets, PACKETS);
  assert.equal(report.verdicts, VERDICTS);
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
  assert.is(sum(Object.values(report.verdicts)), PACKETS);
  assert.is(sum(report.reasons.map(({ packets }) => packets)), PACKETS);
  assert.is(report.unreconciled, 0);
});

test('--ndjson and --verdicts are the same lines, one for every packet', () =>
  inDirectory(async (directory) => {
    const file = join(directory, 'verdicts.ndjson');
    const { stdout, code } = await tagplane(['replay', CAPTURE, ...WITH, '--ndjson', '--verdicts', file]);
    assert.is(code, 0);
    assert.is(readFileSync(file, 'utf8'), stdout);
    assert.equal(JSON.parse(stdout.slice(0, stdout.indexOf('\n'))), { schemaVersion: 1, format: 'tagplane-verdicts' });
    const lines = linesOf(stdout);
    assert.equal(
      lines.map(({ packet }) => packet),
      Array.from({ length: PACKETS }, (_, index) => index + 1),
    );
    for (const [verdict, count] of Object.entries(VERDICTS)) assert.is(countBy(lines, verdict), count, verdict);
  }));

const WRITES = '-w: tshark opens it, and its comments select exactly the rejected packets';
const LINK_TYPES = '-w of captures with different link types keeps each packet under its own';
if (HAS_TSHARK) {
  test(WRITES, () =>
    inDirectory(async (directory) => {
      const file = join(directory, 'judged.pcapng');
      const { stdout } = await tagplane(['replay', CAPTURE, ...WITH, '--ndjson', '-w', file]);
      const { exitCode, message, rows } = await tsharkFields(file, ['frame.number', 'frame.comment', 'frame.len']);
      assert.is(exitCode, 0, message);
      assert.is(message, '');
      const before = await tsharkFields(CAPTURE, ['frame.len']);
      assert.equal(
        rows.map((row) => row[2]),
        before.rows.map((row) => row[0]),
      );
      const rejected = execFileSync(
        'tshark',
        ['-r', file, '-Y', 'frame.comment contains "reject"', '-T', 'fields', '-e', 'frame.number'],
        {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        },
      );
      const expected = linesOf(stdout).filter(({ verdict }) => verdict === 'reject');
      assert.equal(
        rejected.trim().split('\n').map(Number),
        expected.map(({ packet }) => packet),
      );
    }),
  );
  test(LINK_TYPES, () =>
    inDirectory(async (directory) => {
      const raw = join(directory, 'raw.pcap');
      execFileSync('editcap', ['-F', 'pcap', '-C', '14', '-T', 'rawip', capture('backend-0.eth0.pcap'), raw]);
      const file = join(directory, 'judged.pcapng');
      const { code, stderr } = await tagplane(['replay', raw, CAPTURE, ...WITH, '-q', '-w', file]);
      assert.is(code, 0, stderr);
      const { exitCode, message, rows } = await tsharkFields(file, ['frame.encap_type', 'frame.interface_name']);
      assert.is(exitCode, 0, message);
      const types = new Set(rows.map((row) => row[0]));
      assert.is(types.size, 2, `link types ${[...types].join(' ')}`);
      for (const [type, name] of rows as [string, string][])
        assert.is(name.startsWith(raw), type !== '1', `${type} ${name}`);
    }),
  );
} else {
  skip(test, WRITES, 'tshark is not installed');
  skip(test, LINK_TYPES, 'tshark is not installed');
}

test('--split writes one capture per verdict that occurs', () =>
  inDirectory(async (directory) => {
    const into = join(directory, 'split');
    const { code } = await tagplane(['replay', CAPTURE, ...WITH, '-q', '--split', into]);
    assert.is(code, 0);
    assert.equal(readdirSync(into).sort(), ['deliver.pcapng', 'drop.pcapng', 'observed.pcapng', 'reject.pcapng']);
    for (const name of ['deliver', 'drop', 'observed', 'reject'] as const) {
      const { packets } = await jsonOf([join(into, `${name}.pcapng`), ...WITH]);
      assert.is(packets, VERDICTS[name], name);
    }
  }));

test('several captures are merged by time', async () => {
  const { stdout } = await tagplane(['replay', capture('cell-a.eth0.pcapng'), CAPTURE, ...WITH, '--ndjson']);
  const lines = linesOf(stdout);
  assert.equal(new Set(lines.map(({ file }) => file)), new Set([capture('cell-a.eth0.pcapng'), CAPTURE]));
  const times = stdout
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => BigInt((JSON.parse(line) as { timestamp: string }).timestamp));
  for (let i = 1; i < times.length; i++) assert.ok(times[i]! >= times[i - 1]!, `line ${i + 1}`);
});

test('standard input, gzip, and both together say what the file says', async () => {
  const plain = readFileSync(CAPTURE);
  for (const input of [plain, gzipSync(plain)]) {
    const { code, stdout, stderr } = await tagplane(['replay', '-', ...WITH, '--json'], { input });
    assert.is(code, 0, stderr);
    assert.equal((JSON.parse(stdout) as Report).verdicts, VERDICTS);
  }
});

test('--cell judges only that cell', async () => {
  const { stdout } = await tagplane(['replay', CAPTURE, ...WITH, '--cell', 'cell-b', '--ndjson']);
  const cells = new Set(linesOf(stdout).map((line) => (line as Line & { cell: string | null }).cell));
  assert.not.ok(cells.has('cell-a'));
  assert.ok(cells.has('cell-b'));
});

test('--strict-checksums drops for a wrong outer UDP checksum', () =>
  inDirectory(async (directory) => {
    const octets = readFileSync(CAPTURE);
    // The first VXLAN frame: its outer UDP header is in front of flags 0x88 or 0x08 and VNI 1.
    const tunnel = octets.indexOf(Buffer.from('12b5', 'hex'));
    octets[tunnel + 4] = octets[tunnel + 4]! ^ 0x55;
    const wrong = join(directory, 'wrong.pcapng');
    writeFileSync(wrong, octets);
    const before = (await jsonOf([CAPTURE, ...WITH, '--strict-checksums'])).reasons;
    const strict = (await jsonOf([wrong, ...WITH, '--strict-checksums'])).reasons;
    const refused = (reasons: Report['reasons']): number =>
      reasons.find(({ reason }) => reason === 'udp.checksum')?.packets ?? 0;
    assert.is(refused(strict), refused(before) + 1);
    assert.is(refused((await jsonOf([wrong, ...WITH])).reasons), 0);
  }));

test('--fail-on', async () => {
  assert.is((await tagplane(['replay', CAPTURE, ...WITH, '-q', '--fail-on', 'reject,malformed'])).code, 1);
  assert.is((await tagplane(['replay', CAPTURE, ...WITH, '-q', '--fail-on', 'malformed'])).code, 0);
});

const USAGE: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['no capture', ['replay', ...WITH], /no capture: name one, or use --at/],
  ['no foundation', ['replay', CAPTURE], /give --foundation FILE/],
  ['an unknown option', ['replay', CAPTURE, ...WITH, '--verdict', 'x'], /unknown option '--verdict'[\s\S]*--verdicts/],
  [
    'an unknown verdict',
    ['replay', CAPTURE, ...WITH, '--fail-on', 'denied'],
    /"denied" is no verdict, expected forward/,
  ],
  ['no number', ['replay', CAPTURE, ...WITH, '--top', '0'], /expected a whole number from 1, or "all"/],
  ['an unknown cell', ['replay', CAPTURE, ...WITH, '--cell', 'cell-c'], /no cell called cell-c; expected one of/],
  ['a capture that is missing', ['replay', '/nowhere/a.pcap', ...WITH], /\/nowhere\/a\.pcap: cannot be opened: ENOENT/],
  [
    'a capture that is none',
    ['replay', FOUNDATION, ...WITH],
    /foundation\.yaml at? ?.*not a pcap or pcapng|not a pcap or pcapng file/,
  ],
];
for (const [what, words, message] of USAGE) {
  test(`exit code 2: ${what}`, async () => {
    const { code, stdout, stderr } = await tagplane(words);
    assert.is(code, 2, stderr);
    assert.is(stdout, '');
    assert.match(stderr, message);
    assert.not.match(stderr, /^\s+at /m);
  });
}

test('a damaged capture: all whole packets are reported, then exit code 2', () =>
  inDirectory(async (directory) => {
    const damaged = join(directory, 'cut.pcapng');
    writeFileSync(damaged, readFileSync(CAPTURE).subarray(0, -300));
    const judged = join(directory, 'judged.pcapng');
    const { code, stdout, stderr } = await tagplane(['replay', damaged, ...WITH, '--json', '-w', judged]);
    assert.is(code, 2);
    const { packets } = JSON.parse(stdout) as Report;
    assert.ok(packets > PACKETS - 4 && packets < PACKETS, `${packets} packets`);
    assert.ok(stderr.includes(`cut.pcapng: packet ${packets + 1} at offset `), stderr);
    assert.is((await jsonOf([judged, ...WITH])).packets, packets);
  }));

test('a capture without packets', () =>
  inDirectory(async (directory) => {
    const empty = join(directory, 'empty.pcap');
    writeFileSync(empty, readFileSync(capture('backend-0.eth0.pcap')).subarray(0, 24));
    const judged = join(directory, 'judged.pcapng');
    const { code, stdout, stderr } = await tagplane(['replay', empty, ...WITH, '-w', judged]);
    assert.is(code, 0, stderr);
    assert.match(stdout, /: 0 packets, 0 B/);
    assert.not.match(stdout, /NaN|Infinity|undefined/);
    assert.is((await jsonOf([judged, ...WITH])).packets, 0);
  }));

test('a capture that ends while fragments wait', () =>
  inDirectory(async (directory) => {
    // The first fragments of the offload capture, without their last ones.
    const offload = join(ROOT, 'captures', 'offload');
    const lines = linesOf(
      (
        await tagplane([
          'replay',
          join(offload, 'cell-b.eth0.pcapng'),
          '--foundation',
          join(offload, 'foundation.yaml'),
          '--ndjson',
        ])
      ).stdout,
    );
    assert.ok(lines.length > 0);
    const whole = readFileSync(join(offload, 'cell-b.eth0.pcapng'));
    let incomplete = 0;
    for (let end = whole.length - 4; end > 200; end -= 1500) {
      const cut = join(directory, 'cut.pcapng');
      writeFileSync(cut, whole.subarray(0, end));
      const judged = join(directory, 'judged.pcapng');
      const { code, stdout } = await tagplane([
        'replay',
        cut,
        '--foundation',
        join(offload, 'foundation.yaml'),
        '--json',
        '-w',
        judged,
      ]);
      assert.is(code, 2);
      const report = JSON.parse(stdout) as Report;
      assert.is(report.unreconciled, 0);
      incomplete += report.reasons.find(({ reason }) => reason === 'fragment.incomplete')?.packets ?? 0;
      assert.is((await jsonOf([judged, ...WITH])).packets, report.packets);
    }
    assert.ok(incomplete > 0, 'no cut left a fragment waiting');
  }));

test('an output that cannot be written: exit code 74 and nothing left behind', () =>
  inDirectory(async (directory) => {
    const missing = join(directory, 'missing', 'file');
    for (const words of [
      ['--verdicts', missing],
      ['-w', missing],
      ['--verdicts', '/dev/full'],
      ['-w', '/dev/full'],
    ]) {
      const { code, stderr } = await tagplane(['replay', CAPTURE, ...WITH, '-q', ...words]);
      assert.is(code, 74, `${words.join(' ')}: ${stderr}`);
      assert.match(stderr, /^tagplane: .*(?:ENOENT|ENOSPC)/);
    }
    writeFileSync(join(directory, 'file'), 'a file is no directory');
    const { code, stderr } = await tagplane(['replay', CAPTURE, ...WITH, '-q', '--split', join(directory, 'file')]);
    assert.is(code, 74, stderr);
    const both = ['--verdicts', join(directory, 'good'), '-w', missing];
    assert.is((await tagplane(['replay', CAPTURE, ...WITH, '-q', ...both])).code, 74);
    assert.equal(readdirSync(directory), ['file']);
  }));

test('an output that is an input is refused before anything is written', () =>
  inDirectory(async (directory) => {
    const input = join(directory, 'in.pcapng');
    copyFileSync(CAPTURE, input);
    for (const words of [
      ['-w', input],
      ['--verdicts', input],
    ]) {
      const { code, stderr } = await tagplane(['replay', input, ...WITH, '-q', ...words]);
      assert.is(code, 2);
      assert.match(stderr, /is the input .*write to another file/);
    }
    assert.equal(readFileSync(input), readFileSync(CAPTURE));
    assert.equal(readdirSync(directory), ['in.pcapng']);
  }));

for (const [signal, expected] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal}: outputs are complete up to a burst, exit code ${expected}`, () =>
    inDirectory(async (directory) => {
      const fifo = join(directory, 'fifo');
      execFileSync('mkfifo', [fifo]);
      const file = join(directory, 'judged.pcapng');
      const child = start(['replay', fifo, ...WITH, '-w', file, '--json']);
      const end = ended(child);
      const pipe = createWriteStream(fifo);
      pipe.on('error', () => undefined);
      pipe.write(readFileSync(CAPTURE));
      await until(() => existsSync(join(directory, `.judged.pcapng.${child.pid}.partial`)));
      child.kill(signal);
      const { code, stdout, stderr } = await end;
      pipe.destroy();
      assert.is(code, expected, stderr);
      assert.is((JSON.parse(stdout) as Report).packets, PACKETS);
      assert.is((await jsonOf([file, ...WITH])).packets, PACKETS);
      assert.equal(readdirSync(directory).sort(), ['fifo', 'judged.pcapng']);
    }));
}

async function until(ready: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500 && !ready(); turn++) await new Promise((resolve) => setTimeout(resolve, 20));
}

test('a closed standard output ends the program quietly', async () => {
  for (const format of ['--ndjson', '--json']) {
    const captures = Array.from({ length: 40 }, () => CAPTURE);
    const child = spawn(
      'bash',
      ['-c', 'set -o pipefail; "$@" | head -1', 'bash', process.execPath, MAIN, 'replay', ...captures, ...WITH, format],
      {
        timeout: 30_000,
      },
    );
    const { stdout, stderr } = await ended(child);
    assert.is(stderr, '');
    assert.is(stdout.trimEnd().split('\n').length, 1);
  }
});

const ESCAPE = '\x1b[';
const HOSTILE = 'evil\x1b[31m\x07\u202egnp\u2066\nrejected';

test('names that could move the cursor or forge a line are refused in a foundation and harmless in a report', () =>
  inDirectory(async (directory) => {
    const foundation = join(directory, 'foundation.json');
    const text = readFileSync(FOUNDATION, 'utf8').replace('name: frontend', `name: ${JSON.stringify(HOSTILE)}`);
    writeFileSync(
      foundation,
      text
        .replaceAll('source: frontend', `source: ${JSON.stringify(HOSTILE)}`)
        .replaceAll('destination: frontend', `destination: ${JSON.stringify(HOSTILE)}`),
    );
    const refused = await tagplane(['replay', CAPTURE, '--foundation', foundation]);
    assert.is(refused.code, 2);
    assert.match(refused.stderr, /expected a name/);
    const named = join(directory, `${HOSTILE.replaceAll('\n', ' ')}.pcapng`);
    copyFileSync(CAPTURE, named);
    const report = await tagplane(['replay', named, ...WITH]);
    assert.is(report.code, 0, report.stderr);
    for (const text of [refused.stdout, refused.stderr, report.stdout, report.stderr]) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
      assert.not.match(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
    }
  }));

test('NO_COLOR, FORCE_COLOR, and no colour without a terminal', async () => {
  const words = ['replay', CAPTURE, ...WITH];
  assert.not.ok((await tagplane(words)).stdout.includes(ESCAPE));
  assert.ok((await tagplane(words, { environment: { FORCE_COLOR: '1' } })).stdout.includes(ESCAPE));
  const both = { FORCE_COLOR: '1', NO_COLOR: '1' };
  assert.not.ok((await tagplane(words, { environment: both })).stdout.includes(ESCAPE));
});

test('two runs are alike to the octet, whatever the time zone and the language', () =>
  inDirectory(async (directory) => {
    const runs: string[][] = [];
    for (const [index, environment] of [
      {},
      { TZ: 'Asia/Kathmandu', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' },
    ].entries()) {
      const folder = join(directory, String(index));
      mkdirSync(folder);
      const outputs = ['--verdicts', join(folder, 'v'), '-w', join(folder, 'w'), '--split', join(folder, 's')];
      const { stdout } = await tagplane(['replay', CAPTURE, capture('cell-a.eth0.pcapng'), ...WITH, ...outputs], {
        environment,
      });
      const split = readdirSync(join(folder, 's')).sort();
      const files = ['v', 'w', ...split.map((name) => join('s', name))].map((name) =>
        readFileSync(join(folder, name), 'latin1'),
      );
      runs.push([stdout.replace(/in [\d.]+ s: .* per second/, ''), ...split, ...files]);
    }
    assert.equal(runs[0], runs[1]);
  }));

test.run();
