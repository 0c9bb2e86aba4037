/**
 * What `replay --kern-log` and `--save-counters` write, against the kernel: a silk foundation with logging on, crafted
 * packets from its containers, and captures taken meanwhile. The replay of the captures must log what the cells logged, line
 * by line, and count what they counted.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { foundationYaml } from '../../captures/artefacts.ts';
import { SHOP } from '../../captures/foundations.ts';
import type { Foundation } from '../../src/foundation/model.ts';
import { formatIpv4 } from '../../src/wire/address.ts';
import { inDirectory, tagplane } from '../cli/command.ts';
import { BACKEND, FRONTEND, hostFrame, innerFrame, UNDERLAY, VTEP } from '../dataplane/judging.ts';
import { logPackets } from '../dataplane/log-packets.ts';
import { type Ends, FLAG, icmp, ipv4, tcp, udp, vxlan } from '../dataplane/packets.ts';
import { skip } from '../support/shared.ts';
import { linesDuring, logObstacle, withNamespacesLogged } from './kernel-log.ts';
import { DEFAULT_LAB, iptablesIn, type Lab, labObstacle, withLab } from './lab.ts';
import { containerMac, hostVeth, hostVethMac } from './lab-names.ts';
import { sleep } from './lab-shell.ts';
import type { Tap } from './lab-taps.ts';
import { sendFrames } from './log-network.ts';

const test = suite('conformance/log-lab');

const [TCP, UDP, ICMP] = [6, 17, 1];
/** `--limit 1/s` has a token again. */
const LIMIT_MILLISECONDS = 1300;
const DONT_FRAGMENT = 0x4000;
/** A network outside, which security groups allow, and the cells' own, which they do not. */
const PUBLIC = '8.8.8.8';
const PRIVATE = '10.0.0.9';

/** The shop, with logging, and with names that no other lab on this machine has in its log lines. */
function loggingShop(word: string): Foundation {
  const renamed = (name: string): string => word + name.slice(word.length);
  const guids = new Map(SHOP.apps.map(({ guid }) => [guid, renamed(guid)]));
  return {
    ...SHOP,
    apps: SHOP.apps.map((app) => ({
      ...app,
      guid: guids.get(app.guid)!,
      instances: app.instances.map((instance) => ({ ...instance, handle: renamed(instance.handle) })),
    })),
    policies: SHOP.policies.map((policy) => ({
      ...policy,
      source: guids.get(policy.source)!,
      destination: guids.get(policy.destination)!,
    })),
    settings: { ...SHOP.settings, logging: true },
  };
}

const addressOf = ({ apps }: Foundation, name: string): number => {
  const [app, index] = name.split('/');
  return apps.find((one) => one.name === app)!.instances[Number(index)]!.address;
};

/** Packets for `to`, sent by the container `from` one after the other. */
type Send = (from: string, to: string, packets: (ends: Ends) => Uint8Array[]) => void;

function sender(lab: Lab): Send {
  return (from, to, packets) => {
    const source = addressOf(lab.foundation, from);
    const destination = to.includes('/') ? formatIpv4(addressOf(lab.foundation, to)) : to;
    const link = `${hostVethMac(source)}${containerMac(source)}0800`.replaceAll(':', '');
    const frames = packets({ source: formatIpv4(source), destination }).map(
      (packet) => link + Buffer.from(packet).toString('hex'),
    );
    sendFrames(lab.namespaces.containers.get(from)!, 'eth0', frames);
  };
}

const syn =
  (from: number, to: number, fields = {}) =>
  (ends: Ends) => [ipv4(ends, TCP, tcp(ends, from, to, { flags: FLAG.SYN, sequence: from }), fields)];

const datagram = (from: number, to: number, length: number) => (ends: Ends) => [
  ipv4(
    ends,
    UDP,
    udp(
      ends,
      from,
      to,
      Array.from({ length }, (_, i) => i & 0xff),
    ),
    { identification: from },
  ),
];

