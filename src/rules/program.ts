/**
 * Programs: conditions laid flat in one Int32Array, three words each (operation and negation, a, b), and the loop that
 * asks them of a packet. No closure, no object, no allocation: the general routine behind every rule that a hash table
 * alone does not decide.
 */
import { type Condition, HEADER, OP } from './condition.ts';
import type { InterfaceNames } from './interfaces.ts';
import { covers } from './interfaces.ts';
import { hasConnection, hasMultiport } from './match.ts';
import { ask, METER, type Meters } from './meters.ts';
import type { RulePacket } from './packet.ts';

const WORDS = 3;

/** What asking came to; the same numbers as METER. */
export const ANSWER = METER;

/** Write `one` behind the program in `words`. */
export function emit(words: number[], one: Condition): void {
  words.push((one.op << 1) | Number(one.negated), one.a, one.b);
}

/** What the conditions of one table share while packets are asked. */
export interface Context {
  readonly meters: Meters;
  readonly interfaces: InterfaceNames;
  readonly patterns: readonly string[];
  /** Per pattern, by interface number: 1 covered, 0 not, -1 not asked yet. Grows when interfaces are named later. */
  readonly covered: Int8Array[];
  ranges: Int32Array;
}

/** Ask the conditions in words [at, end) of `program`. `mark` is the working mark, as a signed word. */
export function runProgram(
  program: Int32Array,
  at: number,
  end: number,
  context: Context,
  packet: RulePacket,
  mark: number,
  connectionMark: number,
): number {
  for (let word = at; word < end; word += WORDS) {
    const code = program[word]!;
    const a = program[word + 1]!;
    const b = program[word + 2]!;
    let hit = false;
    switch (code >> 1) {
      case OP.NEVER:
        return ANSWER.MISS;
      case OP.SOURCE:
        hit = ((packet.source ^ a) & b) === 0;
        break;
      case OP.DESTINATION:
        hit = ((packet.destination ^ a) & b) === 0;
        break;
      case OP.PROTOCOL:
        hit = packet.protocol === a;
        break;
      case OP.IN:
        hit = packet.inInterface === a;
        break;
      case OP.OUT:
        hit = packet.outInterface === a;
        break;
      case OP.IN_PATTERN:
        hit = isCovered(context, a, packet.inInterface);
        break;
      case OP.OUT_PATTERN:
        hit = isCovered(context, a, packet.outInterface);
        break;
      case OP.FRAGMENT:
        hit = packet.fragmentOffset !== 0;
        break;
      case OP.SOURCE_PORT:
        hit = packet.sourcePort >= a && packet.sourcePort <= b;
        break;
      case OP.DESTINATION_PORT:
        hit = packet.destinationPort >= a && packet.destinationPort <= b;
        break;
      case OP.TCP_FLAGS:
        hit = (packet.tcpFlags & a) === b;
        break;
      case OP.ICMP:
        hit = packet.icmpType === a && packet.icmpCode >= (b & 0xff) && packet.icmpCode <= b >>> 8;
        break;
      case OP.PORTS:
        if (!hasMultiport(packet.protocol)) return ANSWER.MISS;
        hit = isListed(context.ranges, a, b, packet);
        break;
      case OP.SOURCE_RANGE:
        hit = packet.source >= a >>> 0 && packet.source <= b >>> 0;
        break;
      case OP.DESTINATION_RANGE:
        hit = packet.destination >= a >>> 0 && packet.destination <= b >>> 0;
        break;
      case OP.MARK:
        hit = (mark & b) === a;
        break;
      case OP.CONNMARK:
        if (!hasConnection(packet)) return ANSWER.MISS;
        hit = (connectionMark & b) === a;
        break;
      case OP.CTSTATE:
        hit = (packet.ctstate & a) !== 0;
        break;
      case OP.SOURCE_TYPE:
        hit = (packet.sourceType & a) !== 0;
        break;
      case OP.DESTINATION_TYPE:
        hit = (packet.destinationType & a) !== 0;
        break;
      case OP.METER: {
        const answer = ask(context.meters.list[a]!, packet);
        if (answer !== ANSWER.MATCH) return answer;
        hit = true;
        break;
      }
      case OP.HEADER: {
        const answer = askHeader(a, packet);
        if (answer !== ANSWER.MATCH) return answer;
        hit = true;
        break;
      }
    }
    if (hit === ((code & 1) === 1)) return ANSWER.MISS;
  }
  return ANSWER.MATCH;
}

/** Whether a match of sort `header` may go on to read the transport header; see match.ts for the sources. */
function askHeader(header: number, packet: RulePacket): number {
  if (header === HEADER.MULTIPORT && !hasMultiport(packet.protocol)) return ANSWER.MISS;
  const native = header === HEADER.NATIVE_PORTS || header === HEADER.NATIVE_FLAGS;
  if (packet.fragmentOffset !== 0 && !native) {
    return header === HEADER.TCP && packet.fragmentOffset === 8 ? ANSWER.HOTDROP : ANSWER.MISS;
  }
  if (packet.transport === 1) return ANSWER.MATCH;
  if (header === HEADER.TCP || header === HEADER.UDP_OR_ICMP) return ANSWER.HOTDROP;
  if (header === HEADER.MULTIPORT) return packet.transport === 0 ? ANSWER.HOTDROP : ANSWER.MATCH;
  return packet.transport === 0 || header === HEADER.NATIVE_FLAGS ? ANSWER.MISS : ANSWER.MATCH;
}

function isListed(ranges: Int32Array, first: number, packed: number, packet: RulePacket): boolean {
  const end = (first + (packed & 0xffff)) * 2;
  for (let at = first * 2; at < end; at += 2) {
    const low = ranges[at]!;
    const high = ranges[at + 1]!;
    if ((packed & 0x10000) !== 0 && packet.sourcePort >= low && packet.sourcePort <= high) return true;
    if ((packed & 0x20000) !== 0 && packet.destinationPort >= low && packet.destinationPort <= high) return true;
  }
  return false;
}

function isCovered(context: Context, pattern: number, number: number): boolean {
  const known = context.covered[pattern]!;
  const answer = number < known.length ? known[number]! : -1;
  return answer < 0 ? cover(context, pattern, number) : answer === 1;
}

/** Ask the name once per interface and pattern. */
function cover(context: Context, pattern: number, number: number): boolean {
  const answer = covers(context.patterns[pattern]!, context.interfaces.name(number));
  if (number >= context.interfaces.size) return answer;
  let known = context.covered[pattern]!;
  if (number >= known.length) {
    known = new Int8Array(Math.max(context.interfaces.size, known.length * 2)).fill(-1);
    known.set(context.covered[pattern]!);
    context.covered[pattern] = known;
  }
  known[number] = Number(answer);
  return answer;
}
