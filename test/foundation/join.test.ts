/** Real artefacts, as the policy server and a cell write them, joined into one foundation. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Artefacts, joinArtefacts } from '../../src/foundation/join.ts';
import { externalPolicies, externalPoliciesV0, internalPolicies, tagList } from '../../src/foundation/policy-list.ts';
import { parseItem, readFoundation } from '../../src/foundation/read.ts';
import { formatIpv4 } from '../../src/wire/address.ts';
import { DESTINATION_GUID, EXAMPLE, refused, SOURCE_GUID } from './example.ts';

const test = suite('foundation/join');

const CELLS = `tagplane: 1
cells:
  - { name: cell-a, underlay: 10.0.0.101, lease: 10.255.1.0/24 }
  - { name: cell-b, underlay: 10.0.0.102, lease: 10.255.2.0/24 }
`;
const cells = (text = CELLS) => parseItem(text, 'cells.yml');
const json = (file: string, value: unknown) => ({ file, text: JSON.stringify(value) });

/** As the policy server's documentation shows them. */
const V1 = {
  total_policies: 1,
  policies: [
    {
      source: { id: SOURCE_GUID },
      destination: { id: DESTINATION_GUID, protocol: 'tcp', ports: { start: 8080, end: 8090 } },
    },
  ],
};
const V0 = {
  total_policies: 1,
  policies: [{ source: { id: SOURCE_GUID }, destination: { id: DESTINATION_GUID, protocol: 'tcp', port: 8080 } }],
};
const INTERNAL = {
  total_policies: 1,
  policies: [
    {
      source: { id: SOURCE_GUID, tag: '0007' },
      destination: { id: DESTINATION_GUID, tag: '000A', protocol: 'udp', ports: { start: 53, end: 53 } },
    },
  ],
};
const TAGS = {
  tags: [
    { id: SOURCE_GUID, tag: '0007', type: 'app' },
    { id: 'INGRESS_ROUTER', tag: '0003', type: 'router' },
  ],
};
const STORE = {
  '5a1f0c11-1111-4a4a-5b5b-0001': {
    handle: '5a1f0c11-1111-4a4a-5b5b-0001',
    ip: '10.255.1.4',
    metadata: {
      policy_group_id: SOURCE_GUID,
      app_id: SOURCE_GUID,
      space_id: 'space-1',
      org_id: 'org-1',
      ports: '8080, 9090',
      container_workload: 'task',
      log_config: '{"guid":"x"}',
    },
  },
  'a2c4d033-3333-4e4e-5f5f-0005': {
    handle: 'a2c4d033-3333-4e4e-5f5f-0005',
    ip: '10.255.1.5',
    metadata: { policy_group_id: '', app_id: '', ports: '', container_workload: '' },
  },
};
const GROUPS = {
  next: 0,
  security_groups: [
    {
      guid: 'sg-1',
      name: 'public',
      rules: '[{"protocol":"tcp","destination":"0.0.0.0-9.255.255.255","ports":"443","log":true}]',
      staging_default: false,
      running_default: true,
      staging_space_guids: null,
      running_space_guids: ['space-1'],
    },
  ],
};

test('policies, tags, groups, a store and a file with only cells', () => {
  const foundation = joinArtefacts({
    foundation: cells(),
    policies: [json('policies.json', V1)],
    tags: [json('tags.json', TAGS)],
    securityGroups: [json('asgs.json', GROUPS)],
    stores: [{ cell: 'cell-a', ...json('store.json', STORE) }],
  });
  assert.equal(
    foundation.apps.map(({ name, tag, instances }) => [name, tag, instances.map((one) => formatIpv4(one.address))]),
    [
      [SOURCE_GUID, 7, ['10.255.1.4']],
      ['a2c4d033-3333-4e4e-5f5f-0005', null, ['10.255.1.5']],
      [DESTINATION_GUID, 1, []],
    ],
  );
  const [source] = foundation.apps;
  assert.equal([source?.spaceGuid, source?.organization], ['space-1', 'org-1']);
  assert.equal(source?.instances[0], {
    cell: 'cell-a',
    address: 0x0aff0104,
    handle: '5a1f0c11-1111-4a4a-5b5b-0001',
    workload: 'task',
    ports: [],
    applicationPorts: [8080, 9090],
  });
  assert.is(foundation.ingressTag, 3);
  assert.equal(foundation.policies[0]?.ports, { start: 8080, end: 8090 });
  assert.equal(foundation.securityGroups[0]?.rules[0]?.destinations, [{ low: 0, high: 0x09ffffff }]);
  assert.is(foundation.securityGroups[0]?.rules[0]?.log, true);
});

