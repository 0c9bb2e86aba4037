/**
 * Rulesets without exact fields, and packets for them: prefixes of all lengths for both addresses, ranges of ports, and protocols, in one chain.
 *
 * The three families are those of ClassBench (Taylor and Turner, "ClassBench: A Packet Classification Benchmark", 2005): access lists (`acl`:
 * long prefixes, any source port, one destination port), firewalls (`fw`: many rules for any address, ranges of ports) and
 * chains of iptables (`ipc`: both). As there, ports are of five classes (any, low, high, one, a range), and addresses lie in few networks,
 * nested. The shares are rounded by hand, not those of its seed files.
 *
 * The cell that is asked has a large lease, and every packet goes to one of its containers.
 */
import { formatIpv4 } from '../src/wire/address.ts';
import { PROTOCOL } from '../src/wire/protocol.ts';
import { type Cell, frameLength, type Packet, writeCapture } from './frame.ts';
import { random } from './random.ts';

export const FAMILIES = ['acl', 'fw', 'ipc'] as const;
export type Family = (typeof FAMILIES)[number];

/** [weight, value] of what may be drawn. */
type Shares<T> = readonly (readonly [number, T])[];
type Ports = 'any' | 'low' | 'high' | 'one' | 'range';

interface Profile {
  /** Shares of the lowest and highest length of a prefix. */
  readonly sources: Shares<readonly [number, number]>;
  readonly destinations: Shares<readonly [number, number]>;
  readonly sourcePorts: Shares<Ports>;
  readonly destinationPorts: Shares<Ports>;
  /** 0 for any. */
  readonly protocols: Shares<number>;
}

const { ICMP, TCP, UDP } = PROTOCOL;

const PROFILES: Readonly<Record<Family, Profile>> = {
  acl: {
    sources: [
      [5, [0, 0]],
      [30, [16, 24]],
      [20, [25, 31]],
      [45, [32, 32]],
    ],
    destinations: [
      [1, [0, 0]],
      [30, [16, 24]],
      [19, [25, 31]],
      [50, [32, 32]],
    ],
    sourcePorts: [[1, 'any']],
    destinationPorts: [
      [60, 'one'],
      [30, 'any'],
      [7, 'range'],
      [3, 'high'],
    ],
    protocols: [
      [75, TCP],
      [15, UDP],
      [3, ICMP],
      [7, 0],
    ],
  },
  fw: {
    sources: [
      [50, [0, 0]],
      [10, [8, 16]],
      [20, [17, 24]],
      [20, [25, 32]],
    ],
    destinations: [
      [30, [0, 0]],
      [35, [16, 24]],
      [35, [32, 32]],
    ],
    sourcePorts: [
      [60, 'any'],
      [20, 'high'],
      [10, 'one'],
      [10, 'range'],
    ],
    destinationPorts: [
      [35, 'any'],
      [40, 'one'],
      [15, 'range'],
      [10, 'high'],
    ],
    protocols: [
      [60, TCP],
      [25, UDP],
      [5, ICMP],
      [10, 0],
    ],
  },
  ipc: {
    sources: [
      [10, [0, 0]],
      [45, [16, 24]],
      [45, [32, 32]],
    ],
    destinations: [
      [10, [0, 0]],
      [45, [16, 24]],
      [45, [32, 32]],
    ],
    sourcePorts: [
      [80, 'any'],
      [10, 'one'],
      [5, 'range'],
      [5, 'high'],
    ],
    destinationPorts: [
      [60, 'one'],
      [30, 'any'],
      [5, 'range'],
      [5, 'low'],
    ],
    protocols: [
      [65, TCP],
      [20, UDP],
      [5, ICMP],
      [10, 0],
    ],
  },
};

interface Range {
  readonly low: number;
  readonly high: number;
}

export interface Rule {
  /** An address that the prefix holds, and its length. */
  readonly source: number;
  readonly sourceLength: number;
  /** Of a container. */
  readonly destination: number;
  readonly destinationLength: number;
  readonly protocol: number;
  readonly sourcePorts: Range;
  readonly destinationPorts: Range;
  readonly accepts: boolean;
}

