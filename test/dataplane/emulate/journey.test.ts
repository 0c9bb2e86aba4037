/** Journeys through emulated cells: what the lab's captures and the running kernel do not show in a moment. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SCENARIOS } from '../../../captures/scenarios.ts';
import { DEFAULT_ICMP_LIMITS } from '../../../src/dataplane/answer/icmp-limit.ts';
import { HELD } from '../../../src/dataplane/burst.ts';
import { createDraws } from '../../../src/dataplane/emulate/draws.ts';
import { LONGEST_FRAME } from '../../../src/dataplane/emulate/frame.ts';
import { inject, tapNamed } from '../../../src/dataplane/emulate/journey.ts';
import { REASONS, VERDICT_NAMES } from '../../../src/dataplane/verdict.ts';
import { CASES, NARROW } from '../../conformance/emulate-cases.ts';
import { planned } from '../../scenarios/support.ts';
import { createRandom } from '../../support/evaluation.ts';
import { ethernet, FLAG, icmp, ipv4, silkMac, tcp, udp, vxlan } from '../packets.ts';
import { countingDraws, type Input, type Setup, seenIn, type Travelled, travel } from './emulating.ts';

const test = suite('dataplane/emulate/journey');
const { foundation } = SCENARIOS[0]!;
const RULES = planned(foundation);
const SECOND = 1e9;
const FRONTEND = '10.255.1.4';
const BACKEND = '10.255.2.7';
const ORDERS = '10.255.2.8';
const VTEP_A = '10.255.1.0';
const VTEP_B = '10.255.2.0';
const CELL_A = '10.0.0.101';
const CELL_B = '10.0.0.102';
const FRONTEND_TAP = 'cell-a/s-010255001004/eth0';
const ORDERS_TAP = 'cell-b/s-010255002008/eth0';

const setup = (more: Partial<Setup> = {}): Setup => ({
  foundation,
  rules: RULES,
  dataplane: { strictChecksums: true },
  ...more,
});

/** The frontend's container sends `packet`. */
const sends = (packet: Iterable<number>, time = 0): Input => ({
  tap: FRONTEND_TAP,
  octets: ethernet(silkMac('aa', FRONTEND), silkMac('ee', FRONTEND), 0x0800, packet),
  time,
});
/** Cell A sends `packet` to cell B on the underlay. */
const onUnderlay = (packet: Iterable<number>, time = 0): Input => ({
  tap: 'cell-b/eth0',
  octets: ethernet('42:01:0a:00:00:66', '42:01:0a:00:00:65', 0x0800, packet),
  time,
});

const question = (to: string, port: number, source = FRONTEND): Uint8Array => {
  const ends = { source, destination: to };
  return ipv4(ends, 17, udp(ends, 40_000, port, [1, 2, 3, 4]));
};
const syn = (to: string, port: number, from = 40_000): Uint8Array => {
  const ends = { source: FRONTEND, destination: to };
  return ipv4(ends, 6, tcp(ends, from, port, { flags: 2, sequence: 7 }));
};

/** Verdict and reason of the packet numbered `packet`. */
function fateOf({ fates }: Travelled, packet: number): string {
  const fate = fates.find((one) => one.packet === packet)!;
  return `${VERDICT_NAMES[fate.verdict]} ${REASONS[fate.reason]!.code}`;
}

test('what silk’s neighbours do not answer for is told after three seconds, and asked for again', () => {
  const unleased = syn('10.255.77.7', 80);
  const travelled = travel(setup(), [sends(unleased), sends(unleased, 10 * SECOND)], countingDraws());
  const asked = seenIn(travelled, 'cell-a/silk-vtep').map(({ time, hex }) => [time / SECOND, hex.slice(76)]);
  assert.equal(
    asked,
    [0, 1, 2, 10, 11, 12].map((second) => [second, '0aff4d07']),
  );
  const told = seenIn(travelled, FRONTEND_TAP).filter(({ hex }) => hex.startsWith('eeee'));
  assert.equal(
    told.map(({ time }) => time / SECOND),
    [3, 13],
  );
  // From 169.254.0.1: ICMP 3/1.
  assert.ok(told.every(({ hex }) => hex.slice(52, 60) === 'a9fe0001' && hex.slice(68, 72) === '0301'));
  assert.is(fateOf(travelled, 1), 'drop neighbour.failed');
});

