/** `decode` as a command: forms, fields, names, limits, damaged input, pipes. */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CaptureError } from '../../src/capture/error.ts';
import { decodeCommand } from '../../src/cli/decode/command.ts';
import { FIELD_NAMES } from '../../src/cli/decode/fields.ts';
import { fieldForm, jsonForm, lineForm, ndjsonForm } from '../../src/cli/decode/forms.ts';
import { createOutput } from '../../src/cli/decode/output.ts';
import { UsageError } from '../../src/cli/exit.ts';
import { EXAMPLE } from '../foundation/example.ts';
import * as frames from '../support/frames.ts';
import { pcapOf } from '../support/pcap.ts';
import { ROOT } from '../support/shared.ts';
import { document, file, lines, outcome } from './decode-support.ts';

const test = suite('cli/decode');
const PROGRAM = join(ROOT, 'dist', 'test', 'cli', 'decode-program.js');
const SYN = pcapOf([frames.SYN]);

test('the packet of the documentation: tag 3, VNI 1, every checksum right', async () => {
  const { schemaVersion, packets } = await document([file(pcapOf([frames.DOCUMENTATION]))]);
  const [packet] = packets;
  assert.is(schemaVersion, 1);
  assert.is(packets.length, 1);
  assert.equal(packet!.vxlan, {
    flags: 0x8800,
    flagLetters: 'GI',
    groupPolicy: true,
    instance: true,
    dontLearn: false,
    policyApplied: false,
    reservedFlags: 0,
    groupPolicyId: 3,
    app: null,
    vni: 1,
    reserved: 0,
  });
  assert.is(packet!.outer.ip4!.checksumStatus, 'good');
  assert.is(packet!.outer.udp!.checksumStatus, 'absent');
  assert.is(packet!.inner!.ip4!.checksumStatus, 'good');
  assert.is(packet!.inner!.tcp!.checksumStatus, 'good');
  assert.is(packet!.inner!.payloadLength, 82);
});

test('the worked example: a SYN as its cell sends it', async () => {
  const [packet] = (await document([file(SYN)])).packets;
  const { outer, vxlan, inner } = packet!;
  assert.equal(outer.ethernet, { source: '42:01:0a:00:00:65', destination: '42:01:0a:00:00:66', type: 0x0800 });
  assert.equal([outer.ip4!.identification, outer.ip4!.dontFragment, outer.ip4!.timeToLive], [0x7dbb, false, 64]);
  // The sending host's network card completes the sum.
  assert.equal([outer.udp!.checksum, outer.udp!.checksumStatus], [0x1536, 'partial']);
  assert.equal([vxlan!.groupPolicyId, vxlan!.vni, vxlan!.flagLetters], [1, 1, 'GI']);
  assert.equal(inner!.ethernet, { source: 'ee:ee:0a:ff:01:00', destination: 'ee:ee:0a:ff:02:00', type: 0x0800 });
  assert.equal([inner!.ip4!.timeToLive, inner!.ip4!.checksum, inner!.ip4!.checksumStatus], [63, 0x1080, 'good']);
  assert.equal(inner!.tcp, {
    sourcePort: 40000,
    destinationPort: 8080,
    sequenceNumber: 0x11223344,
    acknowledgmentNumber: 0,
    headerLength: 40,
    reserved: 0,
    flags: 2,
    flagLetters: 'S',
    window: 64860,
    urgentPointer: 0,
    options: ['mss 1410', 'sackOK', 'TS val 1000000 ecr 0', 'nop', 'wscale 7'],
    checksum: 0xef46,
    checksumStatus: 'good',
  });
});

/** The names of all values in an object, lists and objects walked. */
function pathsOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value) && value.length > 0) return pathsOf(value[0], path);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path];
  return Object.entries(value).flatMap(([key, one]) => pathsOf(one, path === '' ? key : `${path}.${key}`));
}

