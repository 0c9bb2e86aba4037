/**
 * Flatten: the chains that a built-in chain reaches, written out as one list of entries to be tried in order.
 *
 * A jump becomes an entry that counts, followed by the rules of its target, each of which also asks what the jump asked.
 * That is the same walk as long as the answer cannot change in between, so a jump that asks a meter, or a mark that the
 * target changes, is asked once instead: as a **barrier**, which every packet in its surroundings stops at and which leads
 * past the inlined chain when it fails. RETURN, and coming back from a goto, are entries that skip ahead. A chain whose
 * copies would outgrow the budget is written once, in a section of its own, and called with a return stack.
 *
 * Rules that can never match (their conditions contradict those of the jumps around them) and rules behind one that takes
 * every packet away are left out: their counters stay 0 in the kernel too.
 */
import type { ChainIndex } from './chains.ts';
import { type Condition, combine, isFence, OP } from './condition.ts';
import type { Rule } from './model.ts';
import { RULE_VERDICT } from './packet.ts';
import type { RuleTable } from './table.ts';
import { CONTINUE, verdictOf } from './target.ts';

/** What an entry does when it matches. The first four are RULE_VERDICT. */
export const ACTION = {
  ...RULE_VERDICT,
  COUNT: 4,
  /** Go on at position `first`. */
  SKIP: 5,
  /** Go on at `first` with `second` to come back to. */
  CALL: 6,
  /** Come back from a section. */
  POP: 7,
  /** The end of the built-in chain, where sections follow it. */
  POLICY: 8,
  /** mark = (mark & first) ^ second. */
  MARK: 9,
  /** first: mask of the connection mark that is kept (set, save) or used (restore). */
  CONNMARK_SET: 10,
  CONNMARK_SAVE: 11,
  CONNMARK_RESTORE: 12,
  LOG: 13,
} as const;

/** A position that is known once everything before it is written. */
export interface Label {
  position: number;
}

export interface Entry {
  /** Rule id; -1 for an entry that no rule stands for. */
  readonly rule: number;
  readonly action: number;
  readonly conditions: readonly Condition[];
  /** A failing barrier leads here; null for other entries. */
  readonly barrier: Label | null;
  /** How many of the first conditions hold for every packet that must stop here: all, or those around a barrier. */
  readonly surrounding: number;
  readonly first: number | Label;
  readonly second: number | Label;
}

export interface Flat {
  /** By position; null where an unconditional rule only counts: its count follows from those of its neighbours. */
  readonly entries: readonly (Entry | null)[];
  /** Rule at each position, -1 for none. */
  readonly ruleAt: readonly number[];
  /** Position of the end of the built-in chain. */
  readonly end: number;
  /** Numbers of the chains that got sections of their own. */
  readonly called: readonly number[];
}

/** Copies of inlined rules that a plan of `rules` rules may hold beyond one of each, unless told otherwise. */
export const defaultCopies = (rules: number): number => 4096 + 2 * rules;
/** Deeper nestings are called: the writer recurses per level. */
const DEPTH_LIMIT = 64;

/**
 * Write out built-in chain `root`. `conditions(id)` gives the conditions of a rule; `copies` is how many rules may be
 * written more than once before a chain gets a section of its own.
 */
export function flatten(
  table: RuleTable,
  chains: ChainIndex,
  root: number,
  conditions: (id: number) => readonly Condition[],
  copies: number,
): Flat {
  const called = chooseCalled(chains, root, copies);
  const writer: Writer = {
    table,
    chains,
    conditions,
    changes: changesOf(table, chains),
    sections: new Map([...called].map((chain) => [chain, { position: -1 }])),
    entries: [],
    ruleAt: [],
  };
  const end: Label = { position: -1 };
  writeChain(writer, root, [], end);
  end.position = writer.entries.length;
  if (called.size > 0) writeSections(writer);
  return { entries: writer.entries, ruleAt: writer.ruleAt, end: end.position, called: [...called] };
}

