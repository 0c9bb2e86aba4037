/**
 * Where the foundation and the rules come from: the options that every command shares, and what they add up to.
 *
 *     --foundation FILE                     a foundation file, YAML or JSON
 *     --policies, --tags, --asgs FILE       answers of the policy server
 *     --store CELL=FILE                     container metadata of a cell
 *     --iptables CELL=FILE                  what iptables-save printed on a cell; taken as it is
 *
 * A cell without --iptables gets the rules that silk and the policy agent would write. What no file says is inferred from
 * the rules, and that is told.
 */

import { type Command, Option } from 'commander';
import type { CellRules } from '../../dataplane/setup.ts';
import { checkFoundation } from '../../foundation/check.ts';
import { type Inference, inferCells } from '../../foundation/infer.ts';
import { addInferred, draftCells, lacksUnderlay } from '../../foundation/infer-draft.ts';
import { draftArtefacts } from '../../foundation/join.ts';
import type { Foundation } from '../../foundation/model.ts';
import type { Backend } from '../../rules/evaluator.ts';
import { UsageError } from '../exit.ts';
import { nameOfFile, type ReadText, readText } from '../files.ts';
import { guessedTags, rulesOf, withoutGuesses } from './plan.ts';
import { cellNames, type Given, inTurn, readGiven, splitCellFile } from './read.ts';
import { type RulesFile, readRulesFile } from './rules.ts';
import { describeCell, leftOut, listed, missingUnderlay } from './text.ts';

/** The shared options as commander hands them over. */
export interface SourceOptions {
  readonly foundation?: string;
  readonly policies?: readonly string[];
  readonly tags?: readonly string[];
  readonly asgs?: readonly string[];
  /** `CELL=FILE` each. */
  readonly store?: readonly string[];
  /** `CELL=FILE` each. */
  readonly iptables?: readonly string[];
  readonly iptablesBackend?: Backend;
  readonly cell?: readonly string[];
  readonly unknownMatches?: 'error' | 'assume-no-match';
  readonly logging?: boolean;
}

export interface Sources {
  readonly foundation: Foundation;
  /** By cell name, in the order of the foundation's cells. */
  readonly rules: Map<string, CellRules>;
  /** Names given with --cell, each a cell of the foundation; empty when the option is left out. */
  readonly cells: readonly string[];
  /** Where each cell's rules come from, one sentence a cell. Not escaped. */
  readonly origins: readonly string[];
  /** What is doubtful or left out. Not escaped. */
  readonly warnings: readonly string[];
}

export interface LoadOptions {
  /** Whether the command can do without cells, as printing policies can. */
  readonly cellsOptional?: boolean;
  /** In place of reading files each time. */
  readonly readText?: ReadText;
}

const HEADING = 'Where the rules come from:';

const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value];

/** Add the shared options to a command. */
export function addSourceOptions(command: Command): Command {
  const option = (flags: string, description: string): Option => new Option(flags, description).helpGroup(HEADING);
  const repeated = (flags: string, description: string): Option => option(flags, description).argParser(collect);
  return command
    .addOption(option('--foundation <file>', 'cells, apps and policies, YAML or JSON (docs/formats.md)'))
    .addOption(repeated('--policies <file>', 'policy-server policies, external or internal, v0 or v1 (repeatable)'))
    .addOption(repeated('--tags <file>', 'policy-server tags (repeatable)'))
    .addOption(repeated('--asgs <file>', 'security groups of the policy server or of cf (repeatable)'))
    .addOption(repeated('--store <cell=file>', "a cell's container metadata, store.json (repeatable)"))
    .addOption(
      repeated('--iptables <cell=file>', 'iptables-save of a cell, in place of its planned rules (repeatable)'),
    )
    .addOption(
      option('--iptables-backend <backend>', 'in place of what the header of iptables-save says').choices([
        'nft',
        'legacy',
      ]),
    )
    .addOption(repeated('--cell <name>', 'the cell that is meant, or where a capture was taken (repeatable)'))
    .addOption(
      option('--unknown-matches <what>', 'what to do with matches and targets that tagplane does not know')
        .choices(['error', 'assume-no-match'])
        .default('error'),
    )
    .addOption(option('--logging', 'plan rules with iptables_logging on'));
}

/** Whether one of the shared options reads standard input. */
export const readsStandardInput = (options: SourceOptions): boolean => filesOf(options).includes('-');

