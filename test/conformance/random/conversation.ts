/**
 * Conversations: two ends that speak TCP, UDP or ping in turns, with much that goes wrong. Each end has its own view of them:
 * where addresses and ports are translated between the two, the other end goes by another name than it knows itself by.
 */
import { type Ends, FLAG, icmp, tcp, udp } from '../../dataplane/packets.ts';
import type { Chance } from './chance.ts';
import type { WorldContainer } from './world.ts';

/** One end of a conversation: a container, or an address where the lab has nobody. */
export interface End {
  readonly address: string;
  readonly container: WorldContainer | null;
}

/** What one end sees: itself, and the other end. */
export interface View {
  readonly own: string;
  readonly ownPort: number;
  readonly other: string;
  readonly otherPort: number;
}

export interface Conversation {
  readonly client: End;
  readonly server: End;
  readonly clientView: View;
  readonly serverView: View;
  /** Names the flow when it is translated on its way, else empty. */
  readonly flow: string;
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  readonly clientStart: number;
  readonly serverStart: number;
  /** Position in the script. */
  next: number;
}

/** What the other end sees where nothing is translated. */
export const mirrored = ({ own, ownPort, other, otherPort }: View): View => ({
  own: other,
  ownPort: otherPort,
  other: own,
  otherPort: ownPort,
});

export const endsOf = ({ own, other }: View): Ends => ({ source: own, destination: other });

/** What one end says next. */
export interface Said {
  readonly isReply: boolean;
  readonly number: number;
  /** The segment, datagram or message as it is for who has `view`. */
  readonly payload: (view: View) => number[];
  readonly what: string;
}

/** The segments of a TCP connection, in order: who speaks, flags, sequence and acknowledgement from the start, octets. */
const SCRIPT: readonly (readonly [
  reply: boolean,
  flags: number,
  sequence: number,
  acknowledged: number,
  data: number,
])[] = [
  [false, FLAG.SYN, 0, 0, 0],
  [true, FLAG.SYN | FLAG.ACK, 0, 1, 0],
  [false, FLAG.ACK, 1, 1, 0],
  [false, FLAG.ACK | FLAG.PSH, 1, 1, 10],
  [true, FLAG.ACK | FLAG.PSH, 1, 11, 10],
  [false, FLAG.ACK, 11, 11, 0],
  [false, FLAG.ACK | FLAG.FIN, 11, 11, 0],
  [true, FLAG.ACK | FLAG.FIN, 11, 12, 0],
  [false, FLAG.ACK, 12, 12, 0],
];

function nextTcp(chance: Chance, one: Conversation): Said {
  const deviates = chance.between(0, 99);
  if (deviates < 6 && one.next > 0) one.next = chance.between(0, one.next - 1);
  if (deviates >= 96) one.next = chance.between(0, SCRIPT.length - 1);
  const [isReply, scripted, sequence, acknowledged, data] = SCRIPT[one.next % SCRIPT.length]!;
  one.next += 1;
  const flags = chance.weighted<number>([
    [93, scripted],
    [3, FLAG.RST | (chance.percent(50) ? FLAG.ACK : 0)],
    [4, chance.between(0, 0x3f)],
  ]);
  const [start, other] = isReply ? [one.serverStart, one.clientStart] : [one.clientStart, one.serverStart];
  const octets = chance.octets(data);
  const segment = {
    flags,
    sequence: (start + sequence) >>> 0,
    acknowledgement: (flags & FLAG.ACK) === 0 ? 0 : (other + acknowledged) >>> 0,
    payload: octets,
  };
  return {
    isReply,
    number: 6,
    payload: (view) => tcp(endsOf(view), view.ownPort, view.otherPort, segment),
    what: `tcp ${isReply ? 'reply' : 'original'} flags ${flags}`,
  };
}

function nextUdp(chance: Chance, one: Conversation): Said {
  const isReply = one.next > 0 && chance.percent(45);
  one.next += 1;
  const octets = chance.octets(chance.between(0, 40));
  return {
    isReply,
    number: 17,
    payload: (view) => udp(endsOf(view), view.ownPort, view.otherPort, octets),
    what: `udp ${isReply ? 'reply' : 'original'}`,
  };
}

const ECHO_OR_TIMESTAMP = [
  [4, 8],
  [1, 13],
] as const;

function nextPing(chance: Chance, one: Conversation): Said {
  const isReply = one.next > 0 && chance.percent(45);
  one.next += 1;
  const type = isReply ? 0 : chance.weighted(ECHO_OR_TIMESTAMP);
  const sequence = one.next & 0xffff;
  const octets = chance.octets(16);
  return {
    isReply,
    number: 1,
    // Both ends know a ping by the client's identifier, which they call their own port.
    payload: (view) => {
      const identifier = isReply ? view.otherPort : view.ownPort;
      return icmp(type, 0, ((identifier << 16) | sequence) >>> 0, octets);
    },
    what: `icmp type ${type}`,
  };
}

const NEXT = { tcp: nextTcp, udp: nextUdp, icmp: nextPing } as const;

/** What is said next in `one`, by which end. */
export const sayNext = (chance: Chance, one: Conversation): Said => NEXT[one.protocol](chance, one);
