/** The straight way of plain packets says what the general way says, of frames that are plain and of those that nearly are. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Burst, create, reset } from '../../src/dataplane/burst.ts';
import type { Dataplane } from '../../src/dataplane/dataplane.ts';
import { judge, judgeGeneral } from '../../src/dataplane/judge.ts';
import { decidePlain, survey } from '../../src/dataplane/plain.ts';
import { releaseExpired } from '../../src/dataplane/reassemble.ts';
import { createDataplane } from '../../src/dataplane/setup.ts';
import { plan } from '../../src/foundation/plan.ts';
import { readFoundation } from '../../src/foundation/read.ts';
import { type Arena, heap, type Place, reserve } from '../../src/memory/arena.ts';
import * as checksum from '../../src/wire/checksum.ts';
import { LINKTYPE } from '../../src/wire/protocol.ts';
import { SYN } from '../support/frames.ts';
import { octets } from '../support/hex.ts';
import { loopsTest } from '../support/loops.ts';
import { check } from '../support/property.ts';
import { columns, connections, counters, countRuns } from './judged.ts';

const test = suite('dataplane: plain packets');

const FOUNDATION = JSON.stringify({
  tagplane: 1,
  cells: [
    { name: 'a', underlay: '10.0.0.101', lease: '10.255.1.0/24' },
    { name: 'b', underlay: '10.0.0.102', lease: '10.255.2.0/24' },
  ],
  apps: [
    {
      name: 'front',
      guid: '00000001-0000-4000-8000-000000000001',
      tag: '0001',
      instances: [{ cell: 'a', ip: '10.255.1.4' }],
    },
    {
      name: 'back',
      guid: '00000002-0000-4000-8000-000000000002',
      tag: '0002',
      instances: [{ cell: 'b', ip: '10.255.2.7' }],
    },
  ],
  policies: [
    { source: 'front', destination: 'back', protocol: 'tcp', ports: '8080' },
    { source: 'front', destination: 'back', protocol: 'udp', ports: '53-60' },
  ],
});

function dataplaneOf(judged: readonly string[], arena: Arena = heap): Dataplane {
  const foundation = readFoundation(FOUNDATION, 'foundation.json');
  const rules = new Map(
    foundation.cells.map(({ name }) => [name, { ruleset: plan(foundation, name), backend: 'nft' as const }]),
  );
  return createDataplane(foundation, rules, {
    vxlanPort: 4789,
    strictChecksums: false,
    judged,
    connectionLimit: 5,
    arena,
  });
}

const OUTER_IPV4 = 14;
const INNER_IPV4 = 64;
const TRANSPORT = 84;

interface Frame {
  readonly udp: boolean;
  readonly back: boolean;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly flags: number;
  readonly tag: number;
  /** Octets to overwrite. */
  readonly changes: readonly (readonly [number, number])[];
  /** Whether the IPv4 checksums are made right after the changes. */
  readonly summed: boolean;
  /** Octets that the capture cut off. */
  readonly cut: number;
  /** Octets of payload. */
  readonly payload: number;
}

/** One question of the way in each: what makes a frame fail it, by octets to overwrite. */
const ODDITIES: readonly (readonly (readonly [number, number])[])[] = [
  [[12, 0x86]], // outer EtherType
  [[14, 0x46]], // outer IHL
  [[15, 3]], // congestion met outside
  [[17, 60]], // outer total length
  [[20, 0x20]], // outer fragment
  [[26, 127]], // outer source on the loopback network
  [[26, 224]], // outer source is a group
  [[26, 0]], // outer source on network 0
  [
    [26, 0],
    [27, 0],
    [28, 0],
    [29, 0],
  ], // outer source 0.0.0.0
  [
    [76, 0],
    [77, 0],
    [78, 0],
    [79, 0],
  ], // inner source 0.0.0.0
  [[29, 102]], // outer source is the receiver
  [
    [27, 255],
    [28, 2],
    [29, 0],
  ], // outer source is the receiver's VTEP
  [
    [26, 169],
    [27, 254],
    [29, 1],
  ], // outer source is the host's end of every veth pair
  [[33, 99]], // no known cell
  [[37, 0x11]], // another UDP port
  [[39, 40]], // UDP length
  [[42, 0x80]], // no I flag
  [[42, 0x08]], // no G flag
  [[42, 0x8c]], // a reserved flag
  [[43, 0x48]], // D and A
  [[48, 2]], // VNI
  [[49, 1]], // reserved octet
  [[50, 0x01]], // inner destination is a group
  [[54, 9]], // inner destination is somebody else
  [[60, 2]], // inner source is the VTEP
  [[62, 0x86]], // inner EtherType
  [[64, 0x4f]], // inner IHL
  [[67, 30]], // inner total length
  [[70, 0x20]], // inner fragment
  [[72, 1]], // TTL
  [[72, 0]],
  [[73, 1]], // ICMP
  [[76, 127]], // inner source on the loopback network
  [
    [78, 2],
    [79, 0],
  ], // inner source is the VTEP
  [[83, 99]], // no container
  [[88, 0xff]], // inner UDP length
  [[89, 3]],
  [[96, 0x40]], // TCP data offset
  [[96, 0xf0]],
];

