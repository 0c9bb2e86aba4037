/**
 * Rate limits on capture time. The numbers are those of the kernel's source at 250 Hz; test/conformance/answer-limit.test.ts
 * measures them on the running one.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  allowIcmp,
  allowRedirect,
  allowUnroutable,
  createIcmpLimits,
  DEFAULT_ICMP_LIMITS,
  type IcmpLimits,
} from '../../../src/dataplane/answer/icmp-limit.ts';
import { createPeers, peerOf } from '../../../src/dataplane/answer/icmp-peers.ts';
import { HZ } from '../../../src/rules/limit.ts';

const test = suite('dataplane/answer/icmp-limit');
const MILLISECOND = 1_000_000;
const HOST = 0x0aff0104;
/** Some time of day: capture time need not start at 0. */
const START = 1_767_225_600_000 * MILLISECOND;

const unreachable = (limits: IcmpLimits, milliseconds: number, host = HOST, drawn = 1): boolean =>
  allowIcmp(limits, 3, 3, host, START + milliseconds * MILLISECOND, drawn);

const countOf = (times: number, allowed: (index: number) => boolean): number => {
  let count = 0;
  for (let i = 0; i < times; i += 1) if (allowed(i)) count += 1;
  return count;
};

test('a host gets six errors at once, then one a second', () => {
  const limits = createIcmpLimits();
  assert.is(
    countOf(20, () => unreachable(limits, 0)),
    6,
  );
  assert.not.ok(unreachable(limits, 996));
  assert.ok(unreachable(limits, 1000));
  assert.not.ok(unreachable(limits, 1996));
  assert.ok(unreachable(limits, 2000));
  assert.is(
    countOf(20, () => unreachable(limits, 60_000)),
    6,
  );
});

test('time counts in whole jiffies of 4 ms', () => {
  const limits = createIcmpLimits({ ...DEFAULT_ICMP_LIMITS, ratelimitMilliseconds: 5 });
  assert.is(
    countOf(20, () => unreachable(limits, 0)),
    6,
  );
  // 5 ms are two jiffies.
  assert.not.ok(unreachable(limits, 7));
  assert.ok(unreachable(limits, 8));
});

test('no limit per host at 0, no limit at all for types outside the mask and for path MTU', () => {
  const limits = createIcmpLimits({ ...DEFAULT_ICMP_LIMITS, ratelimitMilliseconds: 0 });
  assert.is(
    countOf(40, () => unreachable(limits, 0)),
    40,
  );
  const strict = createIcmpLimits({ ...DEFAULT_ICMP_LIMITS, messagesPerSecond: 0 });
  const allowed = (type: number, code: number): boolean => allowIcmp(strict, type, code, HOST, START, 1);
  assert.equal(
    [3, 4, 11, 12].filter((type) => allowed(type, 0)),
    [],
  );
  assert.equal(
    [0, 5, 8, 13, 19, 42].filter((type) => allowed(type, 0)),
    [0, 5, 8, 13, 19, 42],
  );
  assert.ok(allowed(3, 4));
});

test('the cell sends 50 at once and 20 more every 20 ms, whoever they are for', () => {
  const burst = (limits: IcmpLimits, milliseconds: number, drawn: number): number =>
    countOf(400, (i) => unreachable(limits, milliseconds, HOST + milliseconds * 1000 + i, drawn));
  const limits = createIcmpLimits();
  assert.is(burst(limits, 0, 1), 50);
  assert.is(burst(limits, 16, 1), 0);
  assert.is(burst(limits, 20, 1), 20);
  assert.is(burst(limits, 60, 1), 40);
  assert.is(burst(limits, 5000, 1), 50);
  assert.is(burst(createIcmpLimits(), 0, 2), 25);
  assert.is(burst(createIcmpLimits(), 0, 0), 400);
});

test('an overdrawn bucket is paid off first', () => {
  const limits = createIcmpLimits({ ...DEFAULT_ICMP_LIMITS, messagesPerSecond: 50, messagesBurst: 1 });
  assert.ok(unreachable(limits, 0, HOST, 2));
  assert.is(limits.credit, -1);
  // The refill of one brings it to 0, and lets this message pass all the same.
  assert.ok(unreachable(limits, 20, HOST + 1, 0));
  assert.is(limits.credit, 0);
  assert.not.ok(unreachable(limits, 36, HOST + 2, 0));
  assert.ok(unreachable(limits, 40, HOST + 2, 0));
});

test('a packet without a way pays twice', () => {
  const limits = createIcmpLimits();
  const both = (milliseconds: number): boolean =>
    allowUnroutable(limits, HOST, START + milliseconds * MILLISECOND) && unreachable(limits, milliseconds);
  assert.is(
    countOf(10, () => both(0)),
    2,
  );
  const alone = createIcmpLimits();
  assert.is(
    countOf(10, () => allowUnroutable(alone, HOST, START)),
    5,
  );
  assert.not.ok(allowUnroutable(alone, HOST, START + 996 * MILLISECOND));
  assert.ok(allowUnroutable(alone, HOST, START + 1000 * MILLISECOND));
});

test('redirects: waits that double, nine of them, then 20 s of silence', () => {
  const limits = createIcmpLimits();
  const sent: number[] = [];
  for (let milliseconds = 0; milliseconds < 60_000; milliseconds += 4) {
    if (allowRedirect(limits, HOST, START + milliseconds * MILLISECOND)) sent.push(milliseconds);
  }
  assert.equal(
    sent.map((one, index) => one - (sent[index - 1] ?? 0)),
    [0, 44, 84, 164, 324, 644, 1284, 2564, 5124],
  );
  const last = 60_000 - 4;
  assert.not.ok(allowRedirect(limits, HOST, START + (last + 20_480) * MILLISECOND));
  assert.ok(allowRedirect(limits, HOST, START + (last + 20_480 + 20_484) * MILLISECOND));
});

test('a packet stamped earlier earns nothing and costs what it costs', () => {
  const limits = createIcmpLimits();
  assert.is(
    countOf(5, () => unreachable(limits, 1000)),
    5,
  );
  assert.ok(unreachable(limits, 0));
  assert.not.ok(unreachable(limits, 0));
  assert.not.ok(unreachable(limits, 1996));
  assert.ok(unreachable(limits, 2000));
});

test('peers are found again while others come and go, and idle ones make room', () => {
  const peers = createPeers();
  const touch = (address: number, now: number): number => {
    const slot = peerOf(peers, address, now);
    peers.last[slot] = now;
    return slot;
  };
  peers.tokens[touch(HOST, 0)] = 7;
  for (let i = 1; i <= 20_000; i += 1) touch((HOST + i * 2_654_435_761) >>> 0, 0);
  assert.is(peers.tokens[touch(HOST, 0)], 7);
  assert.is(peers.count, 20_001);
  const later = 61 * HZ;
  for (let i = 0; i < 40_000; i += 1) touch(i, later);
  assert.ok(peers.count < 60_001, String(peers.count));
  for (let i = 0; i < 300_000; i += 1) {
    touch(0x4000_0000 + i, later);
    assert.ok(peers.count <= peers.used.length / 2 && peers.used.length <= 4 * 65_536);
  }
});

test.run();
