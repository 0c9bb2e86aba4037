/** `-m mark` and `-m connmark` (libxt_mark.c, libxt_connmark.c): the mark of the packet, and of its connection. */
import { type MatchModule, type MatchOf, not, required, type Written } from '../text/module.ts';
import { MAXIMUM_32, printMark, readMark } from '../text/values.ts';

const OPTIONS = [{ name: '--mark', negatable: true }] as const;

function parseMark(written: Written): { value: number; mask: number; negated: boolean } {
  const given = required(written, '--mark');
  const { value, mask } = readMark(given.values[0]!);
  return { value, mask: mask ?? MAXIMUM_32, negated: given.negated };
}

export const mark: MatchModule<MatchOf<'mark'>> = {
  kind: 'mark',
  options: OPTIONS,
  parse: (written) => ({ kind: 'mark', ...parseMark(written) }),
  save: ({ value, mask, negated }) => `${not(negated)}--mark ${printMark(value, mask)}`,
  list: ({ value, mask, negated }) => `mark match ${not(negated)}${printMark(value, mask)}`,
};

export const connmark: MatchModule<MatchOf<'connmark'>> = {
  kind: 'connmark',
  options: OPTIONS,
  parse: (written) => ({ kind: 'connmark', ...parseMark(written) }),
  save: ({ value, mask, negated }) => `${not(negated)}--mark ${printMark(value, mask)}`,
  // The two blanks are iptables'.
  list: ({ value, mask, negated }) => `connmark match ${not(negated) || ' '}${printMark(value, mask)}`,
};
