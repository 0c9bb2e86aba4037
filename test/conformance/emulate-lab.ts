/**
 * Two real cells of the shop that are fed with crafted frames, and watched at every tap.
 *
 * The containers of the lab say nothing of their own, so that all that moves is what was sent and what the cells made of
 * it. The cells know each other on the underlay, so that they do not ask.
 */
import { join } from 'node:path';
import { SCENARIOS } from '../../captures/scenarios.ts';
import type { CellRules } from '../../src/dataplane/setup.ts';
import { parseRuleset } from '../../src/rules/parse.ts';
import { formatIpv4 } from '../../src/wire/address.ts';
import { type Captured, readCapture } from '../dataplane/emulate/emulating.ts';
import { NARROW } from './emulate-cases.ts';
import type { CraftedFrame } from './emulate-frames.ts';
import { iptablesIn, type Lab, type LabOptions } from './lab.ts';
import { hostVeth, underlayMac, VTEP_DEVICE } from './lab-names.ts';
import { run, sleep } from './lab-shell.ts';
import type { Tap } from './lab-taps.ts';

export const { foundation } = SCENARIOS[0]!;

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

/** Cells know each other on the underlay, one container is narrow, and all are silent. */
export function prepare(lab: Lab): void {
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

export interface Observed {
  /** When each frame was sent, in nanoseconds from the first. */
  readonly sent: readonly number[];
  readonly taps: ReadonlyMap<string, readonly Captured[]>;
}

export interface Sending {
  readonly frame: CraftedFrame;
  /** Seconds until the next one. */
  readonly wait: number;
}

/** Send all frames, watch for `seconds` more, and read what every tap saw, in nanoseconds from the first frame. */
export async function observe(
  lab: Lab,
  sendings: readonly Sending[],
  seconds: number,
  directory: string,
): Promise<Observed> {
  const places = placesOf(lab);
  const taps = places.map(({ tap, namespace, device }, index): Tap => {
    const filter = device === 'eth0' ? SWITCH_IS_SILENT : '';
    return { name: tap, namespace, device, file: join(directory, `${index}.pcap`), format: 'pcap', filter };
  });
  let times: bigint[] = [];
  await lab.capture(taps, async () => {
    const input = sendings.map(({ frame: { tap, octets }, wait }) => {
      const { namespace, device } = senderOf(lab, places, tap);
      return `${namespace} ${device} ${Buffer.from(octets).toString('hex')} ${wait}`;
    });
    const { stdout } = run('python3', ['-c', PROGRAM], { input: `${input.join('\n')}\n` });
    times = stdout.trim().split('\n').map(BigInt);
    await sleep(seconds * 1000);
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

/** The rules that the cells of `lab` have. */
export const rulesOf = (lab: Lab, backend: LabOptions['backend']): Map<string, CellRules> =>
  new Map(
    foundation.cells.map(({ name }) => {
      const dump = iptablesIn(lab, name, 'iptables-save', []);
      return [name, { ruleset: parseRuleset(dump, { file: name, unknownMatches: 'error' }).ruleset, backend }];
    }),
  );
