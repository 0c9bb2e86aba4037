/**
 * The report of a replay for people: what was read, what became of it, who talked to whom, what was denied and why,
 * what was not judged. At most `width` columns wide; names from outside are made harmless.
 */
import type { Dataplane } from '../../dataplane/dataplane.ts';
import { REASONS } from '../../dataplane/verdict.ts';
import { LATE_NANOSECONDS, type Pacing } from '../../replay/pacing.ts';
import type { Playback } from '../../replay/player.ts';
import type { End, Summary, SummaryFlow } from '../../replay/summary.ts';
import type { ReportedChange, ReportedDifference, ReportedWindow } from '../../replay/timeline.ts';
import type { NumberedRule } from '../../rules/table.ts';
import type { Style } from '../style.ts';
import { type Column, count, octets, printable, seconds, share, table } from '../text.ts';
import { describeRule } from './verdict-lines.ts';

export interface ReportInput {
  readonly summary: Summary;
  readonly dataplane: Dataplane;
  readonly playback: Playback;
  readonly files: readonly string[];
  readonly epochNanoseconds: bigint;
  /** Where the rules of each cell came from, one sentence each. */
  readonly origins: readonly string[];
  /** Nanoseconds of wall clock that the replay took, and of processor time. */
  readonly elapsed: number;
  /** Null for packets that came as fast as they could. */
  readonly pacing: Pacing | null;
  /** Changes of rules; null when none were asked for. */
  readonly changes: readonly ReportedChange[] | null;
  readonly windows: readonly ReportedWindow[];
  readonly width: number;
  readonly style: Style;
  /** Most rows of the tables. */
  readonly top: number;
}

const MOST_DENIALS = 10;
const PLACE_INDENT = '         ';
const BECAUSE = new Map(REASONS.map(({ code, because }) => [code, because]));

/** The whole report, one line per element. */
export function report(input: ReportInput): string[] {
  return [
    ...heading(input),
    ...verdicts(input),
    ...talkers(input),
    ...denials(input),
    ...changes(input),
    ...notJudged(input),
    ...remarks(input),
    ...rate(input),
  ];
}

const section = (input: ReportInput, title: string): string[] => ['', input.style.title(title)];

