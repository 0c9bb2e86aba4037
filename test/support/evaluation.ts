/**
 * Random tables and packets for holding one evaluator against another: constants come from small pools, so that rules and
 * packets meet, and packets sit on the edges of what the table's rules ask.
 *
 * `tables` shrinks (fast-check); `PacketSource` draws from the constants of one table with a seed.
 */
import * as fc from 'fast-check';
import type { InterfaceNames } from '../../src/rules/interfaces.ts';
import type { Chain, IpPart, Masked, Match, NegatablePorts, Rule, Table, Target } from '../../src/rules/model.ts';
import type { Outcome, RulePacket } from '../../src/rules/packet.ts';

const NETWORK = 0x0aff0100;
const INTERFACES = ['eth0', 'eth1', 'silk-vtep', 's-010255001004', 's-010255001005'] as const;
const PORTS = [0, 53, 80, 81, 8080, 61_000, 65_535];
const MARKS = [0, 1, 2, 0xffff0000, 0x80000001, 0xffffffff];
const USER_CHAINS = 6;
/** The built-in chains of every table made here. */
export const BUILT_IN = ['INPUT', 'FORWARD'] as const;

const address = fc.integer({ min: 0, max: 7 }).map((host) => NETWORK + host);
const negated = fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true));
const masked: fc.Arbitrary<Masked> = fc
  .record({ address, mask: fc.constantFrom(0xffffffff, 0xffffffff, 0xfffffffe, 0xffffff00, 0xffff0000, 0), negated })
  .map((block) => ({ ...block, address: (block.address & block.mask) >>> 0 }));
const range = fc
  .tuple(fc.constantFrom(...PORTS), fc.constantFrom(...PORTS))
  .map(([one, other]) => ({ low: Math.min(one, other), high: Math.max(one, other) }));
const ports: fc.Arbitrary<NegatablePorts> = fc
  .record({ range, negated })
  // "No port at all" is not what iptables-nft makes of `! --sport 0:65535`: it leaves the match out, so it is never in a dump.
  .map((one) => ({ ...one.range, negated: one.negated && (one.range.low > 0 || one.range.high < 65_535) }));
/** Present once in `outOf` cases. */
const maybe = <T>(arbitrary: fc.Arbitrary<T>, outOf = 2): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: outOf - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
/** Absent fields are left out, as the parser leaves them out. */
const tidy = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;

const interfaceName = fc.record({
  name: fc.constantFrom(...INTERFACES, 's-+', 'eth+', '+', 'later0'),
  negated,
});
const ip: fc.Arbitrary<IpPart> = fc
  .record({
    source: maybe(masked, 3),
    destination: maybe(masked, 3),
    inInterface: maybe(interfaceName, 6),
    outInterface: maybe(interfaceName, 5),
    protocol: maybe(fc.record({ number: fc.constantFrom(0, 1, 6, 17, 17, 6, 132), negated }), 4),
    fragment: maybe(fc.record({ negated }), 16),
  })
  .map((part) => tidy(part) as IpPart);

const addressRange = fc
  .record({ one: address, other: address, negated })
  .map(({ one, other, negated: not }) => ({ low: Math.min(one, other), high: Math.max(one, other), negated: not }));
const states = fc.constantFrom(1, 2, 4, 6, 8, 9, 64, 73);
const marked = fc
  .record({ value: fc.constantFrom(...MARKS), mask: fc.constantFrom(0xffffffff, 0xffffffff, 0xffff, 1), negated })
  .map((one) => ({ ...one, value: (one.value & one.mask) >>> 0 }));
const rate = fc.record({ count: fc.constantFrom(1, 3, 100), per: fc.constantFrom('sec', 'sec', 'min', 'hour') });

