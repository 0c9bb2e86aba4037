import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CaptureError, OutputError } from '../../src/capture/error.ts';
import { openSink, openSource } from '../../src/capture/file.ts';
import { skip } from '../support/shared.ts';
import { counted, join, type Outcome, pcapHeader, pcapRecord, readOctets, readSource } from './build.ts';
import { works } from './tshark.ts';

const test = suite('capture/file');
const FOLDER = mkdtempSync(path(tmpdir(), 'tagplane-file-'));
test.after(() => rmSync(FOLDER, { recursive: true }));
const inFolder = (name: string): string => path(FOLDER, name);

/** Octets that do not compress, so that a truncated stream loses only what it has to. */
function noise(length: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 24;
  });
}

const RECORDS = Array.from({ length: 3000 }, (_, at) => pcapRecord(1000 + at, 1, noise(90, at + 1)));
const CAPTURE = join(pcapHeader(), ...RECORDS);

function written(name: string, octets: Uint8Array): string {
  writeFileSync(inFolder(name), octets);
  return inFolder(name);
}

async function read(file: string, options = {}): Promise<Outcome> {
  try {
    return await readSource(await openSource(file, options));
  } catch (error) {
    if (error instanceof CaptureError) return { packets: [], error, reader: null };
    throw error;
  }
}

test('a plain file, whatever its name', async () => {
  const { packets, error, reader } = await read(written('odd.gz', CAPTURE));
  assert.is(error, null);
  assert.equal(packets, (await readOctets(CAPTURE)).packets);
  assert.is(reader!.name, inFolder('odd.gz'));
});

test('gzip: one member, several members, and garbage behind them', async () => {
  const half = CAPTURE.length >> 1;
  const members = join(gzipSync(CAPTURE.slice(0, half)), gzipSync(CAPTURE.slice(half)));
  for (const octets of [gzipSync(CAPTURE), members, join(members, counted(16))]) {
    const { packets, error } = await read(written('capture', octets));
    assert.is(error, null);
    assert.equal(packets, (await readOctets(CAPTURE)).packets);
  }
});

test('gzip that ends too early: all whole packets first, then the truncation', async () => {
  const octets = gzipSync(CAPTURE);
  for (const length of [20, 1000, 5000, 100_000, octets.length - 9, octets.length - 8, octets.length - 1]) {
    const { packets, error } = await read(written('cut', octets.slice(0, length)));
    assert.is(error!.code, 'capture.truncated', `${length}`);
    // Noise does not compress: at most one deflate block of some ten thousand octets cannot be decoded.
    const least = Math.floor((length - 40_000) / 106);
    assert.ok(packets.length >= Math.max(0, least), `${packets.length} packets of ${length} octets`);
    if (length >= octets.length - 8) assert.is(packets.length, RECORDS.length);
    assert.equal(packets, (await readOctets(CAPTURE)).packets.slice(0, packets.length));
  }
});

test('damaged gzip data is told apart from a short one', async () => {
  const octets = new Uint8Array(gzipSync(CAPTURE));
  octets.fill(0xff, 200_000, 200_100);
  const { packets, error } = await read(written('damaged', octets));
  assert.is(error!.code, 'capture.compression');
  assert.ok(packets.length > 1000);
  assert.match(error!.message, /damaged gzip data/);
});

test('a compression bomb stops at the limit', async () => {
  const zeros = gzipSync(join(pcapHeader(), new Uint8Array(20_000_000)));
  assert.ok(zeros.length < 30_000);
  const { packets, error } = await read(written('bomb', zeros), { maximumDecompressed: 1_000_000 });
  assert.is(error!.code, 'capture.limit');
  assert.match(error!.message, /larger than the limit of 1000000 octets/);
  assert.ok(packets.length > 60_000 - 256 && packets.length <= 62_500, `${packets.length}`);
});

test('what is inside compressed data is not unpacked again', async () => {
  const { error } = await read(written('nested', gzipSync(gzipSync(CAPTURE))));
  assert.is(error!.code, 'capture.format');
  assert.match(error!.message, /gzip data/);
  assert.is((await read(written('raw', deflateRawSync(CAPTURE)))).error!.code, 'capture.format');
});

