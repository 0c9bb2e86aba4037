/**
 * The options of one rule line, sorted to whom they belong: the IP part, the matches, the target.
 *
 * This follows iptables (do_parse and command_default in xshared.c): an option belongs to the match or target that was
 * loaded last and knows it; `-p tcp` loads tcp when one of its options appears; a long option may be shortened as long as
 * it stays unique; `!` stands before the option, or after it as versions before 1.4.3 wrote it.
 */
import { matchModule, matchOfProtocol } from '../matches/modules.ts';
import { targetModule } from '../targets/modules.ts';
import { fail, type Given, type MatchModule, type OptionSpec, type TargetModule } from './module.ts';
import { nameOfProtocol, numberOfProtocol } from './protocols.ts';
import { readIntegerText } from './values.ts';
import { rawText, type Word } from './words.ts';

/** One `-m` or `-j` with its options. `module` is null when it is not understood. */
export interface Part<M> {
  module: M | null;
  /** The name after `-m` or `-j`; the option itself when `-p` loaded the match. */
  readonly at: Word;
  readonly name: string;
  readonly options: Map<string, Given>;
  /** Its options word for word, for a part that is not understood. */
  readonly raw: string[];
  /** The first word that is not understood, and what to call it. */
  unknown: { readonly word: Word; readonly what: string } | null;
}

export interface RuleOptions {
  readonly core: ReadonlyMap<string, Given>;
  readonly matches: readonly Part<MatchModule>[];
  readonly target: Part<TargetModule> | null;
  /** 0 when there is none. */
  readonly protocol: number;
}

export interface OptionSettings {
  readonly assumeNoMatch: boolean;
  isChain(name: string): boolean;
}

/** Options of the IP part and of the rule itself, by their names in iptables-save. */
const CORE: readonly OptionSpec[] = [
  { name: '-s', aliases: ['--source', '--src'], negatable: true },
  { name: '-d', aliases: ['--destination', '--dst'], negatable: true },
  { name: '-i', aliases: ['--in-interface'], negatable: true },
  { name: '-o', aliases: ['--out-interface'], negatable: true },
  { name: '-p', aliases: ['--protocol', '--proto'], negatable: true },
  { name: '-f', aliases: ['--fragments'], values: 0, negatable: true },
  { name: '-m', aliases: ['--match'] },
  { name: '-j', aliases: ['--jump'] },
  { name: '-g', aliases: ['--goto'] },
  { name: '-c', aliases: ['--set-counters'], values: 2 },
  { name: '-4', aliases: ['--ipv4'], values: 0 },
];

const knows = (spec: OptionSpec, name: string): boolean =>
  spec.name === name || (spec.aliases?.includes(name) ?? false);
const begins = (spec: OptionSpec, name: string): boolean =>
  [spec.name, ...(spec.aliases ?? [])].some((one) => one.startsWith(name));

type AnyPart = Part<MatchModule> | Part<TargetModule>;
interface Found {
  readonly spec: OptionSpec;
  /** Null for an option of the rule itself. */
  readonly part: AnyPart | null;
}

/** Reads the words of one rule from `index` on. One reader per rule. */
class OptionReader {
  readonly core = new Map<string, Given>();
  readonly matches: Part<MatchModule>[] = [];
  /** Matches and target, latest first: the order in which they are asked. */
  readonly loaded: AnyPart[] = [];
  target: Part<TargetModule> | null = null;
  protocol = 0;
  readonly #words: readonly Word[];
  readonly #settings: OptionSettings;
  #index: number;

  constructor(words: readonly Word[], index: number, settings: OptionSettings) {
    this.#words = words;
    this.#index = index;
    this.#settings = settings;
  }

  read(): void {
    while (this.#index < this.#words.length) this.#readOption();
  }

  #isBang(word: Word | undefined): boolean {
    return word !== undefined && word.text === '!' && !word.quoted;
  }

