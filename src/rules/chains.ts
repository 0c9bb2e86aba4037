/**
 * ChainIndex: the chains of a table as numbers, with every jump resolved.
 *
 * Chains are numbered in their order in the table. A rule's id is its position over all chains (table.ts), so that a
 * chain is the interval [first, end) of ids and "the next rule" is id + 1. What the kernel refuses to load is refused
 * here too: a jump to a chain that is not there, to a built-in chain, or one that leads back to itself (ELOOP).
 */
import type { Rule } from './model.ts';
import type { RuleTable } from './table.ts';

export interface ChainIndex {
  readonly names: readonly string[];
  readonly numbers: ReadonlyMap<string, number>;
  /** Ids of the rules of chain n: first[n] to end[n], exclusive. */
  readonly first: Int32Array;
  readonly end: Int32Array;
  /** Chain of each rule, by rule id. */
  readonly chainOf: Int32Array;
  /** Chain that a rule jumps or goes to, by rule id; -1 for other targets. */
  readonly target: Int32Array;
  /** 1 for a built-in chain whose policy is ACCEPT, 0 for DROP, -1 for a user-defined chain. */
  readonly policy: Int8Array;
  /** Every chain once, behind all chains that it jumps or goes to. */
  readonly order: readonly number[];
}

export type ChainErrorCode = 'ERR_CHAIN_UNKNOWN' | 'ERR_CHAIN_BUILT_IN' | 'ERR_CHAIN_LOOP';

/** The chains of a table do not fit together; `line` is that of the rule at fault, 0 when it has none. */
export class ChainError extends Error {
  override readonly name = 'ChainError';
  readonly code: ChainErrorCode;
  readonly line: number;

  constructor(code: ChainErrorCode, message: string, line = 0) {
    super(line > 0 ? `line ${line}: ${message}` : message);
    this.code = code;
    this.line = line;
  }
}

const isJump = (rule: Rule): rule is Rule & { target: { kind: 'jump' | 'goto'; chain: string } } =>
  rule.target.kind === 'jump' || rule.target.kind === 'goto';

/** Number the chains of `table` and resolve its jumps. Throws ChainError. */
export function indexChains(table: RuleTable): ChainIndex {
  const chains = [...table.chains.values()];
  const count = table.rules.length;
  const order: number[] = [];
  const index: ChainIndex = {
    order,
    names: chains.map((chain) => chain.name),
    numbers: new Map(chains.map((chain, number) => [chain.name, number])),
    first: Int32Array.from(chains, (chain) => table.firstId.get(chain.name)!),
    end: Int32Array.from(chains, (chain) => table.firstId.get(chain.name)! + chain.rules.length),
    chainOf: new Int32Array(count),
    target: new Int32Array(count).fill(-1),
    policy: Int8Array.from(chains, (chain) => (chain.policy === null ? -1 : Number(chain.policy === 'ACCEPT'))),
  };
  for (const { id, chain, rule } of table.rules) {
    index.chainOf[id] = index.numbers.get(chain.name)!;
    if (isJump(rule)) index.target[id] = resolve(index, table.name, rule, rule.target.chain);
  }
  sort(index, table, order);
  return index;
}

function resolve(index: ChainIndex, table: string, rule: Rule, name: string): number {
  const number = index.numbers.get(name);
  if (number === undefined) {
    throw new ChainError('ERR_CHAIN_UNKNOWN', `table ${table}: jump to chain ${name}, which is not there`, rule.line);
  }
  if (index.policy[number] !== -1) {
    throw new ChainError('ERR_CHAIN_BUILT_IN', `table ${table}: jump to built-in chain ${name}`, rule.line);
  }
  return number;
}

/**
 * Put the chains into `order`, callees first, and refuse loops: depth-first over the jumps with a stack of its own, so that
 * a long line of chains cannot exhaust ours.
 */
function sort(index: ChainIndex, table: RuleTable, order: number[]): void {
  const OPEN = 1;
  const DONE = 2;
  const state = new Uint8Array(index.names.length);
  const next = index.first.slice();
  for (let root = 0; root < state.length; root += 1) {
    const path = state[root] === DONE ? [] : [root];
    while (path.length > 0) {
      const chain = path.at(-1)!;
      state[chain] = OPEN;
      const id = next[chain]!;
      if (id === index.end[chain]) {
        state[chain] = DONE;
        order.push(chain);
        path.pop();
        continue;
      }
      next[chain] = id + 1;
      const target = index.target[id]!;
      if (target < 0 || state[target] === DONE) continue;
      if (state[target] === OPEN) {
        const message = `table ${table.name}: chain ${index.names[target]} is reached from itself`;
        throw new ChainError('ERR_CHAIN_LOOP', message, table.rules[id]!.rule.line);
      }
      path.push(target);
    }
  }
}

/** The number of built-in chain `name`. Throws ChainError. */
export function builtInChain(index: ChainIndex, name: string): number {
  const number = index.numbers.get(name);
  if (number === undefined || index.policy[number] === -1) {
    throw new ChainError('ERR_CHAIN_UNKNOWN', `there is no built-in chain ${name}`);
  }
  return number;
}