test('a datagram for the cell itself that never becomes whole is complained about after 30 seconds', () => {
  const fragment = ipv4({ source: FRONTEND, destination: VTEP_B }, 17, [1, 2, 3, 4, 5, 6, 7, 8], { fragment: 0x2000 });
  const later = ipv4({ source: FRONTEND, destination: BACKEND }, 17, [1, 2, 3, 4, 5, 6, 7, 8], { fragment: 0x2000 });
  const travelled = travel(setup(), [sends(fragment), sends(later, SECOND)], countingDraws());
  // Cell A keeps both; neither is for itself.
  assert.equal(seenIn(travelled, FRONTEND_TAP).length, 2);
  const direct = travel(
    setup(),
    [onUnderlay(ipv4({ source: CELL_A, destination: CELL_B }, 17, [1, 2, 3, 4, 5, 6, 7, 8], { fragment: 0x2000 }))],
    countingDraws(),
  );
  const answers = seenIn(direct, 'cell-a/eth0').map(({ time, hex }) => [time / SECOND, hex.slice(68, 72)]);
  assert.equal(answers, [[30, '0b01']]);
});

test('the limits of the kernel hold: six errors at once to one host, then one a second', () => {
  const inputs = Array.from({ length: 12 }, (_, i) => sends(syn('10.255.1.5', 9999, 41_000 + i), i * 1e6));
  const late = sends(syn('10.255.1.5', 9999, 42_000), 2 * SECOND);
  const limited = travel(setup({ options: { icmpLimits: DEFAULT_ICMP_LIMITS } }), [...inputs, late], countingDraws());
  const answers = seenIn(limited, FRONTEND_TAP).filter(({ hex }) => hex.startsWith('eeee'));
  assert.is(answers.length, 7);
  assert.ok(limited.fates.filter(({ verdict }) => verdict === 2).length === 13);
});

test('a packet put in at a tap goes on from there', () => {
  const inner = ethernet(silkMac('ee', VTEP_B), silkMac('ee', VTEP_A), 0x0800, question(ORDERS, 5000));
  const atVtep = travel(setup(), [{ tap: 'cell-b/silk-vtep', octets: inner, time: 0 }], countingDraws());
  assert.is(fateOf(atVtep, 1), 'reject overlay.reject');
  const own = ethernet(silkMac('aa', FRONTEND), silkMac('ee', FRONTEND), 0x0800, question(ORDERS, 5000));
  const atVeth = travel(setup(), [{ tap: 'cell-a/s-010255001004', octets: own, time: 0 }], countingDraws());
  assert.is(fateOf(atVeth, 1), 'deliver policy.accept');
  assert.equal(
    atVeth.passages.map(({ device, mark }) => [atVeth.emulation.devices[device]!.tap, mark]),
    [
      ['cell-a/s-010255001004', 0],
      ['cell-a/silk-vtep', 1],
      ['cell-a/eth0', 1],
      ['cell-b/eth0', 0],
      ['cell-b/silk-vtep', 1],
      ['cell-b/s-010255002008', 1],
      [ORDERS_TAP, 0],
    ],
  );
});

const nested = (packet: Iterable<number>, type = 0x0800): Uint8Array => {
  const ends = { source: CELL_A, destination: CELL_B };
  const frame = ethernet(silkMac('ee', VTEP_B), silkMac('ee', VTEP_A), type, packet);
  return ipv4(ends, 17, udp(ends, 50_000, 4789, vxlan(frame, { groupId: 1 })));
};
const underlayEnds = { source: CELL_A, destination: CELL_B };
const toAll = { source: FRONTEND, destination: '10.255.255.255' };
const PROGRAM_PORT = 22;
const toProgram = (flags: number): Uint8Array =>
  ipv4(underlayEnds, 6, tcp(underlayEnds, 40_000, PROGRAM_PORT, { flags }));
/** 20 octets whose data offset says `words`. */
const segment = (flags: number, words: number): number[] =>
  tcp(underlayEnds, 1, 2, { flags }).map((octet, i) => (i === 12 ? words << 4 : octet));

