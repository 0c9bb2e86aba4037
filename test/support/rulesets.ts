/**
 * Random rulesets that iptables and the kernel take: arbitraries for Ruleset, Rule, Match and Target.
 *
 * What iptables keeps is what is generated: no option that stands for "everything", no rate that it would round, masks
 * applied to their addresses. So a ruleset, printed and parsed again, is the same ruleset; only `line` differs (0 here).
 * Where a rule stands decides what it may hold: `Scope` says so.
 */
import * as fc from 'fast-check';
import { HASHLIMIT_SCALE, LIMIT_SCALE, millisecondsOf, normalRate } from '../../src/rules/matches/rate.ts';
import {
  ADDRESS_TYPE,
  type Chain,
  type Counters,
  CTSTATE,
  type IpPart,
  type Masked,
  type Match,
  type NatRange,
  type Rate,
  type RejectWith,
  type Rule,
  type Ruleset,
  type Table,
  type TableName,
  type Target,
} from '../../src/rules/model.ts';
import { maskOf } from '../../src/wire/address.ts';

/** Where a rule stands. */
export interface Scope {
  readonly table: TableName;
  /** The built-in chain that the rule's chain is, or from which alone it is reached; null when there may be several. */
  readonly hook: string | null;
  /** The name of a built-in chain for its own rules, '' in a user-defined one. */
  readonly builtIn: string;
  /** Chains that a rule may jump or go to. */
  readonly chains: readonly string[];
}

const PLAIN_OBJECT = { noNullPrototype: true } as const;
const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> => fc.record(fields, PLAIN_OBJECT);
/** All fields may be absent. */
const partial = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> =>
  fc.record(fields, { ...PLAIN_OBJECT, requiredKeys: [] }) as fc.Arbitrary<Partial<T>>;

const word32 = fc.oneof(fc.constantFrom(0, 1, 0xff, 0xffff0000, 0xffffffff), fc.integer({ min: 0, max: 0xffffffff }));
const negated = fc.boolean();
const port = fc.oneof(
  fc.constantFrom(0, 22, 53, 80, 443, 1024, 8080, 61443, 65535),
  fc.integer({ min: 0, max: 65535 }),
);
/** A real range: not one port, not all of them. */
const wideRange = fc
  .tuple(port, port)
  .filter(([a, b]) => a !== b && Math.abs(a - b) !== 65535)
  .map(([a, b]) => ({ low: Math.min(a, b), high: Math.max(a, b) }));
const portRange = fc.oneof(
  port.map((one) => ({ low: one, high: one })),
  wideRange,
);
const address = fc.oneof(
  fc.constantFrom(0x0aff0104, 0x0aff0207, 0x7f000001, 0xffffffff),
  fc.integer({ min: 0, max: 0xffffffff }),
);
const addressRange = fc.tuple(address, address).map(([a, b]) => ({ low: Math.min(a, b), high: Math.max(a, b) }));
const flag = fc.boolean();

const mask = fc.oneof(fc.constant(0xffffffff), fc.integer({ min: 1, max: 32 }).map(maskOf), fc.constant(0xff00ff00));
const masked: fc.Arbitrary<Masked> = fc
  .tuple(address, mask, negated)
  .map(([one, bits, sign]) => ({ address: (one & bits) >>> 0, mask: bits, negated: sign }));

const interfaceName = fc.oneof(
  fc.constantFrom('eth0', 'lo', 'silk-vtep', 's-010255001004', 'eth+'),
  fc.stringMatching(/^[a-z][a-z0-9._-]{0,13}\+?$/),
);
const namedInterface = record({ name: interfaceName, negated });

