/**
 * The cell of nat-kernel.ts made of this project's NAT: connection tracking, the nat table at every hook, and the least of
 * routing that lies between them.
 */
import * as conntrack from '../../src/dataplane/conntrack.ts';
import { silkAddresses } from '../../src/dataplane/nat/addresses.ts';
import type { PortChoice } from '../../src/dataplane/nat/binding.ts';
import * as connections from '../../src/dataplane/nat/connections.ts';
import { TRANSLATED } from '../../src/dataplane/nat/translate.ts';
import { ctstateBits, HOOK, type Tuple } from '../../src/dataplane/nat/tuples.ts';
import { type CellNat, createNatTable, pass } from '../../src/dataplane/nat/walk.ts';
import { isOutrun, show } from '../../src/dataplane/track-windows.ts';
import * as transport from '../../src/dataplane/transport.ts';
import { compile } from '../../src/rules/compile.ts';
import { InterfaceNames } from '../../src/rules/interfaces.ts';
import type { Ruleset } from '../../src/rules/model.ts';
import { createOutcome, createPacket } from '../../src/rules/packet.ts';
import { tableOf } from '../../src/rules/table.ts';
import { formatIpv4, parseIpv4 } from '../../src/wire/address.ts';
import * as icmp from '../../src/wire/icmp.ts';
import * as ipv4 from '../../src/wire/ipv4.ts';
import { locate } from '../../src/wire/layers.ts';
import { LINKTYPE, PROTOCOL } from '../../src/wire/protocol.ts';
import * as quotes from '../../src/wire/quote.ts';
import * as stacks from '../../src/wire/stack.ts';
import { checksum } from '../dataplane/packets.ts';
import type { Backend, Seen } from './nat-kernel.ts';

export interface NatCell {
  /** What leaves when a packet comes in by `device`; `answer` makes the cell's own reply to a packet for itself. */
  readonly send: (device: string, packet: Uint8Array, partial: boolean, answer: Answer | null) => Seen[];
  /** Original and reply tuple of every connection that is remembered, as `conntrackLines` writes them. */
  readonly connections: () => string[];
}

/** The cell's own answer to a packet as it was delivered. */
export type Answer = (delivered: Uint8Array) => Uint8Array;

const UNDERLAY = parseIpv4('10.0.0.101')!;
const VTEP = parseIpv4('10.255.1.0')!;
const LINK_LOCAL = parseIpv4('169.254.0.1')!;
const CONTAINERS = new Map([
  [parseIpv4('10.255.1.4')!, 's-010255001004'],
  [parseIpv4('10.255.1.5')!, 's-010255001005'],
]);

