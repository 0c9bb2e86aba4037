/**
 * What targets do: end the walk with a verdict, change the marks, leave a log line.
 *
 * Source: net/netfilter/xt_mark.c, xt_connmark.c. Value bits beyond a mask are flipped, as the kernel's xor does.
 */
import { hasConnection } from './match.ts';
import type { Target } from './model.ts';
import { LOG_CAPACITY, type Outcome, RULE_VERDICT, type RulePacket, type RuleVerdict } from './packet.ts';

/** Not a verdict: the walk goes on. */
export const CONTINUE = -1;

/** The verdict a target ends the walk with, or CONTINUE. */
export function verdictOf(target: Target): RuleVerdict | typeof CONTINUE {
  switch (target.kind) {
    case 'ACCEPT':
      return RULE_VERDICT.ACCEPT;
    case 'DROP':
      return RULE_VERDICT.DROP;
    case 'REJECT':
      return RULE_VERDICT.REJECT;
    case 'DNAT':
    case 'SNAT':
    case 'MASQUERADE':
    case 'REDIRECT':
      return RULE_VERDICT.NAT;
    default:
      return CONTINUE;
  }
}

/** Do what the target of rule `id` does besides steering the walk. */
export function applyTarget(target: Target, id: number, packet: RulePacket, outcome: Outcome): void {
  if (target.kind === 'MARK') outcome.mark = ((outcome.mark & ~target.mask) ^ target.value) >>> 0;
  else if (target.kind === 'CONNMARK') applyConnmark(target, packet, outcome);
  else if (target.kind === 'LOG' || target.kind === 'NFLOG') recordLog(id, outcome);
}

/** A packet without a connection passes unchanged. */
function applyConnmark(target: Extract<Target, { kind: 'CONNMARK' }>, packet: RulePacket, outcome: Outcome): void {
  if (!hasConnection(packet)) return;
  const { mark, connectionMark } = outcome;
  switch (target.mode) {
    case 'set':
      outcome.connectionMark = ((connectionMark & ~target.connectionMask) ^ target.value) >>> 0;
      break;
    case 'save':
      outcome.connectionMark = ((connectionMark & ~target.connectionMask) ^ (mark & target.packetMask)) >>> 0;
      break;
    case 'restore':
      outcome.mark = ((mark & ~target.packetMask) ^ (connectionMark & target.connectionMask)) >>> 0;
      break;
  }
}

/** Remember that rule `id` logs the packet; beyond LOG_CAPACITY it is only counted. */
export function recordLog(id: number, outcome: Outcome): void {
  if (outcome.logCount < LOG_CAPACITY) {
    outcome.logRules[outcome.logCount] = id;
    outcome.logMarks[outcome.logCount] = outcome.mark;
  }
  outcome.logCount += 1;
}
