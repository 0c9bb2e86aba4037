/**
 * Addresses as text and as words: MAC, IPv4, IPv6 and CIDR blocks. Cold code: nothing here belongs on the packet path.
 *
 * An IPv4 address is an unsigned 32-bit number in host order (`10.0.0.1` is 0x0a000001), a MAC address an unsigned
 * 48-bit number. The grammar is strict, as in RFC 6943 section 3.1.1: four decimal octets without leading zeros. Forms
 * that `inet_aton` takes (`010.0.0.1`, `0x0a.1`, `10.1`) mean different hosts to different programs and are refused.
 *
 * An IPv6 address is eight 16-bit groups, the first most significant. Text is read as RFC 4291 section 2.2 has it (one
 * `::`, which stands for at least one group; the last 32 bits may be dotted decimal; no zone) and written as RFC 5952 has
 * it.
 */

/** A block of IPv4 addresses. `address` has no bits set beyond `prefixLength` (0 to 32). */
export interface Cidr {
  readonly address: number;
  readonly prefixLength: number;
}

const OCTET = /^(?:0|[1-9][0-9]{0,2})$/;

/** Parse dotted decimal. `undefined` when `text` is anything but four octets without leading zeros. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.', 5);
  if (parts.length !== 4) return undefined;
  let address = 0;
  for (const part of parts) {
    if (!OCTET.test(part)) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    address = address * 256 + octet;
  }
  return address;
}

/** Write an address as dotted decimal. */
export const formatIpv4 = (address: number): string =>
  `${(address >>> 24) & 0xff}.${(address >>> 16) & 0xff}.${(address >>> 8) & 0xff}.${address & 0xff}`;

/** The network mask of a prefix length of 0 to 32, as an unsigned number. */
export const maskOf = (prefixLength: number): number => (prefixLength === 0 ? 0 : (-1 << (32 - prefixLength)) >>> 0);

/**
 * Parse `a.b.c.d/n`, or a bare address as a /32. Host bits are refused (`10.0.0.1/24`): a block that names a host is
 * more often a slip than a wish. Use `parseIpv4` and `maskOf` where iptables' habit of clearing them is wanted.
 */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  const address = parseIpv4(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  if (slash < 0) return { address, prefixLength: 32 };
  const length = text.slice(slash + 1);
  if (!OCTET.test(length) || Number(length) > 32) return undefined;
  const prefixLength = Number(length);
  if ((address & ~maskOf(prefixLength)) !== 0) return undefined;
  return { address, prefixLength };
}

/** Write a block as `a.b.c.d/n`. */
export const formatCidr = (block: Cidr): string => `${formatIpv4(block.address)}/${block.prefixLength}`;

/** Whether `address` lies in `block`. */
export const contains = (block: Cidr, address: number): boolean =>
  ((address ^ block.address) & maskOf(block.prefixLength)) === 0;

/** Parse six hexadecimal octets joined by colons. */
export function parseMac(text: string): number | undefined {
  if (!/^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}$/.test(text)) return undefined;
  return Number.parseInt(text.replaceAll(':', ''), 16);
}

/** Write a MAC address as six lower-case octets joined by colons. */
export const formatMac = (address: number): string =>
  address
    .toString(16)
    .padStart(12, '0')
    .replace(/..(?!$)/g, '$&:');

/** Write the MAC address in the six octets at `at`. */
export const formatMacAt = (view: DataView, at: number): string =>
  formatMac(view.getUint16(at) * 0x1_0000_0000 + view.getUint32(at + 2));

const GROUPS = 8;
const GROUP = /^[0-9a-fA-F]{1,4}$/;

/** The groups of one side of `::`; `undefined` when a part is no group. Dotted decimal may stand last, as two groups. */
function parseGroups(text: string, mayEndDotted: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (GROUP.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const dotted = mayEndDotted && index === parts.length - 1 ? parseIpv4(part) : undefined;
    if (dotted === undefined) return undefined;
    groups.push(dotted >>> 16, dotted & 0xffff);
  }
  return groups;
}

/** Parse an IPv6 address into its eight groups. `undefined` when `text` is anything else. */
export function parseIpv6(text: string): number[] | undefined {
  const halves = text.split('::', 3);
  if (halves.length > 2) return undefined;
  const compressed = halves.length === 2;
  const head = parseGroups(halves[0]!, !compressed);
  const tail = parseGroups(halves[1] ?? '', true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = GROUPS - head.length - tail.length;
  if (compressed ? missing < 1 : missing !== 0) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/** First and length of the longest run of zero groups, the first of them when there are several. */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < GROUPS; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

const hexadecimal = (groups: readonly number[]): string => groups.map((group) => group.toString(16)).join(':');

/** Write eight groups as RFC 5952 section 4 has it; an IPv4-mapped address ends in dotted decimal (section 5). */
export function formatIpv6(groups: readonly number[]): string {
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return `::ffff:${formatIpv4(((groups[6]! << 16) | groups[7]!) >>> 0)}`;
  const zeros = longestZeros(groups);
  if (zeros.length < 2) return hexadecimal(groups);
  const tail = groups.slice(zeros.start + zeros.length);
  return `${hexadecimal(groups.slice(0, zeros.start))}::${hexadecimal(tail)}`;
}

/** Write the IPv6 address in the 16 octets at `at`. */
export const formatIpv6At = (view: DataView, at: number): string =>
  formatIpv6(Array.from({ length: GROUPS }, (_, index) => view.getUint16(at + 2 * index)));
