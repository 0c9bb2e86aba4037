/** `tagplane policy` from end to end: every form, on small foundations and on dumps of a real kernel. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readFoundation } from '../../src/foundation/read.ts';
import { shared, sharedTest } from '../support/shared.ts';
import { CELL_B, createFolder, DESTINATION, FOUNDATION, SOURCE } from './inputs.ts';
import { runPolicy } from './policy-run.ts';

const test = suite('cli/policy');
const folder = createFolder();
test.after(() => folder.remove());

const foundation = folder.file('foundation.yml', FOUNDATION);
const rules = folder.file('b.txt', CELL_B);

/** What the command prints, which must end well and say nothing else. */
async function printed(...words: string[]): Promise<string> {
  const { stdout, stderr, exitCode, error } = await runPolicy(...words);
  assert.equal({ stderr, exitCode, error }, { stderr: '', exitCode: 0, error: '' });
  return stdout;
}

test('the table of cf network-policies', async () => {
  assert.is(
    await printed('--foundation', foundation),
    `\
source       destination   protocol   ports   destination space   destination org
source-app   dest-app      tcp        8080    prod                acme
`,
  );
  assert.is((await printed('--foundation', foundation, '--source', 'dest-app')).split('\n').length, 2);
});

test('the rules of the two cells, as the article on container networking shows them', async () => {
  const list = ['--foundation', foundation, '-L', 'vpa--*', '-n'];
  assert.is(
    await printed(...list, '--cell', 'cell-a'),
    `\
Chain vpa--1600000000000000 (1 references)
target     prot opt source               destination         
MARK       0    --  10.255.1.4           0.0.0.0/0            /* src:${SOURCE} */ MARK set 0x1
`,
  );
  assert.is(
    await printed(...list, '--cell', 'cell-b'),
    `\
Chain vpa--1600000000000000 (1 references)
target     prot opt source               destination         
ACCEPT     6    --  0.0.0.0/0            10.255.2.7           tcp dpt:8080 mark match 0x1 /* src:${SOURCE}_dst:${DESTINATION} */
`,
  );
});

test('iptables -S of all cells, each under its name', async () => {
  assert.is(
    await printed('--foundation', foundation, '-S', 'vpa--*'),
    `\
# cell-a
-N vpa--1600000000000000
-A vpa--1600000000000000 -s 10.255.1.4/32 -m comment --comment "src:${SOURCE}" -j MARK --set-xmark 0x1/0xffffffff

# cell-b
-N vpa--1600000000000000
-A vpa--1600000000000000 -d 10.255.2.7/32 -p tcp -m tcp --dport 8080 -m mark --mark 0x1 -m comment --comment "src:${SOURCE}_dst:${DESTINATION}" -j ACCEPT
`,
  );
});

test('tables and chains: filter for -S and -L, all for iptables-save, one where it is named', async () => {
  const on = ['--foundation', foundation, '--cell', 'cell-b'];
  const heads = (text: string): string[] => text.match(/^\*\w+|^-P \w+/gm) ?? [];
  assert.equal(heads(await printed(...on, '-S')), ['-P INPUT', '-P FORWARD', '-P OUTPUT']);
  assert.equal(heads(await printed(...on, '--as', 'iptables-save')), ['*mangle', '*filter', '*nat']);
  assert.equal(heads(await printed(...on, '--as', 'iptables-save', '-t', 'nat')), ['*nat']);
  assert.match(await printed(...on, '-L', '-t', 'nat', '--line-numbers', '-n'), /^num {2}target .*\n1 .*\n/m);
  const counted = await printed(...on, '-L', 'OUTPUT', '-v');
  assert.is(counted.split('\n')[0], 'Chain OUTPUT (policy ACCEPT 0 packets, 0 bytes)');
});

test('rules as a document', async () => {
  const text = await printed('--foundation', foundation, '--cell', 'cell-a', '-S', 'vpa--*', '--json');
  assert.equal(JSON.parse(text), {
    schemaVersion: 1,
    cells: [
      {
        cell: 'cell-a',
        backend: 'nft',
        tables: [
          {
            table: 'filter',
            chains: [
              {
                chain: 'vpa--1600000000000000',
                policy: null,
                rules: [
                  {
                    number: 1,
                    text: `-A vpa--1600000000000000 -s 10.255.1.4/32 -m comment --comment "src:${SOURCE}" -j MARK --set-xmark 0x1/0xffffffff`,
                    line: null,
                  },
                ],
              },
            ],
          },
        ],
      },
    ],
  });
});

