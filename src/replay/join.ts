/**
 * Join: what several workers found of their shares of one capture, put together as one worker would have found it.
 *
 * Sums are added; of a flow that two of them met, the first packet says what is shown with it. Where a limit of the whole
 * cell may have been reached, shares prove nothing: `objection` then says that one worker has to judge.
 */
import type { Cell } from '../dataplane/cell.ts';
import type { Conntrack } from '../dataplane/connection-table.ts';
import type { Counters } from '../dataplane/counters.ts';
import type { Dataplane } from '../dataplane/dataplane.ts';
import { MEMORY_LIMIT } from '../dataplane/fragments.ts';
import type { TableCounters } from '../rules/evaluator.ts';
import { type FlowSums, joinFlows } from './flow-sums.ts';
import type { Playback } from './player.ts';

/** What one worker found: plain data, which threads can send to each other. */
export interface Part {
  /** Packets that it read, of all shares. */
  readonly packets: number;
  readonly playback: Omit<Playback, 'damage'> & { readonly damaged: boolean };
  readonly counters: Pick<Counters, 'read' | 'octets' | 'held' | 'verdicts' | 'reasons' | 'notes'>;
  /** By cell. */
  readonly rules: readonly TableCounters[];
  readonly flows: FlowSums | null;
  /** Connections that were ever opened, at most. */
  readonly opened: number;
  /** Octets of fragments that waited at a time, at most. */
  readonly waiting: number;
}

export function partOf(dataplane: Dataplane, playback: Playback, packets: number, flows: FlowSums | null): Part {
  const { damage, ...times } = playback;
  const { read, octets, held, verdicts, reasons, notes } = dataplane.counters;
  return {
    packets,
    playback: { ...times, damaged: damage !== null },
    counters: {
      read,
      octets,
      held,
      verdicts: verdicts.slice(),
      reasons: reasons.slice(),
      notes: notes.slice(),
    },
    rules: dataplane.cells.map(({ filter }) => structuredClone(filter.counters())),
    flows,
    opened: openedIn(dataplane.connections),
    waiting: dataplane.fragments.peak,
  };
}

const openedIn = ({ used, refusals, removed }: Conntrack): number => used - refusals + removed;

const sum = (parts: readonly Part[], pick: (part: Part) => number): number =>
  parts.reduce((total, part) => total + pick(part), 0);

/** Why `parts` may differ from what one worker would find; null when they do not. `limit` is that of the connections. */
export function objection(parts: readonly Part[], limit: number): string | null {
  const { packets, playback } = parts[0]!;
  if (parts.some((part) => part.playback.indivisible !== null))
    return 'a fragment of a tunnel, or of an ICMP error, tells its connection only when it is whole';
  if (parts.some((part) => part.packets !== packets || part.playback.damaged !== playback.damaged))
    return 'the capture changed while it was read';
  if (sum(parts, ({ opened }) => opened) > limit) return 'there are more connections than --connections';
  if (sum(parts, ({ waiting }) => waiting) > MEMORY_LIMIT) return 'more fragments wait than a cell keeps';
  return null;
}

/** Add what the `others` found to `dataplane`, which has judged the first share. */
export function join(dataplane: Dataplane, others: readonly Part[]): void {
  for (const { counters, rules } of others) {
    addCounters(dataplane.counters, counters);
    for (const cell of dataplane.cells) addRules(cell, rules[cell.index]!);
  }
}

function addCounters(counters: Counters, others: Part['counters']): void {
  counters.read += others.read;
  counters.octets += others.octets;
  counters.held += others.held;
  addTo(counters.verdicts, others.verdicts);
  addTo(counters.reasons, others.reasons);
  addTo(counters.notes, others.notes);
}

function addTo(sums: Float64Array, others: Float64Array): void {
  for (const [index, other] of others.entries()) sums[index]! += other;
}

/** They stand beside those that the cell's own rules have. */
function addRules(cell: Cell, others: TableCounters): void {
  if (cell.earlier === null) {
    cell.earlier = others;
    return;
  }
  addTo(cell.earlier.packets, others.packets);
  addTo(cell.earlier.bytes, others.bytes);
  addTo(cell.earlier.policyPackets, others.policyPackets);
  addTo(cell.earlier.policyBytes, others.policyBytes);
}

/** The flows of all parts; null where they were not added up. */
export function flowsOf(parts: readonly Part[]): FlowSums | null {
  const sums = parts.flatMap(({ flows }) => (flows === null ? [] : [flows]));
  return sums.length === 0 ? null : joinFlows(sums);
}
