/**
 * Conversations whose packets are translated on their way: from outside to host ports of containers, from containers to host
 * ports of their own cell and of another one, and from containers out of the overlay, with answers. And others that come by the
 * underlay without a tunnel, to the cell itself or to a container, which the judge does not follow either.
 *
 * Some are drawn so that a cell has to find another source port: two containers call the same server from the same port, or
 * somebody outside calls a host port of a container that has called him from the port behind it.
 */
import type { Chance } from './chance.ts';
import { type Conversation, type End, mirrored, type View } from './conversation.ts';
import { FIRST_HOST_PORT, OUTSIDE, PORTS } from './draw-foundation.ts';
import type { World, WorldCell, WorldContainer } from './world.ts';

type Protocol = Conversation['protocol'];

/** Who speaks with whom over what, and what each end sees. */
interface Ways extends Pick<Conversation, 'client' | 'server' | 'clientView' | 'serverView'> {
  readonly protocol: Protocol;
}

const nobodyAt = (address: string): End => ({ address, container: null });
const endOf = (container: WorldContainer): End => ({ address: container.address, container });
const highPort = (chance: Chance): number => chance.between(32_768, 60_999);

const drawProtocol = (chance: Chance): Protocol =>
  chance.weighted([
    [5, 'tcp'],
    [3, 'udp'],
    [2, 'icmp'],
  ] as const);

interface HostPort {
  readonly container: WorldContainer;
  readonly host: number;
  readonly inside: number;
}

const hostPortsOf = (containers: readonly WorldContainer[]): HostPort[] =>
  containers.flatMap((container) =>
    container.hostPorts.map(({ host, container: inside }) => ({ container, host, inside })),
  );

/** The views of both ends when `caller`, who sees himself as `own`, calls `port`, whose container sees him as `seen`. */
function towards(port: HostPort, own: string, ownPort: number, seen: string): Pick<Ways, 'clientView' | 'serverView'> {
  const { container, host, inside } = port;
  return {
    clientView: { own, ownPort, other: container.cell.underlay, otherPort: host },
    serverView: { own: container.address, ownPort: inside, other: seen, otherPort: ownPort },
  };
}

/** Mostly TCP, which alone host ports are for; other packets to the same port are for the cell itself. */
const toHostPort = (chance: Chance, server: End): Pick<Ways, 'protocol' | 'server'> =>
  chance.percent(90) ? { protocol: 'tcp', server } : { protocol: 'udp', server: nobodyAt(server.address) };

function fromOutside(chance: Chance, world: World, before: readonly Conversation[]): Ways | null {
  const ports = hostPortsOf(world.containers);
  if (ports.length === 0) return null;
  const port = chance.pick(ports);
  const called = before.find(
    ({ client, server, clientView, protocol }) =>
      protocol === 'tcp' &&
      client.container === port.container &&
      server.container === null &&
      clientView.ownPort === port.inside,
  );
  const others = world.cells.filter((cell) => cell !== port.container.cell).map(({ underlay }) => underlay);
  const [address, from] =
    called !== undefined && chance.percent(60)
      ? [called.clientView.other, called.clientView.otherPort]
      : [chance.percent(85) ? chance.pick(OUTSIDE) : chance.pick(others), highPort(chance)];
  const client = nobodyAt(address);
  return { client, ...towards(port, address, from, address), ...toHostPort(chance, endOf(port.container)) };
}

/** A container calls a host port of its own cell, or of another, which knows it by the address of its cell. */
function fromContainer(chance: Chance, world: World, isOwnCell: boolean): Ways | null {
  const caller = chance.pick(world.containers);
  const there = world.containers.filter(({ cell }) => (cell === caller.cell) === isOwnCell);
  const ports = hostPortsOf(there);
  if (ports.length === 0) return null;
  const port = chance.pick(ports);
  const seen = isOwnCell ? caller.address : caller.cell.underlay;
  const views = towards(port, caller.address, highPort(chance), seen);
  return { client: endOf(caller), ...views, ...toHostPort(chance, endOf(port.container)) };
}

/** Out of the overlay; sometimes as another container of the cell did before, or from a port behind a host port. */
function toOutside(chance: Chance, world: World, before: readonly Conversation[]): Ways {
  const earlier = before.filter(({ client, server }) => client.container !== null && server.container === null);
  const model = earlier.length > 0 && chance.percent(35) ? chance.pick(earlier) : undefined;
  const rivals = world.containers.filter(
    (container) => container.cell === model?.client.container?.cell && container !== model.client.container,
  );
  const caller = rivals.length > 0 ? chance.pick(rivals) : chance.pick(world.containers);
  const protocol = rivals.length > 0 ? model!.protocol : drawProtocol(chance);
  const bound = caller.hostPorts.map(({ container }) => container);
  const own = bound.length > 0 && chance.percent(15) ? chance.pick(bound) : highPort(chance);
  const clientView: View = {
    own: caller.address,
    ownPort: rivals.length > 0 ? model!.clientView.ownPort : own,
    other: rivals.length > 0 ? model!.clientView.other : chance.pick(OUTSIDE),
    otherPort: rivals.length > 0 ? model!.clientView.otherPort : chance.pick(PORTS),
  };
  const serverView = { ...mirrored(clientView), other: caller.cell.underlay };
  return { client: endOf(caller), server: nobodyAt(clientView.other), clientView, serverView, protocol };
}

/** Somebody outside calls the cell itself, where nobody listens. */
function toCell(chance: Chance, world: World): Ways {
  const cell: WorldCell = chance.pick(world.cells);
  const [own, other] = [chance.pick(OUTSIDE), cell.underlay];
  const port = chance.percent(50) ? chance.pick(PORTS) : FIRST_HOST_PORT + chance.between(0, 80);
  const clientView = { own, ownPort: highPort(chance), other, otherPort: port };
  const [client, server] = [nobodyAt(own), nobodyAt(other)];
  return { client, server, clientView, serverView: mirrored(clientView), protocol: drawProtocol(chance) };
}

/** Somebody outside, or who says that he is a container, sends to a container's own address by way of the underlay. */
function toContainer(chance: Chance, world: World): Ways {
  const server = chance.pick(world.containers);
  const liar = chance.pick(world.containers).address;
  const own = chance.percent(75) ? chance.pick(OUTSIDE) : liar;
  const clientView = { own, ownPort: highPort(chance), other: server.address, otherPort: chance.pick(PORTS) };
  const client = nobodyAt(own);
  return {
    client,
    server: endOf(server),
    clientView,
    serverView: mirrored(clientView),
    protocol: drawProtocol(chance),
  };
}

/** One of them; `before` are those that were drawn. Null when the foundation has no host port for it. */
export function drawTranslated(
  chance: Chance,
  world: World,
  before: readonly Conversation[],
): Omit<Conversation, 'flow'> | null {
  const kind = chance.weighted([
    [9, 'from outside'],
    [9, 'to outside'],
    [3, 'to another cell'],
    [3, 'to the own cell'],
    [2, 'to the cell itself'],
    [2, 'to a container'],
  ] as const);
  const ways = {
    'from outside': () => fromOutside(chance, world, before),
    'to outside': () => toOutside(chance, world, before),
    'to another cell': () => fromContainer(chance, world, false),
    'to the own cell': () => fromContainer(chance, world, true),
    'to the cell itself': () => toCell(chance, world),
    'to a container': () => toContainer(chance, world),
  }[kind]();
  if (ways === null) return null;
  const [clientStart, serverStart] = [chance.between(0, 0xffffffff), chance.between(0, 0xffffffff)];
  return { ...ways, clientStart, serverStart, next: 0 };
}
