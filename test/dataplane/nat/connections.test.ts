/** Connection tracking with NAT: whose packets are whose, and what happens when connections end. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as conntrack from '../../../src/dataplane/conntrack.ts';
import { setUp, setUpNull } from '../../../src/dataplane/nat/binding.ts';
import * as connections from '../../../src/dataplane/nat/connections.ts';
import { rangeOf } from '../../../src/dataplane/nat/range.ts';
import { MANIP, STATUS } from '../../../src/dataplane/nat/tuples.ts';
import { CTSTATE } from '../../../src/rules/model.ts';
import { createPacket, type RulePacket } from '../../../src/rules/packet.ts';
import * as quotes from '../../../src/wire/quote.ts';
import { address, FLAG } from '../packets.ts';

const test = suite('dataplane/nat/connections');

const TCP = 6;
const UDP = 17;
const ICMP = 1;
const SECOND = 1e9;
const CELL = address('10.0.0.101');
const A = '10.255.1.4';
const B = '10.255.1.5';
const SERVER = '192.0.2.1';

const packetOf = (protocol: number, from: string, to: string, ports: [number, number], tcpFlags = 0): RulePacket => ({
  ...createPacket(),
  protocol,
  source: address(from),
  destination: address(to),
  sourcePort: ports[0],
  destinationPort: ports[1],
  tcpFlags,
  transport: 1,
});

const MASQUERADE = rangeOf({
  addressLow: CELL,
  addressHigh: CELL,
  random: false,
  randomFully: false,
  persistent: false,
});
const LOWEST = { offset: () => 0 };

/** One cell whose rules masquerade everything to SERVER, and nothing else. */
function createCell(limit = 1 << 16, eviction: connections.Eviction | null = null) {
  const tracking = connections.create(conntrack.create(limit), eviction);
  const { table, connection, neighbours } = tracking;
  const see = (packet: RulePacket, now: number): string => {
    tracking.table.now = now;
    connections.track(tracking, 0, packet);
    const { ctstate, reply } = table;
    if (tracking.opening) {
      setUpNull(connection, MANIP.DESTINATION, neighbours, LOWEST);
      if (packet.destination === address(SERVER)) setUp(connection, MANIP.SOURCE, MASQUERADE, neighbours, LOWEST);
      else setUpNull(connection, MANIP.SOURCE, neighbours, LOWEST);
    }
    const text = `${ctstate === CTSTATE.NEW ? 'NEW' : ctstate === CTSTATE.ESTABLISHED ? 'ESTABLISHED' : 'INVALID'}${reply === 1 ? ' reply' : ''}`;
    return connections.confirm(tracking) ? text : 'dropped';
  };
  return { tracking, see };
}

const SYN = FLAG.SYN;
const SYN_ACK = FLAG.SYN | FLAG.ACK;
const ACK = FLAG.ACK;

test('both sides lead to one connection, and its states are those of any', () => {
  const { tracking, see } = createCell();
  assert.is(see(packetOf(TCP, A, SERVER, [40000, 80], SYN), 0), 'NEW');
  assert.is(tracking.bindings.count, 1);
  assert.is(see(packetOf(TCP, A, SERVER, [40000, 80], SYN), 1), 'NEW');
  assert.is(see(packetOf(TCP, SERVER, '10.0.0.101', [80, 40000], SYN_ACK), 2), 'ESTABLISHED reply');
  assert.is(tracking.connection.original.source, address(A));
  assert.is(see(packetOf(TCP, A, SERVER, [40000, 80], ACK), 3), 'ESTABLISHED');
  assert.is(tracking.connection.status & STATUS.SOURCE_NAT, STATUS.SOURCE_NAT);
  // The far end does not know A: what it sends there is no answer.
  assert.is(see(packetOf(TCP, SERVER, A, [80, 40000], SYN_ACK), 4), 'INVALID');
  assert.is(tracking.bindings.count, 1);
});

