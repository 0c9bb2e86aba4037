/**
 * Every reason is reached by a frame whose one wrong octet is named, the list of codes is what formats promise, and frames
 * cut anywhere never become more welcome than they were whole.
 */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { create } from '../../src/capture/burst.ts';
import { openSource } from '../../src/capture/file.ts';
import { open } from '../../src/capture/reader.ts';
import * as conntrack from '../../src/dataplane/conntrack.ts';
import * as counters from '../../src/dataplane/counters.ts';
import * as fragments from '../../src/dataplane/fragments.ts';
import { REASON, REASONS } from '../../src/dataplane/verdict.ts';
import { ROOT } from '../support/shared.ts';
import {
  BACKEND,
  BACKEND_TAG,
  createJudge,
  type Fate,
  FRONTEND,
  FRONTEND_TAG,
  type Frame,
  fatesOf,
  hostFrame,
  innerFrame,
  outerPacket,
  type Setup,
  tunnelled,
  UNDERLAY,
  VTEP,
} from './judging.ts';
import {
  checksum,
  ethernet,
  FLAG,
  type HeaderFields,
  icmp,
  ipv4,
  silkMac,
  type Tunnel,
  tcp,
  vxlan,
} from './packets.ts';

const test = suite('dataplane/judge');
const { SYN, ACK } = FLAG;

const TO_BACKEND = { source: FRONTEND, destination: BACKEND };
const TAGGED: Tunnel = { groupId: FRONTEND_TAG };

const syn = (port = 8080, fields: HeaderFields = {}, ends = TO_BACKEND): Uint8Array =>
  ipv4(ends, 6, tcp(ends, 40_000, port, { flags: SYN }), fields);

const SYN_FRAME = tunnelled('b', syn(), TAGGED);

// Where things are in a frame on the underlay without options and tags.
const OUTER = 14;
const OUTER_UDP = OUTER + 20;
const VXLAN = OUTER_UDP + 8;
const INNER = VXLAN + 8;
const INNER_IP = INNER + 14;

/** `frame` with the octet at `at` set to `value`, and the header checksum of the IPv4 header at `repair` made right again. */
function changed(frame: Uint8Array, at: number, value: number, repair?: number): Uint8Array {
  const octets = frame.slice();
  octets[at] = value;
  if (repair !== undefined) {
    octets[repair + 10] = 0;
    octets[repair + 11] = 0;
    const sum = checksum(octets.subarray(repair, repair + 20));
    octets[repair + 10] = sum >>> 8;
    octets[repair + 11] = sum & 0xff;
  }
  return octets;
}

/** A packet as a container hands it to its cell. */
const fromContainer = (packet: Uint8Array, source = FRONTEND): Uint8Array =>
  ethernet(silkMac('aa', source), silkMac('ee', source), 0x0800, packet);

const synTo = (destination: string, port = 8080): Uint8Array => syn(port, {}, { source: FRONTEND, destination });
const fragment = (more: boolean, offset: number, octets: number): Uint8Array =>
  tunnelled(
    'b',
    ipv4(TO_BACKEND, 17, new Uint8Array(octets), { fragment: (more ? 0x2000 : 0) | (offset / 8), identification: 7 }),
    TAGGED,
  );
const ANSWER_ENDS = { source: BACKEND, destination: FRONTEND };
const SYN_ACK_FRAME = tunnelled('a', ipv4(ANSWER_ENDS, 6, tcp(ANSWER_ENDS, 8080, 40_000, { flags: SYN | ACK })), {
  groupId: BACKEND_TAG,
});

const BROADCAST = '10.255.255.255';
const FROM_BROADCAST = { source: BROADCAST, destination: FRONTEND };
/** What would answer a SYN to the broadcast address, as far as an ICMP error quotes it. */
const ANSWERED_BROADCAST = ipv4(FROM_BROADCAST, 6, tcp(FROM_BROADCAST, 8080, 40_000, { flags: SYN | ACK })).subarray(
  0,
  28,
);

interface Case {
  readonly name: string;
  readonly verdict: string;
  readonly reason: string;
  /** The last one is what the case is about. */
  readonly frames: readonly (Uint8Array | Frame)[];
  readonly setup?: Setup;
}

const one = (verdict: string, reason: string, name: string, frame: Uint8Array | Frame, setup: Setup = {}): Case => ({
  name,
  verdict,
  reason,
  frames: [frame],
  setup,
});

