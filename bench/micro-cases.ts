/**
 * Small things that the dataplane does, each for all rows of one burst: what `micro.bench.ts` times. Each gives a number that follows
 * from what it did, so that nothing is optimised away and tests can say what it has to be.
 *
 * Octets come from a seed and from the benchmarks' own traffic. A burst is small: all of it is in the first cache, tables too.
 */
import { readFileSync } from 'node:fs';
import { BURST_CAPACITY, create as createRecords, type RecordBurst } from '../src/capture/burst.ts';
import { openSource } from '../src/capture/file.ts';
import { open } from '../src/capture/reader.ts';
import { confirm, create as createConntrack, findPorted, hashOf } from '../src/dataplane/connection-table.ts';
import { track } from '../src/dataplane/conntrack.ts';
import { outInterface, route } from '../src/dataplane/forward.ts';
import { matchedCell } from '../src/dataplane/match.ts';
import * as bindings from '../src/dataplane/nat/bindings.ts';
import * as tuples from '../src/dataplane/nat/tuples.ts';
import { createDataplane } from '../src/dataplane/setup.ts';
import * as transport from '../src/dataplane/transport.ts';
import { lookup } from '../src/foundation/directory.ts';
import { plan } from '../src/foundation/plan.ts';
import { readFoundation } from '../src/foundation/read.ts';
import { CTSTATE } from '../src/rules/model.ts';
import { createPacket, RULE_VERDICT, type RulePacket } from '../src/rules/packet.ts';
import * as arp from '../src/wire/arp.ts';
import * as checksum from '../src/wire/checksum.ts';
import * as ethernet from '../src/wire/ethernet.ts';
import * as extension from '../src/wire/extension.ts';
import * as fragment6 from '../src/wire/fragment6.ts';
import * as icmp from '../src/wire/icmp.ts';
import * as icmp6 from '../src/wire/icmp6.ts';
import * as ipv4 from '../src/wire/ipv4.ts';
import * as ipv6 from '../src/wire/ipv6.ts';
import { locate } from '../src/wire/layers.ts';
import * as loopback from '../src/wire/loopback.ts';
import * as sll from '../src/wire/sll.ts';
import * as sll2 from '../src/wire/sll2.ts';
import * as tcp from '../src/wire/tcp.ts';
import * as udp from '../src/wire/udp.ts';
import * as vlan from '../src/wire/vlan.ts';
import * as vxlan from '../src/wire/vxlan.ts';
import { type Trace, traceOf } from './harness.ts';
import { random } from './random.ts';

export const ROWS = BURST_CAPACITY;
/** Octets from one header to the next, longer than any. */
export const STRIDE = 64;
const SEED = 42;
const CELL = 'cell-1';
/** Of a frame of the benchmarks (`trace.ts`). */
const INNER_IPV4 = 64;

/** Does its work for all rows. */
export type Operation = () => number;

/** Headers of random octets: what decodes them refuses none, `check` does. */
export function randomHeaders(): DataView {
  const next = random(SEED);
  return new DataView(Uint8Array.from({ length: ROWS * STRIDE }, () => Math.floor(next() * 256)).buffer);
}

interface Header<T> {
  readonly create: () => T;
  readonly decode: (view: DataView, at: number, into: T) => void;
}

/** Decode all rows, and add `field` up. */
function decoding<K extends string, T extends Record<K, number>>({ create, decode }: Header<T>, field: K): Operation {
  const view = randomHeaders();
  const into = create();
  return () => {
    let sum = 0;
    for (let i = 0; i < ROWS; i++) {
      decode(view, i * STRIDE, into);
      sum += into[field];
    }
    return sum;
  };
}

const traffic = (): Trace => traceOf({ seed: SEED, frames: ROWS, flows: ROWS, policies: 10_000, hitRate: 0.8 });

/** One burst of the benchmarks' traffic. */
export async function recordsOf({ capture }: Trace = traffic()): Promise<RecordBurst> {
  const reader = await open(await openSource(capture));
  const records = createRecords();
  while (reader.fill(records) === 0) if (!(await reader.refill())) throw new Error(`${capture}: no packets`);
  if (records.count !== ROWS) throw new Error(`${capture}: expected ${ROWS} packets, got ${records.count}`);
  await reader.close();
  return records;
}

/** The cell of the benchmarks, and the packets of a burst as its rules see them. */
async function cellAndPackets(): Promise<{
  dataplane: ReturnType<typeof createDataplane>;
  packets: readonly RulePacket[];
}> {
  const trace = traffic();
  const foundation = readFoundation(readFileSync(trace.foundation, 'utf8'), trace.foundation);
  const dataplane = createDataplane(
    foundation,
    new Map([[CELL, { ruleset: plan(foundation, CELL), backend: 'nft' as const }]]),
    { vxlanPort: foundation.overlay.port, strictChecksums: false, judged: [CELL], connectionLimit: 1 << 16 },
  );
  const { view, at, end, linkType, time } = await recordsOf(trace);
  const cell = matchedCell(dataplane);
  const packets = Array.from({ length: ROWS }, (_, i) => {
    const packet = createPacket();
    locate(view, at[i]!, end[i]!, end[i]!, linkType[i]!, foundation.overlay.port, dataplane.layers);
    transport.read(view, dataplane.layers.inner, packet);
    const instance = lookup(dataplane.directory, packet.destination);
    const way = route(dataplane, cell, packet.destination, instance);
    const mark = vxlan.mark(view, dataplane.layers.vxlan);
    const out = outInterface(dataplane, cell, way, instance);
    const ctstate = CTSTATE.NEW;
    return Object.assign(packet, { mark, ctstate, time: time[i]!, inInterface: cell.vtepInterface, outInterface: out });
  });
  return { dataplane, packets };
}

