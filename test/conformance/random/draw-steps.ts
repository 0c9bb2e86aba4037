/**
 * Random frames for a foundation: conversations in both directions with much that goes wrong, broken headers, fragments,
 * ICMP errors about packets known and unknown, and policies that change in between.
 *
 * Every packet has an IPv4 identification of its own, by which it is found again behind a cell.
 */
import type { Foundation } from '../../../src/foundation/model.ts';
import { icmp, ipv4, udp } from '../../dataplane/packets.ts';
import { drawBroken } from './broken.ts';
import type { Chance } from './chance.ts';
import { type Conversation, type End, endsOf, mirrored, type Said, sayNext, type View } from './conversation.ts';
import { drawPolicies, FIRST_HOST_PORT, OUTSIDE, PORTS } from './draw-foundation.ts';
import { drawTranslated } from './draw-translated.ts';
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

/** A packet that was sent, for ICMP errors to quote. */
interface Sent {
  /** As its receiver has it. */
  readonly packet: Uint8Array;
  readonly from: End;
  readonly to: End;
  /** What its receiver sees. */
  readonly view: View;
  readonly flow: Flow;
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

/** Of a frame that belongs to a translated flow; see `FrameStep`. */
type Flow = Pick<FrameStep, 'flow' | 'answers'>;

const push = (draw: Draw, at: string, frame: Uint8Array, what: string, flow: Flow = {}): void => {
  draw.steps.push({ kind: 'frame', at, octets: hex(frame), what, ...flow } satisfies FrameStep);
};

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
    [
      1,
      chance.pick(['224.0.0.1', '224.0.0.5', '10.255.255.255', '255.255.255.255', '127.0.0.1', '0.0.0.0', '0.1.2.3']),
    ],
  ]);
  return { address, container: null };
}

/** Outside of the overlay. There the ends of translated flows speak; all others are silent. */
const isOutside = ({ address, container }: End): boolean => container === null && !address.startsWith('10.255.');

function drawPlain(draw: Draw): Conversation {
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
  const clientView: View = {
    own: client.address,
    ownPort: chance.between(32_768, 60_999),
    other: server.address,
    // Host ports are for translated conversations.
    otherPort: server.address === caller.cell.underlay ? port % FIRST_HOST_PORT : port,
  };
  return {
    client,
    server,
    clientView,
    serverView: mirrored(clientView),
    flow: '',
    protocol,
    clientStart: chance.between(0, 0xffffffff),
    serverStart: chance.between(0, 0xffffffff),
    next: 0,
  };
}

function drawConversation(draw: Draw): Conversation {
  const { chance, world, conversations } = draw;
  const before = conversations.filter(({ flow }) => flow !== '');
  const drawn = chance.percent(22) ? drawTranslated(chance, world, before) : null;
  if (drawn === null) return drawPlain(draw);
  return { ...drawn, flow: `flow ${before.length + 1}` };
}

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
  const one = chance.pick(conversations.slice(-24));
  const said = sayNext(chance, one);
  const [from, to] = said.isReply ? [one.server, one.client] : [one.client, one.server];
  if (one.flow === '' && isOutside(from)) return;
  if (one.flow !== '') {
    converseTranslated(draw, one, said, from, to);
    return;
  }
  const view = said.isReply ? one.serverView : one.clientView;
  const fields = { identification: identify(draw), ...drawHeader(draw) };
  const packet = ipv4(endsOf(view), said.number, said.payload(view), fields);
  draw.sent.push({ packet, from, to, view: mirrored(view), flow: {} });
  transmit(draw, from, to, packet, `${said.what} ${from.address} > ${to.address}`);
}

/** The name of the wire on which `from`, who speaks to `address`, puts a packet, and the frame that it is there. */
function framed(
  { world }: Draw,
  from: End,
  address: string,
  packet: Uint8Array,
): [at: string, frame: Uint8Array] | null {
  if (from.container !== null) return [from.container.name, containerFrame(from.container, packet)];
  const container = world.containers.find((one) => one.address === address);
  const cell = container?.cell ?? world.cells.find(({ underlay }) => underlay === address);
  return cell === undefined ? null : [cell.name, underlayFrame(cell, packet)];
}

/** Of a packet's payload so much at least comes in its first fragment: ports and checksum are in it. */
const FIRST_PIECE = 24;