/** A filter table for cell-b whose FORWARD chain is `rules`. */
const ruled = (...rules: readonly string[]): Setup => ({
  rules: {
    'cell-b': [
      '*filter',
      ':INPUT ACCEPT [0:0]',
      ':FORWARD ACCEPT [0:0]',
      ':OUTPUT ACCEPT [0:0]',
      ...rules,
      'COMMIT',
      '',
    ].join('\n'),
  },
});
const dropping: Setup = {
  rules: { 'cell-b': '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n' },
};

const RULES: Case[] = [
  one('deliver', 'policy.accept', 'a SYN with the tag of an allowed app', SYN_FRAME),
  {
    name: 'the answer to a SYN that went before',
    verdict: 'deliver',
    reason: 'conntrack.established',
    frames: [SYN_FRAME, SYN_ACK_FRAME],
  },
  {
    name: 'port unreachable about a SYN that went before',
    verdict: 'deliver',
    reason: 'conntrack.related',
    frames: [
      SYN_FRAME,
      tunnelled('a', ipv4({ source: VTEP.b, destination: FRONTEND }, 1, icmp(3, 3, 0, syn().subarray(0, 28)))),
    ],
  },
  one('reject', 'overlay.reject', 'a port that no policy names', tunnelled('b', syn(9999), TAGGED)),
  one('reject', 'overlay.reject', 'the tag of another app', tunnelled('b', syn(), { groupId: 2 })),
  one(
    'reject',
    'overlay.reject',
    'G clear: the group id counts for nothing',
    tunnelled('b', syn(), { ...TAGGED, flags: 0x08 }),
  ),
  one(
    'reject',
    'overlay.reject',
    'the A bit is part of the mark',
    tunnelled('b', syn(), { ...TAGGED, policyFlags: 0x08 }),
  ),
  one(
    'reject',
    'overlay.reject',
    'the D bit is part of the mark',
    tunnelled('b', syn(), { ...TAGGED, policyFlags: 0x40 }),
  ),
  one(
    'deliver',
    'policy.accept',
    'reserved bits of octet 1 are not',
    tunnelled('b', syn(), { ...TAGGED, policyFlags: 0xb7 }),
  ),
  one('forward', 'overlay.source', 'a container calls another cell', fromContainer(syn())),
  one('forward', 'asg.accept', 'a container calls the internet', fromContainer(synTo('8.8.8.8'))),
  one('reject', 'asg.reject', 'a container calls a private network', fromContainer(synTo('192.168.0.1'))),
  one('reject', 'input.reject', 'a container calls its cell', fromContainer(synTo(VTEP.a, 22))),
  one(
    'deliver',
    'input.accept',
    'a container calls a service of its cell',
    tunnelled('b', synTo(VTEP.b, 22), TAGGED),
    ruled(':input--h - [0:0]', '-A INPUT -j input--h', '-A input--h -p tcp --dport 22 -j ACCEPT'),
  ),
  one(
    'deliver',
    'overlay.ingress',
    'an overlay chain accepts for a mark',
    SYN_FRAME,
    ruled(':overlay--h - [0:0]', '-A FORWARD -j overlay--h', '-A overlay--h -m mark --mark 0x1 -j ACCEPT'),
  ),
  one('deliver', 'rule.accept', 'a rule of somebody else accepts', SYN_FRAME, ruled('-A FORWARD -p tcp -j ACCEPT')),
  one('drop', 'rule.drop', 'a rule of somebody else drops', SYN_FRAME, ruled('-A FORWARD -p tcp -j DROP')),
  one('reject', 'rule.reject', 'a rule of somebody else rejects', SYN_FRAME, ruled('-A FORWARD -p tcp -j REJECT')),
  one('deliver', 'chain.accept', 'no rule at all', SYN_FRAME, ruled()),
  one('drop', 'chain.drop', 'no rule, and the policy is DROP', SYN_FRAME, dropping),
];

