/** What the rules said of refused packets is kept in the connection table, and never at the cost of connections. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as conntrack from '../../src/dataplane/conntrack.ts';

const test = suite('dataplane: refusals');
const TCP = 6;
const ACK = 0x10;
const SERVER = 0x0aff0207;

/** Look up the packet of client number `client` at `now`, as the straight way does. */
function look(table: conntrack.Conntrack, client: number, now: number): number {
  const source = 0x0b000000 + client;
  const ports = (40_000 << 16) | 8080;
  const slot = conntrack.findPorted(table, 0, TCP, source, SERVER, ports, conntrack.hashOf(source, SERVER, ports));
  table.now = now;
  conntrack.trackFound(table, slot, TCP, ACK);
  return slot;
}

function open(table: conntrack.Conntrack, client: number, now: number): boolean {
  look(table, client, now);
  return conntrack.confirm(table);
}

function refuse(table: conntrack.Conntrack, client: number, now: number): number {
  const slot = look(table, client, now);
  return slot < 0 ? conntrack.refuse(table) : slot;
}

test('a refusal is found again, and is no connection', () => {
  const table = conntrack.create(10);
  const slot = refuse(table, 1, 0);
  assert.is(look(table, 1, 1), slot);
  assert.is(table.pending, true);
  assert.is(table.slot, -1);
});

test('a connection takes the place of a refusal with its key', () => {
  const table = conntrack.create(10);
  const slot = refuse(table, 1, 0);
  assert.is(open(table, 1, 1), true);
  assert.is(table.slot, slot);
  assert.equal([table.used, table.refusals], [1, 0]);
});

test('refusals do not count for the limit of connections, nor make room beyond it', () => {
  const table = conntrack.create(5);
  for (let client = 100; client < 10_000; client++) refuse(table, client, client);
  for (let client = 0; client < 5; client++) assert.is(open(table, client, 20_000 + client), true);
  assert.is(open(table, 5, 30_000), false);
  assert.is(open(table, 100, 2e9), false, 'a key that was refused before');
});

test('the table grows with its refusals up to a size, then those of long ago make way', () => {
  const table = conntrack.create(1e6);
  for (let client = 0; client < 1000; client++) open(table, client, client);
  for (let client = 1000; client < 500_000; client++) assert.ok(refuse(table, client, client) >= 0);
  assert.is(table.capacity, 1 << 18);
  for (let client = 0; client < 1000; client++) {
    assert.ok(look(table, client, 600_000) >= 0);
    assert.is(table.pending, false);
  }
  assert.ok(look(table, 499_999, 600_000) >= 0);
  assert.is(look(table, 1000, 600_000), -1);
});

test('connections crowd refusals out, not the other way round', () => {
  const table = conntrack.create(1e6);
  for (let client = 0; client < 190_000; client++) open(table, client, client);
  for (let client = 200_000; client < 400_000; client++) refuse(table, client, client);
  assert.equal([table.capacity, table.used], [1 << 18, 1 << 18]);
  assert.ok(open(table, 199_999, 500_000));
});

test.run();