const SENDING: Cell = { underlay: 0xac100066, lease: 0x0afe0000 };
const RECEIVING: Cell = { underlay: 0xac100065, lease: 0x0aff0000 };
const CONTAINERS = 1000;
const PER_NETWORK = 250;
/** Networks of sources: /16, and /24 in each. */
const WIDE = 40;
const NARROW = 8;
const ANY: Range = { low: 0, high: 0xffff };
const WELL_KNOWN = [22, 25, 53, 80, 123, 143, 161, 389, 443, 993, 1433, 1521, 3306, 5060, 5432, 8080];

type Next = () => number;

const below = (next: Next, count: number): number => Math.floor(next() * count);

function pick<T>(next: Next, shares: Shares<T>): T {
  let rest = next() * shares.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, value] of shares) {
    rest -= weight;
    if (rest < 0) return value;
  }
  return shares[0]![1];
}

const containerAddress = (index: number): number =>
  RECEIVING.lease + Math.floor(index / PER_NETWORK) * 256 + 2 + (index % PER_NETWORK);

const someContainer = (next: Next): number => containerAddress(below(next, CONTAINERS));

const someSource = (next: Next): number =>
  (10 << 24) | ((1 + below(next, WIDE) * 5) << 16) | ((below(next, NARROW) * 29) << 8) | (1 + below(next, 254));

function portsOf(kind: Ports, next: Next): Range {
  const one = next() < 0.5 ? WELL_KNOWN[below(next, WELL_KNOWN.length)]! : 1 + below(next, 0xffff);
  switch (kind) {
    case 'any':
      return ANY;
    case 'low':
      return { low: 0, high: 1023 };
    case 'high':
      return { low: 1024, high: 0xffff };
    case 'one':
      return { low: one, high: one };
    case 'range':
      return { low: one, high: Math.min(0xffff, one + 1 + below(next, 2000)) };
  }
}

function ruleOf(profile: Profile, next: Next): Rule {
  const length = (shares: Shares<readonly [number, number]>): number => {
    const [low, high] = pick(next, shares);
    return low + below(next, high - low + 1);
  };
  const protocol = pick(next, profile.protocols);
  const hasPorts = protocol === TCP || protocol === UDP;
  return {
    source: someSource(next),
    sourceLength: length(profile.sources),
    destination: someContainer(next),
    destinationLength: length(profile.destinations),
    protocol,
    sourcePorts: hasPorts ? portsOf(pick(next, profile.sourcePorts), next) : ANY,
    destinationPorts: hasPorts ? portsOf(pick(next, profile.destinationPorts), next) : ANY,
    accepts: next() < 0.7,
  };
}

/** How much a rule covers, as the number of bits that it leaves open. */
function scope({ sourceLength, destinationLength, protocol, ...rule }: Rule): number {
  const bits = ({ low, high }: Range): number => Math.log2(high - low + 1);
  return (
    64 -
    sourceLength -
    destinationLength +
    (protocol === 0 ? 8 : 0) +
    bits(rule.sourcePorts) +
    bits(rule.destinationPorts)
  );
}

/** `count` different rules of `family`, the narrowest first, as people order them: a wide rule hides all behind it. */
export function rulesOf(family: Family, count: number, seed: number): Rule[] {
  const next = random(seed);
  const rules = new Map<string, Rule>();
  while (rules.size < count) {
    const rule = ruleOf(PROFILES[family], next);
    rules.set(written(rule).join(' '), rule);
  }
  return [...rules.values()].sort((one, other) => scope(one) - scope(other));
}

const maskOf = (length: number): number => (length === 0 ? 0 : -1 << (32 - length));

