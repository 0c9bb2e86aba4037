/**
 * A random foundation, as the text of a foundation file: what a person could write, and nothing else can read.
 *
 * Ports and tags come from small sets, so that packets drawn later meet the policies often.
 */
import type { Chance } from './chance.ts';

/** Ports that policies, security groups and packets choose from. */
export const PORTS = [53, 80, 443, 8080, 8081, 9000, 61001] as const;
export const FIRST_HOST_PORT = 61_000;
/** Addresses outside the foundation that packets go to; security groups speak of them. */
export const OUTSIDE = ['198.51.100.7', '198.51.100.200', '203.0.113.9', '192.0.2.53'] as const;

export interface PolicyText {
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'tcp' | 'udp';
  readonly ports: string;
}

/** A foundation file as an object; `JSON.stringify` makes the file of it. */
export interface FoundationText {
  readonly tagplane: 1;
  readonly cells: readonly object[];
  readonly apps: readonly object[];
  readonly policies: readonly PolicyText[];
  readonly security_groups: readonly object[];
  readonly properties: object;
}

const guid = (kind: string, index: number): string =>
  `${kind}0000${index.toString(16).padStart(2, '0')}-0000-4000-8000-0000000000${index.toString(16).padStart(2, '0')}`;

const drawPorts = (chance: Chance): string => {
  if (chance.percent(60)) return String(chance.pick(PORTS));
  const [low, high] = [chance.pick(PORTS), chance.pick(PORTS)].sort((a, b) => a - b);
  return chance.percent(10) ? '1-65535' : `${low}-${high}`;
};

/** Between none and three for each app. */
export function drawPolicies(chance: Chance, apps: readonly string[]): PolicyText[] {
  const count = chance.between(1, apps.length * 3);
  const drawn = Array.from(
    { length: count },
    (): PolicyText => ({
      source: chance.pick(apps),
      destination: chance.pick(apps),
      protocol: chance.percent(55) ? 'tcp' : 'udp',
      ports: drawPorts(chance),
    }),
  );
  return [...new Map(drawn.map((policy) => [JSON.stringify(policy), policy])).values()];
}

const drawDestination = (chance: Chance): string =>
  chance.weighted([
    [3, '198.51.100.0/24'],
    [2, '203.0.113.9'],
    [2, '0.0.0.0-9.255.255.255'],
    [2, '192.0.2.0-198.51.100.100'],
    [1, '0.0.0.0/0'],
  ]);

function drawGroupRule(chance: Chance): object {
  const destination = drawDestination(chance);
  const log = chance.percent(30);
  switch (chance.between(0, 3)) {
    case 0:
      return { protocol: 'tcp', destination, ports: drawPorts(chance), log };
    case 1:
      return { protocol: 'udp', destination, ports: drawPorts(chance), log };
    case 2:
      return { protocol: 'icmp', destination, type: chance.pick([-1, 0, 8]), code: chance.pick([-1, 0]), log };
    default:
      return { protocol: 'all', destination, log };
  }
}

/** Two to four cells with one to eight containers each. */
export function drawFoundation(chance: Chance): FoundationText {
  const cells = Array.from({ length: chance.between(2, 4) }, (_, index) => ({
    name: `cell${index}`,
    underlay: `10.0.0.${101 + index}`,
    lease: `10.255.${index + 1}.0/24`,
  }));
  const places = cells.flatMap(({ name }, index) =>
    Array.from({ length: chance.between(1, 8) }, (_, container) => ({
      cell: name,
      ip: `10.255.${index + 1}.${4 + container}`,
    })),
  );
  const count = Math.min(places.length, chance.between(2, 6));
  const apps = Array.from({ length: count }, (_, index) => ({
    name: `app${index}`,
    guid: guid('a', index),
    space: `space${index % 2}`,
    instances: [] as object[],
  }));
  for (const [index, place] of places.entries()) {
    // Every app has an instance; the rest fall where they may.
    const app = index < count ? apps[index]! : chance.pick(apps);
    const first = FIRST_HOST_PORT + index * 2;
    app.instances.push({
      ...place,
      handle: `${guid('c', index).slice(0, 8)}-1111-4a4a-5b5b-${String(index).padStart(4, '0')}`,
      ports: chance.percent(50) ? [`${first}:8080`, `${first + 1}:61001`] : [],
    });
  }
  return {
    tagplane: 1,
    cells,
    apps,
    policies: drawPolicies(
      chance,
      apps.map(({ name }) => name),
    ),
    security_groups: Array.from({ length: chance.between(0, 3) }, (_, index) => ({
      name: `group${index}`,
      rules: Array.from({ length: chance.between(1, 3) }, () => drawGroupRule(chance)),
      ...(chance.percent(60) ? { running_default: true } : { running_space_guids: [`space${chance.between(0, 1)}`] }),
    })),
    properties: {
      iptables_logging: chance.percent(40),
      enable_asg_syncing: chance.percent(70),
      disable_container_network_policy: chance.percent(5),
      ...(chance.percent(20) ? { deny_networks: { running: ['203.0.113.0/24'] } } : {}),
      ...(chance.percent(30) ? { host_tcp_services: ['169.254.0.2:9001'] } : {}),
    },
  };
}