const match: fc.Arbitrary<Match> = fc
  .oneof(
    fc.record({
      kind: fc.constant('tcp'),
      sourcePorts: maybe(ports),
      destinationPorts: maybe(ports),
      flags: maybe(fc.record({ mask: fc.constantFrom(0, 2, 23), set: fc.constantFrom(0, 2), negated })),
    }),
    fc.record({ kind: fc.constant('udp'), sourcePorts: maybe(ports), destinationPorts: maybe(ports) }),
    fc.record({
      kind: fc.constant('icmp'),
      type: fc.constantFrom(0, 3, 8, 255),
      codeLow: fc.constantFrom(0, 1),
      codeHigh: fc.constantFrom(1, 255),
      negated,
    }),
    fc.record({
      kind: fc.constant('multiport'),
      which: fc.constantFrom('source', 'destination', 'either'),
      ranges: fc.array(range, { minLength: 1, maxLength: 3 }),
      negated,
    }),
    fc.record({ kind: fc.constant('iprange'), source: maybe(addressRange), destination: maybe(addressRange) }),
    marked.map((one) => ({ kind: 'mark', ...one })),
    marked.map((one) => ({ kind: 'mark', ...one })),
    marked.map((one) => ({ kind: 'connmark', ...one })),
    fc.record({ kind: fc.constant('state'), states, negated }),
    fc.record({ kind: fc.constant('conntrack'), states, negated }),
    fc.record({ kind: fc.constant('comment'), text: fc.constant('a comment') }),
    fc.record({ kind: fc.constant('limit'), rate, burst: fc.constantFrom(1, 3, 5) }),
    fc.record({
      kind: fc.constant('hashlimit'),
      mode: fc.constantFrom('upto', 'above'),
      rate,
      burst: fc.constantFrom(1, 3),
      key: fc.subarray(['srcip', 'srcport', 'dstip', 'dstport']),
      name: fc.constantFrom('one', 'two'),
      sourceMask: maybe(fc.constantFrom(0, 24, 31, 32)),
      destinationMask: maybe(fc.constantFrom(0, 31)),
      tableSize: maybe(fc.constantFrom(1, 8)),
      tableMax: maybe(fc.constantFrom(1, 3)),
      gcIntervalMilliseconds: maybe(fc.constantFrom(10, 1000)),
      expireMilliseconds: maybe(fc.constantFrom(20, 5000)),
    }),
    fc.record({
      kind: fc.constant('addrtype'),
      source: maybe(fc.record({ types: fc.constantFrom(2, 4, 6), negated })),
      destination: maybe(fc.record({ types: fc.constantFrom(2, 4, 6), negated })),
    }),
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('unknown'), module: fc.constant('u32'), text: fc.constant('') }),
    },
  )
  .map((one) => tidy(one) as Match);

const NO_NAT = { random: false, randomFully: false, persistent: false };
const LOG = {
  kind: 'LOG',
  level: 4,
  prefix: '',
  tcpSequence: false,
  tcpOptions: false,
  ipOptions: false,
  uid: false,
  macdecode: false,
};
const fixed = (...targets: object[]): fc.Arbitrary<Target> => fc.constantFrom(...(targets as Target[]));
const word = fc.constantFrom(...MARKS, 0xff);

const jumpFrom = (chain: number): fc.Arbitrary<Target> =>
  fc.record({
    kind: fc.constantFrom('jump', 'jump', 'goto'),
    chain: fc.integer({ min: chain + 1, max: USER_CHAINS - 1 }).map((number) => `c${number}`),
  });

const targetFrom = (chain: number): fc.Arbitrary<Target> => {
  const ends = fixed(
    { kind: 'ACCEPT' },
    { kind: 'DROP' },
    { kind: 'RETURN' },
    { kind: 'RETURN' },
    { kind: 'REJECT', with: 'icmp-port-unreachable' },
    { kind: 'REJECT', with: 'tcp-reset' },
    { kind: 'DNAT', to: NO_NAT },
  );
  const goesOn = fixed(
    { kind: 'none' },
    LOG,
    LOG,
    { kind: 'NFLOG', group: 1, prefix: '', threshold: 1 },
    { kind: 'unknown', name: 'TOS', text: '' },
  );
  const mark = fc.record({ kind: fc.constant('MARK'), value: word, mask: word }) as fc.Arbitrary<Target>;
  const connmark = fc.record({
    kind: fc.constant('CONNMARK'),
    mode: fc.constantFrom('set', 'save', 'restore'),
    value: word,
    connectionMask: word,
    packetMask: word,
  }) as fc.Arbitrary<Target>;
  const rest = [
    { weight: 3, arbitrary: ends },
    { weight: 3, arbitrary: goesOn },
    { weight: 3, arbitrary: mark },
    { weight: 1, arbitrary: connmark },
  ];
  return chain + 1 < USER_CHAINS ? fc.oneof(...rest, { weight: 6, arbitrary: jumpFrom(chain) }) : fc.oneof(...rest);
};

const ruleIn = (chain: number): fc.Arbitrary<Rule> =>
  fc.record({
    ip: fc.oneof({ weight: 3, arbitrary: ip }, fc.constant({})),
    matches: fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      { weight: 3, arbitrary: fc.tuple(match) },
      { weight: 2, arbitrary: fc.array(match, { maxLength: 3 }) },
    ),
    target: targetFrom(chain),
    counters: fc.constant(null),
    line: fc.constant(0),
  });