test('a connection the other way round between the same ends is another one, from another port', () => {
  const { tracking, see } = createCell();
  see(packetOf(UDP, A, SERVER, [40000, 53]), 0);
  assert.is(see(packetOf(UDP, SERVER, A, [53, 40000]), 1), 'NEW');
  assert.is(tracking.connection.reply.destinationPort, 1);
  assert.is(see(packetOf(UDP, SERVER, A, [53, 40000]), 2), 'NEW');
  assert.is(see(packetOf(UDP, A, SERVER, [40000, 1]), 2), 'ESTABLISHED reply');
  assert.is(see(packetOf(UDP, SERVER, '10.0.0.101', [53, 40000]), 2), 'ESTABLISHED reply');
});

test('without NAT nothing is bound and every packet is found at once', () => {
  const { tracking, see } = createCell();
  see(packetOf(UDP, A, SERVER, [40000, 53]), 0);
  assert.is(see(packetOf(UDP, A, B, [5000, 5001]), 0), 'NEW');
  assert.is(tracking.bindings.count, 1);
  assert.is(tracking.bound, -1);
  assert.is(see(packetOf(UDP, B, A, [5001, 5000]), 1), 'ESTABLISHED reply');
  assert.is(tracking.connection.status, STATUS.SOURCE_DONE | STATUS.DESTINATION_DONE);
});

test('a connection that ended gives its port back', () => {
  const { tracking, see } = createCell();
  see(packetOf(UDP, A, SERVER, [40000, 53]), 0);
  see(packetOf(UDP, B, SERVER, [40000, 53]), 1 * SECOND);
  assert.is(tracking.connection.reply.destinationPort, 1024);
  see(packetOf(UDP, B, SERVER, [40000, 54]), 32 * SECOND);
  assert.is(see(packetOf(UDP, B, SERVER, [40000, 53]), 32 * SECOND), 'NEW');
  assert.is(tracking.connection.reply.destinationPort, 40000);
  assert.is(tracking.bindings.count, 2);
  // An answer to what is gone is no answer.
  assert.is(see(packetOf(UDP, SERVER, '10.0.0.101', [53, 1024]), 33 * SECOND), 'NEW');
});

test('a reset before any answer ends the connection at once', () => {
  const { tracking, see } = createCell();
  see(packetOf(TCP, A, SERVER, [40000, 80], SYN), 0);
  assert.is(see(packetOf(TCP, SERVER, '10.0.0.101', [80, 40000], FLAG.RST | ACK), 1), 'ESTABLISHED reply');
  assert.is(see(packetOf(TCP, B, SERVER, [40000, 80], SYN), 2), 'NEW');
  assert.is(tracking.connection.reply.destinationPort, 40000);
});

test('a SYN on a closed connection opens it anew with the port it had', () => {
  const { tracking, see } = createCell();
  const out = (flags: number): RulePacket => packetOf(TCP, A, SERVER, [40000, 80], flags);
  const back = (flags: number): RulePacket => packetOf(TCP, SERVER, '10.0.0.101', [80, 40000], flags);
  for (const [index, packet] of [
    out(SYN),
    back(SYN_ACK),
    out(ACK),
    out(FLAG.FIN | ACK),
    back(FLAG.FIN | ACK),
    out(ACK),
  ].entries())
    see(packet, index);
  assert.is(see(out(SYN), 10), 'NEW');
  assert.is(tracking.opening, false);
  assert.is(tracking.bindings.count, 1);
  assert.is(tracking.connection.reply.destinationPort, 40000);
  assert.is(see(back(SYN_ACK), 11), 'ESTABLISHED reply');
});

test('a closed connection is evicted when a range of ports is used up, if whoever knows allows it', () => {
  for (const allowed of [false, true]) {
    const asked: number[] = [];
    const eviction = { allows: (slot: number) => asked.push(slot) > 0 && allowed };
    const tracking = connections.create(conntrack.create(64), eviction);
    const range = { ...MASQUERADE, flags: MASQUERADE.flags | 2, portLow: 6000, portHigh: 6000 };
    const open = (from: string, now: number): boolean => {
      tracking.table.now = now;
      connections.track(tracking, 0, packetOf(TCP, from, SERVER, [40000, 80], SYN));
      setUpNull(tracking.connection, MANIP.DESTINATION, tracking.neighbours, LOWEST);
      setUp(tracking.connection, MANIP.SOURCE, range, tracking.neighbours, LOWEST);
      return connections.confirm(tracking);
    };
    assert.is(open(A, 0), true);
    assert.is(open(B, 1), allowed);
    assert.is(asked.length, 1);
    assert.is(tracking.bindings.count, 1);
  }
});

