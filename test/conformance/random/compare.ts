/**
 * Both sides of a case held against each other: the fate of every packet that came into a cell, and the counters of every
 * rule of the filter table in every epoch.
 */
import { exceptionOf } from './exceptions.ts';
import { type Arrival, arrivalsOf, isPiece, isUnanswerable } from './fate.ts';
import { type JudgedEpoch, type Judgement, judgeCell } from './judge-side.ts';
import type { KernelResult } from './kernel.ts';
import type { Mismatch } from './mismatch.ts';
import type { Case } from './step.ts';

export interface Comparison {
  readonly mismatches: readonly Mismatch[];
  /** Packets that came into a cell and were held against a verdict. */
  readonly compared: number;
  /** Rules whose counters were. */
  readonly rules: number;
  /** How often each named exception applied. */
  readonly exceptions: ReadonlyMap<string, number>;
}

/** The reason of packets that a cell takes for itself; nothing comes out again, or its own stack answers. */
const TAKEN = 'host.overlay';

/** Whether the kernel did what the judge said. */
function agrees({ event, fate }: Arrival, { verdict, reason }: Judgement): boolean {
  switch (verdict) {
    case 'deliver':
      return fate === 'delivered' || (reason === TAKEN && fate !== 'forwarded');
    case 'forward':
      return fate === 'forwarded';
    case 'reject':
      return fate === 'rejected' || (fate === 'dropped' && isUnanswerable(event));
    default:
      return fate === 'dropped';
  }
}

export function compare(one: Case, kernel: KernelResult): Comparison {
  const mismatches: Mismatch[] = [];
  const exceptions = new Map<string, number>();
  let [compared, rules] = [0, 0];
  const except = (name: string): void => void exceptions.set(name, (exceptions.get(name) ?? 0) + 1);
  const origin = kernel.epochs.flatMap(({ events }) => events)[0]?.time ?? 0n;
  for (const cell of one.foundation.cells as readonly { name: string }[]) {
    const { name } = cell;
    // Fates are looked for across epochs: a fragment may wait for the next one.
    const all = arrivalsOf(kernel.epochs.flatMap(({ events }) => events.filter((event) => event.cell === name)));
    const byEvent = new Map(all.map((arrival) => [arrival.event, arrival]));
    const epochs = kernel.epochs.map(({ epoch, events }) => ({
      epoch,
      arrivals: events.filter((event) => byEvent.has(event)),
    }));
    const judged = judgeCell(one, name, epochs, origin);
    const fates = groupFates(all, judged);
    for (const [index, { arrivals }] of epochs.entries()) {
      for (const event of arrivals) {
        const arrival = byEvent.get(event)!;
        const judgement = fates.get(event)!;
        const exception = exceptionOf(arrival, judgement);
        compared += 1;
        if (agrees(arrival, judgement)) continue;
        if (exception !== null) {
          except(exception);
          continue;
        }
        mismatches.push({
          cell: name,
          step: event.step,
          subject: `fate of a packet at ${event.device} in epoch ${index}`,
          kernel: arrival.answer === '' ? arrival.fate : `${arrival.fate}, answered with ICMP ${arrival.answer}`,
          tagplane: `${judgement.verdict}, ${judgement.reason} ${judgement.rule}`.trim(),
          packets: [event.octets],
        });
      }
      const { counts } = kernel.epochs[index]!;
      for (const [rule, [packets, octets]] of counts.get(name)!) {
        rules += 1;
        const [ours, ourOctets] = judged[index]!.counts.get(rule) ?? [0, 0];
        if (ours === packets && ourOctets === octets) continue;
        mismatches.push({
          cell: name,
          step: -1,
          subject: `counters of ${rule} in epoch ${index}`,
          kernel: `${packets}:${octets}`,
          tagplane: `${ours}:${ourOctets}`,
          packets: arrivals
            .filter((_, place) => judged[index]!.judgements[place]!.rule === rule)
            .map((event) => event.octets),
        });
      }
    }
  }
  return { mismatches, compared, rules, exceptions };
}

/** Fragments of one datagram have one fate: that of the datagram, if it ever became one. */
function groupFates(all: readonly Arrival[], judged: readonly JudgedEpoch[]): Map<Arrival['event'], Judgement> {
  const judgements = judged.flatMap((epoch) => epoch.judgements);
  const best = new Map<string, Judgement>();
  const rank = ({ verdict }: Judgement): number => ['deliver', 'forward', 'reject'].indexOf(verdict);
  for (const [index, { event, key }] of all.entries()) {
    if (!isPiece(event)) continue;
    const known = best.get(key);
    if (known === undefined || rank(judgements[index]!) > rank(known)) best.set(key, judgements[index]!);
  }
  return new Map(all.map(({ event, key }, index) => [event, isPiece(event) ? best.get(key)! : judgements[index]!]));
}
