/**
 * Cell: what one Diego cell brings to a verdict: its addresses, its interfaces, its rules.
 *
 * A cell walks filter FORWARD for packets between its interfaces and filter INPUT for packets to itself. Rules are
 * compiled once; the reasons that name a rule's part in silk's scheme are worked out once, by chain.
 */

import type { Evaluator, TableCounters } from '../rules/evaluator.ts';
import type { Known } from '../rules/known.ts';
import { CTSTATE } from '../rules/model.ts';
import { RULE_VERDICT } from '../rules/packet.ts';
import type { Plan } from '../rules/plan.ts';
import { type NumberedRule, type RuleTable, TRAIT } from '../rules/table.ts';
import type { Cidr } from '../wire/address.ts';
import { REASON } from './verdict.ts';

/** The rules that a cell runs at a moment. `exchange` in `exchange.ts` puts others in their place, all at once. */
export interface InForce {
  /** The filter table, and the numbers of its chains FORWARD and INPUT. */
  filter: Evaluator;
  forwardChain: number;
  inputChain: number;
  /** FORWARD for packets that come out of the tunnel for a container: those that `arriving` is known of. */
  arrivingChain: number;
  /** How that is laid out, with the ways that packets took through it; null when the evaluator does not lay it out. */
  arrivingPlan: Plan | null;
  /** Whether a rule asks for address types. */
  asksAddressTypes: boolean;
  /** Reason of each rule of the filter table, by rule id. */
  reasons: Uint8Array;
}

export interface Cell extends InForce {
  /** What packets out of the tunnel for a container have in common. */
  readonly arriving: Known;
  readonly index: number;
  readonly name: string;
  readonly underlay: number;
  readonly lease: Cidr;
  readonly overlay: Cidr;
  /** The VTEP's overlay address: the network address of the lease. */
  readonly vtepAddress: number;
  readonly vtepMac: number;
  /** The MAC address in two parts that a comparison takes as small integers: its first 32 bits, signed, and its last 16. */
  readonly vtepMacHigh: number;
  readonly vtepMacLow: number;
  /** The two addresses above as signed words, which a comparison takes as small integers. */
  readonly vtepWord: number;
  readonly underlayWord: number;
  readonly vni: number;
  /** Numbers of its interfaces. */
  readonly vtepInterface: number;
  readonly underlayInterface: number;
  /** Every rule of the filter table that was ever in force. */
  readonly known: NumberedRule[];
  /** Place in `known` of each rule by its id; null while that is the id itself. */
  places: Int32Array | null;
  /** What the rules in force counted before the last change, indexed as the counters of `filter`; null before the first. */
  earlier: TableCounters | null;
}

/** The reason of an accepting rule of silk's chains, from its chain's prefix (c2c.md section 2). */
function acceptReason(chain: string, traits: number): number {
  if ((traits & TRAIT.CONNECTION) !== 0) return REASON.CONNTRACK_ESTABLISHED;
  if (chain.startsWith('vpa--')) return REASON.POLICY_ACCEPT;
  if (chain.startsWith('overlay--')) {
    return (traits & TRAIT.OTHER_MARK) !== 0 ? REASON.OVERLAY_SOURCE : REASON.OVERLAY_INGRESS;
  }
  if (chain.startsWith('asg-') || chain.startsWith('netout--')) return REASON.ASG_ACCEPT;
  if (chain.startsWith('input--')) return REASON.INPUT_ACCEPT;
  return REASON.RULE_ACCEPT;
}

function rejectReason(chain: string): number {
  if (chain.startsWith('overlay--')) return REASON.OVERLAY_REJECT;
  if (chain.startsWith('asg-') || chain.startsWith('netout--')) return REASON.ASG_REJECT;
  if (chain.startsWith('input--')) return REASON.INPUT_REJECT;
  return REASON.RULE_REJECT;
}

/** The reason that a verdict of each rule has, by rule id; RELATED is told from ESTABLISHED when it happens. */
function reasonsOf({ rules, traits }: RuleTable): Uint8Array {
  return Uint8Array.from(rules, ({ id, chain, rule }) => {
    switch (rule.target.kind) {
      case 'ACCEPT':
        return acceptReason(chain.name, traits[id]!);
      case 'REJECT':
        return rejectReason(chain.name);
      case 'DROP':
        return REASON.RULE_DROP;
      default:
        return REASON.RULE_ACCEPT;
    }
  });
}

/** `filter`, made ready to be in force on a cell whose packets out of the tunnel are `arriving`. */
export function inForce(filter: Evaluator, arriving: Known): InForce {
  const arrivingChain = filter.prepare('FORWARD', arriving);
  return {
    filter,
    forwardChain: filter.prepare('FORWARD'),
    inputChain: filter.prepare('INPUT'),
    arrivingChain,
    arrivingPlan: filter.plan(arrivingChain),
    asksAddressTypes: filter.rules.traits.some((traits) => (traits & TRAIT.ADDRESS_TYPE) !== 0),
    reasons: reasonsOf(filter.rules),
  };
}

/** Place in `known` of the rule with id `rule`; -1 for none. */
export const placeOf = ({ places }: Cell, rule: number): number => (places === null || rule < 0 ? rule : places[rule]!);

/** The reason of a walk that ended with `verdict` at `rule` (-1: the chain's policy), for a packet in `ctstate`. */
export function reasonOf(cell: Cell, verdict: number, rule: number, ctstate: number): number {
  if (rule < 0) return verdict === RULE_VERDICT.ACCEPT ? REASON.CHAIN_ACCEPT : REASON.CHAIN_DROP;
  const reason = cell.reasons[rule]!;
  // xt_tcp and xt_udp drop by themselves what they cannot read; the rule that asked is told, whatever its target.
  if (verdict === RULE_VERDICT.DROP && reason !== REASON.RULE_DROP) return REASON.TRANSPORT_TRUNCATED;
  return reason === REASON.CONNTRACK_ESTABLISHED && ctstate === CTSTATE.RELATED ? REASON.CONNTRACK_RELATED : reason;
}
