/** What taps saw, as pcapng: one interface per tap, and in each packet's comment its journey and what became of it. */
import { openSink } from '../../capture/file.ts';
import { type PcapngWriter, pcapngWriter } from '../../capture/writer.ts';
import type { Emulation } from '../../dataplane/emulate/emulation.ts';
import type { Passage } from '../../dataplane/emulate/journey.ts';
import { LINKTYPE } from '../../wire/protocol.ts';
import { printable } from '../text.ts';
import type { Journey } from './describe.ts';

/** A file, and the taps, by index of their device, that are written to it. */
export interface TapFile {
  readonly file: string;
  readonly devices: readonly number[];
}

export interface TapInputs {
  readonly files: readonly string[];
  readonly epochNanoseconds: bigint;
}

const commentOf = ({ journey, cause, verdict, reason, cell }: Journey): string =>
  printable(
    `tagplane: journey ${journey}${cause === null ? '' : ` of ${cause}`}, ${verdict} ${reason}${cell === null ? '' : `, ${cell}`}`,
  );

/** Write every file of `outputs`. Throws OutputError; none is left under its name then. */
export async function writeTaps(
  outputs: readonly TapFile[],
  emulation: Emulation,
  passages: readonly Passage[],
  journeys: readonly Journey[],
  { files, epochNanoseconds }: TapInputs,
): Promise<void> {
  const comments = new Map(journeys.map((one) => [one.journey, commentOf(one)]));
  const writers: PcapngWriter[] = [];
  try {
    for (const { file, devices } of outputs) {
      const writer = pcapngWriter(openSink(file, { inputs: files }), { epochNanoseconds });
      writers.push(writer);
      await writeAll(writer, devices, emulation, passages, comments);
    }
    for (const writer of writers) await writer.finish();
  } catch (error) {
    for (const writer of writers) await writer.abort();
    throw error;
  }
}

async function writeAll(
  writer: PcapngWriter,
  devices: readonly number[],
  emulation: Emulation,
  passages: readonly Passage[],
  comments: ReadonlyMap<number, string>,
): Promise<void> {
  const interfaces = new Map(
    devices.map((device) => {
      const { tap: name } = emulation.devices[device]!;
      return [device, writer.addInterface({ name, linkType: LINKTYPE.ETHERNET, snapLength: 0 })];
    }),
  );
  for (const { device, octets, time, packet } of passages) {
    const one = interfaces.get(device);
    if (one === undefined) continue;
    const comment = comments.get(packet) ?? null;
    const view = new DataView(octets.buffer);
    if (writer.packet(view, octets, 0, octets.length, octets.length, time, one, comment)) await writer.drain();
  }
}
