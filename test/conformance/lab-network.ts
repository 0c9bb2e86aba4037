/**
 * The network of a silk foundation in network namespaces: an underlay switch, cells with their VTEP, containers.
 *
 *     container (ns)      cell (ns)                               underlay (ns)
 *     eth0 ee:ee:IP ----- s-IP aa:aa:IP | silk-vtep  eth0 ------- bridge
 *
 * Parameters are those of silk: vtep/factory.go (CreateVTEP), vtep/converger.go (routes, neighbours, forwarding entries),
 * cni/lib/*.go (the veth of a container). Addresses exist only inside these namespaces.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cell, Foundation, Instance } from '../../src/foundation/model.ts';
import { contains, formatIpv4 } from '../../src/wire/address.ts';
import * as names from './lab-names.ts';
import { run, runIn } from './lab-shell.ts';

/** Namespaces of one lab, by what lives in them. */
export interface Namespaces {
  readonly underlay: string;
  /** By cell name. */
  readonly cells: ReadonlyMap<string, string>;
  /** By `app/index`. */
  readonly containers: ReadonlyMap<string, string>;
}

export interface NetworkOptions {
  /** Segmentation and checksum offload on all veths; off means every captured octet is final. */
  readonly offload: boolean;
  readonly underlayMtu: number;
}

/** Room for the outer headers: IPv4 20, UDP 8, VXLAN 8, inner Ethernet 14. */
const VXLAN_OVERHEAD = 50;
/** `ip netns exec` puts the files of a namespace's directory here in the place of those in /etc. */
const NAMESPACE_FILES = '/etc/netns';
/** Nothing listens there, so that a program that looks up a name learns at once that there is none. */
const NO_NAME_SERVER = 'nameserver 127.0.0.1\n';
const QUIET = ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1'];
/**
 * Every REJECT must be answered, however many there are. With an empty mask neither the limit per destination nor that of
 * the whole machine applies (net/ipv4/icmp.c, icmpv4_mask_allow); the latter is not a namespace's own on older kernels.
 */
