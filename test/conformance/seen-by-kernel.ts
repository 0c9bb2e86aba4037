/**
 * What the running kernel makes of TCP and SCTP packets: the state that connection tracking gives each, and all that ctnetlink tells of
 * its connection afterwards.
 *
 * A namespace forwards what comes from a TUN device back out of the same device; rules in mangle PREROUTING write the state of
 * each packet into its DSCP field, and forwarding confirms its connection. The connection is then asked for by its tuple.
 */

import { SCTP_STATE } from '../../src/dataplane/sctp-state.ts';
import { TCP_STATE } from '../../src/dataplane/tcp-state.ts';
import type { ConnectionMap } from '../dataplane/connection-map.ts';
import { SCTP_SECONDS } from '../dataplane/sctp-map.ts';
import { agree, describe, type Known, type Seen } from '../dataplane/seen.ts';
import { TIMEOUT_SECONDS } from '../dataplane/window-map.ts';
import type { Sent } from '../dataplane/window-segments.ts';
import { run, runIn } from './lab-shell.ts';

const CTSTATES = ['NEW', 'ESTABLISHED', 'RELATED', 'INVALID'];

/** Names by number: enum tcp_conntrack and enum sctp_conntrack (include/uapi/linux/netfilter/nf_conntrack_{tcp,sctp}.h). */
const STATES: Readonly<Record<number, readonly string[]>> = {
  6: Object.keys(TCP_STATE),
  132: Object.keys(SCTP_STATE),
};

/** Bits of CTA_STATUS (include/uapi/linux/netfilter/nf_conntrack_common.h). */
const IPS_SEEN_REPLY = 2;
const IPS_ASSURED = 4;

/**
 * Reads packets in hexadecimal, one a line. Writes one line for each: seconds since the start, DSCP, and, if the connection is
 * remembered, protocol, state, seconds left, status, the original source port, and what the protocol adds.
 */
const PROGRAM = `
import fcntl, os, select, socket, struct, sys, time

device = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(device, 0x400454ca, struct.pack('16sH22x', b'tun0', 0x1001))
os.system('ip link set tun0 up && ip route add 10.0.0.0/8 dev tun0')
asker = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
asker.bind((0, 0))

def attribute(kind, octets):
    return struct.pack('HH', len(octets) + 4, kind) + octets + bytes(-len(octets) % 4)

def attributes(octets):
    found = {}
    while len(octets) >= 4:
        length, kind = struct.unpack_from('HH', octets)
        found[kind & 0x3fff] = octets[4:length]
        octets = octets[length + 3 & ~3:]
    return found

def connection(packet):
    ends = attribute(0x8001, attribute(1, packet[12:16]) + attribute(2, packet[16:20]))
    ports = attribute(0x8002, attribute(1, packet[9:10]) + attribute(2, packet[20:22]) + attribute(3, packet[22:24]))
    body = struct.pack('BBH', 2, 0, 0) + attribute(0x8001, ends + ports)
    asker.send(struct.pack('IHHII', len(body) + 16, 0x101, 1, 1, 0) + body)
    answer = asker.recv(65536)
    if struct.unpack_from('H', answer, 4)[0] == 2:
        return []
    found = attributes(answer[20:])
    port = attributes(attributes(found[1])[2])[2]
    protocol = packet[9]
    told = attributes(attributes(found[4])[1 if protocol == 6 else 3])
    if protocol == 6:
        details = [told[2][0], told[3][0], told[4][0], told[5][0]]
    else:
        details = [int.from_bytes(told[kind], 'big', signed=True) for kind in (2, 3)]
    numbers = [int.from_bytes(octets, 'big') for octets in (told[1], found[7], found[3], port)]
    return [protocol, *numbers, *details]

start = time.monotonic()
for line in sys.stdin:
    packet = bytes.fromhex(line)
    now = time.monotonic() - start
    os.write(device, packet)
    answer = 0
    while select.select([device], [], [], 1)[0]:
        back = os.read(device, 65536)
        if back[0] >> 4 == 4 and back[12:20] == packet[12:20] and back[4:6] == packet[4:6]:
            answer = back[1] >> 2
            break
    print('%.6f' % now, answer, *connection(packet))
`;

