import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readFoundation } from '../../src/foundation/read.ts';
import { ROOT } from '../support/shared.ts';
import { DESTINATION_GUID, EXAMPLE, edited, refused, SOURCE_GUID } from './example.ts';

const test = suite('foundation/read');
const read = (text: string) => readFoundation(text, 'f.yml');
const complaint = (text: string): string => refused(() => read(text)).message;

test('the example of the format', () => {
  const foundation = read(EXAMPLE);
  assert.equal(foundation.overlay, { network: { address: 0x0aff0000, prefixLength: 16 }, vni: 1, port: 4789 });
  assert.equal(foundation.cells[1], {
    name: 'cell-b',
    underlay: 0x0a000066,
    lease: { address: 0x0aff0200, prefixLength: 24 },
    interfaces: ['eth0'],
  });
  const [source, destination] = foundation.apps;
  assert.is(source?.tag, 1);
  assert.is(destination?.tag, 2, 'lowest free tag');
  assert.equal(destination?.routes, ['dest-app.apps.internal']);
  assert.is(source?.instances[0]?.address, 0x0aff0104);
  assert.match(source!.instances[0]!.handle, /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}$/);
  assert.equal(foundation.policies, [
    { source: SOURCE_GUID, destination: DESTINATION_GUID, protocol: 'tcp', ports: { start: 8080, end: 8080 } },
  ]);
});

test('the same foundation as JSON reads the same', () => {
  const json = {
    tagplane: 1,
    cells: [
      { name: 'cell-a', underlay: '10.0.0.101', lease: '10.255.1.0/24' },
      { name: 'cell-b', underlay: '10.0.0.102', lease: '10.255.2.0/24' },
    ],
    apps: [
      { name: 'source-app', guid: SOURCE_GUID, tag: '0001', instances: [{ cell: 'cell-a', ip: '10.255.1.4' }] },
      {
        name: 'dest-app',
        guid: DESTINATION_GUID,
        routes: ['dest-app.apps.internal'],
        instances: [{ cell: 'cell-b', ip: '10.255.2.7' }],
      },
    ],
    policies: [{ source: 'source-app', destination: 'dest-app', protocol: 'tcp', ports: 8080 }],
  };
  assert.equal(read(JSON.stringify(json)), read(EXAMPLE));
  assert.equal(read(JSON.stringify(json, null, 2)), read(EXAMPLE));
});

test('every optional key', () => {
  const foundation = read(`
tagplane: 1
overlay: { port: 14789 }
cells: [{ name: a, underlay: 10.0.0.1, lease: 10.255.1.0/24, interfaces: [eth0, eth1] }]
apps:
  - name: web
    guid: g1
    space: dev
    space_guid: s-1
    organization: acme
    instances:
      - { cell: a, ip: 10.255.1.2, handle: h-1, workload: task, ports: ["61000:8080"], application_ports: [8080] }
policies:
  - { source: web, destination: g1 }
  - { source: web, destination: web, protocol: udp, ports: 8080-8090 }
security_groups:
  - name: public
    running_default: true
    rules: [{ protocol: tcp, destination: "10.0.0.0/8,1.1.1.1-1.1.1.2", ports: "80,443,8000-8100", log: true }]
properties:
  iptables_logging: true
  dns_servers: [169.254.0.2]
  host_tcp_services: ["169.254.0.2:9001"]
  deny_networks: { always: [192.0.2.0/24] }
  enable_asg_syncing: false
  outbound_connections: { limit: true, burst: 50 }
`);
  assert.is(foundation.overlay.port, 14789);
  assert.equal(foundation.cells[0]?.interfaces, ['eth0', 'eth1']);
  const web = foundation.apps[0]!;
  assert.equal([web.space, web.spaceGuid, web.organization], ['dev', 's-1', 'acme']);
  assert.equal(web.instances[0], {
    cell: 'a',
    address: 0x0aff0102,
    handle: 'h-1',
    workload: 'task',
    ports: [{ host: 61000, container: 8080 }],
    applicationPorts: [8080],
  });
  assert.equal(foundation.policies[0]?.ports, { start: 8080, end: 8080 }, 'as cf add-network-policy without ports');
  assert.equal(foundation.policies[1]?.ports, { start: 8080, end: 8090 });
  assert.equal(foundation.securityGroups[0]?.rules[0], {
    protocol: 'tcp',
    destinations: [
      { low: 0x0a000000, high: 0x0affffff },
      { low: 0x01010101, high: 0x01010102 },
    ],
    ports: [
      { start: 80, end: 80 },
      { start: 443, end: 443 },
      { start: 8000, end: 8100 },
    ],
    type: null,
    code: null,
    log: true,
  });
  assert.is(foundation.settings.logging, true);
  assert.is(foundation.settings.outboundConnections.logging, true, 'follows iptables_logging');
  assert.is(foundation.settings.outboundConnections.burst, 50);
  assert.is(foundation.settings.dynamicSecurityGroups, false);
});

