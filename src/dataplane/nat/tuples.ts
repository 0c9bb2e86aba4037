/**
 * Tuples: what connection tracking tells connections apart by, and the two of them that a connection with NAT has.
 *
 * Source: struct nf_conntrack_tuple (include/net/netfilter/nf_conntrack_tuple.h), nf_ct_invert_tuple, and the status
 * bits of include/uapi/linux/netfilter/nf_conntrack_common.h. `original` is the tuple of the first packet as it came in,
 * `reply` that of its answer as it comes in: without NAT, the original turned round.
 *
 *     DNAT 10.0.0.101:61000 -> 10.255.1.4:8080
 *     original  10.0.0.9:40000 -> 10.0.0.101:61000
 *     reply     10.255.1.4:8080 -> 10.0.0.9:40000
 */
import { CTSTATE } from '../../rules/model.ts';
import type { RulePacket } from '../../rules/packet.ts';
import * as icmp from '../../wire/icmp.ts';
import { PROTOCOL } from '../../wire/protocol.ts';

export interface Tuple {
  protocol: number;
  source: number;
  destination: number;
  /** Of ICMP queries the identifier, which both directions share; 0 for protocols without ports. */
  sourcePort: number;
  /** Of ICMP queries the type in the high octet and the code in the low one. */
  destinationPort: number;
}

/** Bits of `Connection.status`: what was changed, and which of the two has been settled. */
export const STATUS = {
  SOURCE_NAT: 1,
  DESTINATION_NAT: 2,
  SOURCE_DONE: 4,
  DESTINATION_DONE: 8,
} as const;

const CHANGED = STATUS.SOURCE_NAT | STATUS.DESTINATION_NAT;

/** Which end of a packet a hook changes. */
export const MANIP = { SOURCE: 0, DESTINATION: 1 } as const;

/** The hooks of netfilter (include/uapi/linux/netfilter.h). FORWARD has no NAT. */
export const HOOK = { PREROUTING: 0, INPUT: 1, FORWARD: 2, OUTPUT: 3, POSTROUTING: 4 } as const;

/** One connection, as its packets are changed. Preallocated: filled anew for every packet that has one. */
export interface Connection {
  cell: number;
  readonly original: Tuple;
  readonly reply: Tuple;
  status: number;
  /** Number of the interface whose address MASQUERADE took; 0 without. */
  masqueradeInterface: number;
}

export const createTuple = (): Tuple => ({
  protocol: 0,
  source: 0,
  destination: 0,
  sourcePort: 0,
  destinationPort: 0,
});

export const createConnection = (): Connection => ({
  cell: 0,
  original: createTuple(),
  reply: createTuple(),
  status: 0,
  masqueradeInterface: 0,
});

/** Whether this protocol's tuples have ports. */
export const hasPorts = (protocol: number): boolean => protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP;

/** The ICMP type that answers each query, and the query of each answer; 0xff for other types. */
const COUNTERPART = new Uint8Array(256).fill(0xff);
for (const [query, answer] of [
  [icmp.TYPES.ECHO, icmp.TYPES.ECHO_REPLY],
  [icmp.TYPES.TIMESTAMP, icmp.TYPES.TIMESTAMP_REPLY],
  [icmp.TYPES.INFORMATION_REQUEST, icmp.TYPES.INFORMATION_REPLY],
  [icmp.TYPES.ADDRESS_MASK_REQUEST, icmp.TYPES.ADDRESS_MASK_REPLY],
] as const) {
  COUNTERPART[query] = answer;
  COUNTERPART[answer] = query;
}

/** Whether ICMP messages of this type carry an identifier, and so have a tuple. */
export const hasIdentifier = (icmpType: number): boolean => COUNTERPART[icmpType] !== 0xff;

/** Fill `into` with the tuple of `packet`: TCP, UDP, an ICMP query or answer, or a protocol without ports. */
export function ofPacket(packet: Readonly<RulePacket>, into: Tuple): void {
  into.protocol = packet.protocol;
  into.source = packet.source;
  into.destination = packet.destination;
  if (packet.protocol === PROTOCOL.ICMP) {
    into.sourcePort = packet.sourcePort;
    into.destinationPort = (packet.icmpType << 8) | packet.icmpCode;
  } else {
    into.sourcePort = hasPorts(packet.protocol) ? packet.sourcePort : 0;
    into.destinationPort = hasPorts(packet.protocol) ? packet.destinationPort : 0;
  }
}

export function copy(from: Readonly<Tuple>, into: Tuple): void {
  into.protocol = from.protocol;
  into.source = from.source;
  into.destination = from.destination;
  into.sourcePort = from.sourcePort;
  into.destinationPort = from.destinationPort;
}

/** Fill `into`, which must not be `tuple`, with the tuple of an answer to `tuple`. */
export function invert(tuple: Readonly<Tuple>, into: Tuple): void {
  into.protocol = tuple.protocol;
  into.source = tuple.destination;
  into.destination = tuple.source;
  if (tuple.protocol === PROTOCOL.ICMP) {
    into.sourcePort = tuple.sourcePort;
    into.destinationPort = (COUNTERPART[tuple.destinationPort >>> 8]! << 8) | (tuple.destinationPort & 0xff);
  } else {
    into.sourcePort = tuple.destinationPort;
    into.destinationPort = tuple.sourcePort;
  }
}

export const equal = (a: Readonly<Tuple>, b: Readonly<Tuple>): boolean =>
  a.source === b.source &&
  a.destination === b.destination &&
  a.sourcePort === b.sourcePort &&
  a.destinationPort === b.destinationPort &&
  a.protocol === b.protocol;

/** Make `connection` the one that `packet` would open: no NAT, nothing settled. */
export function open(connection: Connection, cell: number, packet: Readonly<RulePacket>): void {
  connection.cell = cell;
  connection.status = 0;
  connection.masqueradeInterface = 0;
  ofPacket(packet, connection.original);
  invert(connection.original, connection.reply);
}

/** PREROUTING and OUTPUT change where a packet goes, INPUT and POSTROUTING where it says it comes from. */
export const manipOf = (hook: number): number =>
  hook === HOOK.POSTROUTING || hook === HOOK.INPUT ? MANIP.SOURCE : MANIP.DESTINATION;

export const isSettled = (status: number, manip: number): boolean =>
  (status & (manip === MANIP.SOURCE ? STATUS.SOURCE_DONE : STATUS.DESTINATION_DONE)) !== 0;

export const isChanged = (status: number): boolean => (status & CHANGED) !== 0;

/** Whether `manip` changes packets that go `reply` (0 or 1). The way back, SNAT is undone where DNAT is done. */
export function changes(status: number, manip: number, reply: number): boolean {
  const bit = manip === MANIP.SOURCE ? STATUS.SOURCE_NAT : STATUS.DESTINATION_NAT;
  return (status & (reply === 1 ? bit ^ CHANGED : bit)) !== 0;
}

/** What `-m conntrack --ctstate SNAT,DNAT` sees beside the state itself: xt_conntrack.c. */
export const ctstateBits = (status: number): number =>
  ((status & STATUS.SOURCE_NAT) === 0 ? 0 : CTSTATE.SNAT) |
  ((status & STATUS.DESTINATION_NAT) === 0 ? 0 : CTSTATE.DNAT);