/** Text that people put into comments and prefixes, with all that must be escaped. */
const text = (maximum: number): fc.Arbitrary<string> =>
  fc
    .oneof(
      fc.stringMatching(/^[A-Za-z0-9_:.-]{1,40}$/),
      fc.string({ minLength: 1, maxLength: maximum, unit: 'grapheme-ascii' }),
      fc
        .array(fc.constantFrom('a', ' ', '"', '\\', "'", '\t', 'é', '世'), { minLength: 1, maxLength: 20 })
        .map((all) => all.join('')),
    )
    .map((one) => {
      while (new TextEncoder().encode(one).length > maximum) one = one.slice(0, -1);
      return one;
    });

/** Rates that come back as they were written, with a burst that the kernel's 32-bit credits can hold. */
const rate = (scale: number): fc.Arbitrary<Rate> =>
  record<Rate>({ count: fc.integer({ min: 1, max: 200 }), per: fc.constantFrom('sec', 'min', 'hour') })
    .map((one) => normalRate(one, scale))
    .filter((one) => {
      const again = normalRate(one, scale);
      return again.count === one.count && again.per === one.per;
    });
const limit: fc.Arbitrary<Match> = record({
  kind: fc.constant('limit' as const),
  rate: rate(LIMIT_SCALE),
  burst: fc.integer({ min: 1, max: 100 }),
});

const subset = (bits: Readonly<Record<string, number>>): fc.Arbitrary<number> =>
  fc.subarray(Object.values(bits), { minLength: 1 }).map((some) => some.reduce((sum, bit) => sum | bit, 0));
/** What `-m state` knows: conntrack's states without the two of NAT. */
const STATES = Object.fromEntries(Object.entries(CTSTATE).filter(([name]) => !name.endsWith('NAT')));

const hashlimit: fc.Arbitrary<Match> = fc
  .tuple(
    record({
      kind: fc.constant('hashlimit' as const),
      mode: fc.constantFrom('upto' as const, 'above' as const),
      rate: rate(HASHLIMIT_SCALE),
      burst: fc.integer({ min: 1, max: 20 }),
      key: fc.subarray(['srcip', 'srcport', 'dstip', 'dstport'] as const),
      name: fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,27}$/),
    }),
    partial({
      sourceMask: fc.integer({ min: 0, max: 31 }),
      destinationMask: fc.integer({ min: 0, max: 31 }),
      tableSize: fc.integer({ min: 1, max: 512 }),
      tableMax: fc.integer({ min: 1, max: 100_000 }),
      gcIntervalMilliseconds: fc.integer({ min: 1, max: 100_000 }).filter((one) => one !== 1000),
      expireMilliseconds: fc.integer({ min: 1, max: 100_000 }),
    }),
  )
  .map(([head, rest]) => ({ ...head, ...rest }))
  .filter((one) => one.expireMilliseconds !== millisecondsOf(one.rate.per));

const addressTypes = record({ types: subset(ADDRESS_TYPE), negated });

/** addrtype; the interface of the packet is only known for sure in FORWARD. */
const addrtype = (hook: string | null): fc.Arbitrary<Match> =>
  fc
    .tuple(
      partial({ source: addressTypes, destination: addressTypes }).filter((one) => Object.keys(one).length > 0),
      hook === 'FORWARD' ? fc.constantFrom(undefined, 'in' as const, 'out' as const) : fc.constant(undefined),
    )
    .map(([types, limitInterface]) => ({ kind: 'addrtype', ...types, ...(limitInterface && { limitInterface }) }));

const negatablePorts = fc.tuple(portRange, negated).map(([range, sign]) => ({ ...range, negated: sign }));
const ports = partial({ sourcePorts: negatablePorts, destinationPorts: negatablePorts });
const tcpFlags = record({ mask: fc.integer({ min: 1, max: 63 }), set: fc.integer({ min: 0, max: 63 }), negated });

const multiport: fc.Arbitrary<Match> = record({
  kind: fc.constant('multiport' as const),
  which: fc.constantFrom('source' as const, 'destination' as const, 'either' as const),
  ranges: fc.array(portRange, { minLength: 1, maxLength: 7 }),
  negated,
});

