/**
 * Emulated cells for tests: frames put in at taps, and what every tap saw, next to what it should have seen.
 *
 * What a kernel draws (identifications, source ports of tunnels) is taken from the frames that are expected: a first run
 * draws numbers that can be recognised, and the second draws those that stand in their places in the expected frames. All
 * checksums are then the emulation's own.
 */
import * as assert from 'uvu/assert';
import { create } from '../../../src/capture/burst.ts';
import { openSource } from '../../../src/capture/file.ts';
import { open } from '../../../src/capture/reader.ts';
import type { Options as DataplaneOptions } from '../../../src/dataplane/dataplane.ts';
import { createEmulation, type Options } from '../../../src/dataplane/emulate/create.ts';
import type { Draws } from '../../../src/dataplane/emulate/draws.ts';
import type { Emulation } from '../../../src/dataplane/emulate/emulation.ts';
import {
  createRecorder,
  type Fate,
  finish,
  inject,
  type Passage,
  tapNamed,
} from '../../../src/dataplane/emulate/journey.ts';
import { advance } from '../../../src/dataplane/emulate/run.ts';
import type { Listens } from '../../../src/dataplane/emulate/seams.ts';
import { createTranslation } from '../../../src/dataplane/emulate/translation.ts';
import type { LoggedLine } from '../../../src/dataplane/log/lines.ts';
import { type CellRules, createDataplane } from '../../../src/dataplane/setup.ts';
import type { Foundation } from '../../../src/foundation/model.ts';
import { OPTIONS } from '../../scenarios/support.ts';

export interface Setup {
  readonly foundation: Foundation;
  readonly rules: ReadonlyMap<string, CellRules>;
  readonly options?: Partial<Options>;
  readonly dataplane?: Partial<DataplaneOptions>;
  readonly listens?: Listens;
  /** With the mangle and nat tables of `rules`. */
  readonly translated?: boolean;
  /** Where the search for a free port of NAT begins; 0 unless said otherwise. */
  readonly portOffset?: () => number;
  /** When watching ends; after the last timer unless said otherwise. */
  readonly until?: number;
  /** Entries that silk did not write. */
  readonly amend?: (emulation: Emulation) => void;
}

/** A frame that is put in at a tap. Times are nanoseconds. */
export interface Input {
  readonly tap: string;
  readonly octets: Uint8Array;
  readonly time: number;
}

export interface Travelled {
  readonly emulation: Emulation;
  readonly passages: readonly Passage[];
  readonly fates: readonly Fate[];
  /** What LOG rules logged, where the dataplane keeps that. */
  readonly lines: readonly LoggedLine[];
}

/** No limit applies. */
export const NO_ICMP_LIMITS = { ratelimitMilliseconds: 0, ratemask: 0, messagesPerSecond: 1000, messagesBurst: 50 };

/** The lab gives a cell's underlay device 42:01 and its address. */
const LAB_MAC = 0x4201_0000_0000;

/** Put `inputs` in, in order, and let timers run. */
export function travel(setup: Setup, inputs: readonly Input[], draws: Draws): Travelled {
  const dataplane = createDataplane(setup.foundation, setup.rules, { ...OPTIONS, ...setup.dataplane });
  let now = (): number => 0;
  const { record, observer } = createRecorder(() => now());
  const emulation = createEmulation(
    dataplane,
    {
      underlayMtu: 1500,
      mtus: new Map(),
      partialChecksums: false,
      underlayPrefixLength: 24,
      gateway: 0,
      icmpLimits: NO_ICMP_LIMITS,
      nat: true,
      underlayMacs: new Map(setup.foundation.cells.map(({ underlay }) => [underlay, LAB_MAC + underlay])),
      ...setup.options,
    },
    {
      draws,
      observer,
      ...(setup.listens === undefined ? {} : { listens: setup.listens }),
      ...(setup.translated === true
        ? { translation: createTranslation(dataplane, setup.rules, { offset: setup.portOffset ?? (() => 0) }) }
        : {}),
    },
  );
  now = () => emulation.now;
  setup.amend?.(emulation);
  for (const { tap, octets, time } of inputs) {
    const device = tapNamed(emulation, tap);
    assert.ok(device >= 0, `no tap ${tap}`);
    inject(emulation, device, octets, time);
  }
  if (setup.until === undefined) finish(emulation);
  else advance(emulation, setup.until);
  assert.is(emulation.frames.taken, 0, 'frames that nobody gave back');
  return { emulation, ...record };
}

/** Draws that count up, so that each can be told from the others. */
export function countingDraws(): Draws {
  let identification = 0xd000;
  let port = 0xb000;
  return { identification: () => ++identification, sourcePort: () => ++port, credit: () => 0 };
}

const hexOf = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

