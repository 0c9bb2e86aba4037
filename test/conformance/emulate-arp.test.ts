/**
 * ARP, and packets that need it, through two real cells and two emulated ones: every tap sees the same frames, octet for
 * octet, at the same times. This is where the delays come from that a sender to nobody waits for its error.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Setup, seenIn, type Travelled, travelAs } from '../dataplane/emulate/emulating.ts';
import { skip } from '../support/shared.ts';
import { SECONDS_AFTER, TIMED } from './arp-cases.ts';
import { MAC_A, MAC_B } from './emulate-frames.ts';
import { foundation, type Observed, observe, prepare, rulesOf } from './emulate-lab.ts';
import { DEFAULT_LAB, labObstacle, withLab } from './lab.ts';

const test = suite('conformance/emulate-arp');
const SECOND = 1e9;
/** Of timers, of the clock that stamps the frames, and of a busy machine. */
const SLACK = 0.4 * SECOND;

interface Seen {
  readonly hex: string;
  readonly time: number;
}

const CELLS: ReadonlyMap<string, string> = new Map([
  ['cell-a/eth0', MAC_A],
  ['cell-b/eth0', MAC_B],
]);

/** The switch hands frames for hosts that it does not know to every cell; those do not belong to anybody. */
function isStray(tap: string, { hex }: Seen): boolean {
  const own = CELLS.get(tap)?.replaceAll(':', '');
  if (own === undefined) return false;
  const [to, from] = [hex.slice(0, 12), hex.slice(12, 24)];
  const isGroup = (Number.parseInt(to.slice(0, 2), 16) & 1) === 1;
  return !isGroup && to !== own && from !== own && !to.startsWith('020000000099');
}

const ordered = (frames: readonly Seen[]): Seen[] =>
  frames.toSorted((a, b) => (a.hex < b.hex ? -1 : Number(a.hex > b.hex)) || a.time - b.time);

const text = (frame: Seen | undefined): string =>
  frame === undefined ? 'nothing' : `${(frame.time / SECOND).toFixed(2)} s ${frame.hex}`;

/** Frames that only one side has, or that come at another time. */
function differences({ taps }: Observed, ours: Travelled): string[] {
  const found: string[] = [];
  for (const [tap, packets] of taps) {
    const theirs = ordered(packets.filter((one) => !isStray(tap, one)));
    const mine = ordered(seenIn(ours, tap));
    let next = 0;
    for (const frame of theirs) {
      const same = mine.findIndex((one, i) => i >= next && one.hex === frame.hex);
      if (same >= 0 && Math.abs(mine[same]!.time - frame.time) < SLACK) mine.splice(same, 1);
      else found.push(`${tap}: only the kernel ${text(frame)}`);
      next = Math.max(same, next);
    }
    found.push(...mine.map((one) => `${tap}: only tagplane ${text(one)}`));
  }
  return found;
}

const problem = labObstacle('nft', ['python3', 'iptables']);
const labTest = (name: string, body: () => Promise<void>): void => {
  if (problem === undefined) test(name, body);
  else skip(test, name, problem.message);
};

labTest('cells answer, ask, learn, forget and give up when the kernel does', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tagplane-arp-'));
  try {
    await withLab(foundation, DEFAULT_LAB, async (lab) => {
      prepare(lab);
      const sendings = TIMED.map(({ at, frame }, i) => ({ frame, wait: (TIMED[i + 1]?.at ?? at) - at }));
      const observed = await observe(lab, sendings, SECONDS_AFTER, directory);
      const inputs = TIMED.map(({ frame: { tap, octets } }, i) => ({ tap, octets, time: observed.sent[i]! }));
      const expected = new Map([...observed.taps].map(([tap, packets]) => [tap, packets.map(({ hex }) => hex)]));
      const setup: Setup = {
        foundation,
        rules: rulesOf(lab, 'nft'),
        dataplane: { strictChecksums: true },
        translated: true,
        until: observed.sent.at(-1)! + SECONDS_AFTER * SECOND,
      };
      const ours = travelAs(setup, inputs, expected);
      assert.ok([...expected.values()].flat().length > 2 * TIMED.length);
      assert.is(differences(observed, ours).join('\n'), '');
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test.run();