const icmp: fc.Arbitrary<Match> = fc
  .tuple(
    fc.oneof(fc.constantFrom(0, 3, 5, 8, 11, 12), fc.integer({ min: 0, max: 255 })),
    fc.option(fc.integer({ min: 0, max: 255 })),
    negated,
  )
  .map(([type, code, sign]) => {
    const codes = code === null || type === 255 ? { codeLow: 0, codeHigh: 255 } : { codeLow: code, codeHigh: code };
    return { kind: 'icmp', type, ...codes, negated: sign };
  });

const PORT_PROTOCOLS: readonly number[] = [6, 17, 33, 132, 136];

/** One match that a rule with `protocol` (0 for none or a negated one) may hold at `scope`. */
export function match(protocol: number, scope: Scope): fc.Arbitrary<Match> {
  const arbitraries: fc.Arbitrary<Match>[] = [
    record({ kind: fc.constantFrom('mark' as const, 'connmark' as const), value: word32, mask: word32, negated }),
    record({ kind: fc.constant('state' as const), states: subset(STATES), negated }),
    record({ kind: fc.constant('conntrack' as const), states: subset(CTSTATE), negated }),
    record({ kind: fc.constant('comment' as const), text: text(255) }),
    limit,
    hashlimit,
    addrtype(scope.hook),
    fc.tuple(addressRange, negated, fc.boolean()).map(([range, sign, source]) => ({
      kind: 'iprange',
      [source ? 'source' : 'destination']: { ...range, negated: sign },
    })),
  ];
  if (protocol === 6) {
    arbitraries.push(
      fc.tuple(ports, fc.option(tcpFlags)).map(([both, flags]) => ({ kind: 'tcp', ...both, ...(flags && { flags }) })),
    );
  }
  if (protocol === 17) arbitraries.push(ports.map((both) => ({ kind: 'udp', ...both })));
  if (protocol === 1) arbitraries.push(icmp);
  if (PORT_PROTOCOLS.includes(protocol)) arbitraries.push(multiport);
  return fc.oneof(...arbitraries);
}

const REJECTS: readonly RejectWith[] = [
  'icmp-net-unreachable',
  'icmp-host-unreachable',
  'icmp-proto-unreachable',
  'icmp-port-unreachable',
  'icmp-net-prohibited',
  'icmp-host-prohibited',
  'icmp-admin-prohibited',
];

const log: fc.Arbitrary<Target> = record({
  kind: fc.constant('LOG' as const),
  level: fc.integer({ min: 0, max: 7 }),
  prefix: fc.oneof(fc.constant(''), text(29)),
  tcpSequence: flag,
  tcpOptions: flag,
  ipOptions: flag,
  uid: flag,
  macdecode: flag,
});

const nflog: fc.Arbitrary<Target> = fc
  .tuple(
    fc.integer({ min: 0, max: 65535 }),
    fc.oneof(fc.constant(''), text(63)),
    fc.option(fc.integer({ min: 0, max: 65535 })),
    fc.integer({ min: 0, max: 100 }),
  )
  .map(([group, prefix, size, threshold]) => ({
    kind: 'NFLOG',
    group,
    prefix,
    ...(size !== null && { size }),
    threshold,
  }));

const connmark: fc.Arbitrary<Target> = fc.oneof(
  fc.tuple(word32, word32).map(
    ([value, connectionMask]): Target => ({
      kind: 'CONNMARK',
      mode: 'set',
      value,
      connectionMask,
      packetMask: 0xffffffff,
    }),
  ),
  fc.tuple(fc.constantFrom('save' as const, 'restore' as const), word32, word32).map(
    ([mode, connectionMask, packetMask]): Target => ({
      kind: 'CONNMARK',
      mode,
      value: 0,
      connectionMask,
      packetMask,
    }),
  ),
);

