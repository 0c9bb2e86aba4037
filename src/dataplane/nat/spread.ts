/**
 * Which address of a range a connection gets: the kernel spreads them by a hash without a secret, so the same connection
 * gets the same address on every cell.
 *
 * Source: find_best_ips_proto (net/netfilter/nf_nat_core.c), jhash2 (include/linux/jhash.h, after Bob Jenkins' lookup3),
 * reciprocal_scale (include/linux/kernel.h). The kernel hashes the four words of a union that holds IPv4 in the first, in
 * the byte order of memory; this is the outcome on a little-endian machine.
 */

const INITIAL = 0xdeadbeef;
/** Octets of union nf_inet_addr. */
const UNION_LENGTH = 16;

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

const swapped = (address: number): number =>
  (address >>> 24) | ((address >>> 8) & 0xff00) | ((address & 0xff00) << 8) | (address << 24);

/** jhash2 over a word and three zeros. */
function hash(word: number, initial: number): number {
  let a = (INITIAL + UNION_LENGTH + initial) | 0;
  let b = a;
  let c = a;
  a = (a + word) | 0;
  a = (a - c) ^ rotate(c, 4);
  c = (c + b) | 0;
  b = (b - a) ^ rotate(a, 6);
  a = (a + c) | 0;
  c = (c - b) ^ rotate(b, 8);
  b = (b + a) | 0;
  a = (a - c) ^ rotate(c, 16);
  c = (c + b) | 0;
  b = (b - a) ^ rotate(a, 19);
  a = (a + c) | 0;
  c = (c - b) ^ rotate(b, 4);
  b = (b + a) | 0;
  c = (c ^ b) - rotate(b, 14);
  a = (a ^ c) - rotate(c, 11);
  b = (b ^ a) - rotate(a, 25);
  c = (c ^ b) - rotate(b, 16);
  a = (a ^ c) - rotate(c, 4);
  b = (b ^ a) - rotate(a, 14);
  c = (c ^ b) - rotate(b, 24);
  return c >>> 0;
}

/** `value * size / 2^32`, exactly: a number in `[0, size)`. */
function scale(value: number, size: number): number {
  const high = (value >>> 16) * size;
  const low = (value & 0xffff) * size;
  return Math.floor((high + Math.floor(low / 0x10000)) / 0x10000);
}

/** The address of `[low, high]` for a connection from `source` to `destination`; `persistent` leaves `destination` out. */
export function spread(source: number, destination: number, low: number, high: number, persistent: boolean): number {
  const hashed = hash(swapped(source), persistent ? 0 : swapped(destination));
  return (low + scale(hashed, (high - low + 1) >>> 0)) >>> 0;
}
