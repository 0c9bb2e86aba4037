/** Packets go when they are due, and never before: held against deadlines worked out in whole numbers. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { create, dropRows, type RecordBurst } from '../../src/capture/burst.ts';
import { BY, createPacing, LATE_NANOSECONDS, type Pace, type Pacing, release } from '../../src/replay/pacing.ts';
import { check } from '../support/property.ts';

const test = suite('replay: pacing');

function burstOf(times: readonly number[], lengths: readonly number[]): RecordBurst {
  const burst = create();
  burst.count = times.length;
  for (const [i, time] of times.entries()) {
    burst.time[i] = time;
    burst.originalLength[i] = lengths[i]!;
  }
  return burst;
}

/** When each packet went, with a clock that moves on by `steps` between questions. */
function run(pace: Pace, burst: RecordBurst, steps: readonly number[]): { went: number[]; pacing: Pacing } {
  const pacing = createPacing(pace);
  const went: number[] = [];
  let now = 0;
  for (let turn = 0; burst.count > 0; turn++) {
    const { count } = burst;
    const rows = release(pacing, burst, now);
    for (let i = 0; i < rows; i++) went.push(now);
    dropRows(burst, rows, count);
    // Without steps of its own the clock goes to where the next packet is due, as a perfect timer would.
    now = steps.length === 0 ? pacing.next : now + steps[turn % steps.length]!;
  }
  return { went, pacing };
}

const packets = fc.array(
  fc.record({ gap: fc.integer({ min: 0, max: 1e7 }), length: fc.integer({ min: 1, max: 2000 }) }),
  {
    minLength: 1,
    maxLength: 100,
  },
);
const rates = fc.constantFrom(1, 3, 7, 100, 12_345, 1_000_000);
const ways = fc.constantFrom(BY.TIME, BY.PACKETS, BY.BITS);

/** Deadlines in nanoseconds, rounded up, by whole numbers. */
function deadlines(by: number, rate: number, gaps: readonly number[], lengths: readonly number[]): bigint[] {
  let time = 0n;
  let octets = 0n;
  return gaps.map((gap, index) => {
    if (index > 0) time += BigInt(gap);
    const due = by === BY.TIME ? time : (by === BY.PACKETS ? BigInt(index) : octets * 8n) * 1_000_000_000n;
    octets += BigInt(lengths[index]!);
    return (due + BigInt(rate) - 1n) / BigInt(rate);
  });
}

const timesOf = (gaps: readonly number[]): number[] => {
  let time = 1e12;
  return gaps.map((gap, index) => (time += index === 0 ? 0 : gap));
};

test('with a perfect timer every packet goes when it is due, however many went before', () => {
  check(
    fc.property(packets, ways, rates, (list, by, rate) => {
      const gaps = list.map(({ gap }) => gap);
      const lengths = list.map(({ length }) => length);
      const { went, pacing } = run({ by, rate }, burstOf(timesOf(gaps), lengths), []);
      for (const [index, due] of deadlines(by, rate, gaps, lengths).entries())
        assert.ok(Math.abs(went[index]! - Number(due)) <= 1, `packet ${index}: ${went[index]} for ${due}`);
      assert.is(pacing.late, 0);
      assert.is(pacing.packets, list.length);
      assert.is(
        pacing.octets,
        lengths.reduce((sum, length) => sum + length, 0),
      );
    }),
    200,
  );
});

test('with any timer none goes early, and those that are late are counted', () => {
  const steps = fc.array(fc.integer({ min: 1000, max: 5e6 }), { minLength: 1, maxLength: 5 });
  check(
    fc.property(packets, ways, fc.constantFrom(1000, 12_345, 1_000_000), steps, (list, by, rate, clock) => {
      const gaps = list.map(({ gap }) => gap);
      const lengths = list.map(({ length }) => length);
      const { went, pacing } = run({ by, rate }, burstOf(timesOf(gaps), lengths), clock);
      const behind = deadlines(by, rate, gaps, lengths).map((due, index) => went[index]! - Number(due));
      assert.ok(
        behind.every((late) => late >= -1),
        `${Math.min(...behind)} ns early`,
      );
      assert.ok(Math.abs(pacing.worst - Math.max(...behind)) <= 1);
      const late = behind.filter((one) => one > LATE_NANOSECONDS + 1).length;
      assert.ok(pacing.late >= late && pacing.late <= behind.filter((one) => one > LATE_NANOSECONDS - 1).length);
    }),
    200,
  );
});

test('a packet that is out of time waits for nobody', () => {
  const { went } = run({ by: BY.TIME, rate: 2 }, burstOf([1000, 3000, 2000, 5000], [1, 1, 1, 1]), []);
  assert.equal(went, [0, 1000, 1000, 2000]);
});

test('ten million packets drift by nothing', () => {
  const pacing = createPacing({ by: BY.PACKETS, rate: 3 });
  pacing.packets = 9_999_999;
  const burst = burstOf([0], [100]);
  assert.is(release(pacing, burst, 3_333_333e9 - 1), 0);
  assert.is(pacing.next, 3_333_333e9);
  assert.is(release(pacing, burst, 3_333_333e9), 1);
});

test.run();
