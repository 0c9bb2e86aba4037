/** SCTP associations followed by `sctp-follow.ts` alone, for tests. */
import { followSctp, openSctp, SCTP_OUTCOME, SCTP_STATUS, SCTP_WORDS } from '../../src/dataplane/sctp-follow.ts';
import { SCTP_STATE } from '../../src/dataplane/sctp-state.ts';
import { type ConnectionMap, createConnectionMap, type Judgement } from './connection-map.ts';

/** Timeouts by state for tests, in seconds, no two alike. */
export const SCTP_SECONDS = [0, 20, 26, 32, 210, 38, 44, 50, 56] as const;

function judge(outcome: number): Judgement {
  if (outcome === SCTP_OUTCOME.KEPT) return 'KEPT';
  return outcome === SCTP_OUTCOME.INVALID ? 'INVALID' : SCTP_SECONDS[outcome]!;
}

/** Timeouts are SCTP_SECONDS. */
export const createSctpMap = (): ConnectionMap =>
  createConnectionMap({
    wordCount: SCTP_WORDS,
    statusWord: SCTP_STATUS,
    stateNames: Object.keys(SCTP_STATE),
    shortened: Number.POSITIVE_INFINITY,
    isValid: () => true,
    open: (words, at, view, sctp) => judge(openSctp(words, at, view, sctp, view.byteLength - sctp)),
    follow: (words, at, reply, view, sctp) => judge(followSctp(words, at, reply, view, sctp, view.byteLength - sctp)),
    details: (words, at) => [words[at]!, words[at + 1]!],
  });
