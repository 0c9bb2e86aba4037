/**
 * Schedule: which rules a cell runs from when on, as the policy agent writes them.
 *
 * The agent asks for policies every `pollInterval` and for security groups every `groupPollInterval`, does one thing after the
 * other, and writes only what differs from what it wrote last. New policies take three steps that packets can tell apart
 * (silk-release, vxlan-policy-agent/enforcer/enforcer.go: enforce, cleanupOldRules): a jump to the new, still empty chain comes to
 * stand first in FORWARD; the chain is filled by one iptables-restore; the jump to the old chain goes, and the chain with it.
 * Security groups go the same way through a candidate chain, one container after the other, which then takes the old one's name.
 *
 * A restart with pre-start (cmd/pre-start/main.go) leaves filter and nat without a rule, and policies ACCEPT; mangle stays. The
 * agent then writes its chain of policies again, since it remembers none; what CNI wrote, host ports too, stays gone.
 *
 * Times are nanoseconds since the epoch that the caller counts from.
 */
import type { Chain, Rule, Ruleset, Table } from '../rules/model.ts';
import { asgChainName, chainName } from './chain-names.ts';
import type { Foundation } from './model.ts';
import { plan } from './plan.ts';
import * as parts from './rule-parts.ts';

export interface AgentTiming {
  readonly pollInterval: number;
  readonly groupPollInterval: number;
  /** When the agent polls for the first time: both polls repeat from there. */
  readonly firstPoll: number;
  /** From a poll to the jump, from the jump to the filled chain, and from there to the end of the old one. */
  readonly insert: number;
  readonly fill: number;
  readonly remove: number;
}

export type ControlEvent =
  /** From `at` on the policy server has the policies (and apps) of `foundation`. */
  | { readonly kind: 'policies'; readonly at: number; readonly foundation: Foundation }
  /** From `at` on it has the security groups of `foundation`. */
  | { readonly kind: 'security-groups'; readonly at: number; readonly foundation: Foundation }
  /** The agent is started anew at `at`, its pre-start first. */
  | { readonly kind: 'restart'; readonly at: number };

/** The time in which old and new rules are both there, and the rules on both sides of it. */
export interface Window {
  readonly before: Ruleset;
  /** Those that the agent is on its way to, even where it is stopped before. */
  readonly after: Ruleset;
}

export interface RulesChange {
  readonly at: number;
  readonly cell: string;
  /** What was done, for people. */
  readonly what: string;
  /** The same object for all steps of one window; null for a change that leaves nothing half done. */
  readonly window: Window | null;
  /** The rules from `at` on. Rules that stay are the same objects. */
  readonly ruleset: Ruleset;
}

/** A cell and the agent on it. */
interface Agent {
  readonly cell: string;
  readonly timing: AgentTiming;
  readonly epochNanoseconds: bigint;
  readonly changes: RulesChange[];
  foundation: Foundation;
  ruleset: Ruleset;
  firstPoll: number;
  /** When it has done what it is doing. */
  idle: number;
  /** What it wrote last, by chain. */
  readonly written: Map<string, string>;
}

const POLICY_CHAIN = /^vpa--[0-9]{10,16}$/;

/**
 * What happens to the rules of `cell`, in the order of time. `ruleset` are those that it begins with, which the agent wrote from
 * `foundation`; `events` may come in any order.
 */
export function scheduleOf(
  cell: string,
  ruleset: Ruleset,
  foundation: Foundation,
  events: readonly ControlEvent[],
  timing: AgentTiming,
  epochNanoseconds: bigint,
): readonly RulesChange[] {
  const { firstPoll } = timing;
  const written = new Map<string, string>();
  const changes: RulesChange[] = [];
  const idle = Number.NEGATIVE_INFINITY;
  const agent: Agent = { cell, timing, epochNanoseconds, changes, foundation, ruleset, firstPoll, idle, written };
  for (const chain of plannedChains(agent)) written.set(keyOf(chain), textOf(chain));
  const queue = [...events].sort((a, b) => a.at - b.at);
  for (const [index, event] of queue.entries()) {
    const until = queue.slice(index + 1).find(({ kind }) => kind === 'restart')?.at ?? Number.POSITIVE_INFINITY;
    if (event.kind === 'restart') restart(agent, event.at, queue, until);
    else if (event.kind === 'policies') policies(agent, event, nextOf(queue, index), until);
    else securityGroups(agent, event, nextOf(queue, index), until);
  }
  return changes;
}