/** What a rule asks, as iptables-save writes it. */
function written({ source, destination, protocol, ...rule }: Rule): string[] {
  const words: string[] = [];
  const block = (flag: string, address: number, length: number): void => {
    if (length > 0) words.push(flag, `${formatIpv4((address & maskOf(length)) >>> 0)}/${length}`);
  };
  const ports = (flag: string, range: Range): void => {
    if (range !== ANY) words.push(flag, range.low === range.high ? String(range.low) : `${range.low}:${range.high}`);
  };
  block('-s', source, rule.sourceLength);
  block('-d', destination, rule.destinationLength);
  if (protocol !== 0) words.push('-p', { [ICMP]: 'icmp', [TCP]: 'tcp', [UDP]: 'udp' }[protocol]!);
  if (rule.sourcePorts !== ANY || rule.destinationPorts !== ANY) words.push('-m', protocol === TCP ? 'tcp' : 'udp');
  ports('--sport', rule.sourcePorts);
  ports('--dport', rule.destinationPorts);
  return words;
}

/** The rules of chain FORWARD, which drops what none of them accepts, as `iptables-save` prints them. */
export function saved(rules: readonly Rule[]): string {
  const lines = rules.map((rule) =>
    ['-A FORWARD', ...written(rule), `-j ${rule.accepts ? 'ACCEPT' : 'DROP'}`].join(' '),
  );
  return ['*filter', ':INPUT ACCEPT [0:0]', ':FORWARD DROP [0:0]', ':OUTPUT ACCEPT [0:0]', ...lines, 'COMMIT', ''].join(
    '\n',
  );
}

/** The foundation: the cell that is asked, `cell-1`, its containers, and one that sends. */
export function foundationOf(): object {
  const instances = Array.from({ length: CONTAINERS }, (_, index) => ({
    cell: 'cell-1',
    ip: formatIpv4(containerAddress(index)),
  }));
  return {
    tagplane: 1,
    overlay: { network: '10.0.0.0/8' },
    cells: [
      { name: 'cell-1', underlay: formatIpv4(RECEIVING.underlay), lease: `${formatIpv4(RECEIVING.lease)}/16` },
      { name: 'cell-2', underlay: formatIpv4(SENDING.underlay), lease: `${formatIpv4(SENDING.lease)}/16` },
    ],
    apps: [{ name: 'receiver', guid: '00000001-0000-4000-8000-000000000001', tag: '0001', instances }],
    policies: [],
  };
}

const within = (next: Next, { low, high }: Range): number => low + below(next, high - low + 1);

/** `address` with other low bits behind a prefix of `length`; within 10.0.0.0/8. */
function neighbour(next: Next, address: number, length: number): number {
  const mask = maskOf(Math.max(length, 8));
  return ((address & mask) | (below(next, 2 ** 24) & ~mask)) >>> 0;
}

/** A packet that `rule` matches, though an earlier one may, too. */
function packetFor(rule: Rule, next: Next): Packet {
  const elsewhere = someContainer(next);
  const isInside = ((elsewhere ^ rule.destination) & maskOf(rule.destinationLength)) === 0;
  return {
    from: SENDING,
    to: RECEIVING,
    tag: 0,
    source: neighbour(next, rule.source, rule.sourceLength),
    destination: isInside ? elsewhere : rule.destination,
    protocol: rule.protocol === 0 ? TCP : rule.protocol,
    sourcePort: within(next, rule.sourcePorts),
    destinationPort: within(next, rule.destinationPorts),
  };
}

/** One packet after the other: nine in ten for a rule, the tenth for anything. */
export function packetsFor(rules: readonly Rule[], seed: number): () => Packet {
  const next = random(seed);
  return () => {
    const packet = packetFor(rules[below(next, rules.length)]!, next);
    if (next() < 0.9) return packet;
    return { ...packet, source: someSource(next), destinationPort: 1 + below(next, 0xffff) };
  };
}

/** Write a capture of `frames` such packets. */
export const writeFamily = (rules: readonly Rule[], seed: number, frames: number, path: string): void =>
  writeCapture(path, frames, frameLength(64), packetsFor(rules, seed));
