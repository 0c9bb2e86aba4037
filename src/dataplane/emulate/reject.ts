/** What the rules did not let through: net/ipv4/netfilter/ipt_REJECT.c for those that the sender is told about. */
import { RULE_VERDICT } from '../../rules/packet.ts';
import { sendReject } from './answer.ts';
import { type Emulation, type Host, NO_REJECT } from './emulation.ts';
import type { Frame } from './frame.ts';
import { endRefused } from './packet.ts';
import { redirect } from './redirect.ts';

/** End `frame`, which the last walk refused; its sender is told of a shorter way, and answered when a rule rejects it. */
export function refuse(emulation: Emulation, host: Host, frame: Frame): void {
  // The answer is walked through rules of its own.
  const { verdict, rule } = emulation.dataplane.outcome;
  const code = verdict === RULE_VERDICT.REJECT ? host.rejections[rule]! : NO_REJECT;
  redirect(emulation, host, frame);
  if (code !== NO_REJECT) sendReject(emulation, host, frame, code);
  endRefused(emulation, host, frame, verdict);
}
