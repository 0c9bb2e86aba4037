/**
 * RuleError and Warning: what is wrong with a rules file, and where.
 *
 * Both point at one word of one line. The message shows the line and a caret; control characters of the input are
 * replaced, because the text is somebody else's and ends up on a terminal.
 */

/** Stable codes: what kind of thing is wrong. */
export type RuleErrorCode =
  /** The line is no rule, chain, table or COMMIT, or a quote is not closed. */
  | 'ERR_RULE_SYNTAX'
  /** A match, target or option that this parser does not know. */
  | 'ERR_RULE_UNKNOWN'
  /** A value that cannot be read or is out of range. */
  | 'ERR_RULE_VALUE'
  /** Options that iptables does not take together, twice or here. */
  | 'ERR_RULE_OPTION'
  /** A chain that is missing, doubled, misnamed or part of a loop. */
  | 'ERR_RULE_CHAIN';

/** One line of the input. `number` counts from 1. */
export interface Line {
  readonly file: string;
  readonly number: number;
  readonly text: string;
}

/** A place in a line. `column` counts UTF-16 units from 1. */
export interface Place {
  readonly line: Line;
  readonly column: number;
}

/** Something doubtful that was understood all the same, or left out because the caller asked for that. */
export interface Warning {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

const EXCERPT_BEFORE = 80;
const EXCERPT_AFTER = 60;
const MAXIMUM_MESSAGE = 300;

/** Text of the input, fit for a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
const shown = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');

const shortened = (text: string): string =>
  text.length > MAXIMUM_MESSAGE ? `${shown(text.slice(0, MAXIMUM_MESSAGE))}...` : shown(text);

/** The line around `column`, with a caret under it; long lines are cut, so that a message stays short. */
function excerpt(text: string, column: number): string {
  const start = Math.max(0, column - 1 - EXCERPT_BEFORE);
  return `${shown(text.slice(start, column - 1 + EXCERPT_AFTER))}\n${' '.repeat(column - 1 - start)}^`;
}

export class RuleError extends Error {
  readonly code: RuleErrorCode;
  readonly file: string;
  readonly line: number;
  readonly column: number;

  constructor(code: RuleErrorCode, place: Place, what: string) {
    const { line, column } = place;
    super(`${line.file}:${line.number}:${column}: ${shortened(what)}\n${excerpt(line.text, column)}`);
    this.name = 'RuleError';
    this.code = code;
    this.file = line.file;
    this.line = line.number;
    this.column = column;
  }
}

export const warningAt = (place: Place, message: string): Warning => ({
  file: place.line.file,
  line: place.line.number,
  column: place.column,
  message: shortened(message),
});