const anything = (usual: number): fc.Arbitrary<number> =>
  fc.oneof({ weight: 20, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.nat(120) });

const frames: fc.Arbitrary<Frame> = fc.record({
  udp: fc.boolean(),
  back: fc.boolean(),
  sourcePort: fc.constantFrom(40_000, 40_001, 8080),
  destinationPort: fc.constantFrom(8080, 8081, 53, 60, 61),
  flags: fc.constantFrom(0x02, 0x12, 0x10, 0x10, 0x10, 0x10, 0x18, 0x11, 0x04, 0x14, 0x00, 0x03),
  tag: fc.constantFrom(1, 1, 1, 2, 0),
  changes: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 2, arbitrary: fc.constantFrom(...ODDITIES) },
    {
      weight: 2,
      arbitrary: fc.array(fc.tuple(fc.nat(103), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 127, 224, 255))), {
        maxLength: 2,
      }),
    },
  ),
  summed: fc.boolean(),
  cut: anything(0),
  payload: fc.constantFrom(0, 0, 0, 300),
});

/** A frame on its way back leaves cell b, and opens or answers the connection that a plain packet belongs to. */
function frameOf(frame: Frame): Uint8Array {
  const syn = octets(SYN);
  const whole = new Uint8Array(syn.length + frame.payload);
  whole.set(syn);
  const view = new DataView(whole.buffer);
  for (const at of [OUTER_IPV4 + 2, 38, INNER_IPV4 + 2]) view.setUint16(at, view.getUint16(at) + frame.payload);
  view.setUint16(44, frame.tag);
  if (frame.udp) {
    view.setUint8(INNER_IPV4 + 9, 17);
    view.setUint16(TRANSPORT + 4, 40 + frame.payload);
  } else {
    view.setUint8(TRANSPORT + 13, frame.flags);
  }
  view.setUint16(TRANSPORT, frame.back ? frame.destinationPort : frame.sourcePort);
  view.setUint16(TRANSPORT + 2, frame.back ? frame.sourcePort : frame.destinationPort);
  if (frame.back) for (const at of [26, 76]) exchange(view, at);
  if (!frame.summed) fixChecksums(view);
  for (const [at, octet] of frame.changes) whole[at] = octet;
  if (frame.summed) fixChecksums(view);
  return whole.subarray(0, whole.length - Math.min(frame.cut, whole.length));
}

/** Exchange the source and destination addresses at `at`. */
function exchange(view: DataView, at: number): void {
  const source = view.getUint32(at);
  view.setUint32(at, view.getUint32(at + 4));
  view.setUint32(at + 4, source);
}

function fixChecksums(view: DataView): void {
  for (const at of [OUTER_IPV4, INNER_IPV4]) {
    view.setUint16(at + 10, 0);
    view.setUint16(at + 10, checksum.complement(checksum.sum(view, at, at + 20)));
  }
}

const FRAMES_OCTETS = 32 * 1024;

function fill(burst: Burst, list: readonly Frame[], step: number, place: Place = heap.allocate(FRAMES_OCTETS)): void {
  const { records } = burst;
  const bytes = new Uint8Array(place.buffer, place.offset, FRAMES_OCTETS);
  let next = 0;
  for (const [i, frame] of list.entries()) {
    const one = frameOf(frame);
    bytes.set(one, next);
    records.at[i] = next;
    records.end[i] = next + one.length;
    records.originalLength[i] = one.length + frame.cut;
    records.time[i] = i * step;
    records.linkType[i] = LINKTYPE.ETHERNET;
    next += one.length;
  }
  records.octets = bytes;
  records.view = new DataView(place.buffer, place.offset, FRAMES_OCTETS);
  records.count = list.length;
}

