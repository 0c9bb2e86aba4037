/**
 * Binding: from what a rule allows to the tuple that a new connection gets.
 *
 * Source: nf_nat_setup_info, get_unique_tuple, find_appropriate_src, nf_nat_l4proto_unique_tuple and
 * __nf_nat_alloc_null_binding (net/netfilter/nf_nat_core.c of Linux 6.18). A tuple is good when no other connection's
 * packets come in with its inverse: then every answer has one owner. Source ports are kept where that is so. What the
 * kernel draws at random, and what it knows of other connections, is asked of the caller.
 */
import { PROTOCOL } from '../../wire/protocol.ts';
import { createRange, portInRange, RANGE, type Range, sourceInRange } from './range.ts';
import { spread } from './spread.ts';
import { type Connection, copy, createTuple, equal, hasPorts, invert, MANIP, STATUS, type Tuple } from './tuples.ts';

/** The other connections, as a new one sees them. */
export interface Neighbours {
  /** Whether another connection than the new one has `reply` as one of its tuples. */
  taken(reply: Readonly<Tuple>): boolean;
  /**
   * The same, when few places are left: a closed TCP connection with SNAT whose sequence numbers the new one has passed
   * is removed instead of being in the way (nf_nat_used_tuple_harder).
   */
  takenAfterEviction(reply: Readonly<Tuple>): boolean;
  /**
   * Fill the source of `into` with what the source of `tuple` is currently changed to and `range` allows, the connection
   * that was set up last before others. False when there is none.
   */
  mapped(tuple: Readonly<Tuple>, range: Readonly<Range>, into: Tuple): boolean;
}

/** What a kernel draws with get_random_u16. */
export interface PortChoice {
  /** A number of 16 bits: where in the range the search for a free port begins. */
  offset(): number;
}

/** Places tried from one offset. */
const ATTEMPTS = 128;
/** With fewer places left, closed connections are evicted. */
const EVICTION_ATTEMPTS = ATTEMPTS / 4;
/** Rounds get shorter; none begins below this. */
const LEAST_ATTEMPTS = 16;

/** "Credential passing": ports below 512 stay below, those below 1024 get one from 600 on. */
const PRIVILEGED = 1024;
const RESERVED = 512;
const RESERVED_LOW = 1;
const PRIVILEGED_LOW = 600;

const current = createTuple();
const fresh = createTuple();
const answer = createTuple();
const nullRange = createRange();

function isTaken(tuple: Readonly<Tuple>, neighbours: Neighbours): boolean {
  invert(tuple, answer);
  return neighbours.taken(answer);
}

/**
 * Settle `manip` of a connection that is not confirmed yet: its reply tuple and status. When no free tuple is found the
 * last one that was tried stays, and confirming the connection will fail.
 */
export function setUp(
  connection: Connection,
  manip: number,
  range: Readonly<Range>,
  neighbours: Neighbours,
  choice: PortChoice,
): void {
  const isSource = manip === MANIP.SOURCE;
  // Packets look like the inverse of the reply by now: DNAT may have been here before.
  invert(connection.reply, current);
  choose(range, manip, neighbours, choice);
  if (!equal(fresh, current)) {
    invert(fresh, connection.reply);
    connection.status |= isSource ? STATUS.SOURCE_NAT : STATUS.DESTINATION_NAT;
  }
  connection.status |= isSource ? STATUS.SOURCE_DONE : STATUS.DESTINATION_DONE;
}

/**
 * Settle `manip` of a connection that no rule changes. Its address stays; its source port does too, unless answers to it
 * could not be told from those to another connection.
 */
export function setUpNull(connection: Connection, manip: number, neighbours: Neighbours, choice: PortChoice): void {
  const address = manip === MANIP.SOURCE ? connection.reply.destination : connection.reply.source;
  nullRange.flags = RANGE.ADDRESSES;
  nullRange.addressLow = address;
  nullRange.addressHigh = address;
  setUp(connection, manip, nullRange, neighbours, choice);
}

