/**
 * The same crafted frames through two real cells and two emulated ones; what every tap saw is compared octet for octet,
 * frame by frame that was sent.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Setup, seenIn, type Travelled, travelAs } from '../dataplane/emulate/emulating.ts';
import { createRandom } from '../support/evaluation.ts';
import { skip } from '../support/shared.ts';
import { CASES, NARROW, randomCases, WAITING } from './emulate-cases.ts';
import type { CraftedFrame } from './emulate-frames.ts';
import { foundation, type Observed, observe, prepare, rulesOf } from './emulate-lab.ts';
import { DEFAULT_LAB, type LabOptions, labObstacle, withLab } from './lab.ts';

const test = suite('conformance/emulate');

const BETWEEN_FRAMES = 0.02;
/** Time for three requests a second apart, for three more about the answer to them, and the slack of timers. */
const AFTER_WAITING = 7;
const AFTER_OTHERS = 1;
const secondsAfter = (waiting: number): number => (waiting > 0 ? AFTER_WAITING : AFTER_OTHERS);
const RANDOM_FRAMES = 300;
const BETWEEN_WAITING = 0.2;

/** Number of the case that was sent last before `time`. */
const caseAt = (sent: readonly number[], time: number): number => sent.findLastIndex((one) => one <= time);

const SHOWN_DIGITS = 300;
const abridged = (frames: readonly string[]): string =>
  frames.map((frame) => (frame.length > SHOWN_DIGITS ? `${frame.slice(0, SHOWN_DIGITS)}...` : frame)).join(' ');

/** The differences, by case and tap. The frames that wait are taken together, in any order: a second has jiffies to spare. */
function differences(
  cases: readonly CraftedFrame[],
  waiting: number,
  { sent, taps }: Observed,
  ours: Travelled,
): string[] {
  const found: string[] = [];
  const last = cases.length - Math.max(waiting, 1);
  const inWindow = (frames: readonly { hex: string; time: number }[], index: number): string[] => {
    const shown = frames.filter(({ time }) => Math.min(caseAt(sent, time), last) === index).map(({ hex }) => hex);
    return index === last ? shown.sort() : shown;
  };
  for (const [tap, packets] of taps) {
    const mine = seenIn(ours, tap);
    for (const [index, { what }] of cases.slice(0, last + 1).entries()) {
      const theirs = inWindow(packets, index);
      const own = inWindow(mine, index);
      if (own.join() !== theirs.join())
        found.push(`${what}, at ${tap}:\n  kernel   ${abridged(theirs)}\n  tagplane ${abridged(own)}`);
    }
  }
  return found;
}

/** Send `cases` into a lab and into emulated cells, and hold what all taps saw against each other. */
async function compare(backend: LabOptions['backend'], cases: readonly CraftedFrame[], waiting: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'tagplane-emulate-'));
  try {
    await withLab(foundation, { ...DEFAULT_LAB, backend }, async (lab) => {
      prepare(lab);
      const sendings = cases.map((frame, index) => ({
        frame,
        wait: index >= cases.length - waiting ? BETWEEN_WAITING : BETWEEN_FRAMES,
      }));
      const observed = await observe(lab, sendings, secondsAfter(waiting), directory);
      const inputs = cases.map(({ tap, octets }, i) => ({ tap, octets, time: observed.sent[i]! }));
      const expected = new Map([...observed.taps].map(([tap, packets]) => [tap, packets.map(({ hex }) => hex)]));
      const setup: Setup = {
        foundation,
        rules: rulesOf(lab, backend),
        options: { mtus: new Map([[NARROW.tap, NARROW.mtu]]) },
        dataplane: { strictChecksums: true },
        translated: true,
        until: observed.sent.at(-1)! + secondsAfter(waiting) * 1e9,
      };
      const ours = travelAs(setup, inputs, expected);
      assert.ok([...expected.values()].flat().length > 2 * cases.length);
      assert.is(differences(cases, waiting, observed, ours).join('\n'), '');
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

for (const backend of ['nft', 'legacy'] as const) {
  const problem = labObstacle(backend, ['python3', 'iptables']);
  const labTest = (name: string, body: () => Promise<void>): void => {
    if (problem === undefined) test(name, body);
    else skip(test, name, problem.message);
  };
  labTest(`${backend}: every tap of two cells sees what the kernel’s taps see`, () => compare(backend, CASES, WAITING));
  const seed = Number(process.env.TAGPLANE_SEED ?? '20261123');
  labTest(`${backend}: so it does for frames changed at random, TAGPLANE_SEED=${seed}`, () =>
    compare(backend, randomCases(createRandom(seed), RANDOM_FRAMES), 0),
  );
}

test.run();
