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
import { tapNamed } from '../../src/dataplane/emulate/journey.ts';
import { createNeighbour } from '../../src/dataplane/emulate/neighbour.ts';
import { DIRECTION } from '../../src/dataplane/emulate/seams.ts';
import type { CellRules } from '../../src/dataplane/setup.ts';
import { REASONS } from '../../src/dataplane/verdict.ts';
import type { Foundation } from '../../src/foundation/model.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
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

interface Case {
  readonly name: string;
  readonly frames: readonly Captured[];
  /** The kernel's verdict, in the words of the file. */
  readonly kernel: string;
}

/** The frames of each case, in order. */
async function casesOf(file: string): Promise<Case[]> {
  const { packets } = await readCapture(shared(FOLDER, file));
  const cases = new Map<string, Captured[]>();
  for (const packet of packets) {
    const [name] = packet.comment.split(' | ');
    cases.set(name!, [...(cases.get(name!) ?? []), packet]);
  }
  return [...cases].map(([name, frames]) => ({ name, frames, kernel: frames[0]!.comment.split('VERDICT ')[1]! }));
}

/** The function and the reason that the kernel dropped a packet for, or undefined. */
const kernelReason = (kernel: string): string | undefined => /REASON [\w.]+:(\w+)/.exec(kernel)?.[1];

/** Reasons by the kernel's names of the packets that ended otherwise than at a program or a container. */
const reasonsOf = ({ fates }: Travelled): string[] =>
  fates.filter(({ verdict }) => verdict !== HELD && verdict > 1).map(({ reason }) => REASONS[reason]!.kernel ?? 'none');

const oracleRules = (): CellRules => {
  const file = join(FIXTURES, 'oracle-cell.iptables-save');
  return {
    ruleset: parseRuleset(readFileSync(file, 'utf8'), { file, unknownMatches: 'error' }).ruleset,
    backend: 'nft',
  };
};

