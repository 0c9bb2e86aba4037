/**
 * Meters: the state of the matches that remember packets (limit, hashlimit). The walks of all built-in chains of a table
 * share one, because a rule in a chain that INPUT and FORWARD both reach has one bucket.
 */
import type { Backend } from './evaluator.ts';
import { createHashlimit, HASHLIMIT, type Hashlimit, takeHashlimit } from './hashlimit.ts';
import { createLimit, type Limit, takeLimit } from './limit.ts';
import type { Match, Rule } from './model.ts';
import type { RulePacket } from './packet.ts';
import { printRule } from './print-save.ts';
import { type NumberedRule, type RuleTable, TRAIT } from './table.ts';

export interface Meter {
  /** One of the two is there. */
  readonly limit: Limit | null;
  readonly hashlimit: Hashlimit | null;
  /** hashlimit's `above`: the match holds while the bucket does not pay. */
  readonly above: boolean;
}

export interface Meters {
  /** In the order of the rules, and of the matches within a rule. */
  readonly list: readonly Meter[];
  /** Index in `list` of the first meter of each rule, by rule id; a rule without one has that of the next. */
  readonly first: Int32Array;
}

/** Meters of a table that is being replaced. */
export interface EarlierMeters {
  readonly rules: RuleTable;
  readonly meters: Meters;
}

/**
 * Meters for every limit and hashlimit of `table`, full unless they go on from `earlier`. A hashlimit goes on when its name does
 * (xt_hashlimit.c keeps tables by name). A limit goes on when its rule is the same object and the
 * backend is nft: legacy puts a whole new table into the kernel, and xt_limit.c begins each of its rules anew. Where nothing
 * differs it puts none there, as when iptables-restore fills a chain with nothing.
 */
export function createMeters(table: RuleTable, backend: Backend, earlier?: EarlierMeters): Meters {
  const list: Meter[] = [];
  const shared = hashlimitsOf(earlier);
  const before = metersByRule(earlier);
  // Where nothing differs, rules may be other objects that say the same.
  const same = earlier !== undefined && isSameTable(earlier.rules, table) ? earlier.rules : null;
  const first = new Int32Array(table.rules.length);
  for (const { id, rule } of table.rules) {
    first[id] = list.length;
    if ((table.traits[id]! & TRAIT.METERED) === 0) continue;
    const old = same === null ? rule : same.rules[id]!.rule;
    const kept = same === null && backend === 'legacy' ? undefined : before.get(old);
    for (const [index, match] of rule.matches.filter(isMetered).entries()) {
      const known = kept?.[index];
      const meter = known?.limit ? known : createMeter(match, backend, shared);
      if (meter !== null) list.push(meter);
    }
  }
  return { list, first };
}

/** Whether two tables have the same chains, policies and rules. */
function isSameTable(one: RuleTable, other: RuleTable): boolean {
  if (one.rules.length !== other.rules.length || one.chains.size !== other.chains.size) return false;
  const others = [...other.chains.values()];
  return (
    [...one.chains.values()].every(
      ({ name, policy }, at) => name === others[at]!.name && policy === others[at]!.policy,
    ) && one.rules.every(({ chain, rule }, id) => isSameRule(chain.name, rule, other.rules[id]!))
  );
}

const isSameRule = (chain: string, rule: Rule, other: NumberedRule): boolean =>
  chain === other.chain.name && (rule === other.rule || printRule(chain, rule) === printRule(chain, other.rule));

/** Names and states of the hashlimits of a table. */
function hashlimitsOf(earlier: EarlierMeters | undefined): Map<string, Hashlimit> {
  const shared = new Map<string, Hashlimit>();
  for (const [rule, meters] of metersByRule(earlier)) {
    for (const [index, match] of rule.matches.filter(isMetered).entries()) {
      const hashlimit = meters[index]?.hashlimit;
      if (match.kind === 'hashlimit' && hashlimit) shared.set(match.name, hashlimit);
    }
  }
  return shared;
}

const isMetered = ({ kind }: Match): boolean => kind === 'limit' || kind === 'hashlimit';

/** The meters of each rule that has some. */
function metersByRule(earlier: EarlierMeters | undefined): Map<Rule, readonly Meter[]> {
  const byRule = new Map<Rule, readonly Meter[]>();
  if (earlier === undefined) return byRule;
  const { list, first } = earlier.meters;
  for (const { id, rule } of earlier.rules.rules) {
    const end = first[id + 1] ?? list.length;
    if (first[id]! < end) byRule.set(rule, list.slice(first[id], end));
  }
  return byRule;
}

function createMeter(match: Match, backend: Backend, shared: Map<string, Hashlimit>): Meter | null {
  if (match.kind === 'limit') {
    return { limit: createLimit(match.rate, match.burst, backend), hashlimit: null, above: false };
  }
  if (match.kind !== 'hashlimit') return null;
  const hashlimit = shared.get(match.name) ?? createHashlimit(match);
  shared.set(match.name, hashlimit);
  return { limit: null, hashlimit, above: match.mode === 'above' };
}

/** What `ask` says. */
export const METER = { MISS: 0, MATCH: 1, HOTDROP: 2 } as const;

/** Ask a meter about a packet, which it charges. Only to be asked when everything before it in the rule agreed. */
export function ask(meter: Meter, packet: RulePacket): number {
  if (meter.limit !== null) return takeLimit(meter.limit, packet.time) ? METER.MATCH : METER.MISS;
  const answer = takeHashlimit(meter.hashlimit!, packet);
  if (answer === HASHLIMIT.HOTDROP) return METER.HOTDROP;
  return (answer === HASHLIMIT.ABOVE) === meter.above ? METER.MATCH : METER.MISS;
}
