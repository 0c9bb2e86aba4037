/**
 * A case on the real kernel: a lab with the planned rules, every frame put on its wire, and what came of it: all frames at
 * all devices of the cells, the counters of the rules in each epoch, connection tracking at the end.
 */
import { printSave } from '../../../src/rules/print-save.ts';
import { parseIpv4 } from '../../../src/wire/address.ts';
import { followLog } from '../follow-log.ts';
import { logObstacle, withNamespacesLogged } from '../kernel-log.ts';
import { DEFAULT_LAB, iptablesIn, type Lab, withLab } from '../lab.ts';
import { hostVeth } from '../lab-names.ts';
import { run, runIn, sleep } from '../lab-shell.ts';
import { type Flows, filled, learn, note } from './flows.ts';
import { wordOf } from './logged-rules.ts';
import { type Epoch, firstEpoch, nextEpoch } from './rules.ts';
import { withOwnOctets } from './shared-octets.ts';
import type { Case, FrameStep, Step } from './step.ts';
import { type Event, isContainerEnd, openWires, type WireLab } from './wire-lab.ts';
import { createWorld, GATEWAY, type World } from './world.ts';

const NANOSECONDS_PER_MILLISECOND = 1_000_000n;
/** A case ends when no cell asks for a neighbour any more: three times, a second apart, then it gives up. */
const ASKING_MILLISECONDS = 3300;

/** Packets and octets of a rule. */
export type Count = readonly [packets: number, octets: number];

export interface EpochResult {
  readonly epoch: Epoch;
  /** What the devices of the cells saw, and the containers' ends of their veths. */
  readonly events: readonly Event[];
  readonly ends: readonly Event[];
  /** When its counters were read, in nanoseconds since 1970. */
  readonly until: bigint;
  /** Counts of all tables' rules in this epoch, by cell name, then by `ruleName`. */
  readonly counts: Counts;
}

export interface KernelResult {
  /** The case as it was played: answers go to the ports that the cells drew. */
  readonly played: Case;
  /** When each frame was put on its wire, in nanoseconds since 1970. */
  readonly times: readonly bigint[];
  /** The moment that counts as 0. */
  readonly origin: bigint;
  readonly epochs: readonly EpochResult[];
  /** What `conntrack -L` prints, by cell name. */
  readonly connections: ReadonlyMap<string, string>;
  /** What LOG rules logged, of all cells; null where nobody may read the kernel's log. */
  readonly lines: readonly string[] | null;
}

/**
 * Containers do not answer: whatever they say is a frame of the case. Without an address a namespace drops what comes for
 * it. Neighbours are known, so that no frame waits for ARP, and there is a way out of the underlay.
 */
function quieten(lab: Lab, world: World, liberal: boolean): void {
  for (const namespace of lab.namespaces.containers.values())
    run('ip', ['-n', namespace, 'addr', 'flush', 'dev', 'eth0']);
  for (const cell of world.cells) {
    const namespace = lab.namespaces.cells.get(cell.name)!;
    const peers = world.cells.filter((other) => other !== cell);
    const commands = [
      ...peers.map((peer) => `neigh replace ${peer.underlay} lladdr ${peer.underlayMac} dev eth0 nud permanent`),
      `neigh replace ${GATEWAY.address} lladdr ${GATEWAY.mac} dev eth0 nud permanent`,
      `route add default via ${GATEWAY.address} dev eth0`,
    ];
    run('ip', ['-n', namespace, '-batch', '-'], { input: `${commands.join('\n')}\n` });
    // Any rule that asks for connections has loaded nf_conntrack by now; the setting is there only then.
    if (liberal) runIn(namespace, 'sysctl', ['-qw', 'net.netfilter.nf_conntrack_tcp_be_liberal=1']);
  }
}

