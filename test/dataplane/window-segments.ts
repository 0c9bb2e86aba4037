/**
 * Random TCP segments for the comparison with the kernel: from a seed, segments that two ends could send, and segments that
 * they could not. Each end counts what it sent; now and then a number of a segment is put off, by amounts that lie on either
 * side of the limits of the windows.
 */
import { type Ends, FLAG, ipv4, type Segment, tcp } from './packets.ts';

const { FIN, SYN, ACK } = FLAG;
const SERVER_PORT = 8080;
const OUT: Ends = { source: '10.61.0.1', destination: '10.62.0.1' };
const BACK: Ends = { source: '10.62.0.1', destination: '10.61.0.1' };

export interface Sent {
  readonly what: string;
  readonly packet: Uint8Array;
}

export interface End {
  /** The next sequence number. */
  next: number;
  window: number;
  scale: number;
}

/** Numbers below `limit`, from a seed (mulberry32). */
export type Random = (limit: number) => number;

export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

export const pick = <T>(random: Random, values: readonly T[]): T => values[random(values.length)]!;

/** Around these the limits of a window lie. */
const OFFSETS = [
  1,
  2,
  100,
  1000,
  65_534,
  65_535,
  65_536,
  65_999,
  66_000,
  66_001,
  66_002,
  200_000,
  2 ** 30,
  2 ** 31 - 1,
  2 ** 31,
];

/** A number of octets by which a segment is put off. */
function offsetOf(random: Random, window: number): number {
  const size = random(2) === 0 ? pick(random, OFFSETS) : window + random(5) - 2;
  return random(2) === 0 ? size : -size;
}

const FIRST_NUMBERS = [0, 1, 0xffffffff, 0xfffffff0, 0xffff0000, 0x7fffffff, 0x80000000, 0x12345678];
const WINDOWS = [0, 1, 2, 500, 8192, 65_535];
const SCALES = [0, 1, 2, 7, 14, 15, 255];

const NOP = 1;
const long = (value: number): number[] => [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];

/** Options of a SYN; some of them are broken. */
function openingOptions(random: Random, scale: number): number[] {
  const sackPermitted = [4, 2];
  switch (random(7)) {
    case 0:
      return [];
    case 1:
      return [3, 3, scale, NOP];
    case 2:
      return [...sackPermitted, NOP, NOP];
    case 3:
      return [2, 4, 5, 0xb4, ...sackPermitted, 8, 10, ...long(1), ...long(0), NOP, 3, 3, scale];
    case 4:
      return [...sackPermitted, 3, 3, scale, 0, 3, 3];
    case 5:
      return pick(random, [
        [4, 2, 3, 1, NOP, NOP, NOP, NOP],
        [4, 2, 3, 9, 5, 5, 5, 5],
        [0, 2, 3, 3, scale, NOP, 4, 2],
        [NOP, 8, 1, 3, 3, scale, 4, 2],
        [8, 0, 4, 2],
        [4, 3, 0, NOP],
        [3, 4, 5, 5],
        [NOP, NOP, NOP, 3],
      ]);
    default:
      return [...sackPermitted, NOP, 3, 3, scale, NOP, NOP];
  }
}

/** Options of any other segment: a timestamp, or SACK blocks whose edges lie where `acknowledgement` is, more or less. */
function laterOptions(random: Random, acknowledgement: number): number[] {
  const edge = (): number[] => long((acknowledgement + random(3000) - 500) >>> 0);
  switch (random(8)) {
    case 0:
      return [NOP, NOP, 5, 10, ...edge(), ...edge()];
    case 1:
      return [NOP, NOP, 5, 18, ...edge(), ...edge(), ...edge(), ...edge()];
    case 2:
      return [NOP, NOP, 8, 10, ...long(5), ...long(6), NOP, NOP, 5, 10, ...edge(), ...edge()];
    case 3:
      return pick(random, [
        [5, 10, ...edge(), 0, 0],
        [0, 2, 5, 10, ...edge(), ...edge()],
        [8, 0, 5, 10, ...edge(), ...edge()],
        [NOP, NOP, 5, 11, ...edge(), ...edge()],
        [5, 12, ...edge(), ...edge(), 0, 0],
      ]);
    default:
      return [NOP, NOP, 8, 10, ...long(5), ...long(6)];
  }
}