/** When the next event of the same kind comes. */
const nextOf = (queue: readonly ControlEvent[], index: number): number =>
  queue.slice(index + 1).find(({ kind }) => kind === queue[index]!.kind)?.at ?? Number.POSITIVE_INFINITY;

/** The first poll at `time` or after it. */
const pollAfter = (first: number, interval: number, time: number): number =>
  first + Math.max(0, Math.ceil((time - first) / interval)) * interval;

const filterChains = ({ tables }: Ruleset): readonly Chain[] =>
  tables.find(({ name }) => name === 'filter')?.chains ?? [];

/** The chains that the agent writes for what it knows. */
const plannedChains = ({ foundation, cell }: Agent): Chain[] =>
  filterChains(plan(foundation, cell)).filter(({ name }) => POLICY_CHAIN.test(name) || name.startsWith('asg-'));

const keyOf = ({ name }: Chain): string => (POLICY_CHAIN.test(name) ? 'vpa--' : name);
const textOf = ({ rules }: Chain): string =>
  JSON.stringify(rules.map(({ ip, matches, target }) => [ip, matches, target]));

/** Write a step down, unless the agent was stopped before. */
function write(
  agent: Agent,
  at: number,
  until: number,
  what: string,
  window: Window | null,
  chains: readonly Chain[],
): void {
  if (at >= until) return;
  agent.ruleset = withFilter(agent.ruleset, chains);
  agent.changes.push({ at, cell: agent.cell, what, window, ruleset: agent.ruleset });
}

const withFilter = (ruleset: Ruleset, chains: readonly Chain[]): Ruleset => ({
  ...ruleset,
  tables: ruleset.tables.map((table) => (table.name === 'filter' ? { ...table, chains } : table)),
});

function policies(
  agent: Agent,
  { at, foundation }: Extract<ControlEvent, { kind: 'policies' }>,
  superseded: number,
  until: number,
): void {
  agent.foundation = { ...agent.foundation, policies: foundation.policies, apps: foundation.apps };
  const poll = pollAfter(agent.firstPoll, agent.timing.pollInterval, at);
  if (poll < superseded) enforcePolicies(agent, Math.max(poll, agent.idle), until);
}

function enforcePolicies(agent: Agent, begin: number, until: number): void {
  if (begin >= until) return;
  const planned = plannedChains(agent).find(({ name }) => POLICY_CHAIN.test(name))!;
  if (agent.written.get('vpa--') === textOf(planned)) return;
  agent.written.set('vpa--', textOf(planned));
  const fresh = { ...planned, name: `vpa--${(agent.epochNanoseconds + BigInt(Math.trunc(begin))) / 1000n}` };
  replace(agent, 'FORWARD', fresh, (name) => POLICY_CHAIN.test(name) && name !== fresh.name, begin, until);
}

/** The three steps that `fresh` takes to come to the place of the chains that `isOld` tells, all of them called from `parent`. */
function replace(
  agent: Agent,
  parent: string,
  fresh: Chain,
  isOld: (name: string) => boolean,
  begin: number,
  until: number,
): void {
  const { insert, fill, remove } = agent.timing;
  const inserted = begin + insert;
  const filled = inserted + fill;
  agent.idle = filled + remove;
  const jump = parts.rule({}, [], parts.jump(fresh.name));
  const chains = filterChains(agent.ruleset).map((chain) =>
    chain.name === parent ? { ...chain, rules: [jump, ...chain.rules] } : chain,
  );
  const kept = (rule: Rule): boolean => rule.target.kind !== 'jump' || !isOld(rule.target.chain);
  const left = withChain(chains, fresh)
    .filter(({ name }) => !isOld(name))
    .map((chain) => (chain.name === parent ? { ...chain, rules: chain.rules.filter(kept) } : chain));
  const window = { before: agent.ruleset, after: withFilter(agent.ruleset, left) };
  write(agent, inserted, until, `${fresh.name} inserted, empty`, window, withChain(chains, { ...fresh, rules: [] }));
  write(agent, filled, until, `${fresh.name} filled`, window, withChain(chains, fresh));
  write(agent, agent.idle, until, `old chain removed, ${fresh.name} alone`, null, left);
}

