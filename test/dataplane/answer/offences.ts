/** Packets that give the cell of `cell.ts` a reason to complain, or only nearly so. */
import { address, checksum, FLAG, type HeaderFields, icmp, ipv4, tcp, udp } from '../packets.ts';
import { KINDS } from './cell.ts';

export interface Offence {
  readonly name: string;
  readonly packet: Uint8Array;
  readonly groupFrame?: boolean;
  /** Connection tracking would keep it back. */
  readonly fragment?: boolean;
}

/** Numbers that look random, from a seed (a linear congruential generator). */
export function numbersFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

let senders = 0;
/** A sender that no other packet has: the kernel limits what it tells one about routing. */
function sender(network = '10.9'): string {
  senders += 1;
  return `${network}.${1 + ((senders >>> 8) % 250)}.${senders & 0xff}`;
}

const bytes = (length: number, from = 1): number[] => Array.from({ length }, (_, i) => (i * 7 + from) & 0xff);
const FORWARDED = (kind: number): string => `10.2.10.${kind}`;
const LOCAL = (kind: number): string => `10.1.20.${kind}`;
const PORT_UNREACHABLE = 3;
const TCP_RESET = KINDS.length - 1;

type Payload = (ends: { source: string; destination: string }) => number[];
const PAYLOADS: Readonly<Record<string, readonly [protocol: number, payload: Payload]>> = {
  syn: [6, (ends) => tcp(ends, 40_000, 8080, { flags: FLAG.SYN, sequence: 0x11223344 })],
  data: [6, (ends) => tcp(ends, 1, 2, { flags: FLAG.ACK, sequence: 1, acknowledgement: 9, payload: bytes(33) })],
  fin: [6, (ends) => tcp(ends, 1, 2, { flags: FLAG.FIN, sequence: 0xffff_fff0, payload: bytes(40) })],
  rst: [6, (ends) => tcp(ends, 1, 2, { flags: FLAG.RST | FLAG.ACK, sequence: 5 })],
  udp: [17, (ends) => udp(ends, 5000, 53, bytes(20))],
  'udp without checksum': [17, () => [0x13, 0x88, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4]],
  echo: [1, () => icmp(8, 0, 0x00070001, bytes(56))],
  'no protocol at all': [200, () => bytes(30)],
  'unknown protocol that sums right': [200, () => [...bytes(30), ...summedRight(bytes(30))]],
  'IP in IP': [4, () => [...ipv4({ source: '10.0.0.1', destination: '10.0.0.2' }, 17, bytes(8))]],
  IGMP: [2, () => [0x16, 0, 0x09, 0xfe, 224, 0, 0, 1]],
  GRE: [47, () => bytes(24)],
  ESP: [50, () => bytes(24)],
  AH: [51, () => bytes(24)],
  DCCP: [33, () => bytes(24)],
  SCTP: [132, () => bytes(24)],
  'UDP-Lite': [136, () => bytes(24)],
};

function summedRight(octets: readonly number[]): number[] {
  const sum = checksum(octets);
  return [sum >>> 8, sum & 0xff];
}

const packet = (
  destination: string,
  payload: keyof typeof PAYLOADS,
  fields: HeaderFields = {},
  source = sender(),
): Uint8Array => {
  const [protocol, body] = PAYLOADS[payload]!;
  return ipv4({ source, destination }, protocol, body({ source, destination }), fields);
};

/** `octets` with one octet changed by one bit. */
function damaged(octets: Uint8Array, at: number): Uint8Array {
  const copy = octets.slice();
  copy[at]! ^= 0x10;
  return copy;
}

const NAMES = Object.keys(PAYLOADS);
const WAYS = [
  ['FORWARD', FORWARDED],
  ['INPUT', LOCAL],
] as const;

function everyKind(): Offence[] {
  return WAYS.flatMap(([chain, to]) =>
    KINDS.flatMap((kind, number) =>
      NAMES.map((name) => ({ name: `${chain} ${kind}: ${name}`, packet: packet(to(number), name) })),
    ),
  );
}