  #readOption(): void {
    const first = this.#words[this.#index]!;
    let negated = this.#isBang(first);
    if (negated) this.#index++;
    const written = this.#words[this.#index];
    if (written === undefined) fail('ERR_RULE_SYNTAX', first, 'nothing follows this !');
    if (this.#isBang(written)) fail('ERR_RULE_SYNTAX', written, 'two ! in a row');
    if (written.quoted || !/^--?[A-Za-z0-9]/.test(written.text)) {
      fail('ERR_RULE_SYNTAX', written, `'${written.text}' is no option, and belongs to none`);
    }
    this.#index++;
    const [name, attached] = splitAttached(written);
    const found = this.#find(name, written);
    if (found === null) {
      this.#keepUnknown(written, negated);
      return;
    }
    const { spec, part } = found;
    if (!negated && spec.negatable && attached === null && this.#isBang(this.#words[this.#index])) {
      negated = true;
      this.#index++;
    }
    if (negated && !spec.negatable) fail('ERR_RULE_OPTION', written, `${spec.name} cannot be negated`);
    this.#store({ spec, word: written, values: this.#values(spec, written, attached), negated }, part);
  }

  #values(spec: OptionSpec, written: Word, attached: Word | null): Word[] {
    const count = spec.values ?? 1;
    if (attached !== null && count !== 1) fail('ERR_RULE_OPTION', written, `${spec.name} takes no =VALUE`);
    if (attached !== null) return [attached];
    const values = this.#words.slice(this.#index, this.#index + count);
    if (values.length < count)
      fail('ERR_RULE_OPTION', written, `${spec.name} needs ${count === 1 ? 'a value' : `${count} values`}`);
    this.#index += count;
    return values;
  }

  #store(given: Given, part: AnyPart | null): void {
    const into = part === null ? this.core : part.options;
    const { name } = given.spec;
    if (into.has(name) && name !== '-m') fail('ERR_RULE_OPTION', given.word, `${name} can only be given once`);
    into.set(name, given);
    part?.raw.push(spelled(given));
    if (part !== null) return;
    if (name === '-p') this.protocol = readProtocol(given);
    if (name === '-m') this.#loadMatch(given.values[0]!);
    if (name === '-j' || name === '-g') this.#loadTarget(given);
  }

  #loadMatch(at: Word): void {
    const module = matchModule(at.text) ?? null;
    const part = newPart(module, at, at.text);
    if (module === null) this.#unknown(part, at, `match '${at.text}'`);
    this.matches.push(part);
    this.loaded.unshift(part);
  }

  #loadTarget(given: Given): void {
    const at = given.values[0]!;
    const other = this.core.get(given.spec.name === '-j' ? '-g' : '-j');
    if (other !== undefined)
      fail('ERR_RULE_OPTION', given.word, `${given.spec.name} cannot be used together with ${other.spec.name}`);
    const module = (given.spec.name === '-j' ? targetModule(at.text) : undefined) ?? null;
    this.target = newPart(module, at, at.text);
    this.loaded.unshift(this.target);
    if (module !== null || this.#settings.isChain(at.text)) return;
    // Targets of iptables are spelled in capitals; anything else can only be meant as a chain.
    const mayBeTarget = given.spec.name === '-j' && /^[A-Z][A-Z0-9]*$/.test(at.text);
    if (!mayBeTarget) fail('ERR_RULE_CHAIN', at, `there is no chain '${at.text}' in this table yet`);
    this.#unknown(this.target, at, `target '${at.text}', which is no chain of this table either`);
  }

  #find(name: string, written: Word): Found | null {
    const exact = CORE.find((spec) => knows(spec, name));
    if (exact !== undefined) return { spec: exact, part: null };
    for (const part of this.loaded) {
      const spec = part.module?.options.find((one) => knows(one, name));
      if (spec !== undefined) return { spec, part };
    }
    const implied = this.#impliedMatch();
    const spec = implied?.options.find((one) => knows(one, name));
    if (spec !== undefined) return { spec, part: this.#loadImplied(implied!, written) };
    return name.startsWith('--') ? this.#findShortened(name, written, implied) : null;
  }

  #findShortened(name: string, written: Word, implied: MatchModule | null): Found | null {
    const candidates: Found[] = CORE.filter((spec) => begins(spec, name)).map((spec) => ({ spec, part: null }));
    for (const part of this.loaded) {
      for (const spec of part.module?.options ?? []) if (begins(spec, name)) candidates.push({ spec, part });
    }
    const ofImplied = implied?.options.filter((spec) => begins(spec, name)) ?? [];
    if (candidates.length + ofImplied.length > 1) {
      const names = [...candidates.map(({ spec }) => spec), ...ofImplied].map((spec) => spec.name);
      fail('ERR_RULE_UNKNOWN', written, `option ${name} could be ${names.join(' or ')}`);
    }
    if (ofImplied.length === 1) return { spec: ofImplied[0]!, part: this.#loadImplied(implied!, written) };
    return candidates[0] ?? null;
  }

  /** The match of the rule's protocol, when it is not loaded yet. */
  #impliedMatch(): MatchModule | null {
    const module = matchOfProtocol(this.protocol);
    return module === undefined || this.matches.some((part) => part.module === module) ? null : module;
  }

  #loadImplied(module: MatchModule, written: Word): Part<MatchModule> {
    const part = newPart<MatchModule>(module, written, module.kind);
    this.matches.push(part);
    this.loaded.unshift(part);
    return part;
  }

  /** Give an option that nobody knows, with the words up to the next one, to the part that was loaded last. */
  #keepUnknown(written: Word, negated: boolean): void {
    const part = this.loaded[0] ?? this.#loadProtocol(written);
    const what = `option ${written.text}${part === null ? '' : ` of '${part.name}'`}`;
    if (part === null) fail('ERR_RULE_UNKNOWN', written, `${what} is not understood`);
    this.#unknown(part, written, what);
    const words = [written];
    for (let word = this.#words[this.#index]; word !== undefined; word = this.#words[++this.#index]) {
      if (!word.quoted && (word.text === '!' || /^-/.test(word.text))) break;
      words.push(word);
    }
    part.raw.push((negated ? '! ' : '') + words.map(rawText).join(' '));
  }

  /** A protocol's match that is not understood, such as sctp. */
  #loadProtocol(written: Word): Part<MatchModule> | null {
    if (this.protocol === 0) return null;
    const part = newPart<MatchModule>(null, written, nameOfProtocol(this.protocol));
    this.matches.push(part);
    this.loaded.unshift(part);
    return part;
  }

  #unknown(part: AnyPart, word: Word, what: string): void {
    if (!this.#settings.assumeNoMatch) fail('ERR_RULE_UNKNOWN', word, `${what} is not understood`);
    part.unknown ??= { word, what };
    part.module = null;
  }
}

