/**
 * Sequences of packets between two hosts, with the state that nf_conntrack gives each: NEW, ESTABLISHED, RELATED, INVALID.
 *
 * `conntrack.test.ts` holds our table against them, `conformance/conntrack.test.ts` the running kernel; neither is derived
 * from the other. Source of the expectations: net/netfilter/nf_conntrack_proto_{tcp,udp,icmp,generic}.c.
 */
import { type Ends, FLAG, icmp, ipv4, type Segment, tcp, udp } from './packets.ts';

export type State = 'NEW' | 'ESTABLISHED' | 'RELATED' | 'INVALID';

export interface Step {
  readonly what: string;
  readonly packet: Uint8Array;
  readonly state: State;
  /** Seconds since the step before. */
  readonly after?: number;
}

export interface Slow {
  /** What the kernel keeps to when nobody says otherwise, in seconds. */
  readonly seconds: number;
  /** Its name below net.netfilter; null where the kernel is not asked, for the wait would be too close to call. */
  readonly setting: string | null;
}

export interface Sequence {
  readonly name: string;
  readonly steps: readonly Step[];
  /** The sequence waits. `setting` is the timeout that the kernel is given in seconds, so that its part goes faster. */
  readonly slow?: Slow;
}

const CLIENT = '10.61.0.1';
const SERVER = '10.62.0.1';
const OTHER = '10.63.0.1';
const OUT: Ends = { source: CLIENT, destination: SERVER };
const BACK: Ends = { source: SERVER, destination: CLIENT };

const { FIN, SYN, RST, PSH, ACK, URG } = FLAG;
/** Each sequence has a connection of its own: the kernel keeps them all in one table. */
let port = 30_000;

type Way = 'out' | 'back';

/** A TCP connection whose two ends count their sequence numbers, so that no segment is outside the window. */
function connection(): (way: Way, segment: Segment, state: State, after?: number) => Step {
  port += 1;
  const client = port;
  const next = { out: 1000, back: 5000 };
  return (way, segment, state, after = 0) => {
    const back = way === 'back';
    const opens = (segment.flags & SYN) !== 0 && (segment.flags & ACK) === 0;
    const sent = {
      sequence: next[way],
      acknowledgement: (segment.flags & ACK) === 0 ? 0 : next[back ? 'out' : 'back'],
      ...segment,
    };
    const length = (segment.payload?.length ?? 0) + ((segment.flags & (SYN | FIN)) === 0 ? 0 : 1);
    // A SYN that comes again is the same SYN.
    if (!opens || next[way] === (back ? 5000 : 1000)) next[way] = sent.sequence + length;
    const ends = back ? BACK : OUT;
    const octets = tcp(ends, back ? 8080 : client, back ? client : 8080, sent);
    return { what: `${way} ${flagNames(segment.flags)}`, packet: ipv4(ends, 6, octets), state, after };
  };
}

const flagNames = (flags: number): string =>
  Object.entries(FLAG)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([name]) => name)
    .join('+') || 'none';

type Send = ReturnType<typeof connection>;

const opening = (send: Send): Step[] => [
  send('out', { flags: SYN }, 'NEW'),
  send('back', { flags: SYN | ACK }, 'ESTABLISHED'),
  send('out', { flags: ACK }, 'ESTABLISHED'),
];

const closing = (send: Send): Step[] => [
  send('out', { flags: FIN | ACK }, 'ESTABLISHED'),
  send('back', { flags: FIN | ACK }, 'ESTABLISHED'),
  send('out', { flags: ACK }, 'ESTABLISHED'),
];

const tcpSequence = (name: string, steps: (send: Send) => Step[], slow?: Slow): Sequence => ({
  name: `tcp: ${name}`,
  steps: steps(connection()),
  ...(slow === undefined ? {} : { slow }),
});

const SYN_SEQUENCE = 1000;
const TOO_CLOSE: Slow = { seconds: 0, setting: null };

