/** What rules alone say of a foundation: from dumps of a real kernel, and from small texts with one oddity each. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkFoundation } from '../../src/foundation/check.ts';
import { createDraft } from '../../src/foundation/draft.ts';
import { describeLease, type Inference, inferCells } from '../../src/foundation/infer.ts';
import { addInferred, draftCells } from '../../src/foundation/infer-draft.ts';
import { plan } from '../../src/foundation/plan.ts';
import { readFoundation } from '../../src/foundation/read.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { formatCidr, formatIpv4 } from '../../src/wire/address.ts';
import { shared, sharedTest } from '../support/shared.ts';
import { DESTINATION_GUID, EXAMPLE, SOURCE_GUID } from './example.ts';

const test = suite('foundation/infer');

const parse = (text: string) => parseRuleset(text, { file: 'rules.txt', unknownMatches: 'error' }).ruleset;

const infer = (texts: Readonly<Record<string, string>>): Inference =>
  inferCells(new Map(Object.entries(texts).map(([cell, text]) => [cell, parse(text)])));

/** The inference as people would write it down. */
const summary = ({ cells, tags, policies }: Inference) => ({
  cells: cells.map((cell) => ({
    name: cell.name,
    underlay: cell.underlay === null ? null : formatIpv4(cell.underlay.value),
    lease: cell.lease === null ? null : formatCidr(cell.lease),
    interfaces: cell.interfaces.join(),
    containers: cell.containers.map(
      ({ address, handle, app, ports }) =>
        `${formatIpv4(address)} ${handle} ${app ?? '?'} ${ports.map(({ host, container }) => `${host}:${container}`).join()}`,
    ),
  })),
  tags: [...tags].map(([app, { value }]) => `${value} ${app}`),
  policies: policies.map(
    ({ value: { source, destination, protocol, ports } }) =>
      `${source} ${destination} ${protocol} ${ports.start}-${ports.end}`,
  ),
});

const dump = (name: string): string => readFileSync(shared('lab', 'dumps', name), 'utf8');

for (const [kind, shown] of [
  ['nft', '-0'],
  ['logging', '-0'],
] as const) {
  sharedTest(test, 'lab/dumps', `the two cells of the lab, ${kind}`, () => {
    const inference = infer({ A: dump(`cellA.iptables-save.${kind}.txt`), B: dump(`cellB.iptables-save.${kind}.txt`) });
    assert.equal(summary(inference), {
      cells: [
        {
          name: 'A',
          underlay: '10.0.0.101',
          lease: '10.255.1.0/24',
          interfaces: 'eth0',
          containers: [
            `10.255.1.4 5a1f0c11-1111-4a4a-5b5b${shown} ${SOURCE_GUID} 61000:8080`,
            `10.255.1.5 a2c4d033-3333-4e4e-5f5f${shown} ? 61001:8080`,
          ],
        },
        {
          name: 'B',
          underlay: '10.0.0.102',
          lease: '10.255.2.0/24',
          interfaces: 'eth0',
          containers: [`10.255.2.7 d2b7e022-2222-4c4c-5d5d${shown} ${DESTINATION_GUID} 61000:61001,61001:61002`],
        },
      ],
      tags: [`1 ${SOURCE_GUID}`],
      policies: [
        `${SOURCE_GUID} ${DESTINATION_GUID} tcp 8080-8080`,
        `${SOURCE_GUID} ${DESTINATION_GUID} tcp 61443-61443`,
      ],
    });
    assert.equal(inference.remarks, []);
  });
}

/** A filter table around rules; chains are declared as they are used. */
function filter(rules: readonly string[]): string {
  const chains = new Set(rules.flatMap((rule) => rule.match(/(?:input|netout|overlay|vpa)--\S+/g) ?? []));
  const declared = [...chains].map((chain) => `:${chain} - [0:0]\n`).join('');
  const lines = rules.map((rule) => `-A ${rule}\n`).join('');
  return `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n${declared}${lines}COMMIT\n`;
}

const nat = (rules: readonly string[]): string =>
  `*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:netin--h - [0:0]\n${rules.map((rule) => `-A ${rule}\n`).join('')}COMMIT\n`;

