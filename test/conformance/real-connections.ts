/**
 * The connections that a real cell knows, looked for in the emulated one. `conntrack -L` prints what the packets of both
 * directions show. An ICMP error about a packet finds the packet's connection and leaves it as it is, so that is asked.
 */
import { ENTRY_DOUBLES, ENTRY_WINDOW_WORDS, ENTRY_WORDS, EXPIRES } from '../../src/dataplane/connection-table.ts';
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

/** ICMP queries and their answers, each the other's. */
const COUNTERPARTS: Readonly<Record<number, number>> = { 8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17 };

/** The packet that one of `tuple` answers: an error about it is looked up by `tuple` (nf_conntrack_inet_error). */
function answered(protocol: number, tuple: Tuple): Uint8Array {
  const [to, from] = tuple.ports;
  const ends = { source: tuple.destination, destination: tuple.source };
  if (protocol === PROTOCOL.ICMP)
    return packets.ipv4(ends, protocol, packets.icmp(COUNTERPARTS[tuple.type]!, 0, from * 0x1_0000));
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
/** The kernel's timers, which may have sent the last packet of a connection, run out later than ours: a busy machine waits. */
const LATENESS_SECONDS = 0.25;

/** A line of `conntrack -L`, and what the cell has another opinion about. */
export interface Difference {
  readonly line: string;
  readonly tagplane: string;
}

export interface ComparedConnections {
  readonly connections: number;
  readonly differences: readonly Difference[];
}

/** What the cell has another opinion about than the line of `conntrack -L` that says `listed`; undefined for nothing. */
function differenceOf(emulation: Emulation, cell: number, listed: Listed, found: Set<number>): string | undefined {
  const { protocol, secondsLeft, state, tuples } = listed;
  const { connections } = emulation.dataplane;
  const [original, reply] = tuples.map((tuple) => slotOf(emulation, cell, protocol, tuple));
  if (original! < 0 || original !== reply) return `original ${original}, reply ${reply}`;
  found.add(original!);
  const left = (connections.times[original! * ENTRY_DOUBLES + EXPIRES]! - emulation.now) / SECOND;
  if (left < secondsLeft - LATENESS_SECONDS || left > secondsLeft + PATIENCE_SECONDS) return `${left} seconds left`;
  if (protocol === PROTOCOL.TCP && stateOf(connections, original!) !== state) return stateOf(connections, original!);
  return undefined;
}

/** Word of a connection's key that has its cell (bits 16 to 30) and protocol (8 to 15), see connection-table.ts. */
const META = 3;

/**
 * Places of living connections over TCP, UDP and ICMP of the cell numbered `cell` that are none of `found`. Those that end
 * while the kernel is asked are left out.
 */
function unlisted({ dataplane, now }: Emulation, cell: number, found: ReadonlySet<number>): number[] {
  const { times, words, used } = dataplane.connections;
  return Array.from({ length: used }, (_, slot) => slot).filter((slot) => {
    const meta = words[slot * ENTRY_WORDS + META]!;
    const isCompared = Object.values(PROTOCOLS).includes((meta >>> 8) & 0xff);
    const isLiving = times[slot * ENTRY_DOUBLES + EXPIRES]! > now + PATIENCE_SECONDS * SECOND;
    return isCompared && isLiving && ((meta >>> 16) & 0x7fff) === cell && !found.has(slot);
  });
}

/** The entry at `slot`, to be read by a person: hexadecimal words, the key first. */
const entryText = ({ words }: Conntrack, slot: number): string =>
  [...words.subarray(slot * ENTRY_WORDS, slot * ENTRY_WORDS + EXPIRES * 2)]
    .map((word) => (word >>> 0).toString(16).padStart(8, '0'))
    .join(' ');

/**
 * Look for every connection over TCP, UDP and ICMP that `conntrack -L` printed as `text`: both directions lead to it, it ends
 * at the same time, and TCP has the same state. The cell may know no others.
 */
export function compareListed(emulation: Emulation, cell: number, text: string): ComparedConnections {
  const { packet, connections } = emulation.dataplane;
  packet.time = emulation.now;
  const lines = text.split('\n').filter((line) => LINE.test(line));
  const found = new Set<number>();
  const differences = lines.flatMap((line): Difference[] => {
    const tagplane = differenceOf(emulation, cell, parse(line), found);
    return tagplane === undefined ? [] : [{ line, tagplane }];
  });
  const others = unlisted(emulation, cell, found).map(
    (slot): Difference => ({ line: 'unknown', tagplane: entryText(connections, slot) }),
  );
  return { connections: lines.length, differences: [...differences, ...others] };
}
