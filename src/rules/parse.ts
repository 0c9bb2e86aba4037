/**
 * Rules files: what `iptables-save` prints (with and without -c, nft and legacy) and what people write for
 * iptables-restore, read into the model.
 *
 *     # comment
 *     *TABLE
 *     :CHAIN POLICY [PACKETS:BYTES]
 *     [PACKETS:BYTES] -A CHAIN ...
 *     COMMIT
 *
 * -N and -P are taken too. Other commands of iptables-restore (-I, -D, -F, ...) change rules that are already there, and
 * a file that describes a whole ruleset has none.
 */

import type { Line, Warning } from './error.ts';
import { checkLoops, type Jump } from './loops.ts';
import type { Counters, Rule, Ruleset, Table, TableName } from './model.ts';
import { parseRule, readCounters } from './parse-rule.ts';
import { targetModule } from './targets/modules.ts';
import { fail } from './text/module.ts';
import { splitWords, type Word } from './text/words.ts';

export interface ParseOptions {
  /** Name of the input, for messages. */
  readonly file: string;
  /** What to do with a match, target or option that is not understood. */
  readonly unknownMatches: 'error' | 'assume-no-match';
}

export interface ParsedRuleset {
  readonly ruleset: Ruleset;
  readonly warnings: readonly Warning[];
}

/** The chains that each table has from the start. */
const BUILT_IN: Readonly<Record<TableName, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
};
const MAXIMUM_CHAIN = 28;
/** As many arguments as iptables-restore takes on a line (MAX_ARGC). */
const MAXIMUM_WORDS = 255;
/** Rules of all tables. A hundred times what a full cell has; address lists could make far more out of a small file. */
const MAXIMUM_RULES = 4_000_000;

interface OpenChain {
  readonly name: string;
  policy: 'ACCEPT' | 'DROP' | null;
  counters: Counters | null;
  readonly rules: Rule[];
  /** Whether a line declared it; a built-in chain may be used without. */
  declared: boolean;
}

interface OpenTable {
  readonly name: TableName;
  readonly at: Word;
  readonly chains: Map<string, OpenChain>;
  readonly jumps: Jump[];
}

/** Read a whole rules file. Fails with a RuleError at the first thing that is wrong. */
export function parseRuleset(text: string, options: ParseOptions): ParsedRuleset {
  const parser = new RulesetParser(options);
  let number = 0;
  for (let start = 0; start <= text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    const carriage = end > start && text.charCodeAt(end - 1) === 0x0d ? 1 : 0;
    parser.line({ file: options.file, number: ++number, text: text.slice(start, end - carriage) });
    start = end + 1;
  }
  return parser.end();
}

class RulesetParser {
  readonly #options: ParseOptions;
  readonly #tables: Table[] = [];
  readonly #warnings: Warning[] = [];
  #table: OpenTable | null = null;
  #rules = 0;

  constructor(options: ParseOptions) {
    this.#options = options;
  }

  line(line: Line): void {
    const start = line.text.search(/\S/);
    if (start < 0 || line.text[start] === '#') return;
    const words = splitWords(line);
    const first = words[0]!;
    if (first.text.startsWith('*')) this.#openTable(words);
    else if (first.text === 'COMMIT') this.#commit(words);
    else if (this.#table === null) fail('ERR_RULE_SYNTAX', first, 'this line stands in no table (*TABLE comes first)');
    else if (first.text.startsWith(':')) this.#declareChain(this.#table, words);
    else this.#command(this.#table, words);
  }

  end(): ParsedRuleset {
    if (this.#table !== null) fail('ERR_RULE_SYNTAX', this.#table.at, `table ${this.#table.name} has no COMMIT`);
    return { ruleset: { tables: this.#tables }, warnings: this.#warnings };
  }

  #openTable(words: readonly Word[]): void {
    const at = words[0]!;
    noMore(words, 1);
    if (this.#table !== null) fail('ERR_RULE_SYNTAX', at, `table ${this.#table.name} has no COMMIT before this line`);
    const name = at.text.slice(1);
    if (!Object.hasOwn(BUILT_IN, name)) {
      fail('ERR_RULE_SYNTAX', at, `'${name}' is none of the tables ${Object.keys(BUILT_IN).join(', ')}`);
    }
    if (this.#tables.some((table) => table.name === name)) fail('ERR_RULE_SYNTAX', at, `table ${name} appears twice`);
    this.#table = { name: name as TableName, at, chains: new Map(), jumps: [] };
  }

  #commit(words: readonly Word[]): void {
    noMore(words, 1);
    const table = this.#table;
    if (table === null) fail('ERR_RULE_SYNTAX', words[0]!, 'COMMIT without a table');
    checkLoops(table.jumps);
    const chains = [...table.chains.values()].map(({ declared: _, ...chain }) => chain);
    this.#tables.push({ name: table.name, chains });
    this.#table = null;
  }

  /** `:CHAIN POLICY [PACKETS:BYTES]` */
  #declareChain(table: OpenTable, words: readonly Word[]): void {
    const [at, policy, counters] = words as [Word, Word?, Word?];
    noMore(words, 3);
    if (policy === undefined) fail('ERR_RULE_SYNTAX', at, 'a chain needs a policy (- for a user-defined one)');
    const chain = this.#newChain(table, at, at.text.slice(1));
    const builtIn = BUILT_IN[table.name].includes(chain.name);
    if (builtIn) chain.policy = readPolicy(policy);
    else if (policy.text !== '-') fail('ERR_RULE_CHAIN', policy, 'only built-in chains have a policy');
    if (counters === undefined) return;
    const [packets, bytes] = splitCounters(counters, counters.text);
    chain.counters = readCounters(counters, packets, bytes);
  }

  #newChain(table: OpenTable, at: Word, name: string): OpenChain {
    const known = table.chains.get(name);
    if (known?.declared) fail('ERR_RULE_CHAIN', at, `chain '${name}' is declared twice`);
    checkChainName(at, name);
    const chain: OpenChain = known ?? { name, policy: null, counters: null, rules: [], declared: true };
    chain.declared = true;
    table.chains.set(name, chain);
    return chain;
  }

  /** The chain called `name`; a built-in one is there without being declared, with policy ACCEPT. */
  #chain(table: OpenTable, at: Word, name: string): OpenChain {
    const known = table.chains.get(name);
    if (known !== undefined) return known;
    if (!BUILT_IN[table.name].includes(name))
      fail('ERR_RULE_CHAIN', at, `there is no chain '${name}' in this table yet`);
    const chain: OpenChain = { name, policy: 'ACCEPT', counters: null, rules: [], declared: false };
    table.chains.set(name, chain);
    return chain;
  }

  #command(table: OpenTable, words: readonly Word[]): void {
    const counted = words[0]!.text.startsWith('[') && !words[0]!.quoted;
    const index = counted ? 1 : 0;
    const command = words[index];
    const name = words[index + 1];
    if (command === undefined || name === undefined) fail('ERR_RULE_SYNTAX', words[0]!, 'this line is no rule');
    const counters = counted ? readCounters(words[0]!, ...splitCounters(words[0]!, words[0]!.text)) : null;
    switch (command.text) {
      case '-A':
      case '--append':
        this.#append(table, words, index + 1, counters);
        return;
      case '-N':
      case '--new-chain':
        noMore(words, index + 2);
        if (BUILT_IN[table.name].includes(name.text)) fail('ERR_RULE_CHAIN', name, `'${name.text}' is built in`);
        this.#newChain(table, name, name.text);
        return;
      case '-P':
      case '--policy':
        this.#setPolicy(table, words, index + 1);
        return;
      default:
        fail('ERR_RULE_SYNTAX', command, `'${command.text}' is not understood: rules are added with -A`);
    }
  }

