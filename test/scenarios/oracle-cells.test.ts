/**
 * Crafted frames into emulated cells, against what Linux 6.18 did with each: which packets came out at the container and
 * how long they were, what the cell answered, with which mark the VTEP delivered, and the kernel's reason for every drop.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HELD } from '../../src/dataplane/burst.ts';
import type { Emulation } from '../../src/dataplane/emulate/emulation.ts';
import { type Passage, tapNamed } from '../../src/dataplane/emulate/journey.ts';
import { createNeighbour } from '../../src/dataplane/emulate/neighbour.ts';
import { DIRECTION } from '../../src/dataplane/emulate/seams.ts';
import type { CellRules } from '../../src/dataplane/setup.ts';
import { REASONS } from '../../src/dataplane/verdict.ts';
import type { Foundation } from '../../src/foundation/model.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { parseIpv6 } from '../../src/wire/address.ts';
import {
  type Captured,
  countingDraws,
  type Input,
  readCapture,
  type Setup,
  type Travelled,
  travel,
} from '../dataplane/emulate/emulating.ts';
import { address, ethernet, ipv4, udp } from '../dataplane/packets.ts';
import { ROOT, shared, sharedTest } from '../support/shared.ts';
import { foundationAt } from './support.ts';

const test = suite('scenarios/oracle-cells');
const FOLDER = 'captures/linux-kernel-6.18-oracle';
const FIXTURES = join(ROOT, 'test', 'fixtures');
/** That lab's own hardware addresses. */
const RECEIVER_MAC = 0x0200_0000_0002;
const SENDER_MAC = 0x0200_0000_0001;
const UNDERLAY_MACS = new Map([
  [address('10.90.0.2'), RECEIVER_MAC],
  [address('10.90.0.1'), SENDER_MAC],
]);
const CONTAINER_TAP = 'receiver/s-010255001005/eth0';
const SECOND = 1e9;

/** One line of the tables: what the kernel did. */
interface Row {
  readonly receiver: string;
  readonly name: string;
  readonly verdict: string;
  /** The kernel's function and its reason to drop a packet; empty when it told of none. */
  readonly reason: string;
  readonly replies: readonly string[];
  /** What it delivered with iptables-legacy, where that differs. */
  readonly legacy?: string;
}

interface Case extends Row {
  readonly frames: readonly Captured[];
}

function readTable(file: string): string[][] {
  const [, ...lines] = readFileSync(shared(FOLDER, file), 'utf8').trimEnd().split('\n');
  return lines.map((line) => line.split('\t'));
}

const listed = (text: string | undefined, separator: string): string[] =>
  text === undefined || text === '' ? [] : text.split(separator);

const vtepRows = (): Row[] =>
  readTable('vtep-verdicts.tsv').map(([receiver, name, , verdict, reason, reply]) => ({
    receiver: receiver!,
    name: name!,
    verdict: verdict!,
    reason: reason ?? '',
    replies: listed(reply, '; '),
  }));

const cellRows = (): Row[] =>
  readTable('cell-verdicts.tsv').map(([name, , delivered, , reply, reason, legacy]) => ({
    receiver: 'cell',
    name: name!,
    verdict: delivered!,
    reason: reason ?? '',
    replies: listed(reply, '; '),
    ...(legacy === undefined || legacy === '' ? {} : { legacy: legacy.replace('legacy: delivered=', '') }),
  }));

/** The rows about `receiver`, with the frames of `file` that they are about. */
async function casesOf(file: string, rows: readonly Row[], receiver: string): Promise<Case[]> {
  const { packets } = await readCapture(shared(FOLDER, file));
  const frames = new Map<string, Captured[]>();
  for (const packet of packets) {
    const [name] = packet.comment.split(' | ');
    frames.set(name!, [...(frames.get(name!) ?? []), packet]);
  }
  const own = rows.filter((row) => row.receiver === receiver);
  assert.equal(
    [...frames.keys()],
    own.map(({ name }) => name),
  );
  return own.map((row) => ({ ...row, frames: frames.get(row.name)! }));
}

/** The kernel's names for what became of packets that did not arrive; what it discards without telling has none. */
const reasonsOf = ({ fates }: Travelled): string[] =>
  fates
    .filter(({ cell, verdict }) => cell === 0 && verdict !== HELD && verdict > 1)
    .flatMap(({ reason }) => REASONS[reason]!.kernel ?? []);