const usual: Frame = {
  udp: false,
  back: false,
  sourcePort: 40_000,
  destinationPort: 8080,
  flags: 0x02,
  tag: 1,
  changes: [],
  summed: false,
  cut: 0,
  payload: 0,
};

test('a plain frame takes the straight way, and one with a wrong checksum does not', () => {
  const burst = create();
  fill(burst, [usual, { ...usual, udp: true }, { ...usual, changes: [[INNER_IPV4 + 10, 0]] }], 1);
  const dataplane = dataplaneOf(['b']);
  reset(burst);
  survey(dataplane, burst);
  assert.equal(
    [0, 1, 2].map((i) => decidePlain(dataplane, burst, i)),
    [true, true, false],
  );
});

const steps = fc.constantFrom(1e6, 20e9);

test('both ways agree in every column, every connection and every rule counter', () => {
  let straight = 0;
  let general = 0;
  check(
    fc.property(
      fc.array(frames, { minLength: 1, maxLength: 40 }),
      fc.constantFrom(['b'], []),
      steps,
      (list, judged, step) => {
        const dataplane = dataplaneOf(judged);
        const burst = create();
        fill(burst, list, step);
        reset(burst);
        survey(dataplane, burst);
        for (let i = 0; i < list.length; i++) {
          releaseExpired(dataplane, burst.records.time[i]!);
          const isPlain = decidePlain(dataplane, burst, i);
          if (!isPlain) judgeGeneral(dataplane, burst, i);
          straight += Number(isPlain);
          general += Number(!isPlain);
        }
        sameAsGeneral(dataplane, burst, list, judged, step);
      },
    ),
    500,
  );
  assert.ok(straight > 0 && general > 0, `${straight} straight, ${general} general`);
});

/** A frame that comes again, now and then with something odd about it. */
const again = fc.record({
  of: fc.nat(5),
  flags: fc.constantFrom(0x10, 0x10, 0x10, 0x18, 0x11, 0x04, 0x02, 0x12),
  payload: fc.constantFrom(0, 300),
  changes: fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.constantFrom(...ODDITIES) }),
  summed: fc.constant(true),
});

loopsTest(test, 'compiled code agrees with the general way, and does its share', (makeLoops) => {
  let compiled = 0;
  let rows = 0;
  check(
    fc.property(
      fc.array(frames, { minLength: 1, maxLength: 6 }),
      fc.array(again, { minLength: 40, maxLength: 60 }),
      steps,
      (few, picks, step) => {
        // Compiled code takes over where packets come again.
        const list = [...few, ...picks.map(({ of, ...now }) => ({ ...few[of % few.length]!, ...now }))];
        // An arena of its own: a table of connections takes a good part of what is left of one.
        const arena = reserve(2 ** 28, makeLoops)!;
        const dataplane = dataplaneOf(['b'], arena);
        const burst = create(undefined, arena);
        fill(burst, list, step, arena.allocate(FRAMES_OCTETS));
        compiled += countRuns(dataplane.straight!, () => judge(dataplane, burst));
        rows += list.length;
        sameAsGeneral(dataplane, burst, list, ['b'], step);
      },
    ),
    500,
  );
  assert.ok(compiled > rows / 8, `${compiled} of ${rows} rows were judged by compiled code`);
});

/** What the general way says of `list`, on a dataplane of its own. */
function sameAsGeneral(
  dataplane: Dataplane,
  burst: Burst,
  list: readonly Frame[],
  judged: readonly string[],
  step: number,
): void {
  const other = dataplaneOf(judged);
  const expected = create();
  fill(expected, list, step);
  reset(expected);
  for (let i = 0; i < list.length; i++) {
    releaseExpired(other, expected.records.time[i]!);
    judgeGeneral(other, expected, i);
  }
  assert.equal(columns(burst), columns(expected));
  assert.equal(connections(dataplane), connections(other));
  assert.equal(counters(dataplane), counters(other));
}

test.run();
