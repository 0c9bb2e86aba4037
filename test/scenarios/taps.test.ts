/**
 * Two real cells with a capture at every tap: what a container, or the other cell, sends is put into the emulated cells,
 * and every other tap has to see the kernel's frames, octet for octet.
 *
 * What is put in: whatever a container sent, as the tap at its own end shows it (its TCP answers too); where there is no
 * tap inside a container of cell A, the packets that cell A put on the underlay, as the container must have sent them;
 * and what a client of a host port sent. Numbers that the kernel drew are taken from the
 * expected frames. ARP and IPv6 of the underlay are left out: the lab's cells had to find each other first.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CellRules } from '../../src/dataplane/setup.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import {
  assertTaps,
  type Captured,
  type Input,
  readCapture,
  type Setup,
  travelAs,
} from '../dataplane/emulate/emulating.ts';
import { checksum, ethernet, silkMac } from '../dataplane/packets.ts';
import { ROOT, shared, sharedTest } from '../support/shared.ts';
import { CRAFTED_HEADERS, carried } from './lab-crafted.ts';
import { foundationAt } from './support.ts';

const test = suite('scenarios/taps');
const FOLDER = 'lab/taps';

const CONTAINERS: Readonly<Record<string, string>> = {
  cA1: 'cell-a/s-010255001004/eth0',
  cA2: 'cell-a/s-010255001005/eth0',
  cB1: 'cell-b/s-010255002007/eth0',
};
const CELLS: Readonly<Record<string, string>> = { cellA: 'cell-a', cellB: 'cell-b' };
const MAC_OF_CELL_A = '42010a000065';
/** A host of the underlay that calls a host port. */
const CLIENT_MAC = '42010a000009';
const CLIENT = 0x0a000009;
/** Places in a VXLAN frame and in an IPv4 header. */
const INNER_PACKET = 64;
const TIME_TO_LIVE = 8;
const HEADER_CHECKSUM = 10;

/** `syn.2.cellA.silk-vtep.pcap` is the tap `cell-a/silk-vtep`. */
function tapOf(file: string): string {
  const [, , place, device] = file.split('.');
  return CONTAINERS[place!] ?? `${CELLS[place!]}/${device}`;
}

const dump = (cell: string): CellRules => {
  const file = shared('lab', 'dumps', `${cell}.iptables-save.nft.txt`);
  return {
    ruleset: parseRuleset(readFileSync(file, 'utf8'), { file, unknownMatches: 'error' }).ruleset,
    backend: 'nft',
  };
};

const setup = (options: Setup['options'] = {}): Setup => ({
  foundation: foundationAt(join(ROOT, 'test', 'fixtures', 'lab-taps.yaml')),
  rules: new Map([
    ['cell-a', dump('cellA')],
    ['cell-b', dump('cellB')],
  ]),
  options,
  translated: true,
});

interface Tapped {
  readonly tap: string;
  readonly packets: readonly Captured[];
  /** Nanoseconds from the first packet of all taps to the first of this one. */
  readonly shift: number;
}

async function tapsOf(experiment: string): Promise<Tapped[]> {
  const files = readdirSync(shared(FOLDER)).filter((file) => file.startsWith(`${experiment}.`));
  const read = await Promise.all(
    files.map(async (file) => ({ tap: tapOf(file), ...(await readCapture(shared(FOLDER, file))) })),
  );
  const epochs = read.filter(({ packets }) => packets.length > 0).map(({ epoch }) => epoch);
  const [first] = epochs.sort((a, b) => Number(a - b));
  return read.map(({ tap, packets, epoch }) => ({
    tap,
    packets: packets.filter(({ hex }) => hex.slice(24, 28) === '0800'),
    shift: packets.length === 0 ? 0 : Number(epoch - first!),
  }));
}

const isContainer = (tap: string): boolean => Object.values(CONTAINERS).includes(tap);
/** A container's frames come from `ee:ee` and its address, which its peer's `aa:aa` ends with, too. */
const isSentByContainer = ({ hex }: Captured): boolean => hex.slice(12, 16) === 'eeee';

/** The frame in which a container of cell A sent the packet that VXLAN frame `octets` carries: a hop earlier, its own MACs. */
function sentInside(octets: Uint8Array): Input {
  const packet = octets.slice(INNER_PACKET);
  packet[TIME_TO_LIVE]! += 1;
  packet.set([0, 0], HEADER_CHECKSUM);
  const sum = checksum(packet.slice(0, 20));
  packet.set([sum >>> 8, sum & 0xff], HEADER_CHECKSUM);
  const address = [...packet.slice(12, 16)].join('.');
  const tap = `cell-a/s-${address.replace(/\d+\.?/g, (part) => part.replace('.', '').padStart(3, '0'))}/eth0`;
  return { tap, octets: ethernet(silkMac('aa', address), silkMac('ee', address), 0x0800, packet), time: 0 };
}

