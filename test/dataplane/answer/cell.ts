/**
 * The cell whose answers are compared with the kernel's: two interfaces, some routes and rules. `NETWORK` builds it in a
 * network namespace, `answer` says what it sends back about a packet that comes in by tap0, with `src/dataplane/answer`
 * for the octets and, from here, only what routing and rules add.
 *
 *     sender 10.1.0.0/16, 10.7.0.0/16 ... | tap0 10.1.0.1 | cell | tap1 10.2.0.1 | 10.2.0.2 and beyond
 */
import { createIcmpError, type IcmpError, writeIcmpError } from '../../../src/dataplane/answer/icmp-error.ts';
import { receiveOptions } from '../../../src/dataplane/answer/receive-options.ts';
import { rejectCode, writeReject } from '../../../src/dataplane/answer/reject.ts';
import { VERIFIED, type Verified, verify } from '../../../src/dataplane/answer/rejected-checksum.ts';
import { sourceAddress } from '../../../src/dataplane/answer/source-address.ts';
import type { RejectWith } from '../../../src/rules/model.ts';
import * as ipv4 from '../../../src/wire/ipv4.ts';
import { address } from '../packets.ts';

/** The kinds of REJECT; the rules for 10.2.10.N and 10.1.20.N use the one numbered N. */
export const KINDS: readonly RejectWith[] = [
  'icmp-net-unreachable',
  'icmp-host-unreachable',
  'icmp-proto-unreachable',
  'icmp-port-unreachable',
  'icmp-net-prohibited',
  'icmp-host-prohibited',
  'icmp-admin-prohibited',
  'tcp-reset',
];

const TCP_RESET = KINDS.length - 1;
const SECONDARY = '10.5.5.5';
const LOCAL = ['10.1.0.1', '10.2.0.1', SECONDARY, ...KINDS.map((_, kind) => `10.1.20.${kind}`)];
/** Where the answer to a sender goes: preferred source and MTU by the first two octets, or three. */
const ROUTES: Readonly<Record<string, Route>> = {
  '10.1': { source: '10.1.0.1', mtu: 1500 },
  '10.7': { source: SECONDARY, mtu: 1500 },
  '10.9': { source: '10.1.0.1', mtu: 1500 },
  '10.8.1': { source: '10.1.0.1', mtu: 400 },
  '10.8.2': { source: '10.1.0.1', mtu: 100 },
  '10.8.3': { source: '10.1.0.1', mtu: 68 },
  '10.8.4': { source: '10.1.0.1', mtu: 67 },
};
const REDIRECT_GATEWAY = '10.1.0.3';
const SMALL_MTU = 600;
const BROADCAST = '10.1.255.255';
const [TCP, UDP] = [6, 17];

/** Arguments of `ip` that build the cell in a namespace that has tap0 and tap1. */
export const NETWORK: readonly string[] = [
  'link set lo up',
  'addr add 10.1.0.1/16 dev tap0',
  'addr add 10.2.0.1/16 dev tap1',
  'link set tap0 arp off',
  'link set tap0 up',
  'link set tap1 up',
  ...LOCAL.slice(2).map((one) => `addr add ${one}/32 dev lo`),
  'neigh add 10.2.0.2 lladdr 02:00:00:00:00:99 dev tap1 nud permanent',
  'route add 10.2.10.0/24 via 10.2.0.2',
  `route add 10.3.0.0/16 via 10.2.0.2 mtu ${SMALL_MTU}`,
  `route add 10.4.0.0/16 via ${REDIRECT_GATEWAY}`,
  'route add unreachable 10.66.0.0/16',
  'route add prohibit 10.67.0.0/16',
  ...Object.entries(ROUTES)
    .filter(([prefix]) => prefix !== '10.1')
    .map(([prefix, { source, mtu }]) => {
      const block = prefix.split('.').length === 2 ? `${prefix}.0.0/16` : `${prefix}.0/24`;
      return `route add ${block} via 10.1.0.2 src ${source}${mtu === 1500 ? '' : ` mtu ${mtu}`}`;
    }),
];