interface Writer {
  readonly table: RuleTable;
  readonly chains: ChainIndex;
  readonly conditions: (id: number) => readonly Condition[];
  /** Per chain: 1 when it or a chain below changes the mark, 2 for the connection mark, as bits. */
  readonly changes: Uint8Array;
  readonly sections: ReadonlyMap<number, Label>;
  readonly entries: (Entry | null)[];
  readonly ruleAt: number[];
}

/** The chains that are called instead of inlined: too deep, or too many copies. Callees are looked at first. */
function chooseCalled(chains: ChainIndex, root: number, allowed: number): Set<number> {
  const reachable = new Set([root]);
  const references = new Int32Array(chains.names.length);
  for (const chain of chains.order.toReversed()) {
    if (!reachable.has(chain)) continue;
    for (let id = chains.first[chain]!; id < chains.end[chain]!; id += 1) {
      const target = chains.target[id]!;
      if (target < 0) continue;
      reachable.add(target);
      references[target]! += 1;
    }
  }
  const called = new Set<number>();
  const size = new Float64Array(chains.names.length);
  const height = new Int32Array(chains.names.length);
  let budget = allowed;
  for (const chain of chains.order) {
    if (!reachable.has(chain) || chain === root) continue;
    size[chain] = 1 + chains.end[chain]! - chains.first[chain]!;
    for (let id = chains.first[chain]!; id < chains.end[chain]!; id += 1) {
      const target = chains.target[id]!;
      if (target < 0 || called.has(target)) continue;
      size[chain] += size[target]!;
      height[chain] = Math.max(height[chain]!, height[target]! + 1);
    }
    const copies = (references[chain]! - 1) * size[chain];
    if (copies > budget || height[chain]! >= DEPTH_LIMIT) {
      called.add(chain);
      height[chain] = 0;
    } else budget -= copies;
  }
  return called;
}

function changesOf(table: RuleTable, chains: ChainIndex): Uint8Array {
  const changes = new Uint8Array(chains.names.length);
  for (const chain of chains.order) {
    for (let id = chains.first[chain]!; id < chains.end[chain]!; id += 1) {
      const { target } = table.rules[id]!.rule;
      const below = chains.target[id]!;
      if (below >= 0) changes[chain]! |= changes[below]!;
      else if (target.kind === 'MARK') changes[chain]! |= 1;
      else if (target.kind === 'CONNMARK') changes[chain]! |= target.mode === 'restore' ? 1 : 2;
    }
  }
  return changes;
}

/** Sections follow the built-in chain; its end and theirs are entries, so that no search runs from one into the next. */
function writeSections(writer: Writer): void {
  write(writer, marker(ACTION.POLICY));
  for (const [chain, label] of writer.sections) {
    const end: Label = { position: -1 };
    label.position = writer.entries.length;
    writeChain(writer, chain, [], end);
    end.position = writer.entries.length;
    write(writer, marker(ACTION.POP));
  }
}

function writeChain(writer: Writer, chain: number, context: readonly Condition[], end: Label): void {
  const { chains, table } = writer;
  for (let id = chains.first[chain]!; id < chains.end[chain]!; id += 1) {
    const { rule } = table.rules[id]!;
    const own = writer.conditions(id);
    const conditions = combine(context, own);
    if (conditions !== null) {
      if (chains.target[id]! >= 0) writeJump(writer, id, rule, context, own, conditions, end);
      else if (conditions.length === 0 && isSilent(writer, rule)) writeDerived(writer, id);
      else write(writer, plain(id, rule, conditions, end));
    }
    if (own.length === 0 && takesAll(rule)) return;
  }
}

/** Whether nothing comes after this rule once it matched. */
const takesAll = ({ target }: Rule): boolean =>
  verdictOf(target) !== CONTINUE || target.kind === 'RETURN' || target.kind === 'goto';