/** One UDP datagram of 3,008 octets in three fragments, the last one first. */
const fragments =
  (from: number, to: number, forbidden: readonly number[] = [0, 0, 0]) =>
  (ends: Ends) => {
    const whole = udp(
      ends,
      from,
      to,
      Array.from({ length: 3000 }, (_, i) => i & 0xff),
    );
    return [
      ipv4(ends, UDP, whole.slice(2400), { identification: from, fragment: 300 | forbidden[0]! }),
      ipv4(ends, UDP, whole.slice(0, 1200), { identification: from, fragment: 0x2000 | forbidden[1]! }),
      ipv4(ends, UDP, whole.slice(1200, 2400), { identification: from, fragment: 0x2000 | 150 | forbidden[2]! }),
    ];
  };

const echo = (identifier: number) => (ends: Ends) => [
  ipv4(ends, ICMP, icmp(8, 0, identifier << 16, [1, 2, 3, 4, 5, 6, 7, 8])),
];

async function traffic(lab: Lab): Promise<void> {
  const send = sender(lab);
  // Between the cells: allowed, refused, and refused again within the limit and after it.
  send('frontend/0', 'backend/1', syn(40_001, 8080));
  send('frontend/0', 'backend/1', syn(40_002, 61_443, { typeOfService: 0xb8 }));
  send('frontend/0', 'orders/0', datagram(40_003, 5000, 11));
  send('frontend/0', 'orders/0', fragments(40_004, 5001));
  for (const port of [40_005, 40_006, 40_007]) send('frontend/0', 'backend/1', syn(port, 9999));
  send('batch/0', 'orders/0', datagram(40_008, 5000, 0));
  send('backend/1', 'frontend/0', syn(40_009, 9090));
  await sleep(LIMIT_MILLISECONDS);
  send('frontend/0', 'orders/0', fragments(40_010, 7000));
  send('batch/0', 'backend/1', echo(77));
  send('orders/0', 'frontend/0', syn(40_011, 9090));
  // Inside cell-a, and out of it.
  send('frontend/0', 'backend/0', syn(40_012, 8080));
  send('frontend/0', 'backend/0', datagram(40_013, 8080, 40));
  send('backend/0', 'frontend/0', syn(40_014, 9090, { options: [1, 1, 1, 1] }));
  send('frontend/0', PRIVATE, syn(40_015, 443));
  send('batch/0', PUBLIC, datagram(40_016, 53, 30));
  send('backend/0', PUBLIC, echo(5));
}

function tapsOf(lab: Lab, directory: string): { underlay: Tap; veths: Tap[] } {
  const tap = (cell: string, device: string): Tap => ({
    name: `${cell}/${device}`,
    namespace: lab.namespaces.cells.get(cell)!,
    device,
    file: join(directory, `${cell}.${device}.pcap`),
    format: 'pcap',
    filter: '',
  });
  const local = lab.foundation.apps.flatMap(({ instances }) => instances.filter(({ cell }) => cell === 'cell-a'));
  return { underlay: tap('cell-b', 'eth0'), veths: local.map(({ address }) => tap('cell-a', hostVeth(address))) };
}

/** What rules said, without rsyslog's frame. */
const textsOf = (kernLog: string): string[] =>
  kernLog
    .split('\n')
    .slice(0, -1)
    .map((line) => line.replace(/^\S+ \S+ kernel: \[ *\d+\.\d{6}\] /, ''));

/** Lines of packets that came into cell-a from its own containers, and lines of cell-b. */
const isOfCellA = (text: string): boolean => text.includes('IN=s-010255001');
const isOfCellB = (text: string): boolean => /IN=s-010255002|OUT=s-010255002/.test(text);

const withoutPolicies = (save: string): string => {
  const from = save.indexOf('*filter');
  return save.slice(from, save.indexOf('COMMIT', from)).replace(/^(:(?:INPUT|OUTPUT) ACCEPT) .*$/gm, '$1');
};