const leaseOf = (text: string): string => describeLease(infer({ c: text }).cells[0]!.lease!);
const containers = (...addresses: string[]): string[] =>
  addresses.map((address, index) => `INPUT -s ${address}/32 -j input--h${index}`);

test('the lease is the /24 of the containers, or as much wider as they need', () => {
  assert.is(
    leaseOf(filter(containers('10.255.9.4', '10.255.9.250'))),
    '10.255.9.0/24 (the block that holds its containers)',
  );
  assert.is(
    leaseOf(filter(containers('10.255.8.4', '10.255.9.250'))),
    '10.255.8.0/23 (the block that holds its containers)',
  );
  // A lease's own address is its VTEP's.
  assert.is(leaseOf(filter(containers('10.255.9.0'))), '10.255.8.0/23 (the block that holds its containers)');
});

test('silk that keeps the lease out of masquerading shows it; the overlay network is none', () => {
  const one = (block: string): string =>
    nat([`POSTROUTING -s 10.255.9.4/32 ! -d ${block} ! -o silk-vtep -j MASQUERADE`]);
  assert.is(leaseOf(one('10.255.8.0/22')), '10.255.8.0/22 (its rules keep it out of masquerading)');
  assert.is(leaseOf(one('10.255.0.0/16')), '10.255.9.0/24 (the block that holds its containers)');
  assert.is(infer({ c: one('10.255.0.0/16') }).overlay, null);
  const elsewhere = infer({ c: nat(['POSTROUTING -s 172.20.9.4/32 ! -d 172.20.0.0/14 ! -o silk-vtep -j MASQUERADE']) });
  assert.is(formatCidr(elsewhere.overlay!.value), '172.20.0.0/14');
});

test('a cell without containers has neither lease nor address', () => {
  const [cell] = infer({ c: filter([]) }).cells;
  assert.is(cell!.lease, null);
  assert.is(cell!.underlay, null);
});

test('a handle is shown as far as its longest chain name, or a log prefix that goes on', () => {
  const handle = '5a1f0c11-1111-4a4a-5b5b-0001';
  const chain = `input--${handle}`.slice(0, 28);
  const seen = (...more: string[]): string =>
    infer({ c: filter([`INPUT -s 10.255.1.4/32 -j ${chain}`, ...more]) }).cells[0]!.containers[0]!.handle;
  assert.is(seen(), handle.slice(0, 21));
  assert.is(seen(`${chain} -j LOG --log-prefix "OK_${handle.slice(0, 25)} "`), handle.slice(0, 25));
  assert.is(seen(`${chain} -j LOG --log-prefix "OK_0001_${DESTINATION_GUID.slice(0, 20)} "`), handle.slice(0, 21));
  const limit = `-p tcp -m hashlimit --hashlimit-above 100/sec --hashlimit-burst 1000 --hashlimit-mode dstip,dstport --hashlimit-name ${handle}`;
  assert.is(seen(`${chain} ${limit} -j REJECT --reject-with icmp-port-unreachable`), handle);
});

const MARK = (ip: string, app: string, tag: string): string =>
  `vpa--1600000000000000 -s ${ip}/32 -m comment --comment "src:${app}" -j MARK --set-xmark ${tag}/0xffffffff`;
const ALLOW = (ip: string, source: string, destination: string, tag: string, ports = '-m tcp --dport 8080'): string =>
  `vpa--1600000000000000 -d ${ip}/32 -p tcp ${ports} -m mark --mark ${tag} -m comment --comment "src:${source}_dst:${destination}" -j ACCEPT`;
const JUMP = 'FORWARD -j vpa--1600000000000000';

test('port ranges, all ports and GUIDs with underscores', () => {
  const { policies } = summary(
    infer({
      c: filter([
        JUMP,
        ALLOW('10.255.1.4', 'a_b', 'c', '0x1', '-m tcp --dport 8080:8090'),
        ALLOW('10.255.1.4', 'a', 'c', '0x2', ''),
      ]),
    }),
  );
  assert.equal(policies, ['a_b c tcp 8080-8090', 'a c tcp 1-65535']);
});