test('v0 policies, internal policies with their tags, a bare list of rules', () => {
  assert.equal(joinArtefacts({ policies: [json('p', V0)] }).policies[0]?.ports, { start: 8080, end: 8080 });
  const internal = joinArtefacts({ policies: [json('p', INTERNAL)] });
  assert.equal(
    internal.apps.map(({ tag }) => tag),
    [7, 10],
  );
  const bare = joinArtefacts({
    securityGroups: [json('dns.json', [{ protocol: 'udp', destination: '8.8.8.8', ports: '53' }])],
  });
  assert.is(bare.securityGroups[0]?.name, 'dns.json');
  assert.ok(bare.securityGroups[0]?.runningDefault && bare.securityGroups[0].stagingDefault);
});

test('a store and a foundation file about one container: host ports from the file, the handle from the store', () => {
  const file = `${CELLS}apps:
  - { name: web, guid: ${SOURCE_GUID}, instances: [{ cell: cell-a, ip: 10.255.1.4, ports: ["61000:8080"] }] }
`;
  const { apps } = joinArtefacts({
    foundation: cells(file),
    stores: [{ cell: 'cell-a', ...json('store.json', STORE) }],
  });
  assert.is(apps[0]?.name, 'web');
  assert.is(apps[0]?.instances.length, 1);
  assert.is(apps[0]?.instances[0]?.handle, '5a1f0c11-1111-4a4a-5b5b-0001');
  assert.equal(apps[0]?.instances[0]?.ports, [{ host: 61000, container: 8080 }]);
});

const message = (artefacts: Artefacts): string => refused(() => joinArtefacts(artefacts)).message;

test('a cell whose addresses nobody says: what is missing and how to give it', () => {
  const error = refused(() => joinArtefacts({ stores: [{ cell: 'cell-a', ...json('store.json', STORE) }] }));
  assert.is(error.code, 'ERR_FOUNDATION_MISSING');
  assert.is(
    error.message,
    'store.json:1:1: got the containers of cell "cell-a", but nothing says its underlay address and lease; add a foundation file such as { tagplane: 1, cells: [{ name: "cell-a", underlay: ADDRESS, lease: 10.255.1.0/24 }] }',
  );
});

/** V1 with its destination's fields replaced. */
const withDestination = (destination: object): Artefacts => ({
  policies: [json('p.json', { policies: [{ source: { id: 'a' }, destination }] })],
});
const end = (protocol: unknown, ports: unknown): object => ({ id: 'b', protocol, ports });

const SAID: readonly [string, Artefacts][] = [
  ['missing policies', { policies: [json('p.json', {})] }],
  ['policies[0]: missing source id', { policies: [json('p.json', { policies: [{ destination: {} }] })] }],
  ['policies[0].source: missing source id', { policies: [json('p.json', { policies: [{ source: { id: '' } }] })] }],
  ['policies[0].destination: missing destination id', withDestination({ protocol: 'tcp' })],
  [
    'policies[0].destination.protocol: invalid destination protocol, specify either udp or tcp',
    withDestination(end('icmp', {})),
  ],
  [
    'policies[0].destination.ports: invalid port range 80-79, start must be less than or equal to end',
    withDestination(end('tcp', { start: 80, end: 79 })),
  ],
  [
    'policies[0].destination.ports: invalid start port -1, must be in range 1-65535',
    withDestination(end('tcp', { start: -1, end: 79 })),
  ],
  ['policies[0].destination.ports: missing start port', withDestination(end('tcp', { start: 0, end: 79 }))],
  [
    'policies[0].destination.ports: invalid end port 65536, must be in range 1-65535',
    withDestination(end('tcp', { start: 1, end: 65536 })),
  ],
  ['policies[0].destination.port: missing port', withDestination({ id: 'b', protocol: 'tcp', port: 0 })],
  [
    'policies[0].destination.port: invalid port 65536, must be in range 1-65535',
    withDestination({ id: 'b', protocol: 'tcp', port: 65536 }),
  ],
];
for (const [expected, artefacts] of SAID) {
  test(`the policy server's own words: ${expected.replace(/^.*: /, '')}`, () => {
    assert.is(message(artefacts).replace(/^p\.json:1:\d+: /, ''), expected);
  });
}

test('columns point at the value', () => {
  const artefacts = withDestination(end('icmp', {}));
  const column = artefacts.policies![0]!.text.indexOf('"icmp"') + 1;
  assert.is(refused(() => joinArtefacts(artefacts)).column, column);
  const tags = json('t.json', { tags: [{ id: SOURCE_GUID, tag: '0000', type: 'app' }] });
  assert.is(refused(() => joinArtefacts({ tags: [tags] })).column, tags.text.indexOf('"0000"') + 1);
});