/** Settings by outcome, below net.netfilter.nf_conntrack_tcp_timeout_. */
const TCP_TIMEOUTS = [
  '',
  'syn_sent',
  'syn_recv',
  'established',
  'fin_wait',
  'close_wait',
  'last_ack',
  'time_wait',
  'close',
  '',
  'max_retrans',
  'unacknowledged',
];

/** Settings by state, below net.netfilter.nf_conntrack_sctp_timeout_. */
const SCTP_TIMEOUTS = [
  '',
  'closed',
  'cookie_wait',
  'cookie_echoed',
  'established',
  'shutdown_sent',
  'shutdown_recd',
  'shutdown_ack_sent',
  'heartbeat_sent',
];

const timeouts = (protocol: string, names: readonly string[], seconds: readonly number[]): string[] =>
  names.flatMap((name, index) =>
    name === '' ? [] : [`net.netfilter.nf_conntrack_${protocol}_timeout_${name}=${seconds[index]}`],
  );

const SETTINGS = [
  'net.ipv4.ip_forward=1',
  'net.ipv4.conf.all.send_redirects=0',
  'net.ipv4.conf.default.send_redirects=0',
  'net.ipv4.conf.all.rp_filter=0',
  'net.ipv4.conf.default.rp_filter=0',
  'net.ipv6.conf.all.disable_ipv6=1',
  'net.ipv6.conf.default.disable_ipv6=1',
  ...timeouts('tcp', TCP_TIMEOUTS, TIMEOUT_SECONDS),
  ...timeouts('sctp', SCTP_TIMEOUTS, SCTP_SECONDS),
];

export interface KernelSeen extends Seen {
  /** Seconds since the first packet. */
  readonly at: number;
}

/** What the kernel says of each of `packets`, sent one after the other through a namespace that exists no longer. */
export function seenByKernel(namespace: string, packets: readonly Uint8Array[]): KernelSeen[] {
  run('ip', ['netns', 'add', namespace]);
  try {
    runIn(namespace, 'sysctl', ['-qw', ...SETTINGS]);
    for (const [index, state] of CTSTATES.entries()) {
      const rule = ['-m', 'conntrack', '--ctstate', state, '-j', 'DSCP', '--set-dscp', String(index + 1)];
      runIn(namespace, 'iptables', ['-t', 'mangle', '-A', 'PREROUTING', ...rule]);
    }
    const input = `${packets.map((packet) => Buffer.from(packet).toString('hex')).join('\n')}\n`;
    const { stdout } = runIn(namespace, 'python3', ['-c', PROGRAM], { input });
    return stdout.trim().split('\n').map(read);
  } finally {
    run('ip', ['netns', 'del', namespace]);
  }
}

function read(line: string): KernelSeen {
  const [at, dscp, protocol, state, remaining, status, originalPort, ...details] = line.split(' ').map(Number);
  const seen = { at: at!, ctstate: CTSTATES[dscp! - 1] ?? 'lost' };
  if (protocol === undefined) return seen;
  const known: Known = {
    state: STATES[protocol]![state!]!,
    remaining: remaining!,
    assured: (status! & IPS_ASSURED) !== 0,
    seenReply: (status! & IPS_SEEN_REPLY) !== 0,
    originalPort: originalPort!,
    details,
  };
  return { ...seen, known };
}

/** The first packet of a connection that `map` and the kernel see differently, after those before it; or undefined. */
export function firstDifference(
  map: ConnectionMap,
  sent: readonly Sent[],
  kernels: readonly KernelSeen[],
): string | undefined {
  const lines: string[] = [];
  for (const [index, { what, packet }] of sent.entries()) {
    const kernel = kernels[index]!;
    const ours = map.see(packet, kernel.at);
    lines.push(`${what}: ${describe(kernel)}`);
    if (!agree(ours, kernel)) return `${lines.join('\n')}\n  but ours: ${describe(ours)}`;
  }
  return undefined;
}
