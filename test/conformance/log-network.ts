/**
 * One host with three neighbours' worth of network, to see LOG rules at every hook:
 *
 *     sender/left ---- router/silk-vtep, router/s-010255002007 ---- sender/right
 *
 * Frames go in at `left`; the router forwards those to 10.8.0.2 and takes those to 10.9.0.1 itself. It tracks no
 * connections, so fragments reach the rules as they are.
 */
import { run, runIn } from './lab-shell.ts';

const ROUTER_MAC = 'ee:ee:0a:ff:02:00';
export const SENDER_MAC = 'ee:ee:0a:ff:01:00';
export const LINK = `${ROUTER_MAC}${SENDER_MAC}0800`.replaceAll(':', '');
export const IN = 'silk-vtep';
export const OUT = 's-010255002007';
export const SENDER = '10.9.0.2';
export const ROUTER = '10.9.0.1';
export const BEYOND = '10.8.0.2';

/** Sends frames, or datagrams that need no link header, one per line in hexadecimal. Argument: an interface, or nothing. */
const SEND = `
import socket, sys
if len(sys.argv) > 1:
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((sys.argv[1], 0))
    send = s.send
else:
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    send = lambda octets: s.sendto(octets, (socket.inet_ntoa(octets[16:20]), 0))
for line in sys.stdin:
    send(bytes.fromhex(line))
`;

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

/** Send whole frames out of `device` of a network namespace. */
export const sendFrames = (namespace: string, device: string, frames: readonly string[]): void =>
  void runIn(namespace, 'python3', ['-c', SEND, device], { input: `${frames.join('\n')}\n` });

export interface LogNetwork {
  readonly router: string;
  /** Send IPv4 packets to the router, in Ethernet frames with the header LINK. */
  readonly deliver: (packets: readonly Uint8Array[]) => void;
  /** Send IPv4 packets from the router itself. */
  readonly emit: (packets: readonly Uint8Array[]) => void;
}

/** Build the network, run `body` and take it down again. */
export async function withLogNetwork<T>(body: (network: LogNetwork) => Promise<T>): Promise<T> {
  const [router, sender] = [`tagplane-${process.pid}-log-router`, `tagplane-${process.pid}-log-sender`];
  const remove = (): void => {
    for (const name of [router, sender]) run('ip', ['netns', 'delete', name], { allow: [0, 1] });
  };
  process.once('exit', remove);
  try {
    build(router, sender);
    return await body({
      router,
      deliver: (packets) =>
        sendFrames(
          sender,
          'left',
          packets.map((packet) => LINK + hex(packet)),
        ),
      emit: (packets) => void runIn(router, 'python3', ['-c', SEND], { input: `${packets.map(hex).join('\n')}\n` }),
    });
  } finally {
    process.off('exit', remove);
    remove();
  }
}

function build(router: string, sender: string): void {
  for (const name of [router, sender]) run('ip', ['netns', 'add', name]);
  const ip = (...args: string[]): void => void run('ip', ['-n', router, ...args]);
  for (const [device, peer] of [
    [IN, 'left'],
    [OUT, 'right'],
  ] as const) {
    ip('link', 'add', device, 'type', 'veth', 'peer', 'name', peer, 'netns', sender);
    runIn(router, 'sysctl', [
      '-q',
      '-w',
      `net.ipv4.conf.${device}.rp_filter=0`,
      `net.ipv6.conf.${device}.disable_ipv6=1`,
    ]);
    ip('link', 'set', device, 'up', ...(device === IN ? ['address', ROUTER_MAC] : []));
    run('ip', ['-n', sender, 'link', 'set', peer, 'up']);
  }
  runIn(router, 'sysctl', ['-q', '-w', 'net.ipv4.ip_forward=1', 'net.ipv4.conf.all.rp_filter=0']);
  ip('address', 'add', `${ROUTER}/24`, 'dev', IN);
  ip('address', 'add', '10.8.0.1/24', 'dev', OUT);
  ip('neighbour', 'add', SENDER, 'lladdr', SENDER_MAC, 'dev', IN);
  ip('neighbour', 'add', BEYOND, 'lladdr', 'ee:ee:0a:08:00:02', 'dev', OUT);
}
