/**
 * Journeys while they are followed: what is put in and where, what explains a frame, what is given up and when, and that
 * memory does not grow with the captures.
 *
 * Frames are made by an emulation with draws of its own, or by hand; that emulated cells do what real ones do is proved
 * elsewhere (test/scenarios/journeys.test.ts).
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { finish } from '../../../src/replay/journeys/journeys.ts';
import type { JourneySettings } from '../../../src/replay/journeys/model.ts';
import { heldBy } from '../../../src/replay/journeys/state.ts';
import { countingDraws, seenIn, travel } from '../../dataplane/emulate/emulating.ts';
import { ethernet, icmp, ipv4, silkMac, tcp, udp, vxlan } from '../../dataplane/packets.ts';
import { planned } from '../../scenarios/support.ts';
import { follow, type Given, type Heard, handIn, listen, TWO_CELLS } from './following.ts';

const test = suite('replay/journeys');
const SECOND = 1e9;
const FRONTEND = '10.255.1.4';
const BACKEND = '10.255.2.7';
const INSIDE_A = 'cell-a/s-010255001004/eth0';
const INSIDE_B = 'cell-b/s-010255002007/eth0';
const UNDERLAY_A = 'cell-a/eth0';
const UNDERLAY_B = 'cell-b/eth0';
const CELLS = { source: '10.0.0.101', destination: '10.0.0.102' };
const RULES = planned(TWO_CELLS);
const ROUTER = 0x0a000001;
const MACS = new Map([ROUTER, 0x0a000065, 0x0a000066].map((address) => [address, 0x4201_0000_0000 + address]));

const sends = (packet: Iterable<number>): Uint8Array =>
  ethernet(silkMac('aa', FRONTEND), silkMac('ee', FRONTEND), 0x0800, packet);
const onUnderlay = (packet: Iterable<number>): Uint8Array =>
  ethernet('42:01:0a:00:00:66', '42:01:0a:00:00:65', 0x0800, packet);
const inTunnel = (inner: Iterable<number>): Uint8Array => {
  const frame = ethernet(silkMac('ee', '10.255.2.0'), silkMac('ee', '10.255.1.0'), 0x0800, inner);
  return onUnderlay(ipv4(CELLS, 17, udp(CELLS, 50_000, 4789, vxlan(frame, { groupId: 1 }))));
};
const syn = (port = 8080, from = 40_000, to = BACKEND, timeToLive = 64): Uint8Array => {
  const ends = { source: FRONTEND, destination: to };
  return ipv4(ends, 6, tcp(ends, from, port, { flags: 2, sequence: 7 }), { timeToLive, identification: from });
};

/** What all of `taps` see when the frontend sends `packets`, a tenth of a second apart. */
function travelled(packets: readonly Uint8Array[], taps: readonly string[], apart = SECOND / 10): Given[] {
  const inputs = packets.map((packet, i) => ({ tap: INSIDE_A, octets: sends(packet), time: i * apart }));
  const setup = {
    foundation: TWO_CELLS,
    rules: RULES,
    translated: true,
    options: { gateway: ROUTER, underlayMacs: MACS },
  };
  const all = travel(setup, inputs, countingDraws());
  const seen = taps.flatMap((tap) =>
    seenIn(all, tap).map(({ hex, time }) => ({ tap, octets: Buffer.from(hex, 'hex'), time })),
  );
  return seen.sort((a, b) => a.time - b.time);
}

const kinds = ({ frames }: Heard): Record<string, number> => {
  const sums: Record<string, number> = {};
  for (const { found } of frames) sums[found] = (sums[found] ?? 0) + 1;
  return sums;
};

test('a packet that four taps saw is one journey', () => {
  const given = travelled([syn()], [INSIDE_A, UNDERLAY_A, UNDERLAY_B, INSIDE_B]);
  const heard = follow(given);
  assert.equal(kinds(heard), { entered: 1, agreed: 3 });
  assert.equal(heard.unexpected, []);
  assert.is(heard.ended.length, 1);
  assert.is(heard.ended[0]!.origin, 'entered');
  assert.is(heard.ended[0]!.captured.length, 4);
});

