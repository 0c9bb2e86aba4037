/** Plain packets to the containers of one cell, on the edges of what its rules ask, and dataplanes that judge them. */
import * as assert from 'uvu/assert';
import type { Dataplane } from '../../src/dataplane/dataplane.ts';
import { createDataplane } from '../../src/dataplane/setup.ts';
import { containerMac } from '../../src/foundation/lease.ts';
import { readFoundation } from '../../src/foundation/read.ts';
import type { Arena } from '../../src/memory/arena.ts';
import type * as flows from '../../src/replay/flows.ts';
import { InterfaceNames } from '../../src/rules/interfaces.ts';
import type { Rule, Ruleset, Table } from '../../src/rules/model.ts';
import { createPacket } from '../../src/rules/packet.ts';
import * as checksum from '../../src/wire/checksum.ts';
import { createRandom, packetsFor } from '../support/evaluation.ts';
import { SYN } from '../support/frames.ts';
import { octets } from '../support/hex.ts';

export const NETWORK = 0x0aff0100;
export const CONTAINERS = [4, 5, 6];
/** Tags of apps that may talk to the first container: their policies differ in nothing but the tag. */
export const CALLERS = Array.from({ length: 20 }, (_, index) => 1 + index * 7);
/** In a mark: the tag stands in the VXLAN header, but no flag says that it is one. */
export const UNFLAGGED = 0x10000;

const hex = (tag: number): string => tag.toString(16).padStart(4, '0');
export const FOUNDATION = readFoundation(
  JSON.stringify({
    tagplane: 1,
    cells: [
      { name: 'a', underlay: '10.0.0.101', lease: '10.255.2.0/24' },
      { name: 'b', underlay: '10.0.0.102', lease: '10.255.1.0/24' },
    ],
    apps: [
      ...CONTAINERS.map((host) => ({
        name: `back-${host}`,
        guid: `0000000${host}-0000-4000-8000-000000000001`,
        tag: `000${host}`,
        instances: [{ cell: 'b', ip: `10.255.1.${host}` }],
      })),
      ...CALLERS.map((tag, index) => ({
        name: `front-${tag}`,
        guid: `1000${hex(tag)}-0000-4000-8000-000000000001`,
        tag: hex(tag),
        instances: [{ cell: 'a', ip: `10.255.2.${7 + index}` }],
      })),
    ],
    policies: CALLERS.map((tag) => ({
      source: `front-${tag}`,
      destination: 'back-4',
      protocol: 'tcp',
      ports: '1000-2000',
    })),
  }),
  'foundation.json',
);

/** What a packet inside the tunnel is made of. */
export interface Packet {
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
  readonly ports: readonly [number, number];
  readonly flags: number;
  readonly mark: number;
}

const INNER_IPV4 = 64;
const TRANSPORT = 84;

export function frameOf({ source, destination, protocol, ports, flags, mark }: Packet): Uint8Array {
  const frame = octets(SYN);
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  view.setUint8(42, mark === 0 || mark & UNFLAGGED ? 0x08 : 0x88);
  view.setUint16(44, mark & 0xffff);
  for (const [at, network] of [
    [50, NETWORK],
    [56, 0x0aff0200],
  ] as const) {
    const mac = containerMac(network);
    view.setUint32(at, Math.floor(mac / 0x10000));
    view.setUint16(at + 4, mac % 0x10000);
  }
  view.setUint8(INNER_IPV4 + 9, protocol);
  view.setUint32(INNER_IPV4 + 12, source);
  view.setUint32(INNER_IPV4 + 16, destination);
  view.setUint16(TRANSPORT, ports[0]);
  view.setUint16(TRANSPORT + 2, ports[1]);
  if (protocol === 17) view.setUint16(TRANSPORT + 4, 40);
  else view.setUint8(TRANSPORT + 13, flags);
  view.setUint16(INNER_IPV4 + 10, 0);
  view.setUint16(INNER_IPV4 + 10, checksum.complement(checksum.sum(view, INNER_IPV4, INNER_IPV4 + 20)));
  return frame;
}

export const dataplaneOf = (ruleset: Ruleset, connectionLimit: number, arena: Arena): Dataplane =>
  createDataplane(FOUNDATION, new Map([['b', { ruleset, backend: 'nft' }]]), {
    vxlanPort: 4789,
    strictChecksums: false,
    judged: ['b'],
    connectionLimit,
    arena,
  });