  #setPolicy(table: OpenTable, words: readonly Word[], index: number): void {
    const [name, policy] = [words[index]!, words[index + 1]];
    if (policy === undefined) fail('ERR_RULE_SYNTAX', name, '-P needs a chain and a policy');
    noMore(words, index + 2);
    if (!BUILT_IN[table.name].includes(name.text)) fail('ERR_RULE_CHAIN', name, `'${name.text}' is no built-in chain`);
    this.#chain(table, name, name.text).policy = readPolicy(policy);
  }

  #append(table: OpenTable, words: readonly Word[], index: number, counters: Counters | null): void {
    const at = words[index]!;
    if (words.length > MAXIMUM_WORDS)
      fail('ERR_RULE_SYNTAX', words[MAXIMUM_WORDS]!, `more than ${MAXIMUM_WORDS} words in one rule`);
    const chain = this.#chain(table, at, at.text);
    const { rules, jump } = parseRule(words, index + 1, counters, {
      table: table.name,
      chain: chain.name,
      assumeNoMatch: this.#options.unknownMatches === 'assume-no-match',
      warnings: this.#warnings,
      isChain: (name) => table.chains.has(name) || BUILT_IN[table.name].includes(name),
    });
    this.#rules += rules.length;
    if (this.#rules > MAXIMUM_RULES) fail('ERR_RULE_VALUE', at, `this is more than ${MAXIMUM_RULES} rules`);
    for (const rule of rules) chain.rules.push(rule);
    if (jump === null) return;
    if (BUILT_IN[table.name].includes(jump.text))
      fail('ERR_RULE_CHAIN', jump, `'${jump.text}' is built in: no rule can jump to it`);
    table.jumps.push({ from: chain.name, to: jump.text, at: jump });
  }
}

function noMore(words: readonly Word[], count: number): void {
  const more = words[count];
  if (more !== undefined) fail('ERR_RULE_SYNTAX', more, `nothing may follow here, got '${more.text}'`);
}

function readPolicy(word: Word): 'ACCEPT' | 'DROP' {
  if (word.text === 'ACCEPT' || word.text === 'DROP') return word.text;
  return fail('ERR_RULE_VALUE', word, `'${word.text}' is no policy: ACCEPT or DROP`);
}

function splitCounters(word: Word, text: string): [packets: string, bytes: string] {
  const found = /^\[([0-9]+):([0-9]+)\]$/.exec(text);
  if (found === null) fail('ERR_RULE_SYNTAX', word, `'${text}' are no counters such as [0:0]`);
  return [found[1]!, found[2]!];
}

function checkChainName(at: Word, name: string): void {
  if (!/^[^\s!-]\S*$/.test(name) || name.length > MAXIMUM_CHAIN) {
    fail(
      'ERR_RULE_CHAIN',
      at,
      `'${name}' is no chain name (1 to ${MAXIMUM_CHAIN} characters, not starting with - or !)`,
    );
  }
  if (targetModule(name) !== undefined) fail('ERR_RULE_CHAIN', at, `a chain cannot have the name of target ${name}`);
}
