/** Writing into one row of a burst: what the packet is, and what became of it. */
import { isTruncation } from '../wire/fault.ts';
import { PROTOCOL } from '../wire/protocol.ts';
import type { Stack } from '../wire/stack.ts';
import type { Burst } from './burst.ts';
import type { Dataplane } from './dataplane.ts';
import * as transport from './transport.ts';
import { isMalformed, VERDICT } from './verdict.ts';

export function decide(burst: Burst, i: number, verdict: number, reason: number): void {
  burst.verdict[i] = verdict;
  burst.reason[i] = reason;
}

/** Refuse without an answer: malformed when the reason is a wrong header, dropped otherwise. */
export function refuse(burst: Burst, i: number, stack: Stack, reason: number): void {
  decide(burst, i, isMalformed(reason) ? VERDICT.MALFORMED : VERDICT.DROP, reason);
  burst.fault[i] = stack.fault;
  burst.faultAt[i] = Math.max(stack.faultAt, 0);
}

/** Whether the walk over the headers ended where the capture cut the packet, not at a lie in it. */
export const isCut = (burst: Burst, i: number, stack: Stack): boolean =>
  isTruncation(stack.fault) && burst.records.end[i]! - burst.records.at[i]! < burst.records.originalLength[i]!;

/** Read the IPv4 packet at `stack` into `dataplane.packet` and into row `i`. */
export function describe(dataplane: Dataplane, burst: Burst, i: number, view: DataView, stack: Stack): void {
  const { packet } = dataplane;
  transport.read(view, stack, packet);
  packet.time = burst.records.time[i]!;
  burst.version[i] = 4;
  burst.source[i] = packet.source;
  burst.destination[i] = packet.destination;
  burst.protocol[i] = packet.protocol;
  const isIcmp = packet.protocol === PROTOCOL.ICMP;
  burst.sourcePort[i] = isIcmp ? packet.icmpType : packet.sourcePort;
  burst.destinationPort[i] = isIcmp ? packet.icmpCode : packet.destinationPort;
}
