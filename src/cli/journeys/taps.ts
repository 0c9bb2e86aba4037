/** What taps saw, as pcapng: one interface per tap, and in each packet's comment its journey and what became of it. */
import { openSink } from '../../capture/file.ts';
import { type PcapngWriter, pcapngWriter } from '../../capture/writer.ts';
import type { Journey, Place } from '../../replay/journeys/model.ts';
import { LINKTYPE } from '../../wire/protocol.ts';
import { printable } from '../text.ts';
import { cellOf, type Names, reasonOf, verdictOf } from './describe.ts';

/** A file, and the taps, by index of their device, that are written to it. */
export interface TapFile {
  readonly file: string;
  readonly devices: readonly number[];
}

export interface TapWriters {
  write(place: Place, octets: Uint8Array<ArrayBuffer>, journey: Journey): void;
  drain(): Promise<void>;
  finish(): Promise<void>;
  abort(): Promise<void>;
}

function commentOf(names: Names, { number, cause, fate }: Journey): string {
  const cell = cellOf(names, fate);
  const of = cause === 0 ? '' : ` of ${cause}`;
  const where = cell === null ? '' : `, ${cell}`;
  return printable(`tagplane: journey ${number}${of}, ${verdictOf(fate)} ${reasonOf(fate)}${where}`);
}

interface TapWriter {
  readonly writer: PcapngWriter;
  /** Index of the interface by that of the device. */
  readonly interfaces: ReadonlyMap<number, number>;
  isFull: boolean;
}

function openWriter({ file, devices }: TapFile, { emulation, files, epochNanoseconds }: Names): TapWriter {
  const writer = pcapngWriter(openSink(file, { inputs: files }), { epochNanoseconds: epochNanoseconds() });
  const described = devices.map((device) => {
    const { tap: name } = emulation.devices[device]!;
    return [device, writer.addInterface({ name, linkType: LINKTYPE.ETHERNET, snapLength: 0 })] as const;
  });
  return { writer, interfaces: new Map(described), isFull: false };
}

/** Open every file of `outputs`. Throws OutputError; none is left behind then. */
export async function openTaps(outputs: readonly TapFile[], names: Names): Promise<TapWriters> {
  const writers: TapWriter[] = [];
  const abort = async (): Promise<void> => {
    for (const { writer } of writers) await writer.abort();
  };
  try {
    for (const output of outputs) writers.push(openWriter(output, names));
  } catch (error) {
    await abort();
    throw error;
  }
  return {
    write(place, octets, journey) {
      const comment = commentOf(names, journey);
      const view = new DataView(octets.buffer);
      for (const one of writers) {
        const to = one.interfaces.get(place.device);
        if (to === undefined) continue;
        const { length } = octets;
        if (one.writer.packet(view, octets, 0, length, length, place.time, to, comment)) one.isFull = true;
      }
    },
    async drain() {
      for (const one of writers) {
        if (one.isFull) await one.writer.drain();
        one.isFull = false;
      }
    },
    async finish() {
      for (const { writer } of writers) await writer.finish();
    },
    abort,
  };
}