/** Tables of two built-in chains and six others, with jumps only to later chains. */
export const tables: fc.Arbitrary<Table> = fc
  .tuple(
    ...BUILT_IN.map(() => fc.array(ruleIn(-1), { minLength: 1, maxLength: 14, size: 'max' })),
    ...Array.from({ length: USER_CHAINS }, (_, chain) => fc.array(ruleIn(chain), { maxLength: 10, size: 'max' })),
  )
  .chain((lists) => fc.tuple(fc.constant(lists), fc.constantFrom<'ACCEPT' | 'DROP'>('ACCEPT', 'DROP')))
  .map(([lists, policy]) => ({
    name: 'filter',
    chains: lists.map((rules, index): Chain => {
      const builtIn = BUILT_IN[index];
      const name = builtIn ?? `c${index - BUILT_IN.length}`;
      return { name, policy: builtIn === undefined ? null : policy, counters: null, rules };
    }),
  }));

/** mulberry32. */
export function createRandom(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) % below;
  };
}

/** Values on the edges of what a table asks, by field. */
interface Edges {
  readonly addresses: number[];
  readonly ports: number[];
  readonly marks: number[];
}

const around = (low: number, high: number): number[] => [low - 1, low, high, high + 1];

/** Collect the constants of `table` with their neighbours: every number in it is an address, a port or a mark to somebody. */
function edgesOf(table: Table): Edges {
  const edges: Edges = { addresses: [NETWORK], ports: [0, 65_535], marks: [0] };
  for (const { rules } of table.chains) {
    for (const rule of rules) {
      for (const block of [rule.ip.source, rule.ip.destination]) {
        if (block) edges.addresses.push(...around(block.address, block.address + (~block.mask >>> 0)));
      }
      if (rule.target.kind === 'MARK') edges.marks.push(rule.target.value);
      for (const one of rule.matches) addEdges(one, edges);
    }
  }
  return {
    addresses: edges.addresses.map((value) => value >>> 0),
    ports: edges.ports.map((value) => value & 0xffff),
    marks: edges.marks.map((value) => value >>> 0),
  };
}

function addEdges(one: Match, edges: Edges): void {
  if (one.kind === 'tcp' || one.kind === 'udp') {
    for (const range of [one.sourcePorts, one.destinationPorts])
      if (range) edges.ports.push(...around(range.low, range.high));
  } else if (one.kind === 'multiport') {
    for (const range of one.ranges) edges.ports.push(...around(range.low, range.high));
  } else if (one.kind === 'iprange') {
    for (const range of [one.source, one.destination])
      if (range) edges.addresses.push(...around(range.low, range.high));
  } else if (one.kind === 'mark' || one.kind === 'connmark') {
    edges.marks.push(one.value, one.value ^ 1, one.value ^ 0x80000000);
  }
}

type Pick = <T>(values: readonly T[]) => T;
const lowHigh = (range: { readonly low: number; readonly high: number }): number[] => [range.low, range.high];
const ofBlock = ({ address: base, mask }: Masked): number[] => [base, (base | ~mask) >>> 0];

/** Move a packet into what `rule` asks, negations aside: an edge of each of its intervals. */
function aim(rule: Rule, packet: RulePacket, interfaces: InterfaceNames, pick: Pick): void {
  const { source, destination, inInterface, outInterface, protocol } = rule.ip;
  if (source && source.mask !== 0) packet.source = pick(ofBlock(source));
  if (destination && destination.mask !== 0) packet.destination = pick(ofBlock(destination));
  if (inInterface) packet.inInterface = interfaces.number(inInterface.name.replace('+', ''));
  if (outInterface) packet.outInterface = interfaces.number(outInterface.name.replace('+', ''));
  if (protocol && protocol.number !== 0 && !protocol.negated) setProtocol(packet, protocol.number);
  for (const match of rule.matches) aimMatch(match, packet, pick);
}

function setProtocol(packet: RulePacket, protocol: number): void {
  packet.protocol = protocol;
  const readable = protocol === 1 || protocol === 6 || protocol === 17;
  packet.transport = packet.fragmentOffset === 0 && readable ? 1 : 0;
}

function aimMatch(match: Match, packet: RulePacket, pick: Pick): void {
  switch (match.kind) {
    case 'tcp':
    case 'udp':
      setProtocol(packet, match.kind === 'tcp' ? 6 : 17);
      if (match.sourcePorts) packet.sourcePort = pick(lowHigh(match.sourcePorts));
      if (match.destinationPorts) packet.destinationPort = pick(lowHigh(match.destinationPorts));
      if (match.kind === 'tcp' && match.flags) packet.tcpFlags = match.flags.set;
      break;
    case 'icmp':
      setProtocol(packet, 1);
      packet.icmpType = match.type;
      packet.icmpCode = pick([match.codeLow, match.codeHigh]);
      break;
    case 'multiport':
      if (packet.protocol !== 17) setProtocol(packet, 6);
      if (match.which !== 'destination') packet.sourcePort = pick(lowHigh(pick(match.ranges)));
      if (match.which !== 'source') packet.destinationPort = pick(lowHigh(pick(match.ranges)));
      break;
    case 'iprange':
      if (match.source) packet.source = pick(lowHigh(match.source));
      if (match.destination) packet.destination = pick(lowHigh(match.destination));
      break;
    case 'mark':
      packet.mark = ((packet.mark & ~match.mask) | match.value) >>> 0;
      break;
    case 'connmark':
      packet.connectionMark = ((packet.connectionMark & ~match.mask) | match.value) >>> 0;
      break;
    case 'state':
    case 'conntrack':
      packet.ctstate = pick([1, 2, 4, 8, 64].filter((state) => (state & match.states) !== 0));
      break;
    case 'addrtype':
      if (match.source) packet.sourceType = match.source.types & 2 || match.source.types;
      if (match.destination) packet.destinationType = match.destination.types & 2 || match.destination.types;
      break;
    default:
      break;
  }
}

