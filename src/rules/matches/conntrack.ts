/**
 * `-m state --state` and `-m conntrack --ctstate` (libxt_conntrack.c, which serves both). The other options of conntrack
 * (--ctproto, --ctorigsrc and so on) are not understood.
 */
import { CTSTATE } from '../model.ts';
import { type MatchModule, type MatchOf, not, required, type Written } from '../text/module.ts';
import { printBits, readBits } from '../text/values.ts';

/** In the order in which iptables prints them. */
const STATES = {
  INVALID: CTSTATE.INVALID,
  NEW: CTSTATE.NEW,
  RELATED: CTSTATE.RELATED,
  ESTABLISHED: CTSTATE.ESTABLISHED,
  UNTRACKED: CTSTATE.UNTRACKED,
} as const;
const CTSTATES = { ...STATES, SNAT: CTSTATE.SNAT, DNAT: CTSTATE.DNAT } as const;

function parseStates(written: Written, option: string, names: Readonly<Record<string, number>>) {
  const given = required(written, option);
  return { states: readBits(given.values[0]!, names), negated: given.negated };
}

export const state: MatchModule<MatchOf<'state'>> = {
  kind: 'state',
  options: [{ name: '--state', negatable: true }],
  parse: (written) => ({ kind: 'state', ...parseStates(written, '--state', STATES) }),
  save: ({ states, negated }) => `${not(negated)}--state ${printBits(states, STATES)}`,
  list: ({ states, negated }) => `${not(negated)}state ${printBits(states, STATES)}`,
};

export const conntrack: MatchModule<MatchOf<'conntrack'>> = {
  kind: 'conntrack',
  options: [{ name: '--ctstate', negatable: true }],
  parse: (written) => ({ kind: 'conntrack', ...parseStates(written, '--ctstate', CTSTATES) }),
  save: ({ states, negated }) => `${not(negated)}--ctstate ${printBits(states, CTSTATES)}`,
  list: ({ states, negated }) => `${not(negated)}ctstate ${printBits(states, CTSTATES)}`,
};