function lengths(): Offence[] {
  const sizes = [0, 1, 2, 3, 7, 8, 9, 100, 499, 500, 501, 519, 520, 521, 522, 547, 548, 549, 575, 576, 577, 1000, 1472];
  return WAYS.flatMap(([chain, to]) =>
    sizes.flatMap((size) => {
      const ends = { source: sender(), destination: to(PORT_UNREACHABLE) };
      const whole = ipv4(ends, 17, udp(ends, 7, 8, bytes(size)));
      const padded = ipv4(ends, 17, udp(ends, 7, 8, bytes(size)), { options: [1, 1, 1, 0] });
      return [
        { name: `${chain} UDP payload of ${size}`, packet: whole },
        { name: `${chain} UDP payload of ${size} behind options`, packet: padded },
      ];
    }),
  );
}

function typesOfService(): Offence[] {
  return Array.from({ length: 256 }, (_, typeOfService) => [
    { name: `TOS ${typeOfService}`, packet: packet(FORWARDED(PORT_UNREACHABLE), 'udp', { typeOfService }) },
    { name: `TOS ${typeOfService}, reset`, packet: packet(FORWARDED(TCP_RESET), 'syn', { typeOfService }) },
  ]).flat();
}

function wrongChecksums(): Offence[] {
  return WAYS.flatMap(([chain, to]) =>
    ['syn', 'data', 'udp', 'echo', 'IGMP', 'unknown protocol that sums right', 'SCTP'].flatMap((name) =>
      [PORT_UNREACHABLE, TCP_RESET].map((kind) => ({
        name: `${chain} ${KINDS[kind]}: ${name} damaged`,
        packet: damaged(packet(to(kind), name), 25),
      })),
    ),
  );
}

function segments(): Offence[] {
  const list: Offence[] = [];
  for (let flags = 0; flags < 256; flags += 1) {
    const ends = { source: sender(), destination: FORWARDED(TCP_RESET) };
    const segment = tcp(ends, 9, 10, {
      flags,
      sequence: 0xffff_ff00 + flags,
      acknowledgement: 77,
      payload: bytes(flags),
    });
    list.push({ name: `TCP flags ${flags}`, packet: ipv4(ends, 6, segment) });
  }
  for (const [chain, to] of WAYS) {
    for (let words = 0; words < 16; words += 1) {
      const ends = { source: sender(), destination: to(TCP_RESET) };
      const segment = tcp(ends, 9, 10, { flags: FLAG.SYN, sequence: 3, payload: bytes(12) });
      segment[12] = words << 4;
      segment.splice(16, 2, 0, 0);
      const pseudo = [...word(address(ends.source)), ...word(address(ends.destination)), 0, 6, 0, segment.length];
      segment.splice(16, 2, ...summedRight([...pseudo, ...segment]));
      list.push({ name: `${chain} TCP data offset ${words}`, packet: ipv4(ends, 6, segment) });
    }
  }
  return list;
}

const word = (value: number): number[] => [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];

function shortOnes(): Offence[] {
  const list: Offence[] = [];
  for (const protocol of [1, 2, 6, 17, 47, 200]) {
    for (let length = 0; length <= 24; length += 1) {
      for (const kind of [PORT_UNREACHABLE, TCP_RESET]) {
        const ends = { source: sender(), destination: FORWARDED(kind) };
        const name = `protocol ${protocol} with ${length} octets, ${KINDS[kind]}`;
        list.push({
          name,
          packet: ipv4(
            ends,
            protocol,
            Array.from({ length }, () => 0),
          ),
        });
        list.push({
          name: `${name}, all ones`,
          packet: ipv4(
            ends,
            protocol,
            Array.from({ length }, () => 0xff),
          ),
        });
      }
    }
  }
  return list;
}

function fragments(): Offence[] {
  const list: Offence[] = [];
  for (const to of [FORWARDED(PORT_UNREACHABLE), FORWARDED(TCP_RESET), '10.2.0.2', '10.66.0.1', '10.4.0.1']) {
    for (const fragment of [0x2000, 0x2001, 0x0001, 0x1fff, 0x4000, 0x8000, 0x6000]) {
      const network = to === '10.4.0.1' ? '10.1' : '10.9';
      for (const name of ['syn', 'udp', 'udp without checksum', 'echo', 'SCTP']) {
        list.push({
          name: `${name} to ${to}, flags and offset 0x${fragment.toString(16)}`,
          packet: packet(to, name, { fragment, timeToLive: to === '10.2.0.2' ? 1 : 64 }, sender(network)),
          fragment: (fragment & 0x3fff) !== 0,
        });
      }
    }
  }
  return list;
}

