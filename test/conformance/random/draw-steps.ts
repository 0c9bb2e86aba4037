/**
 * Random frames for a foundation: conversations in both directions with much that goes wrong, broken headers, fragments,
 * ICMP errors about packets known and unknown, and policies that change in between.
 *
 * Every packet has an IPv4 identification of its own, by which it is found again behind a cell.
 */
import type { Foundation } from '../../../src/foundation/model.ts';
import { type Ends, FLAG, icmp, ipv4, tcp, udp } from '../../dataplane/packets.ts';
import { drawBroken } from './broken.ts';
import type { Chance } from './chance.ts';
import { drawPolicies, FIRST_HOST_PORT, OUTSIDE, PORTS } from './draw-foundation.ts';
import type { FrameStep, Step } from './step.ts';
import {
  containerFrame,
  createWorld,
  type Envelope,
  tunnelled,
  underlayFrame,
  type World,
  type WorldContainer,
} from './world.ts';

/** One end of a conversation: a container, or an address where the lab has nobody. */
interface End {
  readonly address: string;
  readonly container: WorldContainer | null;
}

interface Conversation {
  readonly client: End;
  readonly server: End;
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  readonly clientPort: number;
  readonly serverPort: number;
  readonly clientStart: number;
  readonly serverStart: number;
  /** Position in the script. */
  next: number;
}

/** A packet that was sent, for ICMP errors to quote. */
interface Sent {
  readonly packet: Uint8Array;
  readonly from: End;
  readonly to: End;
}

interface Draw {
  readonly chance: Chance;
  readonly world: World;
  readonly conversations: Conversation[];
  readonly sent: Sent[];
  readonly steps: Step[];
  identification: number;
}

export const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

/** Next identification; 0 is left out, the kernel uses it for packets that must not be cut. */
const identify = (draw: Draw): number => {
  draw.identification = draw.identification >= 0xffff ? 1 : draw.identification + 1;
  return draw.identification;
};

const push = (draw: Draw, at: string, frame: Uint8Array, what: string): void => {
  draw.steps.push({ kind: 'frame', at, octets: hex(frame), what } satisfies FrameStep);
};

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

const endAt = (container: WorldContainer): End => ({ address: container.address, container });

/** Where nobody is: outside, in the overlay, on the cells themselves. */
function drawNobody({ chance, world }: Draw, client: WorldContainer): End {
  const cell = chance.pick(world.cells);
  // Another cell's underlay address is outside: what goes there is masqueraded, and that cell answers.
  const address = chance.weighted<string>([
    [8, chance.pick(OUTSIDE)],
    [2, cell.vtep.replace(/\.0$/, '.200')],
    [1, '10.255.99.1'],
    [2, cell.vtep],
    [2, client.cell.underlay],
    [1, '169.254.0.1'],
    [1, chance.pick(['224.0.0.5', '10.255.255.255', '255.255.255.255', '127.0.0.1', '0.0.0.0', '0.1.2.3'])],
  ]);
  return { address, container: null };
}

/**
 * What leaves the overlay is masqueraded: answers go to the cell, which the judge does not follow. So nobody outside speaks.
 */
const isOutside = ({ address, container }: End): boolean => container === null && !address.startsWith('10.255.');

function drawConversation(draw: Draw): Conversation {
  const { chance, world } = draw;
  const caller = chance.pick(world.containers);
  const client = endAt(caller);
  const server = chance.percent(80) ? endAt(chance.pick(world.containers)) : drawNobody(draw, caller);
  const protocol = chance.weighted([
    [5, 'tcp'],
    [4, 'udp'],
    [2, 'icmp'],
  ] as const);
  const port = chance.percent(90) ? chance.pick(PORTS) : chance.between(0, 0xffff);
  return {
    client,
    server,
    protocol,
    clientPort: chance.between(32_768, 60_999),
    // Host ports lead to containers (DNAT), which the cells do not follow.
    serverPort: server.address === caller.cell.underlay ? port % FIRST_HOST_PORT : port,
    clientStart: chance.between(0, 0xffffffff),
    serverStart: chance.between(0, 0xffffffff),
    next: 0,
  };
}

interface Built {
  readonly from: End;
  readonly to: End;
  readonly number: number;
  readonly payload: number[];
  readonly what: string;
}

const ends = (from: End, to: End): Ends => ({ source: from.address, destination: to.address });