/** `chains` with `added` among those of users, which stand by name. */
function withChain(chains: readonly Chain[], added: Chain): Chain[] {
  const behind = chains.findIndex(({ name, policy }) => policy === null && name > added.name);
  return behind < 0 ? [...chains, added] : [...chains.slice(0, behind), added, ...chains.slice(behind)];
}

function securityGroups(
  agent: Agent,
  { at, foundation }: Extract<ControlEvent, { kind: 'security-groups' }>,
  superseded: number,
  until: number,
): void {
  agent.foundation = { ...agent.foundation, securityGroups: foundation.securityGroups };
  const poll = pollAfter(agent.firstPoll, agent.timing.groupPollInterval, at);
  if (poll >= superseded || poll >= until || !agent.foundation.settings.dynamicSecurityGroups) return;
  const planned = new Map(plannedChains(agent).map((chain) => [chain.name, chain]));
  for (const app of agent.foundation.apps) {
    for (const { cell, handle } of app.instances) {
      const chain = cell === agent.cell ? planned.get(asgChainName(handle)) : undefined;
      if (chain !== undefined) enforceGroups(agent, handle, chain, Math.max(poll, agent.idle), until);
    }
  }
}

function enforceGroups(agent: Agent, handle: string, chain: Chain, begin: number, until: number): void {
  const parent = chainName('netout', handle);
  const isThere = filterChains(agent.ruleset).some(({ name }) => name === parent);
  if (agent.written.get(chain.name) === textOf(chain) || !isThere) return;
  agent.written.set(chain.name, textOf(chain));
  const candidate = { ...chain, name: `c${chain.name}` };
  replace(agent, parent, candidate, (name) => name === chain.name, begin, until);
  if (agent.idle >= until) return;
  const renamed = filterChains(agent.ruleset).flatMap((one) => {
    if (one.name === candidate.name) return [];
    if (one.name !== parent) return [one];
    const rules = one.rules.map((rule) =>
      rule.target.kind === 'jump' && rule.target.chain === candidate.name
        ? { ...rule, target: { ...rule.target, chain: chain.name } }
        : rule,
    );
    return [{ ...one, rules }];
  });
  agent.idle += agent.timing.remove;
  write(agent, agent.idle, until, `${candidate.name} renamed to ${chain.name}`, null, withChain(renamed, chain));
}

/** A table as pre-start leaves it: built-in chains alone, without rules. */
const flushed = (table: Table): Table => ({
  ...table,
  chains: table.chains
    .filter(({ policy }) => policy !== null)
    .map((chain): Chain => ({ ...chain, policy: 'ACCEPT', rules: [] })),
});

/** `until` is when the next restart comes; `queue` are all events. */
function restart(agent: Agent, at: number, queue: readonly ControlEvent[], until: number): void {
  const tables = agent.ruleset.tables.map((table) => (table.name === 'nat' ? flushed(table) : table));
  agent.ruleset = { ...agent.ruleset, tables };
  const filter = tables.find(({ name }) => name === 'filter');
  const empty = filter === undefined ? [] : flushed(filter).chains;
  write(agent, at, Number.POSITIVE_INFINITY, 'flushed by pre-start: everything is accepted', null, empty);
  agent.written.clear();
  agent.idle = at;
  agent.firstPoll = at + agent.timing.pollInterval;
  const latest = queue.findLast((event) => event.kind === 'policies' && event.at <= agent.firstPoll);
  if (latest?.kind === 'policies') {
    agent.foundation = { ...agent.foundation, policies: latest.foundation.policies, apps: latest.foundation.apps };
  }
  enforcePolicies(agent, agent.firstPoll, until);
}
