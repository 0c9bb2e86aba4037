/**
 * Connections at the end of a case: each over TCP, UDP and ICMP that `conntrack -L` prints, with the ends that both directions
 * show, is in the tables of the emulated cells, and they have no others.
 */
import type { Emulation } from '../../../src/dataplane/emulate/emulation.ts';
import { compareListed } from '../real-connections.ts';
import type { Mismatch } from './mismatch.ts';

/** `text` is what `conntrack -L` printed on the cell numbered `index`. Gives how many were compared. */
export function compareConnections(
  cell: string,
  index: number,
  text: string,
  emulation: Emulation,
  mismatches: Mismatch[],
): number {
  const { connections, differences } = compareListed(emulation, index, text);
  for (const { line, tagplane } of differences) {
    mismatches.push({
      side: 'cells',
      cell,
      step: -1,
      subject: line === 'unknown' ? 'connection that the kernel does not have' : 'connection',
      what: '',
      kernel: line,
      tagplane,
      packets: [],
    });
  }
  return connections;
}