const TCP: Sequence[] = [
  tcpSequence('open, talk, close', (send) => [
    ...opening(send),
    send('out', { flags: PSH | ACK, payload: [1, 2, 3] }, 'ESTABLISHED'),
    send('back', { flags: ACK }, 'ESTABLISHED'),
    ...closing(send),
  ]),
  tcpSequence('a SYN again before the answer is still NEW', (send) => [
    send('out', { flags: SYN }, 'NEW'),
    send('out', { flags: SYN }, 'NEW'),
    send('back', { flags: SYN | ACK }, 'ESTABLISHED'),
    send('out', { flags: ACK }, 'ESTABLISHED'),
  ]),
  tcpSequence('a refused connection is forgotten: the next SYN is NEW', (send) => [
    send('out', { flags: SYN }, 'NEW'),
    send('back', { flags: RST | ACK, sequence: 0 }, 'ESTABLISHED'),
    send('back', { flags: RST | ACK, sequence: 0 }, 'INVALID'),
    send('out', { flags: SYN }, 'NEW'),
  ]),
  tcpSequence('a reset in the middle', (send) => [
    ...opening(send),
    send('out', { flags: RST | ACK }, 'ESTABLISHED'),
    send('back', { flags: RST }, 'ESTABLISHED'),
  ]),
  tcpSequence('a reset of nothing', (send) => [send('out', { flags: RST }, 'INVALID')]),
  tcpSequence('a FIN of nothing', (send) => [send('out', { flags: FIN | ACK }, 'INVALID')]),
  tcpSequence('a SYN/ACK of nothing', (send) => [send('out', { flags: SYN | ACK }, 'INVALID')]),
  tcpSequence('an ACK of nothing picks the connection up', (send) => [
    send('out', { flags: ACK, acknowledgement: 5000 }, 'NEW'),
    send('out', { flags: PSH | ACK, payload: [1] }, 'NEW'),
    send('back', { flags: ACK }, 'ESTABLISHED'),
    send('out', { flags: ACK }, 'ESTABLISHED'),
  ]),
  ...[0, FIN, SYN | FIN, SYN | RST, FIN | RST | ACK, FIN | PSH | URG, URG, PSH, SYN | FIN | ACK, SYN | RST | ACK].map(
    (flags) =>
      tcpSequence(`flags ${flagNames(flags)} make no segment, in no connection and in one`, (send) => [
        send('out', { flags }, 'INVALID'),
        ...opening(send),
        send('out', { flags, sequence: SYN_SEQUENCE + 1 }, 'INVALID'),
      ]),
  ),
  ...[SYN | URG, SYN | PSH, SYN | 0x40 | 0x80].map((flags) =>
    tcpSequence(`flags 0x${flags.toString(16)} open a connection`, (send) => [send('out', { flags }, 'NEW')]),
  ),
  tcpSequence('SYN of both sides at once', (send) => [
    send('out', { flags: SYN }, 'NEW'),
    send('back', { flags: SYN }, 'ESTABLISHED'),
    send('out', { flags: SYN | ACK, sequence: SYN_SEQUENCE }, 'ESTABLISHED'),
    send('back', { flags: SYN | ACK, sequence: 5000 }, 'ESTABLISHED'),
  ]),
  tcpSequence('a SYN of the called side in a live connection belongs to nothing', (send) => [
    ...opening(send),
    send('back', { flags: SYN, sequence: 99_000 }, 'INVALID'),
    send('out', { flags: ACK }, 'ESTABLISHED'),
  ]),
  tcpSequence('a SYN of the calling side in a live connection is let through', (send) => [
    ...opening(send),
    send('out', { flags: SYN, sequence: 99_000 }, 'ESTABLISHED'),
  ]),
  tcpSequence('a SYN after a close opens the connection again', (send) => [
    ...opening(send),
    ...closing(send),
    send('out', { flags: SYN, sequence: 200_000 }, 'NEW'),
    send('back', { flags: SYN | ACK, sequence: 300_000, acknowledgement: 200_001 }, 'ESTABLISHED'),
  ]),
  tcpSequence('a SYN of the other side after a close turns the connection round', (send) => [
    ...opening(send),
    ...closing(send),
    send('back', { flags: SYN, sequence: 200_000 }, 'NEW'),
    send('out', { flags: SYN | ACK, sequence: 300_000, acknowledgement: 200_001 }, 'ESTABLISHED'),
  ]),
  tcpSequence('the side that reset may call again', (send) => [
    ...opening(send),
    send('out', { flags: RST | ACK }, 'ESTABLISHED'),
    send('out', { flags: SYN, sequence: 200_000 }, 'NEW'),
  ]),
  tcpSequence('the side that was reset may not, for ten seconds', (send) => [
    ...opening(send),
    send('back', { flags: RST | ACK }, 'ESTABLISHED'),
    send('out', { flags: SYN, sequence: 200_000 }, 'ESTABLISHED'),
  ]),
  tcpSequence(
    'a connection that was reset is gone after 10 s',
    (send) => [
      ...opening(send),
      send('back', { flags: RST | ACK }, 'ESTABLISHED'),
      send('out', { flags: SYN, sequence: 200_000 }, 'NEW', 10),
    ],
    { seconds: 10, setting: 'nf_conntrack_tcp_timeout_close' },
  ),
  tcpSequence(
    'a SYN waits 120 s for its answer, and coming again does not prolong that',
    (send) => [
      send('out', { flags: SYN }, 'NEW'),
      send('out', { flags: SYN }, 'NEW', 100),
      send('back', { flags: SYN | ACK }, 'INVALID', 25),
    ],
    { seconds: 120, setting: 'nf_conntrack_tcp_timeout_syn_sent' },
  ),
  tcpSequence(
    'a SYN/ACK waits 60 s',
    (send) => [
      send('out', { flags: SYN }, 'NEW'),
      send('back', { flags: SYN | ACK }, 'ESTABLISHED', 119),
      send('out', { flags: ACK }, 'NEW', 60),
    ],
    TOO_CLOSE,
  ),
  tcpSequence(
    'an established connection waits five days',
    (send) => [
      ...opening(send),
      send('back', { flags: ACK }, 'ESTABLISHED', 431_999),
      send('back', { flags: ACK }, 'NEW', 432_000),
    ],
    TOO_CLOSE,
  ),
  tcpSequence(
    'a connection that was picked up waits 300 s for an answer',
    (send) => [
      send('out', { flags: ACK }, 'NEW'),
      send('out', { flags: ACK }, 'NEW', 299),
      send('back', { flags: ACK }, 'NEW', 300),
    ],
    TOO_CLOSE,
  ),
  tcpSequence(
    'a closed connection waits 120 s in TIME_WAIT',
    (send) => [
      ...opening(send),
      ...closing(send),
      send('back', { flags: ACK }, 'ESTABLISHED', 119),
      send('back', { flags: FIN | ACK }, 'INVALID', 120),
    ],
    TOO_CLOSE,
  ),
];

