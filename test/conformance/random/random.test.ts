/** The machinery of random cases: seeds repeat, every draw is a foundation, shrinking keeps what matters, masks hide little. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { plan } from '../../../src/foundation/plan.ts';
import { type Ends, ethernet, icmp, ipv4, tcp, udp } from '../../dataplane/packets.ts';
import { createChance } from './chance.ts';
import { drawCase } from './draw-case.ts';
import { fingerprintAt } from './fate.ts';
import { type Flows, filled, learn, note } from './flows.ts';
import { normalise } from './normalise.ts';
import { firstEpoch, foundationOf, nextEpoch } from './rules.ts';
import { shrink } from './shrink.ts';
import type { Case, FrameStep } from './step.ts';
import { isPlayable } from './trial.ts';
import type { Event } from './wire-lab.ts';
import { createWorld, tunnelled, underlayFrame } from './world.ts';

const test = suite('conformance/random');
const SEEDS = Array.from({ length: 40 }, (_, index) => 1000 + index);

test('chance: the known beginning of Mulberry32, and draws within bounds', () => {
  const chance = createChance(1);
  // The first numbers of the published algorithm for seed 1, modulo 2^32.
  assert.equal(
    [0, 1, 2].map(() => chance.between(0, 0xffffffff)),
    [2693262067, 11749833, 2265367787],
  );
  for (let i = 0; i < 1000; i++) {
    const drawn = chance.between(3, 5);
    assert.ok(drawn >= 3 && drawn <= 5);
  }
});

test('a seed draws the same case again, and every case can be planned', () => {
  for (const seed of SEEDS) {
    const one = drawCase(seed, 'nft', 60);
    assert.equal(drawCase(seed, 'nft', 60), one);
    const foundation = foundationOf(one);
    assert.ok(foundation.cells.length >= 2 && foundation.cells.length <= 4);
    for (const { name } of foundation.cells) assert.ok(plan(foundation, name).tables.length === 3);
    assert.ok(isPlayable(one));
  }
});

test('cases hold every kind of step and of frame', () => {
  const steps = SEEDS.flatMap((seed) => drawCase(seed, 'legacy', 300).steps);
  const frames = steps.filter((step) => step.kind === 'frame');
  const said = frames.map(({ what }) => what).join('\n');
  for (const kind of [
    'tcp original',
    'tcp reply',
    'udp reply',
    'icmp type 8',
    'icmp error',
    'fragment of',
    'vxlan: ',
    'ECN',
  ])
    assert.ok(said.includes(kind), kind);
  assert.ok(steps.some((step) => step.kind === 'policies' && step.stage === 'filled'));
});

test('policies change in three stages: both chains, both filled, the new one alone', () => {
  const one = SEEDS.map((seed) => drawCase(seed, 'nft', 200)).find(({ steps }) =>
    steps.some(({ kind }) => kind === 'policies'),
  )!;
  const first = firstEpoch(one);
  const changes = one.steps.filter((step) => step.kind === 'policies').slice(0, 3);
  let epoch = first;
  const chains = changes.map((step) => {
    epoch = nextEpoch(one, epoch, first, step, 1);
    const { tables } = epoch.rules.get('cell0')!;
    const filter = tables.find(({ name }) => name === 'filter')!.chains;
    return filter.filter(({ name }) => name.startsWith('vpa--'));
  });
  assert.equal(
    chains.map(({ length }) => length),
    [2, 2, 1],
  );
  assert.is(chains[0]![1]!.rules.length, 0);
  assert.equal(chains[1]![1], chains[2]![0]);
});

test('shrinking leaves the steps that matter, and no others', async () => {
  const one = drawCase(1, 'nft', 100);
  const frames = one.steps.filter((step): step is FrameStep => step.kind === 'frame');
  const needed = [frames[7]!, frames[63]!];
  let trials = 0;
  const stays = async ({ steps }: Case): Promise<boolean> => {
    trials += 1;
    return needed.every((step) => steps.includes(step));
  };
  assert.equal((await shrink(one, stays, 1000)).steps, needed);
  assert.ok(trials < 120, String(trials));
});

test('masks: drawn numbers are hidden, wrong checksums and other octets are told', () => {
  const { cells } = createWorld(foundationOf(drawCase(1, 'nft', 1)));
  const [from, to] = [cells[0]!, cells[1]!];
  const ends = { source: '10.255.1.4', destination: '10.255.2.4' };
  const inner = ipv4(ends, 17, udp(ends, 1, 2, [3]), { identification: 77 });
  const frame = (identification: number): Uint8Array =>
    underlayFrame(to, tunnelled(from, to, inner, { identification }));
  const known = new Set([fingerprintAt(inner, 0)]);
  const text = (octets: Uint8Array): string => normalise(octets, known);
  assert.is(text(frame(5)), text(frame(6)));
  const whole = (identification: number): Uint8Array =>
    underlayFrame(to, tunnelled(from, to, inner, { identification, fragment: 0x4000 }));
  assert.is(text(whole(5)), text(whole(6)));
  assert.is.not(text(whole(5)), text(whole(0)));
  const broken = frame(5);
  broken[70] = broken[70]! ^ 1;
  assert.match(text(broken), / wrong checksum$/);
});

const FLOW_ENDS = { source: '10.255.1.4', destination: '198.51.100.7' };
const [SEEN_ENDS, BACK_ENDS] = [
  { source: '10.0.0.101', destination: '198.51.100.7' },
  { source: '198.51.100.7', destination: '10.0.0.101' },
];
const GATE = ['42:01:0a:00:00:65', '42:01:0a:00:00:01'] as const;
const stepOf = (packet: Uint8Array, fields: Partial<FrameStep> = {}): FrameStep => ({
  kind: 'frame',
  at: 'cell0',
  octets: Buffer.from(ethernet(...GATE, 0x0800, packet)).toString('hex'),
  what: '',
  flow: 'flow 1',
  ...fields,
});

test('flows: a port that a cell drew is learned, and answers go to it with checksums that stay as right as they were', () => {
  const said = (ends: Ends, port: number): Uint8Array =>
    ipv4(ends, 17, udp(ends, port, 53, [1, 2]), { identification: 9 });
  const flows: Flows = new Map();
  const opening = stepOf(said(FLOW_ENDS, 40_000));
  note(flows, opening);
  const event: Event = {
    ...{ step: 0, cell: 'cell0', device: 'eth0', outgoing: true, otherHost: false, time: 0n },
    octets: ethernet(GATE[1], GATE[0], 0x0800, said(SEEN_ENDS, 2024)),
  };
  assert.equal(learn(flows, opening, [event]), [1000]);
  const answer = (port: number): Uint8Array =>
    ipv4(BACK_ENDS, 17, udp(BACK_ENDS, 53, port, [3]), { identification: 10 });
  const quoting = (port: number): Uint8Array =>
    ipv4(BACK_ENDS, 1, icmp(3, 3, 0, said(SEEN_ENDS, port)), { identification: 11 });
  for (const made of [answer, quoting])
    assert.is(filled(flows, stepOf(made(40_000), { answers: true })).octets, stepOf(made(2024)).octets);
});

test('fingerprints stay when addresses and ports are translated, and differ from packet to packet', () => {
  const print = (ends: Ends, from: number, identification: number): string =>
    fingerprintAt(ipv4(ends, 6, tcp(ends, from, 80, { flags: 2, sequence: 5 }), { identification }), 0);
  assert.is(print(FLOW_ENDS, 40_000, 9), print(SEEN_ENDS, 2024, 9));
  assert.is.not(print(FLOW_ENDS, 40_000, 9), print(FLOW_ENDS, 40_000, 10));
});

test('translated flows are drawn of every kind, also such for which a cell has to draw a port', () => {
  const frames = SEEDS.flatMap((seed) => drawCase(seed, 'nft', 300).steps).filter((step) => step.kind === 'frame');
  const flowing = frames.filter(({ flow }) => flow !== undefined);
  assert.ok(flowing.length * 10 > frames.length, `${flowing.length} of ${frames.length}`);
  assert.ok(flowing.some(({ answers, what }) => answers === true && what.startsWith('icmp error')));
  const from = (pattern: RegExp): number => flowing.filter(({ what }) => pattern.test(what)).length;
  for (const pattern of [
    / 198\.51\.100\.\d+ > 10\.0\.0\.10/,
    / 10\.255\.\d+\.\d+ > 10\.0\.0\.10/,
    / 10\.255\.\S+ > 203\./,
  ])
    assert.ok(from(pattern) > 10, String(pattern));
});

test.run();
