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

/** Subject of what has no frame that it belongs to. */
export const TIMERS = 'what timers caused';

/** Whether it is on its way into the cell; a container's end sends what its veth receives. */
const enters = ({ device, outgoing }: Passed): boolean => outgoing === isContainerEnd(device);

/** Ends of containers are heard by sockets of their own, so that only each for itself keeps its order. */
const byEnd = (one: Passed, other: Passed): number => {
  const [a, b] = [one, other].map(({ device }) => (isContainerEnd(device) ? device : ''));
  return a! < b! ? -1 : Number(a! > b!);
};

/** What a cell and its containers saw. Fragments are left out on their way in, see `restorer`. */
const seenAt = (seen: readonly Passed[], cell: string): Passed[] =>
  seen.filter((one) => one.cell === cell && one.device !== 'lo' && !(enters(one) && isPiece(one))).toSorted(byEnd);

/** The first octets of the MAC address of every underlay interface. */
const UNDERLAY_MAC = [0x42, 0x01];

/**
 * Whether another cell has written over a fragment that this one sent: it puts it together with others, and sends them on with
 * headers of its own in the octets that the socket shows.
 */
const isWrittenOver = ({ device, outgoing, octets }: Passed, sent: Passed | undefined): boolean =>
  outgoing && device === 'eth0' && UNDERLAY_MAC.some((octet, at) => octets[6 + at] !== octet) && isFragmentFrom(sent);

const isFragmentFrom = (sent: Passed | undefined): boolean =>
  sent?.outgoing === true && sent.device === 'eth0' && isPiece(sent);

/** One line a frame. */
function lines(seen: readonly Passed[], known: Known): string[] {
  return seen.map(({ device, outgoing, octets }) => `${device} ${outgoing ? 'out' : 'in'} ${normalise(octets, known)}`);
}

/** What timers caused, in any order: one line a frame. */
const timerLines = (seen: readonly Passed[], cell: string, known: Known): string[] =>
  lines(
    seenAt(
      seen.filter(({ octets }) => isTimer(octets, known)),
      cell,
    ),
    known,
  ).sort();

/** What is in `list` and not in `other`, each as often as it is there more often. */
function without(list: readonly string[], other: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of other) count(counts, line);
  return list.filter((line) => {
    const left = counts.get(line) ?? 0;
    counts.set(line, left - 1);
    return left <= 0;
  });
}

type ByFrame = (frame: number) => readonly Event[];

/** By the number of the frame that caused them. The underlay floods; what is for another's device is left out. */
function byFrame(list: readonly Event[]): ByFrame {
  const events = new Map<number, Event[]>();
  for (const event of list) {
    if (event.otherHost && event.device === 'eth0') continue;
    const known = events.get(event.step);
    if (known === undefined) events.set(event.step, [event]);
    else known.push(event);
  }
  return (frame) => events.get(frame) ?? [];
}

/** What the kernel's cells saw because of each frame. */
export const eventsByFrame = ({ epochs }: KernelResult): ByFrame => byFrame(epochs.flatMap(({ events }) => events));

export function compareTaps(kernel: KernelResult, ours: Emulated): Comparison {
  const one = kernel.played;
  const frames = one.steps.filter((step) => step.kind === 'frame');
  const known = knownOf(frames);
  const mismatches: Mismatch[] = [];
  const eventsOf = byFrame(kernel.epochs.flatMap(({ events, ends }) => [...events, ...ends]));
  const inStep = <T extends Passed>(seen: readonly T[]): T[] => seen.filter(({ octets }) => !isTimer(octets, known));
  let compared = 0;
  for (const [index, frame] of frames.entries()) {
    for (const { name } of one.foundation.cells as readonly { name: string }[]) {
      const sent = seenAt(inStep(ours.steps[index]!), name);
      const seen = seenAt(inStep(eventsOf(index)), name);
      const mine = lines(sent, known);
      const theirs = lines(seen, known).map((line, at) => (isWrittenOver(seen[at]!, sent[at]) ? mine[at]! : line));
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
  const timed = {
    theirs: kernel.epochs.flatMap(({ events, ends }) => [...events, ...ends]),
    mine: [...ours.steps.flat(), ...ours.between],
  };
  for (const { name } of one.foundation.cells as readonly { name: string }[]) {
    const [theirs, mine] = [timed.theirs, timed.mine].map((seen) => timerLines(seen, name, known)) as [
      string[],
      string[],
    ];
    compared += theirs.length;
    const [missing, more] = [without(theirs, mine), without(mine, theirs)];
    if (missing.length + more.length === 0) continue;
    mismatches.push({
      side: 'cells',
      cell: name,
      step: -1,
      subject: TIMERS,
      what: '',
      kernel: missing.join('\n'),
      tagplane: more.join('\n'),
      packets: [],
    });
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
