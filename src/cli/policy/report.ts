/** What `tagplane policy --validate` found, as text for people or as a document. */

import type { Sources } from '../sources/options.ts';
import { printable } from '../text.ts';
import type { Validation } from './validate.ts';

/** One line for each finding, and a summary. */
export function printValidation({ errors, warnings, sources }: Validation): string {
  const lines = [
    ...errors.map((error) => `error: ${escaped(error)}`),
    ...warnings.map((warning) => `warning: ${escaped(warning)}`),
    sources === null ? plural(errors.length, 'error') : summary(sources),
  ];
  return `${lines.join('\n')}\n`;
}

export const validationDocument = ({ errors, warnings }: Validation): object => ({
  schemaVersion: 1,
  valid: errors.length === 0,
  errors,
  warnings,
});

/** A message may show a line of input with a caret below it. */
const escaped = (message: string): string => message.split('\n').map(printable).join('\n');

const plural = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;

function summary({ foundation, rules, warnings }: Sources): string {
  const { cells, apps, policies } = foundation;
  let count = 0;
  for (const { ruleset } of rules.values()) {
    for (const { chains } of ruleset.tables) for (const chain of chains) count += chain.rules.length;
  }
  const parts = [
    plural(cells.length, 'cell'),
    plural(apps.length, 'app'),
    policies.length === 1 ? '1 policy' : `${policies.length} policies`,
    plural(count, 'rule'),
  ];
  return `no errors, ${plural(warnings.length, 'warning')}: ${parts.join(', ')}`;
}
