/**
 * The emulated cells held against the kernel: what every device saw because of each frame, in order, octet for octet, and
 * the counters of every rule; at the end every connection.
 */
import { compareConnections } from './compare-connections.ts';
import { type Comparison, counterMismatches } from './compare-verdicts.ts';
import type { Emulated, Passed } from './emulate-side.ts';
import { isPiece } from './fate.ts';
import type { KernelResult } from './kernel.ts';
import { count, type Mismatch } from './mismatch.ts';
import { isTimer, type Known, knownOf, normalise } from './normalise.ts';
import { type Event, isContainerEnd } from './wire-lab.ts';

/** Whether it is on its way into the cell; a container's end sends what its veth receives. */
const enters = ({ device, outgoing }: Passed): boolean => outgoing === isContainerEnd(device);

/** Ends of containers are heard by sockets of their own, so that only each for itself keeps its order. */
const byEnd = (one: Passed, other: Passed): number => {
  const [a, b] = [one, other].map(({ device }) => (isContainerEnd(device) ? device : ''));
  return a! < b! ? -1 : Number(a! > b!);
};

/** What a cell and its containers saw: one line a frame. Fragments are left out on their way in, see `restorer`. */
function lines(seen: readonly Passed[], cell: string, known: Known): string[] {
  return seen
    .filter((one) => one.cell === cell && one.device !== 'lo' && !(enters(one) && isPiece(one)))
    .toSorted(byEnd)
    .map(({ device, outgoing, octets }) => `${device} ${outgoing ? 'out' : 'in'} ${normalise(octets, known)}`);
}

/** What the kernel's cells saw because of each frame, by its number. The underlay floods; what is for another's device is left out. */
export function eventsByFrame(kernel: KernelResult): (frame: number) => readonly Event[] {
  const events = new Map<number, Event[]>();
  for (const event of kernel.epochs.flatMap((epoch) => epoch.events)) {
    if (event.otherHost && event.device === 'eth0') continue;
    const list = events.get(event.step);
    if (list === undefined) events.set(event.step, [event]);
    else list.push(event);
  }
  return (frame) => events.get(frame) ?? [];
}

export function compareTaps(kernel: KernelResult, ours: Emulated): Comparison {
  const one = kernel.played;
  const frames = one.steps.filter((step) => step.kind === 'frame');
  const known = knownOf(frames);
  const mismatches: Mismatch[] = [];
  const eventsOf = eventsByFrame(kernel);
  const inStep = <T extends Passed>(seen: readonly T[]): T[] => seen.filter(({ octets }) => !isTimer(octets, known));
  let compared = 0;
  for (const [index, frame] of frames.entries()) {
    for (const { name } of one.foundation.cells as readonly { name: string }[]) {
      const theirs = lines(inStep(eventsOf(index)), name, known);
      const mine = lines(inStep(ours.steps[index]!), name, known);
      compared += theirs.length;
      if (theirs.join('\n') === mine.join('\n')) continue;
      mismatches.push({
        side: 'cells',
        cell: name,
        step: index,
        subject: 'taps',
        what: frame.what,
        kernel: theirs.join('\n'),
        tagplane: [...mine, ours.reasons[index]!.join(' ')].join('\n'),
        packets: [Buffer.from(frame.octets, 'hex')],
      });
    }
  }
  let rules = 0;
  for (const [index, epoch] of kernel.epochs.entries()) {
    for (const [cell, theirs] of epoch.counts) {
      rules += theirs.size;
      mismatches.push(...counterMismatches('cells', cell, index, epoch, theirs, ours.counts[index]!.get(cell)!));
    }
  }
  for (const [index, { name }] of (one.foundation.cells as readonly { name: string }[]).entries()) {
    compared += compareConnections(name, index, kernel.connections.get(name)!, ours.emulation, mismatches);
  }
  const reasons = new Map<string, number>();
  for (const reason of ours.reasons.flat()) count(reasons, reason);
  return { mismatches, compared, rules, reasons };
}