const WRONG: readonly [string, string, string, string][] = [
  [
    'port 0',
    'ports: "8080"',
    'ports: 0',
    'policies[0].ports: got 0, expected a port or a range such as 8080 or "8080-8090": missing start port',
  ],
  [
    'port 65536',
    'ports: "8080"',
    'ports: 65536',
    'policies[0].ports: got 65536, expected a port or a range such as 8080 or "8080-8090": invalid end port 65536, must be in range 1-65535',
  ],
  [
    'ports 80-79',
    '"8080"',
    '"80-79"',
    'policies[0].ports: got "80-79", expected a port or a range such as 8080 or "8080-8090": invalid port range 80-79, start must be less than or equal to end',
  ],
  [
    'negative port',
    '"8080"',
    '-1',
    'policies[0].ports: got -1, expected a port or a range such as 8080 or "8080-8090": invalid start port -1, must be in range 1-65535',
  ],
  ['port 1e3', '"8080"', '1e3', 'policies[0].ports: got 1e3, expected a port or a range such as 8080 or "8080-8090"'],
  [
    'port "0x50"',
    '"8080"',
    '"0x50"',
    'policies[0].ports: got "0x50", expected a port or a range such as 8080 or "8080-8090"',
  ],
  [
    'port 0x50',
    '"8080"',
    '0x50',
    'policies[0].ports: got 0x50, expected a port or a range such as 8080 or "8080-8090"',
  ],
  [
    'ports 080-090',
    '"8080"',
    '"080-090"',
    'policies[0].ports: got "080-090", expected a port or a range such as 8080 or "8080-8090": write ports without leading zeros',
  ],
  [
    'port 22:22',
    '"8080"',
    '22:22',
    'policies[0].ports: got "22:22", expected a port or a range such as 8080 or "8080-8090"',
  ],
  ['protocol TCP', 'protocol: tcp', 'protocol: TCP', 'policies[0].protocol: got "TCP", expected "tcp" or "udp"'],
  ['protocol icmp', 'protocol: tcp', 'protocol: icmp', 'policies[0].protocol: got "icmp", expected "tcp" or "udp"'],
  [
    'protocol 6',
    'protocol: tcp',
    'protocol: 6',
    'policies[0].protocol: got 6, expected "tcp" or "udp": write it in quotes',
  ],
  [
    'ports without protocol',
    'protocol: tcp, ',
    '',
    'policies[0]: got ports without protocol, expected both, or neither for tcp 8080',
  ],
  [
    'tag 0',
    'tag: "0001"',
    'tag: "0000"',
    'apps[0].tag: got "0000", expected a tag of four hexadecimal digits from "0001" to "FFFF": tag 0 is what packets without a tag have',
  ],
  [
    'tag 00G1',
    '"0001"',
    '"00G1"',
    'apps[0].tag: got "00G1", expected a tag of four hexadecimal digits from "0001" to "FFFF"',
  ],
  [
    'tag above 0xffff',
    '"0001"',
    '"10000"',
    'apps[0].tag: got "10000", expected a tag of four hexadecimal digits from "0001" to "FFFF"',
  ],
  ['unknown key', 'routes:', 'route:', 'apps[1].route: got the unknown key "route", did you mean "routes"?'],
  [
    'unknown key, far from any',
    'routes:',
    'colour:',
    'apps[1].colour: got the unknown key "colour", expected one of name, guid, tag, routes, space, space_guid, organization, instances',
  ],
  ['missing key', 'name: cell-a, ', '', 'cells[0]: got no key "name", expected the name of a cell'],
  ['version', 'tagplane: 1', 'tagplane: 2', 'tagplane: got 2, expected format version 1'],
  [
    'octal address',
    '10.0.0.101',
    '010.0.0.101',
    'cells[0].underlay: got "010.0.0.101", expected an IPv4 address such as 10.255.1.4: four decimal octets without leading zeros',
  ],
  [
    'host bits',
    '10.255.1.0/24',
    '10.255.1.4/24',
    'cells[0].lease: got "10.255.1.4/24", expected a block such as 10.255.1.0/24: it has host bits set, its block is 10.255.1.0/24',
  ],
  [
    'a list for a mapping',
    'overlay: { network: 10.255.0.0/16, vni: 1, port: 4789 }',
    'overlay: []',
    'overlay: got a list, expected a mapping',
  ],
  [
    'NUL in a GUID',
    `guid: ${SOURCE_GUID}`,
    'guid: "a\\0b"',
    'apps[0].guid: got "a\\u0000b", expected a GUID (1 to 64 of A-Z a-z 0-9 _ -)',
  ],
  [
    'unknown app',
    'destination: dest-app',
    'destination: dest',
    'policies[0].destination: got "dest", expected the name or GUID of an app',
  ],
  [
    'unknown cell',
    'cell: cell-b',
    'cell: cell-c',
    'apps[1].instances[0].cell: got "cell-c", expected the name of a cell: known: "cell-a", "cell-b"',
  ],
];