test("rules that are not the agent's say nothing", () => {
  const odd = filter([
    JUMP,
    'vpa--1600000000000000 -s 10.255.1.0/24 -m comment --comment "src:block" -j MARK --set-xmark 0x1/0xffffffff',
    'vpa--1600000000000000 -s 10.255.1.4/32 -m comment --comment "hello" -j MARK --set-xmark 0x1/0xffffffff',
    'vpa--1600000000000000 -s 10.255.1.4/32 -m comment --comment "src:big" -j MARK --set-xmark 0x10000/0xffffffff',
    'vpa--1600000000000000 ! -s 10.255.1.4/32 -m comment --comment "src:not" -j MARK --set-xmark 0x1/0xffffffff',
    'FORWARD -s 10.255.1.4/32 -m comment --comment "src:x_dst:y" -j ACCEPT',
  ]);
  assert.equal(summary(infer({ c: odd })), {
    cells: [{ name: 'c', underlay: null, lease: null, interfaces: '', containers: [] }],
    tags: [],
    policies: [],
  });
  const unused = filter([MARK('10.255.1.4', 'old', '0x1')]);
  assert.equal(summary(infer({ c: unused })).tags, [], 'a chain that FORWARD does not walk is out of use');
});

test("contradictions: the first statement stands, an app's own cell first, and each is told once", () => {
  const inference = infer({
    one: filter([
      JUMP,
      ALLOW('10.255.1.4', 'shop', 'ledger', '0x5'),
      ALLOW('10.255.1.4', 'shop', 'ledger', '0x5', '-m tcp --dport 9'),
      ALLOW('10.255.1.4', 'shop', 'other', '0x5'),
      ALLOW('10.255.1.4', 'late', 'ledger', '0x7'),
    ]),
    two: filter([JUMP, MARK('10.255.2.4', 'shop', '0x7')]),
  });
  assert.equal(
    [...inference.tags].map(([app, { value, cell }]) => [app, value, cell]),
    [['shop', 7, 'two']],
  );
  assert.equal(inference.remarks, [
    'cell "one": rules give 10.255.1.4 to both app ledger and app other; it is taken to be the first\'s',
    'cell "one", line 6: app shop has tag 0005, but 0007 on cell "two", line 6, which is used',
    'cell "one", line 9: app late has tag 0007, which belongs to app shop',
  ]);
});

test('two addresses for host ports, and one host port twice', () => {
  const inference = infer({
    c: nat([
      'netin--h -d 10.0.0.9/32 -p tcp -m tcp --dport 61000 -j DNAT --to-destination 10.255.1.4:8080',
      'netin--h -d 10.0.0.8/32 -p tcp -m tcp --dport 61000 -j DNAT --to-destination 10.255.1.5:8080',
      'netin--h -d 10.0.0.8/32 -p tcp -m tcp --dport 61001 -j DNAT --to-destination 10.255.1.5:8081',
    ]),
  });
  assert.equal(summary(inference).cells[0]!.containers, ['10.255.1.4 h ? 61000:8080', '10.255.1.5 h ? 61001:8081']);
  assert.equal(inference.remarks, [
    'cell "c": host ports are on both 10.0.0.8 and 10.0.0.9; the underlay address is taken to be the first',
  ]);
});

test('what silk would plan for a foundation says that foundation again', () => {
  const foundation = readFoundation(
    EXAMPLE.replaceAll('ip: 10.255', 'ports: ["61000:8080"], ip: 10.255'),
    'example.yml',
  );
  const inference = inferCells(new Map(foundation.cells.map(({ name }) => [name, plan(foundation, name)])));
  const files = new Map(foundation.cells.map(({ name }) => [name, { text: '', file: name }]));
  const draft = createDraft();
  draft.cells.push(...draftCells(inference, files));
  assert.equal(addInferred(draft, inference, files, false), []);
  const again = checkFoundation(draft);
  const bare = ({ cells, policies }: typeof again) => ({ cells, policies });
  assert.equal(bare(again), bare(foundation));
  const tagOf = (guid: string) => again.apps.find((app) => app.guid === guid)?.tag;
  assert.is(tagOf(SOURCE_GUID), 1);
  const placed = ({ apps }: typeof again) =>
    apps.flatMap(({ guid, instances }) => instances.map(({ cell, address, ports }) => [guid, cell, address, ports]));
  assert.equal(placed(again), placed(foundation));
});

test.run();