function exchange(): (way: Way, state: State, after?: number) => Step {
  port += 1;
  const client = port;
  return (way, state, after = 0) => {
    const back = way === 'back';
    const ends = back ? BACK : OUT;
    const octets = udp(ends, back ? 53 : client, back ? client : 53, [1, 2, 3]);
    return { what: `${way} udp`, packet: ipv4(ends, 17, octets), state, after };
  };
}

const udpSequence = (name: string, steps: (send: ReturnType<typeof exchange>) => Step[], slow?: Slow): Sequence => ({
  name: `udp: ${name}`,
  steps: steps(exchange()),
  ...(slow === undefined ? {} : { slow }),
});

const UDP: Sequence[] = [
  udpSequence('NEW until answered', (send) => [
    send('out', 'NEW'),
    send('out', 'NEW'),
    send('back', 'ESTABLISHED'),
    send('out', 'ESTABLISHED'),
  ]),
  udpSequence('unanswered for 30 s', (send) => [send('out', 'NEW'), send('back', 'NEW', 30)], {
    seconds: 30,
    setting: 'nf_conntrack_udp_timeout',
  }),
  udpSequence(
    'answered, but no stream yet',
    (send) => [
      send('out', 'NEW'),
      send('back', 'ESTABLISHED', 1),
      send('out', 'ESTABLISHED', 0.5),
      send('back', 'NEW', 30),
    ],
    TOO_CLOSE,
  ),
  udpSequence(
    'a stream after two seconds lasts 120 s',
    (send) => [
      send('out', 'NEW'),
      send('back', 'ESTABLISHED', 1),
      send('out', 'ESTABLISHED', 1.5),
      send('back', 'ESTABLISHED', 119),
      send('back', 'NEW', 120),
    ],
    TOO_CLOSE,
  ),
];

const message = (
  ends: Ends,
  type: number,
  state: State,
  { identifier, code = 0, after = 0 }: { identifier: number; code?: number; after?: number },
): Step => ({
  what: `icmp ${type}/${code} from ${ends.source}`,
  packet: ipv4(ends, 1, icmp(type, code, (identifier << 16) | 1, [1, 2, 3, 4])),
  state,
  after,
});

