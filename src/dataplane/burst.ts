/**
 * Burst: the packets of a RecordBurst with what became of each, as parallel typed arrays.
 *
 * Row `i` of every array belongs to row `i` of `records`. Addresses, ports and protocol are those of the packet that the
 * rules see: the inner one for VXLAN, the frame's own otherwise.
 */

import { BURST_CAPACITY, create as createRecords, type RecordBurst } from '../capture/burst.ts';
import { type Arena, heap } from '../memory/arena.ts';

/** `verdict` of a fragment that waits for the rest of its datagram; it comes back in a later burst, judged. */
export const HELD = 255;

/** Oddities worth a line in the summary, as bits of `note`. */
export const NOTE = {
  /** The cell that sent the frame would have given it another tag. */
  EGRESS_TAG: 1,
  /** The cell that sent the frame would have refused it. */
  EGRESS_REFUSED: 2,
  /** The connection was under way when the capture began; its first packets were judged as a new one. */
  PICKED_UP: 4,
  /** The packet opened a connection, or tried to. */
  OPENED: 8,
} as const;

export interface Burst {
  readonly records: RecordBurst;
  /** What `reset` fills: the buffers of the columns that begin with 0, and of those that begin with -1. */
  readonly zeros: Int32Array;
  readonly minuses: Int32Array;
  /** One of VERDICT, or HELD. */
  readonly verdict: Uint8Array;
  /** One of REASON. */
  readonly reason: Uint8Array;
  /** Id of the deciding rule in the judging cell's filter table; -1 when no rule decided. */
  readonly rule: Int32Array;
  /** Index of the cell that judged; -1 for none. */
  readonly cell: Int16Array;
  /** Mark when the verdict fell. */
  readonly mark: Uint32Array;
  /** Group policy id; -1 when the packet carries none (no VXLAN, or G clear). */
  readonly tag: Int32Array;
  /** One bit of CTSTATE; 0 when connection tracking was not asked. */
  readonly ctstate: Uint8Array;
  /** 1 for packets against the direction of their connection's first one. */
  readonly reply: Uint8Array;
  /** 4 when addresses and protocol below are those of an IPv4 packet, else 0. */
  readonly version: Uint8Array;
  readonly source: Uint32Array;
  readonly destination: Uint32Array;
  readonly protocol: Uint8Array;
  /** Ports of TCP and UDP; type and code of ICMP; 0 where they could not be read. */
  readonly sourcePort: Uint16Array;
  readonly destinationPort: Uint16Array;
  /** Bits of NOTE. */
  readonly note: Uint8Array;
  /** Why a header was refused (a Fault), and where. */
  readonly fault: Uint16Array;
  readonly faultAt: Uint32Array;
  /** For `tallyOf`: index of a word in `tallies`, -1 for none, and what stood before it when the row was judged. */
  readonly tally: Int32Array;
  readonly said: Int32Array;
  tallies: Int32Array;
}

const ROWS = BURST_CAPACITY;

/** Octets of one row in the columns that begin with 0, in those that begin with -1, and in `said`. */
const ZERO_OCTETS = 29;
const MINUS_OCTETS = 14;
const SAID_OCTETS = 4;

/**
 * The columns that are 0 until something is known stand one behind the other, then those that are -1, so that two fills put
 * a burst back: 17 fills of a column each took 4 to 8 ns a packet. native/layout.h knows where each of them stands.
 */
export function create(records?: RecordBurst, arena: Arena = heap): Burst {
  const { buffer, offset: zero } = arena.allocate(ROWS * (ZERO_OCTETS + MINUS_OCTETS + SAID_OCTETS));
  const minus = zero + ROWS * ZERO_OCTETS;
  return {
    records: records ?? createRecords(arena),
    zeros: new Int32Array(buffer, zero, (ROWS * ZERO_OCTETS) / 4),
    minuses: new Int32Array(buffer, minus, (ROWS * MINUS_OCTETS) / 4),
    rule: new Int32Array(buffer, minus, ROWS),
    tag: new Int32Array(buffer, minus + ROWS * 4, ROWS),
    tally: new Int32Array(buffer, minus + ROWS * 8, ROWS),
    cell: new Int16Array(buffer, minus + ROWS * 12, ROWS),
    said: new Int32Array(buffer, minus + ROWS * MINUS_OCTETS, ROWS),
    mark: new Uint32Array(buffer, zero, ROWS),
    source: new Uint32Array(buffer, zero + ROWS * 4, ROWS),
    destination: new Uint32Array(buffer, zero + ROWS * 8, ROWS),
    faultAt: new Uint32Array(buffer, zero + ROWS * 12, ROWS),
    sourcePort: new Uint16Array(buffer, zero + ROWS * 16, ROWS),
    destinationPort: new Uint16Array(buffer, zero + ROWS * 18, ROWS),
    fault: new Uint16Array(buffer, zero + ROWS * 20, ROWS),
    verdict: new Uint8Array(buffer, zero + ROWS * 22, ROWS),
    reason: new Uint8Array(buffer, zero + ROWS * 23, ROWS),
    ctstate: new Uint8Array(buffer, zero + ROWS * 24, ROWS),
    reply: new Uint8Array(buffer, zero + ROWS * 25, ROWS),
    version: new Uint8Array(buffer, zero + ROWS * 26, ROWS),
    protocol: new Uint8Array(buffer, zero + ROWS * 27, ROWS),
    note: new Uint8Array(buffer, zero + ROWS * 28, ROWS),
    tallies: new Int32Array(0),
  };
}

/**
 * A word of the connection of row `i`, for whoever adds packets up by connection: rows that find what was left there with
 * `setTally` have the same ends, ports, verdict, reason and rule as the row that left it. 0 when nothing was left.
 */
export function tallyOf(burst: Burst, i: number): number {
  const at = burst.tally[i]!;
  return at >= 0 && burst.tallies[at - 1] === burst.said[i] ? burst.tallies[at]! : 0;
}

/** Leave `value` for the packets of the connection that are like row `i`, if there is a place for it. */
export function setTally(burst: Burst, i: number, value: number): void {
  const at = burst.tally[i]!;
  if (at >= 0 && burst.tallies[at - 1] === burst.said[i]) burst.tallies[at] = value;
}

/** Put all rows back to "nothing known yet". */
export function reset(burst: Burst): void {
  burst.zeros.fill(0);
  burst.minuses.fill(-1);
}