test('--fields knows every key of the JSON, and no other', async () => {
  const digits = frames.ECHO.replace(/\s+/g, '');
  const tagged = `${digits.slice(0, 24)}81000005${digits.slice(24)}`;
  const all = [
    file(pcapOf([frames.SYN, frames.DOCUMENTATION, frames.ARP, frames.ECHO, frames.UNREACHABLE, tagged])),
    file(
      pcapOf([
        frames.UNREACHABLE6,
        frames.LAST_FRAGMENT6,
        frames.SOLICITATION,
        digits.slice(0, 40),
        frames.SYN.replace(/\s+/g, '').slice(100),
      ]),
    ),
    file(pcapOf([frames.COOKED], { linkType: 113 })),
    file(pcapOf([`02000000${digits.slice(28)}`], { linkType: 0 })),
  ];
  const { packets } = await document(all);
  const found = new Set(packets.flatMap((packet) => pathsOf(packet)));
  for (const path of [...found]) if (path.startsWith('outer.')) found.add(path.replace('outer.', 'inner.'));
  // Headers that some packet lacks show as null under their own name.
  const headers = [...found].filter((path) => [...found].some((other) => other.startsWith(`${path}.`)));
  for (const header of headers) found.delete(header);
  for (const path of [...found])
    if (/\.quoted\.ip[46]$|\.quoted$|^(?:inner|vxlan)$|^inner\.udp\./.test(path)) found.delete(path);
  const known = FIELD_NAMES.filter((name) => !name.startsWith('inner.udp.'));
  assert.equal(
    [...found].filter((path) => !known.includes(path)),
    [],
    'keys that are no fields',
  );
  assert.equal(
    known.filter((name) => !found.has(name)),
    [],
    'fields that are no keys',
  );
});

test('--fields prints values between tabs, with a header when asked', async () => {
  const fields =
    'packet,vxlan.groupPolicyId,inner.ip4.source,inner.ip4.dontFragment,inner.tcp.options,outer.arp.operation';
  assert.equal(await lines([file(pcapOf([frames.SYN, frames.ARP]))], { fields, header: true }), [
    fields.replaceAll(',', '\t'),
    '1\t1\t10.255.1.4\t1\tmss 1410,sackOK,TS val 1000000 ecr 0,nop,wscale 7\t',
    '2\t\t\t\t\t1',
  ]);
  assert.equal(await lines([], { fields: 'list' }), [...FIELD_NAMES]);
});

test('--fields helps with a name that does not exist', async () => {
  const { error } = await outcome([file(SYN)], { fields: 'timeToLive' });
  assert.instance(error, UsageError);
  assert.match((error as Error).message, 'no field is called "timeToLive"; did you mean outer.ip4.timeToLive or');
});

test('--ndjson states the schema first and gives the packets of the document', async () => {
  const captures = [file(pcapOf([frames.SYN, frames.ARP])), file(pcapOf([frames.ECHO]))];
  const [first, ...rest] = await lines(captures, { ndjson: true });
  assert.is(first, '{"schemaVersion":1}');
  assert.equal(
    rest.map((line) => JSON.parse(line) as unknown),
    (await document(captures)).packets,
  );
});

test('--count counts over all captures', async () => {
  const captures = [file(pcapOf([frames.SYN, frames.ARP])), file(pcapOf([frames.ECHO, frames.ECHO]))];
  assert.is((await lines(captures, { count: 3 })).length, 3);
  assert.equal(await lines(captures, { count: 0 }), []);
  assert.equal((await document(captures, { count: 0 })).packets, []);
});

test('a foundation names apps, cells and tags', async () => {
  const foundation = file(EXAMPLE, 'yaml');
  assert.match(
    (await lines([file(SYN)], { foundation }))[0]!,
    'IP 10.0.0.101.52001 (cell-a) > 10.0.0.102.4789 (cell-b): VXLAN, vni 1, tag 0x0001 (source-app) [G,I], IP 10.255.1.4.40000 (source-app) > 10.255.2.7.8080 (dest-app): Flags [S]',
  );
  const [packet] = (await document([file(SYN)], { foundation })).packets;
  assert.equal([packet!.vxlan!.app, packet!.inner!.ip4!.destinationName], ['source-app', 'dest-app']);
});

test('the VXLAN port is that of the option, the foundation, or 4789', async () => {
  const inside = async (options: { port?: number; foundation?: string }): Promise<boolean> =>
    (await document([file(SYN)], options)).packets[0]!.vxlan !== null;
  const foundation = file(EXAMPLE.replace('port: 4789', 'port: 8472'), 'yaml');
  assert.is(await inside({}), true);
  assert.is(await inside({ port: 8472 }), false);
  assert.is(await inside({ foundation }), false);
  assert.is(await inside({ foundation, port: 4789 }), true);
});

test('hostile names are escaped in every form', async () => {
  const name = '\u001b[31mred\u202e\t\u009bx';
  const [packet] = (await document([file(SYN)])).packets;
  const hostile = { ...packet!, file: name, timestampDigits: 6 as const, vxlan: { ...packet!.vxlan!, app: name } };
  const fields = ['file', 'vxlan.app'];
  const forms = [lineForm({ explainFaults: false }), jsonForm(), ndjsonForm(), fieldForm(fields, false)];
  for (const form of forms) {
    const text = form.packet(hostile, 0).replace(/^\n|\n$/g, '');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
    assert.not.match(text.replace(/\t/g, ''), /[\u0000-\u001f\u007f-\u009f\u202e]/);
  }
  assert.match(forms[0]!.packet(hostile, 0), '(\\x1b[31mred\\u{202e}\\x09\\x9bx)');
  assert.is((JSON.parse(forms[2]!.packet(hostile, 0)) as typeof hostile).vxlan.app, name);
  assert.is(forms[3]!.packet(hostile, 0).split('\t').length, 2);
});

