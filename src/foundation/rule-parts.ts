/**
 * The parts that silk's rules are made of, in the words of `rules/model.ts`.
 *
 * Only types come from there: the two floors are siblings. Numbers that both need are written here again and checked by
 * the compiler against the other side's.
 */
import type { CTSTATE as Ctstate, IpPart, Masked, Match, NatRange, Rate, Rule, Target } from '../rules/model.ts';
import { type Cidr, maskOf } from '../wire/address.ts';

const CTSTATE: typeof Ctstate = {
  INVALID: 1,
  ESTABLISHED: 2,
  RELATED: 4,
  NEW: 8,
  UNTRACKED: 64,
  SNAT: 128,
  DNAT: 256,
};

const ICMP = 1;
const TCP = 6;
const UDP = 17;
const PROTOCOLS = { icmp: ICMP, tcp: TCP, udp: UDP } as const;
export type ProtocolName = keyof typeof PROTOCOLS;

const WHOLE = 0xffffffff;
/** xt_limit counts in ten-thousandths of a second, xt_hashlimit in millionths. */
const LIMIT_SCALE = 10_000;
const HASHLIMIT_SCALE = 1_000_000;
/** `--hashlimit-htable-expire` that iptables takes for rates per second when none is written. */
const DEFAULT_EXPIRE_MILLISECONDS = 1000;
/** Level `warning`, which iptables does not print. */
const LOG_LEVEL = 4;
const LOG_PREFIX_LENGTH = 28;

export const rule = (ip: IpPart, matches: readonly Match[], target: Target): Rule => ({
  ip,
  matches,
  target,
  counters: null,
  line: 0,
});

export const ACCEPT: Target = { kind: 'ACCEPT' };
export const DROP: Target = { kind: 'DROP' };
export const REJECT: Target = { kind: 'REJECT', with: 'icmp-port-unreachable' };

export const jump = (chain: string): Target => ({ kind: 'jump', chain });

export const goTo = (chain: string): Target => ({ kind: 'goto', chain });

/** One address as a part of a rule: `-s 10.255.1.4`. */
export const host = (address: number, negated = false): Masked => ({ address, mask: WHOLE, negated });

/** A block as a part of a rule: `! -d 10.255.0.0/16`. */
export const network = (block: Cidr, negated = false): Masked => ({
  address: block.address,
  mask: maskOf(block.prefixLength),
  negated,
});

export const named = (name: string, negated = false): { name: string; negated: boolean } => ({ name, negated });

export const protocol = (name: ProtocolName, negated = false): { number: number; negated: boolean } => ({
  number: PROTOCOLS[name],
  negated,
});

/** `-m tcp --dport`; iptables keeps the bare match when the range is every port. */
export const destinationPorts = (kind: 'tcp' | 'udp', low: number, high: number): Match =>
  low === 0 && high === 0xffff ? { kind } : { kind, destinationPorts: { low, high, negated: false } };

/** Type 255 is any type, as the kernel's icmp match has it. */
export const icmp = (type: number, code: number): Match =>
  type === 255
    ? { kind: 'icmp', type, codeLow: 0, codeHigh: 255, negated: false }
    : { kind: 'icmp', type, codeLow: code, codeHigh: code, negated: false };

export const destinationRange = (low: number, high: number): Match => ({
  kind: 'iprange',
  destination: { low, high, negated: false },
});

export const mark = (value: number, negated = false): Match => ({ kind: 'mark', value, mask: WHOLE, negated });

export const setMark = (value: number): Target => ({ kind: 'MARK', value, mask: WHOLE });

export const RELATED_ESTABLISHED: Match = {
  kind: 'state',
  states: CTSTATE.RELATED | CTSTATE.ESTABLISHED,
  negated: false,
};

export const INVALID: Match = { kind: 'state', states: CTSTATE.INVALID, negated: false };

export const NEW_CONNECTION: Match = { kind: 'conntrack', states: CTSTATE.NEW, negated: false };

/** What the log rules ask, so that a connection is logged once. */
export const NOT_ESTABLISHED: Match = {
  kind: 'conntrack',
  states: CTSTATE.INVALID | CTSTATE.NEW | CTSTATE.UNTRACKED,
  negated: false,
};

/** The whole count per second that the kernel holds: 150 a second is kept as 66 ticks, which is 151 a second. */
const heldRate = (perSecond: number, scale: number): Rate => ({
  count: Math.floor(scale / Math.max(1, Math.floor(scale / perSecond))),
  per: 'sec',
});

/** At most `perSecond`, with as much at once. */
export const limit = (perSecond: number): Match => ({
  kind: 'limit',
  rate: heldRate(perSecond, LIMIT_SCALE),
  burst: perSecond,
});

/** More than `perSecond` new connections to one port of one address; `name` is the kernel's hash table. */
export function aboveRate(perSecond: number, burst: number, name: string): Match {
  const expireMilliseconds = Math.ceil(burst / perSecond) * 1000;
  return {
    kind: 'hashlimit',
    mode: 'above',
    rate: heldRate(perSecond, HASHLIMIT_SCALE),
    burst,
    key: ['dstip', 'dstport'],
    name,
    ...(expireMilliseconds === DEFAULT_EXPIRE_MILLISECONDS ? {} : { expireMilliseconds }),
  };
}

/** silk puts no space into a comment. */
export const comment = (text: string): Match => ({ kind: 'comment', text: text.replaceAll(' ', '_') });

/** LOG with the first 28 characters of `name` and a space. */
export const log = (name: string): Target => ({
  kind: 'LOG',
  level: LOG_LEVEL,
  prefix: `${name.slice(0, LOG_PREFIX_LENGTH)} `,
  tcpSequence: false,
  tcpOptions: false,
  ipOptions: false,
  uid: false,
  macdecode: false,
});

const PLAIN: NatRange = { random: false, randomFully: false, persistent: false };

export const MASQUERADE: Target = { kind: 'MASQUERADE', to: PLAIN };

export const destinationNat = (address: number, port: number): Target => ({
  kind: 'DNAT',
  to: { ...PLAIN, addressLow: address, addressHigh: address, portLow: port, portHigh: port },
});
