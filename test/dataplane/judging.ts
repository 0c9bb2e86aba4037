/** Frames through a whole dataplane: the two cells of captures/two-cells, frames from memory, verdicts by packet. */
import { join } from 'node:path';
import type { RecordBurst } from '../../src/capture/burst.ts';
import type { RecordSource } from '../../src/capture/reader.ts';
import { HELD } from '../../src/dataplane/burst.ts';
import { reconcile } from '../../src/dataplane/counters.ts';
import type { Dataplane, Options } from '../../src/dataplane/dataplane.ts';
import { type CellRules, createDataplane } from '../../src/dataplane/setup.ts';
import { REASONS, VERDICT_NAMES } from '../../src/dataplane/verdict.ts';
import { play } from '../../src/replay/player.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { foundationAt, OPTIONS, planned } from '../scenarios/support.ts';
import { ROOT } from '../support/shared.ts';
import { ethernet, ipv4, silkMac, type Tunnel, udp, vxlan } from './packets.ts';

export const UNDERLAY = { a: '10.0.0.101', b: '10.0.0.102' } as const;
export const VTEP = { a: '10.255.1.0', b: '10.255.2.0' } as const;
export const FRONTEND = '10.255.1.4';
export const BACKEND = '10.255.2.7';
export const ORDERS = '10.255.2.8';
/** Tag of the frontend app, which may talk to the backend on TCP 8080. */
export const FRONTEND_TAG = 1;
export const BACKEND_TAG = 0x1f;

const HOST_MAC = { a: '42:01:0a:00:00:65', b: '42:01:0a:00:00:66' } as const;

export type Side = keyof typeof UNDERLAY;
const other = (side: Side): Side => (side === 'a' ? 'b' : 'a');

/** The inner frame between the VTEPs, towards `to`. */
export const innerFrame = (to: Side, packet: Iterable<number>, type = 0x0800, tags: readonly number[] = []) =>
  ethernet(silkMac('ee', VTEP[to]), silkMac('ee', VTEP[other(to)]), type, packet, tags);

/** An IPv4 packet between the cells' underlay addresses, in Ethernet. */
export const hostFrame = (to: Side, packet: Iterable<number>, type = 0x0800, tags: readonly number[] = []) =>
  ethernet(HOST_MAC[to], HOST_MAC[other(to)], type, packet, tags);

/** The outer IPv4 packet that carries `payload` in UDP to the VTEP of `to`. */
export function outerPacket(to: Side, payload: readonly number[]): Uint8Array {
  const ends = { source: UNDERLAY[other(to)], destination: UNDERLAY[to] };
  return ipv4(ends, 17, udp(ends, 51_984, 4789, payload));
}

/** A frame on the underlay that carries the IPv4 packet `packet` to cell `to`. */
export const tunnelled = (to: Side, packet: Iterable<number>, tunnel: Tunnel = {}): Uint8Array =>
  hostFrame(to, outerPacket(to, vxlan(innerFrame(to, packet), tunnel)));

export interface Frame {
  readonly octets: Uint8Array;
  /** Nanoseconds since the first frame; a microsecond apart unless said otherwise. */
  readonly time?: number;
  readonly originalLength?: number;
  readonly linkType?: number;
}

export interface Fate {
  readonly packet: number;
  readonly verdict: string;
  readonly reason: string;
  readonly mark: number;
}

export interface Setup {
  readonly options?: Partial<Options>;
  /** iptables-save text for a cell, in place of its planned rules. */
  readonly rules?: Readonly<Record<string, string>>;
  readonly backend?: 'nft' | 'legacy';
}

const FOUNDATION = join(ROOT, 'captures', 'two-cells', 'foundation.yaml');
const foundation = foundationAt(FOUNDATION);
const plannedRules = planned(foundation);

export function createJudge({ options = {}, rules = {}, backend = 'nft' }: Setup = {}): Dataplane {
  const known = new Map<string, CellRules>(
    [...plannedRules].map(([cell, { ruleset }]): [string, CellRules] => [cell, { ruleset, backend }]),
  );
  for (const [cell, text] of Object.entries(rules)) {
    const { ruleset } = parseRuleset(text, { file: cell, unknownMatches: 'error' });
    known.set(cell, { ruleset, backend });
  }
  return createDataplane(foundation, known, { ...OPTIONS, ...options });
}

/** A capture in memory, handed out `size` packets at a time. */
export function sourceOf(frames: readonly Frame[], size = 256): RecordSource {
  let next = 0;
  const fill = (burst: RecordBurst): number => {
    const some = frames.slice(next, next + size);
    burst.octets = Uint8Array.from(some.flatMap(({ octets }) => [...octets]));
    burst.view = new DataView(burst.octets.buffer);
    let at = 0;
    for (const [i, { octets, time, originalLength, linkType }] of some.entries()) {
      burst.at[i] = at;
      at += octets.length;
      burst.end[i] = at;
      burst.originalLength[i] = originalLength ?? octets.length;
      burst.time[i] = time ?? (next + i) * 1000;
      burst.linkType[i] = linkType ?? 1;
      burst.interfaceIndex[i] = 0;
      burst.file[i] = 0;
      burst.packet[i] = next + i + 1;
      burst.offset[i] = 0;
    }
    next += some.length;
    burst.count = some.length;
    return some.length;
  };
  return {
    epochNanoseconds: 0n,
    get packets() {
      return next;
    },
    fill,
    refill: () => Promise.resolve(next < frames.length),
    close: () => Promise.resolve(),
  };
}

/** Judge `frames` in order; fates come in the order of the capture, late ones too. Throws when the sums do not add up. */
export async function fatesOf(dataplane: Dataplane, frames: readonly Frame[], size = 256): Promise<Fate[]> {
  const fates: Fate[] = [];
  const playback = await play(sourceOf(frames, size), dataplane, [
    (burst) => {
      for (let i = 0; i < burst.records.count; i++) {
        if (burst.verdict[i] === HELD) continue;
        fates.push({
          packet: burst.records.packet[i]!,
          verdict: VERDICT_NAMES[burst.verdict[i]!]!,
          reason: REASONS[burst.reason[i]!]!.code,
          mark: burst.mark[i]!,
        });
      }
    },
  ]);
  if (playback.damage !== null) throw playback.damage;
  const { counters } = dataplane;
  if (reconcile(counters) !== 0 || counters.held !== 0 || fates.length !== frames.length) {
    throw new Error(
      `${frames.length} read, ${fates.length} told, ${counters.held} held, ${reconcile(counters)} missing`,
    );
  }
  return fates.sort((a, b) => a.packet - b.packet);
}
