/**
 * The judge held against the kernel: the fate of every packet that came into a cell, and the counters of every rule of the
 * filter table in every epoch.
 */
import { HOST_VETH_ADDRESS } from '../lab-names.ts';
import { type Arrival, arrivalsOf, claimsToBeFrom, isOwnAnswer, isPiece, isUnanswerable } from './fate.ts';
import { type JudgedEpoch, type Judgement, judgeCell } from './judge-side.ts';
import { type Count, type Counts, difference, type EpochResult, type KernelResult } from './kernel.ts';
import { count, type Mismatch } from './mismatch.ts';
import { isTimer, knownOf } from './normalise.ts';
import { type Epoch, foundationOf } from './rules.ts';
import type { Case } from './step.ts';
import { type Event, isContainerEnd } from './wire-lab.ts';
import { createWorld, type WorldCell } from './world.ts';

export interface Comparison {
  readonly mismatches: readonly Mismatch[];
  /** Packets that were held against each other. */
  readonly compared: number;
  /** Rules whose counters were. */
  readonly rules: number;
  /** How often tagplane gave each reason. */
  readonly reasons: ReadonlyMap<string, number>;
}

/** A cell took a packet for itself: nothing comes out again, or its own stack answers. */
const isTaken = ({ reason, rule }: Judgement): boolean => reason === 'host.overlay' || rule.startsWith('input--');

/** Whether the kernel did what the judge said. */
function agrees({ event, fate }: Arrival, judgement: Judgement): boolean {
  switch (judgement.verdict) {
    case 'deliver':
      return fate === 'delivered' || (isTaken(judgement) && fate !== 'forwarded');
    case 'forward':
      return fate === 'forwarded';
    case 'reject':
      return fate === 'rejected' || (fate === 'dropped' && isUnanswerable(event));
    default:
      return fate === 'dropped';
  }
}

/**
 * `translated` is, for each epoch, what frames of translated flows were counted for: by emulated cells, whose counters are held
 * against the kernel's by themselves. The judge follows no NAT and is not shown these frames.
 */
export function compareVerdicts(kernel: KernelResult, translated: readonly Counts[]): Comparison {
  const one = kernel.played;
  const mismatches: Mismatch[] = [];
  const reasons = new Map<string, number>();
  let [compared, rules] = [0, 0];
  const isShown = shownTo(one);
  for (const cell of createWorld(foundationOf(one)).cells) {
    const all = arrivalsAt(kernel, cell, isShown);
    const fed = epochsOf(kernel, cell, all, isShown);
    const judged = judgeCell(one, cell.name, fed, kernel.origin);
    for (const [arrival, judgement] of judgedArrivals(all, fed, judged)) {
      compared += 1;
      count(reasons, judgement.reason);
      if (!agrees(arrival, judgement)) mismatches.push(fateMismatch(one, cell.name, arrival, judgement));
    }
    for (const [index, { counts }] of kernel.epochs.entries()) {
      const ours = judged[index]!.counts;
      const taken = translated.slice(0, index + 1).map((ofFlows) => ofFlows.get(cell.name));
      const limited = limitedRules(kernel.epochs[index]!, cell.name);
      // A limit that let a frame of a flow through has one token less than the judge knows of.
      const isUnknown = (rule: string): boolean =>
        limited.has(rule) && taken.some((ofFlows) => (ofFlows?.get(rule)?.[0] ?? 0) > 0);
      const left = difference(counts, translated[index]!).get(cell.name)!;
      const theirs = new Map([...left].filter(([rule]) => ours.has(rule) && !isUnknown(rule)));
      rules += theirs.size;
      mismatches.push(...counterMismatches('judge', cell.name, index, kernel.epochs[index]!, theirs, ours));
    }
  }
  return { mismatches, compared, rules, reasons };
}

/** Whether the judge is shown a frame: not what a frame of a translated flow caused. Timers that ran out meanwhile are no part of it. */
function shownTo({ steps }: Case): (event: Event) => boolean {
  const frames = steps.filter((step) => step.kind === 'frame');
  const known = knownOf(frames);
  return ({ step, octets }) => frames[step]?.flow === undefined || isTimer(octets, known);
}

/** Whether a device of `cell` itself saw it; the judge is not shown what containers' ends saw. */
const isOf = ({ cell, device }: Event, name: string): boolean => cell === name && !isContainerEnd(device);

