/**
 * `sctp-follow.ts` against the running kernel: seeded random SCTP associations, every packet's state, and after every packet the
 * association's state, timeout and verification tags as ctnetlink tells them.
 *
 * TAGPLANE_SEED repeats a run; TAGPLANE_RUNS says how many associations.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createSctpMap } from '../dataplane/sctp-map.ts';
import { associate } from '../dataplane/sctp-packets.ts';
import { randomFrom } from '../dataplane/window-segments.ts';
import { skip } from '../support/shared.ts';
import { obstacle } from './lab-shell.ts';
import { firstDifference, seenByKernel } from './seen-by-kernel.ts';

const test = suite('conformance/sctp');
const SEED = Number(process.env.TAGPLANE_SEED ?? Date.now() & 0x7fffffff);
const ASSOCIATIONS = Number(process.env.TAGPLANE_RUNS ?? 150);
const PACKETS = 25;
const FIRST_PORT = 10_000;

const missing = obstacle(['ip', 'iptables', 'python3', 'sysctl']);
const NAME = 'random associations are seen as the kernel sees them';
if (missing === undefined) {
  test(NAME, () => {
    const random = randomFrom(SEED);
    const associations = Array.from({ length: ASSOCIATIONS }, (_, index) =>
      associate(random, FIRST_PORT + index, PACKETS),
    );
    const kernels = seenByKernel(
      `tagplane-sc-${process.pid}`,
      associations.flatMap((sent) => sent.map(({ packet }) => packet)),
    );
    assert.is(kernels.length, ASSOCIATIONS * PACKETS);
    const different = associations
      .map((sent, index) =>
        firstDifference(createSctpMap(), sent, kernels.slice(index * PACKETS, (index + 1) * PACKETS)),
      )
      .filter((found) => found !== undefined);
    const rerun = `rerun: TAGPLANE_SEED=${SEED} TAGPLANE_RUNS=${ASSOCIATIONS} node ${process.argv[1] ?? ''}`;
    assert.is(
      different.length,
      0,
      `${different.length} of ${ASSOCIATIONS}; the first:\n${different[0] ?? ''}\n${rerun}`,
    );
    const states = new Set(kernels.flatMap(({ ctstate, known }) => [ctstate, known?.state ?? 'forgotten']));
    for (const state of [
      'NEW',
      'ESTABLISHED',
      'INVALID',
      'CLOSED',
      'COOKIE_WAIT',
      'COOKIE_ECHOED',
      'SHUTDOWN_SENT',
      'SHUTDOWN_RECD',
      'SHUTDOWN_ACK_SENT',
      'HEARTBEAT_SENT',
    ]) {
      assert.ok(states.has(state), `${state} did not come up`);
    }
  });
} else {
  skip(test, NAME, missing.message);
}

test.run();
