/**
 * The connections that a real cell knows, looked for in the emulated one. `conntrack -L` prints what the packets of both
 * directions show. An ICMP error about a packet finds the packet's connection and leaves it as it is, so that is asked.
 */
import { ENTRY_DOUBLES, ENTRY_WINDOW_WORDS, EXPIRES } from '../../src/dataplane/connection-table.ts';
import type { Conntrack } from '../../src/dataplane/conntrack.ts';
import type { Emulation } from '../../src/dataplane/emulate/emulation.ts';
import { TCP_STATE } from '../../src/dataplane/tcp-state.ts';
import { STATUS_FIELD, WORD } from '../../src/dataplane/tcp-window-words.ts';
import { read } from '../../src/dataplane/transport.ts';
import { locate } from '../../src/wire/layers.ts';
import { LINKTYPE, PROTOCOL } from '../../src/wire/protocol.ts';
import * as packets from '../dataplane/packets.ts';

/** What packets of one direction show. */
interface Tuple extends packets.Ends {
  /** Ports, or an ICMP query's identifier twice. */
  readonly ports: readonly [number, number];
  readonly type: number;
}

interface Listed {
  readonly protocol: number;
  readonly secondsLeft: number;
  readonly state: string;
  readonly tuples: readonly Tuple[];
}

const PROTOCOLS: Readonly<Record<string, number>> = { tcp: PROTOCOL.TCP, udp: PROTOCOL.UDP, icmp: PROTOCOL.ICMP };
const LINE = /^(tcp|udp|icmp) +\d+ (\d+) (?:([A-Z_0-9]+) )?src=/;
const TUPLE = /src=(\S+) dst=(\S+) (?:sport=(\d+) dport=(\d+)|type=(\d+) code=\d+ id=(\d+))/g;

const parse = (line: string): Listed => {
  const head = LINE.exec(line);
  if (head === null) throw new SyntaxError(`conntrack -L printed what is no connection: ${line}`);
  const tuples = [...line.matchAll(TUPLE)].map(([, source, destination, from, to, type, identifier]): Tuple => {
    const ports = [Number(from ?? identifier), Number(to ?? identifier)] as const;
    return { source: source!, destination: destination!, ports, type: Number(type ?? 0) };
  });
  return { protocol: PROTOCOLS[head[1]!]!, secondsLeft: Number(head[2]), state: head[3] ?? '', tuples };
};

const ECHO_REQUEST = 8;

/** The packet that one of `tuple` answers: an error about it is looked up by `tuple` (nf_conntrack_inet_error). */
function answered(protocol: number, tuple: Tuple): Uint8Array {
  const [to, from] = tuple.ports;
  const ends = { source: tuple.destination, destination: tuple.source };
  const echo = tuple.type === ECHO_REQUEST ? 0 : ECHO_REQUEST;
  if (protocol === PROTOCOL.ICMP) return packets.ipv4(ends, protocol, packets.icmp(echo, 0, from * 0x1_0000));
  if (protocol === PROTOCOL.UDP) return packets.ipv4(ends, protocol, packets.udp(ends, from, to));
  return packets.ipv4(ends, protocol, packets.tcp(ends, from, to, { flags: packets.FLAG.ACK }));
}

const PORT_UNREACHABLE = [3, 3] as const;
const ROUTER = '192.0.2.1';
const NO_VXLAN = -1;

/** Place of the connection of `tuple` on the cell numbered `cell`, or -1. */
function slotOf({ dataplane, hosts, translation }: Emulation, cell: number, protocol: number, tuple: Tuple): number {
  const error = packets.icmp(...PORT_UNREACHABLE, 0, answered(protocol, tuple));
  const octets = Uint8Array.from(
    packets.ipv4({ source: ROUTER, destination: tuple.destination }, PROTOCOL.ICMP, error),
  );
  const view = new DataView(octets.buffer);
  const { layers, packet, connections } = dataplane;
  locate(view, 0, octets.length, octets.length, LINKTYPE.RAW, NO_VXLAN, layers);
  read(view, layers.outer, packet);
  translation.track(hosts[cell]!.cell, view, layers.outer);
  return connections.slot;
}

const STATES = Object.keys(TCP_STATE);
const stateOf = ({ windows }: Conntrack, slot: number): string =>
  STATES[windows![slot * ENTRY_WINDOW_WORDS + WORD.STATUS]! & STATUS_FIELD.STATE]!;

const SECOND = 1e9;
/** So long after the last packet may the connections have been printed. */
const PATIENCE_SECONDS = 5;

export interface ComparedConnections {
  readonly connections: number;
  readonly differences: readonly string[];
}

/** What the cell has another opinion about than the line of `conntrack -L` that says `listed`; undefined for nothing. */
function differenceOf(emulation: Emulation, cell: number, listed: Listed): string | undefined {
  const { protocol, secondsLeft, state, tuples } = listed;
  const { connections } = emulation.dataplane;
  const [original, reply] = tuples.map((tuple) => slotOf(emulation, cell, protocol, tuple));
  if (original! < 0 || original !== reply) return `original ${original}, reply ${reply}`;
  const left = (connections.times[original! * ENTRY_DOUBLES + EXPIRES]! - emulation.now) / SECOND;
  if (left < secondsLeft || left > secondsLeft + PATIENCE_SECONDS) return `${left} seconds left`;
  if (protocol === PROTOCOL.TCP && stateOf(connections, original!) !== state) return stateOf(connections, original!);
  return undefined;
}

/**
 * Look for every connection that `conntrack -L` printed as `text`: both directions lead to it, it ends at the same time, and
 * TCP has the same state.
 */
export function compareListed(emulation: Emulation, cell: number, text: string): ComparedConnections {
  emulation.dataplane.packet.time = emulation.now;
  const lines = text.trimEnd().split('\n');
  const differences = lines.flatMap((line) => {
    const difference = differenceOf(emulation, cell, parse(line));
    return difference === undefined ? [] : [`${line}\n  tagplane: ${difference}`];
  });
  return { connections: lines.length, differences };
}
