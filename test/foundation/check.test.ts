/** Every contradiction, planted in the example, is refused naming both sides. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { plan } from '../../src/foundation/plan.ts';
import { readFoundation } from '../../src/foundation/read.ts';
import { formatTag } from '../../src/foundation/tags.ts';
import { check } from '../support/property.ts';
import { DESTINATION_GUID, edited, refused, SOURCE_GUID } from './example.ts';
import { saveText } from './save-text.ts';

const test = suite('foundation/check');
const read = (text: string) => readFoundation(text, 'f.yml');
const SECOND = 'instances: [{ cell: cell-b, ip: 10.255.2.7 }]';
const instances = (...texts: string[]): string => edited(SECOND, `instances: [${texts.join(', ')}]`);

const CONTRADICTIONS: readonly [string, string, string][] = [
  [
    'one name on two cells',
    edited('name: cell-b', 'name: cell-a'),
    'cells[1]: got a cell called "cell-a", as is cells[0] (f.yml:4:5)',
  ],
  [
    'one underlay address on two cells',
    edited('10.0.0.102', '10.0.0.101'),
    'cells[1].underlay: got the underlay address 10.0.0.101, as has cells[0].underlay (f.yml:4:31)',
  ],
  [
    'one lease on two cells',
    edited('10.255.2.0/24', '10.255.1.0/24'),
    'cells[1].lease: got the lease 10.255.1.0/24, which overlaps 10.255.1.0/24 of cells[0].lease (f.yml:4:50)',
  ],
  [
    'a lease inside another',
    edited('10.255.2.0/24', '10.255.1.128/25'),
    'cells[1].lease: got the lease 10.255.1.128/25, which overlaps 10.255.1.0/24 of cells[0].lease (f.yml:4:50)',
  ],
  [
    'a lease outside the overlay',
    edited('10.255.2.0/24', '10.254.2.0/24'),
    'cells[1].lease: got "10.254.2.0/24", expected a lease inside the overlay 10.255.0.0/16',
  ],
  [
    'a lease larger than the overlay',
    edited('10.255.2.0/24', '10.0.0.0/8'),
    'cells[1].lease: got "10.0.0.0/8", expected a lease inside the overlay 10.255.0.0/16',
  ],
  [
    'an underlay address in the overlay',
    edited('10.0.0.102', '10.255.9.9'),
    'cells[1].underlay: got "10.255.9.9", expected an address outside the overlay 10.255.0.0/16',
  ],
  [
    'one GUID on two apps',
    edited(`guid: ${DESTINATION_GUID}`, `guid: ${SOURCE_GUID}`),
    `apps[1]: got an app with the GUID ${SOURCE_GUID}, as has apps[0] (f.yml:7:5)`,
  ],
  [
    'one name on two apps',
    edited('name: dest-app', 'name: source-app'),
    'apps[1]: got an app called "source-app", as in the same space is apps[0] (f.yml:7:5)',
  ],
  [
    'one tag on two apps',
    edited('    routes:', '    tag: "0001"\n    routes:'),
    'apps[1].tag: got the tag 0001, as has apps[0].tag (f.yml:9:10)',
  ],
  [
    'one address on two instances',
    instances('{ cell: cell-b, ip: 10.255.2.7 }', '{ cell: cell-b, ip: 10.255.2.7 }'),
    'apps[1].instances[1].ip: got the overlay address 10.255.2.7, as has apps[1].instances[0].ip (f.yml:14:37)',
  ],
  [
    'one handle on two instances',
    instances('{ cell: cell-b, ip: 10.255.2.7, handle: h }', '{ cell: cell-b, ip: 10.255.2.8, handle: h }'),
    'apps[1].instances[1]: got the handle "h", as has apps[1].instances[0] (f.yml:14:17)',
  ],
  [
    'handles with one chain name',
    instances(
      '{ cell: cell-b, ip: 10.255.2.7, handle: destination-app-0 }',
      '{ cell: cell-b, ip: 10.255.2.8, handle: destination-app-1 }',
    ),
    'apps[1].instances[1]: got the handle "destination-app-1", whose chain "netout--destination-app--log" is also that of apps[1].instances[0] (f.yml:14:17)',
  ],
  [
    'one host port twice on a cell',
    instances(
      '{ cell: cell-b, ip: 10.255.2.7, ports: ["61000:1"] }',
      '{ cell: cell-b, ip: 10.255.2.8, ports: ["61000:2"] }',
    ),
    'apps[1].instances[1]: got host port 61000 of cell "cell-b", as has apps[1].instances[0] (f.yml:14:17)',
  ],
  [
    'an address outside the lease',
    edited('ip: 10.255.2.7', 'ip: 10.255.1.7'),
    'apps[1].instances[0].ip: got the address 10.255.1.7, which is outside the lease 10.255.2.0/24 of cell "cell-b", cells[1].lease (f.yml:5:50)',
  ],
  [
    "the VTEP's address",
    edited('ip: 10.255.2.7', 'ip: 10.255.2.0'),
    'apps[1].instances[0].ip: got the address 10.255.2.0, which is the VTEP\'s own address on cell "cell-b", cells[1].lease (f.yml:5:50)',
  ],
];

for (const [name, text, expected] of CONTRADICTIONS) {
  test(`refused: ${name}`, () => {
    const error = refused(() => read(text));
    assert.is(error.message.replace(/^f\.yml:\d+:\d+: /, ''), expected);
    if (error.code === 'ERR_FOUNDATION_CONFLICT') assert.ok(error.other !== null && error.other.path !== error.path);
  });
}

test('one name in two spaces, one host port on two cells: no contradiction', () => {
  read(
    edited('  - name: dest-app', '  - { name: source-app, guid: x, space: other }\n  - name: dest-app').replace(
      'source: source-app',
      `source: ${SOURCE_GUID}`,
    ),
  );
  read(
    instances(
      '{ cell: cell-a, ip: 10.255.1.7, ports: ["61000:1"] }',
      '{ cell: cell-b, ip: 10.255.2.8, ports: ["61000:2"] }',
    ),
  );
});

test('tags: source first, in the order of the policies, around those that were given', () => {
  const names = ['a', 'b', 'c', 'd', 'idle'];
  const apps = names.map((name) => ({ name, guid: name, ...(name === 'c' ? { tag: '0002' } : {}) }));
  const policies = [
    { source: 'b', destination: 'a' },
    { source: 'b', destination: 'c' },
    { source: 'd', destination: 'd' },
  ];
  const found = read(JSON.stringify({ tagplane: 1, apps, policies }));
  assert.equal(
    found.apps.map(({ tag }) => tag && formatTag(tag)),
    ['0003', '0001', '0002', '0004', null],
  );
});

test('the 65,536th app in policies gets the policy server’s error', () => {
  const apps = Array.from({ length: 65_536 }, (_, index) => ({ name: `a${index}`, guid: `g${index}` }));
  const policies = apps.map(({ guid }) => ({ source: guid, destination: 'g0' }));
  const error = refused(() => read(JSON.stringify({ tagplane: 1, apps, policies })));
  assert.is(error.code, 'ERR_FOUNDATION_TAGS_EXHAUSTED');
  assert.match(error.message, /policies\[65535\]\.source: failed to find available tag: sql: no rows in result set$/);
});

interface Plan {
  readonly cells: number;
  readonly apps: readonly { readonly instances: number }[];
  readonly policies: readonly { readonly source: number; readonly destination: number; readonly port: number }[];
}

const plans = fc.record<Plan>({
  cells: fc.integer({ min: 1, max: 5 }),
  apps: fc.array(fc.record({ instances: fc.nat(4) }), { minLength: 1, maxLength: 8 }),
  policies: fc.array(fc.record({ source: fc.nat(), destination: fc.nat(), port: fc.integer({ min: 1, max: 65535 }) }), {
    maxLength: 20,
  }),
});

/** A foundation without contradictions. */
function foundationOf({ cells, apps, policies }: Plan) {
  const next = new Array<number>(cells).fill(2);
  return {
    tagplane: 1,
    cells: next.map((_, index) => ({
      name: `c${index}`,
      underlay: `10.0.0.${index + 1}`,
      lease: `10.255.${index + 1}.0/24`,
    })),
    apps: apps.map((app, index) => ({
      name: `app-${index}`,
      guid: `guid-${index}`,
      instances: Array.from({ length: app.instances }, (_, instance) => {
        const cell = (index + instance) % cells;
        return { cell: `c${cell}`, ip: `10.255.${cell + 1}.${next[cell]!++}` };
      }),
    })),
    policies: policies.map(({ source, destination, port }) => ({
      source: `app-${source % apps.length}`,
      destination: `guid-${destination % apps.length}`,
      protocol: 'tcp',
      ports: port,
    })),
  };
}