function icmpTypes(): Offence[] {
  const list: Offence[] = [];
  for (let type = 0; type < 256; type += 1) {
    for (const [way, destination, timeToLive] of [
      ['rejected', FORWARDED(PORT_UNREACHABLE), 64],
      ['out of time', '10.2.0.2', 1],
    ] as const) {
      const ends = { source: sender(), destination };
      const quoted = packet(sender(), 'udp', {}, destination);
      list.push({ name: `ICMP type ${type} ${way}`, packet: ipv4(ends, 1, icmp(type, 0, 0, quoted), { timeToLive }) });
    }
  }
  return list;
}

const REASONS: readonly (readonly [way: string, to: string, fields: HeaderFields])[] = [
  ['rejected', FORWARDED(6), {}],
  ['rejected with options', FORWARDED(6), { options: [7, 7, 8, 1, 2, 3, 4, 0] }],
  ['rejected with 40 octets of options', LOCAL(6), { options: [7, 39, 40, ...bytes(36), 0] }],
  ['for a local address', LOCAL(6), {}],
  ['out of time', '10.2.0.2', { timeToLive: 1 }],
  ['TTL 0', '10.2.0.2', { timeToLive: 0 }],
  ['TTL 2', '10.2.0.2', { timeToLive: 2 }],
  ['too big', '10.3.0.9', { fragment: 0x4000 }],
  ['too big, may be fragmented', '10.3.0.9', {}],
  ['too big and out of time', '10.3.0.9', { fragment: 0x4000, timeToLive: 1 }],
  ['without a port', '10.1.0.1', {}],
];

/** Every reason that a router has, on paths back with another source or a smaller MTU. */
function sizesAndPaths(): Offence[] {
  const list: Offence[] = [];
  for (const network of ['10.1.7', '10.7.1', '10.9.1', '10.8.1', '10.8.2', '10.8.3', '10.8.4']) {
    for (const size of [0, 40, 41, 200, 372, 373, 700, 1300]) {
      for (const [way, destination, fields] of REASONS) {
        const ends = { source: `${network}.${size & 0xff}`, destination };
        const name = `${way}, ${size} octets from ${network}`;
        list.push({ name, packet: ipv4(ends, 17, udp(ends, 99, 98, bytes(size)), fields) });
      }
    }
  }
  return list;
}

function otherReasons(): Offence[] {
  const list: Offence[] = [];
  for (const to of ['10.66.1.1', '10.67.1.1', '10.99.1.1']) {
    for (const name of NAMES) list.push({ name: `${name} without a way to ${to}`, packet: packet(to, name) });
  }
  for (const name of NAMES) {
    list.push({ name: `${name} by a detour`, packet: packet('10.4.9.9', name, {}, sender('10.1')) });
  }
  for (const length of [8, 9, 20, 27]) {
    const ends = { source: sender(), destination: '10.1.0.1' };
    const datagram = [0, 9, 0, 10, 0, length, 0, 0, ...bytes(20)];
    list.push({ name: `UDP length ${length} of 28, no port`, packet: ipv4(ends, 17, datagram) });
  }
  list.push({ name: 'protocol that the cell does not speak', packet: packet('10.1.0.1', 'no protocol at all') });
  return list;
}

function broadcasts(): Offence[] {
  const names = ['syn', 'udp', 'echo', 'SCTP'];
  const toGroups = ['10.1.255.255', '255.255.255.255', '224.0.0.1'].flatMap((destination) =>
    names.map((name) => ({ name: `${name} to ${destination}`, packet: packet(destination, name, {}, sender('10.1')) })),
  );
  const inFrames = [LOCAL(PORT_UNREACHABLE), LOCAL(TCP_RESET), FORWARDED(1), '10.66.0.1', '10.1.0.1'].flatMap((to) =>
    names
      .filter((name) => to !== '10.1.0.1' || name === 'udp')
      .map((name) => ({ name: `${name} to ${to} in a broadcast frame`, packet: packet(to, name), groupFrame: true })),
  );
  return [...toGroups, ...inFrames];
}

