/** REJECT: net/ipv4/netfilter/ipt_REJECT.c. The rule says with what; the packet itself is dropped by the caller. */
import { type Outcome, RULE_VERDICT } from '../../rules/packet.ts';
import * as icmp from '../../wire/icmp.ts';
import { sendError, sendReset } from './answer.ts';
import { type Emulation, type Host, NO_REJECT, TCP_RESET } from './emulation.ts';
import type { Frame } from './frame.ts';

/** Answer `frame` when the walk that `outcome` tells of ended at a rule that rejects. */
export function reject(emulation: Emulation, host: Host, frame: Frame, outcome: Outcome): void {
  if (outcome.verdict !== RULE_VERDICT.REJECT) return;
  const code = host.rejections[outcome.rule] ?? NO_REJECT;
  if (code === TCP_RESET) sendReset(emulation, host, frame, true);
  else if (code !== NO_REJECT && emulation.answers.mayReject(frame.view, frame.network, frame.end))
    sendError(emulation, host, frame, icmp.TYPES.DESTINATION_UNREACHABLE, code, 0);
}