const ZSTD = 'zstd, whole, short and damaged';
const ZSTD_CLOSED = 'a reader that is closed early ends the decompression';
if (!works('zstd')) {
  skip(test, ZSTD, 'the zstd program is not on this machine');
  skip(test, ZSTD_CLOSED, 'the zstd program is not on this machine');
} else {
  const zstd = (): Uint8Array =>
    new Uint8Array(execFileSync('zstd', ['-qc', '-'], { input: CAPTURE, maxBuffer: 1 << 28 }));

  test(ZSTD, async () => {
    const octets = zstd();
    assert.equal((await read(written('z', octets))).packets, (await readOctets(CAPTURE)).packets);
    const short = await read(written('z', octets.slice(0, 200_000)));
    assert.is(short.error!.code, 'capture.truncated');
    assert.ok(short.packets.length > 0);
    const damaged = octets.slice();
    damaged.fill(0xff, 150_000, 150_100);
    const bad = await read(written('z', damaged));
    assert.ok(bad.error !== null);
    assert.is(bad.error.code, 'capture.compression');
  });

  test(ZSTD_CLOSED, async () => {
    const source = await openSource(written('z', zstd()));
    const first = new Uint8Array(10);
    assert.ok((await source.read(first, 0, 10)) > 0);
    await source.close();
  });
}

test('what cannot be opened is refused with the reason', async () => {
  assert.match((await read(inFolder('none'))).error!.message, /none: cannot be opened: ENOENT$/);
  assert.match((await read(FOLDER)).error!.message, /is a directory, expected a file$/);
  assert.match((await read('/dev/zero')).error!.message, /is a device, expected a file or a pipe$/);
  assert.is((await read(written('empty', new Uint8Array(0)))).error!.code, 'capture.empty');
});

test('a named pipe, also one that ends in the middle of a packet', async () => {
  const pipe = inFolder('pipe');
  execFileSync('mkfifo', [pipe]);
  for (const length of [CAPTURE.length, CAPTURE.length - 5]) {
    const whole = inFolder('whole');
    writeFileSync(whole, CAPTURE.slice(0, length));
    const child = spawn('sh', ['-c', 'cat "$1" > "$2"', 'sh', whole, pipe]);
    const { packets, error } = await read(pipe);
    await new Promise((resolve) => (child.exitCode === null ? child.on('exit', resolve) : resolve(null)));
    assert.is(packets.length, length === CAPTURE.length ? RECORDS.length : RECORDS.length - 1);
    assert.is(error?.code, length === CAPTURE.length ? undefined : 'capture.truncated');
  }
});

/** Count the packets of standard input in a process of its own. */
function countStdin(input: Uint8Array): string {
  const url = (name: string): string => new URL(`../../src/capture/${name}.js`, import.meta.url).href;
  const script = `
    import { openSource } from '${url('file')}';
    import { open } from '${url('reader')}';
    import { create } from '${url('burst')}';
    const burst = create();
    const reader = await open(await openSource('-'));
    try {
      do while (reader.fill(burst) > 0); while (await reader.refill());
      console.log(reader.name, reader.packets);
    } catch (error) {
      console.log(error.code, reader.packets);
    }`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { input, encoding: 'utf8' });
  return stdout.trim();
}

test('standard input, plain, compressed and cut', () => {
  assert.is(countStdin(CAPTURE), 'standard input 3000');
  assert.is(countStdin(gzipSync(CAPTURE)), 'standard input 3000');
  assert.is(countStdin(CAPTURE.slice(0, -1)), 'capture.truncated 2999');
});

