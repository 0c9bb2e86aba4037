/**
 * The emulated cells held against the kernel: what every device saw because of each frame, in order, octet for octet, and
 * the counters of every rule; at the end every connection.
 */
import { compareConnections } from './compare-connections.ts';
import { type Comparison, counterMismatches } from './compare-verdicts.ts';
import { emulate, type Passed } from './emulate-side.ts';
import { isPiece, look } from './fate.ts';
import type { KernelResult } from './kernel.ts';
import { count, type Mismatch } from './mismatch.ts';
import { type Known, normalise } from './normalise.ts';
import type { Case, FrameStep } from './step.ts';
import type { Event } from './wire-lab.ts';

const ARP = 0x0806;

/** Packets that the case puts in. */
const knownOf = (frames: readonly FrameStep[]): Known =>
  new Set(
    frames.flatMap(({ octets }) => {
      const seen = look(Buffer.from(octets, 'hex'));
      return seen === null ? [] : [seen.fingerprint];
    }),
  );

/** What a cell saw: one line a frame. Fragments are left out on their way in, see `restorer`. */
function lines(seen: readonly Passed[], cell: string, known: Known): string[] {
  return seen
    .filter((one) => one.cell === cell && one.device !== 'lo' && (one.outgoing || !isPiece(one)))
    .map(({ device, outgoing, octets }) => `${device} ${outgoing ? 'out' : 'in'} ${normalise(octets, known)}`);
}

/**
 * ARP, and the ICMP host unreachable that follows when nobody answers, come when their time has come: they belong to no
 * step, and are held against each other as they are.
 */
function isTimer(octets: Uint8Array, known: Known): boolean {
  const type = (octets[12]! << 8) | octets[13]!;
  if (type === ARP) return true;
  const seen = look(octets);
  return seen !== null && seen.answer === '3/1' && !known.has(seen.fingerprint);
}

export function compareTaps(one: Case, kernel: KernelResult): Comparison {
  const ours = emulate(one, kernel.times, kernel.origin);
  const frames = one.steps.filter((step) => step.kind === 'frame');
  const known = knownOf(frames);
  const mismatches: Mismatch[] = [];
  const events = new Map<number, Event[]>();
  for (const event of kernel.epochs.flatMap((epoch) => epoch.events)) {
    const list = events.get(event.step);
    // The underlay floods; what is for another cell's device is no business of this one.
    if (event.otherHost && event.device === 'eth0') continue;
    if (list === undefined) events.set(event.step, [event]);
    else list.push(event);
  }
  const inStep = <T extends Passed>(seen: readonly T[]): T[] => seen.filter(({ octets }) => !isTimer(octets, known));
  let compared = 0;
  for (const [index, frame] of frames.entries()) {
    for (const { name } of one.foundation.cells as readonly { name: string }[]) {
      const theirs = lines(inStep(events.get(index) ?? []), name, known);
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