const UNDERLAY_CASES: Case[] = [
  one('malformed', 'frame.too-small', '13 octets', SYN_FRAME.slice(0, 13)),
  one('malformed', 'frame.too-small', 'no octets', new Uint8Array(0)),
  one('unsupported', 'frame.link-type', 'IEEE 802.11', { octets: SYN_FRAME, linkType: 127 }),
  one(
    'drop',
    'vlan.tagged',
    'outer VLAN 5',
    hostFrame('b', outerPacket('b', vxlan(innerFrame('b', syn()), TAGGED)), 0x0800, [5]),
  ),
  one(
    'deliver',
    'policy.accept',
    'outer priority tag',
    hostFrame('b', outerPacket('b', vxlan(innerFrame('b', syn()), TAGGED)), 0x0800, [0x6000]),
  ),
  one(
    'drop',
    'vlan.tagged',
    'inner VLAN 5',
    hostFrame('b', outerPacket('b', vxlan(innerFrame('b', syn(), 0x0800, [5]), TAGGED))),
  ),
  one(
    'deliver',
    'policy.accept',
    'inner VLAN 0',
    hostFrame('b', outerPacket('b', vxlan(innerFrame('b', syn(), 0x0800, [0]), TAGGED))),
  ),
  one('malformed', 'ip4.too-small', 'outer total length beyond the frame', changed(SYN_FRAME, OUTER + 2, 4, OUTER)),
  one(
    'malformed',
    'ip4.too-small',
    'inner total length beyond the frame',
    changed(SYN_FRAME, INNER_IP + 2, 4, INNER_IP),
  ),
  one('malformed', 'ip4.header', 'outer version 5', changed(SYN_FRAME, OUTER, 0x55, OUTER)),
  one('malformed', 'ip4.header', 'outer IHL 4', changed(SYN_FRAME, OUTER, 0x44, OUTER)),
  one('malformed', 'ip4.header', 'inner IHL 4', changed(SYN_FRAME, INNER_IP, 0x44, INNER_IP)),
  one('malformed', 'ip4.header', 'inner version 6 under EtherType 0800', changed(SYN_FRAME, INNER_IP, 0x65, INNER_IP)),
  one('malformed', 'ip4.checksum', 'outer header checksum', changed(SYN_FRAME, OUTER + 11, SYN_FRAME[OUTER + 11]! ^ 1)),
  one(
    'malformed',
    'ip4.checksum',
    'inner header checksum',
    changed(SYN_FRAME, INNER_IP + 10, SYN_FRAME[INNER_IP + 10]! ^ 1),
  ),
  one(
    'malformed',
    'ip4.options',
    'inner option of length 1',
    tunnelled('b', syn(8080, { options: [7, 1, 0, 0] }), TAGGED),
  ),
  one('deliver', 'policy.accept', 'inner options NOP', tunnelled('b', syn(8080, { options: [1, 1, 1, 1] }), TAGGED)),
  one(
    'drop',
    'ip4.source-route',
    'inner loose source route',
    tunnelled('b', syn(8080, { options: [131, 3, 4, 0] }), TAGGED),
  ),
  one(
    'drop',
    'ip4.source-route',
    'inner strict source route',
    tunnelled('b', syn(8080, { options: [137, 3, 4, 0] }), TAGGED),
  ),
  ...(
    [
      ['ip4.invalid-source', 'a multicast group', '224.0.0.1'],
      ['ip4.invalid-source', 'the broadcast address', '255.255.255.255'],
      ['ip4.localnet', 'a loopback address', '127.0.0.1'],
      ['ip4.local-source', 'the VTEP', VTEP.b],
      ['ip4.local-source', 'the receiving cell', UNDERLAY.b],
    ] as const
  ).map(([reason, what, source]) =>
    one('drop', reason, `from ${what}`, tunnelled('b', syn(8080, {}, { source, destination: BACKEND }), TAGGED)),
  ),
  one('drop', 'ip4.localnet', 'to a loopback address', tunnelled('b', synTo('127.0.0.1'), TAGGED)),
  one('drop', 'ip4.ttl', 'TTL 1', tunnelled('b', syn(8080, { timeToLive: 1 }), TAGGED)),
  one('drop', 'ip4.ttl', 'TTL 0', tunnelled('b', syn(8080, { timeToLive: 0 }), TAGGED)),
  one('deliver', 'policy.accept', 'TTL 2', tunnelled('b', syn(8080, { timeToLive: 2 }), TAGGED)),
  one(
    'drop',
    'neighbour.failed',
    'an address of the lease without a container',
    tunnelled('b', synTo('10.255.2.77'), TAGGED),
  ),
  one('malformed', 'udp.length', 'outer UDP length 4', changed(changed(SYN_FRAME, OUTER_UDP + 4, 0), OUTER_UDP + 5, 4)),
  one('malformed', 'udp.length', 'outer UDP length beyond the datagram', changed(SYN_FRAME, OUTER_UDP + 4, 9)),
  one(
    'malformed',
    'udp.checksum',
    'outer UDP checksum',
    changed(SYN_FRAME, OUTER_UDP + 6, SYN_FRAME[OUTER_UDP + 6]! ^ 1),
    {
      options: { strictChecksums: true },
    },
  ),
  one(
    'deliver',
    'policy.accept',
    'outer UDP checksum, taken for offloading',
    changed(SYN_FRAME, OUTER_UDP + 6, SYN_FRAME[OUTER_UDP + 6]! ^ 1),
  ),
];