/** What a replay of `captures` says that the LOG rules of `cell` logged; counters are left in `directory`. */
async function replay(lab: Lab, directory: string, cell: string, captures: readonly Tap[]): Promise<string[]> {
  const foundation = join(directory, 'foundation.yaml');
  writeFileSync(foundation, foundationYaml(lab.foundation));
  const rules = join(directory, `${cell}.iptables-save`);
  writeFileSync(rules, iptablesIn(lab, cell, 'iptables-save', []));
  const [kernLog, counters] = [join(directory, `${cell}.kern.log`), join(directory, 'counters')];
  const { code, stderr } = await tagplane([
    ...['replay', ...captures.map(({ file }) => file), '--foundation', foundation, '--cell', cell, '--quiet'],
    ...['--iptables', `${cell}=${rules}`, '--kern-log', kernLog, '--save-counters', counters],
  ]);
  assert.is(code, 0, stderr);
  return textsOf(readFileSync(kernLog, 'utf8'));
}

/** Silk's own rules. */
async function compareSilk(lab: Lab, directory: string): Promise<void> {
  const word = lab.foundation.apps[0]!.guid.slice(0, 8);
  for (const { name } of lab.foundation.cells) iptablesIn(lab, name, 'iptables', ['-Z']);
  lab.onCell('cell-a', 'ip', ['route', 'add', `${PUBLIC}/32`, 'via', '10.0.0.102', 'dev', 'eth0']);
  const { underlay, veths } = tapsOf(lab, directory);
  const logged = await linesDuring(
    (text) => text.includes(word),
    undefined,
    () => lab.capture([underlay, ...veths], () => traffic(lab)),
  );
  const kernel = logged.map(({ text }) => text);
  assert.equal(await replay(lab, directory, 'cell-b', [underlay]), kernel.filter(isOfCellB));
  assert.equal((await replay(lab, directory, 'cell-a', veths)).sort(), kernel.filter(isOfCellA).sort());
  const counters = readFileSync(join(directory, 'counters', 'cell-b.iptables-save-c'), 'utf8');
  assert.is(withoutPolicies(counters), withoutPolicies(iptablesIn(lab, 'cell-b', 'iptables-save', ['-c'])));
  // Every kind of line was there to be compared.
  for (const kind of [/^OK_0001_.* OUT=s-010255002008 .*LEN=3028 /, /^DENY_C2C_.* PROTO=UDP /, /^DENY_C2C_.* TYPE=8 /])
    assert.ok(
      kernel.some((text) => isOfCellB(text) && kind.test(text)),
      String(kind),
    );
  for (const kind of [
    /^OK_0001_.* OUT=s-010255001005 /,
    /^DENY_C2C_/,
    /^DENY_\w{8}.* OUT=eth0 /,
    /^OK_\w{8}.* OUT=eth0 /,
  ])
    assert.ok(
      kernel.some((text) => isOfCellA(text) && kind.test(text)),
      String(kind),
    );
}

const ALL = '--log-tcp-options --log-ip-options --log-tcp-sequence'.split(' ');

/** Have a cell log every packet before anything else, what it takes itself only where it is for its VTEP. */
function logEverything(lab: Lab, cell: string, word: string, vtep: string): void {
  const log = ['-j', 'LOG', '--log-prefix', `${word}${cell} `, ...ALL];
  iptablesIn(lab, cell, 'iptables', ['-I', 'FORWARD', '1', ...log]);
  iptablesIn(lab, cell, 'iptables', ['-I', 'INPUT', '1', '-d', vtep, ...log]);
}

/** Between the cells and back, without fragments: what a cell sends in fragments is known by its first one only. */
async function ordinary(lab: Lab): Promise<void> {
  const send = sender(lab);
  send('frontend/0', 'backend/1', syn(41_001, 8080, { typeOfService: 0x01 }));
  send('frontend/0', 'backend/1', syn(41_002, 9999, { typeOfService: 0x03, timeToLive: 3 }));
  send('backend/1', 'frontend/0', datagram(41_003, 9090, 1200));
  send('batch/0', 'orders/0', echo(9));
  send('frontend/0', VTEP.b, echo(10));
  await sleep(0);
}

