/**
 * Condition: one thing a rule asks, in four numbers. A rule becomes the list of its conditions in the order in which the
 * kernel asks them; `program.ts` runs such a list over typed arrays.
 *
 * Packets come in two sorts, and each sort has conditions of its own. A **regular** packet has a readable transport header
 * (or a protocol whose header no match reads), so that only a full hashlimit table can drop it in mid-rule, and conditions
 * ahead of a meter may be asked in any order. For the others (later fragments, cut headers) every match that reads the
 * transport header is preceded by a header condition that can miss or drop, and order matters from there on.
 */
import type { Backend } from './evaluator.ts';
import type { InterfaceNames } from './interfaces.ts';
import { constrains, isNative, STATES } from './match.ts';
import type { Masked, Match, NegatablePorts, Rule } from './model.ts';

export const OP = {
  NEVER: 0,
  /** a: address, b: mask. */
  SOURCE: 1,
  DESTINATION: 2,
  PROTOCOL: 3,
  /** a: interface number. */
  IN: 4,
  OUT: 5,
  /** a: index of a pattern that ends in `+`. */
  IN_PATTERN: 6,
  OUT_PATTERN: 7,
  FRAGMENT: 8,
  /** a: lowest, b: highest. */
  SOURCE_PORT: 9,
  DESTINATION_PORT: 10,
  /** a: mask, b: bits set. */
  TCP_FLAGS: 11,
  /** a: type, b: lowest code and, 8 bits up, highest code. */
  ICMP: 12,
  /** a: index of the first range, b: number of ranges and, 16 bits up, WHICH. */
  PORTS: 13,
  SOURCE_RANGE: 14,
  DESTINATION_RANGE: 15,
  /** a: value, b: mask. */
  MARK: 16,
  CONNMARK: 17,
  /** a: bits of CTSTATE. */
  CTSTATE: 18,
  SOURCE_TYPE: 19,
  DESTINATION_TYPE: 20,
  /** a: index in the table's meters. */
  METER: 21,
  /** a: HEADER. */
  HEADER: 22,
} as const;

/** How a match reads the transport header, for OP.HEADER. */
export const HEADER = { TCP: 0, UDP_OR_ICMP: 1, NATIVE_PORTS: 2, NATIVE_FLAGS: 3, MULTIPORT: 4 } as const;

/** Which ports multiport looks at, as bits. */
const WHICH = { source: 1, destination: 2, either: 3 } as const;

export interface Condition {
  readonly op: number;
  readonly negated: boolean;
  /** Signed 32-bit words. */
  readonly a: number;
  readonly b: number;
}

/** What conditions of a table refer to by index. */
export interface Operands {
  readonly backend: Backend;
  readonly interfaces: InterfaceNames;
  /** Interface patterns that end in `+`. */
  readonly patterns: string[];
  /** Multiport ranges: lowest and highest port alternate. */
  readonly ranges: number[];
}

const TCP = 6;
const UDP = 17;
const ICMP = 1;

const condition = (op: number, a = 0, b = 0, negated = false): Condition => ({ op, negated, a: a | 0, b: b | 0 });

/** The conditions of `rule`, in order; `meter` is the index of its first meter. */
export function conditionsOf(rule: Rule, meter: number, regular: boolean, operands: Operands): Condition[] {
  const list: Condition[] = [];
  addIp(rule, list, operands);
  let next = meter;
  for (const match of rule.matches) {
    if (match.kind === 'limit' || match.kind === 'hashlimit') list.push(condition(OP.METER, next++));
    else addMatch(match, list, regular, operands);
  }
  return list;
}

function addIp(rule: Rule, list: Condition[], operands: Operands): void {
  const { source, destination, inInterface, outInterface, protocol, fragment } = rule.ip;
  addBlock(OP.SOURCE, source, list);
  addBlock(OP.DESTINATION, destination, list);
  if (inInterface !== undefined) addInterface(OP.IN, OP.IN_PATTERN, inInterface, list, operands);
  if (outInterface !== undefined) addInterface(OP.OUT, OP.OUT_PATTERN, outInterface, list, operands);
  if (protocol !== undefined && protocol.number !== 0) {
    list.push(condition(OP.PROTOCOL, protocol.number, 0, protocol.negated));
  }
  if (fragment !== undefined) list.push(condition(OP.FRAGMENT, 0, 0, fragment.negated));
  if (rule.target.kind === 'REJECT' && rule.target.with === 'tcp-reset') list.push(condition(OP.PROTOCOL, TCP));
}

function addBlock(op: number, block: Masked | undefined, list: Condition[]): void {
  if (block === undefined) return;
  if (block.mask !== 0) list.push(condition(op, block.address & block.mask, block.mask, block.negated));
  else if (block.negated) list.push(condition(OP.NEVER));
}

function addInterface(
  exact: number,
  pattern: number,
  wanted: { readonly name: string; readonly negated: boolean },
  list: Condition[],
  operands: Operands,
): void {
  if (wanted.name.endsWith('+')) {
    let index = operands.patterns.indexOf(wanted.name);
    if (index < 0) index = operands.patterns.push(wanted.name) - 1;
    list.push(condition(pattern, index, 0, wanted.negated));
  } else {
    list.push(condition(exact, operands.interfaces.number(wanted.name), 0, wanted.negated));
  }
}

