/**
 * Words: one line of iptables-restore input cut into arguments, each with its column.
 *
 * The quoting is iptables-restore's own (add_param_to_argv in xshared.c), not a shell's: only `"` quotes, a backslash
 * escapes only inside quotes, and a closing quote ends the word.
 */
import { type Line, RuleError } from '../error.ts';

export interface Word {
  /** Without quotes and escapes. */
  readonly text: string;
  readonly line: Line;
  /** Of its first character, from 1. */
  readonly column: number;
  /** Column after its last character. */
  readonly end: number;
  /** A quoted word is a value, never an option or a `!`. */
  readonly quoted: boolean;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

/** Cut `line` into words, from column `from` on. Fails on a quote that is not closed. */
export function splitWords(line: Line, from = 1): Word[] {
  const words: Word[] = [];
  let at = from - 1;
  while (at < line.text.length) {
    if (isBlank(line.text.charCodeAt(at))) {
      at++;
      continue;
    }
    const word = readWord(line, at);
    words.push(word);
    at = word.end - 1;
  }
  return words;
}

function readWord(line: Line, start: number): Word {
  const { text } = line;
  let at = start;
  while (at < text.length && !isBlank(text.charCodeAt(at)) && text.charCodeAt(at) !== QUOTE) at++;
  const bare = text.slice(start, at);
  if (text.charCodeAt(at) !== QUOTE) return { text: bare, line, column: start + 1, end: at + 1, quoted: false };
  const opened = at++;
  let escaped = false;
  while (at < text.length && text.charCodeAt(at) !== QUOTE) {
    if (text.charCodeAt(at) === BACKSLASH) {
      escaped = true;
      at++;
    }
    at++;
  }
  if (at >= text.length)
    throw new RuleError('ERR_RULE_SYNTAX', { line, column: opened + 1 }, 'this quote is not closed');
  const inside = text.slice(opened + 1, at);
  const value = bare + (escaped ? inside.replace(/\\(.)/g, '$1') : inside);
  return { text: value, line, column: start + 1, end: at + 2, quoted: true };
}

/** The word as it stands in the line, quotes included. */
export const rawText = (word: Word): string => word.line.text.slice(word.column - 1, word.end - 1);

const PLAIN = /^[A-Za-z0-9_-]+$/;

/** Write a string value as iptables-save does (xtables_save_string): quoted unless it is only letters, digits, _ and -. */
export const quote = (text: string): string => (PLAIN.test(text) ? text : `"${text.replace(/["\\']/g, '\\$&')}"`);