const rule = (chain: string, destination: string, kind: number): string[] => [
  '-A',
  chain,
  '-d',
  destination,
  ...(kind === TCP_RESET ? ['-p', 'tcp'] : []),
  '-j',
  'REJECT',
  '--reject-with',
  KINDS[kind]!,
];

/** Lines of a filter table. Broadcast and multicast are rejected, too, with a reset for TCP. */
export const RULES: readonly (readonly string[])[] = [
  ...KINDS.map((_, kind) => rule('FORWARD', `10.2.10.${kind}`, kind)),
  ...KINDS.map((_, kind) => rule('INPUT', `10.1.20.${kind}`, kind)),
  ['-A', 'INPUT', '-d', `10.1.20.${TCP_RESET}`, '-j', 'DROP'],
  ...[BROADCAST, '255.255.255.255', '224.0.0.1'].flatMap((group) => [
    rule('INPUT', group, TCP_RESET),
    rule('INPUT', group, 3),
  ]),
];

interface Route {
  readonly source: string;
  readonly mtu: number;
}

const routeTo = (destination: string): Route | undefined => {
  const octets = destination.split('.');
  return ROUTES[octets.slice(0, 3).join('.')] ?? ROUTES[octets.slice(0, 2).join('.')];
};

/** What a packet's octets do not say. */
export interface Circumstances {
  readonly conntrack: boolean;
  /** Sent in a frame to ff:ff:ff:ff:ff:ff. */
  readonly groupFrame: boolean;
  readonly identification: number;
  /** When the packet came in and when it was answered, in milliseconds since midnight UT. */
  readonly received: number;
  readonly answered: number;
}

const dotted = (octets: Uint8Array, at: number): string => octets.subarray(at, at + 4).join('.');
const isUnicast = (one: number): boolean =>
  !LOCAL.some((local) => address(local) === one) && one >>> 28 < 0xe && one !== address(BROADCAST);

/** A packet on its way through the cell. */
interface Passage {
  readonly octets: Uint8Array;
  readonly view: DataView;
  readonly source: string;
  readonly destination: string;
  readonly error: IcmpError;
  readonly into: DataView;
  readonly verified: Verified;
}

/** Answers are written behind some octets, at an odd place. */
const AT = 7;

/** The answer to `packet`, or why there is none: one of UNANSWERED, 0 when the cell has nothing to complain about. */
export function answer(packet: Uint8Array, circumstances: Circumstances): Uint8Array | number {
  const octets = packet.slice();
  const view = new DataView(octets.buffer);
  const [source, destination] = [dotted(octets, 12), dotted(octets, 16)];
  const error = errorFor(source, destination, circumstances);
  const into = new Uint8Array(AT + 600).fill(0xa5);
  const verified = verifiedAtFirst(view, circumstances.conntrack);
  const passage = { octets, view, source, destination, error, into: new DataView(into.buffer), verified };
  const pointer = receiveOptions(view, 0, error);
  error.milliseconds = circumstances.answered;
  const length = pointer === 0 ? route(passage) : plain(passage, 12, 0, pointer * 2 ** 24);
  if (length <= 0) return length;
  // Turned round, a source route may begin with the cell itself, or with a host to which it knows no way.
  const next = dotted(into, AT + 16);
  return LOCAL.includes(next) || routeTo(next) === undefined ? 0 : into.slice(AT, AT + length);
}

const isGroup = (destination: string): boolean => Number.parseInt(destination, 10) >= 224 || destination === BROADCAST;

function errorFor(source: string, destination: string, circumstances: Circumstances): IcmpError {
  const back = routeTo(source)!;
  return {
    ...createIcmpError(),
    source: sourceAddress(address(destination), LOCAL.includes(destination), 0, address(back.source)),
    mtu: back.mtu,
    identification: circumstances.identification,
    milliseconds: circumstances.received,
    isUnicast,
    groupFrame: circumstances.groupFrame ? 1 : 0,
    broadcast: isGroup(destination) ? 1 : 0,
  };
}