test('ICMP queries are told apart by identifier, and answered under the one that left', () => {
  const { tracking, see } = createCell();
  const query = (from: string): RulePacket => ({ ...packetOf(ICMP, from, SERVER, [7, 0]), icmpType: 8 });
  const answer = (identifier: number): RulePacket => ({
    ...packetOf(ICMP, SERVER, '10.0.0.101', [identifier, 0]),
    icmpType: 0,
  });
  assert.is(see(query(A), 0), 'NEW');
  assert.is(see(query(B), 1), 'NEW');
  assert.is(tracking.connection.reply.sourcePort, 0);
  assert.is(see(answer(0), 2), 'ESTABLISHED reply');
  assert.is(tracking.connection.original.source, address(B));
  assert.is(see(answer(7), 3), 'ESTABLISHED reply');
  assert.is(tracking.connection.original.source, address(A));
  assert.is(see(answer(9), 4), 'INVALID');
});

test('errors about either side find the connection, when they are addressed to who sent the packet', () => {
  const { tracking, see } = createCell();
  const { table } = tracking;
  see(packetOf(UDP, A, SERVER, [40000, 53]), 0);
  const quote = quotes.create();
  const error = (from: string, to: string, ports: [number, number], addressee: string, now = 1): string => {
    Object.assign(quote, { protocol: UDP, source: address(from), destination: address(to) });
    [quote.sourcePort, quote.destinationPort] = ports;
    tracking.table.now = now;
    connections.trackError(tracking, 0, quote, address(addressee));
    return tracking.related ? `${table.reply} ${tracking.bound >= 0 ? 'bound' : 'plain'}` : 'none';
  };
  assert.is(error('10.0.0.101', SERVER, [40000, 53], '10.0.0.101'), '1 bound');
  assert.is(error(SERVER, A, [53, 40000], SERVER), '0 bound');
  assert.is(error('10.0.0.101', SERVER, [40000, 53], A), 'none');
  assert.is(error(A, SERVER, [40000, 53], A), 'none');
  assert.is(error('10.0.0.101', SERVER, [40000, 53], '10.0.0.101', 31 * SECOND), 'none');
  see(packetOf(UDP, A, B, [1, 2]), 2);
  assert.is(error(A, B, [1, 2], A), '1 plain');
});

test('bindings of ended connections are removed before the table grows', () => {
  const { tracking, see } = createCell();
  const { capacity } = tracking.bindings;
  for (let n = 0; n < capacity; n++) see(packetOf(UDP, A, SERVER, [1024 + n, 53]), n < 10 ? 40 * SECOND : 0);
  assert.is(tracking.bindings.count, capacity);
  see(packetOf(UDP, A, SERVER, [50000, 53]), 40 * SECOND);
  assert.is(tracking.bindings.capacity, capacity);
  assert.is(tracking.bindings.count, 11);
  for (let n = 0; n < capacity; n++) see(packetOf(UDP, B, SERVER, [1024 + n, 53]), 41 * SECOND);
  assert.is(tracking.bindings.capacity, capacity * 2);
  assert.is(see(packetOf(UDP, SERVER, '10.0.0.101', [53, 1026]), 42 * SECOND), 'ESTABLISHED reply');
});

test('a full table drops the packet and leaves no binding', () => {
  const { tracking, see } = createCell(1);
  see(packetOf(UDP, A, SERVER, [40000, 53]), 0);
  assert.is(see(packetOf(UDP, B, SERVER, [40001, 53]), 1), 'dropped');
  assert.is(tracking.bindings.count, 1);
});

test.run();