/** In that lab the sender's container is a neighbour on the overlay, which no lease covers. */
function forwarding(): Setup {
  const foundation = foundationAt(join(FIXTURES, 'oracle-cell.yaml'));
  const elsewhere: Foundation = {
    ...foundation,
    cells: foundation.cells.map((cell) =>
      cell.name === 'sender' ? { ...cell, lease: { address: address('10.255.3.0'), prefixLength: 24 } } : cell,
    ),
  };
  return {
    foundation: elsewhere,
    rules: new Map([['receiver', oracleRules()]]),
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

/** ICMP messages that the cell itself put on the underlay, as the file writes them. */
function repliesOf({ emulation, passages }: Travelled): string[] {
  const device = tapNamed(emulation, 'receiver/eth0');
  return passages
    .filter((one) => one.device === device && one.direction === DIRECTION.OUT && one.octets[64 + 9] === 1)
    .map(({ octets }) => {
      const flags = octets[42]!.toString(16).padStart(2, '0');
      return `vx fl=${flags} gid=${(octets[44]! << 8) | octets[45]!} ICMP ${octets[84]}/${octets[85]}`;
    });
}

sharedTest(test, FOLDER, 'the forwarding cell delivers, answers and drops what the kernel did', async () => {
  const wrong: string[] = [];
  const cases = await casesOf('cell-forward.pcapng');
  assert.is(cases.length, 58);
  for (const one of cases) {
    const travelled = travel(forwarding(), inputsOf(one), countingDraws());
    const tap = tapNamed(travelled.emulation, CONTAINER_TAP);
    const delivered = travelled.passages
      .filter(({ device, direction }) => device === tap && direction === DIRECTION.IN)
      .map(({ octets }) => octets.length - 14);
    const expected = /delivered=\[([\d, ]*)\]/.exec(one.kernel)?.[1] ?? '';
    if (delivered.join(', ') !== expected)
      wrong.push(`${one.name}: delivered ${delivered.join(', ')}, the kernel ${expected}`);
    const replies = repliesOf(travelled).join('; ');
    const kernelReplies = (/REPLY (.*)$/.exec(one.kernel)?.[1] ?? '')
      .split('; ')
      .filter((text) => text.includes('ICMP'));
    if (replies !== kernelReplies.join('; '))
      wrong.push(`${one.name}: answered ${replies}, the kernel ${kernelReplies.join('; ')}`);
    const reason = kernelReason(one.kernel);
    const isOurs = expected === '' && reason !== undefined && reason !== 'NOT_SPECIFIED';
    if (isOurs && !reasonsOf(travelled).includes(reason))
      wrong.push(`${one.name}: dropped for ${reasonsOf(travelled).join(' ')}, the kernel ${reason}`);
  }
  assert.equal(wrong, []);
});

/** Cases that are not the cell's, and why. */
const VTEP_EXCEPTIONS: readonly (readonly [RegExp, string])[] = [
  [/^in6:|IPv6/, 'IPv6 in the overlay is unsupported, whatever the kernel makes of it'],
  [/^arp:/, 'ARP that comes out of the tunnel ends at the VTEP: the kernel looks into it, and answers'],
  [/no inner frame at all|inner 13 bytes/, 'dropped alike; the kernel calls it NOMEM'],
  [/QinQ/, 'dropped alike; the kernel finds nobody for the second tag, not another host'],
  [/^tcp: (?:SYN\+FIN|SYN\+RST|null flags)/, 'the socket of a program refuses them, not the cell'],
  [/^icmp: dest-unreach with truncated/, 'the cell does nothing with ICMP errors about itself, right or wrong'],
];

const vtep = (): Setup => ({
  foundation: foundationAt(join(FIXTURES, 'oracle-vtep.yaml')),
  rules: new Map(),
  options: { underlayMtu: 9000, underlayMacs: UNDERLAY_MACS },
  dataplane: { strictChecksums: true },
  // That lab's programs; port 4789 and the others are the VTEP's and nobody's.
  listens: (_cell, _protocol, _address, port) => port === 9999 || port === 9998,
});

sharedTest(test, FOLDER, 'the VTEP takes, marks and drops the frames that the kernel did', async () => {
  const wrong: string[] = [];
  const cases = await casesOf('vtep-gbp.pcapng');
  assert.ok(cases.length > 150);
  let compared = 0;
  for (const one of cases) {
    if (VTEP_EXCEPTIONS.some(([pattern]) => pattern.test(one.name))) continue;
    compared += 1;
    const inputs = one.frames.map(({ octets }, i) => ({ tap: 'receiver/eth0', octets, time: i * SECOND }));
    const travelled = travel(vtep(), inputs, countingDraws());
    const device = tapNamed(travelled.emulation, 'receiver/silk-vtep');
    const inside = travelled.passages.filter(
      (passage) => passage.device === device && passage.direction === DIRECTION.IN,
    );
    const isTaken = travelled.fates.some(({ verdict }) => verdict === 1);
    const say = (what: string): number => wrong.push(`${one.name}: ${what}, the kernel ${one.kernel}`);
    const mark = /mark=(0x[0-9a-f]+)/.exec(one.kernel)?.[1];
    if (/DROPPED before/.test(one.kernel) === inside.length > 0) say(`${inside.length} came out of the tunnel`);
    if (/^(?:DELIVERED|ACCEPTED)/.test(one.kernel) !== isTaken)
      say(isTaken ? 'taken' : `dropped ${reasonsOf(travelled).join(' ')}`);
    const fate = travelled.fates.find(({ verdict }) => verdict === 1);
    if (mark !== undefined && fate !== undefined && fate.mark !== Number(mark)) say(`mark ${fate.mark}`);
    const reason = kernelReason(one.kernel);
    if (reason !== undefined && reason !== 'NOT_SPECIFIED' && !reasonsOf(travelled).includes(reason))
      say(`dropped for ${reasonsOf(travelled).join(' ')}`);
  }
  assert.ok(compared > 100, `${compared} cases`);
  assert.equal(wrong, []);
});

test.run();