const ICMP: Sequence[] = [
  ...[
    [8, 0],
    [13, 14],
    [15, 16],
    [17, 18],
  ].map(([query, answer], index): Sequence => {
    const identifier = 100 + index;
    return {
      name: `icmp: query ${query} and answer ${answer}`,
      steps: [
        message(OUT, query!, 'NEW', { identifier }),
        message(OUT, query!, 'NEW', { identifier }),
        message(BACK, answer!, 'ESTABLISHED', { identifier }),
        message(OUT, query!, 'ESTABLISHED', { identifier }),
      ],
    };
  }),
  { name: 'icmp: an answer to nothing', steps: [message(BACK, 0, 'INVALID', { identifier: 200 })] },
  {
    name: 'icmp: an answer with another identifier, another type, another code',
    steps: [
      message(OUT, 8, 'NEW', { identifier: 201 }),
      message(BACK, 0, 'INVALID', { identifier: 202 }),
      message(BACK, 14, 'INVALID', { identifier: 201 }),
      message(BACK, 0, 'INVALID', { identifier: 201, code: 1 }),
      message(OUT, 8, 'NEW', { identifier: 201, code: 1 }),
      message(BACK, 0, 'ESTABLISHED', { identifier: 201, code: 1 }),
      message(OUT, 8, 'NEW', { identifier: 201 }),
    ],
  },
  {
    name: 'icmp: both sides ask with one identifier: two exchanges',
    steps: [
      message(OUT, 8, 'NEW', { identifier: 203 }),
      message(BACK, 8, 'NEW', { identifier: 203 }),
      message(BACK, 0, 'ESTABLISHED', { identifier: 203 }),
      message(OUT, 0, 'ESTABLISHED', { identifier: 203 }),
    ],
  },
  ...[1, 9, 10, 30, 42, 255].map(
    (type): Sequence => ({
      name: `icmp: type ${type} belongs to nothing`,
      steps: [message(OUT, type, 'INVALID', { identifier: 204 })],
    }),
  ),
  {
    name: 'icmp: a ping waits 30 s',
    steps: [message(OUT, 8, 'NEW', { identifier: 205 }), message(BACK, 0, 'INVALID', { identifier: 205, after: 30 })],
    slow: { seconds: 30, setting: 'nf_conntrack_icmp_timeout' },
  },
];

/** An ICMP error of `from` to `to` that quotes the beginning of `quoted`. */
const error = (from: string, to: string, quoted: Uint8Array, state: State, type = 3, code = 3, octets = 28): Step => ({
  what: `icmp ${type}/${code} from ${from} to ${to}`,
  packet: ipv4({ source: from, destination: to }, 1, icmp(type, code, 0, quoted.subarray(0, octets))),
  state,
});

/** An exchange of its own, and what `then` does with its first packet. */
function about(name: string, then: (send: ReturnType<typeof exchange>, first: Uint8Array) => Step[]): Sequence {
  const send = exchange();
  const first = send('out', 'NEW');
  return { name: `error: ${name}`, steps: [first, ...then(send, first.packet)] };
}

const PING = message(OUT, 8, 'NEW', { identifier: 300 });
const OPENED = opening(connection());

const ERRORS: Sequence[] = [
  about('about a packet of a known exchange, from its receiver or a router', (send, first) => [
    error(SERVER, CLIENT, first, 'RELATED'),
    error(OTHER, CLIENT, first, 'RELATED'),
    error(OTHER, CLIENT, first, 'RELATED', 11, 0),
    error(OTHER, CLIENT, first, 'RELATED', 12, 0),
    error(OTHER, CLIENT, first, 'RELATED', 4, 0),
    send('out', 'NEW'),
    send('back', 'ESTABLISHED'),
  ]),
  about('about an answer', (send) => {
    const answer = send('back', 'ESTABLISHED');
    return [answer, error(CLIENT, SERVER, answer.packet, 'RELATED')];
  }),
  { name: 'error: about nothing known', steps: [error(SERVER, CLIENT, exchange()('out', 'NEW').packet, 'INVALID')] },
  about('to somebody else than the sender of what it quotes', (_, first) => [error(SERVER, OTHER, first, 'INVALID')]),
  { name: 'error: about a ping', steps: [PING, error(OTHER, CLIENT, PING.packet, 'RELATED', 11, 0)] },
  { name: 'error: about a segment', steps: [...OPENED, error(SERVER, CLIENT, OPENED[2]!.packet, 'RELATED')] },
  about('a quote without its ports', (_, first) => [error(SERVER, CLIENT, first, 'INVALID', 3, 3, 22)]),
  about('about an error', (_, first) => [
    error(CLIENT, SERVER, error(SERVER, CLIENT, first, 'RELATED').packet, 'INVALID', 3, 3, 56),
  ]),
];

const generic = (ends: Ends, protocol: number, state: State, after = 0): Step => ({
  what: `protocol ${protocol} from ${ends.source}`,
  packet: ipv4(ends, protocol, [1, 2, 3, 4, 5, 6, 7, 8]),
  state,
  after,
});

const GENERIC: Sequence[] = [
  {
    name: 'generic: answered like any other',
    steps: [
      generic(OUT, 253, 'NEW'),
      generic(OUT, 253, 'NEW'),
      generic(BACK, 253, 'ESTABLISHED'),
      generic(OUT, 253, 'ESTABLISHED'),
      generic(OUT, 254, 'NEW'),
    ],
  },
  {
    name: 'generic: waits 600 s',
    steps: [generic(OUT, 99, 'NEW'), generic(BACK, 99, 'NEW', 600)],
    slow: { seconds: 600, setting: 'nf_conntrack_generic_timeout' },
  },
];

export const SEQUENCES: readonly Sequence[] = [...TCP, ...UDP, ...ICMP, ...ERRORS, ...GENERIC];