function nextTcp({ chance }: Draw, one: Conversation): Built {
  const deviates = chance.between(0, 99);
  if (deviates < 6 && one.next > 0) one.next = chance.between(0, one.next - 1);
  if (deviates >= 96) one.next = chance.between(0, SCRIPT.length - 1);
  const [reply, scripted, sequence, acknowledged, data] = SCRIPT[one.next % SCRIPT.length]!;
  one.next += 1;
  const flags = chance.weighted<number>([
    [93, scripted],
    [3, FLAG.RST | (chance.percent(50) ? FLAG.ACK : 0)],
    [4, chance.between(0, 0x3f)],
  ]);
  const [from, to] = reply ? [one.server, one.client] : [one.client, one.server];
  const [start, other] = reply ? [one.serverStart, one.clientStart] : [one.clientStart, one.serverStart];
  const [source, destination] = reply ? [one.serverPort, one.clientPort] : [one.clientPort, one.serverPort];
  const payload = tcp(ends(from, to), source, destination, {
    flags,
    sequence: (start + sequence) >>> 0,
    acknowledgement: (flags & FLAG.ACK) === 0 ? 0 : (other + acknowledged) >>> 0,
    payload: chance.octets(data),
  });
  return { from, to, number: 6, payload, what: `tcp ${reply ? 'reply' : 'original'} flags ${flags}` };
}

function nextUdp({ chance }: Draw, one: Conversation): Built {
  const reply = one.next > 0 && chance.percent(45);
  one.next += 1;
  const [from, to] = reply ? [one.server, one.client] : [one.client, one.server];
  const [source, destination] = reply ? [one.serverPort, one.clientPort] : [one.clientPort, one.serverPort];
  const payload = udp(ends(from, to), source, destination, chance.octets(chance.between(0, 40)));
  return { from, to, number: 17, payload, what: `udp ${reply ? 'reply' : 'original'}` };
}

function nextPing({ chance }: Draw, one: Conversation): Built {
  const reply = one.next > 0 && chance.percent(45);
  one.next += 1;
  const [from, to] = reply ? [one.server, one.client] : [one.client, one.server];
  const type = reply
    ? 0
    : chance.weighted([
        [4, 8],
        [1, 13],
      ] as const);
  const rest = ((one.clientPort << 16) | one.next) >>> 0;
  return { from, to, number: 1, payload: icmp(type, 0, rest, chance.octets(16)), what: `icmp type ${type}` };
}

const BUILD = { tcp: nextTcp, udp: nextUdp, icmp: nextPing } as const;

/** The tag that a frame brings: mostly that of its sender's app. */
function drawEnvelope({ chance, world }: Draw, from: End): Envelope {
  const own = from.container?.tag ?? 0;
  const groupId = chance.weighted<number>([
    [14, own],
    [3, chance.pick(world.tags)],
    [1, 0],
    [1, chance.between(0, 0xffff)],
  ]);
  return {
    groupId,
    flags: groupId === 0 && chance.percent(70) ? 0x08 : 0x88,
    policyFlags: chance.weighted<number>([
      [18, 0],
      [1, chance.pick([0x40, 0x08, 0x48])],
      [1, chance.between(0, 0xff)],
    ]),
  };
}

/**
 * Send `packet` between two ends: by the container that has it, so that its own cell is asked first; or on the underlay,
 * as if a cell had sent it.
 */
function transmit(draw: Draw, from: End, to: End, packet: Uint8Array, what: string): void {
  const { chance, world } = draw;
  const owner = world.cells.find(({ underlay, vtep }) => to.address === underlay || to.address === vtep);
  const target = to.container?.cell ?? owner ?? chance.pick(world.cells);
  const elsewhere = world.cells.filter((cell) => cell !== target);
  const source = from.container?.cell ?? chance.pick(elsewhere);
  // What goes outside is masqueraded by the container's own cell; another cell would send errors about what never was.
  if (from.container !== null && (source === target || isOutside(to) || chance.percent(45))) {
    push(draw, from.container.name, containerFrame(from.container, packet), what);
    return;
  }
  const envelope = { ...drawEnvelope(draw, from), identification: identify(draw) };
  const peer = source === target ? chance.pick(elsewhere) : source;
  push(draw, target.name, underlayFrame(target, tunnelled(peer, target, packet, envelope)), what);
}

function drawHeader({ chance }: Draw): {
  timeToLive?: number;
  typeOfService?: number;
  options?: number[];
  fragment?: number;
} {
  return {
    ...(chance.percent(4) ? { timeToLive: chance.between(0, 3) } : {}),
    ...(chance.percent(5) ? { typeOfService: chance.between(0, 255) } : {}),
    ...(chance.percent(2)
      ? {
          options: chance.pick([
            [1, 1, 1, 0],
            [148, 4, 0, 0],
            [7, 7, 4, 0, 0, 0, 0, 0],
          ]),
        }
      : {}),
    ...(chance.percent(20) ? { fragment: 0x4000 } : {}),
  };
}

function converse(draw: Draw): void {
  const { chance, conversations } = draw;
  if (conversations.length < 4 || chance.percent(18)) conversations.push(drawConversation(draw));
  const recent = conversations.slice(-24);
  const one = chance.pick(recent);
  const { from, to, number, payload, what } = BUILD[one.protocol](draw, one);
  if (isOutside(from)) return;
  const packet = ipv4(ends(from, to), number, payload, { identification: identify(draw), ...drawHeader(draw) });
  draw.sent.push({ packet, from, to });
  transmit(draw, from, to, packet, `${what} ${from.address} > ${to.address}`);
}

