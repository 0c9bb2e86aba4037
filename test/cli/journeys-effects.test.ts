/** `replay --at` with `--kern-log`, `--iptables-log` and `--save-counters`: what emulated cells log and count. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ROOT } from '../support/shared.ts';
import { inDirectory, tagplane } from './command.ts';

const test = suite('cli/journeys-effects');
const inScenario = (name: string): string => join(ROOT, 'captures', 'logging-legacy', name);
const CELLS = ['cell-a', 'cell-b'];
const WITH = [
  ...['--foundation', inScenario('foundation.yaml')],
  ...CELLS.flatMap((cell) => ['--iptables', `${cell}=${inScenario(`${cell}.iptables-save`)}`]),
];
const UNDERLAY = inScenario('cell-b.eth0.pcapng');
const CONTAINERS = ['frontend-0', 'backend-0', 'backend-1', 'batch-0', 'orders-0'].map((one) =>
  inScenario(`${one}.eth0.pcap`),
);
const JOURNEYS = ['replay', ...CONTAINERS, '--at', `cell-b/eth0=${UNDERLAY}`, ...WITH, '-q'];

const readText = (file: string): string => readFileSync(file, 'utf8');
/** Lines without rsyslog's frame: the host and what the kernel printed. */
const linesIn = (kernLog: string): string[] =>
  kernLog
    .split('\n')
    .slice(0, -1)
    .map((line) => line.replace(/^\S+ (\S+) kernel: \[ *\d+\.\d{6}\]/, '$1'));

test('the tables of each cell, with every counter that the kernel had', () =>
  inDirectory(async (directory) => {
    const { code, stderr } = await tagplane([...JOURNEYS, '--save-counters', directory]);
    assert.is(code, 0, stderr);
    assert.equal(readdirSync(directory).sort(), ['cell-a.iptables-save-c', 'cell-b.iptables-save-c']);
    const tablesOf = (text: string): string[] =>
      [...text.matchAll(/^\*(?:mangle|nat|filter)\n(?:[^#].*\n)*?COMMIT$/gm)].map(([table]) => table).sort();
    for (const cell of CELLS) {
      const kernel = tablesOf(readText(inScenario(`${cell}.iptables-save-c`)));
      assert.is(kernel.length, 3);
      assert.equal(tablesOf(readText(join(directory, `${cell}.iptables-save-c`))), kernel, cell);
    }
  }));

test('the lines of all cells, those of the judge among them', () =>
  inDirectory(async (directory) => {
    const [kernLog, iptablesLog] = [join(directory, 'kern.log'), join(directory, 'iptables.log')];
    const { code, stdout, stderr } = await tagplane([
      ...[...JOURNEYS, '--kern-log', kernLog],
      ...['--iptables-log', iptablesLog],
    ]);
    assert.is(code, 0, stderr);
    assert.is(stdout, '');
    const lines = linesIn(readText(kernLog));
    const judged = await tagplane(['replay', UNDERLAY, ...WITH, '--cell', 'cell-b', '--kern-log', '-', '-q']);
    assert.ok(lines.length > 0);
    assert.equal(
      lines.filter((line) => line.startsWith('cell-b ')),
      linesIn(judged.stdout),
    );
    const entries = readText(iptablesLog).trimEnd().split('\n');
    assert.is(entries.length, lines.length);
    for (const entry of entries) assert.match(entry, /^\{"timestamp":.*"message":"cfnetworking\.iptables\./);
  }));

test('rules that log everything show all hooks, in the order of time', () =>
  inDirectory(async (directory) => {
    const kernLog = join(directory, 'kern.log');
    const log = (chain: string): string => `-A ${chain} -j LOG --log-prefix "all ${chain} "`;
    const hooks = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'];
    const rules = `*mangle\n${hooks.map((hook) => `:${hook} ACCEPT`).join('\n')}\n${hooks.map(log).join('\n')}\nCOMMIT\n`;
    const { code, stderr } = await tagplane(
      [
        ...['replay', ...CONTAINERS, '--foundation', inScenario('foundation.yaml'), '-q'],
        ...['--iptables', 'cell-a=-', '--iptables', `cell-b=${inScenario('cell-b.iptables-save')}`],
        ...['--at', `cell-b/eth0=${UNDERLAY}`, '--kern-log', kernLog],
      ],
      { input: Buffer.from(rules) },
    );
    assert.is(code, 0, stderr);
    const lines = readText(kernLog).trimEnd().split('\n');
    assert.equal(
      lines.map((line) => line.slice(0, 32)),
      lines.map((line) => line.slice(0, 32)).sort(),
    );
    for (const kind of [
      / cell-a kernel: .* all PREROUTING IN=s-010255001004 OUT= MAC=/,
      / all FORWARD IN=s-010255001004 OUT=silk-vtep MAC=/,
      / all OUTPUT IN= OUT=eth0 SRC=10\.0\.0\.101 .* DPT=4789 /,
      / all POSTROUTING IN=silk-vtep OUT=eth0 MAC=ee:ee:/,
      / all INPUT IN=eth0 OUT= MAC=42:01:/,
    ])
      assert.ok(
        lines.some((line) => kind.test(line)),
        String(kind),
      );
  }));

test('an output that cannot be written leaves none of them', () =>
  inDirectory(async (directory) => {
    const [kernLog, tap] = [join(directory, 'kern.log'), join(directory, 'tap.pcapng')];
    const wrong = join(directory, 'missing', 'iptables.log');
    const refused = await tagplane([...JOURNEYS, '--kern-log', kernLog, '--iptables-log', wrong]);
    assert.is(refused.code, 74, refused.stderr);
    assert.match(refused.stderr, /iptables\.log/);
    const noTap = join(directory, 'missing', 'tap.pcapng');
    const counters = join(directory, 'counters');
    const others = await tagplane([
      ...[...JOURNEYS, '--kern-log', kernLog, '--save-counters', counters],
      ...['--tap', `cell-a/eth0=${tap}`, '--tap', `cell-b/eth0=${noTap}`],
    ]);
    assert.is(others.code, 74, others.stderr);
    assert.not.ok(existsSync(kernLog));
    assert.equal(readdirSync(counters), []);
    assert.equal(readdirSync(directory), ['counters']);
  }));

test.run();