const as = async (form: string): Promise<unknown> =>
  JSON.parse(await printed('--foundation', foundation, '--as', form));

test('the compiled plan of a cell', async () => {
  const many = Array.from(
    { length: 100 },
    (_, port) => `  - { source: source-app, destination: dest-app, protocol: tcp, ports: ${9000 + port} }\n`,
  );
  const on = ['--foundation', folder.file('many.yml', FOUNDATION + many.join('')), '--cell', 'cell-b', '--plan'];
  const text = await printed(...on);
  assert.is(text.split('\n')[0], '# cell-b, table filter, nft');
  assert.match(text, /^FORWARD \(policy ACCEPT\): \d+ entries, /m);
  // The agent's rules are looked up by the fields that iptables -S shows for them.
  assert.match(text, /^ {2}by destination\/32 protocol mark: 101 entries in 1 buckets \(longest 101, 1 cut by/m);
  const { cells } = JSON.parse(await printed(...on, '--json', '-t', 'nat')) as {
    cells: { table: string; chains: { chain: string }[] }[];
  };
  assert.equal(
    cells.map(({ table, chains }) => [table, chains.map(({ chain }) => chain)]),
    [['nat', ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING']]],
  );
});

test('the JSON of the policy server', async () => {
  assert.equal(await as('policy-server'), {
    total_policies: 1,
    policies: [
      { source: { id: SOURCE }, destination: { id: DESTINATION, protocol: 'tcp', ports: { start: 8080, end: 8080 } } },
    ],
  });
  assert.equal(await as('policy-server-v0'), {
    total_policies: 1,
    policies: [{ source: { id: SOURCE }, destination: { id: DESTINATION, protocol: 'tcp', port: 8080 } }],
  });
  assert.equal(await as('policy-server-internal'), {
    total_policies: 1,
    policies: [
      {
        source: { id: SOURCE, tag: '0001' },
        destination: { id: DESTINATION, tag: '0002', protocol: 'tcp', ports: { start: 8080, end: 8080 } },
      },
    ],
  });
  assert.equal(await as('tags'), {
    tags: [
      { id: SOURCE, tag: '0001', type: 'app' },
      { id: DESTINATION, tag: '0002', type: 'app' },
    ],
  });
});

test('policies with names, GUIDs and tags as a document', async () => {
  const { policies } = JSON.parse(await printed('--foundation', foundation, '--json')) as { policies: unknown[] };
  assert.equal(policies, [
    {
      source: { name: 'source-app', guid: SOURCE, tag: '0001', space: null, organization: null },
      destination: { name: 'dest-app', guid: DESTINATION, tag: '0002', space: 'prod', organization: 'acme' },
      protocol: 'tcp',
      ports: { start: 8080, end: 8080 },
    },
  ]);
});

test('what the v0 API has no words for is counted', async () => {
  const range = folder.file('range.yml', FOUNDATION.replace('"8080" }', '"8080-8090" }'));
  const { stdout, stderr } = await runPolicy('--foundation', range, '--as', 'policy-server-v0');
  assert.is((JSON.parse(stdout) as { total_policies: number }).total_policies, 0);
  assert.is(
    stderr,
    'tagplane: warning: policies for a range of ports, left out as the v0 API has no words for them: 1\n',
  );
});

/** Every key of a foundation file with a value that is not the default; tags that YAML would take for numbers. */
const RICH = `tagplane: 1
overlay: { network: 172.16.0.0/12, vni: 7, port: 8472 }
cells: [{ name: c, underlay: 10.0.0.1, lease: 172.16.1.0/24, interfaces: [ens4, ens5] }]
apps:
  - name: a
    guid: "1e5"
    tag: "00E1"
    routes: [a.apps.internal]
    space: s
    space_guid: sg
    organization: o
    instances: [{ cell: c, ip: 172.16.1.4, handle: h, workload: task, ports: ["61000:80"], application_ports: [80] }]
  - { name: b, guid: a, tag: "0010" }
  - { name: "yes", guid: g, space: other }
policies:
  - { source: "1e5", destination: b, protocol: udp, ports: "53-60" }
  - { source: "yes", destination: "1e5", protocol: tcp, ports: 9 }
security_groups:
  - name: g
    guid: gg
    running_default: true
    staging_default: true
    running_space_guids: [sg]
    staging_space_guids: [sg]
    rules:
      - { protocol: tcp, destination: "10.0.0.0/8,10.0.0.1-10.0.0.9", ports: "80,443-444", log: true }
      - { protocol: icmp, destination: 0.0.0.0/0, type: 8, code: -1 }
      - { protocol: all, destination: 10.1.2.3 }
properties:
  iptables_logging: true
  iptables_denied_logs_per_sec: 2
  iptables_accepted_udp_logs_per_sec: 3
  dns_servers: [169.254.0.2, 8.8.8.8]
  host_tcp_services: ["169.254.0.2:9001"]
  host_udp_services: ["169.254.0.2:9002"]
  deny_networks: { always: [10.9.0.0/16], running: [10.8.0.0/16], staging: [10.7.0.0/16] }
  enable_asg_syncing: false
  disable_container_network_policy: true
  enable_overlay_ingress_rules: true
  outbound_connections: { limit: true, logging: false, burst: 5, rate_per_sec: 6, dry_run: true }
  no_masquerade_cidr_range: 10.0.0.0/8
  masquerade: lease
`;

test('a foundation file says the foundation again, in YAML and in JSON', async () => {
  for (const text of [FOUNDATION, RICH]) {
    const file = folder.file('in.yml', text);
    const expected = readFoundation(text, 'in.yml');
    // The ingress router's tag is no app's, and so in no foundation file: it is given out again.
    for (const words of [[], ['--json']]) {
      const again = await printed('--foundation', file, '--as', 'foundation', ...words);
      assert.equal(readFoundation(again, 'out'), expected, again);
    }
  }
});

test('a foundation inferred from rules, which are told where they came from', async () => {
  const { stdout, stderr } = await runPolicy('--iptables', `cell-b=${rules}`, '--as', 'foundation');
  assert.is(
    folder.bare(stderr),
    'tagplane: cell-b: rules read from b.txt (nft); inferred from them: underlay address 10.0.0.102, lease 10.255.2.0/24 ' +
      '(the block that holds its containers), 1 container\n' +
      `tagplane: warning: ${DESTINATION}: its tag is unknown; a reader gives it the lowest free one\n`,
  );
  const inferred = readFoundation(stdout, 'out');
  assert.equal(
    inferred.policies.map(({ source, destination }) => [source, destination]),
    [[SOURCE, DESTINATION]],
  );
});

test('a tag that nothing says is not made up', async () => {
  const { error, exitCode } = await runPolicy('--iptables', `cell-b=${rules}`, '--as', 'policy-server-internal');
  assert.is(exitCode, 2);
  assert.is(
    error,
    `the internal form has the tag of every app, and nothing says that of ${DESTINATION}: give --tags FILE`,
  );
});

test('names that would move the cursor are escaped in tables, and kept in what programs read', async () => {
  const name = 'evil\u202e\u2066app';
  const file = folder.file(
    'evil.yml',
    FOUNDATION.replaceAll('dest-app', name)
      .replace('cell-b, underlay', 'cell\u200fb, underlay')
      .replace('cell: cell-b', 'cell: cell\u200fb'),
  );
  assert.match(await printed('--foundation', file), /evil\\u\{202e\}\\u\{2066\}app/);
  assert.match(await printed('--foundation', file, '-S', 'vpa--*'), /^# cell\\u\{200f\}b$/m);
  const { policies } = JSON.parse(await printed('--foundation', file, '--json')) as {
    policies: { destination: { name: string } }[];
  };
  assert.is(policies[0]!.destination.name, name);
});

test('options that contradict each other or change nothing are refused', async () => {
  const on = ['--foundation', foundation];
  const cases: readonly [words: string[], message: string][] = [
    [[...on, '-S', '-L'], 'got both -S and -L, which print different things: give one'],
    [
      [...on, '--as', 'tags', '--validate'],
      'got both --as tags and --validate, which print different things: give one',
    ],
    [[...on, '-S', '-n'], '--numeric changes nothing here: it belongs to iptables-L'],
    [[...on, '--chain', 'x'], '--chain changes nothing here: it belongs to iptables-S, iptables-L'],
    [[...on, '-L', 'a', '--chain', 'b'], 'got two chains, a and b: give one'],
    [[...on, '-L', 'absent'], '--table or --chain: got filter absent, which is not in the rules of cell-a, cell-b'],
    [
      [...on, '--source', 'nobody'],
      '--source nobody: there is no app with this name or GUID; known: source-app, dest-app',
    ],
  ];
  for (const [words, message] of cases) {
    const { error, exitCode, stdout } = await runPolicy(...words);
    assert.equal({ error, exitCode, stdout }, { error: message, exitCode: 2, stdout: '' });
  }
});

test('--validate: nothing wrong', async () => {
  const saved = await printed('--foundation', foundation, '--as', 'iptables-save');
  const count = saved.match(/^-A /gm)!.length;
  assert.is(
    await printed('--foundation', foundation, '--validate'),
    `no errors, 0 warnings: 2 cells, 2 apps, 1 policy, ${count} rules\n`,
  );
  assert.equal(JSON.parse(await printed('--foundation', foundation, '--validate', '--json')), {
    schemaVersion: 1,
    valid: true,
    errors: [],
    warnings: [],
  });
});

test('--validate: all that is wrong, in every file', async () => {
  const one = `{ source: source-app, destination: dest-app, protocol: tcp, ports: "8080" }`;
  const wrong = folder.file(
    'wrong.yml',
    FOUNDATION.replace(
      `- ${one}`,
      ['"0"', '"9-8"', '8080', '"1-65536"'].map((ports) => `- ${one.replace('"8080"', ports)}`).join('\n  '),
    ),
  );
  const list = folder.file(
    'list.json',
    JSON.stringify({
      total_policies: 3,
      policies: [
        { source: { id: SOURCE }, destination: { id: DESTINATION, protocol: 'icmp', ports: { start: 1, end: 1 } } },
        { source: { id: SOURCE }, destination: { id: DESTINATION, protocol: 'tcp', ports: { start: 1, end: 1 } } },
        { source: {}, destination: { id: DESTINATION, protocol: 'tcp', ports: { start: 1, end: 1 } } },
      ],
    }),
  );
  const odd = folder.file(
    'odd.txt',
    CELL_B.replace('-A FORWARD -j overlay', '-A FORWARD -j nowhere\n-A FORWARD -j overlay').replace(
      '-j REJECT --reject-with icmp-port-unreachable',
      '-j REJECT --reject-with nonsense',
    ),
  );
  const { stdout, exitCode } = await runPolicy(
    '--foundation',
    wrong,
    '--policies',
    list,
    '--iptables',
    `cell-b=${odd}`,
    '--validate',
  );
  assert.is(exitCode, 2);
  const lines = folder
    .bare(stdout)
    .split('\n')
    .filter((line) => !/^\s*\^|^-A/.test(line));
  const places = lines.map(
    (line) =>
      line
        .match(/^error: (\S+?:\d+):\d+: (\S*)/)
        ?.slice(1)
        .join(' ') ?? line,
  );
  assert.equal(places, [
    'wrong.yml:16 policies[0].ports:',
    'wrong.yml:17 policies[1].ports:',
    'wrong.yml:19 policies[3].ports:',
    'list.json:1 policies[0].destination.protocol:',
    'list.json:1 policies[2].source:',
    'odd.txt:16 there',
    "odd.txt:18 'nonsense'",
    '7 errors',
    '',
  ]);
});

test('--validate: what only shows when everything is joined', async () => {
  const stranger = folder.file('stranger.yml', FOUNDATION.replace('destination: dest-app', 'destination: nobody'));
  const { stdout, exitCode } = await runPolicy('--foundation', stranger, '--iptables', `cell-b=${rules}`, '--validate');
  assert.is(exitCode, 2);
  assert.is(
    folder.bare(stdout),
    'error: stranger.yml:16:40: policies[0].destination: got "nobody", expected the name or GUID of an app\n1 error\n',
  );
  const absent = await runPolicy('--foundation', 'no-such-file.yml', '--validate', '--json');
  assert.is(absent.exitCode, 2);
  assert.equal((JSON.parse(absent.stdout) as { errors: string[] }).errors, [
    'no-such-file.yml: cannot be read: no such file',
  ]);
});

for (const cell of ['A', 'B']) {
  sharedTest(
    test,
    'lab/dumps',
    `-L and --as iptables-save of cell ${cell} are what the kernel's iptables printed`,
    async () => {
      const dump = shared('lab', 'dumps', `cell${cell}.iptables-save.logging.txt`);
      const on = ['--iptables', `${cell}=${dump}`];
      const list = (await runPolicy(...on, '-L')).stdout;
      // The listing resolves well-known ports by /etc/services and ends with an empty line.
      const expected = readFileSync(shared('lab', 'dumps', `cell${cell}.iptables-L.txt`), 'utf8');
      assert.is(list.trimEnd(), expected.trimEnd());
      const saved = (await runPolicy(...on, '--as', 'iptables-save')).stdout;
      assert.is(saved, readFileSync(dump, 'utf8').replace(/^#.*\n/gm, ''));
    },
  );
}

test.run();
