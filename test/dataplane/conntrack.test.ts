/**
 * Connection tracking: the sequences that the kernel was asked about too, and thousands of connections against a Map that
 * knows nothing of hashing, expiry or growth.
 */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { enterZone } from '../../src/dataplane/connection-table.ts';
import * as conntrack from '../../src/dataplane/conntrack.ts';
import { reserve } from '../../src/memory/arena.ts';
import { CTSTATE } from '../../src/rules/model.ts';
import { createPacket, type RulePacket } from '../../src/rules/packet.ts';
import { check } from '../support/property.ts';
import { SEQUENCES } from './sequences.ts';
import { createTracking } from './tracking.ts';

const test = suite('dataplane/conntrack');
const SECOND = 1e9;

for (const { name, steps } of SEQUENCES) {
  test(name, () => {
    const tracking = createTracking();
    let now = 0;
    for (const [index, { what, packet, state, after = 0 }] of steps.entries()) {
      now += after * SECOND;
      assert.is(tracking.see(packet, now), state, `step ${index + 1}, ${what}`);
    }
  });
}

const UDP = 17;

function udpPacket(source: number, sourcePort: number, destination: number, destinationPort: number): RulePacket {
  return Object.assign(createPacket(), {
    protocol: UDP,
    transport: 1,
    source,
    destination,
    sourcePort,
    destinationPort,
  });
}

/** Track one packet at `now`. */
function trackAt(table: conntrack.Conntrack, cell: number, packet: RulePacket, now: number): void {
  table.now = now;
  conntrack.track(table, cell, packet);
}

/** Track one packet that passes the rules; false when the table was full. */
function pass(table: conntrack.Conntrack, packet: RulePacket, now: number, cell = 0): boolean {
  trackAt(table, cell, packet, now);
  return conntrack.confirm(table);
}

const flow = (index: number): RulePacket => udpPacket(0x0aff0104, 1024 + (index % 60_000), 0x0aff0200 + index, 53);

const reply = (index: number): RulePacket => udpPacket(0x0aff0200 + index, 53, 0x0aff0104, 1024 + (index % 60_000));

test('connections of one zone are unknown in the others, and forgotten when it comes again', () => {
  const CELLS = 0x4000;
  const table = conntrack.create(100);
  const stateOf = (packet: RulePacket): number => {
    trackAt(table, 1, packet, 5);
    return table.ctstate;
  };
  enterZone(table, 0, CELLS);
  pass(table, flow(1), 0, 1);
  assert.is(stateOf(reply(1)), CTSTATE.ESTABLISHED);
  enterZone(table, 1, CELLS);
  assert.is(stateOf(reply(1)), CTSTATE.NEW);
  pass(table, flow(2), 0, 1);
  assert.is(stateOf(reply(2)), CTSTATE.ESTABLISHED);
  // There are two zones of so many cells: the third is the first one again.
  enterZone(table, 2, CELLS);
  assert.is(stateOf(reply(1)), CTSTATE.NEW);
  enterZone(table, 3, CELLS);
  assert.is(stateOf(reply(2)), CTSTATE.NEW);
  assert.is(table.refusals, 0);
});

test('what rules said is forgotten in every zone', () => {
  const table = conntrack.create(100);
  for (const zone of [0, 1]) {
    enterZone(table, zone, 3);
    for (const cell of [0, 2]) {
      pass(table, flow(1), 0, cell);
      table.words[table.slot * conntrack.ENTRY_WORDS + conntrack.SAID] = 7;
    }
  }
  conntrack.forget(table, 2);
  const said = [0, 1, 2, 3].map((slot) => table.words[slot * conntrack.ENTRY_WORDS + conntrack.SAID]);
  assert.equal(said, [7, 0, 7, 0]);
});

test('a connection is not remembered before it is confirmed', () => {
  const table = conntrack.create(100);
  trackAt(table, 0, flow(1), 0);
  assert.is(table.ctstate, CTSTATE.NEW);
  trackAt(table, 0, udpPacket(flow(1).destination, 53, flow(1).source, flow(1).sourcePort), 0);
  assert.is(table.ctstate, CTSTATE.NEW);
  assert.is(table.reply, 0);
  assert.is(table.used, 0);
});

test('cells do not share connections', () => {
  const table = conntrack.create(100);
  pass(table, flow(1), 0, 0);
  trackAt(table, 1, udpPacket(flow(1).destination, 53, flow(1).source, flow(1).sourcePort), 0);
  assert.is(table.ctstate, CTSTATE.NEW);
  trackAt(table, 0, udpPacket(flow(1).destination, 53, flow(1).source, flow(1).sourcePort), 0);
  assert.is(table.ctstate, CTSTATE.ESTABLISHED);
});

test('a packet whose two ends are the same', () => {
  const table = conntrack.create(100);
  const same = udpPacket(1, 53, 1, 53);
  pass(table, same, 0);
  trackAt(table, 0, same, 0);
  assert.is(table.ctstate, CTSTATE.NEW);
  assert.is(table.used, 1);
});

test('the table grows and forgets nobody', () => {
  const table = conntrack.create(1 << 20);
  const count = 40_000;
  for (let index = 0; index < count; index++) assert.ok(pass(table, flow(index), index));
  assert.is(table.used, count);
  for (let index = 0; index < count; index++) {
    const { source, sourcePort, destination } = flow(index);
    trackAt(table, 0, udpPacket(destination, 53, source, sourcePort), count);
    assert.is(table.ctstate, CTSTATE.ESTABLISHED, `connection ${index}`);
    assert.is(table.reply, 1);
  }
});