const pad = (octets: readonly number[]): number[] => [
  ...octets,
  ...Array<number>((4 - (octets.length & 3)) & 3).fill(0),
];
const OWN = [10, 1, 0, 1];

/** Options that are right, or wrong in one way each. */
const OPTIONS: Readonly<Record<string, readonly number[]>> = {
  'nothing but padding': [1, 1, 1, 0],
  'octets behind the end of the list': [0, 7, 9, 9],
  'length 0': [99, 0, 0, 0],
  'length 1': [99, 1, 0, 0],
  'length beyond the header': [99, 5, 0, 0],
  'kind without length': [1, 1, 1, 99],
  'unknown option': [99, 4, 1, 2],
  'record route': [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0],
  'record route, room for one': [7, 7, 4, 0, 0, 0, 0],
  'record route, full': [7, 7, 8, 1, 2, 3, 4],
  'record route, one and a half': [7, 9, 4, 0, 0, 0, 0, 5, 6],
  'record route, half': [7, 5, 4, 0, 0],
  'record route, pointer 3': [7, 7, 3, 0, 0, 0, 0],
  'record route, pointer 5': [7, 12, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  'record route, length 2': [7, 2, 1, 1],
  'record route twice': [7, 7, 4, 0, 0, 0, 0, 7, 7, 4, 0, 0, 0, 0],
  'record route and a bad option': [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 99, 1],
  timestamp: [68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  'timestamp, room for one': [68, 8, 5, 0, 0, 0, 0, 0],
  'timestamp, one and a half': [68, 10, 5, 0, 0, 0, 0, 0, 7, 7],
  'timestamp, full': [68, 8, 9, 0x20, 1, 2, 3, 4],
  'timestamp, overflowed fifteen times': [68, 8, 9, 0xf0, 1, 2, 3, 4],
  'timestamp, length 3': [68, 3, 5, 1],
  'timestamp, pointer 4': [68, 8, 4, 0, 0, 0, 0, 0],
  'timestamp, half': [68, 6, 5, 0, 0, 0],
  'timestamp, flags unknown': [68, 12, 5, 2, 1, 2, 3, 4, 5, 6, 7, 8],
  'timestamp with address': [68, 20, 5, 1, ...bytes(16)],
  'timestamp with address, room for one': [68, 12, 5, 1, ...bytes(8)],
  'timestamp with address, one and a half': [68, 16, 5, 1, ...bytes(12)],
  'timestamp with address, no room': [68, 8, 5, 1, ...bytes(4)],
  'timestamp with address, full': [68, 12, 13, 1, ...bytes(8)],
  'prespecified, not us': [68, 12, 5, 3, 10, 1, 0, 9, 0, 0, 0, 0],
  'prespecified, us': [68, 20, 5, 3, ...OWN, 0, 0, 0, 0, 10, 1, 0, 9, 0, 0, 0, 0],
  'prespecified, us twice': [68, 20, 5, 3, ...OWN, 0, 0, 0, 0, ...OWN, 0, 0, 0, 0],
  'prespecified, us and nothing more': [68, 12, 5, 3, ...OWN, 0, 0, 0, 0],
  'prespecified, us and four octets': [68, 16, 5, 3, ...OWN, 0, 0, 0, 0, 1, 2, 3, 4],
  'prespecified, us and two octets': [68, 14, 5, 3, ...OWN, 0, 0, 0, 0, 1, 2],
  'prespecified, half': [68, 8, 5, 3, ...OWN],
  'prespecified, full': [68, 12, 13, 3, ...OWN, 0, 0, 0, 0],
  'timestamp twice': [68, 8, 5, 0, 0, 0, 0, 0, 68, 8, 5, 0, 0, 0, 0, 0],
  'record route and timestamp': [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 1, 68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  'timestamp and record route': [68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0],
  'router alert': [148, 4, 0, 0],
  'router alert, short': [148, 3, 0, 0],
  'loose source route': [131, 7, 4, 10, 2, 0, 2],
  'loose source route, length 2': [131, 2, 1, 1],
  'loose source route, pointer 3': [131, 7, 3, 10, 2, 0, 2],
  'loose source route and a bad option': [131, 7, 8, 10, 9, 0, 7, 99, 1],
  'strict source route of three and a bad option': [137, 15, 16, 10, 9, 0, 7, 10, 9, 0, 8, 10, 9, 0, 9, 99, 1],
  'loose source route, half way, and a bad option': [131, 15, 12, 10, 9, 0, 7, 10, 9, 0, 8, 10, 9, 0, 9, 99, 1],
  'two source routes': [131, 7, 8, 10, 9, 0, 7, 137, 7, 8, 10, 9, 0, 8],
  CIPSO: [134, 14, 0, 0, 0, 3, 1, 8, 0, 1, 2, 3, 4, 5],
  'CIPSO, short': [134, 6, 0, 0, 0, 3],
  'CIPSO behind record route': [7, 7, 4, 0, 0, 0, 0, 134, 14, 0, 0, 0, 3, 1, 8, 0, 1, 2, 3, 4, 5],
  'CIPSO behind timestamp and record route': [
    68, 8, 5, 0, 0, 0, 0, 0, 7, 7, 4, 0, 0, 0, 0, 134, 10, 0, 0, 0, 3, 1, 4, 0, 1,
  ],
};

const OPTION_WAYS = [
  ['rejected in FORWARD', FORWARDED(PORT_UNREACHABLE), 'udp', 64],
  ['without checksum, rejected in FORWARD', FORWARDED(PORT_UNREACHABLE), 'udp without checksum', 64],
  ['rejected in INPUT', LOCAL(PORT_UNREACHABLE), 'udp', 64],
  ['reset in FORWARD', FORWARDED(TCP_RESET), 'syn', 64],
  ['reset in INPUT', LOCAL(TCP_RESET), 'data', 64],
  ['out of time', '10.2.0.2', 'echo', 1],
  ['without a way', '10.66.3.3', 'SCTP', 64],
  ['by a detour', '10.4.3.3', 'udp', 64],
] as const;

function optionsOffences(): Offence[] {
  return Object.entries(OPTIONS).flatMap(([what, options]) =>
    OPTION_WAYS.map(([way, to, name, timeToLive]) => ({
      name: `${what}: ${way}`,
      packet: packet(to, name, { options: pad(options), timeToLive }, sender(way === 'by a detour' ? '10.1' : '10.9')),
    })),
  );
}

/** An option put together at random, more often nearly right than wrong. */
function randomOption(number: (below: number) => number): number[] {
  const kinds = [0, 1, 7, 7, 68, 68, 68, 131, 134, 137, 148, 99];
  const kind = kinds[number(kinds.length)]!;
  if (kind < 2) return number(4) === 0 ? [kind] : [1];
  const isTime = kind === 68;
  const addresses = Array.from({ length: 1 + number(4) }, () =>
    number(3) === 0 ? OWN : [10, 9, 0, number(256)],
  ).flat();
  const body = [(isTime ? 5 : 4) + 4 * number(4), ...(isTime ? [number(4)] : []), ...addresses];
  const option = [kind, 2 + body.length, ...body];
  if (number(6) === 0) option[2] = number(40);
  if (number(12) === 0) option[3] = number(256);
  if (number(12) === 0) option[1] = number(40);
  return option;
}

function randomOptions(count: number): Offence[] {
  const number = numbersFrom(7);
  return Array.from({ length: count }, (_, index) => {
    const octets: number[] = [];
    const size = 4 * (1 + number(10));
    while (octets.length < size) octets.push(...randomOption(number));
    const [way, to, name, timeToLive] = OPTION_WAYS[number(OPTION_WAYS.length)]!;
    // Now and then the last option does not fit, or is not whole.
    const options = pad(number(3) === 0 ? octets.slice(0, size) : octets.slice(0, 40));
    const source = sender(way === 'by a detour' ? '10.1' : '10.9');
    return { name: `random options ${index}: ${way}`, packet: packet(to, name, { options, timeToLive }, source) };
  });
}

/** All of them, always the same. */
export function offences(): Offence[] {
  senders = 0;
  return [
    ...everyKind(),
    ...lengths(),
    ...typesOfService(),
    ...wrongChecksums(),
    ...segments(),
    ...shortOnes(),
    ...fragments(),
    ...icmpTypes(),
    ...sizesAndPaths(),
    ...otherReasons(),
    ...broadcasts(),
    ...optionsOffences(),
    ...randomOptions(2000),
  ];
}
