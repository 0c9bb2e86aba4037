/**
 * `tcp-window.ts` against the running kernel: seeded random TCP connections, every segment's state, and after every segment the
 * connection's state, timeout, flags, scales and directions as ctnetlink tells them.
 *
 * TAGPLANE_SEED repeats a run; TAGPLANE_RUNS says how many connections.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { TOLERANCE } from '../dataplane/seen.ts';
import { createWindowMap, secondsOf } from '../dataplane/window-map.ts';
import { converse } from '../dataplane/window-moves.ts';
import { randomFrom } from '../dataplane/window-segments.ts';
import { WINDOW_SEQUENCES } from '../dataplane/window-sequences.ts';
import { skip } from '../support/shared.ts';
import { obstacle } from './lab-shell.ts';
import { firstDifference, seenByKernel } from './seen-by-kernel.ts';

const test = suite('conformance/tcp-window');
const NAMESPACE = `tagplane-tw-${process.pid}`;

const SEED = Number(process.env.TAGPLANE_SEED ?? Date.now() & 0x7fffffff);
const CONNECTIONS = Number(process.env.TAGPLANE_RUNS ?? 300);
const SEGMENTS = 25;
const FIRST_PORT = 10_000;

const missing = obstacle(['ip', 'iptables', 'python3', 'sysctl']);
const SAYS = 'the kernel says of every segment of the sequences what they say';
if (missing === undefined) {
  test(SAYS, () => {
    const steps = WINDOW_SEQUENCES.flatMap((sequence) => sequence.steps);
    const kernels = seenByKernel(
      NAMESPACE,
      steps.map(({ packet }) => packet),
    );
    assert.is(kernels.length, steps.length);
    for (const [index, { what, ctstate, state, wait }] of steps.entries()) {
      const { ctstate: found, known } = kernels[index]!;
      assert.is(`${found} ${known?.state ?? 'forgotten'}`, `${ctstate} ${state}`, what);
      if (known === undefined) continue;
      assert.ok(
        Math.abs(known.remaining - secondsOf(wait)) <= TOLERANCE,
        `${what}: ${known.remaining} s left, not ${wait}`,
      );
    }
  });
} else {
  skip(test, SAYS, missing.message);
}

const NAME = 'random connections are seen as the kernel sees them';
if (missing === undefined) {
  test(NAME, () => {
    const random = randomFrom(SEED);
    const connections = Array.from({ length: CONNECTIONS }, (_, index) =>
      converse(random, FIRST_PORT + index, SEGMENTS),
    );
    const kernels = seenByKernel(
      NAMESPACE,
      connections.flatMap((sent) => sent.map(({ packet }) => packet)),
    );
    const states = new Map<string, number>();
    for (const { ctstate, known } of kernels) {
      for (const key of [ctstate, known?.state ?? 'forgotten']) states.set(key, (states.get(key) ?? 0) + 1);
    }
    const different: string[] = [];
    let at = 0;
    for (const sent of connections) {
      const found = firstDifference(createWindowMap(), sent, kernels.slice(at, at + sent.length));
      at += sent.length;
      if (found !== undefined) different.push(found);
    }
    assert.is(kernels.length, at);
    const rerun = `rerun: TAGPLANE_SEED=${SEED} TAGPLANE_RUNS=${CONNECTIONS} node ${process.argv[1] ?? ''}`;
    assert.is(
      different.length,
      0,
      `${different.length} of ${CONNECTIONS} connections; the first:\n${different[0] ?? ''}\n${rerun}`,
    );
    // Every state comes up, or the comparison says little.
    for (const state of [
      'NEW',
      'ESTABLISHED',
      'INVALID',
      'SYN_SENT',
      'SYN_RECV',
      'FIN_WAIT',
      'CLOSE_WAIT',
      'LAST_ACK',
      'TIME_WAIT',
      'CLOSE',
      'SYN_SENT2',
    ]) {
      assert.ok((states.get(state) ?? 0) > 10, `${state} came up ${states.get(state) ?? 0} times`);
    }
  });
} else {
  skip(test, NAME, missing.message);
}

test.run();