const TUNNEL: Case[] = [
  one('malformed', 'vxlan.too-small', '7 octets of VXLAN', hostFrame('b', outerPacket('b', [0x88, 0, 0, 1, 0, 0, 1]))),
  one('malformed', 'vxlan.no-frame', 'no inner frame', hostFrame('b', outerPacket('b', vxlan([], TAGGED)))),
  one(
    'malformed',
    'vxlan.no-frame',
    '13 octets of inner frame',
    hostFrame('b', outerPacket('b', vxlan(innerFrame('b', []).slice(0, 13), TAGGED))),
  ),
  one('malformed', 'vxlan.invalid-header', 'I clear', changed(SYN_FRAME, VXLAN, 0x80)),
  ...[0x01, 0x02, 0x04, 0x10, 0x20, 0x40].map((bit) =>
    one(
      'malformed',
      'vxlan.invalid-header',
      `reserved bit 0x${bit.toString(16)} of octet 0`,
      changed(SYN_FRAME, VXLAN, 0x88 | bit),
    ),
  ),
  one('malformed', 'vxlan.invalid-header', 'reserved octet 7', changed(SYN_FRAME, VXLAN + 7, 1)),
  one('drop', 'vxlan.vni', 'VNI 2', changed(SYN_FRAME, VXLAN + 6, 2)),
  one('drop', 'vxlan.local-mac', "the receiving VTEP's MAC as source", changed(SYN_FRAME, INNER + 10, 2)),
  one('drop', 'vxlan.other-host', "another MAC than the VTEP's", changed(SYN_FRAME, INNER + 5, 9)),
  one('drop', 'vxlan.ecn', 'outer CE, inner Not-ECT', changed(SYN_FRAME, OUTER + 1, 3, OUTER)),
  one(
    'deliver',
    'policy.accept',
    'outer CE, inner ECT',
    changed(changed(SYN_FRAME, OUTER + 1, 3, OUTER), INNER_IP + 1, 2, INNER_IP),
  ),
  one(
    'drop',
    'inner.ethertype',
    'LLDP inside',
    hostFrame('b', outerPacket('b', vxlan(innerFrame('b', syn(), 0x88cc), TAGGED))),
  ),
  one(
    'deliver',
    'inner.arp',
    'ARP inside',
    hostFrame('b', outerPacket('b', vxlan(innerFrame('b', new Uint8Array(28), 0x0806), {}))),
  ),
  one(
    'unsupported',
    'ip6.unsupported',
    'IPv6 inside',
    hostFrame('b', outerPacket('b', vxlan(innerFrame('b', new Uint8Array(40), 0x86dd), {}))),
  ),
];

