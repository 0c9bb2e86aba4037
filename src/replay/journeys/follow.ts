/** Following a source of records: every frame of the captures into journeys, in bursts. */
import * as bursts from '../../capture/burst.ts';
import type { RecordSource } from '../../capture/reader.ts';
import { LINKTYPE } from '../../wire/protocol.ts';
import { finish, take } from './journeys.ts';
import type { Journeys } from './state.ts';

export interface Followed {
  /** Packets that were read. */
  packets: number;
  /** Those that no tap of the foundation stands for, or that have no Ethernet header. */
  strangers: number;
  /** What ended the captures early; null when they were read to their ends. */
  damage: Error | null;
}

/** What is done between bursts; a promise is awaited. */
export type Between = () => void | Promise<void>;

/**
 * Take in all of `source`, whose files were taken at the taps of `devices`, by index of the file; -1 for one that is left
 * out. A damaged capture is handed back in `damage`, when all whole packets of all captures have had their turn. `stop`
 * is asked before each burst.
 */
export async function follow(
  source: RecordSource,
  journeys: Journeys,
  devices: readonly number[],
  between: Between = () => undefined,
  stop: () => boolean = () => false,
): Promise<Followed> {
  const burst = bursts.create();
  const followed: Followed = { packets: 0, strangers: 0, damage: null };
  try {
    while (!stop()) {
      if (source.fill(burst) > 0) {
        takeBurst(journeys, burst, devices, followed);
        await between();
      } else if (!(await source.refill())) break;
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    followed.damage = error;
  }
  finish(journeys);
  await between();
  return followed;
}

function takeBurst(
  journeys: Journeys,
  burst: bursts.RecordBurst,
  devices: readonly number[],
  followed: Followed,
): void {
  for (let i = 0; i < burst.count; i++) {
    const file = burst.file[i]!;
    const device = devices[file] ?? -1;
    followed.packets += 1;
    if (device < 0 || burst.linkType[i] !== LINKTYPE.ETHERNET) {
      followed.strangers += 1;
      continue;
    }
    take(journeys, {
      file,
      packet: burst.packet[i]!,
      device,
      octets: burst.octets.slice(burst.at[i], burst.end[i]),
      originalLength: burst.originalLength[i]!,
      time: burst.time[i]!,
    });
  }
}