export function createNatCell(ruleset: Ruleset, backend: Backend, choice: PortChoice, now: () => number): NatCell {
  const names = new InterfaceNames();
  for (const name of ['eth0', 'silk-vtep', ...CONTAINERS.values()]) names.number(name);
  const evaluator = compile(tableOf(ruleset, 'nat')!, names, { backend });
  const addresses = silkAddresses(names.size, names.number('eth0'), UNDERLAY, names.number('silk-vtep'), VTEP);
  const table = conntrack.create(1 << 16);
  conntrack.addWindows(table);
  const tracking = connections.create(table, { allows: (slot) => isOutrun(table, slot) });
  const cell: CellNat = { tracking, table: createNatTable(evaluator), addresses, choice, outcome: createOutcome() };
  const layers = stacks.create();
  const quote = quotes.create();
  const packet = createPacket();
  const confirmed: [original: Tuple, reply: Tuple][] = [];

  /** Track the packet and take it through its first NAT hook. */
  function enter(view: DataView, hook: number, partial: boolean): boolean {
    const end = view.byteLength;
    locate(view, 0, end, end, LINKTYPE.RAW, 4789, layers);
    transport.read(view, layers.outer, packet);
    table.now = now();
    if (packet.protocol === PROTOCOL.ICMP && icmp.isError(packet.icmpType)) {
      quotes.locate(view, layers.outer, quote);
      connections.trackError(tracking, 0, quote, packet.destination);
    } else {
      show(table, packet, view, layers.outer);
      connections.track(tracking, 0, packet);
    }
    packet.ctstate = table.ctstate | ctstateBits(tracking.connection.status);
    return pass(cell, hook, packet, view, 0, end, partial) !== TRANSLATED.DROPPED;
  }

  /** Route, POSTROUTING, confirm. */
  function leave(view: DataView, partial: boolean): Seen[] {
    const device = deviceTo(packet.destination);
    packet.outInterface = names.number(device);
    if (pass(cell, HOOK.POSTROUTING, packet, view, 0, view.byteLength, partial) === TRANSLATED.DROPPED) return [];
    if (!confirm()) return [];
    return [{ device, octets: new Uint8Array(view.buffer as ArrayBuffer), partial }];
  }

  function confirm(): boolean {
    const { opening, connection } = tracking;
    table.now = now();
    if (!connections.confirm(tracking)) return false;
    if (opening) confirmed.push([{ ...connection.original }, { ...connection.reply }]);
    return true;
  }

  function deliver(view: DataView, answer: Answer | null): Seen[] {
    packet.outInterface = 0;
    if (pass(cell, HOOK.INPUT, packet, view, 0, view.byteLength, false) === TRANSLATED.DROPPED) return [];
    if (!confirm() || answer === null) return [];
    const own = viewOf(answer(new Uint8Array(view.buffer)));
    packet.inInterface = 0;
    return enter(own, HOOK.OUTPUT, false) ? leave(own, false) : [];
  }

  return {
    connections() {
      // To a packet that opens another connection, those that live are in the way.
      Object.assign(tracking.connection.original, { source: 0, destination: 0 });
      return confirmed
        .filter((tuples) => tuples.every((tuple) => tracking.neighbours.taken(tuple)))
        .map((tuples) => tuples.map(tupleText).join(' '));
    },
    send(device, octets, partial, answer) {
      const view = viewOf(octets);
      packet.inInterface = names.number(device);
      packet.outInterface = 0;
      if (!enter(view, HOOK.PREROUTING, partial)) return [];
      if ([UNDERLAY, VTEP, LINK_LOCAL].includes(packet.destination)) return deliver(view, answer);
      decrementTimeToLive(view);
      return leave(view, partial);
    },
  };
}

const viewOf = (octets: Uint8Array): DataView => new DataView(Uint8Array.from(octets).buffer);

function deviceTo(destination: number): string {
  const container = CONTAINERS.get(destination);
  if (container !== undefined) return container;
  return destination >>> 16 === VTEP >>> 16 ? 'silk-vtep' : 'eth0';
}

/** Independent of `src`: the header is summed anew. */
function decrementTimeToLive(view: DataView): void {
  view.setUint8(8, view.getUint8(8) - 1);
  view.setUint16(10, 0);
  view.setUint16(10, checksum(new Uint8Array(view.buffer, 0, ipv4.headerLength(view, 0))));
}

function tupleText(tuple: Tuple): string {
  const { protocol, sourcePort, destinationPort } = tuple;
  const ends = `${protocol} ${formatIpv4(tuple.source)} ${formatIpv4(tuple.destination)}`;
  if (protocol === PROTOCOL.ICMP) return `${ends} ${destinationPort >>> 8}/${destinationPort & 0xff} ${sourcePort}`;
  return protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP ? `${ends} ${sourcePort} ${destinationPort}` : ends;
}

/** The tuples in what `conntrack -L` prints, written in the same way. */
export function conntrackLines(text: string): string[] {
  return text
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const protocol = Number(line.split(/\s+/)[1]);
      return line
        .slice(line.indexOf('src='))
        .split(/(?=src=)/)
        .map((tuple) => tupleOfText(protocol, tuple))
        .join(' ');
    });
}

function tupleOfText(protocol: number, text: string): string {
  const field = (name: string): string => new RegExp(`\\b${name}=(\\S+)`).exec(text)?.[1] ?? '';
  const ends = `${protocol} ${field('src')} ${field('dst')}`;
  if (protocol === PROTOCOL.ICMP) return `${ends} ${field('type')}/${field('code')} ${field('id')}`;
  return field('sport') === '' ? ends : `${ends} ${field('sport')} ${field('dport')}`;
}