for (const [name, piece, by, expected] of WRONG) {
  test(`refused: ${name}`, () => {
    const message = complaint(edited(piece, by));
    assert.match(message, /^f\.yml:\d+:\d+: /);
    assert.is(message.replace(/^f\.yml:\d+:\d+: /, ''), expected);
  });
}

const SECTIONS: readonly [string, string][] = [
  [
    'properties: { iptables_loging: true }',
    'properties.iptables_loging: got the unknown key "iptables_loging", did you mean "iptables_logging"?',
  ],
  ['properties: { iptables_logging: yes }', 'properties.iptables_logging: got "yes", expected true or false'],
  [
    'properties: { iptables_denied_logs_per_sec: 0 }',
    'properties.iptables_denied_logs_per_sec: got 0, expected a whole number from 1 to 10000',
  ],
  [
    'properties: { host_tcp_services: ["127.0.0.1:80"] }',
    'properties.host_tcp_services[0]: got "127.0.0.1:80", expected an address outside 127.0.0.0/8',
  ],
  [
    'properties: { host_udp_services: ["169.254.0.2"] }',
    'properties.host_udp_services[0]: got "169.254.0.2", expected address:port such as "169.254.0.2:9001"',
  ],
  [
    'properties: { deny_networks: { never: [] } }',
    'properties.deny_networks.never: got the unknown key "never", expected one of always, running, staging',
  ],
  ['properties: { masquerade: cell }', 'properties.masquerade: got "cell", expected "overlay" or "lease"'],
  [
    'security_groups: [{ name: x, rules: [{ protocol: tcp, destination: 1.1.1.1 }] }]',
    'security_groups[0].rules[0]: got no key "ports", expected the ports of a tcp rule',
  ],
  [
    'security_groups: [{ name: x, rules: [{ protocol: all, destination: 1.1.1.1, ports: "80" }] }]',
    'security_groups[0].rules[0].ports: got "80", expected no ports in a rule for icmp or all',
  ],
  [
    'security_groups: [{ name: x, rules: [{ protocol: all, destination: 1.1.1.2-1.1.1.1 }] }]',
    'security_groups[0].rules[0].destination: got "1.1.1.2-1.1.1.1", expected an address, a block or a range such as 10.0.0.0/8 or 10.0.0.1-10.0.0.9',
  ],
  [
    'security_groups: [{ name: x, rules: [{ protocol: icmp, destination: 1.1.1.1, type: 256, code: 0 }] }]',
    'security_groups[0].rules[0].type: got 256, expected a whole number from -1 to 255',
  ],
  [
    'security_groups: [{ name: x, rules: [{ protocol: icmp, destination: 1.1.1.1, code: 0 }] }]',
    'security_groups[0].rules[0]: got no key "type", expected the ICMP type, -1 for any',
  ],
  [
    'security_groups: [{ name: x, rules: [] }, { name: x, rules: [] }]',
    'security_groups[1]: got a security group with the GUID "x", as has security_groups[0] (f.yml:2:19)',
  ],
];
for (const [section, expected] of SECTIONS) {
  test(`refused: ${section}`, () => {
    assert.is(complaint(`tagplane: 1\n${section}\n`).replace(/^f\.yml:\d+:\d+: /, ''), expected);
  });
}

