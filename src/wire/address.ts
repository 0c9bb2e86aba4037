/**
 * Addresses as text and as words: MAC, IPv4 and CIDR blocks. Cold code: nothing here belongs on the packet path.
 *
 * An IPv4 address is an unsigned 32-bit number in host order (`10.0.0.1` is 0x0a000001), a MAC address an unsigned
 * 48-bit number. The grammar is strict, as in RFC 6943 section 3.1.1: four decimal octets without leading zeros. Forms
 * that `inet_aton` takes (`010.0.0.1`, `0x0a.1`, `10.1`) mean different hosts to different programs and are refused.
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