/** get_unique_tuple: fill `fresh` from `current`. */
function choose(range: Readonly<Range>, manip: number, neighbours: Neighbours, choice: PortChoice): void {
  copy(current, fresh);
  const random = (range.flags & (RANGE.RANDOM | RANGE.RANDOM_FULLY)) !== 0;
  if (manip === MANIP.SOURCE && !random) {
    if (sourceInRange(current, range)) {
      if (!isTaken(current, neighbours)) return;
    } else if (neighbours.mapped(current, range, fresh)) {
      if (!isTaken(fresh, neighbours)) return;
      copy(current, fresh);
    }
  }
  chooseAddress(range, manip);
  if (!random && isGoodAsItIs(range, manip, neighbours)) return;
  choosePort(range, manip, neighbours, choice);
}

function chooseAddress(range: Readonly<Range>, manip: number): void {
  if ((range.flags & RANGE.ADDRESSES) === 0) return;
  const { addressLow, addressHigh } = range;
  const persistent = (range.flags & RANGE.PERSISTENT) !== 0;
  const address =
    addressLow === addressHigh
      ? addressLow
      : spread(fresh.source, fresh.destination, addressLow, addressHigh, persistent);
  if (manip === MANIP.SOURCE) fresh.source = address;
  else fresh.destination = address;
}

/** A port that a rule names alone is not asked for: DNAT leads many clients to one server. */
function isGoodAsItIs(range: Readonly<Range>, manip: number, neighbours: Neighbours): boolean {
  if ((range.flags & RANGE.PORTS) === 0) return !isTaken(fresh, neighbours);
  return portInRange(fresh, range, manip) && (range.portLow === range.portHigh || !isTaken(fresh, neighbours));
}

/** nf_nat_l4proto_unique_tuple: the range that the port is to come from. */
function choosePort(range: Readonly<Range>, manip: number, neighbours: Neighbours, choice: PortChoice): void {
  const ofRule = (range.flags & RANGE.PORTS) !== 0;
  if (fresh.protocol === PROTOCOL.ICMP) {
    if (ofRule) search(range.portLow, range.portHigh - range.portLow + 1, manip, neighbours, choice);
    else search(0, 0x10000, manip, neighbours, choice);
  } else if (hasPorts(fresh.protocol)) {
    if (ofRule) {
      const low = Math.min(range.portLow, range.portHigh);
      search(low, Math.max(range.portLow, range.portHigh) - low + 1, manip, neighbours, choice);
    } else if (manip === MANIP.SOURCE) {
      const port = fresh.sourcePort;
      if (port >= PRIVILEGED) search(PRIVILEGED, 0x10000 - PRIVILEGED, manip, neighbours, choice);
      else if (port >= RESERVED) search(PRIVILEGED_LOW, PRIVILEGED - PRIVILEGED_LOW, manip, neighbours, choice);
      else search(RESERVED_LOW, RESERVED - RESERVED_LOW, manip, neighbours, choice);
    }
  }
}

/** Try ports one after the other from a random one on; after 128 from another one, with half as many tries. */
function search(low: number, size: number, manip: number, neighbours: Neighbours, choice: PortChoice): void {
  const intoSource = manip === MANIP.SOURCE || fresh.protocol === PROTOCOL.ICMP;
  let attempts = Math.min(size, ATTEMPTS);
  for (;;) {
    // Where there is one place only, what is drawn does not matter.
    let offset = size === 1 ? 0 : choice.offset();
    for (let left = attempts; left > 0; left--) {
      const port = (low + (offset % size)) & 0xffff;
      if (intoSource) fresh.sourcePort = port;
      else fresh.destinationPort = port;
      invert(fresh, answer);
      const harder = left <= EVICTION_ATTEMPTS && fresh.protocol === PROTOCOL.TCP;
      if (harder ? !neighbours.takenAfterEviction(answer) : !neighbours.taken(answer)) return;
      offset = (offset + 1) & 0xffff;
    }
    if (attempts >= size || attempts < LEAST_ATTEMPTS) return;
    attempts >>>= 1;
  }
}
