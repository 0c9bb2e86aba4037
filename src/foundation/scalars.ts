/**
 * The scalars of a foundation: addresses, blocks, ports, tags, GUIDs and names, each with one strict grammar.
 *
 *     port    1 to 65535, as a number or as text
 *     ports   port, or "port-port"
 *     tag     four hexadecimal digits, 0001 to FFFF, as the policy server prints them
 *     guid    1 to 64 of A-Z a-z 0-9 _ - (it becomes part of an iptables comment, which holds 256 octets)
 *     handle  1 to 128 of A-Z a-z 0-9 _ . -
 *     name    1 to 250 characters, none of them a control character
 */
import { type Cidr, formatCidr, maskOf, parseCidr, parseIpv4 } from '../wire/address.ts';
import * as fields from './fields.ts';
import { type Item, refusal } from './item.ts';

export interface Ports {
  readonly start: number;
  readonly end: number;
}

const GUID = /^[0-9A-Za-z_-]{1,64}$/;
const HANDLE = /^[0-9A-Za-z_.-]{1,128}$/;
const INTERFACE = /^[^\s/+!\p{Cc}]{1,15}$/u;
const NAME_LENGTH = 250;
const CONTROL = /\p{Cc}/u;
const TAG = /^[0-9A-Fa-f]{4}$/;
const DIGITS = /^-?[0-9]{1,10}$/;

function matching(item: Item, pattern: RegExp, expected: string): string {
  const value = fields.text(item, expected);
  if (!pattern.test(value)) throw refusal('ERR_FOUNDATION_VALUE', item, expected);
  return value;
}

export const guid = (item: Item): string => matching(item, GUID, 'a GUID (1 to 64 of A-Z a-z 0-9 _ -)');

export const handle = (item: Item): string => matching(item, HANDLE, 'a handle (1 to 128 of A-Z a-z 0-9 _ . -)');

/** IFNAMSIZ is 16 with the closing NUL; `+` and `!` mean something else to iptables. */
export const interfaceName = (item: Item): string =>
  matching(item, INTERFACE, 'an interface name (1 to 15 characters without space, / + or !)');

export function name(item: Item): string {
  const expected = `a name (1 to ${NAME_LENGTH} characters, no control characters)`;
  const value = fields.text(item, expected);
  if (value.length < 1 || value.length > NAME_LENGTH || CONTROL.test(value)) {
    throw refusal('ERR_FOUNDATION_VALUE', item, expected);
  }
  return value;
}

export function address(item: Item): number {
  const expected = 'an IPv4 address such as 10.255.1.4';
  const value = parseIpv4(fields.text(item, expected));
  if (value === undefined)
    throw refusal('ERR_FOUNDATION_VALUE', item, expected, 'four decimal octets without leading zeros');
  return value;
}

/** A block with its length written out and no host bits. */
export function block(item: Item): Cidr {
  const expected = 'a block such as 10.255.1.0/24';
  const written = fields.text(item, expected);
  const value = written.includes('/') ? parseCidr(written) : undefined;
  if (value !== undefined) return value;
  throw refusal('ERR_FOUNDATION_VALUE', item, expected, hostBitsHint(written));
}

function hostBitsHint(written: string): string {
  const [host = '', length = ''] = written.split('/', 2);
  const parsed = parseIpv4(host);
  if (parsed === undefined || !/^(?:[0-9]|[12][0-9]|3[0-2])$/.test(length)) return '';
  const prefixLength = Number(length);
  return `it has host bits set, its block is ${formatCidr({ address: (parsed & maskOf(prefixLength)) >>> 0, prefixLength })}`;
}

export const port = (item: Item): number => {
  const expected = 'a port from 1 to 65535';
  const value = decimal(item);
  if (value === undefined || value < 1 || value > 65535) throw refusal('ERR_FOUNDATION_VALUE', item, expected);
  return value;
};

/** `8080`, `"8080"` or `"8080-8090"`. Refusals carry the policy server's own sentence where it has one. */
export function ports(item: Item): Ports {
  const expected = 'a port or a range such as 8080 or "8080-8090"';
  const single = decimal(item);
  const range =
    single === undefined && item.kind === 'text' ? /^(-?[0-9]{1,10})-(-?[0-9]{1,10})$/.exec(item.value) : null;
  if (single === undefined && range === null) throw refusal('ERR_FOUNDATION_VALUE', item, expected);
  const [start, end] = range === null ? [single!, single!] : [Number(range[1]), Number(range[2])];
  const complaint = portsComplaint(start, end);
  if (complaint !== undefined) throw refusal('ERR_FOUNDATION_VALUE', item, expected, complaint);
  if (range !== null && [range[1]!, range[2]!].some((digits) => digits !== String(Number(digits)))) {
    throw refusal('ERR_FOUNDATION_VALUE', item, expected, 'write ports without leading zeros');
  }
  return { start, end };
}

/** What the policy server (api/policy_validator.go) says of a port range, in its order; undefined when it takes it. */
export function portsComplaint(start: number, end: number): string | undefined {
  if (start > end) return `invalid port range ${start}-${end}, start must be less than or equal to end`;
  if (start < 0) return `invalid start port ${start}, must be in range 1-65535`;
  if (start === 0) return 'missing start port';
  if (end > 65535) return `invalid end port ${end}, must be in range 1-65535`;
  return undefined;
}

/** A number or text that is plain decimal, else undefined; `0x50`, `1e3` and `080` are not. */
function decimal(item: Item): number | undefined {
  const written = item.kind === 'number' ? item.text : item.kind === 'text' ? item.value : '';
  if (!DIGITS.test(written) || written !== String(Number(written))) return undefined;
  return Number(written);
}

/** `61000:8080`, host port to container port. */
export function portMapping(item: Item): { readonly host: number; readonly container: number } {
  const expected = 'HOSTPORT:CONTAINERPORT such as "61000:8080"';
  const written = fields.text(item, expected);
  const found = /^([1-9][0-9]{0,4}):([1-9][0-9]{0,4})$/.exec(written);
  const [host, container] = [Number(found?.[1]), Number(found?.[2])];
  if (!(host <= 65535 && container <= 65535))
    throw refusal('ERR_FOUNDATION_VALUE', item, expected, 'both from 1 to 65535');
  return { host, container };
}

/**
 * Four hexadecimal digits. Without quotes YAML takes `0010` for a number; what was written counts, so that it is tag
 * 0x0010 either way.
 */
export function tag(item: Item): number {
  const expected = 'a tag of four hexadecimal digits from "0001" to "FFFF"';
  const written = item.kind === 'number' ? item.text : fields.text(item, expected);
  if (!TAG.test(written)) throw refusal('ERR_FOUNDATION_VALUE', item, expected);
  const value = Number.parseInt(written, 16);
  if (value === 0) throw refusal('ERR_FOUNDATION_VALUE', item, expected, 'tag 0 is what packets without a tag have');
  return value;
}
