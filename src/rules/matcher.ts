/**
 * The compiled matcher's walk: one monomorphic function over a plan.
 *
 * A walk is at a position. Each tuple that was asked offers the lowest position not yet tried at which the packet's key is
 * wanted; the walk takes the lowest of all, asks what the key left open, and acts. So entries are tried in exactly the
 * order of the rules, and those passed over are those whose key says that they cannot match. A tuple is asked only once
 * its lowest position could come first, so that a packet decided early never looks at tables of later rules.
 */
import { ACTION } from './flatten.ts';
import { hasConnection } from './match.ts';
import { type Outcome, RULE_VERDICT, type RulePacket } from './packet.ts';
import { BARRIER, CHANGING, ENTRY_WORDS, type Plan, SLICED, SLOT_WORDS } from './plan.ts';
import { ANSWER, type Context, runProgram } from './program.ts';
import { FIELDS, nextOf, openSlices } from './slices.ts';
import { recordLog } from './target.ts';
import { hashKey, INTERFACE_LIMIT } from './tuples.ts';
import * as ways from './ways.ts';

/** Beyond every position: a tuple has nothing more to offer. */
const NONE = 0x7fffffff;

const interfaceKey = (number: number): number => Math.min(number, INTERFACE_LIMIT);

/** The word of a key that holds protocol and interfaces. */
const restOf = (packet: RulePacket): number =>
  (packet.protocol & 0xff) | (interfaceKey(packet.inInterface) << 8) | (interfaceKey(packet.outInterface) << 20);

/** Walk `plan` with `packet`. `accepts`: the policy of the built-in chain. */
export function walk(plan: Plan, context: Context, accepts: boolean, packet: RulePacket, outcome: Outcome): void {
  const rest = restOf(packet);
  outcome.mark = packet.mark;
  outcome.connectionMark = packet.connectionMark;
  outcome.logCount = 0;
  ways.begin(plan.ways);
  if (plan.tuples !== 0 && begin(plan, packet, rest, outcome)) return;
  walkOn(plan, context, accepts, packet, rest, outcome);
}

/**
 * Ask the first tuple, and decide at once when its one entry for the packet is the first of all that could match, is
 * answered by port and state alone, and ends the walk. That is what becomes of most packets that
 * a policy allows. False leaves the tuple as if it had been asked.
 */
function begin(plan: Plan, packet: RulePacket, rest: number, outcome: Outcome): boolean {
  const slots = plan.slots;
  const slot = find(plan, 0, packet, packet.mark | 0, rest);
  if (slot < 0) {
    plan.heads[0] = NONE;
    return false;
  }
  const position = slots[slot + 7]!;
  const entries = plan.entries;
  const at = position * ENTRY_WORDS;
  const code = entries[at]!;
  const isAlone = slots[slot + 5]! - slots[slot + 4]! === 1;
  if (!isAlone || position >= plan.second || code >= ACTION.COUNT || entries[at + 2] !== entries[at + 3]) {
    open(plan, 0, slot, packet, 0);
    return false;
  }
  const ports = entries[at + 6]!;
  const states = entries[at + 7]!;
  const port = packet.destinationPort;
  if (port < (ports & 0xffff) || port > ports >>> 16 || (states !== 0 && (states & packet.ctstate) === 0)) {
    plan.heads[0] = NONE;
    return false;
  }
  plan.hits[position * 2]! += 1;
  plan.hits[position * 2 + 1]! += packet.length;
  ways.step(plan.ways, position, ways.STEP.MATCHED);
  outcome.verdict = code as Outcome['verdict'];
  outcome.rule = entries[at + 1]!;
  return true;
}

