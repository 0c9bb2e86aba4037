/**
 * Traffic without end for `heap-program.ts`: one round of packets in memory, as a pcap file that comes again and again.
 *
 * From round to round time goes on, and fresh conversations come from other ports, so that connections open, close, expire and are
 * left behind for as long as anybody reads. Nothing is allocated for it: words of the same octets change.
 */
import type { ByteSource } from '../../src/capture/source.ts';
import { update16 } from '../../src/wire/checksum.ts';
import { join, pcapHeader, pcapRecord } from '../capture/build.ts';
import {
  type Ends,
  ethernet,
  FLAG,
  type HeaderFields,
  icmp,
  ipv4,
  silkMac,
  tcp,
  udp,
  vxlan,
} from '../dataplane/packets.ts';
import { CALLERS } from '../dataplane/plain-packets.ts';
import { ARP, SOLICITATION } from '../support/frames.ts';
import { octets } from '../support/hex.ts';

/**
 * What kinds of packets there are: into one cell, over connections that stay open; fresh ones too, more than a table holds; both
 * directions, and one of everything that a dataplane sorts.
 */
export type Kinds = 'known' | 'plain' | 'mixed';

interface Frame {
  readonly octets: Uint8Array;
  /** Where the client's port of a fresh conversation stands; 0 for what is the same in every round. */
  readonly port: number;
}

interface Side {
  readonly underlay: string;
  readonly mac: string;
  readonly vtep: string;
}
const A: Side = { underlay: '10.0.0.101', mac: '42:01:0a:00:00:65', vtep: '10.255.2.0' };
/** The cell that is judged. */
const B: Side = { underlay: '10.0.0.102', mac: '42:01:0a:00:00:66', vtep: '10.255.1.0' };

const RECORD_HEADER = 16;
/** In a frame of `tunnelled`: the TCP header, and its checksum from there. */
const TRANSPORT = 84;
const TCP_CHECKSUM = 16;

const callerAddress = (index: number): string => `10.255.2.${7 + (index % CALLERS.length)}`;
const callerTag = (index: number): number => CALLERS[index % CALLERS.length]!;
const outer = (from: Side, to: Side, payload: readonly number[], port = 4789): Uint8Array => {
  const datagram = udp({ source: from.underlay, destination: to.underlay }, 50_000, port, payload);
  // As a VTEP sends it: without a checksum.
  datagram.fill(0, 6, 8);
  const packet = ipv4({ source: from.underlay, destination: to.underlay }, 17, datagram);
  return ethernet(to.mac, from.mac, 0x0800, packet);
};

function tunnelled(
  from: Side,
  to: Side,
  groupId: number,
  packet: Uint8Array,
  tunnel: Parameters<typeof vxlan>[1] = {},
): Uint8Array {
  const frame = ethernet(silkMac('ee', to.vtep), silkMac('ee', from.vtep), 0x0800, packet);
  return outer(from, to, vxlan(frame, { groupId, ...tunnel }));
}

interface Step {
  readonly fromClient: boolean;
  readonly flags: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly length: number;
}
const step = (fromClient: boolean, flags: number, sequence: number, acknowledgement: number, length = 0): Step => ({
  fromClient,
  flags,
  sequence,
  acknowledgement,
  length,
});
const { SYN, ACK, FIN, PSH } = FLAG;
/** A whole conversation of two segments of data. */
const CONVERSATION: readonly Step[] = [
  step(true, SYN, 1000, 0),
  step(false, SYN | ACK, 5000, 1001),
  step(true, ACK, 1001, 5001),
  step(true, PSH | ACK, 1001, 5001, 64),
  step(false, ACK, 5001, 1065),
  step(false, PSH | ACK, 5001, 1065, 64),
  step(true, FIN | ACK, 1065, 5065),
  step(false, FIN | ACK, 5065, 1066),
  step(true, ACK, 1066, 5066),
];
/** What goes on in one that stays open. */
const OPEN = CONVERSATION.slice(2, 6);

const PAYLOAD = Array.from({ length: 64 }, (_, at) => at);
/** One conversation in so many is a fresh one, and one in so many asks for what no policy allows. */
const FRESH = 4;
const DENIED = 5;

function conversation(index: number, kinds: Kinds): Frame[] {
  const isFresh = kinds !== 'known' && index % FRESH === 0;
  const ends = { source: callerAddress(index), destination: index % DENIED === 1 ? '10.255.1.5' : '10.255.1.4' };
  const back = { source: ends.destination, destination: ends.source };
  const ports = [32_768 + index, 1000 + (index % 1000)] as const;
  const steps = (isFresh ? CONVERSATION : OPEN).filter(({ fromClient }) => fromClient || kinds === 'mixed');
  return steps.map(({ fromClient, length, ...segment }) => {
    const payload = PAYLOAD.slice(0, length);
    const octets = fromClient
      ? tunnelled(A, B, callerTag(index), ipv4(ends, 6, tcp(ends, ports[0], ports[1], { ...segment, payload })))
      : tunnelled(B, A, 4, ipv4(back, 6, tcp(back, ports[1], ports[0], { ...segment, payload })));
    return { octets, port: isFresh ? TRANSPORT + (fromClient ? 0 : 2) : 0 };
  });
}

