/** A table with windows: the sequences with the kernel's answers, through `track` and `confirm`, while the table grows. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ipv4, udp } from './packets.ts';
import { chunk, init, sctp } from './sctp-packets.ts';
import { createTracking } from './tracking.ts';
import { WINDOW_SEQUENCES } from './window-sequences.ts';

const test = suite('dataplane/track-windows');

/** Connections that make the first table, and the next one, too small. */
const MANY = 7000;

for (const [name, isGrowing] of [
  ['sequences of segments are told as the kernel tells them', false],
  ['windows move with their connections when the table grows', true],
] as const) {
  test(name, () => {
    const tracking = createTracking(1 << 16, true);
    let others = 0;
    const longest = Math.max(...WINDOW_SEQUENCES.map(({ steps }) => steps.length));
    for (let step = 0; step < longest; step++) {
      for (const { steps } of WINDOW_SEQUENCES) {
        const one = steps[step];
        if (one !== undefined) assert.is(tracking.see(one.packet, 0), one.ctstate, one.what);
      }
      for (const until = others + MANY / 4; isGrowing && others < Math.min(until, MANY); others++) {
        const ends = { source: `10.1.${others >>> 8}.${others & 0xff}`, destination: '10.2.0.1' };
        tracking.see(ipv4(ends, 17, udp(ends, 1000, 2000, []), {}), 0);
      }
    }
    assert.is(tracking.table.capacity > 4096, isGrowing);
  });
}

test('SCTP associations are told by their ports, and bear their tags', () => {
  const tracking = createTracking(1 << 16, true);
  const [client, server] = [0x11111111, 0x22222222];
  for (const port of [1000, 1001]) {
    for (const [packet, state] of [
      [{ way: 'out', tag: 0, chunks: [init(1, client)] }, 'NEW'],
      [{ way: 'back', tag: client, chunks: [init(2, server)] }, 'ESTABLISHED'],
      [{ way: 'out', tag: server, chunks: [chunk(10, [1])] }, 'ESTABLISHED'],
      [{ way: 'out', tag: client, chunks: [chunk(0, [1])] }, 'INVALID'],
    ] as const) {
      assert.is(tracking.see(sctp({ ...packet, port }), 0), state);
    }
  }
});

test.run();