function openLab(lab: Lab, world: World): WireLab {
  const { cells, containers, underlay } = lab.namespaces;
  return openWires({
    cells: [
      ...[...cells].map(([name, namespace]) => ({ name, namespace, prefix: '' })),
      ...world.containers.map(({ name, cell, address }) => ({
        name: cell.name,
        namespace: containers.get(name)!,
        prefix: `${hostVeth(parseIpv4(address)!)}/`,
      })),
    ],
    ports: [
      ...world.cells.map(({ name }, index) => ({ name, namespace: underlay, device: `cell${index}` })),
      ...[...containers].map(([name, namespace]) => ({ name, namespace, device: 'eth0' })),
    ],
  });
}

/** What names a rule, by its number from 1: those of other tables than filter have the table before the chain. */
export const ruleName = (table: string, chain: string, number: number): string =>
  table === 'filter' ? `${chain} ${number}` : `${table} ${chain} ${number}`;

/** Counters of `iptables-save -c`, by `ruleName`. */
export function parseCounts(text: string): Map<string, Count> {
  const counts = new Map<string, Count>();
  const numbers = new Map<string, number>();
  let table = '';
  for (const [, begins, packets, octets, chain] of text.matchAll(/^(?:\*(\S+)|\[(\d+):(\d+)\] -A (\S+))/gm)) {
    table = begins ?? table;
    if (begins !== undefined) continue;
    const place = `${table} ${chain}`;
    const number = (numbers.get(place) ?? 0) + 1;
    numbers.set(place, number);
    counts.set(ruleName(table, chain!, number), [Number(packets), Number(octets)]);
  }
  return counts;
}

/** By cell name, then by `ruleName`. */
export type Counts = ReadonlyMap<string, ReadonlyMap<string, Count>>;

const countsOf = (lab: Lab, world: World): Counts =>
  new Map(world.cells.map(({ name }) => [name, parseCounts(iptablesIn(lab, name, 'iptables-save', ['-c']))]));

/** What `after` has counted beyond `before`, of the rules that are in `after`. */
export const difference = (after: Counts, before: Counts): Counts =>
  new Map(
    [...after].map(([cell, counts]) => [
      cell,
      new Map(
        [...counts].map(([rule, [packets, octets]]): [string, Count] => {
          const [oldPackets, oldOctets] = before.get(cell)?.get(rule) ?? [0, 0];
          return [rule, [packets - oldPackets, octets - oldOctets]];
        }),
      ),
    ]),
  );

const restore = (lab: Lab, cell: string, input: string): void => {
  const program = `xtables-${lab.options.backend}-multi`;
  lab.onCell(cell, program, ['iptables-restore', '--noflush'], { input });
};

/** Run `one` on the kernel. `liberal` takes TCP windows out of the game. */
export async function runOnKernel(one: Case, liberal: boolean): Promise<KernelResult> {
  const first = firstEpoch(one);
  const world = createWorld(first.foundation);
  const options = {
    ...DEFAULT_LAB,
    backend: one.backend,
    underlayMtu: one.underlayMtu,
    rules: (_: unknown, cell: { readonly name: string }) => [printSave(first.rules.get(cell.name)!)],
  };
  const isLogged = logObstacle(['python3']) === undefined;
  const inLab = async (lab: Lab): Promise<KernelResult> => {
    quieten(lab, world, liberal);
    const wires = openLab(lab, world);
    try {
      const play = () => runSteps(one, first, lab, world, wires);
      if (!isLogged) return { ...(await play()), lines: null };
      const { lines, result } = await followLog(
        (text) => first.foundation.cells.some(({ name }) => text.startsWith(wordOf(name))),
        play,
      );
      return { ...result, lines: lines.map(({ text }) => text) };
    } finally {
      await wires.close();
    }
  };
  const runLab = () => withLab(first.foundation, options, inLab);
  return isLogged ? withNamespacesLogged(runLab) : runLab();
}

/**
 * A packet socket shares octets with the packet. Where the kernel changes them in place (congestion marks, the headers of
 * fragments that go on together), the socket shows what came of it. So what a step's wire shows is replaced by what was put on
 * it. That is known by its length and its end: a timer of a cell may have sent a frame before it.
 */