/** Frames that nobody's kernel would send: every packet of log-packets, and outer headers that met congestion. */
function crafted(): string[] {
  const inner = { source: FRONTEND, destination: BACKEND };
  const outer = { source: UNDERLAY.a, destination: UNDERLAY.b };
  const frame = (packet: Uint8Array, typeOfService = 0): Uint8Array =>
    hostFrame(
      'b',
      ipv4(outer, UDP, udp(outer, 51_984, 4789, vxlan(innerFrame('b', packet), { groupId: 1 })), { typeOfService }),
    );
  const isFragment = (packet: Uint8Array): boolean => (packet[6]! & 0x3f) !== 0 || packet[7] !== 0;
  const marked = [0, 1, 2, 3].flatMap((from) =>
    [0, 1, 2, 3].map((to) => frame(syn(42_000 + 4 * from + to, 8080, { typeOfService: to })(inner)[0]!, from)),
  );
  return [
    ...logPackets(inner)
      .filter((packet) => !isFragment(packet))
      .map((packet) => frame(packet)),
    ...marked,
    ...[[], [2], [0], [0, 1], [0, 1, 2]].flatMap((forbidding, index) => {
      const forbidden = [0, 1, 2].map((one) => (forbidding.includes(one) ? DONT_FRAGMENT : 0));
      return fragments(43_000 + index, 5000, forbidden)(inner).map((packet) => frame(packet));
    }),
  ].map((octets) => Buffer.from(octets).toString('hex'));
}

async function compareEverything(lab: Lab, directory: string): Promise<void> {
  const word = lab.foundation.apps[0]!.guid.slice(0, 8);
  logEverything(lab, 'cell-a', word, VTEP.a);
  logEverything(lab, 'cell-b', word, VTEP.b);
  const { underlay } = tapsOf(lab, directory);
  const logged = async (body: () => void | Promise<void>): Promise<string[]> => {
    const lines = await linesDuring(
      (text) => text.startsWith(word),
      undefined,
      () => lab.capture([underlay], async () => body()),
    );
    return lines.map(({ text }) => text);
  };
  const usual = await logged(() => ordinary(lab));
  for (const cell of ['cell-a', 'cell-b']) {
    const ofCell = usual.filter((text) => text.startsWith(word + cell));
    assert.ok(ofCell.length > 5);
    const ours = await replay(lab, directory, cell, [underlay]);
    assert.equal(
      ours.filter((text) => text.startsWith(word)),
      ofCell,
      cell,
    );
  }
  const frames = crafted();
  const odd = await logged(() => sendFrames(lab.namespaces.cells.get('cell-a')!, 'eth0', frames));
  // Answers of the container race with the next frame; only what came in is in order.
  const cameIn = (text: string): boolean => text.startsWith(`${word}cell-b IN=silk-vtep`);
  const ours = await replay(lab, directory, 'cell-b', [underlay]);
  assert.ok(odd.filter(cameIn).length > 100);
  assert.equal(ours.filter(cameIn), odd.filter(cameIn));
}

for (const [index, backend] of (['nft', 'legacy'] as const).entries()) {
  const name = `${backend}: a replay logs and counts what the cells did`;
  const problem = labObstacle(backend)?.message ?? logObstacle(['python3']);
  if (problem !== undefined) {
    skip(test, name, problem);
    continue;
  }
  const inLab = (compare: (lab: Lab, directory: string) => Promise<void>) => (): Promise<void> => {
    const foundation = loggingShop((process.pid * 2 + index).toString(16).padStart(8, '0'));
    return withNamespacesLogged(() =>
      withLab(foundation, { ...DEFAULT_LAB, backend }, (lab) => inDirectory((directory) => compare(lab, directory))),
    );
  };
  test(name, inLab(compareSilk));
  test(`${backend}: LOG rules before all others see what they see on the cells`, inLab(compareEverything));
}

test.run();
