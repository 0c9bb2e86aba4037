/**
 * Real programs still talk: curl, openssl, ping and python exchange pages and datagrams over two real cells. Then one cell
 * is replaced by an emulated one, fed from captures of its taps: all that it sends has to be what the real one sent.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PROGRAMS } from '../../captures/programs.ts';
import { SCENARIOS } from '../../captures/scenarios.ts';
import type { CellRules } from '../../src/dataplane/setup.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { skip } from '../support/shared.ts';
import { DEFAULT_LAB, iptablesIn, type Lab, type LabOptions, labObstacle, withLab } from './lab.ts';
import { hostVeth, VTEP_DEVICE } from './lab-names.ts';
import { run, stop } from './lab-shell.ts';
import type { Tap } from './lab-taps.ts';
import { emulatedCounts } from './random/emulate-side.ts';
import { parseCounts } from './random/kernel.ts';
import { compareTaps, drawnPort, readTaps, replace, type Seen, tapsOf } from './real-cell.ts';
import { compareListed } from './real-connections.ts';
import { prepare, traffic } from './real-traffic.ts';

const test = suite('conformance/real-programs');
const { foundation } = SCENARIOS[0]!;
const TABLES = ['filter', 'nat', 'mangle'];

interface Exchange {
  readonly seen: readonly Seen[];
  readonly rules: ReadonlyMap<string, CellRules>;
  /** What the replaced cell printed at the end. */
  readonly connections: string;
  readonly counters: string;
}

/** Forget what came of starting the servers. */
function zero(lab: Lab): void {
  for (const { name } of foundation.cells) {
    for (const table of TABLES) iptablesIn(lab, name, 'iptables', ['-t', table, '-Z']);
    lab.onCell(name, 'conntrack', ['-F']);
  }
}

/** Where a tap of the replaced cell is captured. */
function labTap({ namespaces }: Lab, name: string, directory: string): Tap {
  const [cell, device, inside] = name.split('/') as [string, string, string?];
  const file = join(directory, `${name.replaceAll('/', '.')}.pcap`);
  const common = { name, file, format: 'pcap', filter: '' } as const;
  if (inside === undefined) return { ...common, namespace: namespaces.cells.get(cell)!, device };
  const containers = foundation.apps.flatMap((app) =>
    app.instances.map(({ address }, i) => ({ key: `${app.name}/${i}`, address })),
  );
  const { key } = containers.find(({ address }) => name.includes(hostVeth(address)))!;
  return { ...common, namespace: namespaces.containers.get(key)!, device: inside };
}

/** Let the programs talk, with a capture at every tap of the first cell. */
async function exchange(options: LabOptions, directory: string): Promise<Exchange> {
  const cell = foundation.cells[0]!;
  const taps = tapsOf(foundation, cell);
  const captures = join(directory, 'captures');
  mkdirSync(captures);
  return withLab(foundation, options, async (lab) => {
    const server = await prepare(lab, directory);
    try {
      const opened = taps.map(({ name }) => labTap(lab, name, captures));
      zero(lab);
      await lab.capture(opened, async () => traffic(lab));
      const connections = lab.onCell(cell.name, 'conntrack', ['-L']).stdout;
      const counters = iptablesIn(lab, cell.name, 'iptables-save', ['-c']);
      const rulesOf = (name: string): CellRules => {
        const dump = iptablesIn(lab, name, 'iptables-save', []);
        return {
          ruleset: parseRuleset(dump, { file: name, unknownMatches: 'error' }).ruleset,
          backend: options.backend,
        };
      };
      const rules = new Map(foundation.cells.map(({ name }) => [name, rulesOf(name)]));
      const seen = await readTaps(taps, (name) => opened.find((tap) => tap.name === name)!.file);
      return { seen, rules, connections, counters };
    } finally {
      await stop(server, 'SIGKILL');
    }
  });
}

/** All that has to be in an exchange so that agreeing with it says something. */
function assertMeaningful(seen: readonly Seen[]): void {
  const frames = (name: string): number => seen.find(({ tap }) => tap.name === name)!.frames.length;
  assert.ok(frames(`cell-a/${VTEP_DEVICE}`) > 300, 'segments through the tunnel');
  assert.ok(frames('cell-a/eth0') > 1000, 'segments at the underlay');
  assert.ok(drawnPort(seen, foundation.cells[0]!) > 0, 'a masqueraded port that was drawn');
}

/**
 * Run `body` on one processor, with all that it starts. The kernel hands packets between namespaces on the processor that
 * sent them; a program that moves to another overtakes itself, which no other cell would repeat.
 */
async function onOneProcessor<T>(body: () => Promise<T>): Promise<T> {
  const said = run('taskset', ['-cp', `${process.pid}`]).stdout;
  const [, before, one] = /: ((\d+)\S*)/.exec(said)!;
  run('taskset', ['-cp', one!, `${process.pid}`]);
  try {
    return await body();
  } finally {
    run('taskset', ['-cp', before!, `${process.pid}`]);
  }
}

async function compare(options: LabOptions): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'tagplane-real-'));
  const cell = foundation.cells[0]!;
  try {
    const { seen, rules, connections, counters } = await onOneProcessor(() => exchange(options, directory));
    assertMeaningful(seen);
    const travelled = replace(foundation, cell, rules, seen);
    assert.is(compareTaps(seen, travelled).join('\n'), '');
    const counts = parseCounts(counters);
    assert.equal(emulatedCounts(travelled.emulation, 0), counts);
    assert.equal(counts.get('OUTPUT 1'), [2, 80], 'resets of rules are RELATED');
    const listed = compareListed(travelled.emulation, 0, connections);
    assert.equal(listed.differences, []);
    assert.match(connections, / CLOSE src=/, 'a connection that a rule has reset');
    assert.ok(listed.connections >= 12, `${listed.connections} connections`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

for (const backend of ['nft', 'legacy'] as const) {
  const name = `${backend}: an emulated cell sends what the real one sent while curl, openssl and ping talked`;
  const problem = labObstacle(backend, [...PROGRAMS, 'taskset']);
  if (problem === undefined) test(name, () => compare({ ...DEFAULT_LAB, backend }));
  else skip(test, name, problem.message);
}

test.run();
