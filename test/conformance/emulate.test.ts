/**
 * The same crafted frames through two real cells and two emulated ones; what every tap saw is compared octet for octet,
 * frame by frame that was sent.
 *
 * The containers of the lab say nothing of their own, so that all that moves is what was sent and what the cells made of
 * it. The cells know each other on the underlay, so that they do not ask.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SCENARIOS } from '../../captures/scenarios.ts';
import type { CellRules } from '../../src/dataplane/setup.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { formatIpv4 } from '../../src/wire/address.ts';
import {
  type Captured,
  readCapture,
  type Setup,
  seenIn,
  type Travelled,
  travelAs,
} from '../dataplane/emulate/emulating.ts';
import { createRandom } from '../support/evaluation.ts';
import { skip } from '../support/shared.ts';
import { CASES, type CraftedFrame, NARROW, randomCases, WAITING } from './emulate-cases.ts';
import { DEFAULT_LAB, iptablesIn, type Lab, type LabOptions, labObstacle, withLab } from './lab.ts';
import { hostVeth, underlayMac, VTEP_DEVICE } from './lab-names.ts';
import { run, sleep } from './lab-shell.ts';
import type { Tap } from './lab-taps.ts';

const test = suite('conformance/emulate');
const { foundation } = SCENARIOS[0]!;

/** Sends one frame per line of standard input, "namespace device octets wait", and tells when (nanoseconds since 1970). */
const PROGRAM = `
import ctypes, os, socket, sys, time
libc = ctypes.CDLL(None, use_errno=True)
sockets = {}
def open_in(namespace, device):
    file = os.open('/run/netns/' + namespace, os.O_RDONLY)
    if libc.setns(file, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), 'setns')
    os.close(file)
    one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    one.bind((device, 0))
    return one
for line in sys.stdin:
    namespace, device, octets, wait = line.split()
    key = (namespace, device)
    if key not in sockets:
        sockets[key] = open_in(namespace, device)
    print(time.time_ns(), flush=True)
    sockets[key].send(bytes.fromhex(octets))
    time.sleep(float(wait))
`;

const BETWEEN_FRAMES = 0.02;
/** Time for three requests a second apart, for three more about the answer to them, and the slack of timers. */
const AFTER_LAST = 7;
const RANDOM_FRAMES = 300;
const BETWEEN_WAITING = 0.2;

/** The switch between the cells tells of its groups; nobody sends IGMP plainly on these devices. */
const SWITCH_IS_SILENT = 'not (igmp and src host 0.0.0.0)';

interface Place {
  readonly tap: string;
  readonly namespace: string;
  readonly device: string;
}

/** Every tap of the lab. */
function placesOf({ namespaces }: Lab): Place[] {
  const cells = foundation.cells.flatMap(({ name }) => {
    const namespace = namespaces.cells.get(name)!;
    return ['eth0', VTEP_DEVICE].map((device) => ({ tap: `${name}/${device}`, namespace, device }));
  });
  const containers = foundation.apps.flatMap((app) =>
    app.instances.flatMap(({ cell, address }, index) => {
      const device = hostVeth(address);
      const container = namespaces.containers.get(`${app.name}/${index}`)!;
      return [
        { tap: `${cell}/${device}`, namespace: namespaces.cells.get(cell)!, device },
        { tap: `${cell}/${device}/eth0`, namespace: container, device: 'eth0' },
      ];
    }),
  );
  return [...cells, ...containers];
}

/** Where a frame is sent so that it passes `tap`: inside the container, or at the switch's port to the cell. */
function senderOf(lab: Lab, places: readonly Place[], tap: string): Place {
  const index = foundation.cells.findIndex(({ name }) => tap === `${name}/eth0`);
  if (index >= 0) return { tap, namespace: lab.namespaces.underlay, device: `cell${index}` };
  return places.find((place) => place.tap === tap)!;
}

function prepare(lab: Lab): void {
  for (const cell of foundation.cells) {
    for (const other of foundation.cells.filter((one) => one !== cell)) {
      const entry = [
        formatIpv4(other.underlay),
        'lladdr',
        underlayMac(other.underlay),
        'dev',
        'eth0',
        'nud',
        'permanent',
      ];
      lab.onCell(cell.name, 'ip', ['neigh', 'replace', ...entry]);
    }
  }
  lab.onCell('cell-b', 'ip', ['link', 'set', hostVeth(NARROW.address), 'mtu', String(NARROW.mtu)]);
  for (const name of lab.namespaces.containers.keys())
    lab.inContainer(name, 'iptables', ['-A', 'OUTPUT', '-j', 'DROP']);
}

interface Observed {
  /** When each case was sent, in nanoseconds from the first. */
  readonly sent: readonly number[];
  readonly taps: ReadonlyMap<string, readonly Captured[]>;
}