const oracleRules = (backend: CellRules['backend']): CellRules => {
  const file = join(FIXTURES, 'oracle-cell.iptables-save');
  return {
    ruleset: parseRuleset(readFileSync(file, 'utf8'), { file, unknownMatches: 'error' }).ruleset,
    backend,
  };
};

/** In that lab the sender's container is a neighbour on the overlay, which no lease covers. */
function forwarding(backend: CellRules['backend']): Setup {
  const foundation = foundationAt(join(FIXTURES, 'oracle-cell.yaml'));
  const elsewhere: Foundation = {
    ...foundation,
    cells: foundation.cells.map((cell) =>
      cell.name === 'sender' ? { ...cell, lease: { address: address('10.255.3.0'), prefixLength: 24 } } : cell,
    ),
  };
  return {
    foundation: elsewhere,
    rules: new Map([['receiver', oracleRules(backend)]]),
    options: {
      underlayMtu: 9000,
      nat: false,
      mtus: new Map([['receiver/s-010255001005', 1400]]),
      underlayMacs: UNDERLAY_MACS,
    },
    dataplane: { strictChecksums: true },
    amend: ({ hosts }: Emulation) => {
      const { vtep, forwarding: entries } = hosts[0]!;
      const mac = 0xeeee_0000_0000 + address('10.255.2.0');
      vtep.neighbours.set(address('10.255.2.9'), createNeighbour(vtep, address('10.255.2.9'), mac));
      entries.set(mac, address('10.90.0.1'));
    },
  };
}

/** What the application of that lab answers: `reply` from where it listens, to the port that asked. */
function applicationReply(frame: Captured): Uint8Array {
  const inner = frame.octets.slice(64);
  const port = (inner[20]! << 8) | inner[21]!;
  const ends = { source: '10.255.1.5', destination: '10.255.2.9' };
  const packet = ipv4(ends, 17, udp(ends, 9999, port, [...Buffer.from('reply')]));
  return ethernet('aa:aa:0a:ff:01:05', 'ee:ee:0a:ff:01:05', 0x0800, packet);
}

function inputsOf({ name, frames }: Case): Input[] {
  const answers = /^(?:ct:|icmp dest-unreach emb)/.test(name);
  return frames.flatMap((frame, index) => {
    const time = index * SECOND;
    const input = { tap: 'receiver/eth0', octets: frame.octets, time };
    const isDatagram = frame.octets[64 + 9] === 17;
    if (!answers || !isDatagram) return [input];
    return [input, { tap: CONTAINER_TAP, octets: applicationReply(frame), time: time + SECOND / 2 }];
  });
}

/** What the cell itself put on the underlay, in the words of the tables; programs and containers are not asked. */
function repliesOf({ emulation, passages }: Travelled, isOwn: (passage: Passage) => boolean): string[] {
  const device = tapNamed(emulation, 'receiver/eth0');
  return passages
    .filter((one) => one.device === device && one.direction === DIRECTION.OUT && isOwn(one))
    .map(({ octets }) => named(octets));
}

const VXLAN_AT = 42;
const INNER_AT = 50;

/** `vx fl=08 gid=0 ICMP 3/3`, `vx fl=08 gid=0 v6 nh 58 ICMPv6 4/2`, `outer ICMP 3/3`, `vx fl=08 gid=0 ARP-reply`. */
function named(octets: Uint8Array): string {
  const isTunnel = octets[23] === 17 && octets[36] === 0x12 && octets[37] === 0xb5;
  if (!isTunnel) return `outer ICMP ${octets[34]}/${octets[35]}`;
  const flags = octets[VXLAN_AT]!.toString(16).padStart(2, '0');
  const header = `vx fl=${flags} gid=${(octets[VXLAN_AT + 2]! << 8) | octets[VXLAN_AT + 3]!}`;
  const inner = octets.slice(INNER_AT);
  if (inner[12] === 0x86) return `${header} v6 nh ${inner[20]} ICMPv6 ${inner[54]}/${inner[55]}`;
  return inner[13] === 6 ? `${header} ARP-reply` : `${header} ICMP ${inner[34]}/${inner[35]}`;
}

/** The tables' two ways to write the same. */
const asNamed = (reply: string): string =>
  reply.replace(/vx\(([^)]*)\)/, 'vx $1').replace(/ICMP type (\d+) code (\d+)/, 'ICMP $1/$2');

