/**
 * All that is wrong with the inputs, not only the first thing.
 *
 * Readers stop at their first error. Here what it points at (one entry of a list, one rule) is taken out and the rest is
 * read again, as long as nothing else can hang on it; then everything is joined, planned and indexed as a command that
 * uses it would.
 */
import { checkFoundation } from '../../foundation/check.ts';
import { readContainerStore } from '../../foundation/container-store.ts';
import { FoundationError } from '../../foundation/error.ts';
import { readFoundationFile } from '../../foundation/foundation-file.ts';
import type { Item } from '../../foundation/item.ts';
import { parseJson } from '../../foundation/json.ts';
import { readPolicyList, readSecurityGroupList, readTagList } from '../../foundation/policy-server.ts';
import { ChainError, indexChains } from '../../rules/chains.ts';
import { RuleError } from '../../rules/error.ts';
import { parseRuleset } from '../../rules/parse.ts';
import { numberRules } from '../../rules/table.ts';
import { EXIT, exitCodeOf } from '../exit.ts';
import { nameOfFile, type ReadText, readText } from '../files.ts';
import { loadSources, type SourceOptions, type Sources } from '../sources/options.ts';
import { readItem, splitCellFile } from '../sources/read.ts';

export interface Validation {
  /** One message for each thing that is wrong; a message may have more lines, an excerpt with a caret. */
  readonly errors: readonly string[];
  /** What is doubtful but understood. */
  readonly warnings: readonly string[];
  /** Null where something is wrong. */
  readonly sources: Sources | null;
}

/** From this many on, errors of one file are no longer looked for. */
const ERROR_LIMIT = 50;

/** Read everything that `options` name. Throws only what is no fault of the inputs. */
export async function validate(options: SourceOptions): Promise<Validation> {
  const errors: string[] = [];
  const read = remembering();
  await collectErrors(options, read, errors);
  if (errors.length > 0) return { errors, warnings: [], sources: null };
  try {
    const sources = await loadSources(options, { cellsOptional: true, readText: read });
    checkChains(sources, errors);
    return { errors, warnings: sources.warnings, sources: errors.length === 0 ? sources : null };
  } catch (error) {
    return { errors: [messageOf(error)], warnings: [], sources: null };
  }
}

/** Reads each file once: a pipe has its text only the first time. */
function remembering(): ReadText {
  const texts = new Map<string, Promise<string>>();
  return (file) => {
    const text = texts.get(file) ?? readText(file);
    texts.set(file, text);
    return text;
  };
}

/** The message of an error that the inputs caused; any other is thrown on. */
function messageOf(error: unknown): string {
  const ours = error instanceof ChainError || exitCodeOf(error) === EXIT.INPUT;
  if (ours && error instanceof Error) return error.message;
  throw error;
}

async function collectErrors(options: SourceOptions, read: ReadText, errors: string[]): Promise<void> {
  const json = async (file: string): Promise<Item> => parseJson(await read(file), nameOfFile(file));
  const item = (file: string): Promise<Item> => readItem(file, read);
  const check = async (file: string, open: (file: string) => Promise<Item>, accept: (item: Item) => void) => {
    try {
      readRepeatedly(await open(file), accept, errors);
    } catch (error) {
      errors.push(messageOf(error));
    }
  };
  const { foundation, policies = [], tags = [], asgs = [], store = [], iptables = [] } = options;
  // Alone, a foundation file must hold; with others, names may be found in those.
  const alone = policies.length + tags.length + store.length + iptables.length === 0;
  const readWhole = (item: Item): void => {
    const draft = readFoundationFile(item);
    if (alone) checkFoundation(draft);
  };
  if (foundation !== undefined) await check(foundation, item, readWhole);
  for (const file of policies) await check(file, json, readPolicyList);
  for (const file of tags) await check(file, json, readTagList);
  for (const file of asgs) await check(file, json, (item) => readSecurityGroupList(item, file));
  for (const one of store) {
    const { cell, file } = splitCellFile('--store', one);
    await check(file, json, (item) => readContainerStore(item, cell));
  }
  for (const one of iptables) await collectRuleErrors(splitCellFile('--iptables', one).file, options, read, errors);
}

/** Read `item`, and again without each entry that is refused. */
function readRepeatedly(item: Item, read: (item: Item) => void, errors: string[]): void {
  for (let found = 0; found < ERROR_LIMIT; found++) {
    try {
      read(item);
      return;
    } catch (error) {
      errors.push(messageOf(error));
      if (!(error instanceof FoundationError) || !takeOut(item, error.path)) return;
    }
  }
}

/** Lists whose entries nothing else refers to. */
const LEAVES = ['policies', 'tags', 'security_groups'];

/** Take the entry that `path` points into out of its list. Returns false where others may hang on it. */
function takeOut(root: Item, path: string): boolean {
  const [, key = '', index] = /^(?:(\w+))?(?:\[([0-9]+)\])/.exec(path) ?? [];
  const list = key === '' ? root : root.kind === 'object' && LEAVES.includes(key) ? root.entries.get(key) : undefined;
  if (list?.kind !== 'array' || index === undefined) return false;
  const at = list.items.findIndex((entry) => entry.key === Number(index));
  if (at < 0) return false;
  list.items.splice(at, 1);
  // The number of policies is right only for the whole list.
  if (root.kind === 'object') root.entries.delete('total_policies');
  return true;
}

async function collectRuleErrors(
  path: string,
  options: SourceOptions,
  read: ReadText,
  errors: string[],
): Promise<void> {
  try {
    const file = nameOfFile(path);
    const lines = (await read(path)).split('\n');
    for (let found = 0; found < ERROR_LIMIT; found++) {
      const line = firstBadLine(lines.join('\n'), file, options, errors);
      // Without a chain's own line, every rule of it would be refused.
      if (line === undefined || !/^\s*(?:\[[0-9:]+\]\s*)?(?:-A|--append)\s/.test(lines[line - 1]!)) return;
      lines[line - 1] = '';
    }
  } catch (error) {
    errors.push(messageOf(error));
  }
}

function firstBadLine(text: string, file: string, options: SourceOptions, errors: string[]): number | undefined {
  try {
    parseRuleset(text, { file, unknownMatches: options.unknownMatches ?? 'error' });
    return undefined;
  } catch (error) {
    errors.push(messageOf(error));
    return error instanceof RuleError ? error.line : undefined;
  }
}

/** The kernel refuses chains that do not fit together; so do we. */
function checkChains(sources: Sources, errors: string[]): void {
  for (const [cell, { ruleset }] of sources.rules) {
    for (const table of ruleset.tables) {
      try {
        indexChains(numberRules(table));
      } catch (error) {
        errors.push(`${cell}: ${messageOf(error)}`);
      }
    }
  }
}