/** Send all cases and read what every tap saw, in nanoseconds from the first case. */
async function observe(
  lab: Lab,
  cases: readonly CraftedFrame[],
  waiting: number,
  directory: string,
): Promise<Observed> {
  const places = placesOf(lab);
  const taps = places.map(({ tap, namespace, device }, index): Tap => {
    const filter = device === 'eth0' ? SWITCH_IS_SILENT : '';
    return { name: tap, namespace, device, file: join(directory, `${index}.pcap`), format: 'pcap', filter };
  });
  let times: bigint[] = [];
  await lab.capture(taps, async () => {
    const input = cases.map(({ tap, octets }, index) => {
      const { namespace, device } = senderOf(lab, places, tap);
      const wait = index >= cases.length - waiting ? BETWEEN_WAITING : BETWEEN_FRAMES;
      return `${namespace} ${device} ${Buffer.from(octets).toString('hex')} ${wait}`;
    });
    const { stdout } = run('python3', ['-c', PROGRAM], { input: `${input.join('\n')}\n` });
    times = stdout.trim().split('\n').map(BigInt);
    await sleep(AFTER_LAST * 1000);
  });
  const first = times[0]!;
  const read = await Promise.all(taps.map(async ({ name, file }) => ({ name, ...(await readCapture(file)) })));
  return {
    sent: times.map((time) => Number(time - first)),
    taps: new Map(
      read.map(({ name, epoch, packets }) => {
        const shift = packets.length === 0 ? 0 : Number(epoch - first);
        return [name, packets.map((packet) => ({ ...packet, time: packet.time + shift }))] as const;
      }),
    ),
  };
}

/** Number of the case that was sent last before `time`. */
const caseAt = (sent: readonly number[], time: number): number => sent.findLastIndex((one) => one <= time);

/** The differences, by case and tap. The frames that wait are taken together, in any order: a second has jiffies to spare. */
function differences(
  cases: readonly CraftedFrame[],
  waiting: number,
  { sent, taps }: Observed,
  ours: Travelled,
): string[] {
  const found: string[] = [];
  const last = cases.length - Math.max(waiting, 1);
  const inWindow = (frames: readonly { hex: string; time: number }[], index: number): string[] => {
    const shown = frames.filter(({ time }) => Math.min(caseAt(sent, time), last) === index).map(({ hex }) => hex);
    return index === last ? shown.sort() : shown;
  };
  for (const [tap, packets] of taps) {
    const mine = seenIn(ours, tap);
    for (const [index, { what }] of cases.slice(0, last + 1).entries()) {
      const theirs = inWindow(packets, index);
      const own = inWindow(mine, index);
      if (own.join() !== theirs.join())
        found.push(`${what}, at ${tap}:\n  kernel   ${theirs.join(' ')}\n  tagplane ${own.join(' ')}`);
    }
  }
  return found;
}

const rulesOf = (lab: Lab, backend: LabOptions['backend']): Map<string, CellRules> =>
  new Map(
    foundation.cells.map(({ name }) => {
      const dump = iptablesIn(lab, name, 'iptables-save', []);
      return [name, { ruleset: parseRuleset(dump, { file: name, unknownMatches: 'error' }).ruleset, backend }];
    }),
  );

/** Send `cases` into a lab and into emulated cells, and hold what all taps saw against each other. */
async function compare(backend: LabOptions['backend'], cases: readonly CraftedFrame[], waiting: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'tagplane-emulate-'));
  try {
    await withLab(foundation, { ...DEFAULT_LAB, backend }, async (lab) => {
      prepare(lab);
      const observed = await observe(lab, cases, waiting, directory);
      const inputs = cases.map(({ tap, octets }, i) => ({ tap, octets, time: observed.sent[i]! }));
      const expected = new Map([...observed.taps].map(([tap, packets]) => [tap, packets.map(({ hex }) => hex)]));
      const setup: Setup = {
        foundation,
        rules: rulesOf(lab, backend),
        options: { mtus: new Map([[NARROW.tap, NARROW.mtu]]) },
        dataplane: { strictChecksums: true },
        until: observed.sent.at(-1)! + AFTER_LAST * 1e9,
      };
      const ours = travelAs(setup, inputs, expected);
      assert.ok([...expected.values()].flat().length > 2 * cases.length);
      assert.is(differences(cases, waiting, observed, ours).join('\n'), '');
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

for (const backend of ['nft', 'legacy'] as const) {
  const problem = labObstacle(backend, ['python3', 'iptables']);
  const labTest = (name: string, body: () => Promise<void>): void => {
    if (problem === undefined) test(name, body);
    else skip(test, name, problem.message);
  };
  labTest(`${backend}: every tap of two cells sees what the kernel’s taps see`, () => compare(backend, CASES, WAITING));
  const seed = Number(process.env.TAGPLANE_SEED ?? '20261123');
  labTest(`${backend}: so it does for frames changed at random, TAGPLANE_SEED=${seed}`, () =>
    compare(backend, randomCases(createRandom(seed), RANDOM_FRAMES), 0),
  );
}

test.run();