test('all whole packets before a damage are printed, then the error is thrown', async () => {
  const whole = pcapOf([frames.SYN, frames.ARP, frames.ECHO]);
  const path = file(whole.subarray(0, whole.length - 10));
  const { text, error } = await outcome([path]);
  assert.is(text.split('\n').length - 1, 2);
  assert.instance(error, CaptureError);
  assert.match((error as Error).message, `${path}: packet 3 at offset `);
  const json = await outcome([path], { json: true });
  assert.is((JSON.parse(json.text) as { packets: unknown[] }).packets.length, 2);
  assert.instance(json.error, CaptureError);
});

test('gzip is recognised by its magic', async () => {
  assert.equal(await lines([file(gzipSync(SYN), 'pcap')]), await lines([file(SYN)]));
});

test('- is standard input', () => {
  const run = spawnSync(process.execPath, [PROGRAM, '-', '--fields', 'file,vxlan.vni'], {
    input: SYN,
    encoding: 'utf8',
  });
  assert.is(run.stderr, '');
  assert.is(run.stdout, 'standard input\t1\n');
});

test('a reader that goes away ends the program quietly', async () => {
  const many = file(pcapOf(Array.from({ length: 20_000 }, () => frames.SYN)));
  const child = spawn(process.execPath, [PROGRAM, many, '--ndjson'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (text: Buffer) => {
    complaint += text.toString();
  });
  child.stdout.once('data', () => child.stdout.destroy());
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.equal([code, complaint], [0, '']);
});

test('an output that cannot be written is an error of its own', () => {
  const full = openSync('/dev/full', 'w');
  const run = spawnSync(process.execPath, [PROGRAM, file(SYN)], { stdio: ['ignore', full, 'pipe'], encoding: 'utf8' });
  closeSync(full);
  assert.is(run.status, 2);
  assert.match(run.stderr, 'standard output: cannot be written: ENOSPC');
});

test('a slow reader holds the writer back', async () => {
  let waiting = 0;
  let most = 0;
  const slow = new Writable({
    highWaterMark: 1,
    write(_chunk, _encoding, done) {
      setImmediate(() => {
        waiting--;
        done();
      });
    },
  });
  const output = createOutput(slow, 'slow');
  for (let count = 0; count < 50; count++) {
    waiting++;
    most = Math.max(most, waiting);
    assert.is(await output.write('text'), true);
  }
  assert.is(most, 1);
  slow.destroy();
  assert.is(await output.write('text'), false);
  output.release();
  assert.equal([slow.listenerCount('error'), slow.listenerCount('drain'), slow.listenerCount('close')], [0, 0, 0]);
});

test('errors are one line', () => {
  const run = spawnSync(process.execPath, [PROGRAM, '/nowhere/\u001b[2J.pcap'], { encoding: 'utf8' });
  assert.is(run.status, 2);
  assert.is(run.stdout, '');
  assert.match(run.stderr.split('\n').slice(0, 2).join(' '), '/nowhere/\\x1b[2J.pcap: cannot be opened: ENOENT');
});

test('usage: a capture is needed, forms exclude each other, numbers are checked', async () => {
  assert.instance((await outcome([])).error, UsageError);
  const foundation = (await outcome([file(SYN)], { foundation: '/nowhere.yaml' })).error;
  assert.match(String(foundation), '/nowhere.yaml: cannot be read: ENOENT');
  const parse = async (...args: string[]): Promise<string> => {
    const command = decodeCommand()
      .exitOverride()
      .configureOutput({ writeErr: () => undefined });
    return command.parseAsync(['node', 'decode', ...args]).then(
      () => '',
      (error: unknown) => (error as { code: string }).code,
    );
  };
  assert.is(await parse('x', '--json', '--ndjson'), 'commander.conflictingOption');
  for (const port of ['0', '65536', '1e3', '-1', '']) {
    assert.is(await parse('x', '--port', port), 'commander.invalidArgument', port);
  }
});

test('help has examples, and docs/decode.md names every option', () => {
  const command = decodeCommand();
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  assert.match(help, 'tcpdump -i eth0 -w - udp port 4789 | tagplane decode -');
  const page = readFileSync(join(ROOT, 'docs', 'decode.md'), 'utf8');
  for (const { long } of command.options) assert.match(page, long!);
});

test.run();