/** What `said` is at both ends of a translated flow; sent by its speaker, sometimes in two fragments. */
function converseTranslated(draw: Draw, one: Conversation, said: Said, from: End, to: End): void {
  const { chance, world } = draw;
  const isCell = from.container === null && world.cells.some(({ underlay }) => underlay === from.address);
  // A cell says itself what it says.
  if (isCell && said.isReply) return;
  const [view, there] = said.isReply ? [one.serverView, one.clientView] : [one.clientView, one.serverView];
  const fields = { identification: identify(draw), ...drawHeader(draw) };
  const payload = said.payload(view);
  const flow: Flow = said.isReply ? { flow: one.flow, answers: true } : { flow: one.flow };
  const back: Flow = said.isReply ? { flow: one.flow } : { flow: one.flow, answers: true };
  const seen = ipv4(endsOf(mirrored(there)), said.number, said.payload(mirrored(there)), fields);
  draw.sent.push({ packet: seen, from, to, view: there, flow: back });
  let pieces = [ipv4(endsOf(view), said.number, payload, fields)];
  if (payload.length > FIRST_PIECE && chance.percent(12)) {
    const [whole, last] = [
      { ...fields, fragment: 0x2000 },
      { ...fields, fragment: FIRST_PIECE / 8 },
    ];
    pieces = [
      ipv4(endsOf(view), said.number, payload.slice(0, FIRST_PIECE), whole),
      ipv4(endsOf(view), said.number, payload.slice(FIRST_PIECE), last),
    ];
    if (chance.percent(30)) pieces.reverse();
    if (chance.percent(10)) pieces.pop();
  }
  for (const piece of pieces) {
    const [at, frame] = framed(draw, from, view.other, piece) ?? [];
    if (frame !== undefined) push(draw, at!, frame, `${said.what} ${view.own} > ${view.other}`, flow);
  }
}

/**
 * A datagram in two or three pieces, in any order; one may be missing, doubled or overlap its neighbour. A container sends them, or
 * they come in tunnels.
 */
function fragments(draw: Draw): void {
  const { chance, world } = draw;
  const one = drawPlain(draw);
  if (one.server.container === null) return;
  const octets = chance.between(6, 12) * 8;
  const between = endsOf(one.clientView);
  const whole = udp(between, one.clientView.ownPort, one.clientView.otherPort, chance.octets(octets));
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
  const { container } = one.client;
  const isOwn = container !== null && chance.percent(40);
  const what = `fragment of ${identification}`;
  for (const [, piece] of order) {
    if (isOwn) {
      push(draw, container.name, containerFrame(container, piece), what);
      continue;
    }
    const envelope = { ...drawEnvelope(draw, one.client), identification: identify(draw) };
    push(draw, cell.name, underlayFrame(cell, tunnelled(peer, cell, piece, envelope)), what);
  }
}

/** An ICMP error about a packet that was sent, or one that never was, from its receiver or a router. */
function error(draw: Draw): void {
  const { chance, sent } = draw;
  if (sent.length === 0) return;
  const about = chance.pick(sent.slice(-40));
  const isTranslated = about.flow.flow !== undefined;
  if (!isTranslated && isOutside(about.to)) return;
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
  const from = chance.percent(70) ? about.to : drawReporter(draw, about);
  const between = { source: from.address, destination: about.view.other };
  const packet = ipv4(between, 1, icmp(type, code, 0, quoted), { identification: identify(draw) });
  const what = `icmp error ${type}/${code} ${between.source} > ${between.destination}`;
  if (!isTranslated) {
    transmit(draw, from, about.from, packet, what);
    return;
  }
  const [at, frame] = framed(draw, from, between.destination, packet) ?? [];
  if (frame !== undefined) push(draw, at!, frame, what, about.flow);
}

/** Somebody on the way of `about`, who reports an error: a container, or a router outside. */
const drawReporter = ({ chance, world }: Draw, { to, flow }: Sent): End =>
  flow.flow !== undefined && to.container === null
    ? { address: chance.pick(OUTSIDE), container: null }
    : endAt(chance.pick(world.containers));

function broken(draw: Draw): void {
  const one = drawPlain(draw);
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
    ends: endsOf(one.clientView),
    ports: [one.clientView.ownPort, one.clientView.otherPort],
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
