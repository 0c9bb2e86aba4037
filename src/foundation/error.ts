/**
 * FoundationError: what people get when a foundation, a policy list or a container store cannot be taken as it is.
 *
 * The message is one line, `file:line:column: path: what is wrong`, and safe to print: text from the input is quoted by
 * `quote`, which leaves no control character, no bidirectional override and no line separator alive.
 */

/** Stable codes; the class of a mistake, not its wording. */
export type FoundationErrorCode =
  /** The text is not JSON or not YAML 1.2. */
  | 'ERR_FOUNDATION_SYNTAX'
  /** Too large, too deep, too many aliases. */
  | 'ERR_FOUNDATION_LIMIT'
  /** A key that is unknown, missing, written twice or never allowed. */
  | 'ERR_FOUNDATION_KEY'
  /** A value of the wrong kind (a list where text is wanted). */
  | 'ERR_FOUNDATION_TYPE'
  /** A value of the right kind that is not acceptable (port 65536). */
  | 'ERR_FOUNDATION_VALUE'
  /** A name or GUID that nothing answers to, or more than one thing. */
  | 'ERR_FOUNDATION_REFERENCE'
  /** Two statements that cannot both hold. */
  | 'ERR_FOUNDATION_CONFLICT'
  /** Something that no input said and that nothing can be derived from. */
  | 'ERR_FOUNDATION_MISSING'
  /** More apps in policies than the 65,535 tags of a 16-bit group id. */
  | 'ERR_FOUNDATION_TAGS_EXHAUSTED';

/** A position in one input. `line` and `column` count from 1; `path` is like `policies[3].ports`, empty for the whole. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
}

export class FoundationError extends Error {
  override readonly name = 'FoundationError';
  readonly code: FoundationErrorCode;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
  /** The other side of a contradiction. */
  readonly other: Place | null;

  /** Without a place (the mistake is in no input), file and path are empty, line and column 0. */
  constructor(code: FoundationErrorCode, place: Place | null, sentence: string, other: Place | null = null) {
    super(place === null ? sentence : `${position(place)}${sentence}`);
    this.code = code;
    this.file = place?.file ?? '';
    this.line = place?.line ?? 0;
    this.column = place?.column ?? 0;
    this.path = place?.path ?? '';
    this.other = other;
  }
}

function position({ file, line, column, path }: Place): string {
  return `${escaped(file)}:${line}:${column}: ${path === '' ? '' : `${escaped(path)}: `}`;
}

/** Characters that can move a terminal's cursor, reorder a line or split it: C0, DEL, C1, bidi controls, separators. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to keep off a terminal
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/gu;

/** Longest piece of input that a message repeats, in UTF-16 units. */
const QUOTED_LENGTH = 80;

/** `text` with every such character spelt as `\uXXXX`. */
export const escaped = (text: string): string =>
  text.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** `text` in double quotes, cut to 80 characters, fit for a terminal. */
export function quote(text: string): string {
  const cut = text.length > QUOTED_LENGTH ? `${text.slice(0, QUOTED_LENGTH)}...` : text;
  return `"${escaped(cut.replace(/["\\]/g, '\\$&'))}"`;
}