/** Only the first that differ are compared by name: the difference between long lists takes minutes to print. */
export function agreeOn(list: readonly flows.Flow[], expected: readonly flows.Flow[]): void {
  assert.is(list.length, expected.length);
  const other = list.findIndex((flow, at) => JSON.stringify(flow) !== JSON.stringify(expected[at]));
  assert.equal(list[other], expected[other]);
}

export const PACKETS = 240;

/** Packets on the edges of what `table` asks, that come again, also in the other direction of their connection. */
export function packetsOn(ruleset: Ruleset, seed: number): Packet[] {
  const table = ruleset.tables[0]!;
  const random = createRandom(seed);
  const next = packetsFor(table, new InterfaceNames(), seed);
  const packet = createPacket();
  const packets: Packet[] = [];
  for (let index = 0; index < PACKETS / 4; index++) {
    next(packet);
    packets.push({
      source: random(3) === 0 ? NETWORK + CONTAINERS[random(3)]! : packet.source,
      destination: random(3) === 0 ? packet.destination : NETWORK + CONTAINERS[random(3)]!,
      protocol: packet.protocol === 17 ? 17 : 6,
      ports: [packet.sourcePort, packet.destinationPort],
      flags: [2, 16, 16, 18, 17, 4][random(6)]!,
      mark: (packet.mark & 0xffff) | (random(8) === 0 ? UNFLAGGED : 0),
    });
  }
  const again = packets.map((one) =>
    random(2) === 0
      ? { ...one, flags: 16, ports: [one.ports[0] ^ random(4), one.ports[1]] as const }
      : { ...one, source: one.destination, destination: one.source, ports: [one.ports[1], one.ports[0]] as const },
  );
  return [...packets, ...again, ...packets.map((one) => ({ ...one, flags: 16 })), ...again];
}

/** What compiled code leaves to TypeScript, by the kind of match or target. */
const LEFT = ['limit', 'hashlimit', 'addrtype', 'multiport', 'unknown', 'LOG', 'NFLOG', 'MARK', 'CONNMARK', 'DNAT'];

const isLeft = ({ matches, target }: Rule): boolean =>
  LEFT.includes(target.kind) ||
  matches.some((one) => LEFT.includes(one.kind) || (one.kind === 'tcp' && one.flags !== undefined));

/** `table` with little, or nothing, that is left to TypeScript. */
export const strip = (table: Table, keep: number): Table => ({
  ...table,
  chains: table.chains.map((chain) => ({
    ...chain,
    rules: chain.rules.filter((rule, index) => !isLeft(rule) || index === keep),
  })),
});

/** Rules that make walks of several steps: skipped, stopped at a barrier, told by state, and ended by the policy. */
export const LONG_WALKS = `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:first - [0:0]
:second - [0:0]
:third - [0:0]
-A FORWARD -p udp -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -d 10.255.1.4/32 -j first
-A FORWARD -m mark --mark 0x3 -j third
-A FORWARD -m mark --mark 0x1 -j second
-A FORWARD -p tcp -m tcp --dport 53 -j REJECT --reject-with tcp-reset
-A first -p tcp -m tcp --dport 1000:1999 -j RETURN
-A first -p tcp -m tcp --sport 30000:30031 -j ACCEPT
-A first ! -s 10.255.1.5/32
-A second -p tcp -m conntrack --ctstate NEW -m tcp --dport 1500 -j ACCEPT
-A second -p tcp -m conntrack --ctstate ESTABLISHED -m tcp --sport 1500 -j ACCEPT
-A second -m iprange --dst-range 10.255.1.5-10.255.1.6 -j ACCEPT
-A third -p tcp -m tcp --dport 9 -j MARK --set-xmark 0x1/0xffffffff
-A third -p udp -j DROP
COMMIT
`;

/** Packets that take these. */
export function packetsOfLongWalks(count: number, seed: number): Packet[] {
  const random = createRandom(seed);
  const some = <T>(values: readonly T[]): T => values[random(values.length)]!;
  return Array.from({ length: count }, (): Packet => {
    const there = { source: NETWORK + some([5, 5, 0x107]), destination: NETWORK + some([4, 4, 6]) };
    const ports = [30_000 + random(64), some([53, 900, 1500, 1999, 2000])] as const;
    const protocol = some([6, 6, 17]);
    const one = { ...there, ports, protocol, flags: some([2, 16, 16, 18]), mark: random(4) };
    if (one.source !== NETWORK + 5 || random(3) !== 0) return one;
    return { ...one, source: one.destination, destination: one.source, ports: [ports[1], ports[0]] };
  });
}