/** What the kernel answered, programs aside. */
const kernelReplies = ({ replies }: Case): string[] => replies.map(asNamed).filter((reply) => /ICMP|ARP/.test(reply));

/** Of a case that was only looked at from outside. */
const ANY_REASON = 'any';

/** Whether the reason of `row` is among ours; when the kernel told of none, we must not either. */
function hasReason({ reason }: Case, travelled: Travelled): boolean {
  const ours = reasonsOf(travelled);
  if (reason === ANY_REASON) return true;
  return reason === '' ? ours.length === 0 : ours.includes(reason.split(':')[1]!);
}

interface Difference {
  readonly name: string;
  readonly ours: string;
  readonly kernel: string;
}

/** How a case differs from the kernel, if it does. */
const difference = ({ name }: Case, ours: string, kernel: string): Difference[] =>
  ours === kernel ? [] : [{ name, ours, kernel }];

/** The lab looked for a moment after the last frame: what would come later was not seen. */
const SEEN_AFTER = SECOND / 10;

const travelBriefly = (setup: Setup, inputs: readonly Input[]): Travelled =>
  travel({ ...setup, until: inputs.at(-1)!.time + SEEN_AFTER }, inputs, countingDraws());

function forwarded(one: Case, backend: CellRules['backend']): Difference[] {
  const travelled = travelBriefly(forwarding(backend), inputsOf(one));
  const tap = tapNamed(travelled.emulation, CONTAINER_TAP);
  const delivered = travelled.passages
    .filter(({ device, direction }) => device === tap && direction === DIRECTION.IN)
    .map(({ octets }) => octets.length - 14);
  const replies = repliesOf(travelled, ({ octets }) => octets[64 + 9] === 1);
  const reason = hasReason(one, travelled) ? one.reason : reasonsOf(travelled).join(' ');
  return difference(
    one,
    `[${delivered.join(', ')}] ${replies.join('; ')} ${reason}`,
    `${one.verdict} ${kernelReplies(one).join('; ')} ${one.reason}`,
  );
}

/** That lab's VTEP has an IPv6 address, unlike those of silk. */
const OVERLAY_IPV6 = new Map([
  [
    'receiver/silk-vtep',
    {
      address: parseIpv6('fd00:255::2')!,
      neighbours: [{ address: parseIpv6('fd00:255::1')!, mac: 0xeeee_0aff_0001 }],
    },
  ],
]);

const vtep = (options: { groupPolicy?: boolean }): Setup => ({
  foundation: foundationAt(join(FIXTURES, 'oracle-vtep.yaml')),
  rules: new Map(),
  options: { underlayMtu: 9000, underlayMacs: UNDERLAY_MACS, ipv6: OVERLAY_IPV6, ...options },
  dataplane: { strictChecksums: true },
  // That lab's programs; port 4789 and the others are the VTEP's and nobody's.
  listens: (_cell, _protocol, _address, port) => port === 9999 || port === 9998,
  // The sender is no cell of silk, but a neighbour.
  amend: ({ hosts }) => {
    const { vtep: device, forwarding: entries } = hosts[0]!;
    const mac = 0xeeee_0aff_0001;
    device.neighbours.set(address('10.255.0.1'), createNeighbour(device, address('10.255.0.1'), mac));
    entries.set(mac, address('10.90.0.1'));
  },
});

/** The first words of the kernel's verdict. */
function verdictOf(travelled: Travelled): string {
  const device = tapNamed(travelled.emulation, 'receiver/silk-vtep');
  const inside = travelled.passages.filter((one) => one.device === device && one.direction === DIRECTION.IN);
  if (inside.length === 0) return 'DROPPED before/at VTEP';
  const taken = travelled.fates.find(({ verdict }) => verdict === 1);
  if (taken === undefined) return 'DECAPSULATED by VTEP, then dropped by inner stack';
  return REASONS[taken.reason]!.code === 'host.overlay' ? `TAKEN mark=0x${taken.mark.toString(16)}` : 'TAKEN';
}

