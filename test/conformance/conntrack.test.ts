/**
 * The sequences of connection tracking against the kernel: each packet enters a network namespace through a TUN device,
 * rules in mangle PREROUTING write its state into the DSCP field, and the kernel forwards it back out of the same device,
 * where it is read again. So every packet tells its own state, and forwarding confirms its connection.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SEQUENCES, type Sequence, type Slow } from '../dataplane/sequences.ts';
import { skip } from '../support/shared.ts';
import { obstacle, run, runIn } from './lab-shell.ts';

const test = suite('conformance/conntrack');
const STATES = ['NEW', 'ESTABLISHED', 'RELATED', 'INVALID'];
const NAMESPACE = `tagplane-ct-${process.pid}`;

/** Writes one packet per line of standard input into the device and tells the DSCP field of what comes back. */
const PROGRAM = `
import fcntl, os, select, struct, sys, time
device = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(device, 0x400454ca, struct.pack('16sH22x', b'tun0', 0x1001))
os.system('ip link set tun0 up && ip route add 10.0.0.0/8 dev tun0')
for line in sys.stdin:
    wait, octets = line.split()
    time.sleep(float(wait))
    packet = bytes.fromhex(octets)
    os.write(device, packet)
    answer = 'lost'
    while select.select([device], [], [], 1)[0]:
        back = os.read(device, 65536)
        if back[0] >> 4 == 4 and back[12:20] == packet[12:20] and back[4:6] == packet[4:6]:
            answer = str(back[1] >> 2)
            break
    print(answer)
`;

const SETTINGS = [
  'net.ipv4.ip_forward=1',
  'net.ipv4.conf.all.send_redirects=0',
  'net.ipv4.conf.default.send_redirects=0',
  'net.ipv4.conf.all.rp_filter=0',
  'net.ipv4.conf.default.rp_filter=0',
  'net.ipv6.conf.all.disable_ipv6=1',
  'net.ipv6.conf.default.disable_ipv6=1',
];

/** Seconds that a timeout is set to, where a sequence waits for it. */
const SHORT = 2;
/** How long the kernel is waited for; a little more than the sequence says, for its clock ticks. */
const seconds = (after: number, slow: Slow | undefined): number =>
  after === 0 || slow === undefined ? 0 : (after / slow.seconds) * SHORT + 0.02;
const timeoutOf = ({ slow }: Sequence): string[] =>
  slow?.setting == null ? [] : [`net.netfilter.${slow.setting}=${SHORT}`];

/** What the kernel calls every packet, in order. */
function kernelStates(sequences: readonly Sequence[]): string[] {
  run('ip', ['netns', 'add', NAMESPACE]);
  try {
    for (const setting of [...SETTINGS, ...sequences.flatMap(timeoutOf)]) runIn(NAMESPACE, 'sysctl', ['-qw', setting]);
    for (const [index, state] of STATES.entries()) {
      const rule = ['-m', 'conntrack', '--ctstate', state, '-j', 'DSCP', '--set-dscp', String(index + 1)];
      runIn(NAMESPACE, 'iptables', ['-t', 'mangle', '-A', 'PREROUTING', ...rule]);
    }
    const input = sequences.flatMap(({ steps, slow }) =>
      steps.map(({ packet, after = 0 }) => `${seconds(after, slow)} ${Buffer.from(packet).toString('hex')}`),
    );
    const { stdout } = runIn(NAMESPACE, 'python3', ['-c', PROGRAM], { input: `${input.join('\n')}\n` });
    return stdout
      .trim()
      .split('\n')
      .map((word) => STATES[Number(word) - 1] ?? word);
  } finally {
    run('ip', ['netns', 'del', NAMESPACE]);
  }
}

const missing = obstacle(['ip', 'iptables', 'python3', 'sysctl']);
const NAME = 'the kernel gives every packet of the sequences the state that they say';
if (missing === undefined) {
  test(NAME, () => {
    const sequences = SEQUENCES.filter(({ slow }) => slow === undefined || slow.setting !== null);
    const states = kernelStates(sequences);
    const wrong: string[] = [];
    let at = 0;
    for (const { name, steps } of sequences) {
      for (const [index, { what, state }] of steps.entries()) {
        const found = states[at++];
        if (found !== state) wrong.push(`${name}, step ${index + 1} (${what}): the kernel ${found}, expected ${state}`);
      }
    }
    assert.is(at, states.length);
    assert.equal(wrong, []);
  });
} else {
  skip(test, NAME, missing.message);
}

test.run();
