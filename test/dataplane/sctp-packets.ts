/**
 * SCTP packets put together octet by octet, and random conversations of them. Shares no code with `src`: the CRC32c here goes bit by
 * bit, and the kernel has checked it.
 */
import { type Ends, ipv4 } from './packets.ts';
import { pick, type Random, type Sent } from './window-segments.ts';

const SERVER_PORT = 8080;
const OUT: Ends = { source: '10.61.0.1', destination: '10.62.0.1' };
const BACK: Ends = { source: '10.62.0.1', destination: '10.61.0.1' };
const SCTP = 132;

const word = (value: number): number[] => [(value >>> 8) & 0xff, value & 0xff];
const long = (value: number): number[] => [...word(value >>> 16), ...word(value & 0xffff)];

function checksum(octets: readonly number[]): number[] {
  let sum = 0xffffffff;
  for (const octet of octets) {
    sum ^= octet;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ ((sum & 1) * 0x82f63b78);
  }
  const inverted = ~sum >>> 0;
  return long(inverted).toReversed();
}

/** A chunk; `value` is filled up to a multiple of four octets behind its length. */
export const chunk = (type: number, value: readonly number[] = [], flags = 0, length = 4 + value.length): number[] => [
  type,
  flags,
  ...word(length),
  ...value,
  ...Array<number>(-value.length & 3).fill(0),
];

/** An INIT (1) or INIT ACK (2) with this initiate tag. */
export const init = (type: 1 | 2, tag: number): number[] => chunk(type, [...long(tag), ...Array<number>(12).fill(1)]);

let identification = 0;

export interface SctpPacket {
  readonly way: 'out' | 'back';
  readonly port: number;
  readonly tag: number;
  readonly chunks: readonly (readonly number[])[];
  /** Octets behind the last chunk. */
  readonly tail?: readonly number[];
  readonly badChecksum?: boolean;
}

export function sctp({ way, port, tag, chunks, tail = [], badChecksum = false }: SctpPacket): Uint8Array {
  const ports = way === 'out' ? [...word(port), ...word(SERVER_PORT)] : [...word(SERVER_PORT), ...word(port)];
  const header = [...ports, ...long(tag >>> 0)];
  const body = [...chunks.flat(), ...tail];
  const sum = checksum([...header, 0, 0, 0, 0, ...body]);
  if (badChecksum) sum[0]! ^= 1;
  identification = (identification + 1) & 0xffff;
  return ipv4(way === 'out' ? OUT : BACK, SCTP, [...header, ...sum, ...body], { identification });
}

/** DATA, SACK, HEARTBEAT, its ACK, ABORT, SHUTDOWN, its ACK, ERROR, COOKIE ECHO, COOKIE ACK, SHUTDOWN COMPLETE, unknown ones. */
const TYPES = [0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15, 63, 200];
/** What an association does in order: type and way. */
const SCRIPT: readonly (readonly [type: number, way: 'out' | 'back'])[] = [
  [1, 'out'],
  [2, 'back'],
  [10, 'out'],
  [11, 'back'],
  [0, 'out'],
  [4, 'back'],
  [5, 'out'],
  [7, 'out'],
  [8, 'back'],
  [14, 'out'],
];

/** `count` packets of an association that mostly goes as it should. */
export function associate(random: Random, port: number, count: number): Sent[] {
  const tags = { out: random(2 ** 32), back: random(2 ** 32) };
  const sent: Sent[] = [];
  let place = random(4) === 0 ? random(SCRIPT.length) : 0;
  while (sent.length < count) {
    const expected = random(3) !== 0;
    const [type, way] = expected
      ? SCRIPT[place]!
      : ([pick(random, [1, 2, ...TYPES]), pick(random, ['out', 'back'] as const)] as const);
    if (expected && random(8) !== 0) place = (place + 1) % SCRIPT.length;
    if (random(20) === 0) tags[way] = random(2 ** 32);
    // The tag of a packet is the one that its receiver gave.
    const own = type === 1 ? 0 : tags[way === 'out' ? 'back' : 'out'];
    const tag = random(10) === 0 ? pick(random, [0, tags[way], random(2 ** 32)]) : own;
    const chunks = [
      type === 1 || type === 2 ? init(type, tags[way]) : chunk(type, Array<number>(random(6)).fill(9), random(2)),
    ];
    if (random(6) === 0) chunks.push(chunk(pick(random, TYPES), [], random(2)));
    if (random(30) === 0) chunks.unshift(chunk(pick(random, TYPES)));
    const cut = random(40) === 0 && (type === 1 || type === 2) ? [chunk(type, [1, 2, 3, 4])] : chunks;
    if (random(40) === 0) cut.push(chunk(0, [], 0, 0));
    const packet = {
      way,
      port,
      tag,
      chunks: random(60) === 0 ? [] : cut,
      tail: random(30) === 0 ? [1, 2, 3] : [],
      badChecksum: random(50) === 0,
    };
    const shown = Buffer.from(packet.chunks.flat()).toString('hex');
    sent.push({ what: `${way} tag ${tag | 0} ${shown}${packet.badChecksum ? ' bad' : ''}`, packet: sctp(packet) });
  }
  return sent;
}
