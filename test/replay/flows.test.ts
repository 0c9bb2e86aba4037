/** Flows against a Map that knows nothing of hashing, growth or bursts; overflow; order. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BURST_CAPACITY } from '../../src/capture/burst.ts';
import { type Burst, create, HELD, NOTE, reset } from '../../src/dataplane/burst.ts';
import { VERDICT } from '../../src/dataplane/verdict.ts';
import * as flows from '../../src/replay/flows.ts';
import { CTSTATE } from '../../src/rules/model.ts';
import { check } from '../support/property.ts';

const test = suite('replay/flows');
const TCP = 6;

interface Packet {
  readonly source: number;
  readonly destination: number;
  readonly port: number;
  readonly verdict: number;
  readonly reply: boolean;
  readonly opened: boolean;
}

/** Addresses below 10 are apps of two instances each; others are themselves. */
const ends: flows.Ends = {
  of: (address) => (address < 10 ? (address >> 1) * 4 + flows.END.APP : -1),
  addresses: Array.from({ length: 10 }, (_, address) => address),
};

function burstsOf(packets: readonly Packet[], add: (burst: Burst) => void): void {
  const burst = create();
  for (let from = 0; from < packets.length; from += BURST_CAPACITY) {
    const some = packets.slice(from, from + BURST_CAPACITY);
    burst.records.count = some.length;
    reset(burst);
    for (const [i, packet] of some.entries()) {
      burst.version[i] = 4;
      burst.protocol[i] = TCP;
      burst.source[i] = packet.source;
      burst.destination[i] = packet.destination;
      burst.sourcePort[i] = packet.reply ? packet.port : 40_000;
      burst.destinationPort[i] = packet.reply ? 40_000 : packet.port;
      burst.verdict[i] = packet.verdict;
      burst.reply[i] = packet.reply ? 1 : 0;
      burst.ctstate[i] = CTSTATE.ESTABLISHED;
      burst.note[i] = packet.opened ? NOTE.OPENED : 0;
      burst.records.originalLength[i] = 100 + (i % 7);
      burst.records.packet[i] = from + i + 1;
    }
    add(burst);
  }
}

const nameOf = (address: number): string => (address < 10 ? `app ${address >> 1}` : `address ${address}`);

/** Packets, octets, connections and first packet by key. */
function model(packets: readonly Packet[]): Map<string, number[]> {
  const known = new Map<string, number[]>();
  for (const [index, { source, destination, port, verdict, reply, opened }] of packets.entries()) {
    if (verdict === HELD) continue;
    const [caller, called] = reply ? [destination, source] : [source, destination];
    const key = `${nameOf(caller)} ${nameOf(called)} ${port} ${verdict}`;
    const sums = known.get(key) ?? [0, 0, 0, index + 1];
    sums[0]! += 1;
    sums[1]! += 100 + ((index % BURST_CAPACITY) % 7);
    sums[2]! += opened ? 1 : 0;
    known.set(key, sums);
  }
  return known;
}

function listed(table: flows.FlowTable): Map<string, number[]> {
  const name = (kind: number, value: number): string => (kind === flows.END.APP ? `app ${value}` : `address ${value}`);
  return new Map(
    flows
      .list(table)
      .map((flow) => [
        `${name(flow.sourceKind, flow.source)} ${name(flow.destinationKind, flow.destination)} ${flow.port} ${flow.verdict}`,
        [flow.packets, flow.octets, flow.connections, flow.firstPacket],
      ]),
  );
}

const packet = fc.record({
  source: fc.nat(60),
  destination: fc.oneof(fc.nat(20), fc.constant(0xffffffff)),
  port: fc.constantFrom(80, 8080, 65_535),
  verdict: fc.constantFrom(VERDICT.DELIVER, VERDICT.REJECT, VERDICT.OBSERVED, HELD),
  reply: fc.boolean(),
  opened: fc.boolean(),
});

test('random bursts against a Map, replies counted with the connection they answer', () => {
  check(
    fc.property(fc.array(packet, { maxLength: 3000, size: 'max' }), (packets) => {
      const table = flows.create(ends);
      burstsOf(packets, (burst) => flows.add(table, burst));
      assert.equal(Object.fromEntries(listed(table)), Object.fromEntries(model(packets)));
    }),
    30,
  );
});

const scan = (count: number): Packet[] =>
  Array.from({ length: count }, (_, index) => ({
    source: 1000,
    destination: 2000 + index,
    port: 22,
    verdict: VERDICT.REJECT,
    reply: false,
    opened: true,
  }));

test('after 65,536 rows the packets of further flows are counted, and those of known ones still added', () => {
  const table = flows.create(ends);
  burstsOf([...scan(70_000), ...scan(10)], (burst) => flows.add(table, burst));
  assert.is(table.rows, 65_536);
  assert.is(table.overflow, 70_000 - 65_536);
  assert.is(flows.list(table).filter(({ packets }) => packets === 2).length, 10);
});

test('the order is by packets, then by first packet', () => {
  const table = flows.create(ends);
  burstsOf([...scan(5), ...scan(5).slice(3)], (burst) => flows.add(table, burst));
  assert.equal(
    flows.list(table).map(({ firstPacket }) => firstPacket),
    [4, 5, 1, 2, 3],
  );
});

test.run();
