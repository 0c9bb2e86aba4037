/** FlowSums: the rows of a table of flows as records, and those of several tables that saw parts of one capture. */
import { VERDICT } from '../dataplane/verdict.ts';
import { type Flow, type FlowTable, inOrder, LIMIT, list } from './flows.ts';

export interface FlowSums {
  /** Most packets first. */
  readonly flows: readonly Flow[];
  /** Packets that found no row of their own. */
  readonly overflow: number;
}

export const flowSums = (table: FlowTable): FlowSums => ({ flows: list(table), overflow: table.overflow });

/**
 * The sums of tables of which each saw its share of the packets of one file. As in one table, the first `LIMIT` rows to come
 * keep their packets, and what a row was called by comes from its first packet.
 */
export function joinFlows(parts: readonly FlowSums[]): FlowSums {
  const rows = new Map<string, Flow>();
  for (const { flows } of parts) {
    for (const flow of flows) {
      const key = keyOf(flow);
      const known = rows.get(key);
      rows.set(key, known === undefined ? flow : sumOf(known, flow));
    }
  }
  const arrived = [...rows.values()].sort((a, b) => a.firstPacket - b.firstPacket);
  const overflow = parts.reduce((sum, part) => sum + part.overflow, 0);
  const beyond = arrived.slice(LIMIT).reduce((sum, { packets }) => sum + packets, 0);
  return { flows: arrived.slice(0, LIMIT).sort(inOrder), overflow: overflow + beyond };
}

/** What tells rows apart: denied packets are kept apart by reason, cell and rule as well. */
function keyOf(flow: Flow): string {
  const { sourceKind, source, destinationKind, destination, protocol, port, verdict, reason, cell, rule } = flow;
  const isDenied = verdict !== VERDICT.DELIVER && verdict !== VERDICT.FORWARD && verdict !== VERDICT.OBSERVED;
  const why = isDenied ? [reason, cell, rule] : [];
  return [sourceKind, source, destinationKind, destination, protocol, port, verdict, ...why].join('/');
}

function sumOf(one: Flow, other: Flow): Flow {
  const first = one.firstPacket <= other.firstPacket ? one : other;
  return {
    ...first,
    packets: one.packets + other.packets,
    octets: one.octets + other.octets,
    connections: one.connections + other.connections,
  };
}
