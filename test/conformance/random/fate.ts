/**
 * What the kernel did with every packet that came into a cell, read off the frames that it sent after it.
 *
 * A packet is known again by identification, protocol and addresses; an ICMP error by the packet that it quotes. Nothing
 * here judges: a packet that came out at a container was delivered, one that came out elsewhere forwarded, one that an
 * ICMP port-unreachable quotes rejected, all others dropped.
 */
import { checksum } from '../../dataplane/packets.ts';
import type { Event } from './wire-lab.ts';

export type Fate = 'delivered' | 'forwarded' | 'rejected' | 'dropped';

/** A packet that came into a cell, and what became of it. */
export interface Arrival {
  readonly event: Event;
  /** Fragments of one datagram share it. */
  readonly key: string;
  readonly fate: Fate;
  /** `type/code` of the ICMP error that quotes the packet; empty when there was none. */
  readonly answer: string;
}

const VXLAN_PORT = 4789;
/** Addresses of the overlay that have no container: an answer waits for a neighbour that never comes. */
const NOBODY = /^10\.255\.(?:99\.1|\d+\.200)$/;
const FOR_ALL = ['10.255.255.255', '255.255.255.255', '224.0.0.1'];
const ICMP = 1;
const TCP = 6;
const UDP = 17;

interface Seen {
  readonly key: string;
  /** What the packet keeps on its way, whoever translates it. */
  readonly fingerprint: string;
  /** The key without the source, which masquerading changes. */
  readonly sourceless: string;
  /** Key of the packet that an ICMP error quotes, and `type/code`. */
  readonly quoted: string;
  readonly answer: string;
}

const word = (octets: Uint8Array, at: number): number => ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
export const keyAt = (octets: Uint8Array, at: number): string =>
  `${word(octets, at + 4)}/${octets[at + 9]}/${Buffer.from(octets.slice(at + 12, at + 20)).toString('hex')}`;

export const sourcelessAt = (octets: Uint8Array, at: number): string =>
  `${word(octets, at + 4)}/${octets[at + 9]}/${Buffer.from(octets.slice(at + 16, at + 20)).toString('hex')}`;

const ICMP_ERRORS = [3, 4, 5, 11, 12];

/**
 * Octets behind a header that a translation of addresses and ports leaves alone. Of a packet that is quoted, which may be no longer
 * than eight octets there, only those.
 */
function keptOf(protocol: number, type: number, isQuote: boolean): readonly (readonly [from: number, until: number])[] {
  if (protocol === TCP) return [[4, 8]];
  if (protocol === UDP) return [[4, 6]];
  if (protocol !== ICMP) return [[0, 8]];
  // Of an error's quote the identification stays; of a query type, code, sequence number and data.
  const rest = ICMP_ERRORS.includes(type) ? ([12, 14] as const) : ([6, isQuote ? 8 : 16] as const);
  return [[0, 2], rest];
}

/** What neither drawn numbers nor translation repeat or change: identification, protocol, and what follows the header. */
export function fingerprintAt(octets: Uint8Array, at: number, isQuote = false): string {
  const [body, protocol] = [at + (octets[at]! & 0xf) * 4, octets[at + 9]!];
  const isFirst = (word(octets, at + 6) & 0x1fff) === 0;
  const kept = isFirst ? keptOf(protocol, octets[body]!, isQuote) : ([[0, 8]] as const);
  const said = kept.map(([from, until]) => Buffer.from(octets.slice(body + from, body + until)).toString('hex'));
  return `${isQuote ? 'quoted ' : ''}${word(octets, at + 4)}/${protocol}/${said.join('/')}`;
}

/** Where the network header of an IPv4 frame is, behind VLAN tags; -1 for other frames. */
export function networkAt(octets: Uint8Array, from: number): number {
  let at = from + 12;
  while (word(octets, at) === 0x8100) at += 4;
  return word(octets, at) === 0x0800 && octets.length >= at + 22 ? at + 2 : -1;
}

/** Whether the packet at `at` is an ICMP error with a quote. */
export function isError(octets: Uint8Array, at: number): boolean {
  const message = at + (octets[at]! & 0xf) * 4;
  return octets[at + 9] === ICMP && ICMP_ERRORS.includes(octets[message]!) && octets.length >= message + 28;
}

/** Whether the IPv4 packet at `at`, which has no options, is one of a tunnel. */
export function isVxlan(octets: Uint8Array, at: number): boolean {
  const isFirst = (word(octets, at + 6) & 0x1fff) === 0;
  return octets[at + 9] === UDP && isFirst && word(octets, at + 22) === VXLAN_PORT && octets[at] === 0x45;
}

/** Where the packet begins that a cell deals with: behind one VXLAN header, where there is one. */
export function packetAt(octets: Uint8Array): number {
  const at = networkAt(octets, 0);
  if (at < 0) return at;
  const isFragment = (word(octets, at + 6) & 0x3fff) !== 0;
  const transport = at + (octets[at]! & 0xf) * 4;
  if (octets[at + 9] !== UDP || isFragment || word(octets, transport + 2) !== VXLAN_PORT) return at;
  const inner = networkAt(octets, transport + 16);
  return inner >= 0 ? inner : at;
}