test('an error has code, file, line, column and path', () => {
  const error = refused(() => read(edited('"8080"', '"80-79"')));
  assert.is(error.code, 'ERR_FOUNDATION_VALUE');
  assert.equal([error.file, error.line, error.column, error.path], ['f.yml', 16, 72, 'policies[0].ports']);
  assert.is(EXAMPLE.split('\n')[15]!.slice(71, 77), '"8080"', 'the column points at the value');
});

test('the example of the format page is a foundation', () => {
  const page = readFileSync(join(ROOT, 'docs', 'formats.md'), 'utf8');
  const example = /^```yaml\n([\s\S]*?)^```/m.exec(page)?.[1];
  const foundation = read(example ?? '');
  assert.equal(
    foundation.apps.map(({ name, tag }) => [name, tag]),
    [
      ['source-app', 1],
      ['dest-app', 2],
    ],
  );
});

test('no message lets a character through that moves a cursor or turns a line around', () => {
  const unsafe = ['\u202e', '\u009b', '\u2028', '\u200b', '\u2066'];
  for (const character of unsafe) {
    for (const text of [
      `{"a":${character}}`,
      `{"${character}":1}`,
      `a: *${character}\n`,
      `${character}: 1\n`,
      `a: ["${character}\n`,
    ]) {
      assert.not.ok(complaint(text).includes(character), JSON.stringify(text));
    }
  }
  const error = refused(() => readFoundation('[]', 'a\u202e.yml'));
  assert.match(error.message, /^a\\u202e\.yml:1:1: got a list, expected a mapping$/);
});

test('a tag without quotes is what is written, not a YAML number', () => {
  assert.is(read(edited('"0001"', '0010')).apps[0]?.tag, 0x10);
  assert.is(read(edited('"0001"', '00E1')).apps[0]?.tag, 0xe1);
});

test('an app name that fits two apps is refused, its GUID is not', () => {
  const two = edited('  - name: dest-app', '  - { name: dest-app, guid: other, space: prod }\n  - name: dest-app');
  assert.match(
    complaint(two),
    /policies\[0\]\.destination: got "dest-app", expected a GUID, since the name fits several/,
  );
  const byGuid = edited('destination: dest-app', `destination: ${DESTINATION_GUID}`, two);
  assert.is(read(byGuid).policies[0]?.destination, DESTINATION_GUID);
});

test('a right-to-left override in a name survives as data and is escaped in messages', () => {
  const name = 'web\u202egnp';
  assert.is(
    read(edited('name: source-app', `name: "${name}"`).replace('source: source-app', `source: "${name}"`)).apps[0]
      ?.name,
    name,
  );
  const message = complaint(edited('source: source-app', `source: "${name}"`));
  assert.match(message, /got "web\\u202egnp"/);
  assert.not.match(message, /\u202e/);
});

test.run();