/** A datagram in two or three pieces, in any order; one may be missing, doubled or overlap its neighbour. */
function fragments(draw: Draw): void {
  const { chance, world } = draw;
  const one = drawConversation(draw);
  if (one.server.container === null) return;
  const octets = chance.between(6, 12) * 8;
  const between = ends(one.client, one.server);
  const whole = udp(between, one.clientPort, one.serverPort, chance.octets(octets));
  const cuts = [...new Set([chance.between(1, 6) * 8, chance.between(1, 6) * 8])].sort((a, b) => a - b);
  const marks = [0, ...cuts, whole.length];
  const identification = identify(draw);
  const overlap = chance.percent(10) ? 8 : 0;
  let pieces = marks.slice(1).map((end, index) => {
    // A later piece that began at 0 and was the last would be no fragment, but a datagram.
    const start = index === 0 ? 0 : Math.max(8, marks[index]! - overlap);
    const fragment = (end < whole.length ? 0x2000 : 0) | (start / 8);
    return ipv4(between, 17, whole.slice(start, end), { identification, fragment });
  });
  if (chance.percent(15)) pieces = pieces.filter((_, index) => index !== 0);
  if (chance.percent(15)) pieces = pieces.slice(0, -1);
  if (chance.percent(10) && pieces.length > 0) pieces.push(pieces[0]!);
  const order = pieces.map((piece) => [chance.percent(60) ? 0 : chance.between(0, 99), piece] as const);
  order.sort(([a], [b]) => a - b);
  const { cell } = one.server.container;
  const peer = chance.pick(world.cells.filter((other) => other !== cell));
  for (const [, piece] of order) {
    const envelope = { ...drawEnvelope(draw, one.client), identification: identify(draw) };
    push(draw, cell.name, underlayFrame(cell, tunnelled(peer, cell, piece, envelope)), `fragment of ${identification}`);
  }
}

/** An ICMP error about a packet that was sent, or one that never was, from its receiver or a router. */
function error(draw: Draw): void {
  const { chance, sent } = draw;
  if (sent.length === 0) return;
  const about = chance.pick(sent.slice(-40));
  if (isOutside(about.to)) return;
  const quoted = Uint8Array.from(
    about.packet.slice(
      0,
      chance.weighted([
        [8, 28],
        [4, 200],
        [1, 24],
        [1, 12],
      ] as const),
    ),
  );
  if (chance.percent(20) && quoted.length >= 22) quoted[20] = quoted[20]! ^ 0x10;
  const [type, code] = chance.pick([
    [3, 3],
    [3, 1],
    [3, 4],
    [11, 0],
    [12, 0],
    [4, 0],
    [5, 1],
  ] as const);
  const from = chance.percent(70) ? about.to : endAt(chance.pick(draw.world.containers));
  const between = ends(from, about.from);
  const packet = ipv4(between, 1, icmp(type, code, 0, quoted), { identification: identify(draw) });
  transmit(draw, from, about.from, packet, `icmp error ${type}/${code} ${between.source} > ${between.destination}`);
}

function broken(draw: Draw): void {
  const one = drawConversation(draw);
  if (one.server.container === null) return;
  const { cell } = one.server.container;
  const peer = draw.chance.pick(draw.world.cells.filter((other) => other !== cell));
  const envelope: Envelope = {
    groupId: one.client.container?.tag ?? 0,
    flags: 0x88,
    identification: identify(draw),
  };
  const { frame, what } = drawBroken(draw.chance, {
    peer,
    cell,
    envelope,
    ends: ends(one.client, one.server),
    ports: [one.clientPort, one.serverPort],
    identification: identify(draw),
  });
  push(draw, cell.name, frame, what);
}

/** Policies change, as the agent changes them; frames fall in between its three steps. */
function changePolicies(draw: Draw, apps: readonly string[]): void {
  const policies = drawPolicies(draw.chance, apps);
  for (const stage of ['inserted', 'filled', 'removed'] as const) {
    draw.steps.push({ kind: 'policies', stage, policies });
    const count = draw.chance.between(3, 10);
    for (let i = 0; i < count; i++) converse(draw);
  }
}

/** About `count` frames for `foundation`; policies change `changes` times on the way. */
export function drawSteps(chance: Chance, foundation: Foundation, count: number, changes: number): Step[] {
  const draw: Draw = {
    chance,
    world: createWorld(foundation),
    conversations: [],
    sent: [],
    steps: [],
    identification: 0,
  };
  const kinds = [
    [70, converse],
    [6, fragments],
    [8, error],
    [10, broken],
  ] as const;
  const apps = foundation.apps.map(({ name }) => name);
  for (let change = 0; change <= changes; change++) {
    if (change > 0) changePolicies(draw, apps);
    const until = ((change + 1) * count) / (changes + 1);
    while (draw.steps.length < until) chance.weighted(kinds)(draw);
  }
  return draw.steps;
}
