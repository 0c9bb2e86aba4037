/**
 * The emulated cells held against the kernel: what every device saw because of each frame, in order, octet for octet, and
 * the counters of every rule.
 */
import { type Emulated, emulate, type Passed } from './emulate-side.ts';
import { look } from './fate.ts';
import type { KernelResult } from './kernel.ts';
import type { Mismatch } from './mismatch.ts';
import type { Event } from './wire-lab.ts';
import { type Known, normalise } from './normalise.ts';
import type { Case, FrameStep } from './step.ts';

const ARP = 0x0806;

/** Packets that the case puts in. */
function knownOf(frames: readonly FrameStep[]): Known {
  const looks = frames.flatMap(({ octets }) => {
    const frame = Buffer.from(octets, 'hex');
    const seen = look(frame);
    return seen === null ? [] : [seen];
  });
  return {
    keys: new Set(looks.map(({ key }) => key)),
    sourceless: new Set(looks.map(({ sourceless }) => sourceless)),
  };
}

/** What a cell saw: one line a frame. */
function lines(seen: readonly Passed[], cell: string, known: Known): string[] {
  return seen
    .filter((one) => one.cell === cell && one.device !== 'lo')
    .map(({ device, outgoing, octets }) => {
      const leaves = outgoing && device === 'eth0';
      return `${device} ${outgoing ? 'out' : 'in'} ${normalise(octets, known, leaves)}`;
    });
}

/**
 * ARP, and the ICMP host unreachable that follows when nobody answers, come when their time has come: they belong to no
 * step, and are held against each other as they are.
 */
function isTimer(octets: Uint8Array, known: Known): boolean {
  const type = (octets[12]! << 8) | octets[13]!;
  if (type === ARP) return true;
  const seen = look(octets);
  return seen !== null && seen.answer === '3/1' && !known.keys.has(seen.key);
}

export interface TapComparison {
  readonly mismatches: readonly Mismatch[];
  /** Frames at devices that were held against each other. */
  readonly compared: number;
  /** How often packets ended for each reason. */
  readonly reasons: ReadonlyMap<string, number>;
}

export function compareTaps(one: Case, kernel: KernelResult): TapComparison {
  const ours = emulate(one, kernel.times);
  const frames = one.steps.filter((step) => step.kind === 'frame');
  const known = knownOf(frames);
  const mismatches: Mismatch[] = [];
  const events = new Map<number, Event[]>();
  for (const event of kernel.epochs.flatMap((epoch) => epoch.events)) {
    const list = events.get(event.step);
    if (event.otherHost) continue;
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
        cell: name,
        step: index,
        subject: frame.what,
        kernel: theirs.join('\n'),
        tagplane: [...mine, ours.reasons[index]!.join(' ')].join('\n'),
        packets: [Buffer.from(frame.octets, 'hex')],
      });
    }
  }
  return { mismatches: [...mismatches, ...counters(kernel, ours)], compared, reasons: tally(ours.reasons.flat()) };
}

function counters(kernel: KernelResult, ours: Emulated): Mismatch[] {
  return kernel.epochs.flatMap(({ counts }, epoch) =>
    [...counts].flatMap(([cell, rules]) =>
      [...rules].flatMap(([rule, [packets, octets]]): Mismatch[] => {
        const [mine, mineOctets] = ours.counts[epoch]!.get(cell)!.get(rule) ?? [0, 0];
        if (mine === packets && mineOctets === octets) return [];
        return [
          {
            cell,
            step: -1,
            subject: `counters of ${rule} in epoch ${epoch}`,
            kernel: `${packets}:${octets}`,
            tagplane: `${mine}:${mineOctets}`,
            packets: [],
          },
        ];
      }),
    ),
  );
}

function tally(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const one of words) counts.set(one, (counts.get(one) ?? 0) + 1);
  return counts;
}