const REST: Case[] = [
  one('drop', 'fragment.incomplete', 'a first fragment alone', fragment(true, 0, 16)),
  {
    name: 'a fragment over another',
    verdict: 'drop',
    reason: 'fragment.overlap',
    frames: [fragment(true, 0, 16), fragment(false, 8, 16)],
  },
  {
    name: 'a fragment twice',
    verdict: 'drop',
    reason: 'fragment.duplicate',
    frames: [fragment(true, 0, 16), fragment(true, 0, 16)],
  },
  one('drop', 'fragment.too-big', 'the ping of death', fragment(false, 65_528, 16)),
  {
    name: 'one connection more than the table takes',
    verdict: 'drop',
    reason: 'conntrack.full',
    frames: [SYN_FRAME, tunnelled('b', ipv4(TO_BACKEND, 6, tcp(TO_BACKEND, 40_001, 8080, { flags: SYN })), TAGGED)],
    // The SYN is remembered by the cell that sent it too.
    setup: { options: { connectionLimit: 2 } },
  },
  one(
    'drop',
    'transport.truncated',
    'four octets of TCP, and legacy iptables',
    tunnelled('b', ipv4(TO_BACKEND, 6, [1, 2, 0x1f, 0x90]), TAGGED),
    {
      backend: 'legacy',
    },
  ),
  one(
    'deliver',
    'policy.accept',
    'four octets of TCP, and nft',
    tunnelled('b', ipv4(TO_BACKEND, 6, [1, 2, 0x1f, 0x90]), TAGGED),
  ),
  one(
    'deliver',
    'host.overlay',
    "a ping of the cell's overlay address",
    tunnelled('b', ipv4({ source: VTEP.a, destination: VTEP.b }, 1, icmp(8, 0, 1))),
  ),
  one('drop', 'host.broadcast', 'to the broadcast address of the overlay', tunnelled('b', synTo(BROADCAST), TAGGED)),
  {
    name: 'an error about a broadcast, which INPUT let in and so remembered',
    verdict: 'drop',
    reason: 'host.broadcast',
    frames: [
      tunnelled('b', synTo(BROADCAST), TAGGED),
      fromContainer(ipv4({ source: BACKEND, destination: BROADCAST }, 1, icmp(3, 3, 0, ANSWERED_BROADCAST)), BACKEND),
    ],
  },
  one('drop', 'host.broadcast', 'to a multicast group', tunnelled('b', synTo('224.0.0.9'), TAGGED)),
  one(
    'observed',
    'tap.delivered',
    'what a container got',
    ethernet(silkMac('ee', BACKEND), silkMac('aa', BACKEND), 0x0800, syn()),
  ),
  one('observed', 'tap.overlay', 'on the VTEP', innerFrame('b', syn())),
  one('forward', 'egress.sent', 'to a host that nobody knows', changed(SYN_FRAME, OUTER + 19, 200, OUTER)),
  one('observed', 'underlay.arp', 'ARP', hostFrame('b', new Uint8Array(28), 0x0806)),
  one(
    'observed',
    'underlay.other',
    'ssh between hosts',
    hostFrame('b', syn(22, {}, { source: UNDERLAY.a, destination: UNDERLAY.b })),
  ),
  one(
    'observed',
    'underlay.unknown-cell',
    'VXLAN between strangers',
    changed(changed(SYN_FRAME, OUTER + 19, 200, OUTER), OUTER + 15, 201, OUTER),
  ),
  one('observed', 'capture.cut', 'cut in the inner header', {
    octets: SYN_FRAME.slice(0, INNER_IP + 10),
    originalLength: SYN_FRAME.length,
  }),
];

const CASES = [...RULES, ...UNDERLAY_CASES, ...TUNNEL, ...REST];

for (const { name, verdict, reason, frames, setup } of CASES) {
  test(`${reason}: ${name}`, async () => {
    const given = frames.map((frame) => (frame instanceof Uint8Array ? { octets: frame } : frame));
    const fates = await fatesOf(createJudge(setup), given);
    const { verdict: got, reason: why } = fates.at(-1)!;
    assert.equal(`${got} ${why}`, `${verdict} ${reason}`);
  });
}

/** Reached where crafting one frame is not enough: `fragments.test.ts` fills the memory. */
const ELSEWHERE = ['fragment.limit'];
/** What only an emulated cell comes to: see `test/dataplane/emulate/`. */
const EMULATED = [
  ...['host.no-protocol', 'host.no-socket', 'host.underlay', 'icmp.checksum', 'ip4.invalid-destination', 'ip4.mtu'],
  ...['ip4.reverse-path', 'link.group', 'route.none', 'tcp.checksum', 'transport.too-small', 'vtep.no-remote'],
  ...[
    'arp.header',
    'arp.ignored',
    'arp.too-small',
    'frame.llc',
    'host.nobody',
    'ip6.disabled',
    'ip6.extension',
    'ip6.header',
    'ip6.no-next-header',
    'ip6.option',
    'ip6.too-small',
    'ip6.version',
    'icmp.group',
    'icmp.quote',
  ],
  ...['icmp.short-redirect', 'icmp.type', 'tcp.flags', 'tcp.reset', 'transport.short', 'vlan.truncated'],
];

test('every reason has a case', () => {
  const reached = new Set([...CASES.map(({ reason }) => reason), ...ELSEWHERE, ...EMULATED]);
  assert.equal(
    REASONS.map(({ code }) => code).filter((code) => !reached.has(code)),
    [],
  );
});