function restorer(frames: readonly FrameStep[], world: World): (event: Event) => Event {
  const seen = new Set<string>();
  const isEntry = ({ cell, device, outgoing }: Event, at: string): boolean => {
    if (outgoing !== isContainerEnd(device)) return false;
    const container = world.containers.find(({ name }) => name === at);
    if (container === undefined) return cell === at && device === 'eth0';
    return cell === container.cell.name && device.split('/')[0] === hostVeth(parseIpv4(container.address)!);
  };
  const isSame = (event: Uint8Array, put: Buffer): boolean =>
    event.length === put.length && put.subarray(-8).equals(event.subarray(-8));
  return (event) => {
    const frame = frames[event.step];
    const entry = `${event.step} ${event.device}`;
    if (frame === undefined || seen.has(entry) || !isEntry(event, frame.at)) return event;
    const octets = Buffer.from(frame.octets, 'hex');
    if (!isSame(event.octets, octets)) return event;
    seen.add(entry);
    return { ...event, octets };
  };
}

async function runSteps(
  one: Case,
  first: Epoch,
  lab: Lab,
  world: World,
  wires: WireLab,
): Promise<Omit<KernelResult, 'lines'>> {
  const epochs: EpochResult[] = [];
  let [epoch, settled, changes] = [first, first, 0];
  let before = countsOf(lab, world);
  const player = createPlayer(wires, world);
  const close = async (): Promise<void> => {
    const seen = await player.seen();
    const events = seen.filter(({ device }) => !isContainerEnd(device));
    const ends = seen.filter(({ device }) => isContainerEnd(device));
    const until = BigInt(Date.now()) * NANOSECONDS_PER_MILLISECOND;
    epochs.push({ epoch, events, ends, until, counts: difference(countsOf(lab, world), before) });
  };
  const steps: Step[] = [];
  for (const step of one.steps) {
    steps.push(step.kind === 'frame' ? await player.play(step) : step);
    switch (step.kind) {
      case 'frame':
        break;
      case 'pause':
        await player.send();
        await sleep(step.milliseconds);
        break;
      case 'policies':
        await close();
        if (step.stage === 'inserted') {
          settled = epoch;
          changes += 1;
        }
        epoch = nextEpoch(one, epoch, settled, step, changes);
        for (const [cell, document] of epoch.documents) restore(lab, cell, document);
        before = countsOf(lab, world);
        break;
    }
  }
  await player.send();
  await sleep(ASKING_MILLISECONDS);
  await close();
  const connections = new Map(world.cells.map(({ name }) => [name, lab.onCell(name, 'conntrack', ['-L']).stdout]));
  return { played: { ...one, steps }, times: wires.times, origin: wires.origin(), epochs, connections };
}

/** Puts frames on their wires, many at once, unless one answers to a port that has not been seen yet. */
interface Player {
  readonly play: (step: FrameStep) => Promise<FrameStep>;
  readonly send: () => Promise<void>;
  /** All that was seen since the last call. */
  readonly seen: () => Promise<readonly Event[]>;
}

function createPlayer(wires: WireLab, world: World): Player {
  const flows: Flows = new Map();
  const played: FrameStep[] = [];
  const asSent = restorer(played, world);
  let [sent, events]: [number, Event[]] = [0, []];
  const send = async (): Promise<void> => {
    const waiting = played.slice(sent);
    const heard = await wires.send(waiting.map(({ at, octets }) => ({ port: at, octets })));
    const fresh = withOwnOctets(heard.map(asSent), world);
    events = events.concat(fresh);
    for (const [index, step] of waiting.entries()) {
      const number = sent + index;
      if (step.flow === undefined) continue;
      learn(
        flows,
        step,
        fresh.filter(({ step: seenIn, device }) => seenIn === number && !isContainerEnd(device)),
      );
    }
    sent = played.length;
  };
  return {
    send,
    async play(step) {
      note(flows, step);
      if (step.answers === true && played.slice(sent).some(({ flow }) => flow === step.flow)) await send();
      const now = filled(flows, step);
      played.push(now);
      return now;
    },
    async seen() {
      await send();
      const all = events;
      events = [];
      return all;
    },
  };
}
