/**
 * Datagrams in fragments, as a cell puts them together before its rules see them. Judges: what Linux 6.18 did with each
 * arrangement (order, marks, duplicates, overlaps, incomplete ones), and net/ipv4/ip_fragment.c for limits and times.
 */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { check } from '../support/property.ts';
import {
  createJudge,
  type Fate,
  FRONTEND,
  FRONTEND_TAG,
  type Frame,
  fatesOf,
  hostFrame,
  innerFrame,
  ORDERS,
  outerPacket,
  tunnelled,
  UNDERLAY,
} from './judging.ts';
import { ethernet, ipv4, silkMac, type Tunnel, udp, vxlan } from './packets.ts';

const test = suite('dataplane/fragments');
const SECOND = 1e9;
const ENDS = { source: FRONTEND, destination: ORDERS };
const MORE = 0x2000;
const ALLOWED: Tunnel = { groupId: FRONTEND_TAG };
const REFUSED: Tunnel = { groupId: 8 };
let identification = 1;

/** A UDP datagram to an allowed port, long enough for `pieces` fragments of `size` octets. */
const datagram = (octets: number, port = 5000): number[] =>
  udp(
    ENDS,
    40_000,
    port,
    Array.from({ length: octets - 8 }, (_, index) => index & 0xff),
  );

interface Piece {
  readonly from: number;
  readonly to: number;
}

/** Fragments of `payload` as cell-a sends them, cut at `cuts`; each call is a datagram of its own. */
function fragmentsOf(
  payload: readonly number[],
  cuts: readonly number[],
  tunnels: readonly Tunnel[] = [],
): Uint8Array[] {
  identification += 1;
  const id = identification;
  const ends = [...cuts, payload.length];
  return ends.map((to, index) =>
    fragmentOf(payload, { from: index === 0 ? 0 : cuts[index - 1]!, to }, id, tunnels[index]),
  );
}

function fragmentOf(payload: readonly number[], { from, to }: Piece, id: number, tunnel: Tunnel = ALLOWED): Uint8Array {
  const fragment = (to < payload.length ? MORE : 0) | (from / 8);
  return tunnelled('b', ipv4(ENDS, 17, payload.slice(from, to), { identification: id, fragment }), tunnel);
}

const frames = (octets: readonly Uint8Array[]): Frame[] => octets.map((one) => ({ octets: one }));
const words = (fates: readonly Fate[]): string[] => fates.map(({ verdict, reason }) => `${verdict} ${reason}`);
const all = (count: number, word: string): string[] => Array.from({ length: count }, () => word);

const DELIVERED = 'deliver policy.accept';
const REJECTED = 'reject overlay.reject';
const INCOMPLETE = 'drop fragment.incomplete';
const OVERLAP = 'drop fragment.overlap';

const judged = async (octets: readonly Uint8Array[]): Promise<string[]> =>
  words(await fatesOf(createJudge(), frames(octets)));

test('in order', async () => {
  assert.equal(await judged(fragmentsOf(datagram(100), [40, 80])), all(3, DELIVERED));
});

test('reversed', async () => {
  assert.equal(await judged(fragmentsOf(datagram(100), [40, 80]).reverse()), all(3, DELIVERED));
});

test('what a container sends in fragments is judged where it enters the cell', async () => {
  const payload = datagram(100);
  const pieces = [0, 40, 80].map((from, index) =>
    ipv4(ENDS, 17, payload.slice(from, from + 40), {
      identification: 77,
      fragment: (index < 2 ? MORE : 0) | (from / 8),
    }),
  );
  const [first, ...later] = pieces.map((piece) =>
    ethernet(silkMac('aa', FRONTEND), silkMac('ee', FRONTEND), 0x0800, piece),
  );
  assert.equal(await judged([...later, first!]), all(3, 'forward overlay.source'));
  assert.equal(await judged([first!, later[1]!]), all(2, INCOMPLETE));
  const delivered = ethernet(silkMac('ee', ORDERS), silkMac('aa', ORDERS), 0x0800, pieces[0]!);
  assert.equal(await judged([delivered]), ['observed tap.delivered']);
});

test('the whole datagram is refused with its first fragment', async () => {
  assert.equal(await judged(fragmentsOf(datagram(100, 6000), [40, 80])), all(3, REJECTED));
});

test('the mark is that of the first fragment, whatever came with the others and in whatever order', async () => {
  for (const [tunnels, word] of [
    [[ALLOWED, REFUSED], DELIVERED],
    [[REFUSED, ALLOWED], REJECTED],
  ] as const) {
    const pair = fragmentsOf(datagram(60), [32], tunnels);
    assert.equal(await judged(pair), all(2, word));
    assert.equal(await judged(fragmentsOf(datagram(60), [32], tunnels).reverse()), all(2, word));
    const fates = await fatesOf(createJudge(), frames(pair));
    assert.equal(new Set(fates.map(({ mark }) => mark)), new Set([tunnels[0].groupId!]));
  }
});

