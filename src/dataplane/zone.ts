/** Zone: a world of connections of its own, for packets that are replayed once more and are not to meet those of before. */
import * as table from './connection-table.ts';
import type { Dataplane } from './dataplane.ts';
import { bindZone } from './straight.ts';

/** Judge in zone `zone`, counted from 0, from now on. */
export function enterZone({ connections, cells, straight }: Dataplane, zone: number): void {
  table.enterZone(connections, zone, cells.length);
  if (straight !== null) bindZone(straight, connections.zone);
}
