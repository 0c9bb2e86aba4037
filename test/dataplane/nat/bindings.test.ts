/** The table of bindings against a plain list, in random order, through growth and removal. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as bindings from '../../../src/dataplane/nat/bindings.ts';
import { type Connection, createConnection, STATUS, type Tuple } from '../../../src/dataplane/nat/tuples.ts';
import { check } from '../../support/property.ts';

const test = suite('dataplane/nat/bindings');
const MASQUERADED = STATUS.SOURCE_NAT | STATUS.SOURCE_DONE | STATUS.DESTINATION_DONE;
const FORWARDED = STATUS.DESTINATION_NAT | STATUS.SOURCE_DONE | STATUS.DESTINATION_DONE;

/** Connection number `n`: its tuples are its own; eight in a row have the same source. */
function connectionOf(n: number, status = MASQUERADED): Connection {
  const connection = createConnection();
  connection.cell = n & 3;
  connection.status = status;
  connection.masqueradeInterface = n & 7;
  const protocol = (n & 4) === 0 ? 6 : 17;
  const source = 0xfffffff0 - (n >>> 5);
  Object.assign(connection.original, {
    protocol,
    source,
    destination: n,
    sourcePort: 65535,
    destinationPort: n & 0xffff,
  });
  Object.assign(connection.reply, {
    protocol,
    source: n,
    destination: 0xc0000000,
    sourcePort: n & 0xffff,
    destinationPort: 80,
  });
  return connection;
}

const found = (table: bindings.Bindings, cell: number, tuple: Tuple): [number, Connection] | null => {
  const place = bindings.find(table, cell, tuple);
  if (place < 0) return null;
  const connection = createConnection();
  bindings.load(table, place >>> 1, connection);
  return [place & 1, connection];
};

test('whatever was added and not removed is found from both sides, and nothing else', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 2000 })), { minLength: 1, maxLength: 1500 });
  check(
    fc.property(steps, (list) => {
      const table = bindings.create();
      const kept = new Map<number, number>();
      for (const [add, n] of list) {
        const index = kept.get(n);
        if (index !== undefined && !add) {
          bindings.remove(table, index);
          kept.delete(n);
        } else if (index === undefined && add) {
          if (bindings.isFull(table)) bindings.grow(table);
          kept.set(n, bindings.add(table, connectionOf(n)));
        }
      }
      assert.is(table.count, kept.size);
      for (const [, n] of list) {
        const expected = connectionOf(n);
        const { cell, original, reply } = expected;
        assert.equal(found(table, cell, original), kept.has(n) ? [0, expected] : null);
        assert.equal(found(table, cell, reply), kept.has(n) ? [1, expected] : null);
        assert.is(found(table, cell + 4, original), null);
      }
    }),
    60,
  );
});

test('a source finds what it is changed to, the newest first, also after growth; DNAT is not asked', () => {
  const table = bindings.create();
  const numbers: number[] = [];
  for (let n = 0; n < 1000; n++) {
    if (bindings.isFull(table)) bindings.grow(table);
    bindings.add(table, connectionOf(n, n % 16 === 0 ? FORWARDED : MASQUERADED));
  }
  const { cell, original } = connectionOf(64);
  let index = bindings.findMapped(table, cell, original, -1);
  for (; index >= 0; index = bindings.findMapped(table, cell, original, index)) {
    const connection = createConnection();
    bindings.load(table, index, connection);
    numbers.push(connection.original.destination);
  }
  // Same cell, protocol and source as 64, which itself is a forwarded one, as is 80.
  assert.equal(numbers, [88, 72]);
});

test('serial numbers are never given out twice in a row, and never 0', () => {
  const table = bindings.create();
  const first = bindings.add(table, connectionOf(1));
  assert.is(bindings.serialOf(table, first), 1);
  bindings.remove(table, first);
  const second = bindings.add(table, connectionOf(1));
  assert.is(second, first);
  assert.is(bindings.serialOf(table, second), 2);
  table.lastSerial = 0xffff_ffff;
  assert.is(bindings.serialOf(table, bindings.add(table, connectionOf(2))), 1);
});

test.run();
