/**
 * The foundation behind every capture: two cells, a small shop.
 *
 *     frontend (cell-a)  -> backend tcp 8080 and 61443, -> orders udp 5000-5001
 *     backend  (one instance on each cell) -> frontend tcp 9090, -> orders tcp 8080-8081
 *     orders   (cell-b) listens, and is the source of nothing: its replies carry no tag
 *     batch    (cell-a) is in no policy and has no tag
 */
import type { App, Foundation, Policy } from '../src/foundation/model.ts';
import { parseCidr, parseIpv4 } from '../src/wire/address.ts';

const address = (text: string): number => parseIpv4(text)!;
const block = (text: string): { address: number; prefixLength: number } => parseCidr(text)!;

const SPACE = { space: 'production', organization: 'shop' };

const FRONTEND: App = {
  ...SPACE,
  name: 'frontend',
  guid: '5c1d9a3e-2f47-4b86-9e02-7d81c46ab035',
  tag: 0x0001,
  routes: ['frontend.apps.internal'],
  instances: [
    {
      cell: 'cell-a',
      address: address('10.255.1.4'),
      handle: '8f0c2b6e-41d7-4e93-5a18-c2d9',
      workload: 'app',
      ports: [
        { host: 61000, container: 61001 },
        { host: 61001, container: 61002 },
      ],
    },
  ],
};

const BACKEND: App = {
  ...SPACE,
  name: 'backend',
  guid: 'b27e6f10-83c4-4d5a-a1f9-0e5b3c7d9246',
  tag: 0x001f,
  routes: ['backend.apps.internal'],
  instances: [
    {
      cell: 'cell-a',
      address: address('10.255.1.5'),
      handle: '1d7e94a0-6c35-4f28-7b4d-903e',
      workload: 'app',
      ports: [
        { host: 61002, container: 61001 },
        { host: 61003, container: 61002 },
      ],
    },
    {
      cell: 'cell-b',
      address: address('10.255.2.7'),
      handle: '64b3f82c-0e9a-4517-6d20-58fa',
      workload: 'app',
      ports: [
        { host: 61000, container: 61001 },
        { host: 61001, container: 61002 },
      ],
    },
  ],
};

const ORDERS: App = {
  ...SPACE,
  name: 'orders',
  guid: 'e940ac57-1b6d-4f03-8c72-d4a8f5be6119',
  tag: 0x00c4,
  routes: ['orders.apps.internal'],
  instances: [
    {
      cell: 'cell-b',
      address: address('10.255.2.8'),
      handle: 'c95a03d4-72f1-4b8e-4e67-1fb8',
      workload: 'app',
      ports: [
        { host: 61002, container: 61001 },
        { host: 61003, container: 61002 },
      ],
    },
  ],
};

const BATCH: App = {
  ...SPACE,
  name: 'batch',
  guid: '0f83d1b9-96ea-4c27-b5d4-62e71ca0d3f8',
  tag: null,
  routes: [],
  instances: [
    {
      cell: 'cell-a',
      address: address('10.255.1.9'),
      handle: 'a2e6570b-d84c-4390-5f1b-7c4e',
      workload: 'app',
      ports: [
        { host: 61004, container: 61001 },
        { host: 61005, container: 61002 },
      ],
    },
  ],
};

const policy = (source: App, destination: App, protocol: 'tcp' | 'udp', start: number, end = start): Policy => ({
  source: source.guid,
  destination: destination.guid,
  protocol,
  ports: { start, end },
});

/** What `public_networks` opens in cf-deployment: everything but private networks. */
const PUBLIC_NETWORKS = [
  ['0.0.0.0', '9.255.255.255'],
  ['11.0.0.0', '169.253.255.255'],
  ['169.255.0.0', '172.15.255.255'],
  ['172.32.0.0', '192.167.255.255'],
  ['192.169.0.0', '255.255.255.255'],
] as const;

export const SHOP: Foundation = {
  overlay: { network: block('10.255.0.0/16'), vni: 1, port: 4789 },
  cells: [
    { name: 'cell-a', underlay: address('10.0.0.101'), lease: block('10.255.1.0/24'), interfaces: ['eth0'] },
    { name: 'cell-b', underlay: address('10.0.0.102'), lease: block('10.255.2.0/24'), interfaces: ['eth0'] },
  ],
  apps: [FRONTEND, BACKEND, ORDERS, BATCH],
  policies: [
    policy(FRONTEND, BACKEND, 'tcp', 8080),
    policy(FRONTEND, BACKEND, 'tcp', 61443),
    policy(FRONTEND, ORDERS, 'udp', 5000, 5001),
    policy(BACKEND, FRONTEND, 'tcp', 9090),
    policy(BACKEND, ORDERS, 'tcp', 8080, 8081),
  ],
  securityGroups: [
    {
      name: 'public_networks',
      guid: '3ad5e8c2-70f4-4196-8b2d-9c0e1f47a56b',
      rules: PUBLIC_NETWORKS.map(([low, high]) => ({
        protocol: 'all',
        destinations: [{ low: address(low), high: address(high) }],
        ports: [],
        type: null,
        code: null,
        log: false,
      })),
      runningDefault: true,
      stagingDefault: false,
      runningSpaces: [],
      stagingSpaces: [],
    },
  ],
  settings: {
    logging: false,
    deniedLogsPerSecond: 1,
    acceptedUdpLogsPerSecond: 100,
    dnsServers: [address('169.254.0.53')],
    hostTcpServices: [],
    hostUdpServices: [],
    denyNetworks: { always: [], running: [], staging: [] },
    dynamicSecurityGroups: true,
    disableContainerNetworkPolicy: false,
    outboundConnections: { limit: false, logging: false, burst: 1000, ratePerSecond: 100, dryRun: false },
    masquerade: 'overlay',
  },
};
