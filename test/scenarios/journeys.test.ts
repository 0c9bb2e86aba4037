/**
 * Two real cells with a capture at every tap, all of them given to the command at once: every frame of every tap is put in,
 * or is what the emulated cells show, octet for octet.
 *
 * The crafted packets of the lab were sent from the underlay, where nothing was captured: the frame that carried them is
 * put beside the captures here. It differs from what the emulated cell would have sent; what became of it has to agree.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { inDirectory, tagplane } from '../cli/command.ts';
import { type Frame, framesOf, writeFrames } from '../cli/rewritten.ts';
import { ROOT, shared, sharedTest } from '../support/shared.ts';
import { CRAFTED_HEADERS, carried } from './lab-crafted.ts';

const test = suite('scenarios/journeys');
const FOLDER = 'lab/taps';

const CONTAINERS: Readonly<Record<string, string>> = {
  cA1: 'cell-a/s-010255001004/eth0',
  cA2: 'cell-a/s-010255001005/eth0',
  cB1: 'cell-b/s-010255002007/eth0',
};
const CELLS: Readonly<Record<string, string>> = { cellA: 'cell-a', cellB: 'cell-b' };
const RULES = [
  ...['--foundation', join(ROOT, 'test', 'fixtures', 'lab-taps.yaml')],
  ...['cellA', 'cellB'].flatMap((cell) => [
    '--iptables',
    `${CELLS[cell]}=${shared('lab', 'dumps', `${cell}.iptables-save.nft.txt`)}`,
  ]),
];

/** `syn.2.cellA.silk-vtep.pcap` is the tap `cell-a/silk-vtep`. */
function tapOf(file: string): string {
  const [, , place, device] = file.split('.');
  return CONTAINERS[place!] ?? `${CELLS[place!]}/${device}`;
}

const filesOf = (experiment: string): string[] =>
  readdirSync(shared(FOLDER)).filter((file) => file.startsWith(`${experiment}.`));

const at = (tap: string, file: string): string[] => ['--at', `${tap}=${file}`];

interface Sum {
  readonly tap: string;
  readonly captured: number;
  readonly entered: number;
  readonly agreed: number;
  readonly different: number;
  readonly missing: number;
  readonly unexpected: number;
  readonly leftOut: number;
}

async function sumsOf(words: readonly string[]): Promise<Sum[]> {
  const { code, stdout, stderr } = await tagplane(['replay', ...words, ...RULES, '--json']);
  assert.is(code, 0, stderr);
  return (JSON.parse(stdout) as { taps: Sum[] }).taps;
}

function assertConfirmed({ tap, captured, entered, agreed, leftOut, ...found }: Sum): void {
  const none = { different: 0, missing: 0, unexpected: 0, recut: 0, own: 0, cut: 0, crowded: 0 };
  assert.equal(found, none, tap);
  assert.is(entered + agreed + leftOut, captured, tap);
}

/** Experiments, how many frames agree, and what the command has to be told. */
const EXPERIMENTS: readonly (readonly [string, number, ...string[]])[] = [
  ['syn', 14],
  ['syn_txoff', 14],
  ['deny', 11],
  ['samecell', 1],
  ['unmarked', 5],
  ['udp', 3],
  ['echo', 1],
  ['ecn1', 3],
  ['ecn2', 3],
  ['ecn3', 3],
  ['ecn186', 3],
  ['ttl1', 1],
  ['ttl2', 3],
  ['tcp', 16],
  ['somark', 2],
  ['dnat', 10],
  ['frag', 5, '--mtu', 'cell-a/eth0=1460', '--mtu', 'cell-b/eth0=1460'],
];

for (const [name, agreeing, ...words] of EXPERIMENTS) {
  sharedTest(test, FOLDER, `${name}: all taps at once agree with the emulated cells`, async () => {
    const captures = filesOf(name).flatMap((file) => at(tapOf(file), shared(FOLDER, file)));
    const sums = await sumsOf([...captures, ...words]);
    for (const sum of sums) assertConfirmed(sum);
    const agreed = sums.reduce((sum, one) => sum + one.agreed, 0);
    assert.is(agreed, agreeing);
  });
}

for (const [number, header] of CRAFTED_HEADERS.entries()) {
  sharedTest(test, FOLDER, `craft${number}: VXLAN header ${header}`, () =>
    inDirectory(async (directory) => {
      const captures = filesOf(`craft${number}`).map((file) => ({ tap: tapOf(file), path: shared(FOLDER, file) }));
      const { path } = captures.find(({ tap }) => tap === 'cell-b/silk-vtep')!;
      // The SYN of the first one stands for those that never came out of the tunnel.
      const [first] = await framesOf(shared(FOLDER, 'craft0.1.cellB.silk-vtep.pcap'));
      const [own] = await framesOf(path);
      const inner = own ?? first!;
      const crafted: Frame = { ...inner, octets: carried(header, inner.octets) };
      const file = join(directory, 'crafted.pcap');
      await writeFrames(file, [crafted]);
      const words = [{ tap: 'cell-b/eth0', path: file }, ...captures].flatMap((one) => at(one.tap, one.path));
      for (const sum of await sumsOf(words)) {
        if (sum.tap !== 'cell-b/eth0') assertConfirmed(sum);
        // The first header is the one that the cell itself sends.
        else assert.equal([sum.different, sum.missing], [number === 0 ? 0 : 1, 0]);
      }
    }),
  );
}

test.run();