test('the first fragment splits the UDP header: the rules still see its ports', async () => {
  assert.equal(await judged(fragmentsOf(datagram(60), [8])), all(2, DELIVERED));
});

test('alone, the first or a later one waits and is never delivered', async () => {
  const [first, second] = fragmentsOf(datagram(60), [32]);
  assert.equal(await judged([first!]), [INCOMPLETE]);
  assert.equal(await judged([second!]), [INCOMPLETE]);
});

test('an exact duplicate is dropped alone', async () => {
  const [first, second] = fragmentsOf(datagram(60), [32]);
  assert.equal(await judged([first!, first!, second!]), [DELIVERED, 'drop fragment.duplicate', DELIVERED]);
});

test('a fragment within octets that came in order is a duplicate; within those of two runs it is an overlap', async () => {
  const payload = datagram(72);
  const piece = (id: number, from: number, to: number): Uint8Array => fragmentOf(payload, { from, to }, id);
  identification += 2;
  const [ordered, reversed] = [identification - 1, identification];
  const places = [
    [0, 24],
    [24, 48],
  ] as const;
  assert.equal(
    await judged([
      ...places.map(([from, to]) => piece(ordered, from, to)),
      piece(ordered, 16, 32),
      piece(ordered, 48, 72),
    ]),
    [DELIVERED, DELIVERED, 'drop fragment.duplicate', DELIVERED],
  );
  assert.equal(
    (await judged([...places.toReversed().map(([from, to]) => piece(reversed, from, to)), piece(reversed, 16, 32)])).at(
      -1,
    ),
    OVERLAP,
  );
});

test('an overlap ends the datagram; what comes later waits in vain', async () => {
  const payload = datagram(96);
  identification += 1;
  const piece = (from: number, to: number): Uint8Array => fragmentOf(payload, { from, to }, identification);
  assert.equal(await judged([piece(0, 32), piece(24, 64), piece(64, 96)]), [OVERLAP, OVERLAP, INCOMPLETE]);
});

test('a last fragment that ends before others, or two that end apart', async () => {
  const payload = datagram(96);
  identification += 1;
  const long = fragmentOf(payload, { from: 64, to: 96 }, identification);
  const last = fragmentOf(payload.slice(0, 48), { from: 32, to: 48 }, identification);
  assert.equal(await judged([last, long]), [OVERLAP, OVERLAP]);
});

test('a last fragment that comes after one beyond its end', async () => {
  const payload = datagram(96);
  identification += 1;
  const beyond = fragmentOf([...payload, ...payload], { from: 64, to: 96 }, identification);
  const last = fragmentOf(payload.slice(0, 48), { from: 32, to: 48 }, identification);
  assert.equal(await judged([beyond, last]), [OVERLAP, OVERLAP]);
});

test('beyond 65,535 octets', async () => {
  identification += 1;
  const octets = ipv4(ENDS, 17, new Uint8Array(16), { identification, fragment: 65_528 / 8 });
  assert.equal(await judged([tunnelled('b', octets, ALLOWED)]), ['drop fragment.too-big']);
});

test('the longest datagram there is', async () => {
  const payload = datagram(65_515);
  const cuts = Array.from({ length: 45 }, (_, index) => (index + 1) * 1448);
  assert.equal(await judged(fragmentsOf(payload, cuts)), all(46, DELIVERED));
});

test('fragments wait 30 seconds of capture time', async () => {
  const [first, second] = fragmentsOf(datagram(60), [32]);
  const apart = async (seconds: number): Promise<string[]> =>
    words(
      await fatesOf(createJudge(), [
        { octets: first!, time: 0 },
        { octets: second!, time: seconds * SECOND },
      ]),
    );
  assert.equal(await apart(29.9), all(2, DELIVERED));
  assert.equal(await apart(30.1), all(2, INCOMPLETE));
});

test('datagrams with other addresses, protocols or identifications do not mix', async () => {
  const payload = datagram(60);
  const [first] = fragmentsOf(payload, [32]);
  const [, second] = fragmentsOf(payload, [32]);
  assert.equal(await judged([first!, second!]), all(2, INCOMPLETE));
});

