import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { networkPolicyRows, printNetworkPolicies } from '../../src/foundation/policy-list.ts';
import { readFoundation } from '../../src/foundation/read.ts';

const test = suite('foundation/policy-list');

const FOUNDATION = readFoundation(
  `
tagplane: 1
apps:
  - { name: frontend, guid: f, space: dev, organization: acme }
  - { name: backend, guid: b, space: prod, organization: acme }
  - { name: db, guid: d }
policies:
  - { source: frontend, destination: backend, protocol: tcp, ports: 8080 }
  - { source: frontend, destination: d, protocol: udp, ports: 8080-8090 }
  - { source: backend, destination: db, protocol: tcp, ports: 5432 }
`,
  'f.yml',
);

test('the table of cf network-policies', () => {
  assert.is(
    printNetworkPolicies(networkPolicyRows(FOUNDATION)),
    [
      'source     destination   protocol   ports       destination space   destination org',
      'frontend   backend       tcp        8080        prod                acme',
      'frontend   db            udp        8080-8090',
      'backend    db            tcp        5432',
      '',
    ].join('\n'),
  );
});

test('only the policies of one source, by name or GUID', () => {
  assert.is(networkPolicyRows(FOUNDATION, 'frontend').length, 2);
  assert.equal(networkPolicyRows(FOUNDATION, 'b'), [['backend', 'db', 'tcp', '5432', '', '']]);
  assert.equal(networkPolicyRows(FOUNDATION, 'nobody'), []);
});

test('200,000 rows', () => {
  const [row] = networkPolicyRows(FOUNDATION);
  const text = printNetworkPolicies(new Array(200_000).fill(row));
  assert.is(text.split('\n').length, 200_002);
});

test.run();
