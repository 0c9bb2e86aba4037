/**
 * Options of IPv6 headers for the hop and for the destination: RFC 8200 section 4.2; net/ipv6/exthdrs.c ip6_parse_tlv,
 * ip6_tlvopt_unknown, ipv6_hop_jumbo.
 */
import * as extension from '../../wire/extension.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { PROTOCOL } from '../../wire/protocol.ts';
import { ACCEPTED } from '../decapsulate.ts';
import { REASON } from '../verdict.ts';
import { isMulticastAt } from './ip6-link.ts';
import { PROBLEM, type Problem, tell } from './ip6-problem.ts';

const PAD1 = 0;
const PADN = 1;
const ROUTER_ALERT = 5;
const JUMBO = 0xc2;
/** Octets of padding in a row, and options besides it, that Linux bears (max_hbh_opts_number, max_dst_opts_number). */
const MOST_PADDING = 7;
const MOST_OPTIONS = 8;
const LARGEST_PAYLOAD = 65_535;

/**
 * Look through the options of the header `kind` at `at`, which is whole. A REASON to drop the packet at `network`, or
 * ACCEPTED.
 */
export function options(view: DataView, network: number, at: number, kind: number, problem: Problem): number {
  const end = extension.payloadStart(view, at, kind);
  let next = at + 2;
  let padding = 0;
  let count = 0;
  while (next < end) {
    const type = view.getUint8(next);
    if (type === PAD1) {
      padding += 1;
      if (padding > MOST_PADDING) return REASON.IP6_HEADER;
      next += 1;
      continue;
    }
    if (end - next < 2) return REASON.IP6_HEADER;
    const length = view.getUint8(next + 1) + 2;
    if (length > end - next) return REASON.IP6_HEADER;
    if (type === PADN) {
      padding += length;
      if (padding > MOST_PADDING || !isZero(view, next + 2, next + length)) return REASON.IP6_HEADER;
    } else {
      count += 1;
      padding = 0;
      if (count > MOST_OPTIONS) return REASON.IP6_HEADER;
      const refused = option(view, network, next, kind, problem);
      if (refused !== ACCEPTED) return refused;
    }
    next += length;
  }
  return ACCEPTED;
}

/** RFC 4942 section 2.1.9.5. */
function isZero(view: DataView, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (view.getUint8(at) !== 0) return false;
  return true;
}

function option(view: DataView, network: number, at: number, kind: number, problem: Problem): number {
  const type = view.getUint8(at);
  if (kind === PROTOCOL.HOP_BY_HOP && type === ROUTER_ALERT)
    return view.getUint8(at + 1) === 2 ? ACCEPTED : REASON.IP6_HEADER;
  if (kind === PROTOCOL.HOP_BY_HOP && type === JUMBO) return jumbo(view, network, at, problem);
  switch (type >>> 6) {
    case 0:
      return ACCEPTED;
    case 1:
      break;
    case 3:
      if (!isMulticastAt(view, ipv6.destinationStart(view, network))) tell(problem, PROBLEM.OPTION, at - network);
      break;
    default:
      tell(problem, PROBLEM.OPTION, at - network);
  }
  return REASON.IP6_OPTION;
}

/** No frame here is as long as a jumbogram has to be. */
function jumbo(view: DataView, network: number, at: number, problem: Problem): number {
  if (view.getUint8(at + 1) !== 4 || ((at - network) & 3) !== 2) return REASON.IP6_HEADER;
  if (view.getUint32(at + 2) > LARGEST_PAYLOAD && ipv6.payloadLength(view, network) === 0) return REASON.IP6_TOO_SMALL;
  const isLength = view.getUint32(at + 2) <= LARGEST_PAYLOAD;
  tell(problem, PROBLEM.FIELD, at - network + (isLength ? 2 : 0));
  return REASON.IP6_HEADER;
}
