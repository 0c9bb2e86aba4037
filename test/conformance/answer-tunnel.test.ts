/**
 * Rejected packets that came out of a VXLAN tunnel: what the outer UDP checksum lets the kernel take for verified
 * (VERIFIED in rejected-checksum.ts), and that answers lose the group id.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createIcmpError } from '../../src/dataplane/answer/icmp-error.ts';
import { rejectCode, writeReject } from '../../src/dataplane/answer/reject.ts';
import { VERIFIED, type Verified } from '../../src/dataplane/answer/rejected-checksum.ts';
import { address, ethernet, FLAG, ipv4, tcp, udp, vxlan } from '../dataplane/packets.ts';
import { skip } from '../support/shared.ts';
import { askKernel, NO_LIMITS } from './answer-kernel.ts';
import { obstacle } from './lab-shell.ts';

const test = suite('conformance/answer-tunnel');
const OUTER = { source: '10.1.0.2', destination: '10.1.0.1' };
const INNER = { source: '10.255.1.4', destination: '10.255.2.7' };
const VTEP = '10.255.2.0';
const [VTEP_MAC, PEER_MAC] = ['ee:ee:0a:ff:02:00', 'ee:ee:0a:ff:01:00'];
const VXLAN_PORT = 4789;
/** Outer IPv4, UDP, VXLAN, inner Ethernet. */
const BEFORE_INNER = 50 - 14 + 14;

const NETWORK = [
  'link set lo up',
  `link set tap0 arp off`,
  'addr add 10.1.0.1/16 dev tap0',
  'link set tap0 up',
  `link add vtep address ${VTEP_MAC} type vxlan id 1 local 10.1.0.1 dev tap0 dstport ${VXLAN_PORT} nolearning gbp`,
  'link set vtep up',
  `addr add ${VTEP}/16 dev vtep`,
  `route add 10.255.1.0/24 via 10.255.1.0 dev vtep onlink src ${VTEP}`,
  `neigh add 10.255.1.0 lladdr ${PEER_MAC} dev vtep nud permanent`,
  'addr add 10.2.0.1/16 dev tap1',
  'link set tap1 up',
  'route add 10.255.2.7/32 via 10.2.0.2',
];
const FDB = `fdb append ${PEER_MAC} dev vtep dst 10.1.0.2`;
const RULES = [
  ['-A', 'FORWARD', '-p', 'tcp', '--dport', '9', '-j', 'REJECT', '--reject-with', 'tcp-reset'],
  ['-A', 'FORWARD', '-j', 'REJECT'],
];
const TRACKED = [['-A', 'FORWARD', '-m', 'conntrack', '--ctstate', 'UNTRACKED'], ...RULES];

function damaged(octets: Uint8Array): Uint8Array {
  const copy = octets.slice();
  copy[copy.length - 1]! ^= 1;
  return copy;
}

const DATA = [1, 2, 3, 4, 5, 6, 7, 8];
const INNERS: Readonly<Record<string, Uint8Array>> = {
  UDP: ipv4(INNER, 17, udp(INNER, 7, 8, DATA)),
  'long UDP': ipv4(INNER, 17, udp(INNER, 7, 8, Array<number>(900).fill(4))),
  TCP: ipv4(INNER, 6, tcp(INNER, 7, 8, { flags: FLAG.SYN })),
  'TCP to be reset': ipv4(INNER, 6, tcp(INNER, 7, 9, { flags: FLAG.SYN, payload: DATA })),
  'protocol without a checksum': ipv4(INNER, 200, DATA),
};

interface Case {
  readonly name: string;
  readonly inner: Uint8Array;
  readonly isGood: boolean;
  readonly outer: Uint8Array;
}

function cases(): Case[] {
  return Object.entries(INNERS).flatMap(([name, good]) =>
    [good, damaged(good)].flatMap((inner) =>
      [true, false].map((summed) => {
        const frame = ethernet(VTEP_MAC, PEER_MAC, 0x0800, inner);
        const datagram = udp(OUTER, 50_000, VXLAN_PORT, vxlan(frame, { groupId: 7 }));
        if (!summed) datagram.splice(6, 2, 0, 0);
        const what = `${name}${inner === good ? '' : ', damaged'}, outer checksum ${summed ? 'right' : 'absent'}`;
        return { name: what, inner, isGood: inner === good, outer: ipv4(OUTER, 17, datagram) };
      }),
    ),
  );
}

/** What the kernel holds of the inner packet: conntrack looks for itself at the protocols that it knows. */
function verified({ inner, isGood }: Case, tracked: boolean): Verified {
  if (!tracked || inner[9] === 200) return VERIFIED.VALID;
  return isGood ? VERIFIED.UNNECESSARY : VERIFIED.NO;
}

function ours(one: Case, tracked: boolean, identification: number): string {
  const octets = one.inner.slice();
  octets[8]! -= 1;
  octets[10]! += 1;
  const into = new Uint8Array(600);
  const error = { ...createIcmpError(), source: address(VTEP), identification };
  const isReset = octets[9] === 6 && octets[23] === 9;
  const code = rejectCode(isReset ? 'tcp-reset' : 'icmp-port-unreachable');
  const known = verified(one, tracked);
  const length = writeReject(
    new DataView(octets.buffer),
    0,
    octets.length,
    code,
    known,
    error,
    new DataView(into.buffer),
    0,
  );
  return length > 0 ? Buffer.from(into.subarray(0, length)).toString('hex') : 'none';
}

const missing = obstacle(['ip', 'bridge', 'python3', 'sysctl', 'xtables-nft-multi']);
for (const tracked of [false, true]) {
  const name = `answers through a tunnel, ${tracked ? 'with' : 'without'} conntrack`;
  if (missing !== undefined) {
    skip(test, name, missing.message);
    continue;
  }
  test(name, () => {
    const list = cases();
    const setup = { backend: 'nft', network: NETWORK, bridge: [FDB], rules: tracked ? TRACKED : RULES } as const;
    const sent = list.map(({ outer }) => ({ packet: outer, waitSeconds: 0.05 }));
    const backs = askKernel({ ...setup, settings: NO_LIMITS }, sent);
    for (const [index, { packets }] of backs.entries()) {
      const one = list[index]!;
      const [theirs] = packets;
      if (theirs !== undefined) assert.equal([...theirs.subarray(28, 32)], [0x08, 0, 0, 0], `${one.name}: VXLAN flags`);
      const inner = theirs?.subarray(BEFORE_INNER);
      const identification = inner === undefined ? 0 : (inner[4]! << 8) | inner[5]!;
      const found = inner === undefined ? 'none' : Buffer.from(inner).toString('hex');
      assert.is(found, ours(one, tracked, identification), one.name);
    }
    assert.ok(backs.some(({ packets }) => packets.length > 0));
  });
}

test.run();