test('clocks of captures may be apart, in either direction', () => {
  for (const apart of [-0.4 * SECOND, 0.4 * SECOND]) {
    const given = travelled([syn(), syn(8080, 40_001)], [INSIDE_A, UNDERLAY_B, INSIDE_B]);
    const skewed = given.map((one) => ({ ...one, time: SECOND + one.time + (one.tap === INSIDE_A ? 0 : apart) }));
    const heard = follow(skewed.sort((a, b) => a.time - b.time));
    assert.equal(kinds(heard), { entered: 2, agreed: 4 }, `${apart}`);
    assert.is(heard.ended.length, 2);
  }
});

test('farther apart than the window, frames are not the same packet', () => {
  const [inside, beyond] = travelled([syn()], [INSIDE_A, UNDERLAY_B]);
  const heard = follow([inside!, { ...beyond!, time: 1.5 * SECOND }]);
  // The later one is put in as its container must have sent it.
  assert.equal(
    heard.ended.map(({ origin, captured }) => [origin, captured]),
    [
      ['entered', ['entered 1']],
      ['supposed', ['agreed 2']],
    ],
  );
  assert.equal(heard.unexpected, [`missing at ${UNDERLAY_B}, journey 1`, `missing at ${INSIDE_A}, journey 2`]);
});

test('the same packet twice is two journeys', () => {
  const given = travelled([syn(), syn()], [INSIDE_A, UNDERLAY_B, INSIDE_B], SECOND / 1000);
  const heard = follow(given);
  assert.equal(kinds(heard), { entered: 2, agreed: 4 });
  assert.equal(
    heard.ended.map(({ captured }) => captured.length),
    [3, 3],
  );
});

test('seen at the underlay alone, it is put in as its container must have sent it', () => {
  const heard = follow(travelled([syn()], [UNDERLAY_B]));
  assert.equal(kinds(heard), { agreed: 1 });
  assert.is(heard.ended[0]!.origin, 'supposed');
  assert.is(heard.ended[0]!.taps[0], INSIDE_A);
});

test('fragments of which the underlay alone is known wait for each other', () => {
  const ends = { source: FRONTEND, destination: BACKEND };
  const whole = ipv4(
    ends,
    17,
    udp(
      ends,
      4000,
      9,
      Array.from({ length: 2000 }, (_, i) => i & 0xff),
    ),
  );
  const piece = (from: number, to: number, fragment: number): Uint8Array =>
    ipv4(ends, 17, whole.slice(20 + from, 20 + to), { fragment, identification: 0x77 });
  const pieces = [piece(0, 1400, 0x2000), piece(1400, 2008, 1400 / 8)];
  const heard = follow(travelled(pieces, [UNDERLAY_A, UNDERLAY_B]));
  // Two pieces and the answer of cell B, which no policy lets in, at two taps.
  assert.equal(kinds(heard), { agreed: 6 });
  assert.equal(heard.unexpected, []);
});

test('what the emulated cell kept and the real one did not is missing, and goes on behind it', () => {
  const last = syn(8080, 40_000, BACKEND, 1);
  const [, delivered] = travelled([syn()], [INSIDE_A, INSIDE_B]);
  const heard = follow([
    { tap: INSIDE_A, octets: sends(last), time: 0 },
    { tap: UNDERLAY_B, octets: inTunnel(syn(8080, 40_000, BACKEND, 63)), time: 1000 },
    { ...delivered!, time: 2000 },
  ]);
  assert.equal(heard.compared, [
    `entered packet 1 at ${INSIDE_A}, journey 1`,
    `missing packet 2 at ${UNDERLAY_B}, journey 1`,
    `agreed packet 3 at ${INSIDE_B}, journey 3`,
  ]);
  assert.equal(
    heard.ended.map(({ number, cause, origin, captured }) => [number, cause, origin, captured]),
    [
      [1, 0, 'entered', ['entered 1', 'missing 2']],
      [2, 1, 'made', []],
      [3, 0, 'resumed', ['agreed 3']],
    ],
  );
});

