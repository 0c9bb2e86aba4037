/**
 * Compile: the rules of a table as matchers over hash tables, with the same answers as the reference for every packet.
 *
 * Each built-in chain is planned on its own. It has two plans: one for regular packets, and one for packets whose transport header no match
 * can read (see condition.ts). A plan is made when the first packet comes that needs it, for most captures need few of them; that for packets of a
 * kind is made when its chain is prepared, because it is the one that a cell cannot do without.
 */
import { type Arena, heap } from '../memory/arena.ts';
import { builtInChain, type ChainIndex, indexChains } from './chains.ts';
import { type Condition, conditionsOf, type Operands } from './condition.ts';
import { type Backend, createCounters, type Evaluator } from './evaluator.ts';
import { defaultCopies, flatten } from './flatten.ts';
import { addCounters } from './flow.ts';
import { settleFronts } from './front.ts';
import type { InterfaceNames } from './interfaces.ts';
import { type Known, simplified } from './known.ts';
import { walk } from './matcher.ts';
import { createMeters, type EarlierMeters, type Meters } from './meters.ts';
import type { Table } from './model.ts';
import type { Outcome, RulePacket } from './packet.ts';
import { layOut, type Plan, releasePlan } from './plan.ts';
import type { Context } from './program.ts';
import { numberRules, type RuleTable } from './table.ts';
import { settle } from './ways.ts';

export interface CompileOptions {
  readonly backend: Backend;
  /** Where limits are kept; full ones of its own unless given. */
  readonly meters?: Meters;
  /** Meters of the rules that these replace, see `createMeters`. */
  readonly earlier?: EarlierMeters;
  /** How many rules inlining may write more than once; see flatten.ts. */
  readonly copies?: number;
  /** Where the sums of ways are kept; the heap unless given. */
  readonly arena?: Arena;
}

/** The plans of one built-in chain: for all packets, or for those that have something in common. */
export interface Matcher {
  readonly name: string;
  /** Number of the chain. */
  readonly chain: number;
  readonly accepts: boolean;
  /** null until a packet needs it. */
  regular: Plan | null;
  irregular: Plan | null;
}

export interface CompiledTable extends Evaluator {
  /** A built-in chain by the number that `prepare` gave, and its plan for regular packets. */
  matcher(chain: number): Matcher & { readonly regular: Plan };
}

interface Source {
  readonly rules: RuleTable;
  readonly chains: ChainIndex;
  readonly operands: Operands;
  /** Shared by all plans; its ranges are written anew after each planning. */
  readonly context: Context;
  readonly copies: number;
  readonly arena: Arena;
  /** Conditions of rules by id, for regular packets and for others: plans of several chains and kinds of packets share them. */
  readonly conditions: { readonly regular: Conditions; readonly irregular: Conditions };
}

type Conditions = (readonly Condition[] | undefined)[];

/** Compile `table`. Throws ChainError when its chains do not fit together. */
export function compile(table: Table, interfaces: InterfaceNames, options: CompileOptions): CompiledTable {
  const rules = numberRules(table);
  const chains = indexChains(rules);
  const backend = options.backend;
  const meters = options.meters ?? createMeters(rules, backend, options.earlier);
  const operands: Operands = { backend, interfaces, patterns: [], ranges: [] };
  const context: Context = {
    meters,
    interfaces,
    patterns: operands.patterns,
    covered: [],
    ranges: new Int32Array(0),
  };
  const copies = options.copies ?? defaultCopies(rules.rules.length);
  const source: Source = {
    rules,
    chains,
    operands,
    context,
    copies,
    arena: options.arena ?? heap,
    conditions: { regular: [], irregular: [] },
  };
  const matchers: (Matcher | undefined)[] = chains.names.map(() => undefined);
  const counters = createCounters(rules.rules.length, chains.names.length);

  function prepare(name: string, known?: Known): number {
    const chain = builtInChain(chains, name);
    if (known !== undefined) return matchers.push(createMatcher(source, chain, planOf(source, chain, true, known))) - 1;
    matchers[chain] ??= createMatcher(source, chain, null);
    return chain;
  }

  function evaluate(chain: number, packet: RulePacket, outcome: Outcome): void {
    const matcher = matchers[chain]!;
    const regular = isRegular(packet);
    if (regular) matcher.regular ??= planOf(source, matcher.chain, true, null);
    else matcher.irregular ??= planOf(source, matcher.chain, false, null);
    walk(regular ? matcher.regular! : matcher.irregular!, context, matcher.accepts, packet, outcome);
  }

  function readCounters(): typeof counters {
    counters.packets.fill(0);
    counters.bytes.fill(0);
    counters.policyPackets.fill(0);
    counters.policyBytes.fill(0);
    for (const matcher of matchers) {
      if (matcher === undefined) continue;
      const { chain, regular, irregular } = matcher;
      if (regular !== null) {
        settle(regular.ways, regular);
        if (regular.fronts !== null) settleFronts(regular.fronts, regular.hits);
        addCounters(regular, chain, counters);
      }
      if (irregular !== null) addCounters(irregular, chain, counters);
    }
    return counters;
  }

  function plan(chain: number): Plan {
    const one = matchers[chain]!;
    one.regular ??= planOf(source, one.chain, true, null);
    return one.regular;
  }
  const matcher = (chain: number): Matcher & { regular: Plan } => ({ ...matchers[chain]!, regular: plan(chain) });
  function release(): void {
    for (const one of matchers) {
      if (one === undefined) continue;
      if (one.regular !== null) releasePlan(one.regular);
      if (one.irregular !== null) releasePlan(one.irregular);
    }
  }
  return { rules, backend, meters, prepare, evaluate, plan, release, counters: readCounters, matcher };
}

const createMatcher = ({ chains }: Source, chain: number, regular: Plan | null): Matcher => ({
  name: chains.names[chain]!,
  chain,
  accepts: chains.policy[chain] === 1,
  regular,
  irregular: null,
});

/** Whether rules may change the mark of a packet. */
const changesMarks = ({ rules }: RuleTable): boolean =>
  rules.some(({ rule }) => rule.target.kind === 'MARK' || rule.target.kind === 'CONNMARK');

function planOf(source: Source, chain: number, regular: boolean, known: Known | null): Plan {
  const { rules, chains, context, operands } = source;
  const { patterns, interfaces } = operands;
  const marks = known !== null && changesMarks(rules);
  const all = regular ? source.conditions.regular : source.conditions.irregular;
  const conditions = (id: number): readonly Condition[] => {
    all[id] ??= conditionsOf(rules.rules[id]!.rule, context.meters.first[id]!, regular, operands);
    return known === null ? all[id] : simplified(all[id], known, patterns, interfaces, marks);
  };
  const flat = flatten(rules, chains, chain, conditions, source.copies);
  const plan = layOut(flat, regular, chains.names.length, source.arena, known !== null);
  while (context.covered.length < operands.patterns.length) {
    context.covered.push(new Int8Array(operands.interfaces.size).fill(-1));
  }
  context.ranges = Int32Array.from(operands.ranges);
  return plan;
}

/** Protocols whose header some match reads: ICMP, TCP, UDP, DCCP, SCTP, UDP-Lite. */
const READ = new Uint8Array(256);
for (const protocol of [1, 6, 17, 33, 132, 136]) READ[protocol] = 1;

const isRegular = (packet: RulePacket): boolean =>
  packet.fragmentOffset === 0 && (packet.transport === 1 || READ[packet.protocol & 0xff] === 0);