test('any foundation without contradictions is taken; its plans depend on nothing else; its tags are unique', () => {
  check(
    fc.property(plans, (one) => {
      const text = JSON.stringify(foundationOf(one));
      const [first, second] = [read(text), read(text)];
      for (const { name } of first.cells) assert.equal(saveText(plan(first, name)), saveText(plan(second, name)));
      const tags = first.apps.flatMap(({ tag }) => tag ?? []);
      assert.is(new Set(tags).size, tags.length);
      const inPolicies = new Set(first.policies.flatMap(({ source, destination }) => [source, destination]));
      for (const { guid, tag } of first.apps) assert.is(tag !== null, inPolicies.has(guid));
    }),
  );
});

test('a contradiction planted in any foundation is found', () => {
  const plants: readonly ((found: ReturnType<typeof foundationOf>) => void)[] = [
    (found) => found.cells.push({ ...found.cells[0]!, name: 'other' }),
    (found) => found.cells.push({ ...found.cells[0]!, underlay: '10.0.9.9', lease: '10.255.200.0/24' }),
    (found) => found.cells.push({ name: 'other', underlay: '10.0.9.9', lease: '10.255.1.64/26' }),
    (found) => found.apps.push({ ...found.apps[0]!, name: 'other', instances: [] }),
    (found) => found.apps.push({ ...found.apps[0]!, guid: 'other', instances: [] }),
    (found) => found.apps[0]!.instances.push({ cell: 'c0', ip: '10.255.9.9' }),
    (found) => found.apps[0]!.instances.push({ cell: 'c0', ip: '10.255.1.0' }),
    (found) => found.apps[0]!.instances.push({ cell: 'nowhere', ip: '10.255.1.200' }),
    (found) => found.apps[0]!.instances.push({ cell: 'c0', ip: '10.255.1.200' }, { cell: 'c0', ip: '10.255.1.200' }),
    (found) => found.policies.push({ source: 'nobody', destination: 'app-0', protocol: 'tcp', ports: 1 }),
  ];
  check(
    fc.property(plans, fc.constantFrom(...plants), (one, plant) => {
      const found = foundationOf(one);
      plant(found);
      refused(() => read(JSON.stringify(found)));
    }),
  );
});

test('200,000 policies are read and planned in reasonable time', () => {
  const apps = Array.from({ length: 2000 }, (_, index) => ({
    name: `app-${index}`,
    guid: `guid-${index}`,
    instances: index < 200 ? [{ cell: 'c', ip: `10.255.1.${index + 2}` }] : [],
  }));
  const policies = Array.from({ length: 200_000 }, (_, index) => ({
    source: `guid-${index % 2000}`,
    destination: `guid-${Math.floor(index / 100)}`,
    protocol: 'tcp',
    ports: 8080,
  }));
  const cells = [{ name: 'c', underlay: '10.0.0.1', lease: '10.255.1.0/24' }];
  const text = JSON.stringify({ tagplane: 1, cells, apps, policies });
  const start = process.cpuUsage();
  const planned = plan(read(text), 'c');
  const { user, system } = process.cpuUsage(start);
  const chain = planned.tables[1]?.chains.find(({ name }) => name.startsWith('vpa--'));
  assert.is(chain?.rules.length, 200 + 200 * 100);
  assert.ok(user + system < 15e6, `took ${(user + system) / 1e6} s of processor time`);
});

test.run();