const STEPS = [
  0, 0, 1_000, 3_999_999, 4_000_000, 20_000_000, 333_000_000, 1_000_000_000, 61_000_000_000, 3.7e12, 1.4e14,
];

/** A packet with every field from the constants of a table, or from what matches can tell apart. */
function scatter(packet: RulePacket, edges: Edges, interfaces: InterfaceNames, pick: Pick): void {
  packet.inInterface = interfaces.number(pick(['', ...INTERFACES]));
  packet.outInterface = interfaces.number(pick(['', ...INTERFACES]));
  packet.source = pick(edges.addresses);
  packet.destination = pick(edges.addresses);
  packet.fragmentOffset = 0;
  setProtocol(packet, pick([1, 6, 6, 6, 17, 17, 17, 132, 47, 50]));
  packet.sourcePort = pick(edges.ports);
  packet.destinationPort = pick(edges.ports);
  packet.tcpFlags = pick([0, 2, 16, 18, 255]);
  packet.icmpType = pick([0, 3, 8, 255]);
  packet.icmpCode = pick([0, 1, 2, 255]);
  packet.mark = pick(edges.marks);
  packet.connectionMark = pick(edges.marks);
  packet.ctstate = pick([0, 1, 2, 4, 8, 64, 2 | 128, 8 | 256]);
  packet.sourceType = pick([2, 4, 8]);
  packet.destinationType = pick([2, 4, 8]);
}

/** Move one field to an edge, so that a packet misses a rule by one. */
function nudge(packet: RulePacket, edges: Edges, pick: Pick): void {
  const field = pick([
    'source',
    'destination',
    'sourcePort',
    'destinationPort',
    'mark',
    'tcpFlags',
    'none',
    'none',
  ] as const);
  if (field === 'source' || field === 'destination') packet[field] = pick(edges.addresses);
  else if (field === 'sourcePort' || field === 'destinationPort') packet[field] = pick(edges.ports);
  else if (field === 'mark') packet.mark = pick(edges.marks);
  else if (field === 'tcpFlags') packet.tcpFlags = pick([0, 2, 16, 18, 255]);
}

/** Hide the transport header, or part of it; what is hidden reads as 0. */
function damage(packet: RulePacket, pick: Pick): void {
  packet.fragmentOffset = pick([0, 0, 8, 16, 1480]);
  packet.transport = packet.fragmentOffset === 0 ? pick([0, 2]) : pick([0, 1]);
}

/**
 * Fill packets on the edges of `table`: scattered, then aimed at a rule or two, then nudged, one in eight with a transport
 * header that cannot be read. Time moves on by steps from nothing to hours.
 */
export function packetsFor(table: Table, interfaces: InterfaceNames, seed: number): (packet: RulePacket) => void {
  const random = createRandom(seed);
  const edges = edgesOf(table);
  const rules = table.chains.flatMap((chain) => chain.rules);
  const pick: Pick = (values) => values[random(values.length)]!;
  let time = 0;
  return (packet) => {
    time += pick(STEPS.slice(0, 4 + random(STEPS.length - 3)));
    packet.time = time;
    scatter(packet, edges, interfaces, pick);
    for (let aims = random(4); aims > 0 && rules.length > 0; aims -= 1) aim(pick(rules), packet, interfaces, pick);
    nudge(packet, edges, pick);
    if (random(8) === 0) damage(packet, pick);
    if (packet.transport === 0) packet.sourcePort = packet.destinationPort = 0;
    packet.length = 20 + random(1480);
  };
}

/** An outcome as plain data, for comparison and for messages. */
export const plainOutcome = (outcome: Outcome): object => ({
  verdict: outcome.verdict,
  rule: outcome.rule,
  mark: outcome.mark,
  connectionMark: outcome.connectionMark,
  logCount: outcome.logCount,
  logs: Array.from(outcome.logRules.subarray(0, Math.min(outcome.logCount, outcome.logRules.length))),
  logMarks: Array.from(outcome.logMarks.subarray(0, Math.min(outcome.logCount, outcome.logRules.length))),
});
