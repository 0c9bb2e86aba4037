/** TCP connections followed by `tcp-window.ts` alone, for tests. */
import { flagsAreValid, TCP_STATE } from '../../src/dataplane/tcp-state.ts';
import { followWindow, openWindow } from '../../src/dataplane/tcp-window.ts';
import { isInvalid, OUTCOME } from '../../src/dataplane/tcp-window-outcome.ts';
import { FLAG_BIT, WINDOW_WORDS, WORD } from '../../src/dataplane/tcp-window-words.ts';
import { type ConnectionMap, createConnectionMap, type Judgement } from './connection-map.ts';

/**
 * Timeouts by outcome for tests, in seconds: no two alike, so that what is left of one tells which it was, but ordered as the
 * kernel's defaults. That of SYN_SENT2 is the kernel's own, for it has no setting.
 */
export const TIMEOUT_SECONDS = [0, 110, 60, 432_000, 135, 75, 45, 150, 30, 120, 250, 280] as const;

const WAITS = new Map<string, number>(Object.entries({ ...TCP_STATE, ...OUTCOME }));

/** Seconds of the timeout that a state has, or MAX_RETRANS or UNACKNOWLEDGED. */
export const secondsOf = (wait: string): number => TIMEOUT_SECONDS[WAITS.get(wait)!]!;

function judge(outcome: number): Judgement {
  switch (outcome) {
    case OUTCOME.KEPT:
      return 'KEPT';
    case OUTCOME.ENDED:
      return 'ENDED';
    case OUTCOME.REOPENED:
      return 'REOPENED';
    case OUTCOME.INVALID_SHORTENED:
      return 'INVALID_SHORTENED';
    default:
      return isInvalid(outcome) ? 'INVALID' : TIMEOUT_SECONDS[outcome]!;
  }
}

const { FLAGS, STATUS } = WORD;
const { SCALE_SHIFT } = FLAG_BIT;

/** Timeouts are TIMEOUT_SECONDS. */
export const createWindowMap = (): ConnectionMap =>
  createConnectionMap({
    wordCount: WINDOW_WORDS,
    statusWord: STATUS,
    stateNames: Object.keys(TCP_STATE),
    shortened: TIMEOUT_SECONDS[OUTCOME.UNACKNOWLEDGED],
    isValid: (view, tcp) => flagsAreValid(view.getUint8(tcp + 13)),
    open: (words, at, view, tcp) => judge(openWindow(words, at, view, tcp, view.byteLength - tcp)),
    follow: (words, at, reply, view, tcp) => judge(followWindow(words, at, reply, view, tcp, view.byteLength - tcp)),
    details: (words, at) => {
      const flags = words[at + FLAGS]!;
      return [(flags >>> SCALE_SHIFT) & 0xf, flags >>> (SCALE_SHIFT + 4), flags & 0xff, (flags >>> 8) & 0xff];
    },
  });