/** What tells a frame's packet from others. */
export function look(octets: Uint8Array): Seen | null {
  const at = packetAt(octets);
  if (at < 0) return null;
  const message = at + (octets[at]! & 0xf) * 4;
  const hasQuote = isError(octets, at);
  return {
    key: keyAt(octets, at),
    fingerprint: fingerprintAt(octets, at),
    sourceless: sourcelessAt(octets, at),
    quoted: hasQuote ? keyAt(octets, message + 8) : '',
    answer: hasQuote ? `${octets[message]}/${octets[message + 1]}` : '',
  };
}

/**
 * What a cell itself sends: into a tunnel or to a container, from one of its own addresses. A capture shows it, and connections
 * of the cell live and die by it.
 */
export function isOwnAnswer({ outgoing, device, octets }: Event, own: readonly string[]): boolean {
  if (!outgoing || (device !== 'eth0' && !device.startsWith('s-'))) return false;
  const at = packetAt(octets);
  if (at < 0 || (device === 'eth0' && at === networkAt(octets, 0))) return false;
  return own.includes(octets.slice(at + 12, at + 16).join('.'));
}

const isArrival = ({ outgoing, otherHost, device }: Event): boolean =>
  !outgoing && !otherHost && (device === 'eth0' || device.startsWith('s-'));

/** Arrivals of one cell in the order in which they came. `events` are all that its devices saw. */
export function arrivalsOf(events: readonly Event[]): Arrival[] {
  const looks = events.map(({ octets }) => look(octets));
  const arrived = new Set<string>();
  const arrivals: { event: Event; key: string; at: number }[] = [];
  for (const [at, event] of events.entries()) {
    if (!isArrival(event)) continue;
    const key = looks[at]?.key ?? `none ${at}`;
    arrived.add(key);
    arrivals.push({ event, key, at });
  }
  return arrivals.map(({ event, key, at }, index): Arrival => {
    const again = arrivals.findIndex((other, place) => place > index && other.key === key);
    const until = again < 0 || isPiece(event) ? events.length : arrivals[again]!.at;
    let [fate, answer]: [Fate, string] = ['dropped', ''];
    for (let next = isPiece(event) ? 0 : at + 1; next < until; next++) {
      const [out, seen] = [events[next]!, looks[next]];
      if (!out.outgoing || seen == null) continue;
      if (seen.key === key) fate = out.device.startsWith('s-') ? 'delivered' : 'forwarded';
      else if (out.device === 'eth0' && seen.sourceless === looks[at]?.sourceless) fate = 'forwarded';
      else if (seen.quoted === key && !arrived.has(seen.key)) answer = seen.answer;
    }
    if (fate === 'dropped' && answer === '3/3') fate = 'rejected';
    return { event, key, fate, answer };
  });
}

/** Whether the outer source of a frame is `address`. */
export function claimsToBeFrom({ octets }: Event, address: string): boolean {
  const at = networkAt(octets, 0);
  return at >= 0 && octets.slice(at + 12, at + 16).join('.') === address;
}

/**
 * Whether a packet may be rejected without an answer: an ICMP error, or something that cannot be told from one; a transport
 * checksum that is wrong (nf_reject_verify_csum, nf_send_unreach); a source that nobody can be answered at, or where nobody is; a
 * broadcast.
 */
export function isUnanswerable({ octets }: Event): boolean {
  const at = packetAt(octets);
  if (at < 0) return true;
  const [protocol, message] = [octets[at + 9]!, at + (octets[at]! & 0xf) * 4];
  const source = octets[at + 12]!;
  if (source === 0 || source === 127 || source >= 224) return true;
  const destination = octets.slice(at + 16, at + 20).join('.');
  if (FOR_ALL.includes(destination)) return true;
  if (NOBODY.test(octets.slice(at + 12, at + 16).join('.'))) return true;
  const body = octets.slice(message, at + word(octets, at + 2));
  if (protocol === ICMP)
    return body.length < 8 || ![0, 8, 13, 14, 15, 16, 17, 18].includes(body[0]!) || checksum(body) !== 0;
  if (protocol !== TCP && protocol !== UDP) return false;
  if (protocol === UDP && word(body, 6) === 0) return body.length < 8;
  const pseudo = [...octets.slice(at + 12, at + 20), 0, protocol, body.length >>> 8, body.length & 0xff];
  return body.length < (protocol === TCP ? 20 : 8) || checksum([...pseudo, ...body]) !== 0;
}

/** Whether the packet a cell deals with is a fragment, inside or outside of the tunnel. */
export function isPiece({ octets }: { readonly octets: Uint8Array }): boolean {
  const [outer, inner] = [networkAt(octets, 0), packetAt(octets)];
  const isFragment = (at: number): boolean => at >= 0 && (word(octets, at + 6) & 0x3fff) !== 0;
  return isFragment(outer) || isFragment(inner);
}