/** Splits what was captured into what is put in and what has to come out. */
function split(taps: readonly Tapped[]): { inputs: Input[]; expected: Map<string, string[]> } {
  const hasInsideOfA = taps.some(({ tap }) => isContainer(tap) && tap.startsWith('cell-a'));
  const inputs: Input[] = [];
  for (const { tap, packets, shift } of taps) {
    const fromA = tap === 'cell-a/eth0' && !hasInsideOfA;
    for (const one of packets) {
      const time = one.time + shift;
      if (isContainer(tap) && isSentByContainer(one)) inputs.push({ tap, octets: one.octets, time });
      else if (tap === 'cell-b/eth0' && one.hex.slice(12, 24) === CLIENT_MAC)
        inputs.push({ tap, octets: one.octets, time });
      else if (fromA && one.hex.slice(12, 24) === MAC_OF_CELL_A) inputs.push({ ...sentInside(one.octets), time });
    }
  }
  const expected = new Map(taps.map(({ tap, packets }) => [tap, packets.map(({ hex }) => hex)] as const));
  return { inputs: inputs.sort((a, b) => a.time - b.time), expected };
}

interface Experiment {
  readonly name: string;
  readonly options?: Setup['options'];
  /** Frames that have to come out, at least. */
  readonly atLeast: number;
}

/** With transmit offload the outer UDP checksum is left to the card, and the capture shows it so. */
const OFFLOAD = { partialChecksums: true };
const EXPERIMENTS: readonly Experiment[] = [
  { name: 'syn', options: OFFLOAD, atLeast: 16 },
  { name: 'syn_txoff', atLeast: 16 },
  { name: 'deny', atLeast: 12 },
  { name: 'samecell', atLeast: 2 },
  { name: 'unmarked', atLeast: 6 },
  { name: 'udp', atLeast: 4 },
  { name: 'echo', atLeast: 2 },
  { name: 'ecn1', atLeast: 3 },
  { name: 'ecn2', atLeast: 3 },
  { name: 'ecn3', atLeast: 3 },
  { name: 'ecn186', atLeast: 3 },
  { name: 'ttl1', atLeast: 2 },
  { name: 'ttl2', atLeast: 4 },
  { name: 'tcp', atLeast: 12 },
  { name: 'somark', atLeast: 1 },
  {
    name: 'dnat',
    options: {
      underlayMacs: new Map([
        [0x0a000065, 0x42010a000065],
        [0x0a000066, 0x42010a000066],
        [CLIENT, Number.parseInt(CLIENT_MAC, 16)],
      ]),
    },
    atLeast: 20,
  },
  {
    name: 'frag',
    options: {
      mtus: new Map([
        ['cell-a/eth0', 1460],
        ['cell-b/eth0', 1460],
      ]),
    },
    atLeast: 6,
  },
];

for (const { name, options, atLeast } of EXPERIMENTS) {
  sharedTest(test, FOLDER, `${name}: every tap sees what the kernel's saw`, async () => {
    const { inputs, expected } = split(await tapsOf(name));
    assert.ok(inputs.length > 0);
    assert.ok([...expected.values()].flat().length >= atLeast);
    assertTaps(travelAs(setup(options), inputs, expected), expected);
  });
}

for (const [number, header] of CRAFTED_HEADERS.entries()) {
  sharedTest(test, FOLDER, `craft${number}: VXLAN header ${header}`, async () => {
    const taps = await tapsOf(`craft${number}`);
    const { inputs, expected } = split(taps);
    // The SYN of the first one stands for those that never came out of the tunnel.
    const [first] = await tapsOf('craft0').then((all) => all.find(({ tap }) => tap === 'cell-b/silk-vtep')!.packets);
    const vtep = taps.find(({ tap }) => tap === 'cell-b/silk-vtep')!;
    const inner = vtep.packets[0] ?? first!;
    const time = (vtep.packets[0]?.time ?? 0) + vtep.shift;
    const crafted = { tap: 'cell-b/eth0', octets: carried(header, inner.octets), time };
    assertTaps(travelAs(setup(OFFLOAD), [crafted, ...inputs], expected), expected);
  });
}

test.run();