const newPart = <M>(module: M | null, at: Word, name: string): Part<M> => ({
  module,
  at,
  name,
  options: new Map(),
  raw: [],
  unknown: null,
});

/** `--dport=80` as an option and the word of its value. */
function splitAttached(written: Word): [string, Word | null] {
  const equals = written.text.indexOf('=');
  if (!written.text.startsWith('--') || equals < 0) return [written.text, null];
  const value = { ...written, text: written.text.slice(equals + 1), column: written.column + equals + 1 };
  return [written.text.slice(0, equals), value];
}

const spelled = ({ spec, values, negated }: Given): string =>
  `${negated ? '! ' : ''}${[spec.name, ...values.map(rawText)].join(' ')}`;

function readProtocol(given: Given): number {
  const word = given.values[0]!;
  const number =
    numberOfProtocol(word.text) ?? (/^[0-9]/.test(word.text) ? readIntegerText(word, word.text, 0, 255) : undefined);
  if (number === undefined) fail('ERR_RULE_VALUE', word, `'${word.text}' is no protocol known here`);
  if (number === 0 && given.negated) fail('ERR_RULE_VALUE', word, 'no packet can match ! -p all');
  return number;
}

/** Sort the words of a rule from `index` on (after `-A CHAIN`). */
export function readOptions(words: readonly Word[], index: number, settings: OptionSettings): RuleOptions {
  const reader = new OptionReader(words, index, settings);
  reader.read();
  return reader;
}