/** Whether an unconditional rule does nothing but count. With sections, counts do not follow from their neighbours. */
const isSilent = (writer: Writer, { target }: Rule): boolean =>
  writer.sections.size === 0 && (target.kind === 'none' || target.kind === 'unknown' || target.kind === 'RETURN');

function writeJump(
  writer: Writer,
  id: number,
  rule: Rule,
  context: readonly Condition[],
  own: readonly Condition[],
  conditions: readonly Condition[],
  end: Label,
): void {
  const target = writer.chains.target[id]!;
  const goes = rule.target.kind === 'goto';
  const section = writer.sections.get(target);
  if (section !== undefined) {
    const back: number | Label = goes ? end : writer.entries.length + 1;
    write(writer, entry(id, ACTION.CALL, conditions, section, back));
    return;
  }
  const after: Label = { position: -1 };
  const stable = isStable(own, writer.changes[target]!);
  const inner = stable ? conditions : context;
  if (conditions.length === 0 && writer.sections.size === 0) writeDerived(writer, id);
  else if (stable) write(writer, entry(id, ACTION.COUNT, conditions));
  else {
    const barrier = { ...entry(id, ACTION.COUNT, [...context, ...own]), barrier: after, surrounding: context.length };
    write(writer, barrier);
  }
  // Back from a goto is the end of this chain, also for a RETURN in the target. When the goto takes every packet, nothing
  // is left in between.
  writeChain(writer, target, inner, goes ? end : after);
  if (goes && own.length > 0) write(writer, entry(-1, ACTION.SKIP, inner, end));
  after.position = writer.entries.length;
}

/** Whether a jump's conditions still hold wherever the walk is within its target. */
const isStable = (own: readonly Condition[], changes: number): boolean =>
  !own.some(
    ({ op }) =>
      op === OP.METER || (op === OP.MARK && (changes & 1) !== 0) || (op === OP.CONNMARK && (changes & 2) !== 0),
  );

function write(writer: Writer, one: Entry): void {
  writer.entries.push(one);
  writer.ruleAt.push(one.rule);
}

function writeDerived(writer: Writer, id: number): void {
  writer.entries.push(null);
  writer.ruleAt.push(id);
}

const entry = (
  rule: number,
  action: number,
  conditions: readonly Condition[],
  first: number | Label = 0,
  second: number | Label = 0,
): Entry => ({ rule, action, conditions, barrier: null, surrounding: conditions.length, first, second });

const marker = (action: number): Entry => entry(-1, action, []);

function plain(id: number, { target }: Rule, conditions: readonly Condition[], end: Label): Entry {
  const verdict = verdictOf(target);
  if (verdict !== CONTINUE) return entry(id, verdict, conditions);
  if (target.kind === 'RETURN') return entry(id, ACTION.SKIP, conditions, end);
  if (target.kind === 'MARK') return entry(id, ACTION.MARK, conditions, ~target.mask, target.value | 0);
  if (target.kind === 'LOG' || target.kind === 'NFLOG') return entry(id, ACTION.LOG, conditions);
  if (target.kind !== 'CONNMARK') return entry(id, ACTION.COUNT, conditions);
  switch (target.mode) {
    case 'set':
      return entry(id, ACTION.CONNMARK_SET, conditions, ~target.connectionMask, target.value | 0);
    case 'save':
      return entry(id, ACTION.CONNMARK_SAVE, conditions, ~target.connectionMask, target.packetMask | 0);
    case 'restore':
      return entry(id, ACTION.CONNMARK_RESTORE, conditions, target.connectionMask | 0, ~target.packetMask);
  }
}

/** How many of an entry's first conditions may choose where it is looked up: those that are asked before any fence. */
export function keyable(one: Entry): number {
  const fence = one.conditions.findIndex(isFence);
  return fence < 0 ? one.surrounding : Math.min(fence, one.surrounding);
}
