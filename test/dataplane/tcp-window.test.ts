/** `tcp-window.ts` against sequences with the kernel's answers, and what those cannot show. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { flagsAreValid } from '../../src/dataplane/tcp-state.ts';
import { followAny, followWindow, openWindow } from '../../src/dataplane/tcp-window.ts';
import { highestSack, OPTION_SCALE_SHIFT, readOptions } from '../../src/dataplane/tcp-window-options.ts';
import { OUTCOME, OUTCOME_TIMEOUTS } from '../../src/dataplane/tcp-window-outcome.ts';
import { followPlain } from '../../src/dataplane/tcp-window-plain.ts';
import { FLAG_BIT, WINDOW_WORDS } from '../../src/dataplane/tcp-window-words.ts';
import { createWindowMap, secondsOf } from './window-map.ts';
import { converse } from './window-moves.ts';
import { randomFrom } from './window-segments.ts';
import { WINDOW_SEQUENCES } from './window-sequences.ts';

const { SACK_PERM, WINDOW_SCALE } = FLAG_BIT;

const test = suite('dataplane/tcp-window');

for (const { name, steps } of WINDOW_SEQUENCES) {
  test(name, () => {
    const map = createWindowMap();
    for (const { what, packet, ctstate, state, wait } of steps) {
      const { ctstate: found, known } = map.see(packet, 0);
      assert.is(`${found} ${known?.state ?? 'forgotten'}`, `${ctstate} ${state}`, what);
      if (known !== undefined) assert.is(known.remaining, secondsOf(wait), `${what}: waits for ${wait}`);
    }
  });
}

test('timeouts are the defaults of the kernel', () => {
  const seconds = Array.from(OUTCOME_TIMEOUTS, (nanoseconds) => nanoseconds / 1e9);
  assert.equal(seconds, [0, 120, 60, 432_000, 120, 60, 30, 120, 10, 120, 300, 300]);
});

/** A view of a header with these options, and its length. */
function header(...options: readonly number[]): { view: DataView; length: number } {
  const octets = Uint8Array.from([...Array<number>(20).fill(0xff), ...options]);
  return { view: new DataView(octets.buffer), length: octets.length };
}

const optionsOf = (...options: readonly number[]): number => {
  const { view, length } = header(...options);
  return readOptions(view, 0, length);
};

test('options of a SYN: the last scale counts, up to 14', () => {
  assert.is(optionsOf(), 0);
  assert.is(optionsOf(4, 2, 1, 1), SACK_PERM);
  assert.is(optionsOf(1, 3, 3, 7), WINDOW_SCALE | (7 << OPTION_SCALE_SHIFT));
  assert.is(optionsOf(3, 3, 7, 3, 3, 2, 1, 1), WINDOW_SCALE | (2 << OPTION_SCALE_SHIFT));
  assert.is(optionsOf(3, 3, 255, 0), WINDOW_SCALE | (14 << OPTION_SCALE_SHIFT));
});

test('options of a SYN: reading stops at the end of options and at what does not fit', () => {
  assert.is(optionsOf(0, 2, 3, 3, 7, 1, 1, 1), 0);
  assert.is(optionsOf(1, 1, 1, 3), 0, 'no length');
  assert.is(optionsOf(1, 3, 1, 3, 3, 7, 1, 1), 0, 'length 1');
  assert.is(optionsOf(3, 0, 4, 2), 0, 'length 0');
  assert.is(optionsOf(4, 2, 3, 3), SACK_PERM, 'beyond the header');
  assert.is(optionsOf(3, 4, 7, 7, 4, 3, 1, 0), 0, 'lengths of nothing known');
});

test('the highest right edge of a SACK that lies behind the acknowledgment', () => {
  const edges = (...values: readonly number[]): number[] =>
    values.flatMap((value) => [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]);
  const highest = (acknowledgment: number, ...options: readonly number[]): number => {
    const { view, length } = header(...options);
    return highestSack(view, 0, length, acknowledgment);
  };
  assert.is(highest(50, 1, 1, 5, 18, ...edges(200, 300, 60, 100)), 300);
  assert.is(highest(50, 1, 1, 5, 10, ...edges(10, 20)), 50, 'duplicates');
  assert.is(highest(-5, 1, 1, 5, 10, ...edges(1, 3)), 3, 'behind the wrap');
  assert.is(highest(50, 1, 1, 8, 10, ...edges(0, 0)), 50, 'a timestamp');
  assert.is(highest(50, 8, 10, ...edges(0, 0), 5, 10, ...edges(70, 80)), 80, 'behind a timestamp');
  assert.is(highest(50, 5, 11, ...edges(70, 80), 0, 0), 50, 'length of no whole block');
  assert.is(highest(50, 5, 10, ...edges(70)), 50, 'beyond the header');
  assert.is(highest(50, 0, 2, 5, 10, ...edges(70, 80)), 50, 'behind the end');
  assert.is(highest(50, 8, 0, 5, 10, ...edges(70, 80)), 50, 'behind length 0');
});

const CONVERSATIONS = 300;
/** Words around ours, which stay as they are. */
const MARGIN = 3;

test('the straight way and the general one agree in every word and outcome', () => {
  const seed = Number(process.env.TAGPLANE_SEED ?? Date.now() & 0x7fffffff);
  const random = randomFrom(seed);
  let plain = 0;
  for (let number = 0; number < CONVERSATIONS; number++) {
    const straight = new Int32Array(WINDOW_WORDS + 2 * MARGIN).fill(0x77777700);
    const general = straight.slice();
    let living = false;
    for (const { what, packet } of converse(random, 1000, 25)) {
      const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
      const tcp = 20;
      const length = packet.length - tcp;
      if (!flagsAreValid(view.getUint8(tcp + 13))) continue;
      const reply = living && view.getUint16(tcp) === 8080 ? 1 : 0;
      let outcome: number = OUTCOME.REOPENED;
      if (living) {
        outcome = followAny(general, MARGIN, reply, view, tcp, length);
        if (followPlain(straight.slice(), MARGIN, reply, view, tcp, length) !== 0) plain += 1;
        assert.is(followWindow(straight, MARGIN, reply, view, tcp, length), outcome, `seed ${seed}: ${what}`);
      }
      if (outcome === OUTCOME.REOPENED) {
        outcome = openWindow(general, MARGIN, view, tcp, length);
        assert.is(openWindow(straight, MARGIN, view, tcp, length), outcome, `seed ${seed}: ${what}`);
        living = outcome !== OUTCOME.INVALID;
      }
      assert.equal(straight, general, `seed ${seed}: ${what}`);
      if (outcome === OUTCOME.ENDED) living = false;
    }
    assert.equal([...straight.subarray(0, MARGIN)], [...Array<number>(MARGIN).fill(0x77777700)]);
    assert.equal([...straight.subarray(MARGIN + WINDOW_WORDS)], [...Array<number>(MARGIN).fill(0x77777700)]);
  }
  assert.ok(plain > CONVERSATIONS, `${plain} plain segments`);
});

test.run();