type NatKind = 'DNAT' | 'SNAT' | 'MASQUERADE' | 'REDIRECT';
/** The flags that each target knows, and the built-in chains where the kernel takes it. */
const NAT: Readonly<Record<NatKind, { flags: readonly string[]; hooks: readonly string[] }>> = {
  DNAT: { flags: ['random', 'persistent'], hooks: ['PREROUTING', 'OUTPUT'] },
  SNAT: { flags: ['random', 'randomFully', 'persistent'], hooks: ['POSTROUTING', 'INPUT'] },
  MASQUERADE: { flags: ['random', 'randomFully'], hooks: ['POSTROUTING'] },
  REDIRECT: { flags: ['random'], hooks: ['PREROUTING', 'OUTPUT'] },
};

function nat(kind: NatKind, protocol: number): fc.Arbitrary<Target> {
  const known = NAT[kind].flags;
  const flags = record({ random: flag, randomFully: flag, persistent: flag }).map((all) => ({
    random: all.random && known.includes('random'),
    randomFully: all.randomFully && known.includes('randomFully'),
    persistent: all.persistent && known.includes('persistent'),
  }));
  const withPorts = [6, 17, 1].includes(protocol) ? fc.option(portRange) : fc.constant(null);
  const withAddress = kind === 'DNAT' || kind === 'SNAT' ? addressRange : fc.constant(null);
  return fc.tuple(withAddress, withPorts, flags).map(([addresses, range, bits]) => {
    const to: NatRange = {
      ...(addresses && { addressLow: addresses.low, addressHigh: addresses.high }),
      ...(range && { portLow: range.low, portHigh: range.high }),
      ...bits,
    };
    return { kind, to };
  });
}

/** One target that a rule with `protocol` may have at `scope`. */
export function target(protocol: number, scope: Scope): fc.Arbitrary<Target> {
  const plain = fc.constantFrom<Target[]>({ kind: 'ACCEPT' }, { kind: 'RETURN' }, { kind: 'none' });
  const arbitraries: fc.Arbitrary<Target>[] = [
    plain,
    log,
    nflog,
    connmark,
    record({ kind: fc.constant('MARK' as const), value: word32, mask: word32 }),
  ];
  if (scope.table !== 'nat') arbitraries.push(fc.constant({ kind: 'DROP' }));
  if (scope.table === 'filter') {
    const answers = protocol === 6 ? [...REJECTS, 'tcp-reset' as const] : REJECTS;
    arbitraries.push(fc.constantFrom(...answers).map((answer) => ({ kind: 'REJECT', with: answer })));
  }
  if (scope.table === 'nat' && scope.hook !== null) {
    const { hook } = scope;
    for (const kind of Object.keys(NAT) as NatKind[])
      if (NAT[kind].hooks.includes(hook)) arbitraries.push(nat(kind, protocol));
  }
  if (scope.chains.length > 0) {
    arbitraries.push(
      fc
        .tuple(fc.constantFrom('jump' as const, 'goto' as const), fc.constantFrom(...scope.chains))
        .map(([kind, chain]) => ({ kind, chain })),
    );
  }
  return fc.oneof(...arbitraries);
}

const ip = (protocol: number, { builtIn }: Scope): fc.Arbitrary<IpPart> =>
  partial({
    source: masked,
    destination: masked,
    ...(!['OUTPUT', 'POSTROUTING'].includes(builtIn) && { inInterface: namedInterface }),
    ...(!['INPUT', 'PREROUTING'].includes(builtIn) && { outInterface: namedInterface }),
    fragment: record({ negated }),
    ...(protocol === 0 && {
      protocol: record({ number: fc.integer({ min: 1, max: 255 }), negated: fc.constant(true) }),
    }),
  }).map((part) => (protocol === 0 ? part : { ...part, protocol: { number: protocol, negated: false } }));

const counter = fc.oneof(fc.integer({ min: 0, max: 200_000 }), fc.maxSafeNat());
const counters: fc.Arbitrary<Counters> = record({ packets: counter, bytes: counter });

