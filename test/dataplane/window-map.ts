/** Connections followed by `tcp-window.ts` alone, for tests: TCP packets in as octets, what is known of the connection out. */
import { flagsAreValid, TCP_STATE } from '../../src/dataplane/tcp-state.ts';
import { followWindow, isInvalid, OUTCOME, openWindow } from '../../src/dataplane/tcp-window.ts';
import { FLAG_BIT, STATUS_FIELD, WINDOW_WORDS, WORD } from '../../src/dataplane/tcp-window-words.ts';
import type { Known, Seen } from './seen.ts';

const { FLAGS, STATUS } = WORD;
const { SCALE_SHIFT } = FLAG_BIT;
const { ASSURED, SEEN_REPLY, STATE } = STATUS_FIELD;

interface Entry {
  readonly words: Int32Array;
  readonly originalPort: number;
  expires: number;
}

/**
 * Timeouts by outcome for tests, in seconds: no two alike, so that what is left of one tells which it was, but ordered as the
 * kernel's defaults. That of SYN_SENT2 is the kernel's own, for it has no setting.
 */
export const TIMEOUT_SECONDS = [0, 110, 60, 432_000, 135, 75, 45, 150, 30, 120, 250, 280] as const;

const nanoseconds = (outcome: number): number => TIMEOUT_SECONDS[outcome]! * 1e9;

const WAITS = new Map<string, number>(Object.entries({ ...TCP_STATE, ...OUTCOME }));

/** Seconds of the timeout that a state has, or MAX_RETRANS or UNACKNOWLEDGED. */
export const secondsOf = (wait: string): number => TIMEOUT_SECONDS[WAITS.get(wait)!]!;

const STATE_NAMES = Object.keys(TCP_STATE);
/** The words lie somewhere inside a larger array, as they will for the caller. */
const AT = 5;
/** Bits of STATUS that are not ours. */
const CALLERS_BITS = 0x5a5a5a00;

export interface WindowMap {
  /** State of a TCP packet over IPv4 at `now` nanoseconds. Every packet passes the rules. */
  see(octets: Uint8Array, now: number): Seen;
}

/** Timeouts are TIMEOUT_SECONDS. The ports of the two ends of a connection differ. */
export function createWindowMap(): WindowMap {
  const entries = new Map<string, Entry>();

  const open = (key: string, port: number, view: DataView, tcp: number, now: number): string => {
    const words = new Int32Array(AT + WINDOW_WORDS + 3).fill(CALLERS_BITS);
    const outcome = openWindow(words, AT, view, tcp, view.byteLength - tcp);
    if (isInvalid(outcome)) return 'INVALID';
    entries.set(key, { words, originalPort: port, expires: now + nanoseconds(outcome) });
    return 'NEW';
  };

  const follow = (key: string, entry: Entry, port: number, view: DataView, tcp: number, now: number): string => {
    const { words, originalPort } = entry;
    const outcome = followWindow(words, AT, port === originalPort ? 0 : 1, view, tcp, view.byteLength - tcp);
    if (outcome === OUTCOME.REOPENED) {
      entries.delete(key);
      return open(key, port, view, tcp, now);
    }
    if (outcome === OUTCOME.INVALID_SHORTENED) {
      entry.expires = Math.min(entry.expires, now + nanoseconds(OUTCOME.UNACKNOWLEDGED));
    }
    if (isInvalid(outcome)) return 'INVALID';
    if (outcome === OUTCOME.ENDED) entries.delete(key);
    else if (outcome !== OUTCOME.KEPT) entry.expires = now + nanoseconds(outcome);
    return (words[AT + STATUS]! & SEEN_REPLY) === 0 ? 'NEW' : 'ESTABLISHED';
  };

  const see = (octets: Uint8Array, now: number): Seen => {
    const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
    const tcp = (octets[0]! & 0xf) * 4;
    const port = view.getUint16(tcp);
    const key = [port, view.getUint16(tcp + 2)].toSorted((a, b) => a - b).join();
    const entry = entries.get(key);
    if (entry !== undefined && entry.expires <= now) entries.delete(key);
    let ctstate = 'INVALID';
    if (flagsAreValid(octets[tcp + 13]!)) {
      const living = entries.get(key);
      ctstate = living === undefined ? open(key, port, view, tcp, now) : follow(key, living, port, view, tcp, now);
    }
    const after = entries.get(key);
    return after === undefined ? { ctstate } : { ctstate, known: knownOf(after, now) };
  };
  return { see };
}

function knownOf({ words, originalPort, expires }: Entry, now: number): Known {
  const status = words[AT + STATUS]!;
  if ((status & ~0xff) !== (CALLERS_BITS & ~0xff)) throw new Error("the caller's bits were touched");
  for (const at of [...Array(AT).keys(), AT + WINDOW_WORDS]) {
    if (words[at] !== CALLERS_BITS) throw new Error(`word ${at - AT} was touched`);
  }
  const flags = words[AT + FLAGS]!;
  return {
    state: STATE_NAMES[status & STATE]!,
    remaining: (expires - now) / 1e9,
    assured: (status & ASSURED) !== 0,
    seenReply: (status & SEEN_REPLY) !== 0,
    originalPort,
    details: [(flags >>> SCALE_SHIFT) & 0xf, flags >>> (SCALE_SHIFT + 4), flags & 0xff, (flags >>> 8) & 0xff],
  };
}
