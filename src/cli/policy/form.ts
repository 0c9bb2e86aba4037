/** Which form `tagplane policy` prints: the one asked for, with no option that it has no use for. */
import type { TableName } from '../../rules/model.ts';
import { UsageError } from '../exit.ts';
import type { SourceOptions } from '../sources/options.ts';

/** What --as takes. */
export const FORMS = [
  'cf',
  'iptables-S',
  'iptables-L',
  'iptables-save',
  'policy-server',
  'policy-server-v0',
  'policy-server-internal',
  'tags',
  'foundation',
] as const;
export type Form = (typeof FORMS)[number];

/** Options of the command as commander hands them over. */
export interface PolicyOptions extends SourceOptions {
  readonly as?: Form;
  /** -S: true, or the name of a chain. */
  readonly listRules?: string | true;
  /** -L: true, or the name of a chain. */
  readonly list?: string | true;
  readonly table?: TableName;
  readonly chain?: string;
  readonly numeric?: boolean;
  readonly verbose?: boolean;
  readonly lineNumbers?: boolean;
  readonly source?: string;
  readonly plan?: boolean;
  readonly validate?: boolean;
  readonly json?: boolean;
}

type Printed = Form | 'plan' | 'validate';

/** Options that belong to some forms only. */
const BELONGS: readonly {
  readonly key: keyof PolicyOptions;
  readonly flag: string;
  readonly to: readonly Printed[];
}[] = [
  { key: 'source', flag: '--source', to: ['cf'] },
  { key: 'table', flag: '--table', to: ['iptables-S', 'iptables-L', 'iptables-save', 'plan'] },
  { key: 'chain', flag: '--chain', to: ['iptables-S', 'iptables-L'] },
  { key: 'numeric', flag: '--numeric', to: ['iptables-L'] },
  { key: 'lineNumbers', flag: '--line-numbers', to: ['iptables-L'] },
  { key: 'verbose', flag: '--verbose', to: ['iptables-L', 'iptables-save'] },
];

/** The form that was asked for; `cf` unless one was. Throws UsageError for two, and for an option that is idle with it. */
export function formOf(options: PolicyOptions): Printed {
  const asked: [flag: string, form: Printed][] = [];
  if (options.as !== undefined) asked.push([`--as ${options.as}`, options.as]);
  if (options.listRules !== undefined) asked.push(['-S', 'iptables-S']);
  if (options.list !== undefined) asked.push(['-L', 'iptables-L']);
  if (options.plan === true) asked.push(['--plan', 'plan']);
  if (options.validate === true) asked.push(['--validate', 'validate']);
  const [first, second] = asked;
  if (first !== undefined && second !== undefined) {
    throw new UsageError(`got both ${first[0]} and ${second[0]}, which print different things: give one`);
  }
  const form = first?.[1] ?? 'cf';
  // An option that would change nothing is more often a slip than a wish.
  const idle = BELONGS.find(({ key, to }) => options[key] !== undefined && !to.includes(form));
  if (idle !== undefined)
    throw new UsageError(`${idle.flag} changes nothing here: it belongs to ${idle.to.join(', ')}`);
  return form;
}
