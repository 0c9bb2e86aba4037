/**
 * Late results: fragments whose datagram was decided after their burst had gone by.
 *
 * They come back as rows of a burst of their own, octets included, so that whoever reads bursts needs no second way.
 * Their numbers in the capture say where they belong.
 */

import { BURST_CAPACITY } from '../capture/burst.ts';
import { type Burst, NOTE } from './burst.ts';
import type { HeldFrame } from './fragments.ts';

/** What became of a held fragment: its own frame, and the row of results of its datagram. */
export interface Late {
  readonly frame: HeldFrame;
  readonly verdict: number;
  readonly reason: number;
  readonly rule: number;
  readonly mark: number;
  readonly ctstate: number;
  readonly reply: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly note: number;
}

/** The results of row `i` for a fragment of the same datagram. */
export const sameAs = (burst: Burst, i: number, frame: HeldFrame): Late => ({
  frame,
  verdict: burst.verdict[i]!,
  reason: burst.reason[i]!,
  rule: burst.rule[i]!,
  mark: burst.mark[i]!,
  ctstate: burst.ctstate[i]!,
  reply: burst.reply[i]!,
  sourcePort: burst.sourcePort[i]!,
  destinationPort: burst.destinationPort[i]!,
  // The datagram opened its connection once, however many fragments it had.
  note: burst.note[i]! & ~NOTE.OPENED,
});

/** The result of a fragment whose datagram never was: dropped for `reason`. */
export const dropped = (frame: HeldFrame, verdict: number, reason: number): Late => ({
  frame,
  verdict,
  reason,
  rule: -1,
  mark: frame.mark,
  ctstate: 0,
  reply: 0,
  sourcePort: 0,
  destinationPort: 0,
  note: 0,
});

/** Move up to a burst of `waiting` into `burst`, octets copied into one buffer; the moved ones leave the list. */
export function fill(burst: Burst, waiting: Late[]): number {
  const rows = waiting.splice(0, BURST_CAPACITY);
  const octets = new Uint8Array(rows.reduce((sum, row) => sum + row.frame.octets.length, 0));
  const records = burst.records;
  records.octets = octets;
  records.view = new DataView(octets.buffer);
  records.count = rows.length;
  let at = 0;
  for (const [i, row] of rows.entries()) {
    octets.set(row.frame.octets, at);
    records.at[i] = at;
    at += row.frame.octets.length;
    records.end[i] = at;
    fillRow(burst, i, row);
  }
  return rows.length;
}

function fillRow(burst: Burst, i: number, row: Late): void {
  const { records } = burst;
  const frame = row.frame;
  records.originalLength[i] = frame.originalLength;
  records.time[i] = frame.time;
  records.linkType[i] = frame.linkType;
  records.interfaceIndex[i] = frame.interfaceIndex;
  records.file[i] = frame.file;
  records.packet[i] = frame.packet;
  records.offset[i] = frame.offset;
  burst.verdict[i] = row.verdict;
  burst.reason[i] = row.reason;
  burst.rule[i] = row.rule;
  burst.cell[i] = frame.cell;
  burst.mark[i] = row.mark;
  burst.tag[i] = frame.tag;
  burst.ctstate[i] = row.ctstate;
  burst.reply[i] = row.reply;
  burst.version[i] = 4;
  burst.source[i] = frame.source;
  burst.destination[i] = frame.destination;
  burst.protocol[i] = frame.protocol;
  burst.sourcePort[i] = row.sourcePort;
  burst.destinationPort[i] = row.destinationPort;
  burst.note[i] = row.note;
  burst.fault[i] = 0;
  burst.faultAt[i] = 0;
}
