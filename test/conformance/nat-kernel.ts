/**
 * A silk cell's NAT on the real kernel: one network namespace whose interfaces are TUN devices held by one program, so that
 * packets go in and come out octet for octet. The devices have a virtio header, which tells partial checksums.
 *
 *     eth0 10.0.0.101/24, default | silk-vtep 10.255.1.0/16 | s-010255001004, s-010255001005: 169.254.0.1, one container each
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { obstacle, run, runIn } from './lab-shell.ts';

export type Backend = 'nft' | 'legacy';

export interface Seen {
  readonly device: string;
  readonly octets: Uint8Array<ArrayBuffer>;
  /** The checksum field holds the sum of the pseudo-header only. */
  readonly partial: boolean;
}

export interface KernelCell {
  /** Let a packet come in by `device`, and tell what left; it is waited for longer when something should leave. */
  readonly send: (device: string, packet: Uint8Array, partial: boolean, leaves: boolean) => Promise<Seen[]>;
  /** What `conntrack -L` prints. */
  readonly connections: () => string;
}

/** Lines in: seconds to wait, device, 0 or 1 for a partial checksum, octets. Lines out: what left, one triple per packet. */
const PROGRAM = `
import fcntl, os, select, struct, sys
TUNSETIFF, TUNSETOFFLOAD, CHECKSUM_OFFLOAD = 0x400454ca, 0x400454d0, 1
TUN_NO_INFORMATION_VIRTIO = 0x5001
devices = {}
for name in ['eth0', 'silk-vtep', 's-010255001004', 's-010255001005']:
    device = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack('16sH22x', name.encode(), TUN_NO_INFORMATION_VIRTIO))
    fcntl.ioctl(device, TUNSETOFFLOAD, CHECKSUM_OFFLOAD)
    devices[name] = device
for command in '''
link set lo up
link set eth0 up
link set silk-vtep up
link set s-010255001004 up
link set s-010255001005 up
addr add 10.0.0.101/24 dev eth0
addr add 10.255.1.0/16 dev silk-vtep scope link
addr add 169.254.0.1/32 dev s-010255001004 scope link
addr add 169.254.0.1/32 dev s-010255001005 scope link
route add 10.255.1.4 dev s-010255001004
route add 10.255.1.5 dev s-010255001005
route add default dev eth0
'''.strip().splitlines():
    if os.system('ip ' + command):
        sys.exit('ip ' + command)
names = {device: name for name, device in devices.items()}
print('ready', flush=True)
for line in sys.stdin:
    wait, name, partial, octets = line.split()
    packet = bytes.fromhex(octets)
    header = bytes(10)
    if partial == '1':
        start = (packet[0] & 15) * 4
        header = struct.pack('<BBHHHH', 1, 0, 0, 0, start, 16 if packet[9] == 6 else 6)
    os.write(devices[name], header + packet)
    seen, wait = [], float(wait)
    while True:
        ready = select.select(list(names), [], [], wait)[0]
        if not ready:
            break
        wait = 0.01
        for device in ready:
            octets = os.read(device, 65536)
            seen.append(f'{names[device]} {octets[0] & 1} {octets[10:].hex()}')
    print(' '.join(seen), flush=True)
`;

const SETTINGS = [
  'net.ipv6.conf.all.disable_ipv6=1',
  'net.ipv6.conf.default.disable_ipv6=1',
  'net.ipv4.ip_forward=1',
  'net.ipv4.conf.all.send_redirects=0',
  'net.ipv4.conf.default.send_redirects=0',
  'net.ipv4.conf.all.rp_filter=0',
  'net.ipv4.conf.default.rp_filter=0',
];

/** Seconds until a packet is taken not to come. */
const PATIENCE = 3;
const QUIET = 0.1;

let labs = 0;

/** Why there is no such kernel here, or undefined. */
export const natObstacle = (backend: Backend): Error | undefined =>
  obstacle(['ip', 'sysctl', 'python3', 'conntrack', `xtables-${backend}-multi`]);

/** Build the cell with `rules` (iptables-restore) and `settings` (sysctl), run `body` and take it down. */
export async function withKernelCell<T>(
  backend: Backend,
  rules: string,
  settings: readonly string[],
  body: (cell: KernelCell) => Promise<T>,
): Promise<T> {
  const namespace = `tagplane-nat-${process.pid}-${labs++}`;
  run('ip', ['netns', 'add', namespace]);
  try {
    runIn(namespace, 'sysctl', ['-qw', ...SETTINGS]);
    runIn(namespace, `xtables-${backend}-multi`, ['iptables-restore'], { input: rules });
    // Those of connection tracking exist once rules ask for it.
    if (settings.length > 0) runIn(namespace, 'sysctl', ['-qw', ...settings]);
    return await withProgram(namespace, body);
  } finally {
    run('ip', ['netns', 'del', namespace]);
  }
}

async function withProgram<T>(namespace: string, body: (cell: KernelCell) => Promise<T>): Promise<T> {
  const child = spawn('ip', ['netns', 'exec', namespace, 'python3', '-c', PROGRAM], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async (): Promise<string> => {
    const { value, done } = (await lines.next()) as IteratorResult<string, string>;
    if (done === true) throw new Error('the program that holds the devices has ended');
    return value;
  };
  try {
    await read();
    return await body({
      async send(device, packet, partial, leaves) {
        child.stdin.write(
          `${leaves ? PATIENCE : QUIET} ${device} ${partial ? 1 : 0} ${Buffer.from(packet).toString('hex')}\n`,
        );
        return seenIn(await read());
      },
      connections: () => runIn(namespace, 'conntrack', ['-L']).stdout,
    });
  } finally {
    child.stdin.end();
    await ended;
  }
}

function seenIn(line: string): Seen[] {
  const words = line === '' ? [] : line.split(' ');
  const seen: Seen[] = [];
  for (let at = 0; at < words.length; at += 3) {
    seen.push({
      device: words[at]!,
      partial: words[at + 1] === '1',
      octets: Uint8Array.from(Buffer.from(words[at + 2]!, 'hex')),
    });
  }
  return seen;
}
