/**
 * The shape of a match or target family: its options, and how it is read and printed. One file per family under
 * `matches/` and `targets/`; `modules.ts` in each folder is the only list of them.
 */
import { RuleError, type RuleErrorCode } from '../error.ts';
import type { Match, TableName, Target } from '../model.ts';
import type { Word } from './words.ts';

export interface OptionSpec {
  /** As iptables-save writes it, with its dashes. */
  readonly name: string;
  readonly aliases?: readonly string[];
  /** How many words follow it; 1 unless said otherwise. */
  readonly values?: 0 | 1 | 2;
  /** Whether `!` may stand before it. */
  readonly negatable?: boolean;
}

/** One option as it was written. */
export interface Given {
  readonly spec: OptionSpec;
  readonly word: Word;
  readonly values: readonly Word[];
  readonly negated: boolean;
}

/** All options of one match or target, by `OptionSpec.name`. */
export interface Written {
  /** Where complaints about the whole point: the name after `-m` or `-j`. */
  readonly at: Word;
  readonly options: ReadonlyMap<string, Given>;
}

/** What a family may ask about the rule that it is part of. */
export interface RuleContext {
  readonly table: TableName;
  readonly chain: string;
  /** The protocol of `-p`; 0 when there is none or it is negated. */
  readonly protocol: number;
  warn(word: Word, message: string): void;
}

export interface ListContext {
  /** `-n`: ports and levels as numbers. */
  readonly numeric: boolean;
  readonly protocol: number;
}

interface Family<T> {
  /** Name after `-m` or `-j`. */
  readonly kind: string;
  readonly options: readonly OptionSpec[];
  parse(written: Written, rule: RuleContext): T;
  /** Its options as iptables-save prints them, without the leading `-m NAME` or `-j NAME`; '' when there are none. */
  save(value: T): string;
  /** As `iptables -L` prints it, without the leading blank; '' when it prints nothing. */
  list(value: T, context: ListContext): string;
}

export type MatchOf<K extends Match['kind']> = Extract<Match, { readonly kind: K }>;
export type TargetOf<K extends Target['kind']> = Extract<Target, { readonly kind: K }>;

export interface MatchModule<M extends Match = Match> extends Family<M> {
  readonly kind: M['kind'];
  /** The rule must have `-p` one of these (not negated). */
  readonly protocols?: readonly number[];
}

export interface TargetModule<T extends Target = Target> extends Family<T> {
  readonly kind: T['kind'];
  /** The only tables where the kernel takes it; all when absent. */
  readonly tables?: readonly TableName[];
}

export function fail(code: RuleErrorCode, word: Word, what: string): never {
  throw new RuleError(code, word, what);
}

/** The only value of the option called `name`, or undefined when it was not written. */
export const optionalValue = (written: Written, name: string): Word | undefined => written.options.get(name)?.values[0];

/** The option called `name`; fails when it was not written. */
export function required(written: Written, name: string): Given {
  const given = written.options.get(name);
  return given ?? fail('ERR_RULE_OPTION', written.at, `${written.at.text}: option ${name} must be given`);
}

/** The one option of `names` that was written; fails when there is none, or more than one. */
export function exactlyOne(written: Written, names: readonly string[]): Given {
  const found = names.flatMap((name) => written.options.get(name) ?? []);
  if (found.length === 0)
    fail('ERR_RULE_OPTION', written.at, `${written.at.text}: one of ${names.join(', ')} must be given`);
  if (found.length > 1) {
    fail(
      'ERR_RULE_OPTION',
      found[1]!.word,
      `${found[1]!.spec.name} cannot be used together with ${found[0]!.spec.name}`,
    );
  }
  return found[0]!;
}

/** Join the parts that are not empty with blanks. */
export const joined = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' ');

/** Prefix of an option that may be negated. */
export const not = (negated: boolean): string => (negated ? '! ' : '');
