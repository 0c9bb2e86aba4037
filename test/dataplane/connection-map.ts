/** A table of connections over a protocol's tracker alone, for tests: packets in as octets, what is seen of the connection out. */
import * as assert from 'uvu/assert';
import type { Known, Seen } from './seen.ts';

/** What the tracker says of a packet: one of these words, or for how many seconds the connection is kept from now on. */
export type Judgement = 'INVALID' | 'INVALID_SHORTENED' | 'REOPENED' | 'ENDED' | 'KEPT' | number;

/** A tracker whose state lies in words, `at` and on; `transport` is where the transport header begins. */
export interface Tracker {
  readonly wordCount: number;
  /** The word that holds state, ASSURED and SEEN_REPLY, and 24 bits of the caller's. */
  readonly statusWord: number;
  readonly stateNames: readonly string[];
  /** Seconds that INVALID_SHORTENED leaves at most. */
  readonly shortened: number;
  readonly isValid: (view: DataView, transport: number) => boolean;
  readonly open: (words: Int32Array, at: number, view: DataView, transport: number) => Judgement;
  readonly follow: (words: Int32Array, at: number, reply: number, view: DataView, transport: number) => Judgement;
  readonly details: (words: Int32Array, at: number) => readonly number[];
}

const STATE = 0xf;
const ASSURED = 0x10;
const SEEN_REPLY = 0x20;

interface Entry {
  readonly words: Int32Array;
  readonly originalPort: number;
  expires: number;
}

/** The words lie somewhere inside a larger array, as they will for the caller. */
const AT = 5;
/** What lies around them, and in the caller's bits of the status word. */
const AROUND = 0x5a5a5a00;

export interface ConnectionMap {
  /** What is seen of an IPv4 packet at `now` seconds. Every packet passes the rules. The ports of the two ends differ. */
  see(octets: Uint8Array, now: number): Seen;
}

export function createConnectionMap(tracker: Tracker): ConnectionMap {
  const { wordCount, shortened } = tracker;
  const entries = new Map<string, Entry>();

  const open = (key: string, port: number, view: DataView, transport: number, now: number): string => {
    const words = new Int32Array(AT + wordCount + 1).fill(AROUND);
    const judged = tracker.open(words, AT, view, transport);
    if (typeof judged !== 'number') return 'INVALID';
    entries.set(key, { words, originalPort: port, expires: now + judged });
    return 'NEW';
  };

  const follow = (key: string, entry: Entry, port: number, view: DataView, transport: number, now: number): string => {
    const { words, originalPort } = entry;
    const judged = tracker.follow(words, AT, port === originalPort ? 0 : 1, view, transport);
    if (judged === 'INVALID') return judged;
    if (judged === 'INVALID_SHORTENED') {
      entry.expires = Math.min(entry.expires, now + shortened);
      return 'INVALID';
    }
    if (judged === 'REOPENED' || judged === 'ENDED') entries.delete(key);
    if (judged === 'REOPENED') return open(key, port, view, transport, now);
    if (typeof judged === 'number') entry.expires = now + judged;
    return (words[AT + tracker.statusWord]! & SEEN_REPLY) === 0 ? 'NEW' : 'ESTABLISHED';
  };

  const see = (octets: Uint8Array, now: number): Seen => {
    const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
    const transport = (octets[0]! & 0xf) * 4;
    const port = view.getUint16(transport);
    const key = [port, view.getUint16(transport + 2)].toSorted((a, b) => a - b).join();
    const found = entries.get(key);
    if (found !== undefined && found.expires <= now) entries.delete(key);
    const living = entries.get(key);
    let ctstate = 'INVALID';
    if (tracker.isValid(view, transport)) {
      ctstate =
        living === undefined ? open(key, port, view, transport, now) : follow(key, living, port, view, transport, now);
    }
    const after = entries.get(key);
    return after === undefined ? { ctstate } : { ctstate, known: knownOf(tracker, after, now) };
  };
  return { see };
}

function knownOf(tracker: Tracker, { words, originalPort, expires }: Entry, now: number): Known {
  const status = words[AT + tracker.statusWord]!;
  const around = [...words.subarray(0, AT), ...words.subarray(AT + tracker.wordCount), status & ~0xff];
  assert.equal(around, Array<number>(around.length).fill(AROUND), "what is the caller's was touched");
  return {
    state: tracker.stateNames[status & STATE]!,
    remaining: expires - now,
    assured: (status & ASSURED) !== 0,
    seenReply: (status & SEEN_REPLY) !== 0,
    originalPort,
    details: tracker.details(words, AT),
  };
}