/**
 * Whether iptables gives back these matches as they were written. It trips over `-m connmark -m mark -m connmark` (both
 * have an option --mark), and its nft backend folds two `-m tcp` into one.
 */
function keptByIptables(matches: readonly Match[]): boolean {
  const kinds = matches.map(({ kind }) => kind);
  const marks = kinds.filter((kind) => kind === 'mark' || kind === 'connmark');
  const ports = kinds.filter((kind) => kind === 'tcp' || kind === 'udp');
  return ports.length < 2 && (new Set(marks).size < 2 || marks.length === 2);
}

/** One rule for `scope`, with counters or without. */
export const rule = (scope: Scope, counted = false): fc.Arbitrary<Rule> =>
  fc.oneof(fc.constantFrom(0, 6, 17, 1), fc.constantFrom(0, 6, 17, 47, 132, 254)).chain((protocol) =>
    record<Rule>({
      ip: ip(protocol, scope),
      matches: fc.array(match(protocol, scope), { maxLength: 3 }).filter(keptByIptables),
      target: target(protocol, scope),
      counters: counted ? counters : fc.constant(null),
      line: fc.constant(0),
    }),
  );

const BUILT_IN: Readonly<Record<TableName, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
};
/** User-defined chains hang below one built-in chain each, so that targets stay where the kernel takes them. */
const HOOKS: Readonly<Record<TableName, readonly string[]>> = {
  ...BUILT_IN,
  filter: ['FORWARD'],
  security: ['FORWARD'],
};

interface Shape {
  readonly name: string;
  readonly hook: string;
}

const chainName = fc.stringMatching(/^[a-z][A-Za-z0-9_-]{0,26}$/);
const shapes = (table: TableName): fc.Arbitrary<Shape[]> =>
  fc.uniqueArray(chainName, { maxLength: 4 }).chain((names) =>
    fc
      .array(fc.constantFrom(...HOOKS[table]), { minLength: names.length, maxLength: names.length })
      // Sorted, as iptables keeps user-defined chains.
      .map((hooks) => [...names].sort().map((name, index) => ({ name, hook: hooks[index]! }))),
  );

function chain(
  table: TableName,
  shape: Shape | null,
  builtIn: string,
  later: readonly Shape[],
  counted: boolean,
): fc.Arbitrary<Chain> {
  const hook = shape?.hook ?? builtIn;
  const scope: Scope = {
    table,
    hook,
    builtIn,
    chains: later.filter((one) => one.hook === hook).map(({ name }) => name),
  };
  const rules = fc.array(rule(scope, counted), { maxLength: 4 });
  if (shape !== null)
    return record<Chain>({
      name: fc.constant(shape.name),
      policy: fc.constant(null),
      counters: fc.constant({ packets: 0, bytes: 0 }),
      rules,
    });
  const policy = table === 'nat' ? fc.constant('ACCEPT' as const) : fc.constantFrom('ACCEPT' as const, 'DROP' as const);
  return record<Chain>({ name: fc.constant(builtIn), policy, counters, rules });
}

/** One table; every jump goes to a later chain, so there is no circle. */
export const table = (name: TableName, counted = false): fc.Arbitrary<Table> =>
  shapes(name).chain((all) =>
    fc
      .tuple(
        ...BUILT_IN[name].map((builtIn) => chain(name, null, builtIn, all, counted)),
        ...all.map((shape, index) => chain(name, shape, '', all.slice(index + 1), counted)),
      )
      .map((chains): Table => ({ name, chains })),
  );

/** A ruleset of some of `names`; `counted` gives every rule counters, as `iptables-save -c` does. */
export const ruleset = (
  names: readonly TableName[] = ['raw', 'mangle', 'nat', 'filter'],
  counted = false,
): fc.Arbitrary<Ruleset> =>
  fc
    .subarray([...names], { minLength: 1 })
    .chain((some) => fc.tuple(...some.map((name) => table(name, counted))))
    .map((tables) => ({ tables }));
