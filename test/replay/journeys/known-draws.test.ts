/** Numbers that kernels drew, learned from the frames of a real cell: each is given for the packet that it was drawn for. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Draws } from '../../../src/dataplane/emulate/draws.ts';
import { createKnownDraws, type KnownDraws } from '../../../src/replay/journeys/known-draws.ts';
import { readCapture } from '../../dataplane/emulate/emulating.ts';
import { ethernet, icmp, ipv4, silkMac, tcp, udp, vxlan } from '../../dataplane/packets.ts';
import { ROOT } from '../../support/shared.ts';

const test = suite('replay/known-draws');
const UNKNOWN = 7777;
const SEEDED: Draws = { identification: () => UNKNOWN, sourcePort: () => UNKNOWN, credit: () => 0 };
const CELLS = { source: '10.0.0.101', destination: '10.0.0.102' };
const ENDS = { source: '10.255.1.4', destination: '10.255.2.7' };
const BACK = { source: ENDS.destination, destination: ENDS.source };
const NETWORK = 14;
const INNER = 64;
const SECOND = 1e9;

const view = (octets: Uint8Array): DataView => new DataView(octets.buffer, octets.byteOffset, octets.length);
const framed = (packet: Uint8Array): Uint8Array =>
  ethernet(silkMac('aa', ENDS.source), silkMac('ee', ENDS.source), 0x0800, packet);
const tunnelled = (packet: Uint8Array, port: number, identification: number): Uint8Array =>
  framed(ipv4(CELLS, 17, udp(CELLS, port, 4789, vxlan(framed(packet))), { identification }));

function learnFrom(draws: KnownDraws, frame: Uint8Array, cell = 0, time = 0): void {
  draws.learn(view(frame), 0, frame.length, cell, time);
}

/** What `draws` gives for the tunnel of `packet`: source port, then identification. */
function tunnelOf(draws: KnownDraws, packet: Uint8Array, cell = 0): [number, number] {
  const frame = framed(packet);
  const port = draws.sourcePort(cell, view(frame), NETWORK, frame.length);
  return [port, draws.identification(cell, view(frame), -1, frame.length)];
}

const answerTo = (draws: KnownDraws, packet: Uint8Array, cell = 0): number => {
  const frame = framed(packet);
  return draws.identification(cell, view(frame), NETWORK, frame.length);
};

const segment = (identification: number, sequence = 1): Uint8Array =>
  ipv4(ENDS, 6, tcp(ENDS, 40_000, 8080, { flags: 16, sequence }), { identification });

test('tunnels of a real cell: port and identification by the packet inside', async () => {
  const { packets } = await readCapture(join(ROOT, 'captures', 'two-cells', 'cell-a.eth0.pcapng'));
  const sent = packets.filter(({ hex }) => hex.slice(46, 48) === '11' && hex.slice(52, 60) === '0a000065');
  assert.ok(sent.length > 30);
  const draws = createKnownDraws(SEEDED, 4789);
  for (const { octets } of sent) learnFrom(draws, octets);
  for (const { octets } of sent) {
    const bytes = view(octets);
    assert.is(draws.sourcePort(0, bytes, INNER, octets.length), bytes.getUint16(34));
    assert.is(draws.identification(0, bytes, -1, octets.length), bytes.getUint16(18));
  }
});

test('the same packet again has the next numbers, and the last ones from then on', () => {
  const draws = createKnownDraws(SEEDED, 4789);
  for (const identification of [1, 2]) learnFrom(draws, tunnelled(segment(9), 50_000, identification));
  // Another tap saw the last one, too.
  learnFrom(draws, tunnelled(segment(9), 50_000, 2));
  assert.equal(
    [1, 2, 3].map(() => tunnelOf(draws, segment(9))),
    [
      [50_000, 1],
      [50_000, 2],
      [50_000, 2],
    ],
  );
});

test('another packet, and another cell, draw from the seed', () => {
  const draws = createKnownDraws(SEEDED, 4789);
  learnFrom(draws, tunnelled(segment(9), 50_000, 1));
  assert.equal(tunnelOf(draws, segment(10)), [UNKNOWN, UNKNOWN]);
  assert.equal(tunnelOf(draws, segment(9, 2)), [UNKNOWN, UNKNOWN]);
  assert.equal(tunnelOf(draws, segment(9), 1), [UNKNOWN, UNKNOWN]);
  assert.equal(tunnelOf(draws, segment(9)), [50_000, 1]);
});

test('an error has the identification of the captured one that quotes the packet', () => {
  const draws = createKnownDraws(SEEDED, 4789);
  for (const identification of [1, 2, 3]) {
    const error = ipv4(BACK, 1, icmp(3, 3, 0, segment(identification)), { identification: 100 + identification });
    learnFrom(draws, framed(error));
  }
  assert.equal(
    [3, 1, 2, 4].map((one) => answerTo(draws, segment(one))),
    [103, 101, 102, UNKNOWN],
  );
});

test('an echo reply has that of the captured reply with its identifier and number', () => {
  const draws = createKnownDraws(SEEDED, 4789);
  const echo = (type: number, number: number, ends: typeof ENDS, identification: number): Uint8Array =>
    ipv4(ends, 1, icmp(type, 0, 0x0042_0000 | number), { identification });
  learnFrom(draws, framed(echo(0, 1, BACK, 501)));
  learnFrom(draws, framed(echo(0, 2, BACK, 502)));
  assert.equal(
    [2, 1, 3].map((number) => answerTo(draws, echo(8, number, ENDS, 5))),
    [502, 501, UNKNOWN],
  );
});

test('an answer inside a tunnel tells both: its own identification and the tunnel’s numbers', () => {
  const draws = createKnownDraws(SEEDED, 4789);
  const error = ipv4(BACK, 1, icmp(3, 3, 0, segment(5)), { identification: 900 });
  learnFrom(draws, tunnelled(error, 51_000, 77));
  assert.is(answerTo(draws, segment(5)), 900);
  assert.equal(tunnelOf(draws, error), [51_000, 77]);
});

test('a port from the seed has no identification of another packet left over', () => {
  const draws = createKnownDraws(SEEDED, 4789);
  learnFrom(draws, tunnelled(segment(9), 50_000, 1));
  const frame = framed(segment(9));
  assert.is(draws.sourcePort(0, view(frame), NETWORK, frame.length), 50_000);
  // That tunnel was never written; the next one is of another packet.
  assert.equal(tunnelOf(draws, segment(10)), [UNKNOWN, UNKNOWN]);
});

test('what was learned long ago is forgotten, what was learned again is not', () => {
  const draws = createKnownDraws(SEEDED, 4789);
  learnFrom(draws, tunnelled(segment(1), 50_001, 1), 0, 0);
  learnFrom(draws, tunnelled(segment(2), 50_002, 2), 0, 0);
  learnFrom(draws, tunnelled(segment(1), 50_001, 1), 0, 5 * SECOND);
  draws.forget(2 * SECOND);
  assert.equal(tunnelOf(draws, segment(2)), [UNKNOWN, UNKNOWN]);
  assert.equal(tunnelOf(draws, segment(1)), [50_001, 1]);
});

test('frames that carry no packet teach nothing', () => {
  const draws = createKnownDraws(SEEDED, 4789);
  const whole = tunnelled(segment(9), 50_000, 1);
  for (let length = 0; length <= whole.length; length++) draws.learn(view(whole), 0, Math.min(length, 70), 0, 0);
  assert.equal(tunnelOf(draws, segment(9)), [UNKNOWN, UNKNOWN]);
});

test.run();