test('codes are part of the formats: none may vanish or change', () => {
  const codes = REASONS.map(({ code }) => code);
  assert.is(new Set(codes).size, codes.length);
  assert.equal(
    Object.values(REASON).toSorted((a, b) => a - b),
    Array.from(codes.keys()),
  );
  const known = [
    ...EMULATED,
    ...['asg.accept', 'asg.reject', 'capture.cut', 'chain.accept', 'chain.drop', 'conntrack.established'],
    ...['conntrack.full', 'conntrack.related', 'egress.sent', 'fragment.duplicate', 'fragment.incomplete'],
    ...['fragment.limit', 'fragment.overlap', 'fragment.too-big', 'frame.link-type', 'frame.too-small'],
    ...['host.broadcast', 'host.overlay', 'inner.arp', 'inner.ethertype', 'input.accept', 'input.reject'],
    ...['ip4.checksum', 'ip4.header', 'ip4.invalid-source', 'ip4.local-source', 'ip4.localnet', 'ip4.options'],
    ...['ip4.source-route', 'ip4.too-small', 'ip4.ttl', 'ip6.unsupported', 'neighbour.failed', 'overlay.ingress'],
    ...[
      'overlay.reject',
      'overlay.source',
      'policy.accept',
      'rule.accept',
      'rule.drop',
      'rule.reject',
      'tap.delivered',
    ],
    ...['tap.overlay', 'transport.truncated', 'udp.checksum', 'udp.length', 'underlay.arp', 'underlay.other'],
    ...['underlay.unknown-cell', 'vlan.tagged', 'vxlan.ecn', 'vxlan.invalid-header', 'vxlan.local-mac'],
    ...['vxlan.no-frame', 'vxlan.other-host', 'vxlan.too-small', 'vxlan.vni'],
  ];
  assert.equal(codes.toSorted(), known.toSorted());
});

/** All frames of a capture of this repository. */
async function framesOf(file: string): Promise<Frame[]> {
  const reader = await open(await openSource(join(ROOT, 'captures', 'two-cells', file)));
  const burst = create();
  const frames: Frame[] = [];
  do {
    while (reader.fill(burst) > 0)
      for (let i = 0; i < burst.count; i++)
        frames.push({ octets: burst.octets.slice(burst.at[i], burst.end[i]), linkType: burst.linkType[i]! });
  } while (await reader.refill());
  await reader.close();
  return frames;
}

const welcome = ({ verdict }: Fate): boolean => verdict === 'deliver' || verdict === 'forward';

for (const file of ['cell-a.eth0.pcapng', 'cell-b.eth0.pcapng', 'cell-b.s-010255002007.pcap', 'backend-0.eth0.pcap']) {
  test(`${file}: cut at every octet, nothing becomes welcome`, async () => {
    const frames = await framesOf(file);
    let cuts = 0;
    for (const frame of frames) {
      const { length } = frame.octets;
      // Each by itself: what a frame is allowed must not depend on the state that its longer self left behind.
      const [whole] = await fatesOf(createJudgeOnce(), [frame]);
      for (let end = 0; end < length; end += end < 150 ? 1 : 37) {
        const octets = frame.octets.slice(0, end);
        const linkType = frame.linkType!;
        const [captured] = await fatesOf(createJudgeOnce(), [{ octets, linkType, originalLength: length }]);
        const [shorter] = await fatesOf(createJudgeOnce(), [{ octets, linkType }]);
        assert.ok(welcome(whole!) || !welcome(captured!), `captured to ${end} of ${length}: ${captured!.reason}`);
        assert.ok(welcome(whole!) || !welcome(shorter!), `${end} of ${length} octets: ${shorter!.reason}`);
        const alike = captured!.verdict === whole!.verdict || captured!.verdict === 'observed';
        assert.ok(
          alike,
          `captured to ${end} of ${length}: ${captured!.verdict} ${captured!.reason}, whole ${whole!.reason}`,
        );
        cuts += 2;
      }
    }
    assert.ok(cuts > 1000, `${cuts} cuts`);
  });
}

/** A dataplane that has seen nothing yet; its rules are compiled once, for that takes longer than all the rest. */
const compiled = createJudge();
function createJudgeOnce(): typeof compiled {
  return {
    ...compiled,
    connections: conntrack.create(16),
    counters: counters.create(),
    fragments: fragments.create(),
    late: [],
  };
}

test.run();
