/** The lines of what LOG rules saw, in the order in which the rules were met. */
import type { InterfaceNames } from '../../rules/interfaces.ts';
import type { Cell } from '../cell.ts';
import { type LogTarget, logLine } from './line.ts';
import { empty, LINK_LENGTH, type LogRecords, SLOT } from './records.ts';

export interface LoggedLine {
  readonly cell: Cell;
  /** Capture time in nanoseconds since the replay's epoch. */
  readonly time: number;
  readonly target: LogTarget;
  readonly text: string;
}

/** Take all lines out of `records`. NFLOG rules write none: they hand packets to a program. */
export function takeLines(records: LogRecords, cells: readonly Cell[], interfaces: InterfaceNames): LoggedLine[] {
  const lines: LoggedLine[] = [];
  let entry = 0;
  for (let walk = 0; walk < records.walks; walk++) {
    const cell = cells[records.cell[walk]!]!;
    const { rules } = records.rules[walk]!;
    const inInterface = interfaces.name(records.inInterface[walk]!);
    const outInterface = interfaces.name(records.outInterface[walk]!);
    const at = walk * SLOT;
    const link = records.linked[walk] === 1 ? at : -1;
    const network = at + LINK_LENGTH;
    for (; entry < records.entriesEnd[walk]!; entry++) {
      const { target } = rules[records.rule[entry]!]!.rule;
      if (target.kind !== 'LOG') continue;
      const context = { inInterface, outInterface, mark: records.mark[entry]! };
      const text = logLine(target, context, records.view, link, network, network + records.length[walk]!);
      lines.push({ cell, time: records.time[walk]!, target, text });
    }
  }
  empty(records);
  return lines;
}