test('what waits is bounded: the oldest datagrams give way', async () => {
  const count = 4000;
  const octets = Array.from({ length: count }, () => fragmentsOf(datagram(2000), [1400])[0]!);
  const fates = await fatesOf(createJudge(), frames(octets));
  const reasons = fates.map(({ reason }) => reason);
  const evicted = reasons.lastIndexOf('fragment.limit') + 1;
  assert.ok(evicted > count / 2, `${evicted} of ${count} gave way`);
  assert.equal(reasons, [...all(evicted, 'fragment.limit'), ...all(count - evicted, 'fragment.incomplete')]);
});

/** The outer packet of `frame` in two fragments. */
function outerFragments(packet: Uint8Array, cut: number): Uint8Array[] {
  identification += 1;
  const payload = [...packet.subarray(20)];
  const ends = { source: UNDERLAY.a, destination: UNDERLAY.b };
  return [
    ipv4(ends, 17, payload.slice(0, cut), { identification, fragment: MORE }),
    ipv4(ends, 17, payload.slice(cut), { identification, fragment: cut / 8 }),
  ].map((one) => hostFrame('b', one));
}

const carried = (packet: Uint8Array): Uint8Array => outerPacket('b', vxlan(innerFrame('b', packet), ALLOWED));

test('fragments of the outer packet', async () => {
  const whole = carried(ipv4(ENDS, 17, datagram(100)));
  for (const cut of [8, 16, 24, 48, 72, 136]) {
    assert.equal(await judged(outerFragments(whole, cut)), all(2, DELIVERED), `cut at ${cut}`);
    assert.equal(await judged(outerFragments(whole, cut).reverse()), all(2, DELIVERED), `cut at ${cut}, reversed`);
  }
  assert.equal(await judged(outerFragments(whole, 16).slice(0, 1)), [INCOMPLETE]);
});

test('fragments of the outer packet that carry fragments: all share one fate', async () => {
  const payload = datagram(100);
  identification += 1;
  const inner = [
    ipv4(ENDS, 17, payload.slice(0, 64), { identification, fragment: MORE }),
    ipv4(ENDS, 17, payload.slice(64), { identification, fragment: 8 }),
  ].map(carried);
  const pieces = inner.flatMap((packet) => outerFragments(packet, 40));
  assert.equal(await judged(pieces), all(4, DELIVERED));
  assert.equal(await judged([pieces[3]!, pieces[0]!, pieces[2]!, pieces[1]!]), all(4, DELIVERED));
  assert.equal(await judged(pieces.slice(0, 3)), all(3, INCOMPLETE));
  assert.equal(
    await judged([pieces[0]!, pieces[1]!, pieces[0]!, pieces[1]!]).then((fates) => fates.slice(2)),
    [INCOMPLETE, 'drop fragment.duplicate'].map((word, index) => (index === 0 ? 'drop fragment.duplicate' : word)),
  );
});

test('a datagram whose first fragment the capture cut before its ports is not judged', async () => {
  const [first, second] = fragmentsOf(datagram(100), [40]);
  const cut: Frame = { octets: first!.slice(0, 14 + 20 + 8 + 8 + 14 + 20 + 2), originalLength: first!.length };
  assert.equal(words(await fatesOf(createJudge(), [cut, { octets: second! }])), all(2, 'observed capture.cut'));
  assert.equal(words(await fatesOf(createJudge(), [{ octets: second! }, cut])), all(2, 'observed capture.cut'));
});

test('a datagram whose payload the capture cut is judged by its ports', async () => {
  const cut = (octets: Uint8Array): Frame => ({ octets: octets.slice(0, -4), originalLength: octets.length });
  const fates = await fatesOf(createJudge(), fragmentsOf(datagram(100), [40, 80]).map(cut));
  assert.equal(words(fates), all(3, DELIVERED));
});

test('any arrangement of fragments and duplicates adds up, whatever the size of the bursts', () => checkArrangements());

/** Fates do not depend on how packets fall into bursts, and every frame gets one. */
async function checkArrangements(): Promise<void> {
  const octets = [
    ...fragmentsOf(datagram(200), [40, 80, 160]),
    ...fragmentsOf(datagram(200, 6000), [8, 16]),
    ...fragmentsOf(datagram(100), [48], [REFUSED, ALLOWED]),
    ...outerFragments(carried(ipv4(ENDS, 17, datagram(64))), 32),
  ];
  const arrangements: number[][] = [];
  check(
    fc.property(fc.array(fc.nat(octets.length - 1), { minLength: 5, maxLength: 40 }), (order) => {
      arrangements.push(order);
      return true;
    }),
    40,
  );
  for (const order of arrangements) {
    const given = order.map((index) => octets[index]!);
    const [whole, single] = [
      await fatesOf(createJudge(), frames(given)),
      await fatesOf(createJudge(), frames(given), 1),
    ];
    assert.equal(words(whole), words(single), `order ${order.join(' ')}`);
  }
}

test.run();