/** One of everything else that a dataplane sorts, but for fragments, which are kept. */
function others(index: number): Uint8Array[] {
  const ends = { source: callerAddress(index), destination: '10.255.1.4' };
  const back = { source: '10.255.1.4', destination: callerAddress(index) };
  const tag = callerTag(index);
  const segment = (flags: number): number[] => tcp(ends, 20_000 + index, 1500, { flags, sequence: 1 });
  const packet = (fields: HeaderFields, between: Ends = ends): Uint8Array => ipv4(between, 6, segment(SYN), fields);
  const echo = (type: number, between: Ends): Uint8Array => ipv4(between, 1, icmp(type, 0, 0x10001 + index, PAYLOAD));
  const damaged = packet({});
  damaged[10]! ^= 0xff;
  const asked = ipv4(back, 17, udp(back, 40_000 + index, 53, PAYLOAD));
  const unreachable = ipv4(ends, 1, icmp(3, 3, 0, asked.subarray(0, 28)));
  return [
    tunnelled(A, B, tag, echo(8, ends)),
    tunnelled(B, A, 4, echo(0, back)),
    tunnelled(B, A, 4, asked),
    tunnelled(A, B, tag, ipv4(ends, 17, udp(ends, 53, 40_000 + index, PAYLOAD))),
    tunnelled(A, B, tag, unreachable),
    tunnelled(A, B, tag, ipv4(ends, 132, PAYLOAD)),
    tunnelled(A, B, tag, packet({ timeToLive: 1 })),
    tunnelled(A, B, tag, packet({ options: [1, 1, 1, 0] })),
    tunnelled(A, B, tag, packet({ totalLength: 3000 })),
    tunnelled(A, B, tag, packet({}, { ...ends, destination: '10.255.9.9' })),
    tunnelled(A, B, tag, damaged),
    tunnelled(A, B, tag, ipv4(ends, 6, segment(FLAG.RST))),
    tunnelled(A, B, tag, ipv4(ends, 6, segment(0))),
    tunnelled(A, B, tag, packet({}), { vni: 2 }),
    tunnelled(A, B, tag, packet({}), { flags: 0 }),
    tunnelled(A, B, tag, packet({})).subarray(0, 90),
    outer(A, { ...B, underlay: '10.0.0.200' }, vxlan(ethernet(B.mac, A.mac, 0x0800, packet({})))),
    outer(A, B, PAYLOAD, 53),
    octets(ARP.replaceAll(' ', '')),
    octets(SOLICITATION.replaceAll(' ', '')),
  ];
}

const CONVERSATIONS = 2000;
/** Others come once for so many conversations. */
const OTHERS = 20;

function framesOf(kinds: Kinds): Frame[] {
  return Array.from({ length: CONVERSATIONS }, (_, index) => [
    ...conversation(index, kinds),
    ...(kinds === 'mixed' && index % OTHERS === 0 ? others(index).map((frame) => ({ octets: frame, port: 0 })) : []),
  ]).flat();
}

/** Seconds from one round to the next: some timeouts of connections are shorter, some longer. */
const ROUND_SECONDS = 50;
const FIRST_SECOND = 1_700_000_000;
const MICROSECONDS = 1000;
/** From the port of a fresh conversation to that of the next round. */
const PORT_STEP = 7919;

export interface Traffic extends ByteSource {
  /** Packets of a round. */
  readonly packets: number;
}

/** A capture that goes on until `isOver`, which is asked before each read and told whether a round begins with it. */
export function createTraffic(kinds: Kinds, isOver: (isRound: boolean) => boolean): Traffic {
  const frames = framesOf(kinds);
  const header = pcapHeader();
  const round = join(
    ...frames.map(({ octets: frame }, index) => pcapRecord(FIRST_SECOND, index * MICROSECONDS, frame)),
  );
  const view = new DataView(round.buffer);
  let left = header;
  let isFirst = true;
  return {
    name: 'traffic.pcap',
    size: null,
    packets: frames.length,
    read(into, at, length) {
      const isRound = left.length === 0;
      if (isOver(isRound)) return 0;
      if (isRound) {
        if (!isFirst) goOn(view, frames);
        isFirst = false;
        left = round;
      }
      const count = Math.min(length, left.length);
      into.set(left.subarray(0, count), at);
      left = left.subarray(count);
      return count;
    },
    close: () => undefined,
  };
}

/** Turn the records in `view` into those of the next round. */
function goOn(view: DataView, frames: readonly Frame[]): void {
  let at = 0;
  // By index: an iterator would be allocated with every result.
  for (let index = 0; index < frames.length; index++) {
    const { octets: frame, port } = frames[index]!;
    view.setUint32(at, view.getUint32(at, true) + ROUND_SECONDS, true);
    at += RECORD_HEADER;
    if (port !== 0) changePort(view, at + port, at + TRANSPORT + TCP_CHECKSUM);
    at += frame.length;
  }
}

function changePort(view: DataView, at: number, checksum: number): void {
  const before = view.getUint16(at);
  const after = (before + PORT_STEP) & 0xffff;
  view.setUint16(at, after);
  view.setUint16(checksum, update16(view.getUint16(checksum), before, after));
}