/** The walk from where `begin` left it. */
function walkOn(
  plan: Plan,
  context: Context,
  accepts: boolean,
  packet: RulePacket,
  rest: number,
  outcome: Outcome,
): void {
  const { tuples, lowest, heads, entries, hits } = plan;
  const length = packet.length;
  let mark = packet.mark | 0;
  let asked = Math.min(tuples, 1);
  let depth = 0;
  let current = 0;
  for (;;) {
    let position = NONE;
    for (let tuple = 0; tuple < asked; tuple += 1) {
      let head = heads[tuple]!;
      if (head < current) head = advance(plan, tuple, current);
      if (head < position) position = head;
    }
    while (asked < tuples && lowest[asked]! < position) {
      const head = probe(plan, asked, packet, mark, rest, current);
      if (head < position) position = head;
      asked += 1;
    }
    if (position === NONE) break;
    current = position + 1;
    const at = position * ENTRY_WORDS;
    const code = entries[at]!;
    if ((code & CHANGING) !== 0) plan.ways.changing = 1;
    const answer = askEntry(plan, context, at, packet, mark, outcome);
    if (answer !== ANSWER.MATCH) {
      if (answer === ANSWER.HOTDROP) {
        lose(plan, position, ways.STEP.DROPPED, length);
        outcome.verdict = RULE_VERDICT.DROP;
        outcome.rule = entries[at + 1]!;
        return;
      }
      if ((code & BARRIER) !== 0) {
        lose(plan, position, ways.STEP.STOPPED, length);
        current = entries[at + 5]!;
      }
      continue;
    }
    hits[position * 2]! += 1;
    hits[position * 2 + 1]! += length;
    ways.step(plan.ways, position, ways.STEP.MATCHED);
    switch (code & 0xff) {
      case ACTION.ACCEPT:
      case ACTION.DROP:
      case ACTION.REJECT:
      case ACTION.NAT:
        outcome.verdict = (code & 0xff) as Outcome['verdict'];
        outcome.rule = entries[at + 1]!;
        return;
      case ACTION.COUNT:
        break;
      case ACTION.SKIP:
        current = entries[at + 4]!;
        break;
      case ACTION.CALL:
        plan.stack[depth] = entries[at + 5]!;
        depth += 1;
        current = entries[at + 4]!;
        asked = 0;
        break;
      case ACTION.POP:
        depth -= 1;
        current = plan.stack[depth]!;
        asked = 0;
        break;
      case ACTION.POLICY:
        decideByPolicy(plan, accepts, length, outcome);
        return;
      case ACTION.LOG:
        recordLog(entries[at + 1]!, outcome);
        break;
      default:
        changeMarks(entries, at, packet, outcome);
        if ((outcome.mark | 0) !== mark) {
          mark = outcome.mark | 0;
          askAgain(plan, asked, packet, mark, rest, current);
        }
    }
  }
  decideByPolicy(plan, accepts, length, outcome);
}

function decideByPolicy(plan: Plan, accepts: boolean, length: number, outcome: Outcome): void {
  plan.policy[0]! += 1;
  plan.policy[1]! += length;
  ways.step(plan.ways, 0, ways.STEP.POLICY);
  outcome.verdict = accepts ? RULE_VERDICT.ACCEPT : RULE_VERDICT.DROP;
  outcome.rule = -1;
}

/** The walk was stopped by the entry at `position`. */
function lose(plan: Plan, position: number, kind: number, length: number): void {
  const at = position * 4 + (kind === ways.STEP.STOPPED ? 0 : 2);
  plan.losses[at]! += 1;
  plan.losses[at + 1]! += length;
  ways.step(plan.ways, position, kind);
}

/** What the key of the entry at word `at` left open. */
function askEntry(
  plan: Plan,
  context: Context,
  at: number,
  packet: RulePacket,
  mark: number,
  outcome: Outcome,
): number {
  const entries = plan.entries;
  const ports = entries[at + 6]!;
  if (packet.destinationPort < (ports & 0xffff) || packet.destinationPort > ports >>> 16) return ANSWER.MISS;
  const states = entries[at + 7]!;
  if (states !== 0 && (states & packet.ctstate) === 0) return ANSWER.MISS;
  const program = entries[at + 2]!;
  const end = entries[at + 3]!;
  if (program === end) return ANSWER.MATCH;
  return runProgram(plan.program, program, end, context, packet, mark, outcome.connectionMark | 0);
}

/** Look the packet up in `tuple` and return the first position of its bucket from `current` on, or NONE. */
function probe(plan: Plan, tuple: number, packet: RulePacket, mark: number, rest: number, current: number): number {
  const slot = find(plan, tuple, packet, mark, rest);
  if (slot >= 0) return open(plan, tuple, slot, packet, current);
  plan.heads[tuple] = NONE;
  return NONE;
}