const NO_ICMP_LIMITS = ['net.ipv4.icmp_ratelimit=0', 'net.ipv4.icmp_ratemask=0'];
const NO_OFFLOAD = ['tx', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off'];

export const namesFor = (prefix: string, foundation: Foundation): Namespaces => ({
  underlay: `${prefix}-underlay`,
  cells: new Map(foundation.cells.map((cell) => [cell.name, `${prefix}-${cell.name}`])),
  containers: new Map(
    foundation.apps.flatMap((app) =>
      app.instances.map((_, index) => [`${app.name}/${index}`, `${prefix}-${app.name}-${index}`] as const),
    ),
  ),
});

export const allNamespaces = ({ underlay, cells, containers }: Namespaces): string[] => [
  underlay,
  ...cells.values(),
  ...containers.values(),
];

/** Several `ip` commands in one namespace, stopping at the first that fails. */
const ip = (namespace: string, commands: readonly string[]): void => {
  run('ip', ['-n', namespace, '-batch', '-'], { input: `${commands.join('\n')}\n` });
};

const sysctl = (namespace: string, settings: readonly string[]): void => {
  runIn(namespace, 'sysctl', ['-qw', ...settings]);
};

const offloadOff = (namespace: string, device: string, options: NetworkOptions): void => {
  if (!options.offload) runIn(namespace, 'ethtool', ['-K', device, ...NO_OFFLOAD]);
};

/** Build everything; the namespaces must not exist yet. */
export function buildNetwork(foundation: Foundation, namespaces: Namespaces, options: NetworkOptions): void {
  for (const namespace of allNamespaces(namespaces)) {
    mkdirSync(join(NAMESPACE_FILES, namespace), { recursive: true });
    writeFileSync(join(NAMESPACE_FILES, namespace, 'resolv.conf'), NO_NAME_SERVER);
    run('ip', ['netns', 'add', namespace]);
    sysctl(namespace, QUIET);
    ip(namespace, ['link set lo up']);
  }
  // A bridge that snoops for multicast sends frames of its own.
  ip(namespaces.underlay, ['link add bridge type bridge mcast_snooping 0', 'link set bridge up']);
  foundation.cells.forEach((cell, index) => {
    buildCell(foundation, cell, namespaces, `cell${index}`, options);
  });
  for (const app of foundation.apps) {
    app.instances.forEach((instance, index) => {
      const container = namespaces.containers.get(`${app.name}/${index}`)!;
      buildContainer(instance, namespaces.cells.get(instance.cell)!, container, options);
    });
  }
}

function buildCell(
  foundation: Foundation,
  cell: Cell,
  namespaces: Namespaces,
  port: string,
  options: NetworkOptions,
): void {
  const namespace = namespaces.cells.get(cell.name)!;
  const { underlayMtu: mtu } = options;
  const { overlay } = foundation;
  const underlay = formatIpv4(cell.underlay);
  const vtep = names.VTEP_DEVICE;
  sysctl(namespace, ['net.ipv4.ip_forward=1', 'net.ipv4.conf.all.rp_filter=0', ...NO_ICMP_LIMITS]);
  ip(namespaces.underlay, [
    `link add ${port} mtu ${mtu} type veth peer name eth0 address ${names.underlayMac(cell.underlay)} mtu ${mtu} netns ${namespace}`,
    `link set ${port} master bridge up`,
  ]);
  ip(namespace, [
    'link set eth0 up',
    `addr add ${underlay}/${underlayPrefixLength(foundation.cells)} dev eth0`,
    `link add ${vtep} address ${names.vtepMac(cell.lease)} type vxlan id ${overlay.vni} local ${underlay} dev eth0 dstport ${overlay.port} nolearning gbp`,
    `link set ${vtep} up`,
    `addr add ${names.vtepAddress(cell.lease)}/${overlay.network.prefixLength} dev ${vtep} scope link`,
  ]);
  for (const peer of foundation.cells.filter((other) => other !== cell)) addPeer(namespace, cell, peer);
  offloadOff(namespaces.underlay, port, options);
  offloadOff(namespace, 'eth0', options);
}

/** The longest prefix, /24 at most, that all cells share: the underlay is one link. */
function underlayPrefixLength(cells: readonly Cell[]): number {
  const first = cells[0]!.underlay;
  let length = 24;
  while (!cells.every(({ underlay }) => contains({ address: first, prefixLength: length }, underlay))) length -= 1;
  return length;
}

/** Route, neighbour and forwarding entry for another cell's lease. */
function addPeer(namespace: string, cell: Cell, peer: Cell): void {
  const gateway = names.vtepAddress(peer.lease);
  const mac = names.vtepMac(peer.lease);
  const vtep = names.VTEP_DEVICE;
  ip(namespace, [
    `route replace ${gateway}/${peer.lease.prefixLength} via ${gateway} dev ${vtep} src ${names.vtepAddress(cell.lease)}`,
    `neigh replace ${gateway} lladdr ${mac} dev ${vtep} nud permanent`,
  ]);
  run('bridge', [
    '-n',
    namespace,
    'fdb',
    'replace',
    mac,
    'dev',
    vtep,
    'dst',
    formatIpv4(peer.underlay),
    'self',
    'permanent',
  ]);
}

function buildContainer(instance: Instance, cell: string, container: string, options: NetworkOptions): void {
  const address = formatIpv4(instance.address);
  const [host, inside] = [names.hostVeth(instance.address), names.containerVeth(instance.address)];
  const [hostMac, insideMac] = [names.hostVethMac(instance.address), names.containerMac(instance.address)];
  const mtu = options.underlayMtu - VXLAN_OVERHEAD;
  ip(cell, [
    `link add ${host} address ${hostMac} mtu ${mtu} type veth peer name ${inside} address ${insideMac} mtu ${mtu} netns ${container}`,
    `link set ${host} arp off`,
    `addr add ${names.HOST_VETH_ADDRESS} peer ${address}/32 scope link dev ${host}`,
    `neigh add ${address} lladdr ${insideMac} dev ${host} nud permanent`,
  ]);
  sysctl(cell, [`net.ipv4.conf.${host}.rp_filter=1`]);
  ip(container, [`link set ${inside} name eth0`, 'link set eth0 arp off']);
  sysctl(container, ['net.ipv4.conf.eth0.rp_filter=1']);
  offloadOff(cell, host, options);
  offloadOff(container, 'eth0', options);
  ip(cell, [`link set ${host} up`]);
  ip(container, [
    `addr add ${address} peer ${names.HOST_VETH_ADDRESS}/32 scope link dev eth0`,
    `neigh add ${names.HOST_VETH_ADDRESS} lladdr ${hostMac} dev eth0 nud permanent`,
    'link set eth0 up',
    `route add default via ${names.HOST_VETH_ADDRESS} src ${address}`,
  ]);
}

/** Remove what exists of `namespaces`; devices go with them. It also runs after a failure half-way. */
export function removeNetwork(namespaces: Namespaces): void {
  const existing = run('ip', ['-o', 'netns', 'list'])
    .stdout.split('\n')
    .map((line) => line.split(' ')[0]);
  for (const namespace of allNamespaces(namespaces)) {
    if (existing.includes(namespace)) run('ip', ['netns', 'del', namespace], { allow: [0, 1, 255] });
    rmSync(join(NAMESPACE_FILES, namespace), { recursive: true, force: true });
  }
}
