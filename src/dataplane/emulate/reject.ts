/** REJECT: net/ipv4/netfilter/ipt_REJECT.c. The rule says with what; the packet itself is dropped by the caller. */
import { type Outcome, RULE_VERDICT } from '../../rules/packet.ts';
import { sendReject } from './answer.ts';
import { type Emulation, type Host, NO_REJECT } from './emulation.ts';
import type { Frame } from './frame.ts';

/** Answer `frame` when the walk that `outcome` tells of ended at a rule that rejects. */
export function reject(emulation: Emulation, host: Host, frame: Frame, outcome: Outcome): void {
  if (outcome.verdict !== RULE_VERDICT.REJECT) return;
  const code = host.rejections[outcome.rule] ?? NO_REJECT;
  if (code !== NO_REJECT) sendReject(emulation, host, frame, code);
}
