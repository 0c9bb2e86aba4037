/**
 * The traffic that the benchmarks run on: one receiving cell with 250 containers, apps on ten other cells that call them,
 * policies between the two, and frames of Linux's shape (VXLAN with group policy, UDP checksum 0, 64 octets of payload).
 *
 * Everything follows from a seed and a few numbers, the hit rate among them, so that two runs see the same octets.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { formatIpv4 } from '../src/wire/address.ts';
import * as checksum from '../src/wire/checksum.ts';
import * as ethernet from '../src/wire/ethernet.ts';
import * as ipv4 from '../src/wire/ipv4.ts';
import { ETHER_TYPE, PORT, PROTOCOL } from '../src/wire/protocol.ts';
import * as tcp from '../src/wire/tcp.ts';
import * as udp from '../src/wire/udp.ts';
import * as vxlan from '../src/wire/vxlan.ts';

export interface Shape {
  readonly seed: number;
  readonly frames: number;
  readonly flows: number;
  readonly policies: number;
  /** Share of flows that a policy allows. */
  readonly hitRate: number;
  /** On the receiving cell; 250 when left out. */
  readonly containers?: number;
  /** Octets behind the inner TCP header; 64 when left out. */
  readonly payload?: number;
  /** Every container has security groups, and rules log. */
  readonly logging?: boolean;
}

const CONTAINERS = 250;
const SENDING_CELLS = 10;
const SENDERS_PER_CELL = 50;
const RECEIVING_CELL = 1;
const PAYLOAD = 64;
const SECURITY_GROUPS = 5;
const RULES_PER_GROUP = 10;

/** A small seeded generator (mulberry32): uniform in [0, 1). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Policy {
  readonly sender: number;
  readonly receiver: number;
  readonly port: number;
}

const guid = (kind: number, index: number): string =>
  `${kind.toString(16).padStart(8, '0')}-0000-4000-8000-${index.toString(16).padStart(12, '0')}`;
const underlayOf = (cell: number): number => 0x0a000064 + cell;
const leaseOf = (cell: number): number => (0x0aff0000 + cell * 256) >>> 0;
const cellOfSender = (sender: number): number => RECEIVING_CELL + 1 + Math.floor(sender / SENDERS_PER_CELL);
const senderAddress = (sender: number): number => leaseOf(cellOfSender(sender)) + 2 + (sender % SENDERS_PER_CELL);
const receiverAddress = (receiver: number): number => leaseOf(RECEIVING_CELL) + 2 + receiver;
/** Senders are tagged from 1 in their order. */
const tagOf = (sender: number): number => sender + 1;

const containersOf = ({ containers = CONTAINERS }: Shape): number => containers;

function policiesOf(shape: Shape, next: () => number): Policy[] {
  const seen = new Set<string>();
  const policies: Policy[] = [];
  while (policies.length < shape.policies) {
    const policy = {
      sender: Math.floor(next() * SENDING_CELLS * SENDERS_PER_CELL),
      receiver: Math.floor(next() * containersOf(shape)),
      port: 1024 + Math.floor(next() * 60_000),
    };
    const key = `${policy.sender}/${policy.receiver}/${policy.port}`;
    if (!seen.has(key)) policies.push(policy);
    seen.add(key);
  }
  return policies;
}

/** The foundation as a document: the receiving cell `cell-1` with its rules, and who sends. */
export function foundationOf(shape: Shape): object {
  const policies = policiesOf(shape, random(shape.seed));
  const cells = Array.from({ length: SENDING_CELLS + 1 }, (_, index) => ({
    name: `cell-${index + 1}`,
    underlay: formatIpv4(underlayOf(index + 1)),
    lease: `${formatIpv4(leaseOf(index + 1))}/24`,
  }));
  const senders = Array.from({ length: SENDING_CELLS * SENDERS_PER_CELL }, (_, index) => ({
    name: `sender-${index}`,
    guid: guid(1, index),
    tag: tagOf(index).toString(16).toUpperCase().padStart(4, '0'),
    instances: [{ cell: `cell-${cellOfSender(index)}`, ip: formatIpv4(senderAddress(index)) }],
  }));
  const receivers = Array.from({ length: containersOf(shape) }, (_, index) => ({
    name: `receiver-${index}`,
    guid: guid(2, index),
    tag: (0x8000 + index).toString(16).toUpperCase(),
    instances: [{ cell: `cell-${RECEIVING_CELL}`, ip: formatIpv4(receiverAddress(index)) }],
  }));
  return {
    tagplane: 1,
    cells,
    apps: [...senders, ...receivers],
    policies: policies.map(({ sender, receiver, port }) => ({
      source: `sender-${sender}`,
      destination: `receiver-${receiver}`,
      protocol: 'tcp',
      ports: String(port),
    })),
    ...(shape.logging === true ? { security_groups: securityGroups(), properties: { iptables_logging: true } } : {}),
  };
}

/** Groups that are bound to every container: blocks and ports outside the overlay. */
const securityGroups = (): object[] =>
  Array.from({ length: SECURITY_GROUPS }, (_, group) => ({
    name: `group-${group}`,
    running_default: true,
    rules: Array.from({ length: RULES_PER_GROUP }, (_rule, rule) => ({
      protocol: 'tcp',
      destination: `192.168.${group * RULES_PER_GROUP + rule}.0/24`,
      ports: `${8000 + rule},9000-9100`,
      log: true,
    })),
  }));

