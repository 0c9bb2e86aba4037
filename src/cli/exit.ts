/**
 * Exit codes, and how an error becomes one line on stderr.
 *
 * Every error that input or machine can cause is an `Error` with a `code` of our own; its message already names file,
 * place, got and expected. Anything else is a bug in tagplane and says so.
 */
import { printable } from './text.ts';

export const EXIT = {
  DONE: 0,
  FINDINGS: 1,
  INPUT: 2,
  MISSING: 4,
  BUG: 70,
  OUTPUT: 74,
  INTERRUPTED: 130,
  TERMINATED: 143,
} as const;

/** The command line asks for something that cannot be. */
export class UsageError extends Error {
  readonly code = 'ERR_USAGE';
  override readonly name = 'UsageError';
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

/** Code prefixes of each floor's errors, and what they end the program with. */
const CODES: readonly (readonly [RegExp, number])[] = [
  [/^capture\.program$|^ERR_MISSING/, EXIT.MISSING],
  [/^output\.(?:is-input|special)$/, EXIT.INPUT],
  [/^output\.|^ERR_OUTPUT/, EXIT.OUTPUT],
  [/^capture\.|^ERR_(?:USAGE|RULE|CHAIN|FOUNDATION|INPUT)/, EXIT.INPUT],
];

/** The exit code that an error ends the program with. */
export function exitCodeOf(error: unknown): number {
  const code = codeOf(error);
  return CODES.find(([pattern]) => pattern.test(code))?.[1] ?? EXIT.BUG;
}

/** What to print for an error: its message, or the whole stack when it is our own fault. */
export function describeError(error: unknown): string {
  if (exitCodeOf(error) !== EXIT.BUG) return `tagplane: ${byLine((error as Error).message)}`;
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `tagplane: internal error, please report it with the command line that led here\n${byLine(stack)}`;
}

/** Escape what is harmful, line by line: messages that quote a rule have its line and a caret below. */
const byLine = (text: string): string => text.split('\n').map(printable).join('\n');
