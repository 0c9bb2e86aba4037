/**
 * The nat table on a packet's way: the first packet of a connection walks the chain of each hook, once for each end that
 * can change; later ones are changed as was settled then.
 *
 * Source: nf_nat_inet_fn and nf_nat_ipv4_fn (net/netfilter/nf_nat_core.c, nf_nat_proto.c), nf_nat_masquerade_ipv4,
 * nf_nat_redirect_ipv4, xt_nat.c. ICMP errors about a known connection walk no chain. A walk that ends without a target
 * of NAT settles that nothing changes, which may still move a port (binding.ts, setUpNull).
 */
import type { Evaluator } from '../../rules/evaluator.ts';
import type { Rule } from '../../rules/model.ts';
import { type Outcome, RULE_VERDICT, type RulePacket } from '../../rules/packet.ts';
import type { InterfaceAddresses } from './addresses.ts';
import { type PortChoice, setUp, setUpNull } from './binding.ts';
import * as bindings from './bindings.ts';
import { restore, type Tracking } from './connections.ts';
import { createRange, type Range, rangeOf, withAddress } from './range.ts';
import { refresh, TRANSLATED, type Translated, translate, translateError } from './translate.ts';
import { HOOK, isSettled, MANIP, manipOf } from './tuples.ts';

const TARGET = { NONE: 0, GIVEN: 1, MASQUERADE: 2, REDIRECT: 3 } as const;
type TargetKind = (typeof TARGET)[keyof typeof TARGET];

const LOCALHOST = 0x7f000001;

/** The nat table of one cell, ready to be walked. */
export interface NatTable {
  readonly evaluator: Evaluator;
  /** By HOOK; -1 where the table has no chain. */
  readonly chains: Int32Array;
  /** By rule id. */
  readonly targets: Uint8Array;
  readonly ranges: readonly Range[];
}

/** What NAT needs on one cell. `tracking` may be shared by cells; the others are its own. */
export interface CellNat {
  readonly tracking: Tracking;
  readonly table: NatTable;
  readonly addresses: InterfaceAddresses;
  readonly choice: PortChoice;
  /** How the last walk ended; `rule` names what dropped a packet. */
  readonly outcome: Outcome;
  /** Called when a chain was walked, before anything is changed. */
  readonly walked?: () => void;
}

/** Prepare the chains and targets of a nat table. */
export function createNatTable(evaluator: Evaluator): NatTable {
  const { chains, rules } = evaluator.rules;
  const numbers = new Int32Array(Object.keys(HOOK).length).fill(-1);
  for (const [name, hook] of Object.entries(HOOK)) if (chains.has(name)) numbers[hook] = evaluator.prepare(name);
  return {
    evaluator,
    chains: numbers,
    targets: Uint8Array.from(rules, ({ rule }) => targetOf(rule)),
    ranges: rules.map(({ rule }) => ('to' in rule.target ? rangeOf(rule.target.to) : createRange())),
  };
}

function targetOf({ target }: Rule): TargetKind {
  switch (target.kind) {
    case 'DNAT':
    case 'SNAT':
      return TARGET.GIVEN;
    case 'MASQUERADE':
      return TARGET.MASQUERADE;
    case 'REDIRECT':
      return TARGET.REDIRECT;
    default:
      return TARGET.NONE;
  }
}

const selected = createRange();

/**
 * Take the packet at `at`, which `tracking` saw last and `packet` describes, through `hook`: walk the chain when its
 * connection opens, change the octets, and bring `packet` up to date. `end` is the end of its datagram; `partial` as for
 * `rewrite`. A packet that is INVALID passes as it is.
 */
export function pass(
  cell: CellNat,
  hook: number,
  packet: RulePacket,
  view: DataView,
  at: number,
  end: number,
  partial: boolean,
): Translated {
  const { tracking } = cell;
  const { connection, table } = tracking;
  let done: Translated;
  if (tracking.related) {
    done = translateError(view, at, end, connection, table.reply, hook);
  } else {
    if (!settle(cell, hook, packet)) return TRANSLATED.DROPPED;
    done = translate(view, at, end, connection, table.reply, hook, partial);
  }
  if (done === TRANSLATED.CHANGED) refresh(view, at, packet);
  return done;
}

/** False when the packet is dropped. */
function settle(cell: CellNat, hook: number, packet: RulePacket): boolean {
  const { tracking } = cell;
  const manip = manipOf(hook);
  if (!tracking.opening || isSettled(tracking.connection.status, manip)) return keepsInterface(tracking, hook, packet);
  const passes = walk(cell, hook, manip, packet);
  restore(tracking);
  return passes;
}

/** A masqueraded connection whose packets would leave by another interface is forgotten: nf_nat_oif_changed. */
function keepsInterface(tracking: Tracking, hook: number, packet: RulePacket): boolean {
  const { connection, table } = tracking;
  const kept =
    hook !== HOOK.POSTROUTING ||
    connection.masqueradeInterface === 0 ||
    table.reply === 1 ||
    connection.masqueradeInterface === packet.outInterface;
  if (kept) return true;
  if (tracking.bound >= 0) bindings.remove(tracking.bindings, tracking.bound);
  tracking.bound = -1;
  return false;
}

function walk(cell: CellNat, hook: number, manip: number, packet: RulePacket): boolean {
  const { table, outcome, tracking, choice } = cell;
  const chain = table.chains[hook]!;
  if (chain >= 0) {
    table.evaluator.evaluate(chain, packet, outcome);
    cell.walked?.();
    if (outcome.verdict === RULE_VERDICT.NAT) return apply(cell, hook, manip, packet);
    if (outcome.verdict !== RULE_VERDICT.ACCEPT) return false;
  }
  setUpNull(tracking.connection, manip, tracking.neighbours, choice);
  return true;
}

function apply(cell: CellNat, hook: number, manip: number, packet: RulePacket): boolean {
  const { table, outcome, addresses, tracking, choice } = cell;
  const { connection, neighbours } = tracking;
  const range = table.ranges[outcome.rule]!;
  if (table.targets[outcome.rule] === TARGET.GIVEN) {
    setUp(connection, manip, range, neighbours, choice);
    return true;
  }
  if (manip === MANIP.SOURCE && connection.original.source === 0) {
    // A host that asks for its address: MASQUERADE lets it be.
    setUpNull(connection, manip, neighbours, choice);
    return true;
  }
  const address = ownAddress(addresses, hook, packet);
  if (address === 0) return false;
  if (manip === MANIP.SOURCE) connection.masqueradeInterface = packet.outInterface;
  withAddress(range, address, selected);
  setUp(connection, manip, selected, neighbours, choice);
  return true;
}

/** The cell's own address for MASQUERADE (POSTROUTING) or REDIRECT (PREROUTING, OUTPUT); 0 when there is none. */
function ownAddress(addresses: InterfaceAddresses, hook: number, packet: RulePacket): number {
  if (hook === HOOK.POSTROUTING) return addresses.masquerade[packet.outInterface] ?? 0;
  return hook === HOOK.OUTPUT ? LOCALHOST : (addresses.redirect[packet.inInterface] ?? 0);
}