function plain({ view, octets, error, into }: Passage, type: number, code: number, information = 0): number {
  Object.assign(error, { type, code, information });
  return writeIcmpError(view, 0, octets.length, error, into, AT);
}

function reject({ view, octets, error, into }: Passage, kind: number, verified: Verified): number {
  if (kind === TCP_RESET && octets[9] !== TCP) return 0;
  return writeReject(view, 0, octets.length, rejectCode(KINDS[kind]!), verified, error, into, AT);
}

function route(passage: Passage): number {
  const { view, octets, destination, error, verified } = passage;
  if (asksForRoute(view)) return 0;
  if (isGroup(destination)) return reject(passage, octets[9] === TCP ? TCP_RESET : 3, asInput(verified));
  if (LOCAL.includes(destination)) return deliver(passage);
  if (error.groupFrame === 1) return 0;
  if (destination.startsWith('10.66.')) return plain(passage, 3, 1);
  if (destination.startsWith('10.67.')) return plain(passage, 3, 13);
  if (destination.startsWith('10.99.')) return plain(passage, 3, 0);
  return forward(passage);
}

function deliver(passage: Passage): number {
  const { view, octets, destination, error, verified } = passage;
  if (destination.startsWith('10.1.20.')) return reject(passage, octets[19]!, asInput(verified));
  if (octets[9] !== UDP) return plain(passage, 3, 2);
  const headers = (octets[0]! & 0xf) * 4;
  error.trimmed = octets.length - headers - view.getUint16(headers + 4);
  return plain(passage, 3, 3);
}

function forward(passage: Passage): number {
  const { view, octets, source, destination, verified } = passage;
  if (octets[8]! <= 1) return plain(passage, 11, 0);
  const isTooBig = destination.startsWith('10.3.') && octets.length > SMALL_MTU;
  if (isTooBig && (octets[6]! & 0x40) !== 0) return plain(passage, 3, 4, SMALL_MTU);
  countDown(view);
  if (destination.startsWith('10.2.10.')) return reject(passage, octets[19]!, verified);
  // Only a sender on the same link is told of the other gateway.
  const isDetour = destination.startsWith('10.4.') && source.startsWith('10.1.');
  return isDetour ? plain(passage, 5, 1, address(REDIRECT_GATEWAY)) : 0;
}

/** Source routes are not accepted, neither loose nor strict. */
const asksForRoute = (view: DataView): boolean =>
  ipv4.findOption(view, 0, 131) >= 0 || ipv4.findOption(view, 0, 137) >= 0;

/** A forwarded packet's TTL goes down by one, its header checksum with it, right or wrong as that was (RFC 1624). */
function countDown(view: DataView): void {
  view.setUint8(8, view.getUint8(8) - 1);
  const sum = view.getUint16(10) + 0x100;
  view.setUint16(10, (sum & 0xffff) + (sum >>> 16));
}

/** Conntrack verifies TCP, UDP and ICMP whose headers make sense, when they come in. */
function verifiedAtFirst(view: DataView, conntrack: boolean): Verified {
  return conntrack && makesSense(view) && verify(view, 0, view.byteLength) === 0 ? VERIFIED.VALID : VERIFIED.NO;
}

function makesSense(view: DataView): boolean {
  const at = (view.getUint8(0) & 0xf) * 4;
  const length = view.byteLength - at;
  switch (view.getUint8(9)) {
    case 1:
      return length >= 8;
    case TCP: {
      const header = length < 20 ? 0 : (view.getUint8(at + 12) >>> 4) * 4;
      return header >= 20 && header <= length;
    }
    case UDP: {
      const declared = length < 8 ? 0 : view.getUint16(at + 4);
      return declared >= 8 && declared <= length && view.getUint16(at + 6) !== 0;
    }
    default:
      return false;
  }
}

const asInput = (verified: Verified): Verified => (verified === VERIFIED.VALID ? VERIFIED.UNNECESSARY : verified);
