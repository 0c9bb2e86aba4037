/**
 * `replay --kern-log`, `--iptables-log` and `--save-counters`. The JSON is held against what silk-release's own tests of
 * iptables-logger expect (parser/kernel_log_parser_test.go, integration/integration_test.go).
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { containersOf, iptablesLogEntry } from '../../src/cli/replay/iptables-log.ts';
import { kernLogLine } from '../../src/cli/replay/kern-log.ts';
import type { Foundation } from '../../src/foundation/model.ts';
import { readFoundation } from '../../src/foundation/read.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { ROOT } from '../support/shared.ts';
import { inDirectory, tagplane } from './command.ts';

const test = suite('cli/replay-log');
const SCENARIO = join(ROOT, 'captures', 'logging-legacy');
const inScenario = (name: string): string => join(SCENARIO, name);
const REPLAY = ['replay', inScenario('cell-b.eth0.pcapng'), '--foundation', inScenario('foundation.yaml'), '-q'];
const RULES = ['--iptables', `cell-b=${inScenario('cell-b.iptables-save')}`];

const LINES = {
  ingressDenied:
    'DENY_C2C_cb40f81e-52ce-41c5- IN=s-010255015007 OUT=s-010255015013 MAC=aa:aa:0a:ff:0f:07:ee:ee:0a:ff:0f:07:08:00 SRC=10.255.15.7 DST=10.255.15.13 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=35889 DF PROTO=TCP SPT=36004 DPT=723 WINDOW=29200 RES=0x00 SYN URGP=0 MARK=0x2',
  ingressAllowed:
    'OK_0002_e9e8959f-3828-4136-8 IN=s-010255015007 OUT=s-010255015013 MAC=aa:aa:0a:ff:0f:07:ee:ee:0a:ff:0f:07:08:00 SRC=10.255.15.7 DST=10.255.15.13 LEN=52 TOS=0x00 PREC=0x00 TTL=63 ID=43997 DF PROTO=TCP SPT=60012 DPT=8080 WINDOW=237 RES=0x00 ACK URGP=0 MARK=0x2',
  egressDenied:
    'DENY_d538d169-f2f6-4587-77b1 IN=s-010255015007 OUT=eth0 MAC=aa:aa:0a:ff:0f:07:ee:ee:0a:ff:0f:07:08:00 SRC=10.255.15.7 DST=10.10.10.1 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=61375 DF PROTO=TCP SPT=49466 DPT=80 WINDOW=29200 RES=0x00 SYN URGP=0 MARK=0x2',
  egressAllowed:
    'OK_container-handle-1-longer IN=s-010255178004 OUT=eth0 MAC=aa:aa:0a:ff:b2:04:ee:ee:0a:ff:b2:04:08:00 SRC=10.255.15.7 DST=10.10.10.10 LEN=29 TOS=0x00 PREC=0x00 TTL=63 ID=2806 DF PROTO=UDP SPT=36556 DPT=11111 LEN=9 MARK=0x1',
  egressDeniedIcmp:
    'DENY_da966cab-6a60-49c4-4f90 IN=s-010247180118 OUT=eth0 MAC=aa:aa:0a:f7:b4:76:ee:ee:0a:f7:b4:76:08:00 SRC=10.247.180.118 DST=10.0.0.1 LEN=84 TOS=0x00 PREC=0x00 TTL=63 ID=58750 DF PROTO=ICMP TYPE=8 CODE=2 ID=172 SEQ=1',
};

const FOUNDATION: Foundation = readFoundation(
  `tagplane: 1
cells: [{ name: some-guid, underlay: 1.2.3.4, lease: 10.255.15.0/24 }]
apps:
  - name: one
    guid: app_id_1
    space: dev
    space_guid: space_id_1
    organization: organization_id_1
    instances: [{ cell: some-guid, ip: 10.255.15.7, handle: container-handle-1-longer-than-29-chars }]
  - name: two
    guid: app_id_2
    instances: [{ cell: some-guid, ip: 10.255.15.13, handle: other-container-handle-2-longer }]
`,
  'foundation.yaml',
);
const CELL = FOUNDATION.cells[0]!;

interface Entry {
  readonly message: string;
  readonly data: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const entryText = (line: string): string | null =>
  iptablesLogEntry(line, 1_500_923_950_331_232_071n, CELL, containersOf(FOUNDATION, 'some-guid'));
const entryOf = (line: string): Entry => JSON.parse(entryText(line)!) as Entry;

test('iptables-logger’s own cases: what is parsed', () => {
  const common = { src_ip: '10.255.15.7', icmp_type: 0, icmp_code: 0 };
  assert.equal(entryOf(LINES.ingressAllowed).data.packet, {
    ...{ ...common, direction: 'ingress', allowed: true, dst_ip: '10.255.15.13' },
    ...{ src_port: 60_012, dst_port: 8080, protocol: 'TCP', mark: '0x2' },
  });
  assert.equal(entryOf(LINES.ingressDenied).data.packet, {
    ...{ ...common, direction: 'ingress', allowed: false, dst_ip: '10.255.15.13' },
    ...{ src_port: 36_004, dst_port: 723, protocol: 'TCP', mark: '0x2' },
  });
  assert.equal(entryOf(LINES.egressAllowed).data.packet, {
    ...{ ...common, direction: 'egress', allowed: true, dst_ip: '10.10.10.10' },
    ...{ src_port: 36_556, dst_port: 11_111, protocol: 'UDP', mark: '0x1' },
  });
  assert.equal(entryOf(LINES.egressDenied).data.packet, {
    ...{ ...common, direction: 'egress', allowed: false, dst_ip: '10.10.10.1' },
    ...{ src_port: 49_466, dst_port: 80, protocol: 'TCP', mark: '0x2' },
  });
  assert.equal(entryOf(LINES.egressDeniedIcmp).data.packet, {
    ...{ direction: 'egress', allowed: false, src_ip: '10.247.180.118', dst_ip: '10.0.0.1' },
    ...{ src_port: 0, dst_port: 0, protocol: 'ICMP', mark: '', icmp_type: 8, icmp_code: 2 },
  });
});

test('iptables-logger’s own cases: the whole entry, octet for octet in the order of its fields', () => {
  assert.is(
    entryText(LINES.egressAllowed),
    '{"timestamp":"2017-07-24T19:19:10.331232071Z","level":"info","source":"cfnetworking.iptables",' +
      '"message":"cfnetworking.iptables.egress-allowed","data":{"packet":{"direction":"egress","allowed":true,' +
      '"src_ip":"10.255.15.7","dst_ip":"10.10.10.10","src_port":36556,"dst_port":11111,"protocol":"UDP","mark":"0x1",' +
      '"icmp_type":0,"icmp_code":0},"source":{"container_id":"container-handle-1-longer-than-29-chars",' +
      '"app_guid":"app_id_1","space_guid":"space_id_1","organization_guid":"organization_id_1","host_ip":"1.2.3.4",' +
      '"host_guid":"some-guid"}}}\n',
  );
  const { message, data } = entryOf(LINES.ingressDenied);
  assert.is(message, 'cfnetworking.iptables.ingress-denied');
  assert.equal(Object.keys(data), ['destination', 'packet']);
  assert.equal(data.destination, {
    ...{ container_id: 'other-container-handle-2-longer', app_guid: 'app_id_2', space_guid: '' },
    ...{ organization_guid: '', host_ip: '1.2.3.4', host_guid: 'some-guid' },
  });
});

test('a container that the cell does not have is nameless, other lines are none of the program’s', () => {
  const { data } = entryOf(LINES.egressDeniedIcmp);
  assert.is(data.source!.container_id, '');
  assert.is(data.source!.host_ip, '1.2.3.4');
  assert.is(entryText('IN=eth0 OUT= SRC=1.2.3.4 DST=5.6.7.8 '), null);
});

test('the ports of an ICMP error are those of the packet it quotes, the rest its own', () => {
  const { data } = entryOf(
    'OK_x IN=a OUT=eth0 SRC=10.255.15.7 DST=9.9.9.9 LEN=56 ID=1 PROTO=ICMP TYPE=3 CODE=3 [SRC=9.9.9.9 DST=8.8.8.8 ' +
      'LEN=28 ID=2 PROTO=UDP SPT=53 DPT=5353 LEN=8 ] MARK=0x1 ',
  );
  assert.equal(data.packet, {
    ...{ direction: 'egress', allowed: true, src_ip: '10.255.15.7', dst_ip: '9.9.9.9', src_port: 53, dst_port: 5353 },
    ...{ protocol: 'ICMP', mark: '0x1', icmp_type: 3, icmp_code: 3 },
  });
});

test('a kern.log line: capture time, the cell as the host, seconds since the capture began', () => {
  const epoch = 1_767_225_600_000_000_123n;
  const line = (time: number, text = 'OK_ IN= '): string => kernLogLine('cell-b', epoch, time, text);
  assert.is(line(0), '2026-01-01T00:00:00.000000+00:00 cell-b kernel: [    0.000000] OK_ IN= \n');
  assert.is(line(123_456_789_012_345), '2026-01-02T10:17:36.789012+00:00 cell-b kernel: [123456.789012] OK_ IN= \n');
  assert.match(line(0, 'a\u001b[2Jb\u007f'), / a#033\[2Jb#177\n$/);
  assert.match(kernLogLine('cell b', epoch, 0, 'x'), /\+00:00 cell_b kernel: /);
});

test('both logs of a capture, in packet order, with what the foundation knows', async () => {
  await inDirectory(async (directory) => {
    const [kernLog, iptablesLog] = [join(directory, 'kern.log'), join(directory, 'iptables.log')];
    const words = [...REPLAY, ...RULES, '--kern-log', kernLog, '--iptables-log', iptablesLog];
    const { code, stdout, stderr } = await tagplane(words);
    assert.is(code, 0, stderr);
    assert.is(stdout, '');
    assert.equal(readdirSync(directory).sort(), ['iptables.log', 'kern.log']);
    const lines = readFileSync(kernLog, 'utf8').split('\n').slice(0, -1);
    const entries = readFileSync(iptablesLog, 'utf8').trimEnd().split('\n');
    assert.is(entries.length, lines.length);
    assert.equal(
      lines.map((line) => line.slice(0, 32)),
      lines.map((line) => line.slice(0, 32)).sort(),
    );
    const kinds = lines.map((line) => /kernel: \[ +\d+\.\d{6}\] (OK|DENY_C2C)_/.exec(line)?.[1]);
    assert.equal(
      entries.map((entry) => (JSON.parse(entry) as Entry).message),
      kinds.map((kind) => `cfnetworking.iptables.ingress-${kind === 'OK' ? 'allowed' : 'denied'}`),
    );
    const first = JSON.parse(entries[0]!) as Entry;
    assert.is(first.data.destination!.container_id, '64b3f82c-0e9a-4517-6d20-58fa');
    // The same on standard output, and the same again: times and all come from the capture.
    const again = await tagplane([...REPLAY, ...RULES, '--kern-log', '-']);
    assert.is(again.stdout, readFileSync(kernLog, 'utf8'));
  });
});

test('counters: one file for each judged cell, which iptables-restore would take', async () => {
  await inDirectory(async (directory) => {
    const counters = join(directory, 'a', 'b');
    const { code, stderr } = await tagplane([...REPLAY, ...RULES, '--save-counters', counters]);
    assert.is(code, 0, stderr);
    assert.equal(readdirSync(counters).sort(), ['cell-a.iptables-save-c', 'cell-b.iptables-save-c']);
    const saved = readFileSync(join(counters, 'cell-b.iptables-save-c'), 'utf8');
    const { ruleset } = parseRuleset(saved, { file: 'saved', unknownMatches: 'error' });
    const forward = ruleset.tables[0]!.chains.find(({ name }) => name === 'FORWARD')!;
    assert.equal(forward.counters, { packets: 1, bytes: 38 });
    assert.equal(forward.rules[0]!.counters, { packets: 16, bytes: 1154 });
    const one = join(directory, 'one');
    await tagplane([...REPLAY, ...RULES, '--cell', 'cell-b', '--save-counters', one]);
    assert.equal(readdirSync(one), ['cell-b.iptables-save-c']);
  });
});

test('a cell’s name cannot lead out of the directory', async () => {
  await inDirectory(async (directory) => {
    const foundation = join(directory, 'foundation.yaml');
    const text = readFileSync(inScenario('foundation.yaml'), 'utf8');
    writeFileSync(foundation, text.replaceAll('cell-b', '"../cell b é \\ud83d"'));
    const counters = join(directory, 'counters');
    const { code, stderr } = await tagplane([
      ...['replay', inScenario('cell-b.eth0.pcapng'), '--foundation', foundation, '-q', '--save-counters', counters],
    ]);
    assert.is(code, 0, stderr);
    assert.equal(readdirSync(counters).sort(), [
      '..%2Fcell%20b%20%C3%A9%20%uD83D.iptables-save-c',
      'cell-a.iptables-save-c',
    ]);
  });
});

test('an output that cannot be written leaves none of them', async () => {
  await inDirectory(async (directory) => {
    const kernLog = join(directory, 'kern.log');
    const wrong = join(directory, 'missing', 'iptables.log');
    const { code, stderr } = await tagplane([...REPLAY, '--kern-log', kernLog, '--iptables-log', wrong]);
    assert.is(code, 74, stderr);
    assert.match(stderr, /iptables\.log/);
    assert.not.ok(existsSync(kernLog));
    assert.equal(readdirSync(directory), []);
    // A counter file whose place is taken by a directory.
    const counters = join(directory, 'counters');
    mkdirSync(join(counters, 'cell-b.iptables-save-c'), { recursive: true });
    const refused = await tagplane([...REPLAY, '--save-counters', counters]);
    assert.is(refused.code, 2, refused.stderr);
    assert.equal(readdirSync(counters), ['cell-b.iptables-save-c']);
  });
});

test.run();
