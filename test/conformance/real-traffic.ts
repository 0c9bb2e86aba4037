/**
 * Real programs on the foundation of the captures: web servers, TLS, datagrams and pings between containers, to a host
 * port, and to a host outside the overlay.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import * as programs from '../../captures/programs.ts';
import { formatIpv4 } from '../../src/wire/address.ts';
import { iptablesIn, type Lab } from './lab.ts';
import { underlayMac, VTEP_DEVICE } from './lab-names.ts';
import { type Background, run, runIn, start, waitFor } from './lab-shell.ts';
import { GATEWAY } from './random/world.ts';

/** A host outside the overlay that security groups allow (RFC 5737 leaves it for examples). */
export const OUTSIDE = '198.51.100.7';
export const OUTSIDE_PORT = 8080;
/** Two containers use it towards the same host, so that masquerading has to find another for one. */
export const CONTESTED_PORT = 40_061;
/** Source ports of connections that the first cell resets: once they are open, and at their SYN. */
const RESET_PORT = 40_071;
const RESET_AT_ONCE_PORT = 40_072;
const PAGE = 200_000;
const FRAGMENTED = 250;

/** The underlay's router, where the host outside is, too. Everybody knows everybody, so that nobody asks. */
function openOutside({ namespaces, foundation, onCell }: Lab): void {
  const known = foundation.cells.map(
    ({ underlay }) => `neigh replace ${formatIpv4(underlay)} lladdr ${underlayMac(underlay)} dev bridge nud permanent`,
  );
  const commands = [
    `link set bridge address ${GATEWAY.mac}`,
    `addr add ${GATEWAY.address}/24 dev bridge`,
    `addr add ${OUTSIDE}/32 dev bridge`,
    ...known,
  ];
  run('ip', ['-n', namespaces.underlay, '-batch', '-'], { input: `${commands.join('\n')}\n` });
  for (const { name, underlay } of foundation.cells) {
    const neighbours = foundation.cells
      .filter((other) => other.underlay !== underlay)
      .map((other) => [formatIpv4(other.underlay), underlayMac(other.underlay)] as const);
    for (const [address, mac] of [[GATEWAY.address, GATEWAY.mac] as const, ...neighbours])
      onCell(name, 'ip', `neigh replace ${address} lladdr ${mac} dev eth0 nud permanent`.split(' '));
    onCell(name, 'ip', ['route', 'add', 'default', 'via', GATEWAY.address, 'dev', 'eth0']);
  }
}

