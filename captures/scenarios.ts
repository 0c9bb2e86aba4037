/** What happens on the foundation while the taps are open: one list of flows per capture. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Foundation } from '../src/foundation/model.ts';
import { DEFAULT_LAB, type Lab, type LabOptions } from '../test/conformance/lab.ts';
import { LabError, sleep } from '../test/conformance/lab-shell.ts';
import { SHOP } from './foundations.ts';
import type { Place, Seen } from './programs.ts';
import * as programs from './programs.ts';

export interface Scenario {
  readonly name: string;
  readonly summary: string;
  readonly foundation: Foundation;
  readonly options: LabOptions;
  /** Cells whose underlay interface is captured. */
  readonly underlayTaps: readonly string[];
  /** Cells whose host veths are captured, for what stays inside them. */
  readonly vethTaps: readonly string[];
  /** Start the servers. */
  readonly prepare: (lab: Lab, directory: string) => Promise<void>;
  /** Make the traffic; throws when a program sees something else than it should. */
  readonly traffic: (lab: Lab) => Promise<void>;
}

interface Places {
  readonly frontend: Place;
  readonly backendA: Place;
  readonly backendB: Place;
  readonly orders: Place;
  readonly batch: Place;
}

const placesOf = (lab: Lab): Places => ({
  frontend: programs.placeOf(lab, 'frontend/0'),
  backendA: programs.placeOf(lab, 'backend/0'),
  backendB: programs.placeOf(lab, 'backend/1'),
  orders: programs.placeOf(lab, 'orders/0'),
  batch: programs.placeOf(lab, 'batch/0'),
});

function expect(flow: string, seen: Seen, expected: Seen): void {
  if (seen !== expected) throw new LabError('ERR_LAB_COMMAND', `${flow}: ${seen}, expected ${expected}`);
}

async function prepareShop(lab: Lab, directory: string, pageOctets: number): Promise<void> {
  const { frontend, backendA, backendB, orders } = placesOf(lab);
  const pages = join(directory, 'pages');
  mkdirSync(pages);
  programs.writePage(pages, 'status', pageOctets);
  programs.writePage(directory, 'status', 99);
  await programs.serveHttp(lab, frontend, 9090, pages);
  await programs.serveHttp(lab, backendA, 8080, pages);
  await programs.serveHttp(lab, backendB, 8080, pages);
  await programs.serveHttp(lab, orders, 8080, pages);
  await programs.serveUdpEcho(lab, orders, 5000);
  await programs.serveTls(lab, backendB, 61443, 'backend.apps.internal', directory);
}

/** What the policies allow, from cell to cell. */
function allowedAcrossCells(lab: Lab): void {
  const { frontend, backendA, backendB, orders } = placesOf(lab);
  expect('frontend to backend/1', programs.http(lab, frontend, 40001, backendB, 8080), 'answered');
  expect('frontend to backend/1, TLS', programs.https(lab, frontend, 40002, backendB, 61443), 'answered');
  expect('frontend to orders, UDP', programs.datagram(lab, frontend, 40003, orders, 5000, 'order 4711'), 'answered');
  expect('backend/1 to frontend', programs.http(lab, backendB, 40004, frontend, 9090), 'answered');
  expect('backend/0 to orders', programs.http(lab, backendA, 40005, orders, 8080), 'answered');
}

/** Allowed, but nobody listens: the container answers, not the cell. */
function allowedButClosed(lab: Lab): void {
  const { frontend, backendA, orders } = placesOf(lab);
  expect('backend/0 to closed orders', programs.http(lab, backendA, 40006, orders, 8081), 'refused');
  expect(
    'frontend to closed orders, UDP',
    programs.datagram(lab, frontend, 40007, orders, 5001, 'order 4712'),
    'refused',
  );
}

/** What no policy allows, from cell to cell. */
function deniedAcrossCells(lab: Lab): void {
  const { frontend, backendB, orders, batch } = placesOf(lab);
  expect('frontend to backend/1, wrong port', programs.http(lab, frontend, 40011, backendB, 9999), 'refused');
  expect('frontend to orders, TCP', programs.http(lab, frontend, 40012, orders, 8080), 'refused');
  expect('batch to backend/1', programs.http(lab, batch, 40013, backendB, 8080), 'refused');
  expect('batch to orders, UDP', programs.datagram(lab, batch, 40014, orders, 5000, 'order 4713'), 'refused');
  expect('orders to frontend', programs.http(lab, orders, 40015, frontend, 9090), 'refused');
  expect('frontend pings backend/1', programs.ping(lab, frontend, backendB.address, 101), 'no answer');
  expect('backend/1 pings frontend', programs.ping(lab, backendB, frontend.address, 102), 'no answer');
}

