/**
 * Fragments: IPv4 datagrams put together again before connection tracking sees them.
 *
 * As Linux does it (net/ipv4/ip_fragment.c, net/ipv4/inet_fragment.c): fragments wait in a queue for 30 seconds; an overlap
 * ends the whole queue (RFC 5722's rule, taken over for IPv4 in 2018), but a fragment that lies within one run of the queue
 * is a duplicate, dropped alone. A fragment prolongs a run only behind the last one; others begin runs of their own, so that
 * the order of arrival decides whether octets known from two fragments are a duplicate or an overlap. The mark is that of
 * the offset-0 fragment, whatever came with the others. Every fragment that waits is kept with its octets and its place in
 * the capture, so that it can be told later what became of it.
 *
 * Fragments are the exception on the packet path: this file allocates per fragment, within the bound MEMORY_LIMIT.
 */

/** Nanoseconds a datagram may stay incomplete (net.ipv4.ipfrag_time). */
const LIFETIME = 30e9;
/** Octets of frames that wait (net.ipv4.ipfrag_high_thresh). */
export const MEMORY_LIMIT = 4 << 20;
/** Longest IPv4 payload that a total length of 16 bits allows behind a header of 20 octets. */
const LONGEST = 65_535 - 20;
/** In octet 6 of the IPv4 header. */
const DONT_FRAGMENT = 0x40;

/** One fragment as it stood in the capture. */
export interface HeldFrame {
  /** The captured octets of the whole frame. */
  readonly octets: Uint8Array;
  /** The captured octets of the fragment itself: IPv4 header, then payload. */
  readonly datagram: Uint8Array;
  readonly headerLength: number;
  /** Place of its payload in the datagram; `to` is exclusive and follows from the declared length. */
  readonly from: number;
  readonly to: number;
  readonly mark: number;
  readonly tag: number;
  readonly cell: number;
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
  // Its row in the capture.
  readonly originalLength: number;
  readonly linkType: number;
  readonly interfaceIndex: number;
  readonly file: number;
  readonly packet: number;
  readonly offset: number;
  readonly time: number;
  /** Fragments of the outer packet that carried this inner fragment; they share its fate. */
  readonly companions: readonly HeldFrame[];
}

/** Octets that came in order (FRAG_CB's frag_run_len); `to` is exclusive. */
interface Run {
  readonly from: number;
  to: number;
}

interface Queue {
  readonly key: string;
  readonly frames: HeldFrame[];
  /** In order of their place in the datagram; they never overlap. */
  readonly runs: Run[];
  /** Where the payload ends, as far as known; the end itself once `hasLast` (q.len, INET_FRAG_LAST_IN). */
  length: number;
  hasLast: boolean;
  readonly deadline: number;
}

/** What happened to the fragment that was handed in. */
export const ADDED = { WAITS: 0, COMPLETE: 1, DUPLICATE: 2, OVERLAP: 3, TOO_BIG: 4 } as const;

export interface Fragments {
  readonly queues: Map<string, Queue>;
  octets: number;
  /** The most that ever waited at a time. */
  peak: number;
  /** Frames of the datagram that the last `add` completed or ended, in order of arrival, the newest last. */
  ended: HeldFrame[];
}

export const create = (): Fragments => ({ queues: new Map(), octets: 0, peak: 0, ended: [] });

/** Two datagrams with one key would be mixed by the kernel too. The cell stands for its one network namespace and VNI. */
const keyOf = (frame: HeldFrame, identification: number | string): string =>
  `${frame.cell}/${frame.source}/${frame.destination}/${frame.protocol}/${identification}`;

/** Take one fragment in. `more` is its more-fragments flag; `identification` may name more that tells datagrams apart. */
export function add(fragments: Fragments, frame: HeldFrame, identification: number | string, more: boolean): number {
  fragments.ended = [];
  if (frame.to > LONGEST) return ADDED.TOO_BIG;
  const key = keyOf(frame, identification);
  let queue = fragments.queues.get(key);
  if (queue === undefined) {
    queue = { key, frames: [], runs: [], length: 0, hasLast: false, deadline: frame.time + LIFETIME };
    fragments.queues.set(key, queue);
  }
  const fits = declareEnd(queue, frame.to, more) && frame.to > frame.from;
  const outcome = fits ? place(queue.runs, frame.from, frame.to) : ADDED.OVERLAP;
  if (outcome === ADDED.DUPLICATE) return outcome;
  queue.frames.push(frame);
  fragments.octets += weight(frame);
  fragments.peak = Math.max(fragments.peak, fragments.octets);
  if (outcome === ADDED.WAITS && !isComplete(queue)) return outcome;
  end(fragments, queue);
  return outcome === ADDED.WAITS ? ADDED.COMPLETE : outcome;
}

