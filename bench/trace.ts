/**
 * The traffic that the benchmarks run on: one receiving cell with 250 containers, apps on ten other cells that call them,
 * policies between the two, and 64 octets of payload.
 *
 * Everything follows from a seed and a few numbers, the hit rate among them, so that two runs see the same octets.
 */
import { formatIpv4 } from '../src/wire/address.ts';
import { PROTOCOL } from '../src/wire/protocol.ts';
import { type Cell, frameLength, type Packet, writeCapture } from './frame.ts';
import { random } from './random.ts';

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
export const PAYLOAD = 64;
const SECURITY_GROUPS = 5;
const RULES_PER_GROUP = 10;

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

const cellAt = (cell: number): Cell => ({ underlay: underlayOf(cell), lease: leaseOf(cell) });

const packetOf = ({ sender, receiver, port, sourcePort }: Flow): Packet => ({
  from: cellAt(cellOfSender(sender)),
  to: cellAt(RECEIVING_CELL),
  tag: tagOf(sender),
  source: senderAddress(sender),
  destination: receiverAddress(receiver),
  protocol: PROTOCOL.TCP,
  sourcePort,
  destinationPort: port,
});

/** Write the capture of `shape`. */
export function writeTrace(shape: Shape, path: string): void {
  const next = random(shape.seed);
  const policies = policiesOf(shape, next);
  const packets = flowsOf(shape, policies, next).map(packetOf);
  const pick = (): Packet => packets[Math.floor(next() * packets.length)]!;
  writeCapture(path, shape.frames, frameLength(shape.payload ?? PAYLOAD), pick);
}