/** The OutputError that `step` throws. */
function outputError(step: () => unknown): OutputError {
  try {
    step();
  } catch (error) {
    if (error instanceof OutputError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const names = (): string[] => readdirSync(inFolder('out')).sort();
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test('an output is absent until it is complete, and then has mode 0600', async () => {
  mkdirSync(inFolder('out'));
  const file = inFolder('out/result.pcap');
  const sink = openSink(file);
  await sink.write(text('one '));
  assert.equal(names(), [`.result.pcap.${process.pid}.partial`]);
  await sink.write(text('two'));
  await sink.finish();
  assert.equal(names(), ['result.pcap']);
  assert.is(readFileSync(file, 'utf8'), 'one two');
  assert.is(statSync(file).mode & 0o777, 0o600);
});

test('an output that is given up leaves the old file and nothing else', async () => {
  const file = inFolder('out/result.pcap');
  const sink = openSink(file);
  await sink.write(text('three'));
  await sink.abort();
  await sink.abort();
  assert.equal(names(), ['result.pcap']);
  assert.is(readFileSync(file, 'utf8'), 'one two');
  assert.throws(() => sink.write(text('more')), /was closed before/);
});

test('two outputs of one name, and a link planted in the place of the partial file, are refused', async () => {
  const file = inFolder('out/result.pcap');
  const first = openSink(file);
  assert.throws(() => openSink(file), /EEXIST/);
  await first.abort();
  symlinkSync(inFolder('victim'), inFolder(`out/.result.pcap.${process.pid}.partial`));
  assert.throws(() => openSink(file), /EEXIST/);
  rmSync(inFolder(`out/.result.pcap.${process.pid}.partial`));
  assert.not.ok(existsSync(inFolder('victim')));
});

test('an output that is an input is refused by what it is, not by its name', () => {
  const input = written('input.pcap', CAPTURE);
  linkSync(input, inFolder('hard'));
  symlinkSync(input, inFolder('soft'));
  for (const name of [input, inFolder('hard'), inFolder('soft')]) {
    const refused = outputError(() => openSink(name, { inputs: [inFolder('none'), input] }));
    assert.is(refused.code, 'output.is-input');
  }
  assert.equal(new Uint8Array(readFileSync(input)), CAPTURE);
});

test('a full device is an error with path, reason and octets written', () => {
  const sink = openSink('/dev/full');
  const { code, systemCode, written: octets, message } = outputError(() => sink.write(text('data')));
  assert.equal([code, systemCode, octets], ['output.write', 'ENOSPC', 0]);
  assert.is(message, '/dev/full: cannot be written: ENOSPC (0 octets written)');
});

test('a full file system leaves nothing behind', () => {
  // The shell's limit on the size of files stands in for a full disk: EFBIG in the place of ENOSPC.
  const file = inFolder('out/limited');
  const script = `
    import { openSink } from '${new URL('../../src/capture/file.js', import.meta.url).href}';
    process.on('SIGXFSZ', () => undefined);
    const sink = openSink(process.argv[1]);
    try {
      for (let at = 0; at < 100; at++) await sink.write(new Uint8Array(65536));
      await sink.finish();
    } catch (error) {
      console.log(error.name, error.code, error.systemCode, error.written > 0);
    }`;
  const limited = spawnSync(
    'sh',
    ['-c', 'ulimit -f 1024; exec "$0" --input-type=module -e "$1" "$2"', process.execPath, script, file],
    { encoding: 'utf8' },
  );
  assert.is(limited.stdout.trim(), 'OutputError output.write EFBIG true', limited.stderr);
  assert.equal(names(), ['result.pcap']);
});

test('a directory is refused, a device is written directly', async () => {
  assert.throws(() => openSink(FOLDER), /is a directory, expected a file/);
  assert.throws(() => openSink(inFolder('out/none/file')), /cannot be written: ENOENT/);
  const sink = openSink('/dev/null');
  await sink.write(text('gone'));
  await sink.finish();
  assert.ok(statSync('/dev/null').isCharacterDevice());
});

/** Write to standard output in a process of its own. */
const STDOUT = `
  import { openSink } from '${new URL('../../src/capture/file.js', import.meta.url).href}';
  const sink = openSink('-');
  try {
    for (let at = 0; at < 400; at++) await sink.write(new Uint8Array(65536).fill(0x61));
    await sink.finish();
  } catch (error) {
    console.error(error.name, error.code, error.path);
  }`;

test('standard output: everything, or quietly up to where its reader went away', () => {
  const whole = spawnSync(process.execPath, ['--input-type=module', '-e', STDOUT], { maxBuffer: 1 << 28 });
  assert.is(whole.stdout.length, 400 * 65536);
  const command = '"$0" --input-type=module -e "$1" | head -c 10 > /dev/null';
  const cut = spawnSync('sh', ['-c', command, process.execPath, STDOUT], { encoding: 'utf8' });
  assert.is(cut.stderr.trim(), 'OutputError output.closed standard output');
});

test.run();
