/**
 * A frame as text, without the numbers that a kernel draws: identifications of the packets that cells make, source ports of
 * their tunnels. Checksums over them are replaced by whether they are right. Packets that were put in keep every octet.
 */
import { checksum } from '../../dataplane/packets.ts';
import { fingerprintAt, isVxlan, look, networkAt, packetAt } from './fate.ts';
import type { FrameStep } from './step.ts';

/** Fingerprints of all packets that were put in, also as they are quoted. */
export type Known = ReadonlySet<string>;

const ARP = 0x0806;
const ICMP = 1;
const UDP = 17;
const word = (octets: Uint8Array, at: number): number => ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);

/** Packets that the case puts in. */
export const knownOf = (frames: readonly FrameStep[]): Known =>
  new Set(
    frames.flatMap(({ octets }) => {
      const frame = Buffer.from(octets, 'hex');
      const at = packetAt(frame);
      return at < 0 ? [] : [fingerprintAt(frame, at), fingerprintAt(frame, at, true)];
    }),
  );

/**
 * ARP, and the ICMP host unreachable that follows when nobody answers, come when their time has come: they belong to no
 * step, and are held against each other as they are.
 */
export function isTimer(octets: Uint8Array, known: Known): boolean {
  const type = (octets[12]! << 8) | octets[13]!;
  if (type === ARP) return true;
  const seen = look(octets);
  return seen !== null && seen.answer === '3/1' && !known.has(seen.fingerprint);
}

/** Hide the identification of the header at `at`. A packet that must not be cut may have none: 1 stands for that. */
const maskIdentification = (octets: Uint8Array, at: number): void => {
  const isWhole = (octets[at + 6]! & 0x40) !== 0;
  octets.set(isWhole && word(octets, at + 4) === 0 ? [0, 1] : [0, 0], at + 4);
};

/** Whether the sum over `octets`, which holds its checksum, is right. */
const marked = (octets: Uint8Array | readonly number[]): string => (checksum(octets) === 0 ? '' : ' wrong checksum');

/** `frame` in hexadecimal, drawn numbers masked; what is wrong with the masked checksums behind it. */
export function normalise(frame: Uint8Array, known: Known): string {
  const octets = Uint8Array.from(frame);
  let notes = '';
  const at = networkAt(octets, 0);
  if (at >= 0) {
    const isTunnel = isVxlan(octets, at);
    if (isTunnel) {
      const inner = networkAt(octets, at + 36);
      notes += maskTunnel(octets, at);
      if (inner >= 0 && !isKnown(octets, inner, known)) notes += maskHeader(octets, inner, known);
    }
    if (isTunnel || !isKnown(octets, at, known)) notes += maskHeader(octets, at, known);
  }
  return Buffer.from(octets).toString('hex') + notes;
}

/** Whether the packet at `at` was put in. */
const isKnown = (octets: Uint8Array, at: number, known: Known): boolean => known.has(fingerprintAt(octets, at));

function maskHeader(octets: Uint8Array, at: number, known: Known): string {
  const end = at + (octets[at]! & 0xf) * 4;
  const wrong =
    marked(octets.slice(at, end)) + maskMessage(octets, end, at + word(octets, at + 2), octets[at + 9]!, known);
  maskIdentification(octets, at);
  octets.set([0, 0], at + 10);
  return wrong;
}

const ERRORS = [3, 4, 5, 11, 12];
const TIMESTAMP_REPLY = 14;

/** What an ICMP message holds of drawn numbers: the header of a cell's packet that it quotes, the cell's time of day. */
function maskMessage(octets: Uint8Array, at: number, end: number, protocol: number, known: Known): string {
  if (protocol !== ICMP) return '';
  const quoted = at + 8;
  const quotesCell =
    ERRORS.includes(octets[at]!) && end >= quoted + 20 && !known.has(fingerprintAt(octets, quoted, true));
  if (!quotesCell && octets[at] !== TIMESTAMP_REPLY) return '';
  const wrong = marked(octets.slice(at, end));
  octets.set([0, 0], at + 2);
  if (quotesCell) {
    octets.set([0, 0], quoted + 4);
    octets.set([0, 0], quoted + 10);
    const message = quoted + (octets[quoted]! & 0xf) * 4;
    if (octets[quoted + 9] === ICMP && octets[message] === TIMESTAMP_REPLY) {
      octets.fill(0, message + 2, Math.min(end, message + 4));
      maskTimes(octets, message, end);
    }
  } else maskTimes(octets, at, end);
  return wrong;
}

/** The receive and transmit times of an ICMP timestamp reply at `at`. */
const maskTimes = (octets: Uint8Array, at: number, end: number): void =>
  void octets.fill(0, Math.min(end, at + 12), Math.min(end, at + 20));

function maskTunnel(octets: Uint8Array, at: number): string {
  const isWhole = (word(octets, at + 6) & 0x3fff) === 0;
  const body = octets.slice(at + 20, at + word(octets, at + 2));
  const pseudo = [...octets.slice(at + 12, at + 20), 0, UDP, body.length >>> 8, body.length & 0xff];
  const wrong = isWhole && word(octets, at + 26) !== 0 ? marked([...pseudo, ...body]) : '';
  octets.set(word(octets, at + 26) === 0 ? [0, 1] : [0, 0], at + 26);
  return wrong;
}