/** What only emulated cells come to, as one packet each. */
const FATES: readonly (readonly [string, Input])[] = [
  ['drop ip4.invalid-destination', sends(question('0.0.0.0', 53))],
  ['drop ip4.reverse-path', sends(question(ORDERS, 5000, '10.255.1.5'))],
  [
    'drop ip4.mtu',
    onUnderlay(nested(ipv4({ source: FRONTEND, destination: ORDERS }, 17, Array(1352).fill(7), { fragment: 0x4000 }))),
  ],
  ['drop route.none', sends(question('8.8.8.8', 53))],
  [
    'drop link.group',
    { ...sends([]), octets: ethernet('ff:ff:ff:ff:ff:ff', silkMac('ee', FRONTEND), 0x0800, question(ORDERS, 5000)) },
  ],
  ['deliver host.underlay', onUnderlay(ipv4(underlayEnds, 1, icmp(8, 0, 1)))],
  ['drop host.no-socket', onUnderlay(ipv4(underlayEnds, 17, udp(underlayEnds, 1, 9, [1])))],
  ['drop host.no-protocol', onUnderlay(ipv4(underlayEnds, 253, [1, 2]))],
  ['malformed transport.short', onUnderlay(ipv4(underlayEnds, 6, [1, 2, 3, 4]))],
  ['malformed transport.short, less than it says', onUnderlay(ipv4(underlayEnds, 6, segment(FLAG.SYN, 6)))],
  ['drop transport.too-small', onUnderlay(ipv4(underlayEnds, 6, segment(FLAG.SYN, 4)))],
  ['deliver host.underlay, a SYN', onUnderlay(toProgram(FLAG.SYN))],
  ['deliver host.underlay, an ACK', onUnderlay(toProgram(FLAG.ACK))],
  ['drop tcp.flags', onUnderlay(toProgram(FLAG.SYN | FLAG.FIN))],
  ['drop tcp.flags, none', onUnderlay(toProgram(0))],
  ['drop tcp.reset', onUnderlay(toProgram(FLAG.SYN | FLAG.RST))],
  ['drop icmp.quote', onUnderlay(ipv4(underlayEnds, 1, icmp(3, 3, 0, Array(19).fill(0x45))))],
  ['drop icmp.quote, header of 16', onUnderlay(ipv4(underlayEnds, 1, icmp(11, 0, 0, Array(20).fill(0x44))))],
  ['deliver host.underlay, a quote', onUnderlay(ipv4(underlayEnds, 1, icmp(11, 0, 0, Array(20).fill(0x45))))],
  ['drop icmp.short-redirect', onUnderlay(ipv4(underlayEnds, 1, icmp(5, 0, 0, Array(19).fill(0x45))))],
  ['drop icmp.type', onUnderlay(ipv4(underlayEnds, 1, icmp(19, 0, 0)))],
  ['drop icmp.group', onUnderlay(ipv4({ source: CELL_A, destination: '10.0.0.255' }, 1, icmp(8, 0, 0)))],
  ['drop host.nobody', onUnderlay(nested(ipv4(toAll, 17, udp(toAll, 1, 9, [1]))))],
  ['drop frame.llc', onUnderlay(nested([0xaa, 0xaa, 3, 0, 0, 0, 8, 0, ...Array<number>(38).fill(1)], 46))],
  ['malformed vlan.truncated', onUnderlay(nested([0, 5], 0x8100))],
  [
    'drop inner.ethertype, two tags',
    onUnderlay(nested([0, 5, 0x81, 0, 0, 6, 8, 0, ...question(ORDERS, 5000)], 0x88a8)),
  ],
  ['drop vlan.tagged', onUnderlay(nested([0, 0, 0x81, 0, 0, 6, 8, 0, ...question(ORDERS, 5000)], 0x8100))],
  [
    'deliver policy.accept, two tags',
    onUnderlay(nested([0, 0, 0x81, 0, 0, 0, 8, 0, ...question(ORDERS, 5000)], 0x8100)),
  ],
  ['malformed arp.too-small', onUnderlay(nested([0, 1, 8, 0, 6, 4, 0, 1, ...Array<number>(19).fill(0)], 0x0806))],
  ['malformed arp.header', onUnderlay(nested([0, 1, 8, 0, 5, 4, 0, 1, ...Array<number>(20).fill(0)], 0x0806))],
  ['drop ip6.disabled', onUnderlay(nested([0x60, ...Array<number>(39).fill(0)], 0x86dd))],
  [
    'drop ip6.disabled, from a container',
    { ...sends([]), octets: ethernet(silkMac('aa', FRONTEND), silkMac('ee', FRONTEND), 0x86dd, [0x60]) },
  ],
  ['drop arp.ignored', { ...sends([]), octets: ethernet('ff:ff:ff:ff:ff:ff', silkMac('ee', FRONTEND), 0x0806, [0]) }],
  ['drop tcp.checksum', onUnderlay(ipv4(underlayEnds, 6, [...tcp(underlayEnds, 1, 2, { flags: 2 }).slice(0, 19), 9]))],
  ['drop icmp.checksum', onUnderlay(ipv4(underlayEnds, 1, [8, 0, 1, 1, 0, 0, 0, 0]))],
  ['deliver inner.arp', onUnderlay(nested([0, 1, 8, 0, 6, 4, 0, 1, ...Array<number>(20).fill(0)], 0x0806))],
];