/** Break `text` into lines of at most `width`, later lines indented. */
function wrap(text: string, width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = `${indent}${word}`;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

function heading(input: ReportInput): string[] {
  const { summary, playback, files, width } = input;
  const span = Number.isNaN(playback.first)
    ? ''
    : `, ${seconds(playback.last - playback.first)} from ${startOf(input)}`;
  const names =
    files.length <= 3 ? files.map(printable).join(', ') : `${printable(files[0]!)} and ${files.length - 1} more`;
  return [
    ...wrap(`${names}: ${count(summary.packets)} packets, ${octets(summary.octets)}${span}`, width, '  '),
    ...input.origins.flatMap((origin) => wrap(printable(origin), width, '  ')),
  ];
}

const startOf = (input: ReportInput): string =>
  instant(input.epochNanoseconds + BigInt(Math.trunc(input.playback.first)));

/** A moment in nanoseconds since 1970, to the millisecond. */
const instant = (nanoseconds: bigint): string => {
  const milliseconds = Number(nanoseconds / 1_000_000n);
  return `${new Date(milliseconds).toISOString().replace('T', ' ').replace('Z', '')} UTC`;
};

function verdicts(input: ReportInput): string[] {
  const { summary, style } = input;
  const rows = Object.entries(summary.verdicts).filter(([, packets]) => packets > 0);
  const columns: Column[] = [
    { title: 'verdict', align: 'left' },
    { title: 'packets', align: 'right' },
    { title: 'share', align: 'right' },
  ];
  const lines = table(
    columns,
    rows.map(([name, packets]) => [name, count(packets), share(packets, summary.packets)]),
    input.width,
  );
  return [
    '',
    ...lines.map((line, index) => (index === 0 ? style.title(line) : style.verdict(rows[index - 1]![0], line))),
  ];
}

const endName = (end: End): string => printable(end.name);

/** `tcp 8080`, `icmp 8/0`, `protocol 132`. */
function service(flow: SummaryFlow): string {
  if (flow.port !== null) return `${flow.protocol} ${flow.port}`;
  if (flow.icmp !== null) return `icmp ${flow.icmp}`;
  return /^\d/.test(flow.protocol) ? `protocol ${flow.protocol}` : flow.protocol;
}

function talkers(input: ReportInput): string[] {
  const { summary, style } = input;
  if (summary.flows.length === 0) return [];
  const shown = summary.flows.slice(0, input.top);
  const columns: Column[] = [
    { title: 'from', align: 'left', least: 12 },
    { title: 'to', align: 'left', least: 12 },
    { title: 'service', align: 'left' },
    { title: 'verdict', align: 'left' },
    { title: 'packets', align: 'right' },
    { title: 'conns', align: 'right' },
    { title: 'size', align: 'right' },
  ];
  const rows = shown.map((flow) => [
    endName(flow.source),
    endName(flow.destination),
    service(flow),
    flow.verdict,
    count(flow.packets),
    count(flow.connections),
    octets(flow.octets),
  ]);
  const lines = table(columns, rows, input.width);
  return [
    ...section(input, 'who talked to whom (replies count with the connection they answer)'),
    ...lines.map((line, index) => (index === 0 ? line : style.verdict(shown[index - 1]!.verdict, line))),
    ...more(summary.flows.length - shown.length),
  ];
}

const more = (left: number): string[] =>
  left > 0 ? [`  and ${count(left)} more: --top ${left > 1000 ? 'N' : 'all'} or --json shows them`] : [];

function denials(input: ReportInput): string[] {
  const { summary, style } = input;
  if (summary.denied.length === 0) return [];
  const shown = summary.denied.slice(0, Math.min(input.top, MOST_DENIALS));
  const columns: Column[] = [
    { title: 'packets', align: 'right' },
    { title: 'from', align: 'left', least: 12 },
    { title: 'to', align: 'left', least: 12 },
    { title: 'service', align: 'left' },
    { title: 'verdict', align: 'left' },
    { title: 'reason', align: 'left' },
  ];
  const rows = shown.map((flow) => [
    count(flow.packets),
    endName(flow.source),
    endName(flow.destination),
    service(flow),
    flow.verdict,
    flow.reason,
  ]);
  const [head, ...lines] = table(columns, rows, input.width);
  const reasons = [...new Set(shown.map(({ reason }) => reason))];
  return [
    ...section(input, 'top denials'),
    head!,
    ...shown.flatMap((flow, index) => [style.verdict(flow.verdict, lines[index]!), ...placeOf(input, flow)]),
    ...more(summary.denied.length - shown.length),
    ...reasons.flatMap((reason) => wrap(`${reason}: ${BECAUSE.get(reason) ?? ''}`, input.width, '  ')),
  ];
}

/** Where the first packet of a denied flow is, and the rule that decided. */
function placeOf(input: ReportInput, flow: SummaryFlow): string[] {
  const { files, dataplane, style } = input;
  const file = files.length > 1 ? `${printable(files[flow.firstFile]!)} ` : '';
  const first = `first ${file}packet ${flow.firstPacket}`;
  const cell = dataplane.cells.find(({ name }) => name === flow.cell);
  const id = flow.rule;
  const where = cell === undefined || id === null ? '' : ruleOf(cell.known[id]!);
  const text = [cell === undefined ? '' : printable(cell.name), where, first].filter((part) => part !== '').join(', ');
  return wrap(text, input.width - PLACE_INDENT.length, '').map((line) => style.faint(`${PLACE_INDENT}${line}`));
}

function ruleOf(numbered: NumberedRule): string {
  const { chain, number, text } = describeRule(numbered);
  return `${printable(chain)} rule ${number}: ${printable(text.slice(`-A ${chain} `.length))}`;
}

/** When rules changed, and what was judged from each change to the next one of that cell. */
function changes(input: ReportInput): string[] {
  const all = input.changes;
  if (all === null) return [];
  const made = all.filter(({ packets }) => packets !== null);
  const lines = made.flatMap(({ timestamp, cell, what, packets, refused, window }) => {
    const seen = `${count(packets!)} packets, ${count(refused!)} refused${window ? ' in this window' : ''}`;
    return wrap(
      `${instant(BigInt(timestamp))} ${printable(cell)}: ${printable(what)}; then ${seen}`,
      input.width,
      '  ',
    );
  });
  const later = all.length - made.length;
  const none = all.length === 0 ? ['nothing that was announced changes a rule'] : [];
  const rest = later === 0 ? [] : [`${count(later)} more would come after the last packet`];
  return [...section(input, 'rules changed'), ...lines, ...none, ...rest, ...windows(input)];
}

/** What packets met while old and new rules were both there. */
function windows(input: ReportInput): string[] {
  const lines = input.windows.flatMap((window) => {
    const { cell, from, until, packets, unlikeBefore, unlikeAfter, unlikeBoth, examples } = window;
    const end = until === null ? 'the end of the capture' : `+${milliseconds(BigInt(until) - BigInt(from))} ms`;
    const both = unlikeBoth === 0 ? '' : `, ${count(unlikeBoth)} both`;
    const text = `${instant(BigInt(from))} ${printable(cell)}, until ${end}: ${count(packets)} packets met its rules; ${count(unlikeBefore)} would have been answered otherwise before it, ${count(unlikeAfter)} after it${both}`;
    return [...wrap(text, input.width, '  '), ...examples.map(differenceLine)];
  });
  return lines.length === 0 ? [] : [...section(input, 'while old and new rules were both there'), ...lines];
}

const differenceLine = ({ protocol, source, destination, verdict, before, after }: ReportedDifference): string =>
  `    ${protocol} ${source} > ${destination}: ${verdict}; before: ${before}, after: ${after}`;

const milliseconds = (nanoseconds: bigint): string => String(Number(nanoseconds) / 1e6);

function notJudged(input: ReportInput): string[] {
  const { summary } = input;
  const skipped = summary.reasons.filter(({ reason }) => /^(?:underlay|tap|capture|frame\.link-type|ip6)/.test(reason));
  if (skipped.length === 0) return [];
  const lines = skipped.flatMap(({ reason, packets }) =>
    wrap(`${count(packets)} x ${reason}: ${BECAUSE.get(reason) ?? ''}`, input.width, '  '),
  );
  return [...section(input, 'not judged'), ...lines];
}

function remarks(input: ReportInput): string[] {
  const { notes, flowOverflow } = input.summary;
  const sentences = [
    notes.egressTagDiffers > 0 &&
      `${count(notes.egressTagDiffers)} frames carry another tag than the rules of the cell that sent them would set: the rules at hand are not those that ran, or somebody else wrote the frames`,
    notes.egressRefused > 0 &&
      `${count(notes.egressRefused)} frames would not have left their cell under the rules at hand`,
    notes.pickedUp > 0 &&
      `${count(notes.pickedUp)} packets belong to TCP connections that were under way when the capture began; they were judged as new ones`,
    notes.timeBackwards > 0 && `${count(notes.timeBackwards)} packets are older than the one before them`,
    flowOverflow > 0 && `${count(flowOverflow)} packets belong to flows beyond the 65,536 that are listed`,
  ].filter((sentence) => sentence !== false);
  if (sentences.length === 0) return [];
  return [...section(input, 'note'), ...sentences.flatMap((sentence) => wrap(sentence, input.width, '  '))];
}

function rate(input: ReportInput): string[] {
  const { summary, elapsed, pacing } = input;
  if (summary.packets === 0) return [];
  const perSecond = summary.packets / (elapsed / 1e9);
  const shown = perSecond >= 1e6 ? `${(perSecond / 1e6).toFixed(2)} million` : count(Math.round(perSecond));
  const sentence = `${count(summary.packets)} packets in ${seconds(elapsed)}: ${shown} per second${paced(pacing)}`;
  return ['', ...wrap(sentence, input.width, '  ').map((line) => input.style.faint(line))];
}

/** How well the pace was kept. */
function paced(pacing: Pacing | null): string {
  if (pacing === null) return '';
  const { late, worst } = pacing;
  const behind = `one ${(worst / 1e6).toFixed(1)} ms`;
  return late === 0
    ? `, none more than ${LATE_NANOSECONDS / 1e6} ms late`
    : `, ${count(late)} more than ${LATE_NANOSECONDS / 1e6} ms late, ${behind}`;
}
