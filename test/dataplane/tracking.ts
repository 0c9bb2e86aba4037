/** One cell's connection tracking for tests: packets in as octets, states out as iptables names them. */
import * as conntrack from '../../src/dataplane/conntrack.ts';
import { show } from '../../src/dataplane/track-windows.ts';
import * as transport from '../../src/dataplane/transport.ts';
import { CTSTATE } from '../../src/rules/model.ts';
import { createPacket } from '../../src/rules/packet.ts';
import { FAULT } from '../../src/wire/fault.ts';
import * as icmp from '../../src/wire/icmp.ts';
import { locate } from '../../src/wire/layers.ts';
import { LINKTYPE, PROTOCOL } from '../../src/wire/protocol.ts';
import * as quotes from '../../src/wire/quote.ts';
import * as stack from '../../src/wire/stack.ts';

const NAMES = new Map<number, string>([
  [CTSTATE.NEW, 'NEW'],
  [CTSTATE.ESTABLISHED, 'ESTABLISHED'],
  [CTSTATE.RELATED, 'RELATED'],
  [CTSTATE.INVALID, 'INVALID'],
]);

export interface Tracking {
  readonly table: conntrack.Conntrack;
  /** State of an IPv4 packet at `now` nanoseconds; it passes all rules, so its connection is confirmed. */
  see(octets: Uint8Array, now: number): string;
}

export function createTracking(limit = 1 << 16, windows = false): Tracking {
  const table = conntrack.create(limit);
  if (windows) conntrack.addWindows(table);
  const layers = stack.create();
  const packet = createPacket();
  const quote = quotes.create();
  const see = (octets: Uint8Array, now: number): string => {
    const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
    locate(view, 0, octets.length, octets.length, LINKTYPE.RAW, 4789, layers);
    const { outer } = layers;
    transport.read(view, outer, packet);
    table.now = now;
    if (outer.transport < 0 && outer.fault !== FAULT.NONE) {
      conntrack.invalid(table);
    } else if (packet.protocol === PROTOCOL.ICMP && icmp.isError(packet.icmpType)) {
      quotes.locate(view, outer, quote);
      if (quote.valid === 0) conntrack.invalid(table);
      else conntrack.trackError(table, 0, quote, packet.destination);
    } else {
      show(table, packet, view, outer);
      conntrack.track(table, 0, packet);
    }
    const state = NAMES.get(table.ctstate)!;
    conntrack.confirm(table);
    return state;
  };
  return { table, see };
}