/** The words behind a comma tell cases with the same end apart. */
for (const [name, input] of FATES) {
  test(name, () => {
    const [expected] = name.split(',');
    const narrow: Partial<Setup> = {
      options: { mtus: new Map([[NARROW.tap, NARROW.mtu]]) },
      listens: (_cell, _protocol, _address, port) => port === PROGRAM_PORT,
    };
    assert.is(fateOf(travel(setup(narrow), [input], countingDraws()), 1), expected);
  });
}

test('an ARP request on the overlay finds no cell', () => {
  const travelled = travel(setup(), [sends(syn('10.255.77.7', 80))], countingDraws());
  const requests = travelled.fates.filter(({ reason }) => REASONS[reason]!.code === 'vtep.no-remote');
  assert.is(requests.length, 3);
});

test('the same frames make the same journeys, and another seed changes only what is drawn', () => {
  const inputs = CASES.map(({ tap, octets }, i) => ({ tap, octets, time: i * 1e7 }));
  const [one, two, three] = [7, 7, 8].map((seed) => travel(setup(), inputs, createDraws(seed)));
  assert.equal(one!.passages, two!.passages);
  assert.equal(one!.fates, two!.fates);
  assert.not.equal(one!.passages, three!.passages);
  assert.equal(one!.fates, three!.fates);
});

test('every packet has one end, and every end a packet', () => {
  const inputs = CASES.map(({ tap, octets }, i) => ({ tap, octets, time: i * 1e7 }));
  const { fates, emulation } = travel(setup(), inputs, countingDraws());
  const ended = fates.map(({ packet }) => packet);
  assert.is(new Set(ended).size, ended.length);
  assert.ok(ended.every((packet) => packet <= emulation.frames.packet));
  assert.ok(fates.some(({ verdict }) => verdict === HELD));
});

test('a frame that is too long is not taken', () => {
  const { emulation } = travel(setup(), [], countingDraws());
  assert.is(inject(emulation, tapNamed(emulation, FRONTEND_TAP), new Uint8Array(LONGEST_FRAME + 1), 0), 0);
  assert.ok(inject(emulation, tapNamed(emulation, FRONTEND_TAP), new Uint8Array(LONGEST_FRAME), 0) > 0);
  assert.is(tapNamed(emulation, 'cell-a/eth7'), -1);
});

test('frames with octets changed, cut and lengthened at random: nothing breaks and nothing is lost', () => {
  const draw = createRandom(20_261_122);
  const inputs = Array.from({ length: 6000 }, (_, i): Input => {
    const { tap, octets } = CASES[draw(CASES.length)]!;
    const changed = octets.slice(0, draw(4) === 0 ? draw(octets.length + 1) : octets.length);
    for (let n = draw(4); n > 0 && changed.length > 0; n--) changed[draw(changed.length)] = draw(256);
    return { tap, octets: changed, time: i * 1e6 };
  });
  // `travel` holds that every frame was given back.
  const { fates } = travel(setup({ options: { icmpLimits: DEFAULT_ICMP_LIMITS } }), inputs, createDraws(3));
  assert.ok(fates.length >= inputs.length);
});

test.run();