/** Read one word of each row: what the others are held against. */
async function words(): Promise<Operation> {
  const { view, at } = await recordsOf();
  return () => {
    let sum = 0;
    for (let i = 0; i < ROWS; i++) sum += view.getUint32(at[i]! + INNER_IPV4);
    return sum;
  };
}

/** How many inner IPv4 headers have a good checksum. */
async function checksums(): Promise<Operation> {
  const { view, at } = await recordsOf();
  return () => {
    let good = 0;
    for (let i = 0; i < ROWS; i++) {
      const header = at[i]! + INNER_IPV4;
      if (checksum.isGood(checksum.sum(view, header, header + ipv4.HEADER_LENGTH))) good += 1;
    }
    return good;
  };
}

async function hashes(): Promise<Operation> {
  const { view, at } = await recordsOf();
  return () => {
    let sum = 0;
    for (let i = 0; i < ROWS; i++) {
      const header = at[i]! + INNER_IPV4;
      sum += hashOf(ipv4.source(view, header), ipv4.destination(view, header), view.getUint32(header + 20));
    }
    return sum;
  };
}

/** How many packets find the connection that they opened. */
async function connections(): Promise<Operation> {
  const { packets } = await cellAndPackets();
  const table = createConntrack(1 << 16);
  for (const packet of packets) {
    table.now = packet.time;
    track(table, 0, packet);
    confirm(table);
  }
  const ports = Int32Array.from(packets, (packet) => (packet.sourcePort << 16) | packet.destinationPort);
  return () => {
    let found = 0;
    for (let i = 0; i < ROWS; i++) {
      const { protocol, source, destination } = packets[i]!;
      const hash = hashOf(source, destination, ports[i]!);
      if (findPorted(table, 0, protocol, source, destination, ports[i]!, hash) >= 0) found += 1;
    }
    return found;
  };
}

/** How many packets find the binding of their tuple. */
async function tuplesFound(): Promise<Operation> {
  const { packets } = await cellAndPackets();
  const all = bindings.create();
  const connection = tuples.createConnection();
  bindings.grow(all);
  for (const packet of packets) {
    tuples.open(connection, 0, packet);
    if (bindings.find(all, 0, connection.original) >= 0) continue;
    if (bindings.isFull(all)) bindings.grow(all);
    bindings.add(all, connection);
  }
  const tuple = tuples.createTuple();
  return () => {
    let found = 0;
    for (let i = 0; i < ROWS; i++) {
      tuples.ofPacket(packets[i]!, tuple);
      if (bindings.find(all, 0, tuple) >= 0) found += 1;
    }
    return found;
  };
}

/** How many packets the rules of FORWARD accept as the first of their connection, 10,000 policies among them. */
async function rules(): Promise<Operation> {
  const { dataplane, packets } = await cellAndPackets();
  const { filter, arrivingChain } = matchedCell(dataplane);
  const { outcome } = dataplane;
  return () => {
    let accepted = 0;
    for (let i = 0; i < ROWS; i++) {
      filter.evaluate(arrivingChain, packets[i]!, outcome);
      if (outcome.verdict === RULE_VERDICT.ACCEPT) accepted += 1;
    }
    return accepted;
  };
}

/** What the others are held against. */
export const BASELINE = 'a word read';

export const CASES: Readonly<Record<string, () => Operation | Promise<Operation>>> = {
  [BASELINE]: words,
  'checksum of an IPv4 header': checksums,
  'decode ethernet': () => decoding(ethernet, 'type'),
  'decode vlan': () => decoding(vlan, 'identifier'),
  'decode sll': () => decoding(sll, 'protocol'),
  'decode sll2': () => decoding(sll2, 'interfaceIndex'),
  'decode loopback': () => decoding(loopback, 'family'),
  'decode arp': () => decoding(arp, 'operation'),
  'decode ipv4': () => decoding(ipv4, 'destination'),
  'decode ipv6': () => decoding(ipv6, 'hopLimit'),
  'decode extension': () => decoding(extension, 'length'),
  'decode fragment6': () => decoding(fragment6, 'identification'),
  'decode udp': () => decoding(udp, 'checksum'),
  'decode tcp': () => decoding(tcp, 'urgentPointer'),
  'decode icmp': () => decoding(icmp, 'sequenceNumber'),
  'decode icmp6': () => decoding(icmp6, 'checksum'),
  'decode vxlan': () => decoding(vxlan, 'vni'),
  'hash of a connection key': hashes,
  'connection looked up': connections,
  'NAT tuple looked up': tuplesFound,
  'rules looked up by tuples': rules,
};