test('other mistakes in artefacts name file and path', () => {
  assert.is(
    message({ policies: [json('p.json', { total_policies: 2, policies: V1.policies })] }),
    'p.json:1:19: total_policies: got 2, expected 1, the number of policies in the list',
  );
  assert.match(
    message({ tags: [json('t.json', { tags: [{ id: 'a', tag: '0000' }] })] }),
    /tags\[0\]\.tag: got "0000", expected a tag/,
  );
  assert.match(message({ securityGroups: [json('a.json', { ...GROUPS, next: 7 })] }), /goes on at 7/);
  assert.match(
    message({ stores: [{ cell: 'a', ...json('s.json', { h: { handle: 'x', ip: '1.2.3.4', metadata: {} } }) }] }),
    /^s\.json:1:16: h\.handle: got "x", expected "h", the key of the entry$/,
  );
  const port = { h: { handle: 'h', ip: '10.255.1.4', metadata: { ports: '80,x' } } };
  assert.match(
    message({ stores: [{ cell: 'a', ...json('s.json', port) }] }),
    /converting container metadata port to int: got "x"/,
  );
});

test('a mistake inside the JSON text of rules is placed where the text is', () => {
  const group = { ...GROUPS.security_groups[0], rules: '[{"protocol":"tcp","destination":"1.2.3.4","ports":"0"}]' };
  assert.is(
    message({ securityGroups: [json('asgs.json', { security_groups: [group] })] }),
    'asgs.json:1:60: security_groups[0].rules[0].ports: got "0", expected ports such as "80,443" or "8000-8100": missing start port',
  );
});

test('contradictions between inputs name both files', () => {
  const other = { tags: [{ id: SOURCE_GUID, tag: '0009', type: 'app' }] };
  assert.is(
    message({ policies: [json('p.json', INTERNAL)], tags: [json('t.json', other)] }),
    `t.json:1:61: tags[0].tag: got the tag 0009 of ${SOURCE_GUID}, which has 0007 at policies[0].source.tag (p.json:1:94)`,
  );
  const taken = { tags: [{ id: 'someone', tag: '0007', type: 'app' }] };
  assert.match(
    message({ policies: [json('p.json', INTERNAL)], tags: [json('t.json', taken)] }),
    /^t\.json:1:\d+: tags\[0\]\.tag: got the tag 0007, as has policies\[0\]\.source\.tag \(p\.json:1:\d+\)$/,
  );
  const away = {
    h: { handle: 'h', ip: '10.255.1.9', metadata: { policy_group_id: SOURCE_GUID, space_id: 'space-2' } },
  };
  const spaces = [
    { cell: 'cell-a', ...json('one.json', STORE) },
    { cell: 'cell-a', ...json('two.json', away) },
  ];
  assert.match(
    message({ foundation: cells(), stores: spaces }),
    /^two\.json:1:\d+: h\.metadata\.space_id: got the space "space-2" of app 6b817f74\S+, unlike .*\(one\.json:1:\d+\)$/,
  );
  const moved = { h: { handle: 'h', ip: '10.255.1.4', metadata: { policy_group_id: 'x' } } };
  const stores = [
    { cell: 'cell-a', ...json('one.json', STORE) },
    { cell: 'cell-a', ...json('two.json', moved) },
  ];
  assert.match(
    message({ foundation: cells(), stores }),
    /^two\.json:1:\d+: h\.ip: got the overlay address 10\.255\.1\.4, as has .*\(one\.json:1:\d+\)$/,
  );
});

test('policy-server JSON that is written is read back the same, v1, internal and tags', () => {
  const foundation = readFoundation(EXAMPLE, 'f.yml');
  const external = joinArtefacts({
    policies: [json('p', externalPolicies(foundation))],
    tags: [json('t', tagList(foundation))],
  });
  const internal = joinArtefacts({ policies: [json('p', internalPolicies(foundation))] });
  for (const found of [external, internal]) {
    assert.equal(found.policies, foundation.policies);
    assert.equal(
      found.apps.map(({ guid, tag }) => [guid, tag]),
      foundation.apps.map(({ guid, tag }) => [guid, tag]),
    );
  }
});

test('policy-server JSON is what the server answers, octet for octet', () => {
  const ofV1 = joinArtefacts({ policies: [json('p', V1)] });
  assert.is(JSON.stringify(externalPolicies(ofV1)), JSON.stringify(V1));
  assert.equal(externalPoliciesV0(ofV1), { total_policies: 0, policies: [] }, 'v0 has no ranges');
  assert.is(JSON.stringify(externalPoliciesV0(joinArtefacts({ policies: [json('p', V0)] }))), JSON.stringify(V0));
  assert.is(
    JSON.stringify(internalPolicies(joinArtefacts({ policies: [json('p', INTERNAL)] }))),
    JSON.stringify(INTERNAL),
  );
});

test.run();