function received(one: Case, options: { groupPolicy?: boolean }): Difference[] {
  const inputs = one.frames.map(({ octets }, i) => ({ tap: 'receiver/eth0', octets, time: i * SECOND }));
  const travelled = travelBriefly(vtep(options), inputs);
  const kernel = one.verdict.replace('DELIVERED to UDP socket', 'TAKEN').replace(/ACCEPTED.*/, 'TAKEN');
  const verdict = kernel === 'TAKEN' ? verdictOf(travelled).replace(/ mark.*/, '') : verdictOf(travelled);
  const replies = repliesOf(travelled, () => true);
  const reason = hasReason(one, travelled) ? one.reason : reasonsOf(travelled).join(' ');
  return difference(
    one,
    `${verdict} ${replies.join('; ')} ${reason}`,
    `${kernel} ${kernelReplies(one).join('; ')} ${one.reason}`,
  );
}

/** One line of the table in docs/deviations.md: which cases differ, and how many. */
interface Deviation {
  readonly receiver: string;
  readonly pattern: RegExp;
  readonly count: number;
}

const PAGE = join(ROOT, 'docs', 'deviations.md');

/** The lines about the tables of the oracle: "| `receiver` | `pattern` | count | ...". */
function deviations(): Deviation[] {
  const lines = readFileSync(PAGE, 'utf8').matchAll(/^\| `([^`]+)` \| `([^`]+)` \| (\d+) \|/gm);
  return [...lines].map(([, receiver, pattern, count]) => ({
    receiver: receiver!,
    pattern: new RegExp(pattern!),
    count: Number(count),
  }));
}

/** Every difference has its line on the page, and every line as many as it says. */
function assertNamed(receiver: string, differences: readonly Difference[]): void {
  const named = deviations().filter((one) => one.receiver === receiver);
  const wrong = differences.filter(({ name }) => named.filter(({ pattern }) => pattern.test(name)).length !== 1);
  assert.equal(wrong, []);
  for (const { pattern, count } of named) {
    const found = differences.filter(({ name }) => pattern.test(name));
    assert.is(found.length, count, `${receiver}, ${pattern}: ${found.map(({ name }) => name).join(', ')}`);
  }
}

sharedTest(test, FOLDER, 'with iptables-legacy it delivers and answers what the kernel did', async () => {
  const cases = await casesOf('cell-forward.pcapng', cellRows(), 'cell');
  const legacy = cases.map((one) => ({ ...one, verdict: one.legacy ?? one.verdict, reason: ANY_REASON }));
  assert.is(legacy.filter(({ verdict }, i) => verdict !== cases[i]!.verdict).length, 2);
  assert.equal(
    legacy.flatMap((one) => forwarded(one, 'legacy')),
    [],
  );
});

sharedTest(test, FOLDER, 'the forwarding cell delivers, answers and drops what the kernel did', async () => {
  const cases = await casesOf('cell-forward.pcapng', cellRows(), 'cell');
  assert.is(cases.length, 58);
  assertNamed(
    'cell',
    cases.flatMap((one) => forwarded(one, 'nft')),
  );
});

const VTEPS = [
  { receiver: 'gbp nolearning (CF silk-vtep)', file: 'vtep-gbp.pcapng', count: 154 },
  { receiver: 'no gbp', file: 'vtep-plain.pcapng', count: 22, groupPolicy: false },
  { receiver: 'gbp, learning on', file: 'vtep-gbplearn.pcapng', count: 2 },
];

for (const { receiver, file, count, ...options } of VTEPS) {
  sharedTest(test, FOLDER, `a VTEP, ${receiver}, takes, marks, answers and drops what the kernel did`, async () => {
    const cases = await casesOf(file, vtepRows(), receiver);
    assert.is(cases.length, count);
    assertNamed(
      receiver,
      cases.flatMap((one) => received(one, options)),
    );
  });
}

sharedTest(test, FOLDER, 'what is in no capture is named, too', () => {
  const compared = new Set(VTEPS.map(({ receiver }) => receiver));
  const left = vtepRows().filter(({ receiver }) => !compared.has(receiver));
  for (const receiver of new Set(left.map((row) => row.receiver)))
    assertNamed(
      receiver,
      left.filter((row) => row.receiver === receiver).map(({ name }) => ({ name, ours: '', kernel: '' })),
    );
  const known = new Set(['cell', ...vtepRows().map(({ receiver }) => receiver)]);
  assert.equal(
    deviations().filter(({ receiver }) => !known.has(receiver)),
    [],
  );
});

test.run();