const OUTER_IP = ethernet.HEADER_LENGTH;
const OUTER_UDP = OUTER_IP + ipv4.HEADER_LENGTH;
const VXLAN = OUTER_UDP + udp.HEADER_LENGTH;
const INNER = VXLAN + vxlan.HEADER_LENGTH;
const INNER_IP = INNER + ethernet.HEADER_LENGTH;
const INNER_TCP = INNER_IP + ipv4.HEADER_LENGTH;
const HEADERS = INNER_TCP + tcp.HEADER_LENGTH;
export const FRAME_LENGTH = HEADERS + PAYLOAD;
const RECORD_HEADER = 16;

interface Flow {
  readonly sender: number;
  readonly receiver: number;
  readonly port: number;
  readonly sourcePort: number;
}

function flowsOf(shape: Shape, policies: readonly Policy[], next: () => number): Flow[] {
  return Array.from({ length: shape.flows }, () => {
    const policy = policies[Math.floor(next() * policies.length)]!;
    const sourcePort = 32_768 + Math.floor(next() * 28_000);
    // A port that no policy names: policies start at 1024.
    return next() < shape.hitRate
      ? { ...policy, sourcePort }
      : { ...policy, port: 1 + Math.floor(next() * 1000), sourcePort };
  });
}

function writeIpv4(
  view: DataView,
  at: number,
  totalLength: number,
  protocol: number,
  source: number,
  destination: number,
  identification: number,
): void {
  const header = ipv4.create();
  Object.assign(header, {
    version: 4,
    ihl: 5,
    totalLength,
    identification,
    timeToLive: 63,
    protocol,
    source,
    destination,
  });
  ipv4.encode(header, view, at);
  ipv4.setHeaderChecksum(view, at, checksum.complement(checksum.sum(view, at, at + ipv4.HEADER_LENGTH)));
}

/** One record: pcap header and a frame of `frameLength` octets, at `at` of `view`. */
function writeRecord(view: DataView, at: number, flow: Flow, index: number, frameLength: number): void {
  const cell = cellOfSender(flow.sender);
  const frame = at + RECORD_HEADER;
  view.setUint32(at, 1_700_000_000 + Math.floor(index / 1e6), true);
  view.setUint32(at + 4, index % 1e6, true);
  view.setUint32(at + 8, frameLength, true);
  view.setUint32(at + 12, frameLength, true);
  const mac = 0x42010a000000;
  ethernet.encode({ destination: mac + RECEIVING_CELL, source: mac + cell, type: ETHER_TYPE.IPV4 }, view, frame);
  writeIpv4(
    view,
    frame + OUTER_IP,
    frameLength - OUTER_IP,
    PROTOCOL.UDP,
    underlayOf(cell),
    underlayOf(RECEIVING_CELL),
    index & 0xffff,
  );
  const length = frameLength - OUTER_UDP;
  udp.encode(
    { sourcePort: flow.sourcePort, destinationPort: PORT.VXLAN, length, checksum: 0 },
    view,
    frame + OUTER_UDP,
  );
  vxlan.encodeMark(tagOf(flow.sender), 1, view, frame + VXLAN);
  const vtep = 0xeeee * 2 ** 32;
  const inner = { destination: vtep + leaseOf(RECEIVING_CELL), source: vtep + leaseOf(cell), type: ETHER_TYPE.IPV4 };
  ethernet.encode(inner, view, frame + INNER);
  const addresses = [senderAddress(flow.sender), receiverAddress(flow.receiver)] as const;
  writeIpv4(view, frame + INNER_IP, frameLength - INNER_IP, PROTOCOL.TCP, addresses[0], addresses[1], index & 0xffff);
  const segment = tcp.create();
  Object.assign(segment, {
    sourcePort: flow.sourcePort,
    destinationPort: flow.port,
    sequenceNumber: index,
    dataOffset: 5,
    flags: tcp.FLAG.ACK,
    window: 512,
  });
  tcp.encode(segment, view, frame + INNER_TCP);
}

/** Write the capture as classic pcap (microseconds, little-endian). */
export function writeTrace(shape: Shape, path: string): void {
  const next = random(shape.seed);
  const policies = policiesOf(shape, next);
  const flows = flowsOf(shape, policies, next);
  const batch = 4096;
  const frameLength = HEADERS + (shape.payload ?? PAYLOAD);
  const recordLength = RECORD_HEADER + frameLength;
  const octets = new Uint8Array(batch * recordLength);
  const view = new DataView(octets.buffer);
  const header = new Uint8Array(24);
  const fields = new DataView(header.buffer);
  fields.setUint32(0, 0xa1b2c3d4, true);
  fields.setUint16(4, 2, true);
  fields.setUint16(6, 4, true);
  fields.setUint32(16, 262_144, true);
  fields.setUint32(20, 1, true);
  const file = openSync(path, 'w');
  writeSync(file, header);
  for (let index = 0; index < shape.frames; index += batch) {
    const count = Math.min(batch, shape.frames - index);
    for (let i = 0; i < count; i++)
      writeRecord(view, i * recordLength, flows[Math.floor(next() * flows.length)]!, index + i, frameLength);
    writeSync(file, octets.subarray(0, count * recordLength));
  }
  closeSync(file);
}
