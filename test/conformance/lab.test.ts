/** The lab builds what silk builds, on both iptables backends, and leaves nothing behind. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SCENARIOS } from '../../captures/scenarios.ts';
import type { App, Foundation } from '../../src/foundation/model.ts';
import { parseIpv4 } from '../../src/wire/address.ts';
import { ROOT, shared, sharedTest, skip } from '../support/shared.ts';
import { DEFAULT_LAB, iptablesIn, type Lab, type LabOptions, labObstacle, withLab } from './lab.ts';
import { allNamespaces, type Namespaces } from './lab-network.ts';
import { run } from './lab-shell.ts';

const test = suite('lab');

/** Rules and chains of a dump, without comments, counters of policies and the policy agent's time. */
const rulesOf = (dump: string): string[] =>
  dump
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace(/\[\d+:\d+\]/, '[0:0]').replace(/vpa--\d+/, 'vpa--TIME'));

/** Tables come in the order in which each backend knows them. */
const tablesOf = (dump: string): string[] => rulesOf(dump).join('\n').split('COMMIT').sort();

const saved = (lab: Lab, cell: string): string => iptablesIn(lab, cell, 'iptables-save', []);

const PING = ['-n', '-c', '1', '-W', '1'];

function assertGone(namespaces: Namespaces): void {
  const left = run('ip', ['netns', 'list'])
    .stdout.split('\n')
    .map((line) => line.split(' ')[0]);
  for (const name of allNamespaces(namespaces)) {
    assert.not.ok(left.includes(name), name);
    assert.not.ok(existsSync(join('/etc/netns', name)), name);
  }
}

/** Register `body` as a test, or a skipped one that says what is missing. */
function labTest(backend: LabOptions['backend'], name: string, body: () => Promise<void>): void {
  const problem = labObstacle(backend, ['ping']);
  if (problem === undefined) test(name, body);
  else skip(test, name, problem.message);
}

for (const name of ['two-cells', 'logging-legacy']) {
  const { foundation, options } = SCENARIOS.find((scenario) => scenario.name === name)!;
  labTest(options.backend, `${name}: rules and answers are as committed, and nothing is left behind`, async () => {
    const namespaces = await withLab(foundation, options, async (lab) => {
      for (const cell of foundation.cells) {
        const dump = readFileSync(join(ROOT, 'captures', name, `${cell.name}.iptables-save`), 'utf8');
        assert.equal(tablesOf(saved(lab, cell.name)), tablesOf(dump), cell.name);
      }
      lab.onCell('cell-a', 'ping', [...PING, '10.255.2.0']);
      const denied = lab.inContainer('frontend/0', 'ping', [...PING, '10.255.2.7'], { allow: [1] });
      assert.match(denied.stdout, /From 10\.255\.2\.0 .*Destination Port Unreachable/);
      return lab.namespaces;
    });
    assertGone(namespaces);
  });
}

labTest('nft', 'a failure inside takes the lab down and is passed on', async () => {
  let namespaces: Namespaces | undefined;
  const failing = withLab(SCENARIOS[0]!.foundation, DEFAULT_LAB, async (lab) => {
    namespaces = lab.namespaces;
    lab.inContainer('batch/0', 'ping', [...PING, '10.255.1.5']);
  });
  const message = await failing.then(
    () => 'no error',
    (error: Error) => error.message,
  );
  assert.match(message, /ping .* 10\.255\.1\.5 ended with 1/);
  assertGone(namespaces!);
});

const SHOP = SCENARIOS[0]!.foundation;
const SOURCE = '6b817f74-0000-4000-8000-7fe5290ffb61';
const DESTINATION = '20e39f68-0000-4000-8000-d432d5716f29';

const dumpedApp = (
  guid: string,
  tag: number | null,
  cell: string,
  ip: string,
  handle: string,
  ports: number[][],
): App => ({
  name: handle,
  guid,
  tag,
  routes: [],
  space: null,
  organization: null,
  instances: [
    {
      cell,
      address: parseIpv4(ip)!,
      handle,
      workload: 'app',
      ports: ports.map(([host, container]) => ({ host: host!, container: container! })),
    },
  ],
});

const dumpedPolicy = (port: number): Foundation['policies'][number] => ({
  source: SOURCE,
  destination: DESTINATION,
  protocol: 'tcp',
  ports: { start: port, end: port },
});

/** The foundation of the dumps, with logging. */
const DUMPED: Foundation = {
  ...SHOP,
  apps: [
    dumpedApp(SOURCE, 1, 'cell-a', '10.255.1.4', '5a1f0c11-1111-4a4a-5b5b-0001', [[61000, 8080]]),
    dumpedApp('none', null, 'cell-a', '10.255.1.5', 'a2c4d033-3333-4e4e-5f5f-0005', [[61001, 8080]]),
    dumpedApp(DESTINATION, 2, 'cell-b', '10.255.2.7', 'd2b7e022-2222-4c4c-5d5d-0007', [
      [61000, 61001],
      [61001, 61002],
    ]),
  ],
  policies: [dumpedPolicy(8080), dumpedPolicy(61443)],
  securityGroups: SHOP.securityGroups.map((group) => ({
    ...group,
    rules: [
      { ...group.rules[0]!, destinations: [{ low: parseIpv4('11.0.0.0')!, high: parseIpv4('169.253.255.255')! }] },
    ],
  })),
  settings: { ...SHOP.settings, logging: true },
};

const DUMPS = 'the rules are those of dumps that another program made';
const problem = labObstacle('nft');
if (problem !== undefined) skip(test, DUMPS, problem.message);
else {
  sharedTest(test, 'lab/dumps', DUMPS, async () => {
    await withLab(DUMPED, DEFAULT_LAB, async (lab) => {
      for (const [cell, file] of [
        ['cell-a', 'cellA'],
        ['cell-b', 'cellB'],
      ] as const) {
        const dump = readFileSync(shared('lab', 'dumps', `${file}.iptables-save.logging.txt`), 'utf8');
        // That program took its two policies in the order it was given; the agent sorts them (port 61443 before 8080).
        const swap = (text: string): string =>
          text.replace(/((?:^-A vpa--TIME .*dport 8080 .*\n)+)((?:-A vpa.*\n)+)/m, '$2$1');
        assert.equal(tablesOf(saved(lab, cell)), tablesOf(dump).map(swap), cell);
      }
    });
  });
}

test.run();