/** Read all that `options` name and join it. Throws UsageError, InputError, FoundationError and RuleError. */
export async function loadSources(options: SourceOptions, load: LoadOptions = {}): Promise<Sources> {
  checkOptions(options);
  const read = load.readText ?? ((file) => readText(file));
  const given = await readGiven(options, read);
  const rulesFiles = await readRulesFiles(options, read);
  checkCellNames(given, rulesFiles, options);
  const files = new Map(rulesFiles.map((file) => [file.cell, file]));
  const inference = inferCells(new Map(rulesFiles.map(({ cell, ruleset }) => [cell, ruleset])));
  const draft = draftArtefacts({ ...given, cells: draftCells(inference, files) });
  const policiesGiven = draft.policies.length > 0 || given.policies.length > 0;
  const remarks = addInferred(draft, inference, files, policiesGiven);
  const guessed = new Set(draft.apps.flatMap(({ guid, tag }) => (tag === null ? [guid] : [])));
  const foundation = withLogging(withoutGuesses(checkFoundation(draft), guessed, files), options);
  if (load.cellsOptional !== true) requireCells(foundation, inference);
  checkSelected(foundation, options.cell ?? []);
  const planned = plannedFrom(options);
  // Answers of a real policy server and rules of real cells go with that server's tags; a foundation file needs none.
  const real = given.policies.length > 0 || rulesFiles.length > 0;
  const givenCells = new Set(cellNames(given.foundation));
  return {
    foundation,
    rules: rulesOf(foundation, files, options.iptablesBackend ?? 'nft'),
    cells: options.cell ?? [],
    origins: foundation.cells.map((cell) =>
      describeCell(cell, files.get(cell.name), givenCells.has(cell.name) ? undefined : inference, planned),
    ),
    warnings: [
      ...rulesFiles.flatMap(({ warnings }) => warnings),
      ...remarks,
      ...leftOut(foundation, inference),
      ...foundation.cells.filter(lacksUnderlay).map(missingUnderlay),
      ...(real ? guessedTags(foundation, guessed) : []),
      ...(options.logging === true && foundation.cells.every(({ name }) => files.has(name)) ? [UNUSED_LOGGING] : []),
    ],
  };
}

const UNUSED_LOGGING = '--logging changes planned rules only, and no cell has planned rules';

const filesOf = (options: SourceOptions): string[] => [
  ...(options.foundation === undefined ? [] : [options.foundation]),
  ...(options.policies ?? []),
  ...(options.tags ?? []),
  ...(options.asgs ?? []),
  ...(options.store ?? []).map((one) => splitCellFile('--store', one).file),
  ...(options.iptables ?? []).map((one) => splitCellFile('--iptables', one).file),
];

function checkOptions(options: SourceOptions): void {
  const files = filesOf(options);
  if (files.length === 0) {
    throw new UsageError(
      'nothing says which cells, apps and rules there are: give --foundation FILE, ' +
        'or --iptables CELL=FILE with what iptables-save printed on a cell (once for each cell)',
    );
  }
  if (files.filter((file) => file === '-').length > 1) {
    throw new UsageError('standard input (-) can be only one of the files: save the others and name them');
  }
  for (const option of ['store', 'iptables'] as const) {
    const cells = (options[option] ?? []).map((one) => splitCellFile(`--${option}`, one).cell);
    const twice = cells.find((cell, index) => cells.indexOf(cell) !== index);
    if (twice !== undefined) throw new UsageError(`--${option} names cell ${twice} twice: give each cell one file`);
  }
}

const readRulesFiles = (options: SourceOptions, read: ReadText): Promise<RulesFile[]> =>
  inTurn(options.iptables, (one) => {
    const { cell, file } = splitCellFile('--iptables', one);
    const unknownMatches = options.unknownMatches ?? 'error';
    return readRulesFile(cell, file, { unknownMatches, backend: options.iptablesBackend, readText: read });
  });

/** A foundation that lists cells lists them all: another name is a slip of the pen. */
function checkCellNames(given: Given, rulesFiles: readonly RulesFile[], options: SourceOptions): void {
  const known = cellNames(given.foundation);
  if (known.length === 0) return;
  const named = [
    ...rulesFiles.map(({ cell, file }) => ({ cell, option: `--iptables ${cell}=${file}` })),
    ...given.stores.map(({ cell, file }) => ({ cell, option: `--store ${cell}=${file}` })),
  ];
  const stranger = named.find(({ cell }) => !known.includes(cell));
  if (stranger === undefined) return;
  throw new UsageError(
    `${stranger.option}: ${options.foundation} has no cell called ${stranger.cell}; its cells are ${listed(known)}`,
  );
}

function checkSelected(foundation: Foundation, selected: readonly string[]): void {
  const known = foundation.cells.map(({ name }) => name);
  const stranger = selected.find((name) => !known.includes(name));
  if (stranger === undefined) return;
  const expected = known.length === 0 ? 'no cell is known' : `expected one of ${listed(known)}`;
  throw new UsageError(`--cell ${stranger}: there is no cell called ${stranger}; ${expected}`);
}

function requireCells(foundation: Foundation, inference: Inference): void {
  if (foundation.cells.length > 0) return;
  if (inference.cells.length > 0) throw new UsageError(leftOut(foundation, inference).join('; '));
  throw new UsageError(
    'no cell is known: give --foundation FILE with cells, or --iptables CELL=FILE with what iptables-save printed on one',
  );
}

function withLogging(foundation: Foundation, { logging }: SourceOptions): Foundation {
  if (logging !== true) return foundation;
  const { settings } = foundation;
  const outboundConnections = { ...settings.outboundConnections, logging };
  return { ...foundation, settings: { ...settings, logging, outboundConnections } };
}

/** The files that planned rules come from. */
const plannedFrom = ({ iptables: _, ...options }: SourceOptions): string => {
  const files = filesOf(options).map(nameOfFile);
  const last = files.pop() ?? '';
  return files.length === 0 ? last : `${files.join(', ')} and ${last}`;
};