/** What passed one tap, and when. */
export function seenIn(
  { emulation, passages }: Travelled,
  tap: string,
): { readonly hex: string; readonly time: number }[] {
  const device = tapNamed(emulation, tap);
  assert.ok(device >= 0, `no tap ${tap}`);
  return passages
    .filter((passage) => passage.device === device)
    .map(({ octets, time }) => ({ hex: hexOf(octets), time }));
}

/** What passed each tap of `taps`, as hexadecimal. */
export const seenAt = (travelled: Travelled, taps: readonly string[]): Map<string, string[]> =>
  new Map(taps.map((tap) => [tap, seenIn(travelled, tap).map(({ hex }) => hex)]));

/** Places of 16-bit fields that are drawn, in hexadecimal digits: of an IPv4 packet in Ethernet, and inside VXLAN. */
const OUTER_ID = 2 * 18;
const OUTER_PORT = 2 * 34;
const INNER_ID = 2 * 68;
const isIpv4 = (frame: string): boolean => frame.slice(24, 28) === '0800';
const isVxlan = (frame: string): boolean => frame.slice(46, 48) === '11' && frame.slice(72, 76) === '12b5';

const blank = (frame: string, at: number): string => `${frame.slice(0, at)}....${frame.slice(at + 4)}`;

/** `frame` without the numbers that are drawn, and the checksums over them. */
function undrawn(frame: string): string {
  if (!isIpv4(frame)) return frame;
  const places = isVxlan(frame) ? [18, 24, 34, 40, 68, 74] : [18, 24];
  return places.reduce((text, octet) => blank(text, 2 * octet), frame);
}

/** Note what the drawn numbers of `ours` are in the frames of `expected` that are the same but for them. */
function learn(drawn: Map<number, number>, ours: readonly string[], expected: readonly string[]): void {
  let next = 0;
  const blanked = expected.map(undrawn);
  for (const frame of ours.filter(isIpv4)) {
    const found = blanked.indexOf(undrawn(frame), next);
    if (found < 0) continue;
    next = found + 1;
    for (const at of isVxlan(frame) ? [OUTER_ID, OUTER_PORT, INNER_ID] : [OUTER_ID]) {
      const [mine, theirs] = [frame, expected[found]!].map((one) => Number.parseInt(one.slice(at, at + 4), 16));
      // A number that a sender chose may look like one that was drawn; it stands for itself.
      if (drawn.get(mine!) === mine) drawn.set(mine!, theirs!);
    }
  }
}

/** Put `inputs` in with the draws of `expected`: frames in hexadecimal, by tap, in order. */
export function travelAs(
  setup: Setup,
  inputs: readonly Input[],
  expected: ReadonlyMap<string, readonly string[]>,
): Travelled {
  const drawn = new Map<number, number>();
  const first = countingDraws();
  const noted = (value: number): number => {
    drawn.set(value, value);
    return value;
  };
  const noting: Draws = {
    identification: (cell, view, network, end) => noted(first.identification(cell, view, network, end)),
    sourcePort: (cell, view, network, end) => noted(first.sourcePort(cell, view, network, end)),
    credit: () => 0,
  };
  const trial = travel(setup, inputs, noting);
  for (const [tap, frames] of seenAt(trial, [...expected.keys()])) learn(drawn, frames, expected.get(tap)!);
  const second = countingDraws();
  const known = (value: number): number => drawn.get(value) ?? value;
  return travel(setup, inputs, {
    identification: (cell, view, network, end) => known(second.identification(cell, view, network, end)),
    sourcePort: (cell, view, network, end) => known(second.sourcePort(cell, view, network, end)),
    credit: () => 0,
  });
}

/** Every tap of `expected` saw those frames and no others, octet for octet. */
export function assertTaps(travelled: Travelled, expected: ReadonlyMap<string, readonly string[]>): void {
  for (const [tap, frames] of seenAt(travelled, [...expected.keys()])) {
    assert.equal(frames, expected.get(tap)!, tap);
  }
}

export interface Captured {
  readonly octets: Uint8Array;
  readonly hex: string;
  /** Nanoseconds since the first packet of the file; add `epoch` of the file for those since 1970. */
  readonly time: number;
  readonly comment: string;
}

/** All packets of a capture, and the time that theirs count from, in nanoseconds since 1970. */
export async function readCapture(
  path: string,
): Promise<{ readonly epoch: bigint; readonly packets: readonly Captured[] }> {
  const reader = await open(await openSource(path));
  const burst = create();
  const packets: Captured[] = [];
  do {
    while (reader.fill(burst) > 0) {
      for (let i = 0; i < burst.count; i++) {
        const octets = burst.octets.slice(burst.at[i], burst.end[i]);
        const comment = reader.comments(burst, i).join(' ');
        packets.push({ octets, hex: hexOf(octets), time: burst.time[i]!, comment });
      }
    }
  } while (await reader.refill());
  const epoch = reader.epochNanoseconds;
  await reader.close();
  return { epoch, packets };
}
