/** One rule line: its options read into the model. A line with address lists (`-s A,B`) makes several rules. */
import { type Warning, warningAt } from './error.ts';
import type { Counters, InterfaceName, IpPart, Masked, Match, Rule, TableName, Target } from './model.ts';
import { fail, type Given, type MatchModule, type RuleContext, type TargetModule } from './text/module.ts';
import { type Part, type RuleOptions, readOptions } from './text/options.ts';
import { nameOfProtocol } from './text/protocols.ts';
import { readIntegerText, readNetwork } from './text/values.ts';
import type { Word } from './text/words.ts';

const MAXIMUM_INTERFACE = 15;
/** Rules that one line with address lists may make: a short line could make millions. */
const MAXIMUM_EXPANSION = 4096;
/** Built-in chains that run before the other interface is known. */
const NO_IN_INTERFACE: readonly string[] = ['OUTPUT', 'POSTROUTING'];
const NO_OUT_INTERFACE: readonly string[] = ['INPUT', 'PREROUTING'];

/** Where a rule stands, and what its line may refer to. */
export interface RuleSettings {
  readonly table: TableName;
  readonly chain: string;
  readonly assumeNoMatch: boolean;
  readonly warnings: Warning[];
  isChain(name: string): boolean;
}

export interface ParsedRule {
  readonly rules: readonly Rule[];
  /** The word that names the chain of a jump or goto. */
  readonly jump: Word | null;
}

/** Read the rule in `words` from `index` on; `counters` are those written before it. */
export function parseRule(
  words: readonly Word[],
  index: number,
  counters: Counters | null,
  settings: RuleSettings,
): ParsedRule {
  const options = readOptions(words, index, settings);
  const { core, target } = options;
  const ip = parseIp(options, settings.chain);
  const context: RuleContext = {
    table: settings.table,
    chain: settings.chain,
    protocol: core.get('-p')?.negated ? 0 : options.protocol,
    warn: (word, message) => settings.warnings.push(warningAt(word, message)),
  };
  const written = core.get('-c')?.values;
  const rule = {
    matches: options.matches.map((part) => parseMatch(part, context)),
    target: parseTarget(target, core.has('-g'), context),
    counters: written === undefined ? counters : readCounters(written[0]!, written[0]!.text, written[1]!.text),
    line: words[0]!.line.number,
  };
  const [sources, destinations] = expand(core.get('-s'), core.get('-d'));
  const rules: Rule[] = [];
  for (const source of sources) {
    for (const destination of destinations) {
      rules.push({ ip: { ...(source && { source }), ...(destination && { destination }), ...ip }, ...rule });
    }
  }
  return { rules, jump: rule.target.kind === 'jump' || rule.target.kind === 'goto' ? target!.at : null };
}

/** Read `PACKETS` and `BYTES`. */
export function readCounters(place: Word, packets: string, bytes: string): Counters {
  const one = (text: string): number => {
    if (!/^[0-9]+$/.test(text)) fail('ERR_RULE_VALUE', place, `'${text}' is no counter`);
    return readIntegerText(place, text.replace(/^0+(?=.)/, ''), 0, Number.MAX_SAFE_INTEGER);
  };
  return { packets: one(packets), bytes: one(bytes) };
}

/** All of the IP part but the addresses. */
function parseIp({ core, protocol }: RuleOptions, chain: string): IpPart {
  const inInterface = interfaceName(core.get('-i'), chain, NO_IN_INTERFACE);
  const outInterface = interfaceName(core.get('-o'), chain, NO_OUT_INTERFACE);
  const fragment = core.get('-f');
  return {
    ...(inInterface && { inInterface }),
    ...(outInterface && { outInterface }),
    ...(protocol !== 0 && { protocol: { number: protocol, negated: core.get('-p')!.negated } }),
    ...(fragment && { fragment: { negated: fragment.negated } }),
  };
}

type Networks = (Masked | undefined)[];

/** The address lists of `-s` and `-d`, which make one rule for each pair. */
function expand(source: Given | undefined, destination: Given | undefined): [Networks, Networks] {
  const [sources, destinations] = [addressTexts(source), addressTexts(destination)];
  if (sources.length * destinations.length > MAXIMUM_EXPANSION) {
    fail('ERR_RULE_VALUE', (source ?? destination!).word, `this line makes more than ${MAXIMUM_EXPANSION} rules`);
  }
  return [networks(source, sources), networks(destination, destinations)];
}

const addressTexts = (given: Given | undefined): string[] => given?.values[0]?.text.split(',') ?? [''];

/** The addresses of `-s` or `-d`; undefined stands for every address. */
function networks(given: Given | undefined, texts: readonly string[]): Networks {
  if (given === undefined) return [undefined];
  const { values, word, negated } = given;
  if (texts.length > 1 && negated) fail('ERR_RULE_OPTION', word, 'a list of addresses cannot be negated');
  return texts.map((text) => {
    const { address, mask } = readNetwork(values[0]!, text);
    return mask === 0 && !negated ? undefined : { address, mask, negated };
  });
}

function interfaceName(given: Given | undefined, chain: string, without: readonly string[]): InterfaceName | undefined {
  if (given === undefined) return undefined;
  if (without.includes(chain)) fail('ERR_RULE_OPTION', given.word, `${given.spec.name} cannot be used in ${chain}`);
  const word = given.values[0]!;
  if (!/^[^\s/]+$/.test(word.text) || word.text.length > MAXIMUM_INTERFACE) {
    fail('ERR_RULE_VALUE', word, `'${word.text}' is no interface name (1 to ${MAXIMUM_INTERFACE} characters)`);
  }
  return { name: word.text, negated: given.negated };
}

function parseMatch(part: Part<MatchModule>, context: RuleContext): Match {
  if (part.module === null) {
    warnUnknown(part, context);
    return { kind: 'unknown', module: part.name, text: part.raw.join(' ') };
  }
  const { protocols } = part.module;
  if (protocols !== undefined && !protocols.includes(context.protocol)) {
    fail('ERR_RULE_OPTION', part.at, `${part.name} needs -p ${protocols.map(nameOfProtocol).join(', ')}`);
  }
  return part.module.parse(part, context);
}

function parseTarget(part: Part<TargetModule> | null, isGoto: boolean, context: RuleContext): Target {
  if (part === null) return { kind: 'none' };
  if (part.unknown !== null) {
    warnUnknown(part, context);
    return { kind: 'unknown', name: part.name, text: part.raw.join(' ') };
  }
  if (part.module === null) return { kind: isGoto ? 'goto' : 'jump', chain: part.name };
  const { tables } = part.module;
  if (tables !== undefined && !tables.includes(context.table)) {
    fail('ERR_RULE_OPTION', part.at, `${part.name} only works in table ${tables.join(', ')}, this is ${context.table}`);
  }
  return part.module.parse(part, context);
}

function warnUnknown(part: Part<unknown>, context: RuleContext): void {
  const { word, what } = part.unknown!;
  context.warn(word, `${what} is not understood: this rule is taken to match no packet`);
}
