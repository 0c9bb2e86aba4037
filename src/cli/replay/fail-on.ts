/** The words of `--fail-on`: verdicts, and the ways in which captures may contradict emulated cells. */
import { InvalidArgumentError } from 'commander';
import { VERDICT_NAMES } from '../../dataplane/verdict.ts';

export const CONTRADICTIONS = ['missing', 'differ', 'extra'] as const;

export type Contradiction = (typeof CONTRADICTIONS)[number];

export const isContradiction = (word: string): word is Contradiction =>
  (CONTRADICTIONS as readonly string[]).includes(word);

/** The words of `text`, separated by commas. Throws commander's error for others. */
export function failOnWords(text: string): string[] {
  const words = text.split(',');
  const known: readonly string[] = [...VERDICT_NAMES, ...CONTRADICTIONS];
  const wrong = words.find((word) => !known.includes(word));
  if (wrong === undefined) return words;
  throw new InvalidArgumentError(`"${wrong}" is no verdict, expected ${known.join(', ')}`);
}