function addMatch(
  match: Exclude<Match, { kind: 'limit' | 'hashlimit' }>,
  list: Condition[],
  regular: boolean,
  operands: Operands,
): void {
  switch (match.kind) {
    case 'tcp':
    case 'udp':
      addPorts(match, list, regular, operands.backend);
      break;
    case 'icmp':
      list.push(condition(OP.PROTOCOL, ICMP));
      if (!regular) list.push(condition(OP.HEADER, HEADER.UDP_OR_ICMP));
      if (match.type !== 255) {
        list.push(condition(OP.ICMP, match.type, match.codeLow | (match.codeHigh << 8), match.negated));
      } else if (match.negated) list.push(condition(OP.NEVER));
      break;
    case 'multiport':
      if (!regular) list.push(condition(OP.HEADER, HEADER.MULTIPORT));
      list.push(
        condition(
          OP.PORTS,
          operands.ranges.length >>> 1,
          match.ranges.length | (WHICH[match.which] << 16),
          match.negated,
        ),
      );
      for (const range of match.ranges) operands.ranges.push(range.low, range.high);
      break;
    case 'iprange':
      if (match.source)
        list.push(condition(OP.SOURCE_RANGE, match.source.low, match.source.high, match.source.negated));
      if (match.destination) {
        const { low, high, negated } = match.destination;
        list.push(condition(OP.DESTINATION_RANGE, low, high, negated));
      }
      break;
    case 'mark':
      list.push(condition(OP.MARK, match.value, match.mask, match.negated));
      break;
    case 'connmark':
      list.push(condition(OP.CONNMARK, match.value, match.mask, match.negated));
      break;
    case 'state':
      // A packet has one state, so a negated set is the set of the others; it does not see SNAT and DNAT.
      list.push(condition(OP.CTSTATE, match.states & STATES, 0, match.negated));
      break;
    case 'conntrack':
      list.push(condition(OP.CTSTATE, match.states, 0, match.negated));
      break;
    case 'addrtype':
      if (match.source) list.push(condition(OP.SOURCE_TYPE, match.source.types, 0, match.source.negated));
      if (match.destination) {
        list.push(condition(OP.DESTINATION_TYPE, match.destination.types, 0, match.destination.negated));
      }
      break;
    case 'comment':
      break;
    case 'unknown':
      list.push(condition(OP.NEVER));
      break;
  }
}

function addPorts(
  match: Extract<Match, { kind: 'tcp' | 'udp' }>,
  list: Condition[],
  regular: boolean,
  backend: Backend,
): void {
  const flags = match.kind === 'tcp' ? match.flags : undefined;
  list.push(condition(OP.PROTOCOL, match.kind === 'tcp' ? TCP : UDP));
  if (!regular) {
    const xt = match.kind === 'tcp' ? HEADER.TCP : HEADER.UDP_OR_ICMP;
    const native = flags === undefined ? HEADER.NATIVE_PORTS : HEADER.NATIVE_FLAGS;
    list.push(condition(OP.HEADER, isNative(match, backend) ? native : xt));
  }
  addPort(OP.SOURCE_PORT, match.sourcePorts, list);
  addPort(OP.DESTINATION_PORT, match.destinationPorts, list);
  if (flags !== undefined) list.push(condition(OP.TCP_FLAGS, flags.mask, flags.set, flags.negated));
}

function addPort(op: number, ports: NegatablePorts | undefined, list: Condition[]): void {
  if (constrains(ports)) list.push(condition(op, ports.low, ports.high, ports.negated));
}

/** Conditions from here on may not be asked early: a meter charges, a header condition can drop the packet. */
export const isFence = (one: Condition): boolean => one.op === OP.METER || one.op === OP.HEADER;

/** 1 for the operators that ask for one value of a field. */
const EXACT_FIELDS = new Uint8Array(256);
for (const op of [OP.SOURCE, OP.DESTINATION, OP.PROTOCOL, OP.IN, OP.OUT, OP.MARK]) EXACT_FIELDS[op] = 1;

/** Whether a condition holds for one value of its field (under a mask). */
export const isExact = (one: Condition): boolean => !one.negated && EXACT_FIELDS[one.op] === 1;

const clash = (one: Condition, other: Condition): boolean => {
  const masked = one.op === OP.SOURCE || one.op === OP.DESTINATION || one.op === OP.MARK;
  return masked ? ((one.a ^ other.a) & one.b & other.b) !== 0 : one.a !== other.a;
};

/** Both lists, without repetitions; null when no packet can satisfy both. `context` holds no fence of a meter. */
export function combine(context: readonly Condition[], own: readonly Condition[]): readonly Condition[] | null {
  const list = [...context];
  let fenced = context.some(isFence);
  for (const one of own) {
    if (!fenced && one.op === OP.NEVER) return null;
    fenced ||= isFence(one);
    if (fenced || !isExact(one)) {
      list.push(one);
      continue;
    }
    let isKnown = false;
    for (const other of list) {
      if (other.op !== one.op || !isExact(other)) continue;
      if (clash(one, other)) return null;
      isKnown ||= other.a === one.a && other.b === one.b;
    }
    if (!isKnown) list.push(one);
  }
  return list;
}
