/**
 * One line of JSON per packet: what became of it, and the rule that decided (docs/formats.md has the fields).
 *
 * Text that repeats (files, cells, rules, apps) is turned into JSON once and kept.
 */
import { type Burst, HELD } from '../../dataplane/burst.ts';
import type { Dataplane } from '../../dataplane/dataplane.ts';
import { REASONS, VERDICT_NAMES } from '../../dataplane/verdict.ts';
import { lookup } from '../../foundation/directory.ts';
import { protocolName } from '../../replay/summary.ts';
import { CTSTATE, type Match } from '../../rules/model.ts';
import { printRule } from '../../rules/print-save.ts';
import type { NumberedRule } from '../../rules/table.ts';
import { formatIpv4 } from '../../wire/address.ts';
import { PROTOCOL } from '../../wire/protocol.ts';

export const SCHEMA_VERSION = 1;

const CTSTATE_NAMES = new Map<number, string>([
  [CTSTATE.INVALID, 'INVALID'],
  [CTSTATE.ESTABLISHED, 'ESTABLISHED'],
  [CTSTATE.RELATED, 'RELATED'],
  [CTSTATE.NEW, 'NEW'],
  [CTSTATE.UNTRACKED, 'UNTRACKED'],
]);

/** The state of a packet's connection in iptables' word; null when nobody asked. */
export const ctstateName = (ctstate: number): string | null => CTSTATE_NAMES.get(ctstate) ?? null;

const isComment = (match: Match): match is Extract<Match, { kind: 'comment' }> => match.kind === 'comment';

/** The rule as the formats show it: where it stands, its text as `iptables -S` prints it, its comment. */
export function describeRule({ chain, number, rule }: NumberedRule): {
  chain: string;
  number: number;
  text: string;
  comment: string | null;
} {
  return {
    chain: chain.name,
    number,
    text: printRule(chain.name, rule),
    comment: rule.matches.find(isComment)?.text ?? null,
  };
}

/** Writes rows of bursts as JSON lines. `files` are the names of the captures, by index. */
export interface VerdictLines {
  /** The first line: what the others are. */
  readonly header: string;
  /** The line of row `i`, newline included. */
  line(burst: Burst, i: number): string;
}

export function createVerdictLines(
  dataplane: Dataplane,
  files: readonly string[],
  epoch: () => bigint,
  round: () => number | null = () => null,
): VerdictLines {
  const { directory, cells } = dataplane;
  const fileTexts = files.map((file) => JSON.stringify(file));
  const cellTexts = cells.map((cell) => JSON.stringify(cell.name));
  const appTexts = directory.foundation.apps.map((app) => JSON.stringify(app.name));
  const ruleTexts: string[][] = cells.map(() => []);
  const filters = cells.map(({ filter }) => filter);
  const reasonTexts = REASONS.map(({ code }) => JSON.stringify(code));
  const rule = (cell: number, id: number): string => {
    if (cell < 0 || id < 0) return 'null';
    if (filters[cell] !== cells[cell]!.filter) {
      filters[cell] = cells[cell]!.filter;
      ruleTexts[cell] = [];
    }
    const known = ruleTexts[cell]![id];
    if (known !== undefined) return known;
    const text = JSON.stringify(describeRule(cells[cell]!.filter.rules.rules[id]!));
    ruleTexts[cell]![id] = text;
    return text;
  };
  const app = (address: number): string => {
    const instance = lookup(directory, address);
    return instance < 0 ? 'null' : appTexts[directory.instanceApp[instance]!]!;
  };
  const line = (burst: Burst, i: number): string => {
    const { records } = burst;
    const verdict = burst.verdict[i]!;
    const isIpv4 = burst.version[i] === 4;
    const cell = burst.cell[i]!;
    const ctstate = ctstateName(burst.ctstate[i]!);
    const loop = round();
    return (
      `{"file":${fileTexts[records.file[i]!]}${loop === null ? '' : `,"loop":${loop}`},"packet":${records.packet[i]},"offset":${records.offset[i]}` +
      `,"timestamp":"${epoch() + BigInt(records.time[i]!)}","cell":${cell < 0 ? 'null' : cellTexts[cell]}` +
      `,"verdict":"${VERDICT_NAMES[verdict]}","reason":${reasonTexts[burst.reason[i]!]},"rule":${rule(cell, burst.rule[i]!)}` +
      `,"mark":${burst.mark[i]},"tag":${burst.tag[i]! < 0 ? 'null' : burst.tag[i]}` +
      `,"sourceApp":${isIpv4 ? app(burst.source[i]!) : 'null'},"destinationApp":${isIpv4 ? app(burst.destination[i]!) : 'null'}` +
      `,"source":${isIpv4 ? `"${endpoint(burst, i, burst.source[i]!, burst.sourcePort[i]!)}"` : 'null'}` +
      `,"destination":${isIpv4 ? `"${endpoint(burst, i, burst.destination[i]!, burst.destinationPort[i]!)}"` : 'null'}` +
      `,"protocol":${isIpv4 ? `"${protocolName(burst.protocol[i]!)}"` : 'null'}${icmp(burst, i)}` +
      `,"ctstate":${ctstate === null ? 'null' : `"${ctstate}"`},"reply":${burst.reply[i] === 1}}\n`
    );
  };
  return { header: `{"schemaVersion":${SCHEMA_VERSION},"format":"tagplane-verdicts"}\n`, line };
}

/** `address:port` for TCP and UDP, the address alone otherwise. */
function endpoint(burst: Burst, i: number, address: number, port: number): string {
  const protocol = burst.protocol[i];
  const hasPorts = protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP;
  return hasPorts ? `${formatIpv4(address)}:${port}` : formatIpv4(address);
}

const icmp = (burst: Burst, i: number): string =>
  burst.version[i] === 4 && burst.protocol[i] === PROTOCOL.ICMP
    ? `,"icmp":"${burst.sourcePort[i]}/${burst.destinationPort[i]}"`
    : '';

/** Whether a row is final: fragments that wait are written when they have been decided. */
export const isFinal = (burst: Burst, i: number): boolean => burst.verdict[i] !== HELD;