test('octets that differ are named, and those that came go on', () => {
  const [inside, beyond, delivered] = travelled([syn()], [INSIDE_A, UNDERLAY_B, INSIDE_B]);
  const changed = Uint8Array.from(beyond!.octets);
  const CONGESTED = 3;
  const TYPE_OF_SERVICE = 15;
  const HEADER_CHECKSUM = 25;
  changed[TYPE_OF_SERVICE] = CONGESTED;
  changed[HEADER_CHECKSUM]! -= CONGESTED;
  const heard = follow([inside!, { ...beyond!, octets: changed }, delivered!]);
  const [frame] = heard.frames.filter(({ found }) => found === 'different');
  assert.equal(frame!.seen.differing, [TYPE_OF_SERVICE, HEADER_CHECKSUM]);
  // Congestion outside that the inner packet cannot carry: the cell drops it, and the container's frame is missing.
  assert.is(kinds(heard).missing, 1);
});

test('a frame that the capture cut agrees as far as it goes, and is not put in', () => {
  const ends = { source: FRONTEND, destination: '10.255.2.8' };
  const question = ipv4(
    ends,
    17,
    udp(
      ends,
      4000,
      5000,
      Array.from({ length: 100 }, (_, i) => i),
    ),
  );
  const [inside, beyond] = travelled([question], [INSIDE_A, UNDERLAY_B]);
  const cut = ({ octets, ...one }: Given): Given => ({ ...one, octets: octets.slice(0, -60), length: octets.length });
  assert.equal(kinds(follow([inside!, cut(beyond!)])), { entered: 1, agreed: 1 });
  assert.equal(kinds(follow([cut(inside!)])), { cut: 1 });
  // The underlay has all of it: it is put in from there.
  assert.equal(kinds(follow([cut(inside!), beyond!])), { agreed: 2 });
});