test('in an arena, entries stay where they are when the table grows, until their place is full', () => {
  const arena = reserve(2 ** 24)!;
  const table = conntrack.create(1 << 20, arena);
  const { place, room } = table;
  assert.ok(room > 1 << 12 && room * 64 <= 2 ** 22, `${room} entries`);
  for (let index = 0; index < room; index++) assert.ok(pass(table, flow(index), index));
  assert.is(table.place, place);
  assert.ok(table.capacity >= room);
  for (let index = room; index < room * 2; index++) assert.ok(pass(table, flow(index), index));
  assert.is.not(table.place, place);
  for (let index = 0; index < room * 2; index++) {
    const { source, sourcePort, destination } = flow(index);
    trackAt(table, 0, udpPacket(destination, 53, source, sourcePort), room * 2);
    assert.is(table.ctstate, CTSTATE.ESTABLISHED, `connection ${index}`);
  }
});

test('growing leaves expired connections behind', () => {
  const table = conntrack.create(1 << 20);
  for (let index = 0; index < 100_000; index++) pass(table, flow(index), index * SECOND);
  assert.is(table.capacity, 1 << 12);
});

test('the connection after the limit is refused, and taken when others have expired', () => {
  for (const limit of [1, 10, 3072, 5000]) {
    const table = conntrack.create(limit);
    for (let index = 0; index < limit; index++) assert.ok(pass(table, flow(index), 0), `${index} of ${limit}`);
    assert.not.ok(pass(table, flow(limit), 0), `one beyond ${limit}`);
    assert.ok(pass(table, flow(0), SECOND), 'a known one is no new one');
    assert.not.ok(pass(table, flow(limit), 29 * SECOND), 'all are still alive');
    assert.ok(pass(table, flow(limit), 31 * SECOND), 'all but one have expired');
  }
});

test('a full table is not searched for every packet', () => {
  const limit = 1 << 17;
  const table = conntrack.create(limit);
  for (let index = 0; index < limit; index++) pass(table, flow(index), 0);
  assert.not.ok(pass(table, flow(limit), 1000));
  // Each search puts off the next one; none of these packets caused one.
  const next = table.searchFrom;
  for (let index = 1; index < 2000; index++) assert.not.ok(pass(table, flow(limit + index), 1000 + index));
  assert.is(table.searchFrom, next);
  assert.ok(next > 1000 && next <= 1000 + SECOND, `${next}`);
});

test('the mark of a connection ends with it', () => {
  const table = conntrack.create(100);
  pass(table, flow(1), 0);
  conntrack.setConnectionMark(table, 7);
  trackAt(table, 0, flow(1), SECOND);
  assert.is(conntrack.connectionMark(table), 7);
  trackAt(table, 0, flow(2), SECOND);
  assert.is(conntrack.connectionMark(table), 0);
  pass(table, flow(1), 100 * SECOND);
  assert.is(conntrack.connectionMark(table), 0, 'the connection is a new one');
  trackAt(table, 0, flow(1), 101 * SECOND);
  assert.is(conntrack.connectionMark(table), 0);
});

/** What a connection is, told as simply as possible: UDP only, one Map, no table. */
interface Known {
  caller: string;
  answered: boolean;
  expires: number;
  streamFrom: number;
}

function createModel(): (from: string, to: string, now: number) => number {
  const known = new Map<string, Known>();
  return (from, to, now) => {
    const key = [from, to].sort().join(' ');
    const connection = known.get(key);
    if (connection === undefined || connection.expires <= now) {
      known.set(key, { caller: from, answered: false, expires: now + 30_000, streamFrom: now + 2000 });
      return CTSTATE.NEW;
    }
    const stream = connection.answered && now > connection.streamFrom;
    connection.expires = now + (stream ? 120_000 : 30_000);
    if (connection.caller !== from) connection.answered = true;
    return connection.answered ? CTSTATE.ESTABLISHED : CTSTATE.NEW;
  };
}

test('thousands of exchanges against a Map', () => {
  const step = fc.record({
    pair: fc.nat(4000),
    back: fc.boolean(),
    wait: fc.oneof({ arbitrary: fc.constant(0), weight: 6 }, { arbitrary: fc.nat(40_000), weight: 1 }),
  });
  check(
    fc.property(fc.array(step, { minLength: 500, maxLength: 8000, size: 'max' }), (steps) => {
      const table = conntrack.create(1 << 20);
      const model = createModel();
      let now = 0;
      for (const { pair, back, wait } of steps) {
        now += wait / 50;
        const { source, sourcePort, destination } = flow(pair * 37);
        const client = `${source}:${sourcePort}`;
        const server = `${destination}:53`;
        const packet = back ? udpPacket(destination, 53, source, sourcePort) : flow(pair * 37);
        const milliseconds = Math.trunc(now);
        trackAt(table, 0, packet, milliseconds * 1e6);
        const expected = back ? model(server, client, milliseconds) : model(client, server, milliseconds);
        if (table.ctstate !== expected) return false;
        conntrack.confirm(table);
      }
      return true;
    }),
    25,
  );
});

test.run();
