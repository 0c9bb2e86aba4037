/**
 * The answer of `-j REJECT` (net/ipv4/netfilter/ipt_REJECT.c, nf_reject_ipv4.c): which message each `--reject-with` sends,
 * and what REJECT itself asks before `icmp_send` asks the rest.
 */
import type { RejectWith } from '../../rules/model.ts';
import * as icmp from '../../wire/icmp.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { type IcmpError, writeIcmpError } from './icmp-error.ts';
import { checkForError, type Verified } from './rejected-checksum.ts';
import { writeTcpReset } from './tcp-reset.ts';
import { UNANSWERED } from './unanswered.ts';

/** What `rejectCode` gives for tcp-reset: no ICMP code. */
export const TCP_RESET = -1;

const CODES: Readonly<Record<RejectWith, number>> = {
  'icmp-net-unreachable': 0,
  'icmp-host-unreachable': 1,
  'icmp-proto-unreachable': 2,
  'icmp-port-unreachable': 3,
  'icmp-net-prohibited': 9,
  'icmp-host-prohibited': 10,
  'icmp-admin-prohibited': 13,
  'tcp-reset': TCP_RESET,
};

/** The code of the ICMP destination unreachable message that a REJECT sends, or TCP_RESET. */
export const rejectCode = (answer: RejectWith): number => CODES[answer];

/**
 * Write the answer of a REJECT with `code` (from `rejectCode`) to the packet at `network`, of which `[network, end)` was
 * captured, to `at` in `into`. Sets type, code and information of `error`; the rest of it is the caller's. Returns the
 * length of the answer or one of UNANSWERED.
 */
export function writeReject(
  view: DataView,
  network: number,
  end: number,
  code: number,
  verified: Verified,
  error: IcmpError,
  into: DataView,
  at: number,
): number {
  if (code === TCP_RESET) return writeTcpReset(view, network, end, verified, error, into, at);
  if (network + ipv4.HEADER_LENGTH > end) return UNANSWERED.CUT;
  if (ipv4.fragmentOffset(view, network) !== 0) return UNANSWERED.LATER_FRAGMENT;
  const refused = checkForError(view, network, end, verified);
  if (refused !== 0) return refused;
  error.type = icmp.TYPES.DESTINATION_UNREACHABLE;
  error.code = code;
  error.information = 0;
  return writeIcmpError(view, network, end, error, into, at);
}