test('what a program of a cell may have sent is told apart; an answer of its kernel is not excused', () => {
  const toClient = { source: '10.0.0.102', destination: '10.0.0.9' };
  const leaves = (packet: Iterable<number>): Given => ({
    tap: UNDERLAY_B,
    octets: ethernet('42:01:0a:00:00:09', '42:01:0a:00:00:66', 0x0800, packet),
    time: 0,
  });
  // Who has cell B's address has its hardware address: the frame goes out.
  assert.equal(kinds(follow([leaves(ipv4(toClient, 17, udp(toClient, 53, 4000, [1])))])), { own: 1 });
  assert.equal(kinds(follow([leaves(ipv4(toClient, 6, tcp(toClient, 22, 4000, { flags: 0x10 })))])), { own: 1 });
  assert.equal(kinds(follow([leaves(ipv4(toClient, 6, tcp(toClient, 22, 4000, { flags: 0x04 })))])), { missing: 1 });
  const quote = ipv4({ source: '10.0.0.9', destination: '10.0.0.102' }, 17, [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.equal(kinds(follow([leaves(ipv4(toClient, 1, icmp(3, 3, 0, quote)))])), { missing: 1 });
});

test('what leaves the foundation is compared masqueraded, and known again when the emulated cell kept it', () => {
  const ends = { source: FRONTEND, destination: '8.8.8.8' };
  const question = ipv4(ends, 17, udp(ends, 4000, 53, [1, 2, 3]), { identification: 0x4242 });
  const given = travelled([question], [INSIDE_A, UNDERLAY_A]);
  const frames = given.filter(({ octets }) => octets[12] === 8);
  assert.equal([...frames[1]!.octets.slice(26, 30)], [10, 0, 0, 101]);
  assert.equal(kinds(follow(frames)), { entered: 1, agreed: 1 });
  const closed = follow(frames, { foundation: { ...TWO_CELLS, securityGroups: [] } });
  assert.ok(closed.compared.includes(`missing packet 2 at ${UNDERLAY_A}, journey 1`), closed.compared.join());
  assert.equal(closed.ended[0]!.captured, ['entered 1', 'missing 2']);
  // Without the container's capture, a program of the cell may have sent it.
  assert.equal(kinds(follow(frames.slice(1))), { own: 1 });
});

test('ARP, and frames too short for anything, are left out', () => {
  const arp = ethernet('ff:ff:ff:ff:ff:ff', '42:01:0a:00:00:66', 0x0806, new Uint8Array(28));
  const heard = follow([
    { tap: UNDERLAY_B, octets: arp, time: 0 },
    { tap: UNDERLAY_B, octets: Uint8Array.of(1, 2, 3), time: 0 },
    { tap: UNDERLAY_B, octets: new Uint8Array(0), time: 0 },
  ]);
  assert.equal(kinds(heard), { 'left out': 3 });
});

test('answers that timers send agree, with the identification that was drawn for each', () => {
  // Nobody answers for these addresses: after three seconds the cell says so, about all of them at once.
  const packets = [7, 8, 9].map((port) => syn(port, 40_000 + port, '10.255.77.7'));
  const given = travelled(packets, [INSIDE_A]);
  assert.is(given.length, 6);
  const heard = follow(given);
  assert.equal(kinds(heard), { entered: 3, agreed: 3 });
  assert.equal(heard.unexpected, []);
  // Nothing comes for an hour: the timers ran when they were due, not when something came.
  const late = [
    ...given.slice(0, 3),
    ...travelled([syn()], [INSIDE_A]).map((one) => ({ ...one, time: 3600 * SECOND })),
  ];
  assert.equal(follow(late).unexpected.length, 3);
});

test('everything is told once, and what taps saw is in order of time', () => {
  const packets = Array.from({ length: 200 }, (_, i) => syn(8080, 41_000 + i, i % 3 === 0 ? '10.255.77.7' : BACKEND));
  const given = travelled(packets, [INSIDE_A, UNDERLAY_B]);
  const heard = follow(given, { shown: [UNDERLAY_A, UNDERLAY_B] });
  assert.is(heard.frames.length, given.length);
  assert.is(new Set(heard.ended.map(({ number }) => number)).size, heard.ended.length);
  assert.ok(heard.ended.every(({ fate }) => fate !== null));
  const times = heard.passed.map(({ time }) => time);
  assert.equal(
    times,
    [...times].sort((a, b) => a - b),
  );
  for (const tap of [UNDERLAY_A, UNDERLAY_B])
    assert.is(heard.passed.filter((one) => one.tap === tap).length, packets.length - 67);
});

/** What is held after each frame, at most. */
function most(rounds: number, settings: Partial<JourneySettings> = {}): { heard: Heard; held: number; items: number } {
  const round = travelled(
    Array.from({ length: 20 }, (_, i) => syn(8080, 42_000 + i)),
    [INSIDE_A, UNDERLAY_A, UNDERLAY_B, INSIDE_B],
    SECOND / 20,
  );
  const heard = listen({ ...settings, shown: ['cell-b/silk-vtep'] });
  const { journeys } = heard;
  let [held, items] = [0, 0];
  for (let i = 0; i < rounds; i++) {
    handIn(
      heard,
      round.map((one) => ({ ...one, time: one.time + i * 2 * SECOND })),
    );
    const { ahead, unexplained, openInOrder, enteredInOrder, unwritten, waiting, open, entered, ways } = journeys;
    const queues = [ahead, unexplained, openInOrder, enteredInOrder, unwritten].map(
      (one) => one.items.length - one.next,
    );
    items = Math.max(
      items,
      [waiting, open, entered, ways].reduce((sum, one) => sum + one.size, 0) + Math.max(...queues),
    );
    held = Math.max(held, heldBy(journeys));
  }
  return { heard, held, items };
}

test('memory is flat in the length of the captures', () => {
  const [short, long] = [most(5), most(50)];
  assert.is(long.held, short.held);
  assert.is(long.items, short.items);
  assert.is(long.heard.ended.length / short.heard.ended.length >= 10, true);
});

test('nothing is held when everything is over', () => {
  const { heard } = most(3);
  finish(heard.journeys);
  const { waiting, open, entered, ways } = heard.journeys;
  assert.is(heldBy(heard.journeys), 0);
  assert.equal([waiting.size, open.size, entered.size, ways.size], [0, 0, 0, 0]);
});

test('where too much waits, the window becomes shorter; what that leaves open has a name', () => {
  const packets = Array.from({ length: 400 }, (_, i) => syn(8080, 43_000 + i));
  const given = travelled(packets, [INSIDE_A, INSIDE_B], SECOND / 10_000);
  // Half of what arrives is seen 20 ms late.
  const late = given.map((one, i) =>
    one.tap === INSIDE_B && i % 4 === 1 ? { ...one, time: one.time + SECOND / 50 } : one,
  );
  const mostWaiting = 60_000;
  const heard = listen({ mostWaiting });
  let held = 0;
  for (const one of late.sort((a, b) => a.time - b.time)) {
    handIn(heard, [one]);
    held = Math.max(held, heldBy(heard.journeys));
  }
  assert.ok(held <= mostWaiting, `${held}`);
  const sums = kinds(heard);
  assert.ok(heard.unexpected.some((one) => one.startsWith('crowded out at')));
  assert.ok(heard.unexpected.every((one) => !one.startsWith('missing')));
  assert.ok(sums.entered! > 100);
  assert.ok(sums.agreed! > 100);
});

test('memory has its bound even where time stands still, or one clock is years ahead', () => {
  const packets = Array.from({ length: 600 }, (_, i) => syn(8080, 45_000 + i, i % 50 === 0 ? '10.255.77.7' : BACKEND));
  const given = travelled(packets, [INSIDE_A, UNDERLAY_B, INSIDE_B], 0);
  const mostWaiting = 100_000;
  for (const timeOf of [(): number => 0, (_: Given, i: number): number => (i === 5 ? 1e17 : i * 1000)]) {
    const heard = listen({ mostWaiting });
    let held = 0;
    for (const [i, one] of given.entries()) {
      handIn(heard, [{ ...one, time: timeOf(one, i) }]);
      held = Math.max(held, heldBy(heard.journeys));
    }
    assert.ok(held <= mostWaiting, `${held}`);
    finish(heard.journeys);
    assert.is(heard.frames.length, given.length);
    assert.is(heldBy(heard.journeys), 0);
  }
});

test('a flood of copies of one packet costs no more than as many packets', () => {
  const [inside, beyond] = travelled([syn()], [INSIDE_A, UNDERLAY_B]);
  const copies = Array.from({ length: 3000 }, (_, i) =>
    [inside!, beyond!].map((one) => ({ ...one, time: i * 10_000 })),
  );
  const began = process.cpuUsage();
  const heard = follow(copies.flat());
  const seconds = process.cpuUsage(began).user / 1e6;
  assert.equal(kinds(heard), { entered: 3000, agreed: 3000 });
  // 0.4 s; comparing each with each took 6.
  assert.ok(seconds < 3, `${seconds}`);
});

test('times that go backwards lose nothing', () => {
  const given = travelled(
    Array.from({ length: 8 }, (_, i) => syn(8080, 44_000 + i)),
    [INSIDE_A, INSIDE_B],
  );
  const backwards = [...given.slice(8), ...given.slice(0, 8)];
  const heard = follow(backwards);
  assert.is(heard.frames.length, given.length);
  assert.equal(heard.unexpected, []);
});

test.run();
