/** From rules to tuples: which port and address a new connection gets, step by step as nf_nat_core.c goes. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Neighbours, setUp, setUpNull } from '../../../src/dataplane/nat/binding.ts';
import { rangeOf } from '../../../src/dataplane/nat/range.ts';
import { spread } from '../../../src/dataplane/nat/spread.ts';
import {
  type Connection,
  createConnection,
  invert,
  MANIP,
  STATUS,
  type Tuple,
} from '../../../src/dataplane/nat/tuples.ts';
import type { NatRange } from '../../../src/rules/model.ts';
import { address } from '../packets.ts';

const test = suite('dataplane/nat/binding');

const TCP = 6;
const UDP = 17;
const ICMP = 1;

const CLIENT = address('10.255.1.4');
const SERVER = address('192.0.2.1');
const CELL = address('10.0.0.101');

const connectionOf = (protocol: number, sourcePort: number, destinationPort: number): Connection => {
  const connection = createConnection();
  Object.assign(connection.original, { protocol, source: CLIENT, destination: SERVER, sourcePort, destinationPort });
  invert(connection.original, connection.reply);
  return connection;
};

const rule = (to: Partial<NatRange>) => rangeOf({ random: false, randomFully: false, persistent: false, ...to });
const CELL_ONLY = { addressLow: CELL, addressHigh: CELL };

/** Reply tuples that are in use, and what was asked. */
interface World extends Neighbours {
  readonly asked: Tuple[];
  readonly evicting: Tuple[];
}

function worldOf(
  isUsed: (reply: Readonly<Tuple>) => boolean,
  mappedTo?: { source: number; sourcePort: number },
): World {
  const asked: Tuple[] = [];
  const evicting: Tuple[] = [];
  return {
    asked,
    evicting,
    taken(reply) {
      asked.push({ ...reply });
      return isUsed(reply);
    },
    takenAfterEviction(reply) {
      evicting.push({ ...reply });
      return isUsed(reply);
    },
    mapped(tuple, _range, into) {
      if (mappedTo === undefined) return false;
      Object.assign(into, tuple, mappedTo);
      return true;
    },
  };
}

/** Numbers drawn, in order; a draw too many fails. */
function drawing(...numbers: number[]): { offset: () => number; readonly left: () => number } {
  const rest = [...numbers];
  return {
    offset() {
      const next = rest.shift();
      if (next === undefined) throw new Error('drawn once too often');
      return next;
    },
    left: () => rest.length,
  };
}

const FREE = (): boolean => false;
const USED = (): boolean => true;

test('a free source port is kept, and nothing is drawn', () => {
  const connection = connectionOf(TCP, 40000, 80);
  setUp(connection, MANIP.SOURCE, rule(CELL_ONLY), worldOf(FREE), drawing());
  assert.equal(connection.reply, {
    protocol: TCP,
    source: SERVER,
    destination: CELL,
    sourcePort: 80,
    destinationPort: 40000,
  });
  assert.is(connection.status, STATUS.SOURCE_NAT | STATUS.SOURCE_DONE);
});

for (const [port, low, size] of [
  [40000, 1024, 64512],
  [1024, 1024, 64512],
  [1023, 600, 424],
  [512, 600, 424],
  [511, 1, 511],
  [1, 1, 511],
] as const) {
  test(`a taken source port ${port} gives way to one of ${size} from ${low} on`, () => {
    for (const offset of [0, size - 1, size, 65535]) {
      const connection = connectionOf(UDP, port, 53);
      const world = worldOf(({ destinationPort }) => destinationPort === port);
      const drawn = low + (offset % size);
      setUp(connection, MANIP.SOURCE, rule(CELL_ONLY), world, drawing(offset));
      const expected = drawn === port ? low + ((offset + 1) % size) : drawn;
      assert.is(connection.reply.destinationPort, expected, `${offset}`);
    }
  });
}

test('the search goes on upwards, and round at the end of the range and of 16 bits', () => {
  const searched = (offset: number, portLow: number, portHigh: number, free: number): number[] => {
    const world = worldOf(({ destinationPort }) => destinationPort !== free);
    setUp(
      connectionOf(UDP, 40000, 53),
      MANIP.SOURCE,
      rule({ ...CELL_ONLY, portLow, portHigh }),
      world,
      drawing(offset),
    );
    return world.asked.map(({ destinationPort }) => destinationPort);
  };
  assert.equal(searched(2, 7000, 7003, 7001), [7002, 7003, 7000, 7001]);
  assert.equal(searched(6, 7000, 7003, 7001), [7002, 7003, 7000, 7001]);
  // 65535 % 10 is 5; then the number of 16 bits begins again at 0.
  assert.equal(searched(65535, 7000, 7009, 7001), [7005, 7000, 7001]);
});

test('when all is taken the last one tried stays: 128, 64, 32, 16 and 8 tries from five numbers', () => {
  const connection = connectionOf(UDP, 40000, 53);
  const world = worldOf(USED);
  const draws = drawing(0, 1000, 2000, 3000, 4000);
  setUp(connection, MANIP.SOURCE, rule(CELL_ONLY), world, draws);
  assert.is(draws.left(), 0);
  // The first question is about the port as it is.
  assert.is(world.asked.length, 1 + 128 + 64 + 32 + 16 + 8);
  assert.is(connection.reply.destinationPort, 1024 + 4007);
});

test('a range that was tried whole is not tried again', () => {
  const world = worldOf(USED);
  setUp(
    connectionOf(UDP, 40000, 53),
    MANIP.SOURCE,
    rule({ ...CELL_ONLY, portLow: 6000, portHigh: 6099 }),
    world,
    drawing(0),
  );
  assert.is(world.asked.length, 100);
});

