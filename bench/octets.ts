/**
 * How many octets a stage touches for a packet of the benchmarks: 64 for each line of the cache, wherever the line comes from, and once
 * however often it is read. docs/performance.md says what is left out.
 */
import { frameLength } from './frame.ts';
import { PAYLOAD } from './trace.ts';

export const LINE = 64;

/** What of a frame is read: up to the flags of the inner TCP header, with the record's header before it. */
const RECORD_HEADER = 16;
const READ = RECORD_HEADER + 98;
const RECORD = RECORD_HEADER + frameLength(PAYLOAD);
/** Header of the file, before the first record. */
const FILE_HEADER = 24;

export type Stage = 'locate' | 'match' | 'file' | 'cell';

export interface Traffic {
  /** Share of packets that a policy allows. */
  readonly hitRate: number;
  /** Share of packets that are the first of their connection. */
  readonly firsts: number;
}

/**
 * Lines per record of which something is touched, for records of `length` octets one behind the other, the first of them at `from`, of which
 * the first `read` octets are.
 */
export function linesOf(length: number, read: number, from = 0): number {
  const touched = new Set<number>();
  // After as many records as a line has octets, which are `length` lines, all stands as it did at the beginning.
  for (let record = 0; record < LINE; record++) {
    const at = from + record * length;
    for (let line = Math.floor(at / LINE); line * LINE < at + read; line++) touched.add(line % length);
  }
  return touched.size / LINE;
}

/** Slots of fronts (`native/layout.h`): one, and a second where the first has nothing, as for packets that are refused. */
const fronts = ({ hitRate }: Traffic): number => 1 + (1 - hitRate);

/** Lines of tables by stage. */
function tables(stage: Stage, traffic: Traffic): number {
  if (stage === 'locate') return 0;
  if (stage !== 'cell') return fronts(traffic);
  // A place of the index, an entry and a way; first packets ask the fronts as well.
  return 3 + traffic.firsts * fronts(traffic);
}

/** Octets a packet. From a file, records are copied whole, from the page cache to where they are read. */
export function octetsOf(stage: Stage, traffic: Traffic): number {
  const copies = stage === 'file' || stage === 'cell' ? 2 : 0;
  const frame = copies > 0 ? copies * linesOf(RECORD, RECORD, FILE_HEADER) : linesOf(RECORD, READ, FILE_HEADER);
  return LINE * (frame + tables(stage, traffic));
}
