/**
 * A network namespace with two TAP devices whose other ends are in a program: it writes frames into tap0, one by one, and
 * reads what the kernel sends in return from both. The kernel works on a frame while it is being written, so what it has to
 * say at once can be read when the write is done.
 */
import { run, runIn } from './lab-shell.ts';

/** Lines of standard input: seconds to wait for answers, and the frame; of standard output: time of day and what came. */
const PROGRAM = `
import fcntl, os, select, struct, sys, time
def tap(name):
    device = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, 0x400454ca, struct.pack('16sH22x', name, 0x1002))
    return device
taps = [tap(b'tap0'), tap(b'tap1')]
os.system(sys.argv[1])
def clock():
    return int(time.time() * 1000) % 86400000
def drain(wait):
    frames = []
    end = time.monotonic() + wait
    while True:
        ready = select.select(taps, [], [], max(0, end - time.monotonic()))[0]
        if not ready:
            return frames
        for device in ready:
            frame = os.read(device, 65536)
            if frame[12:14] == b'\\x08\\x00':
                frames.append(frame[14:].hex())
drain(0.05)
for line in sys.stdin:
    wait, octets = line.split()
    before = clock()
    os.write(taps[0], bytes.fromhex(octets))
    frames = drain(float(wait))
    print(before, clock(), ' '.join(frames))
`;

const QUIET = [
  'net.ipv6.conf.all.disable_ipv6=1',
  'net.ipv6.conf.default.disable_ipv6=1',
  'net.ipv4.ip_forward=1',
  'net.ipv4.conf.all.rp_filter=0',
  'net.ipv4.conf.default.rp_filter=0',
];
/** With an empty mask neither limit of icmp.c applies. */
export const NO_LIMITS = ['net.ipv4.icmp_ratelimit=0', 'net.ipv4.icmp_ratemask=0'];
const TAP_MAC = '020000000001';
const GROUP_MAC = 'ffffffffffff';
const SENDER_MAC = '020000000002';

export interface Setup {
  readonly backend: 'nft' | 'legacy';
  /** Arguments of `ip`, of `bridge`, of `iptables` and of `sysctl -w`. */
  readonly network: readonly string[];
  readonly bridge?: readonly string[];
  readonly rules: readonly (readonly string[])[];
  readonly settings: readonly string[];
}

export interface Sent {
  readonly packet: Uint8Array;
  readonly groupFrame?: boolean;
  /** How long to wait for what comes back, 0 for what comes at once. */
  readonly waitSeconds?: number;
}

export interface Back {
  /** Milliseconds since midnight UT, before and after. */
  readonly from: number;
  readonly to: number;
  readonly packets: readonly Uint8Array[];
}

const line = ({ packet, groupFrame = false, waitSeconds = 0 }: Sent): string =>
  `${waitSeconds} ${groupFrame ? GROUP_MAC : TAP_MAC}${SENDER_MAC}0800${Buffer.from(packet).toString('hex')}\n`;

function read(text: string): Back {
  const [from, to, ...packets] = text.split(' ');
  const filled = packets.filter((one) => one !== '');
  return { from: Number(from), to: Number(to), packets: filled.map((hex) => Uint8Array.from(Buffer.from(hex, 'hex'))) };
}

let made = 0;

/** What the kernel sent after each packet, in order; IPv4 only. */
export function askKernel({ backend, network, bridge = [], rules, settings }: Setup, sent: readonly Sent[]): Back[] {
  made += 1;
  const namespace = `tagplane-answer-${process.pid}-${made}`;
  run('ip', ['netns', 'add', namespace]);
  try {
    for (const setting of [...QUIET, ...settings]) runIn(namespace, 'sysctl', ['-qw', setting]);
    const restore = `*filter\n${rules.map((words) => words.join(' ')).join('\n')}\nCOMMIT\n`;
    runIn(namespace, `xtables-${backend}-multi`, ['iptables-restore'], { input: restore });
    const commands = [
      `ip link set tap0 address 02:00:00:00:00:01`,
      ...network.map((words) => `ip ${words}`),
      ...bridge.map((words) => `bridge ${words}`),
    ];
    const input = sent.map(line).join('');
    const { stdout, stderr } = runIn(namespace, 'python3', ['-c', PROGRAM, commands.join(' && ')], { input });
    if (stderr !== '') throw new Error(stderr);
    return stdout.replace(/\n$/, '').split('\n').map(read);
  } finally {
    run('ip', ['netns', 'del', namespace]);
  }
}