/** The slot of `tuple` that holds the packet's key, or -1. */
function find(plan: Plan, tuple: number, packet: RulePacket, packetMark: number, packetRest: number): number {
  const slots = plan.slots;
  const source = packet.source & plan.sourceMasks[tuple]!;
  const destination = packet.destination & plan.destinationMasks[tuple]!;
  const mark = packetMark & plan.markMasks[tuple]!;
  const rest = packetRest & plan.restMasks[tuple]!;
  const offset = plan.offsets[tuple]!;
  const mask = plan.sizes[tuple]!;
  let index = hashKey(source, destination, mark, rest) & mask;
  for (;;) {
    const slot = offset + index * SLOT_WORDS;
    if (slots[slot + 5] === 0) return -1;
    if (
      slots[slot] === source &&
      slots[slot + 1] === destination &&
      slots[slot + 2] === mark &&
      slots[slot + 3] === rest
    ) {
      return slot;
    }
    index = (index + 1) & mask;
  }
}

/** Set the tuple's cursor on the bucket of `slot`, or on what of it is for the packet where it was cut. */
function open(plan: Plan, tuple: number, slot: number, packet: RulePacket, current: number): number {
  const { slots, cuts, positions } = plan;
  const how = slots[slot + 6]!;
  let first = slots[slot + 4]!;
  let end = slots[slot + 5]!;
  plan.sliced[tuple] = -1;
  if (how >= 0) {
    const list = intervalOf(cuts, how, packet.destinationPort);
    first = cuts[list]!;
    end = cuts[list + 1]!;
  } else if (how <= SLICED) {
    const at = SLICED - how;
    plan.sliced[tuple] = at;
    openSlices(cuts, at, packet, plan.rows, tuple * FIELDS);
    first = nextOf(cuts, at, plan.rows, tuple * FIELDS, first, end);
  }
  const head = first < end ? positions[first]! : NONE;
  plan.cursors[tuple] = first;
  plan.ends[tuple] = end;
  plan.heads[tuple] = head;
  return head < current ? advance(plan, tuple, current) : head;
}

/** Where the list of the interval around `port` is described. The first interval begins at port 0. */
function intervalOf(intervals: Int32Array, at: number, port: number): number {
  const count = intervals[at]!;
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (intervals[at + 1 + middle]! <= port) low = middle;
    else high = middle - 1;
  }
  return at + 1 + count + low * 2;
}

/** Move a tuple's cursor to the first position from `current` on. The next one is most often it. */
function advance(plan: Plan, tuple: number, current: number): number {
  const positions = plan.positions;
  const end = plan.ends[tuple]!;
  let low = plan.cursors[tuple]! + 1;
  if (low < end && positions[low]! < current) {
    let high = end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (positions[middle]! < current) low = middle + 1;
      else high = middle;
    }
  }
  const sliced = plan.sliced[tuple]!;
  if (sliced >= 0) low = nextOf(plan.cuts, sliced, plan.rows, tuple * FIELDS, low, end);
  const head = low < end ? positions[low]! : NONE;
  plan.cursors[tuple] = low;
  plan.heads[tuple] = head;
  return head;
}

/** The mark has changed: tuples that were asked with the old one are asked again. */
function askAgain(plan: Plan, asked: number, packet: RulePacket, mark: number, rest: number, current: number): void {
  for (let tuple = 0; tuple < asked; tuple += 1) {
    if (plan.markMasks[tuple] !== 0) probe(plan, tuple, packet, mark, rest, current);
  }
}

function changeMarks(entries: Int32Array, at: number, packet: RulePacket, outcome: Outcome): void {
  const first = entries[at + 4]!;
  const second = entries[at + 5]!;
  const action = entries[at]! & 0xff;
  const { mark, connectionMark } = outcome;
  if (action === ACTION.MARK) outcome.mark = ((mark & first) ^ second) >>> 0;
  else if (!hasConnection(packet)) return;
  else if (action === ACTION.CONNMARK_SET) outcome.connectionMark = ((connectionMark & first) ^ second) >>> 0;
  else if (action === ACTION.CONNMARK_SAVE) outcome.connectionMark = ((connectionMark & first) ^ (mark & second)) >>> 0;
  else outcome.mark = ((mark & second) ^ (connectionMark & first)) >>> 0;
}
