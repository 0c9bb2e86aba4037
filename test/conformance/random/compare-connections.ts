/**
 * Connections at the end of a case: each TCP and UDP connection of the overlay that `conntrack -L` prints has to be in the
 * table of the emulated cells.
 */
import { type Conntrack, findPorted, hashOf } from '../../../src/dataplane/conntrack.ts';
import { parseIpv4 } from '../../../src/wire/address.ts';
import type { Mismatch } from './mismatch.ts';

const PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17 };
/** The first half of a line: the direction of the connection's first packet. */
const LINE = /^ipv4 +\d+ (tcp|udp) .*?src=(10\.255\.\S+) dst=(\S+) sport=(\d+) dport=(\d+)/;

/** `text` is what `conntrack -L -o extended` printed on the cell numbered `index`. Gives how many were compared. */
export function compareConnections(
  cell: string,
  index: number,
  text: string,
  connections: Conntrack,
  mismatches: Mismatch[],
): number {
  let compared = 0;
  for (const line of text.split('\n')) {
    const match = LINE.exec(line);
    if (match === null) continue;
    const [, protocol, source, destination, from, to] = match;
    const [first, second] = [parseIpv4(source!)!, parseIpv4(destination!)!];
    const ports = (Number(from) << 16) | Number(to);
    const hashed = hashOf(first, second, ports);
    compared += 1;
    if (findPorted(connections, index, PROTOCOLS[protocol!]!, first, second, ports, hashed) >= 0) continue;
    mismatches.push({
      side: 'cells',
      cell,
      step: -1,
      subject: `connection ${protocol} ${source}:${from} > ${destination}:${to}`,
      what: '',
      kernel: line,
      tagplane: 'unknown',
      packets: [],
    });
  }
  return compared;
}
