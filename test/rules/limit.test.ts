/** Token buckets against numbers worked out from the kernel's sources by hand, and the chains the kernel refuses. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ChainError, indexChains } from '../../src/rules/chains.ts';
import { createHashlimit, HASHLIMIT, type HashlimitMatch, takeHashlimit } from '../../src/rules/hashlimit.ts';
import { createLimit, takeLimit } from '../../src/rules/limit.ts';
import type { Chain, Table, Target } from '../../src/rules/model.ts';
import { createPacket } from '../../src/rules/packet.ts';
import { numberRules } from '../../src/rules/table.ts';

const test = suite('rules/limit');
const SECOND = 1_000_000_000;
const HOUR = 3600 * SECOND;

test('xt_limit: 128 credits a jiffy at 250 Hz, so one packet a second costs 32000', () => {
  const limit = createLimit({ count: 1, per: 'sec' }, 5, 'legacy');
  assert.is(limit.cost, 32_000);
  assert.is(limit.capacity, 160_000);
  // user2credits divides first where the product would not fit 32 bits.
  assert.is(createLimit({ count: 1, per: 'day' }, 1, 'legacy').cost, 86_400 * 32_000);
  // 10000 / 3 is 3333 units of 100 microseconds.
  assert.is(createLimit({ count: 3, per: 'sec' }, 1, 'legacy').cost, Math.floor((3333 * 32_000) / 10_000));
});

test('the burst goes through, then one packet per interval, and not a jiffy earlier', () => {
  const limit = createLimit({ count: 1, per: 'sec' }, 2, 'legacy');
  assert.equal(
    [0, 0, 0].map((time) => takeLimit(limit, time)),
    [true, true, false],
  );
  assert.is(takeLimit(limit, SECOND - 1), false);
  assert.is(takeLimit(limit, SECOND), true);
  assert.is(takeLimit(limit, SECOND), false);
  assert.is(takeLimit(limit, SECOND / 2), false, 'time does not run backwards');
});

test('nft_limit counts nanoseconds', () => {
  const limit = createLimit({ count: 100, per: 'sec' }, 1, 'nft');
  assert.is(limit.cost, 10_000_000);
  assert.is(takeLimit(limit, 0), true);
  assert.is(takeLimit(limit, 9_999_999), false);
  assert.is(takeLimit(limit, 10_000_000), true);
  // iptables-nft only knows an interval of 3 units, which it turns into 3333 a second.
  assert.is(createLimit({ count: 3000, per: 'sec' }, 1, 'nft').cost, Math.floor(SECOND / 3333));
});

const hashlimit = (more: Partial<HashlimitMatch>): HashlimitMatch => ({
  kind: 'hashlimit',
  mode: 'upto',
  rate: { count: 1, per: 'hour' },
  burst: 1,
  key: ['dstip', 'dstport'],
  name: 'table',
  ...more,
});

test('hashlimit keeps a bucket per key, whose credits are exact beyond 2^53', () => {
  const table = createHashlimit(hashlimit({ rate: { count: 7, per: 'hour' }, burst: 5 }));
  const packet = createPacket();
  Object.assign(packet, { protocol: 6, transport: 1, destination: 1 });
  const answers = Array.from({ length: 7 }, () => takeHashlimit(table, packet));
  assert.equal(answers, [...new Array<number>(5).fill(HASHLIMIT.BELOW), HASHLIMIT.ABOVE, HASHLIMIT.ABOVE]);
  packet.destinationPort = 1;
  assert.is(takeHashlimit(table, packet), HASHLIMIT.BELOW);
});

test('an entry outlives its expiry until the next collection', () => {
  const rate = { count: 1, per: 'hour' } as const;
  const table = createHashlimit(
    hashlimit({ rate, key: ['dstip'], expireMilliseconds: 100, gcIntervalMilliseconds: 1000 }),
  );
  const packet = createPacket();
  const at = (time: number): number => {
    packet.time = time;
    return takeHashlimit(table, packet);
  };
  assert.is(at(100_000_000), HASHLIMIT.BELOW);
  assert.is(at(950_000_000), HASHLIMIT.ABOVE, 'expired at 200 ms, but nobody has collected');
  assert.is(at(1_000_000_000), HASHLIMIT.ABOVE, 'seen at 950 ms, so it was good until 1050 ms');
  assert.is(at(2_000_000_000), HASHLIMIT.BELOW, 'a new entry');
});

test('a full table drops packets of new keys; a header that cannot be read drops too', () => {
  const table = createHashlimit(hashlimit({ tableSize: 1, tableMax: 2 }));
  const packet = createPacket();
  Object.assign(packet, { protocol: 6, transport: 1 });
  const answers = [1, 2, 3].map((port) => takeHashlimit(table, Object.assign(packet, { destinationPort: port })));
  assert.equal(answers, [HASHLIMIT.BELOW, HASHLIMIT.BELOW, HASHLIMIT.HOTDROP]);
  packet.time = 2 * HOUR;
  assert.is(takeHashlimit(table, packet), HASHLIMIT.BELOW, 'the old ones are gone');
  packet.transport = 0;
  assert.is(takeHashlimit(table, packet), HASHLIMIT.HOTDROP);
});

test('many keys: the table grows and finds them all again', () => {
  const table = createHashlimit(hashlimit({ key: ['srcip'] }));
  const packet = createPacket();
  for (let source = 0; source < 5000; source += 1) {
    packet.source = source * 65_537;
    assert.is(takeHashlimit(table, packet), HASHLIMIT.BELOW);
  }
  for (let source = 0; source < 5000; source += 1) {
    packet.source = source * 65_537;
    assert.is(takeHashlimit(table, packet), HASHLIMIT.ABOVE);
  }
});

const tableOf = (chains: Readonly<Record<string, readonly Target[]>>): Table => ({
  name: 'filter',
  chains: Object.entries(chains).map(([name, targets]): Chain => {
    const rules = targets.map((target, index) => ({ ip: {}, matches: [], target, counters: null, line: index + 1 }));
    return { name, policy: name === 'INPUT' || name === 'FORWARD' ? 'ACCEPT' : null, counters: null, rules };
  }),
});
const jump = (chain: string): Target => ({ kind: 'jump', chain });

test('chains the kernel refuses are refused, with the line', () => {
  for (const [chains, code, line] of [
    [{ FORWARD: [jump('gone')] }, 'ERR_CHAIN_UNKNOWN', 1],
    [{ FORWARD: [jump('INPUT')], INPUT: [] }, 'ERR_CHAIN_BUILT_IN', 1],
    [{ FORWARD: [jump('a')], a: [{ kind: 'ACCEPT' }, jump('b')], b: [jump('a')] }, 'ERR_CHAIN_LOOP', 1],
    [{ a: [jump('a')] }, 'ERR_CHAIN_LOOP', 1],
  ] as const) {
    try {
      indexChains(numberRules(tableOf(chains)));
      assert.unreachable(code);
    } catch (error) {
      assert.instance(error, ChainError);
      assert.is((error as ChainError).code, code);
      assert.is((error as ChainError).line, line);
    }
  }
});

test.run();
