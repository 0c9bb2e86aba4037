/**
 * Values of options: integers, ports, addresses and marks, read from words with iptables' own ranges, and printed.
 *
 * Integers follow strtoul with base 0, as iptables does: `0x` is hexadecimal and a leading zero is octal.
 */
import { formatIpv4, maskOf, parseIpv4 } from '../../wire/address.ts';
import type { PortRange } from '../model.ts';
import { fail } from './module.ts';
import { portOfService } from './services.ts';
import type { Word } from './words.ts';

export const MAXIMUM_32 = 0xffffffff;
const INTEGER = /^(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/;

/** The integer that `text` spells, or undefined when it spells none. */
function integerOf(text: string): number | undefined {
  if (!INTEGER.test(text)) return undefined;
  return /^0[0-7]/.test(text) ? Number.parseInt(text, 8) : Number(text);
}

/** Read `text`, which is `word` or a part of it, as an integer of `minimum` to `maximum`. */
export function readIntegerText(word: Word, text: string, minimum: number, maximum: number): number {
  const value = integerOf(text);
  if (value === undefined) fail('ERR_RULE_VALUE', word, `'${text}' is not a number`);
  if (value < minimum || value > maximum) {
    fail('ERR_RULE_VALUE', word, `${text} is out of range: ${minimum} to ${maximum} can be used`);
  }
  return value;
}

export const readInteger = (word: Word, minimum: number, maximum: number): number =>
  readIntegerText(word, word.text, minimum, maximum);

/** Read a port number, or the name of a service of `protocol` (6 or 17; others know no names). */
function readPort(word: Word, text: string, protocol: number): number {
  const port = /^[0-9]/.test(text) ? undefined : portOfService(text, protocol);
  if (port !== undefined) return port;
  if (!/^[0-9]/.test(text)) fail('ERR_RULE_VALUE', word, `'${text}' is no port and no service name known here`);
  return readIntegerText(word, text, 0, 65535);
}

/** Read `PORT`, `LOW<separator>HIGH`, or with `open` also `LOW<separator>` and `<separator>HIGH`. */
export function readPortRange(word: Word, text: string, separator: string, protocol: number, open: boolean): PortRange {
  const parts = text.split(separator);
  if (parts.length > 2) fail('ERR_RULE_VALUE', word, `'${text}' is no port range`);
  const [first, second] = parts as [string, string?];
  const low = open && first === '' && second !== undefined ? 0 : readPort(word, first, protocol);
  if (second === undefined) return { low, high: low };
  const high = open && second === '' ? 65535 : readPort(word, second, protocol);
  if (low > high) fail('ERR_RULE_VALUE', word, `port range ${text} ends below its start`);
  return { low, high };
}

export const printPortRange = (range: PortRange, separator: string): string =>
  range.low === range.high ? `${range.low}` : `${range.low}${separator}${range.high}`;

/** Read four decimal octets. Hosts are never resolved. */
function readAddress(word: Word, text: string): number {
  const address = parseIpv4(text);
  return address ?? fail('ERR_RULE_VALUE', word, `'${text}' is no IPv4 address (names are not resolved)`);
}

/** Read `ADDRESS` or `LOW-HIGH`. */
export function readAddressRange(word: Word, text: string): { low: number; high: number } {
  const dash = text.indexOf('-');
  if (dash < 0) {
    const address = readAddress(word, text);
    return { low: address, high: address };
  }
  return { low: readAddress(word, text.slice(0, dash)), high: readAddress(word, text.slice(dash + 1)) };
}

/** Read `ADDRESS[/LENGTH]` or `ADDRESS/MASK`. Host bits are cleared; `10/8` means 10.0.0.0/8, as iptables has it. */
export function readNetwork(word: Word, text: string): { address: number; mask: number } {
  const slash = text.indexOf('/');
  if (slash < 0) return { address: readAddress(word, text), mask: MAXIMUM_32 };
  const after = text.slice(slash + 1);
  const mask = after.includes('.') ? readAddress(word, after) : maskOf(readIntegerText(word, after, 0, 32));
  const octets = text.slice(0, slash).split('.');
  while (octets.length < 4) octets.push('0');
  return { address: (readAddress(word, octets.join('.')) & mask) >>> 0, mask };
}

/** `/24`, or `/255.0.255.0` for a mask with holes. */
function printMask(mask: number): string {
  const length = Math.clz32(~mask);
  return maskOf(length) === mask ? `/${length}` : `/${formatIpv4(mask)}`;
}

/** `ADDRESS/LENGTH` as iptables-save prints it: `/32` is written out. */
export const printNetwork = (network: { address: number; mask: number }): string =>
  formatIpv4(network.address) + printMask(network.mask);

/** `VALUE[/MASK]`, both of 32 bits; the mask is undefined when it was left out. */
export function readMark(word: Word): { value: number; mask: number | undefined } {
  const slash = word.text.indexOf('/');
  if (slash < 0) return { value: readInteger(word, 0, MAXIMUM_32), mask: undefined };
  return {
    value: readIntegerText(word, word.text.slice(0, slash), 0, MAXIMUM_32),
    mask: readIntegerText(word, word.text.slice(slash + 1), 0, MAXIMUM_32),
  };
}

/** Lower-case hexadecimal without leading zeros. */
export const hex = (value: number): string => `0x${value.toString(16)}`;

/** `0x1`, or `0x1/0xff` when not all bits are compared. */
export const printMark = (value: number, mask: number): string =>
  mask === MAXIMUM_32 ? hex(value) : `${hex(value)}/${hex(mask)}`;

/** Read a string value of at most `maximum` octets (UTF-8) without a line break. */
export function readString(word: Word, maximum: number): string {
  const length = new TextEncoder().encode(word.text).length;
  if (length > maximum) fail('ERR_RULE_VALUE', word, `this text has ${length} octets, at most ${maximum} fit`);
  return word.text;
}

/** Read a comma-separated list of names, each by its exact name in any case, into the sum of their bits. */
export function readBits(word: Word, names: Readonly<Record<string, number>>): number {
  let bits = 0;
  for (const name of word.text.toUpperCase().split(',')) {
    if (!Object.hasOwn(names, name)) {
      fail('ERR_RULE_VALUE', word, `'${name}' is none of ${Object.keys(names).join(', ')}`);
    }
    bits |= names[name]!;
  }
  return bits;
}

/** The names of the bits set in `bits`, in the order of `names`. */
export const printBits = (bits: number, names: Readonly<Record<string, number>>): string =>
  Object.keys(names)
    .filter((name) => (bits & names[name]!) !== 0)
    .join(',');