const NO_OFFLOAD = ['tx', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off'];

/** The lab switches offloads off on veths; a VTEP puts segments together, too, once they are out of the tunnel. */
function splitSegments({ namespaces, foundation, onCell }: Lab): void {
  runIn(namespaces.underlay, 'ethtool', ['-K', 'bridge', ...NO_OFFLOAD]);
  for (const { name } of foundation.cells) onCell(name, 'ethtool', ['-K', VTEP_DEVICE, ...NO_OFFLOAD]);
}

/** Start every server. The one outside is not the lab's own: the caller ends it. */
export async function prepare(lab: Lab, directory: string): Promise<Background> {
  const place = (name: string): programs.Place => programs.placeOf(lab, name);
  const pages = join(directory, 'pages');
  mkdirSync(pages);
  programs.writePage(pages, 'status', PAGE);
  programs.writePage(directory, 'status', PAGE);
  openOutside(lab);
  splitSegments(lab);
  addResets(lab);
  await programs.serveHttp(lab, place('frontend/0'), 9090, pages);
  await programs.serveHttp(lab, place('frontend/0'), 61_001, pages);
  await programs.serveHttp(lab, place('backend/0'), 8080, pages);
  await programs.serveHttp(lab, place('backend/1'), 8080, pages);
  await programs.serveUdpEcho(lab, place('orders/0'), 5000);
  await programs.serveTls(lab, place('backend/1'), 61_443, 'backend.apps.internal', directory);
  const { underlay } = lab.namespaces;
  const server = ['-m', 'http.server', `${OUTSIDE_PORT}`, '--bind', OUTSIDE, '--directory', pages];
  const outside = start(underlay, 'python3', server);
  const listens = (): boolean => runIn(underlay, 'ss', ['-H', '-ltn', `sport = :${OUTSIDE_PORT}`]).stdout !== '';
  await waitFor('the host outside', listens, outside.said);
  return outside;
}

function allowed(lab: Lab): void {
  const place = (name: string): programs.Place => programs.placeOf(lab, name);
  const [frontend, orders] = [place('frontend/0'), place('orders/0')];
  const [backendA, backendB] = [place('backend/0'), place('backend/1')];
  assert.is(programs.http(lab, frontend, 40_001, backendB, 8080), 'answered', 'a page from the other cell');
  assert.is(programs.https(lab, frontend, 40_002, backendB, 61_443), 'answered', 'the same over TLS');
  assert.is(programs.http(lab, backendB, 40_004, frontend, 9090), 'answered', 'a page to the other cell');
  assert.is(programs.http(lab, frontend, 40_021, backendA, 8080), 'answered', 'a page on the same cell');
  assert.is(programs.datagram(lab, frontend, 40_003, orders, 5000, 'order 4711'), 'answered', 'a datagram');
  assert.is(
    programs.datagram(lab, frontend, 40_005, orders, 5000, 'order 4711', FRAGMENTED),
    'answered',
    'a datagram in fragments',
  );
  assert.is(programs.ping(lab, frontend, '10.255.2.0', 103), 'answered', 'ping of the other VTEP');
}

function denied(lab: Lab): void {
  const place = (name: string): programs.Place => programs.placeOf(lab, name);
  const [frontend, orders, batch] = [place('frontend/0'), place('orders/0'), place('batch/0')];
  const [backendA, backendB] = [place('backend/0'), place('backend/1')];
  assert.is(programs.http(lab, frontend, 40_011, backendB, 9999), 'refused', 'another port on the other cell');
  assert.is(programs.http(lab, batch, 40_013, backendB, 8080), 'refused', 'no policy to the other cell');
  assert.is(programs.http(lab, orders, 40_015, frontend, 9090), 'refused', 'no policy from the other cell');
  assert.is(programs.http(lab, batch, 40_024, backendA, 8080), 'refused', 'no policy on the same cell');
  assert.is(programs.datagram(lab, batch, 40_014, orders, 5000, 'order 4713', FRAGMENTED), 'refused', 'fragments');
  assert.is(programs.ping(lab, frontend, backendB.address, 101), 'no answer', 'ping of the other cell');
  assert.is(programs.ping(lab, backendB, frontend.address, 102), 'no answer', 'ping from the other cell');
  assert.is(programs.ping(lab, frontend, '10.255.1.0', 104), 'no answer', 'ping of its own VTEP, which INPUT refuses');
  assert.is(programs.ping(lab, frontend, backendB.address, 105, 1), 'no answer', 'a TTL that ends on the first cell');
  assert.is(programs.ping(lab, frontend, backendB.address, 106, 2), 'no answer', 'a TTL that ends on the second cell');
}

/** A host port from outside, and the way out of the overlay, twice with the same source port. */
function outside(lab: Lab): void {
  const place = (name: string): programs.Place => programs.placeOf(lab, name);
  const there: programs.Place = { name: 'outside', address: OUTSIDE };
  const cell = formatIpv4(lab.foundation.cells[0]!.underlay);
  const args = ['-s', '--noproxy', '*', '-o', '/dev/null', '--max-time', '4', '--local-port', '40051'];
  runIn(lab.namespaces.underlay, 'curl', [...args, `http://${cell}:61000/status`]);
  for (const client of ['frontend/0', 'batch/0'])
    assert.is(
      programs.http(lab, place(client), CONTESTED_PORT, there, OUTSIDE_PORT),
      'answered',
      `${client} to a host outside`,
    );
  assert.is(programs.ping(lab, place('frontend/0'), OUTSIDE, 107), 'answered', 'ping of a host outside');
}

/** Silk has no rule that sends resets. They belong to the connection that they close: RELATED, in the other direction. */
function addResets(lab: Lab): void {
  const cell = lab.foundation.cells[0]!.name;
  const reset = '-j REJECT --reject-with tcp-reset';
  for (const rule of [
    `FORWARD 1 -p tcp --sport ${RESET_PORT} --tcp-flags PSH PSH ${reset}`,
    `FORWARD 1 -p tcp --sport ${RESET_AT_ONCE_PORT} ${reset}`,
    'OUTPUT 1 -p tcp -m conntrack --ctstate RELATED -j ACCEPT',
  ])
    iptablesIn(lab, cell, 'iptables', ['-I', ...rule.split(' ')]);
}

const CONNECTION_RESET = 56;

/** The last of all, for a connection that was closed by a reset is remembered for ten seconds. */
function reset(lab: Lab): void {
  const [frontend, backend] = ['frontend/0', 'backend/1'].map((name) => programs.placeOf(lab, name));
  const args = ['-s', '--noproxy', '*', '--local-port', `${RESET_PORT}`, `http://${backend!.address}:8080/status`];
  lab.inContainer(frontend!.name, 'curl', args, { allow: [CONNECTION_RESET] });
  assert.is(programs.http(lab, frontend!, RESET_AT_ONCE_PORT, backend!, 8080), 'refused', 'a reset for its SYN');
}

/** All of it, one after the other. Throws when a program sees something else than it should. */
export function traffic(lab: Lab): void {
  allowed(lab);
  denied(lab);
  outside(lab);
  reset(lab);
}