const NAMES = Object.entries(FLAG);
const flagNames = (flags: number): string =>
  NAMES.filter(([, bit]) => (flags & bit) !== 0)
    .map(([name]) => name)
    .join('+');

/** A conversation of two ends, 0 (the client, which the first segment is usually of) and 1, and what was sent so far. */
export interface Conversation {
  readonly random: Random;
  readonly port: number;
  readonly ends: readonly [End, End];
  /** How many of 16 segments are put off. */
  readonly rudeness: number;
  /** Only SYNs carry options. */
  readonly plain: boolean;
  readonly sent: Sent[];
  last: { readonly way: Way; readonly segment: Segment } | undefined;
}

/** Which end sends. */
export type Way = 0 | 1;

export const other = (way: Way): Way => (way === 0 ? 1 : 0);

const endFrom = (random: Random): End => ({
  next: random(3) === 0 ? random(2 ** 32) : pick(random, FIRST_NUMBERS),
  window: pick(random, WINDOWS.slice(1)),
  scale: pick(random, SCALES),
});

export const begin = (random: Random, port: number): Conversation => ({
  random,
  port,
  ends: [endFrom(random), endFrom(random)],
  rudeness: pick(random, [0, 0, 1, 3, 8]),
  plain: random(2) === 0,
  sent: [],
  last: undefined,
});

let identification = 0;

/** Send `segment` as it is. */
export function put(conversation: Conversation, way: Way, segment: Segment): void {
  conversation.last = { way, segment };
  const addresses = way === 1 ? BACK : OUT;
  const ports: [number, number] = way === 1 ? [SERVER_PORT, conversation.port] : [conversation.port, SERVER_PORT];
  identification = (identification + 1) & 0xffff;
  const { flags, sequence, acknowledgement, window, options = [], payload = [] } = segment;
  const numbers = `seq ${sequence} ack ${acknowledgement} win ${window} length ${payload.length}`;
  const shown = options.length === 0 ? '' : ` options ${Buffer.from(options).toString('hex')}`;
  conversation.sent.push({
    what: `${way === 1 ? 'back' : 'out'} ${flagNames(flags)} ${numbers}${shown}`,
    packet: ipv4(addresses, 6, tcp(addresses, ...ports, segment), { identification }),
  });
}

/** Wrap a sequence number round. */
export const wrap = (number: number): number => ((number % 2 ** 32) + 2 ** 32) % 2 ** 32;

/** Send the next segment of `way`, with its numbers, or, by chance, with one of them put off. */
export function send(
  conversation: Conversation,
  way: Way,
  flags: number,
  length = 0,
  changes: Partial<Segment> = {},
): void {
  const { random, ends, rudeness, plain } = conversation;
  const from = ends[way];
  const to = ends[other(way)];
  const numbers = {
    sequence: from.next,
    acknowledgement: (flags & ACK) === 0 ? pick(random, [0, 0, to.next]) : to.next,
    window: random(12) === 0 ? pick(random, WINDOWS) : from.window,
  };
  if (random(16) < rudeness) putOff(random, numbers, numbers.window << Math.min(to.scale, 14));
  else from.next = wrap(from.next + length + ((flags & SYN) >> 1) + (flags & FIN));
  let options: number[] = [];
  if ((flags & SYN) !== 0) options = openingOptions(random, from.scale);
  else if (!plain) options = laterOptions(random, numbers.acknowledgement);
  put(conversation, way, { flags, ...numbers, options, payload: Array<number>(length).fill(7), ...changes });
}

interface Numbers {
  sequence: number;
  acknowledgement: number;
  window: number;
}

function putOff(random: Random, numbers: Numbers, scaled: number): void {
  switch (random(8)) {
    case 0:
    case 1:
    case 2:
      numbers.sequence = wrap(numbers.sequence + offsetOf(random, scaled));
      break;
    case 3:
    case 4:
    case 5:
      numbers.acknowledgement = wrap(numbers.acknowledgement + offsetOf(random, scaled));
      break;
    case 6:
      numbers.window = pick(random, WINDOWS);
      break;
    default:
      numbers.acknowledgement = 0;
  }
}