test('the last 32 places of a TCP search may evict', () => {
  const world = worldOf(USED);
  const range = rule({ ...CELL_ONLY, portLow: 6000, portHigh: 6099 });
  setUp(connectionOf(TCP, 40000, 80), MANIP.SOURCE, range, world, drawing(0));
  assert.is(world.asked.length, 68);
  assert.is(world.evicting.length, 32);
  assert.is(world.evicting[0]!.destinationPort, 6068);
});

test('--random draws although the port is free', () => {
  for (const to of [{ random: true }, { randomFully: true }]) {
    const connection = connectionOf(TCP, 40000, 80);
    setUp(connection, MANIP.SOURCE, rule({ ...CELL_ONLY, ...to }), worldOf(FREE), drawing(5));
    assert.is(connection.reply.destinationPort, 1029);
  }
});

test('a source that is mapped already is mapped the same way, unless that is taken', () => {
  const mapped = { source: CELL, sourcePort: 6001 };
  const range = rule({ addressLow: CELL, addressHigh: CELL + 3, portLow: 6000, portHigh: 6003 });
  const free = connectionOf(UDP, 40000, 53);
  setUp(free, MANIP.SOURCE, range, worldOf(FREE, mapped), drawing());
  assert.is(free.reply.destination, CELL);
  assert.is(free.reply.destinationPort, 6001);
  const taken = connectionOf(UDP, 40000, 53);
  const world = worldOf(({ destination, destinationPort }) => destination === CELL && destinationPort === 6001, mapped);
  setUp(taken, MANIP.SOURCE, range, world, drawing(3));
  assert.is(taken.reply.destination, spread(CLIENT, SERVER, CELL, CELL + 3, false));
  assert.is(taken.reply.destinationPort, 6003);
});

test('DNAT to one port asks nobody; without ports it keeps the one it has, taken or not', () => {
  const server = { addressLow: CELL, addressHigh: CELL };
  const one = connectionOf(TCP, 40000, 8080);
  const nobody = worldOf(USED);
  setUp(one, MANIP.DESTINATION, rule({ ...server, portLow: 8080, portHigh: 8080 }), nobody, drawing());
  assert.equal(one.reply, {
    protocol: TCP,
    source: CELL,
    destination: CLIENT,
    sourcePort: 8080,
    destinationPort: 40000,
  });
  assert.is(nobody.asked.length + nobody.evicting.length, 0);
  const kept = connectionOf(TCP, 40000, 8080);
  setUp(kept, MANIP.DESTINATION, rule(server), worldOf(USED), drawing());
  assert.is(kept.reply.sourcePort, 8080);
  assert.is(kept.status, STATUS.DESTINATION_NAT | STATUS.DESTINATION_DONE);
});

test('a range of ports written backwards never holds the port, and is searched from its lower end', () => {
  const connection = connectionOf(UDP, 7001, 53);
  setUp(connection, MANIP.SOURCE, rule({ ...CELL_ONLY, portLow: 7003, portHigh: 7000 }), worldOf(FREE), drawing(2));
  assert.is(connection.reply.destinationPort, 7002);
});

test('ICMP queries have one identifier, found in all 65536', () => {
  const connection = connectionOf(ICMP, 77, 8 << 8);
  const world = worldOf(({ sourcePort }) => sourcePort === 77);
  setUp(connection, MANIP.SOURCE, rule(CELL_ONLY), world, drawing(65535));
  assert.equal(connection.reply, {
    protocol: ICMP,
    source: SERVER,
    destination: CELL,
    sourcePort: 65535,
    destinationPort: 0,
  });
});

test('no rule, no change; but a source that could not be told from another moves', () => {
  const free = connectionOf(TCP, 40000, 80);
  setUpNull(free, MANIP.DESTINATION, worldOf(FREE), drawing());
  setUpNull(free, MANIP.SOURCE, worldOf(FREE), drawing());
  assert.is(free.status, STATUS.SOURCE_DONE | STATUS.DESTINATION_DONE);
  const moved = connectionOf(TCP, 40000, 80);
  setUpNull(
    moved,
    MANIP.SOURCE,
    worldOf(({ destinationPort }) => destinationPort === 40000),
    drawing(7),
  );
  assert.is(moved.reply.destinationPort, 1031);
  assert.is(moved.reply.destination, CLIENT);
  assert.is(moved.status, STATUS.SOURCE_NAT | STATUS.SOURCE_DONE);
});

test('SNAT after DNAT goes by what the connection looks like by then', () => {
  const connection = connectionOf(TCP, 40000, 61000);
  setUp(
    connection,
    MANIP.DESTINATION,
    rule({ addressLow: SERVER + 1, addressHigh: SERVER + 1, portLow: 80, portHigh: 80 }),
    worldOf(FREE),
    drawing(),
  );
  setUp(connection, MANIP.SOURCE, rule(CELL_ONLY), worldOf(FREE), drawing());
  assert.equal(connection.reply, {
    protocol: TCP,
    source: SERVER + 1,
    destination: CELL,
    sourcePort: 80,
    destinationPort: 40000,
  });
});

test('the address of a range is the one that Linux 6.18 gave', () => {
  // DNAT --to-destination 10.255.1.4-10.255.1.5, clients 10.0.0.1 to 10.0.0.6, to 10.0.0.101.
  const given = [4, 5, 5, 4, 4, 4];
  for (const [index, last] of given.entries()) {
    const chosen = spread(address(`10.0.0.${index + 1}`), CELL, CLIENT, CLIENT + 1, false);
    assert.is(chosen, address(`10.255.1.${last}`));
  }
  assert.is(spread(1, 2, 0, 0xffff_ffff, false), 0);
});

test.run();
