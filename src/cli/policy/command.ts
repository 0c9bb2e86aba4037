/**
 * `tagplane policy`: policies and rules, printed, converted and checked.
 *
 * One set of inputs, many forms: the table of `cf network-policies`, a cell's rules as each of the iptables programs prints
 * them, the policy server's JSON, a foundation file, the compiled plan.
 */
import { Command, Option } from 'commander';
import { externalPolicies, externalPoliciesV0, internalPolicies, tagList } from '../../foundation/policy-list.ts';
import type { TableName } from '../../rules/model.ts';
import { EXIT, UsageError } from '../exit.ts';
import { addSourceOptions, loadSources, type Sources } from '../sources/options.ts';
import { printable } from '../text.ts';
import { policyDocument, printTable, rangesOf, requireTags, untagged } from './cf.ts';
import { FORMS, type Form, formOf, type PolicyOptions } from './form.ts';
import { foundationDocument } from './foundation.ts';
import { type IptablesOptions, iptablesDocument, printIptables } from './iptables.ts';
import { compilePlans, printPlans } from './plan.ts';
import { printValidation, validationDocument } from './report.ts';
import { validate } from './validate.ts';

const TABLES: readonly TableName[] = ['raw', 'mangle', 'nat', 'filter', 'security'];

const EXAMPLES = `
Examples:
  The policies of a foundation, as cf network-policies shows them:
    tagplane policy --foundation foundation.yml

  Which rules do they become on cell-b? The chain of the policy agent, with ports as numbers:
    tagplane policy --foundation foundation.yml --cell cell-b -L 'vpa--*' -n

  The same for iptables-restore, all tables:
    tagplane policy --foundation foundation.yml --cell cell-b --as iptables-save

  What do the policy server and two cells say together?
    tagplane policy --policies policies.json --tags tags.json \\
      --iptables cell-a=a.txt --iptables cell-b=b.txt --validate

  A foundation file to start from, inferred from the rules of real cells:
    tagplane policy --iptables cell-a=a.txt --iptables cell-b=b.txt --as foundation

  What the rules of a cell are compiled into:
    tagplane policy --foundation foundation.yml --cell cell-b --plan

  Policies for the API of the policy server (cf curl /networking/v1/external/policies -d @-):
    tagplane policy --foundation foundation.yml --as policy-server`;

/** The command `policy`. Its action writes to stdout and stderr and throws what the caller turns into an exit code. */
export function policyCommand(): Command {
  const command = new Command('policy')
    .description('print, convert and check policies and the rules they become')
    .addOption(new Option('--as <form>', 'what to print; cf is the table of cf network-policies').choices(FORMS))
    .option('-S, --list-rules [chain]', 'like iptables -S')
    .option('-L, --list [chain]', 'like iptables -L')
    .option('--source <app>', 'only the policies of this app (with --as cf)')
    .addOption(new Option('-t, --table <table>', 'filter unless given; iptables-save has all').choices(TABLES))
    .option('--chain <chain>', 'only this chain; a * at the end stands for the rest of its name')
    .option('-n, --numeric', 'protocols and ports as numbers (with -L)')
    .option('-v, --verbose', 'counters and interfaces (with -L), counters (with --as iptables-save)')
    .option('--line-numbers', 'number the rules (with -L)')
    .option('--plan', 'what the rules are compiled into')
    .option('--validate', 'read everything and report all that is wrong')
    .option('--json', 'one JSON document');
  return addSourceOptions(command).addHelpText('after', EXAMPLES).action(run);
}

async function run(options: PolicyOptions): Promise<void> {
  const form = formOf(options);
  if (form === 'validate') {
    const validation = await validate(options);
    if (validation.errors.length > 0) process.exitCode = EXIT.INPUT;
    process.stdout.write(options.json === true ? json(validationDocument(validation)) : printValidation(validation));
    return;
  }
  const sources = await loadSources(options, { cellsOptional: true });
  tell(sources, options);
  process.stdout.write(await print(sources, form, options));
}

/** What is doubtful, and where rules come from when that is not plain from the command line. */
function tell({ origins, warnings }: Sources, options: PolicyOptions): void {
  if ((options.iptables ?? []).length > 0) for (const origin of origins) note(origin);
  for (const warning of warnings) note(`warning: ${warning}`);
}

function note(line: string): void {
  process.stderr.write(`tagplane: ${printable(line)}\n`);
}

async function print(sources: Sources, form: Form | 'plan', options: PolicyOptions): Promise<string> {
  const { foundation } = sources;
  switch (form) {
    case 'cf':
      return options.json === true
        ? json(policyDocument(foundation, options.source))
        : printTable(foundation, options.source);
    case 'iptables-S':
    case 'iptables-L':
    case 'iptables-save': {
      const iptables = iptablesOptions(form, options);
      return options.json === true ? json(iptablesDocument(sources, iptables)) : printIptables(sources, iptables);
    }
    case 'plan': {
      const plans = compilePlans(sources, options.table ?? 'filter');
      return options.json === true ? json({ schemaVersion: 1, cells: plans }) : printPlans(plans);
    }
    case 'policy-server':
      return json(externalPolicies(foundation));
    case 'policy-server-v0': {
      const omitted = rangesOf(foundation);
      if (omitted > 0)
        note(`warning: policies for a range of ports, left out as the v0 API has no words for them: ${omitted}`);
      return json(externalPoliciesV0(foundation));
    }
    case 'policy-server-internal':
      requireTags(foundation);
      return json(internalPolicies(foundation));
    case 'tags':
      return json(tagList(foundation));
    case 'foundation':
      for (const name of untagged(foundation))
        note(`warning: ${name}: its tag is unknown; a reader gives it the lowest free one`);
      return options.json === true ? json(foundationDocument(foundation)) : yaml(foundationDocument(foundation));
  }
}

const json = (document: object): string => `${JSON.stringify(document, null, 2)}\n`;

async function yaml(document: object): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(document, { version: '1.2', lineWidth: 0, aliasDuplicateObjects: false });
}

function iptablesOptions(form: IptablesOptions['form'], options: PolicyOptions): IptablesOptions {
  const argument = form === 'iptables-S' ? options.listRules : options.list;
  const chain = typeof argument === 'string' ? argument : undefined;
  if (chain !== undefined && options.chain !== undefined && chain !== options.chain) {
    throw new UsageError(`got two chains, ${chain} and ${options.chain}: give one`);
  }
  return {
    form,
    table: options.table,
    chain: chain ?? options.chain,
    numeric: options.numeric === true,
    verbose: options.verbose === true,
    lineNumbers: options.lineNumbers === true,
  };
}
