/**
 * What the kernel remembers of every host that it has sent an ICMP error to or about: `struct inet_peer`
 * (net/ipv4/inetpeer.c), as far as rate limits use it. One table per cell; time is in jiffies.
 *
 * A peer that nobody asked for in a minute is as good as a new one, and is dropped when the table grows. Past
 * inet_peer_threshold peers the kernel forgets peers early, too; here it forgets all of them.
 */
import { HZ } from '../../rules/limit.ts';

/** How much time a new peer is taken to have waited already (inet_getpeer). */
const NEW_WAITED = 60 * HZ;
const FIRST_CAPACITY = 64;
const MOST = 65_536;

/** Slots of an open-addressing table, at most half full. */
export interface Peers {
  count: number;
  used: Uint8Array;
  address: Uint32Array;
  /** In jiffies. */
  tokens: Float64Array;
  /** When tokens were counted last, in jiffies. */
  last: Float64Array;
  redirects: Uint8Array;
}

export const createPeers = (): Peers => createTable(FIRST_CAPACITY);

const createTable = (capacity: number): Peers => ({
  count: 0,
  used: new Uint8Array(capacity),
  address: new Uint32Array(capacity),
  tokens: new Float64Array(capacity),
  last: new Float64Array(capacity),
  redirects: new Uint8Array(capacity),
});

/** The slot of `address`, made when there is none; good until the next call. Allocates only when the table grows. */
export function peerOf(peers: Peers, address: number, now: number): number {
  const found = slotOf(peers, address);
  if (peers.used[found] === 1) return found;
  if (peers.count >= peers.used.length >>> 1) rebuild(peers, now);
  const slot = slotOf(peers, address);
  peers.count += 1;
  peers.used[slot] = 1;
  peers.address[slot] = address;
  peers.tokens[slot] = 0;
  peers.last[slot] = now - NEW_WAITED;
  peers.redirects[slot] = 0;
  return slot;
}

/** Where `address` is, or the free slot where it belongs. */
function slotOf(peers: Peers, address: number): number {
  const mask = peers.used.length - 1;
  let slot = (Math.imul(address ^ (address >>> 15), 0x9e3779b1) >>> 7) & mask;
  while (peers.used[slot] === 1 && peers.address[slot] !== address) slot = (slot + 1) & mask;
  return slot;
}

/** Move the peers worth keeping into a table of which they fill a quarter at most. */
function rebuild(peers: Peers, now: number): void {
  let kept = 0;
  for (let slot = 0; slot < peers.used.length; slot += 1) if (isKept(peers, slot, now)) kept += 1;
  const keep = kept < MOST;
  let capacity = FIRST_CAPACITY;
  while (keep && capacity < kept * 4) capacity *= 2;
  const old = { ...peers };
  Object.assign(peers, createTable(capacity));
  for (let slot = 0; keep && slot < old.used.length; slot += 1) if (isKept(old, slot, now)) move(old, slot, peers);
}

const isKept = (peers: Peers, slot: number, now: number): boolean =>
  peers.used[slot] === 1 && now - peers.last[slot]! < NEW_WAITED;

function move(from: Peers, slot: number, to: Peers): void {
  const at = slotOf(to, from.address[slot]!);
  to.count += 1;
  to.used[at] = 1;
  to.address[at] = from.address[slot]!;
  to.tokens[at] = from.tokens[slot]!;
  to.last[at] = from.last[slot]!;
  to.redirects[at] = from.redirects[slot]!;
}