/**
 * Hold the end of a fragment against what is known of the datagram's (ip_frag_queue); false when they contradict. A fragment
 * that turns out a duplicate has had its say, too.
 */
function declareEnd(queue: Queue, to: number, more: boolean): boolean {
  if ((queue.hasLast && to > queue.length) || (!more && to < queue.length)) return false;
  queue.length = Math.max(queue.length, to);
  queue.hasLast ||= !more;
  return true;
}

/** Find the octets a place among the runs (inet_frag_queue_insert): WAITS, DUPLICATE or OVERLAP. */
function place(runs: Run[], from: number, to: number): number {
  const last = runs.at(-1);
  if (last === undefined || to > last.to) {
    if (last !== undefined && from < last.to) return ADDED.OVERLAP;
    if (last !== undefined && from === last.to) last.to = to;
    else runs.push({ from, to });
    return ADDED.WAITS;
  }
  const next = runs.findIndex((run) => from < run.to);
  const run = runs[next]!;
  if (to > run.from) return from >= run.from && to <= run.to ? ADDED.DUPLICATE : ADDED.OVERLAP;
  runs.splice(next, 0, { from, to });
  return ADDED.WAITS;
}

const weight = (frame: HeldFrame): number =>
  frame.companions.reduce((sum, one) => sum + one.octets.length, frame.octets.length + frame.datagram.length);

/** Runs never overlap, so they are whole when their lengths add up. */
const isComplete = ({ runs, length, hasLast }: Queue): boolean =>
  hasLast && runs.reduce((sum, run) => sum + run.to - run.from, 0) === length;

function end(fragments: Fragments, queue: Queue): void {
  fragments.queues.delete(queue.key);
  for (const frame of queue.frames) fragments.octets -= weight(frame);
  fragments.ended = queue.frames;
}

/** Frames of datagrams whose time is up at `now`, oldest first. Queues are in order of their deadline. */
export function expire(fragments: Fragments, now: number): HeldFrame[] {
  const expired: HeldFrame[] = [];
  for (const queue of fragments.queues.values()) {
    if (queue.deadline > now) break;
    end(fragments, queue);
    expired.push(...queue.frames);
  }
  fragments.ended = [];
  return expired;
}

/** Frames of the oldest datagrams, until what waits is within the memory limit. */
export function evict(fragments: Fragments): HeldFrame[] {
  const evicted: HeldFrame[] = [];
  for (const queue of fragments.queues.values()) {
    if (fragments.octets <= MEMORY_LIMIT) break;
    end(fragments, queue);
    evicted.push(...queue.frames);
  }
  fragments.ended = [];
  return evicted;
}

const sizeOf = (frame: HeldFrame): number => frame.headerLength + frame.to - frame.from;

/** Whether none is larger than the largest one with DF (ip_frag_reasm: max_df_size against max_size). */
function forbidsFragments(frames: readonly HeldFrame[]): boolean {
  const largest = Math.max(...frames.map(sizeOf));
  return frames.some((frame) => sizeOf(frame) === largest && (frame.datagram[6]! & DONT_FRAGMENT) !== 0);
}

/**
 * Put a complete datagram together in `into`: the IPv4 header of its first fragment, cleared of its fragment fields but for
 * DF where a largest fragment had it, and as much of the payload as was captured without a gap. Returns the end of it; the declared end is `total`.
 */
export function assemble(
  frames: readonly HeldFrame[],
  into: Uint8Array,
): { readonly end: number; readonly total: number } {
  const ordered = frames.toSorted((a, b) => a.from - b.from);
  const first = ordered[0]!;
  const header = first.headerLength;
  into.set(first.datagram.subarray(0, header), 0);
  const total = header + ordered.at(-1)!.to;
  into[2] = total >>> 8;
  into[3] = total & 0xff;
  into[6] = forbidsFragments(frames) ? DONT_FRAGMENT : 0;
  into[7] = 0;
  let end = header;
  for (const frame of ordered) {
    const payload = frame.datagram.subarray(frame.headerLength);
    into.set(payload, header + frame.from);
    end = header + frame.from + payload.length;
    if (payload.length < frame.to - frame.from) break;
  }
  return { end, total };
}