/**
 * What came into `cell`. Left out are frames with the cell's own address as outer source: in a capture that is what the cell
 * sent, and the judge takes it for that.
 */
const arrivalsAt = (
  kernel: KernelResult,
  { name, underlay }: WorldCell,
  isShown: (event: Event) => boolean,
): Arrival[] =>
  arrivalsOf(
    kernel.epochs.flatMap(({ events }) => events.filter((event) => isOf(event, name) && isShown(event))),
  ).filter(({ event }) => event.device !== 'eth0' || !claimsToBeFrom(event, underlay));

interface Fed {
  readonly epoch: Epoch;
  readonly arrivals: readonly Event[];
}

/** What the judge sees of `cell`: what came in, and what the cell itself said. */
function epochsOf(
  kernel: KernelResult,
  { name, vtep, underlay }: WorldCell,
  all: readonly Arrival[],
  isShown: (event: Event) => boolean,
): Fed[] {
  const arrived = new Set<Event>(all.map(({ event }) => event));
  const own = [vtep, underlay, HOST_VETH_ADDRESS];
  return kernel.epochs.map(({ epoch, events }) => ({
    epoch,
    arrivals: events.filter(
      (event) => arrived.has(event) || (isOf(event, name) && isShown(event) && isOwnAnswer(event, own)),
    ),
  }));
}

/** Arrivals and their judgements. Fragments of one datagram have one fate: that of the datagram, if it ever became one. */
function judgedArrivals(
  all: readonly Arrival[],
  fed: readonly Fed[],
  judged: readonly JudgedEpoch[],
): [Arrival, Judgement][] {
  const judgements = new Map(
    fed.flatMap(({ arrivals }, epoch) =>
      arrivals.map((event, index) => [event, judged[epoch]!.judgements[index]!] as const),
    ),
  );
  const best = new Map<string, Judgement>();
  const rank = ({ verdict }: Judgement): number => ['deliver', 'forward', 'reject'].indexOf(verdict);
  for (const { event, key } of all.filter((arrival) => isPiece(arrival.event))) {
    const known = best.get(key);
    const judgement = judgements.get(event)!;
    if (known === undefined || rank(judgement) > rank(known)) best.set(key, judgement);
  }
  return all.map((arrival) => [arrival, best.get(arrival.key) ?? judgements.get(arrival.event)!]);
}

function fateMismatch(one: Case, cell: string, { event, fate, answer }: Arrival, judgement: Judgement): Mismatch {
  const frame = one.steps.filter((step) => step.kind === 'frame')[event.step];
  return {
    side: 'judge',
    cell,
    step: event.step,
    subject: 'fate',
    what: frame?.what ?? '',
    kernel: answer === '' ? fate : `${fate}, answered with ICMP ${answer}`,
    tagplane: `${judgement.verdict}, ${judgement.reason} ${judgement.rule}`.trim(),
    packets: [event.octets],
  };
}

type CellCounts = ReadonlyMap<string, Count>;

/** `CHAIN NUMBER` of the rules of `cell` that ask a limit. */
function limitedRules({ epoch }: EpochResult, cell: string): Set<string> {
  const chains = epoch.rules.get(cell)!.tables.flatMap((table) => (table.name === 'filter' ? table.chains : []));
  return new Set(
    chains.flatMap(({ name, rules }) =>
      rules.flatMap(({ matches }, index) =>
        matches.some(({ kind }) => kind === 'limit') ? [`${name} ${index + 1}`] : [],
      ),
    ),
  );
}

/** Rules of `cell` whose counters differ in the epoch numbered `number`. */
export function counterMismatches(
  side: Mismatch['side'],
  cell: string,
  number: number,
  epoch: EpochResult,
  theirs: CellCounts,
  ours: CellCounts,
): Mismatch[] {
  const limited = limitedRules(epoch, cell);
  return [...theirs].flatMap(([rule, [packets, octets]]): Mismatch[] => {
    const [mine, mineOctets] = ours.get(rule) ?? [0, 0];
    if (mine === packets && mineOctets === octets) return [];
    const subject = `counters of ${rule}${limited.has(rule) ? ' (limit)' : ''} in epoch ${number}`;
    const [kernel, tagplane] = [`${packets}:${octets}`, `${mine}:${mineOctets}`];
    return [{ side, cell, step: -1, subject, what: '', kernel, tagplane, packets: [] }];
  });
}
