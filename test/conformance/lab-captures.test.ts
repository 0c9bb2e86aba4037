/** The captures of this repository: what they say of the kernel follows from them, and nobody changed them by hand. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Frame, READER, readFrames } from '../../captures/frames.ts';
import { SCENARIOS } from '../../captures/scenarios.ts';
import { deriveTruth, type TapFrames, type TruthLine } from '../../captures/truth.ts';
import { ROOT, skip } from '../support/shared.ts';
import { hostVeth } from './lab-names.ts';

const test = suite('captures');
const CAPTURES = join(ROOT, 'captures');

interface Committed {
  readonly taps: readonly TapFrames[];
  readonly lines: readonly TruthLine[];
}

/** A capture as it lies in the repository; names of taps say what they are. */
function committed(scenario: (typeof SCENARIOS)[number]): Committed {
  const directory = join(CAPTURES, scenario.name);
  const [head, ...lines] = readFileSync(join(directory, 'truth.ndjson'), 'utf8').trimEnd().split('\n');
  const { files } = JSON.parse(head!) as { files: Record<string, string> };
  const instances = scenario.foundation.apps.flatMap((app) => app.instances);
  const taps = Object.entries(files).map(([name, file]): TapFrames => {
    const [cell, device, inside] = name.split('/');
    const instance = instances.find(({ address }) => hostVeth(address) === device);
    const kind = instance === undefined ? 'underlay' : inside === undefined ? 'veth' : 'container';
    return {
      name,
      cell: cell!,
      kind,
      address: instance?.address ?? 0,
      frames: readFrames(name, join(directory, file)),
    };
  });
  return { taps, lines: lines.map((line) => JSON.parse(line) as TruthLine) };
}

const arrivedAt =
  (address: number) =>
  ({ inner }: Frame): boolean =>
    inner?.destination === address;

/** What `body` returns, or throws: both differ from the committed truth when something is wrong. */
function orThrown(body: () => unknown): unknown {
  try {
    return body();
  } catch (error) {
    return error;
  }
}

const hasReader = (): boolean => {
  try {
    execFileSync(READER, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

for (const scenario of SCENARIOS) {
  const directory = join(CAPTURES, scenario.name);

  test(`${scenario.name}: README.md has the hash of every file`, () => {
    const readme = readFileSync(join(CAPTURES, 'README.md'), 'utf8');
    const from = readme.indexOf(`<!-- ${scenario.name} -->`);
    const section = readme.slice(from, readme.indexOf(`<!-- /${scenario.name} -->`));
    const files = readdirSync(directory);
    assert.ok(files.length > 10);
    for (const file of files) {
      const hash = createHash('sha256')
        .update(readFileSync(join(directory, file)))
        .digest('hex');
      assert.match(section, new RegExp(`^\\| ${basename(file)} \\| \\d+ \\| .${hash}. \\|$`, 'm'), file);
    }
  });

  const derived = `${scenario.name}: the truth follows from the captures, one line for every frame`;
  if (!hasReader()) skip(test, derived, `${READER} is not installed`);
  else {
    test(derived, () => {
      const { taps, lines } = committed(scenario);
      const frames = taps.filter(({ kind }) => kind !== 'container').flatMap((tap) => tap.frames);
      assert.is(lines.length, frames.length);
      assert.equal(deriveTruth(scenario.foundation, taps), lines);
      for (const truth of ['delivered', 'rejected'])
        assert.ok(
          lines.some((line) => line.truth === truth),
          truth,
        );
    });

    test(`${scenario.name}: each cell's REJECT rules counted as many packets as the truth says`, () => {
      const { taps, lines } = committed(scenario);
      for (const { name } of scenario.foundation.cells) {
        const dump = readFileSync(join(directory, `${name}.iptables-save-c`), 'utf8');
        const counted = [...dump.matchAll(/^\[(\d+):\d+\] -A overlay--.* -j REJECT/gm)].map(([, packets]) =>
          Number(packets),
        );
        assert.ok(counted.length > 0);
        const ours = taps.filter(({ cell }) => cell === name).map((tap) => tap.name);
        // Fragments were put together before they were refused: one answer, one count.
        const answers = lines
          .filter(({ tap, direction, truth }) => ours.includes(tap) && direction === 'to-cell' && truth === 'rejected')
          .map(({ evidence }) => JSON.stringify(evidence));
        assert.is(
          counted.reduce((sum, packets) => sum + packets, 0),
          new Set(answers).size,
          name,
        );
      }
    });

    test(`${scenario.name}: an arrival missing inside a container is noticed`, () => {
      const { taps, lines } = committed(scenario);
      const reached = taps.filter(
        ({ kind, address, frames }) => kind === 'container' && frames.some(arrivedAt(address)),
      );
      assert.ok(reached.length >= 3);
      for (const tap of reached) {
        const first = tap.frames.findIndex(arrivedAt(tap.address));
        const frames = tap.frames.filter((_, index) => index !== first);
        const damaged = taps.map((one) => (one === tap ? { ...tap, frames } : one));
        assert.not.equal(
          orThrown(() => deriveTruth(scenario.foundation, damaged)),
          lines,
          tap.name,
        );
      }
    });
  }
}

test.run();