/** Packets that end at a cell: its VTEP answers pings, and a TTL that runs out there is answered too. */
function endingAtCells(lab: Lab): void {
  const { frontend, backendB } = placesOf(lab);
  expect('frontend pings the VTEP of cell-b', programs.ping(lab, frontend, '10.255.2.0', 103), 'answered');
  expect('frontend pings backend/1 with TTL 2', programs.ping(lab, frontend, backendB.address, 104, 2), 'no answer');
}

/** Inside one cell nothing is encapsulated: only the host's ends of the veths see it. */
function insideCells(lab: Lab): void {
  const { frontend, backendA, backendB, orders, batch } = placesOf(lab);
  expect('frontend to backend/0', programs.http(lab, frontend, 40021, backendA, 8080), 'answered');
  expect('backend/1 to orders', programs.http(lab, backendB, 40022, orders, 8080), 'answered');
  expect('frontend to backend/0, wrong port', programs.http(lab, frontend, 40023, backendA, 9999), 'refused');
  expect('batch to backend/0', programs.http(lab, batch, 40024, backendA, 8080), 'refused');
  expect('frontend pings backend/0', programs.ping(lab, frontend, backendA.address, 105), 'no answer');
}

async function leaveOpen(lab: Lab): Promise<void> {
  const { frontend, backendB } = placesOf(lab);
  programs.openTls(lab, frontend, 40031, backendB, 61443);
  await sleep(500);
}

const TWO_CELLS: Scenario = {
  name: 'two-cells',
  summary: 'allowed and denied flows between and inside two cells; iptables-nft, no logging, offload off',
  foundation: SHOP,
  options: DEFAULT_LAB,
  underlayTaps: ['cell-a', 'cell-b'],
  vethTaps: ['cell-a', 'cell-b'],
  prepare: (lab, directory) => prepareShop(lab, directory, 297),
  async traffic(lab) {
    allowedAcrossCells(lab);
    deniedAcrossCells(lab);
    allowedButClosed(lab);
    endingAtCells(lab);
    insideCells(lab);
    await leaveOpen(lab);
  },
};

const LOGGING_LEGACY: Scenario = {
  name: 'logging-legacy',
  summary: 'the same foundation with iptables_logging on and iptables-legacy; shorter',
  foundation: { ...SHOP, settings: { ...SHOP.settings, logging: true } },
  options: { ...DEFAULT_LAB, backend: 'legacy' },
  underlayTaps: ['cell-b'],
  vethTaps: ['cell-a'],
  prepare: (lab, directory) => prepareShop(lab, directory, 33),
  async traffic(lab) {
    const { frontend, backendA, backendB, orders, batch } = placesOf(lab);
    expect('frontend to backend/1', programs.http(lab, frontend, 40001, backendB, 8080), 'answered');
    expect('frontend to orders, UDP', programs.datagram(lab, frontend, 40003, orders, 5000, 'order 4711'), 'answered');
    expect('frontend to backend/1, wrong port', programs.http(lab, frontend, 40011, backendB, 9999), 'refused');
    expect('batch to backend/1', programs.http(lab, batch, 40013, backendB, 8080), 'refused');
    expect('frontend to backend/0', programs.http(lab, frontend, 40021, backendA, 8080), 'answered');
    expect('batch to backend/0', programs.http(lab, batch, 40024, backendA, 8080), 'refused');
  },
};

const OFFLOAD: Scenario = {
  name: 'offload',
  summary: 'a larger answer with segmentation and checksum offload on: frames beyond the MTU, partial checksums',
  foundation: SHOP,
  options: { ...DEFAULT_LAB, offload: true },
  underlayTaps: ['cell-b'],
  vethTaps: [],
  prepare: (lab, directory) => prepareShop(lab, directory, 12_000),
  async traffic(lab) {
    const { frontend, backendB, orders, batch } = placesOf(lab);
    expect('frontend to backend/1', programs.http(lab, frontend, 40001, backendB, 8080), 'answered');
    expect(
      'frontend to orders, 2,500 octets',
      programs.datagram(lab, frontend, 40003, orders, 5000, 'order 4711', 250),
      'answered',
    );
    expect('batch to backend/1', programs.http(lab, batch, 40013, backendB, 8080), 'refused');
    expect(
      'batch to orders, 2,500 octets',
      programs.datagram(lab, batch, 40014, orders, 5000, 'order 4713', 250),
      'refused',
    );
  },
};

export const SCENARIOS: readonly Scenario[] = [TWO_CELLS, LOGGING_LEGACY, OFFLOAD];
