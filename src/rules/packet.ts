/**
 * RulePacket and Outcome: what a rule can see of a packet, and what a walk over the rules says of it.
 *
 * Both are preallocated and hold nothing but small numbers, so that a walk allocates nothing. The dataplane fills a
 * RulePacket once per packet; `reference.ts` and the compiled matcher read the same record.
 */

export interface RulePacket {
  /** Numbers given out by `InterfaceNames`; 0 is "no interface". */
  inInterface: number;
  outInterface: number;
  source: number;
  destination: number;
  protocol: number;
  /** Fragment offset in octets; non-zero hides the transport header from all but iptables-nft and hashlimit. */
  fragmentOffset: number;
  /**
   * 1 when the fields of the transport header below could be read; 0 when it is cut short or a later fragment; 2 when it
   * is cut short behind the two port fields, which iptables-nft and multiport still read. A later fragment may say 1 with
   * the octets that lie where the fields would be: the kernel's nft expressions and hashlimit read those.
   */
  transport: number;
  sourcePort: number;
  destinationPort: number;
  /** Octet 13 of the TCP header. */
  tcpFlags: number;
  icmpType: number;
  icmpCode: number;
  mark: number;
  connectionMark: number;
  /** One bit of CTSTATE. */
  ctstate: number;
  /** One bit of ADDRESS_TYPE each, as the cell's routing table sees the addresses. */
  sourceType: number;
  destinationType: number;
  /** Length of the IP datagram in octets, for byte counters. */
  length: number;
  /** Capture time in nanoseconds since the replay's epoch, for limit and hashlimit. */
  time: number;
}

export const createPacket = (): RulePacket => ({
  inInterface: 0,
  outInterface: 0,
  source: 0,
  destination: 0,
  protocol: 0,
  fragmentOffset: 0,
  transport: 0,
  sourcePort: 0,
  destinationPort: 0,
  tcpFlags: 0,
  icmpType: 0,
  icmpCode: 0,
  mark: 0,
  connectionMark: 0,
  ctstate: 0,
  sourceType: 0,
  destinationType: 0,
  length: 0,
  time: 0,
});

/** How a walk over one built-in chain ended. NAT verdicts only come from the nat table; they end its walk. */
export const RULE_VERDICT = {
  ACCEPT: 0,
  DROP: 1,
  REJECT: 2,
  NAT: 3,
} as const;

export type RuleVerdict = (typeof RULE_VERDICT)[keyof typeof RULE_VERDICT];

/** LOG and NFLOG rules remembered per packet; further ones are counted in `logCount` only. */
export const LOG_CAPACITY = 16;

export interface Outcome {
  verdict: RuleVerdict;
  /** Id of the deciding rule within its table (see `RuleTable`), or -1 when a chain's policy decided. */
  rule: number;
  /** Marks after the walk. */
  mark: number;
  connectionMark: number;
  /** LOG and NFLOG rules that fired, in order, by rule id; `logCount` may exceed LOG_CAPACITY. */
  logCount: number;
  readonly logRules: Int32Array;
  /** The packet's mark at the moment each of them fired: LOG prints it. */
  readonly logMarks: Uint32Array;
}

export const createOutcome = (): Outcome => ({
  verdict: RULE_VERDICT.ACCEPT,
  rule: -1,
  mark: 0,
  connectionMark: 0,
  logCount: 0,
  logRules: new Int32Array(LOG_CAPACITY),
  logMarks: new Uint32Array(LOG_CAPACITY),
});
