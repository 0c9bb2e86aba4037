/**
 * Reading items by kind and key: every function returns what was wanted or throws a FoundationError that says got,
 * expected and where.
 */
import { FoundationError, quote } from './error.ts';
import { type Item, type ObjectItem, placeOf, refusal } from './item.ts';

/** `item` as a mapping whose keys are all among `known`; a key that is not is refused with the nearest known one. */
export function object(item: Item, known: readonly string[]): ObjectItem {
  const found = openObject(item);
  for (const [key, value] of found.entries) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    const hint = near === undefined ? `expected one of ${known.join(', ')}` : `did you mean ${quote(near)}?`;
    throw new FoundationError('ERR_FOUNDATION_KEY', placeOf(value), `got the unknown key ${quote(key)}, ${hint}`);
  }
  return found;
}

/** `item` as a mapping with any keys, for formats that others may extend. */
export function openObject(item: Item): ObjectItem {
  if (item.kind !== 'object') throw refusal('ERR_FOUNDATION_TYPE', item, 'a mapping');
  return item;
}

export function list(item: Item): readonly Item[] {
  if (item.kind !== 'array') throw refusal('ERR_FOUNDATION_TYPE', item, 'a list');
  return item.items;
}

export function text(item: Item, expected = 'text'): string {
  if (item.kind === 'text') return item.value;
  const hint = item.kind === 'number' || item.kind === 'boolean' ? 'write it in quotes' : '';
  throw refusal('ERR_FOUNDATION_TYPE', item, expected, hint);
}

export function boolean(item: Item): boolean {
  if (item.kind !== 'boolean') throw refusal('ERR_FOUNDATION_TYPE', item, 'true or false');
  return item.value;
}

const INTEGER = /^-?(?:0|[1-9][0-9]*)$/;

/** `item` as a decimal integer in `[low, high]`; other spellings of a number (`1e3`, `0x50`, `8.0`) are refused. */
export function integer(item: Item, low: number, high: number): number {
  const expected = `a whole number from ${low} to ${high}`;
  if (item.kind !== 'number') throw refusal('ERR_FOUNDATION_TYPE', item, expected);
  if (!INTEGER.test(item.text)) throw refusal('ERR_FOUNDATION_VALUE', item, expected, 'write it in plain decimal');
  if (item.value < low || item.value > high) throw refusal('ERR_FOUNDATION_VALUE', item, expected);
  return item.value;
}

/** `item` as one of a few words. */
export function oneOf<const T extends string>(item: Item, words: readonly T[]): T {
  const expected = words.map(quote).join(' or ');
  const value = text(item, expected);
  const found = words.find((word) => word === value);
  if (found === undefined) throw refusal('ERR_FOUNDATION_VALUE', item, expected);
  return found;
}

/** The value under `key`, which must be there; `expected` says what belongs there. */
export function required(parent: ObjectItem, key: string, expected: string): Item {
  const found = parent.entries.get(key);
  if (found !== undefined) return found;
  throw new FoundationError('ERR_FOUNDATION_KEY', placeOf(parent), `got no key ${quote(key)}, expected ${expected}`);
}

/** `read` of the value under `key`, or `otherwise` where the key is absent. */
export function optional<T, U>(parent: ObjectItem, key: string, read: (item: Item) => T, otherwise: U): T | U {
  const found = parent.entries.get(key);
  return found === undefined ? otherwise : read(found);
}

/** The known key that is closest to `key`, if one is close enough to be a slip of the pen. */
function nearest(key: string, known: readonly string[]): string | undefined {
  if (key.length > 64) return undefined;
  const plain = (word: string): string => word.toLowerCase().replaceAll('-', '_');
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(key.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(plain(key), plain(candidate));
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Levenshtein distance, in the usual two rows. */
function editDistance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = above[column - 1]! + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, above[column]! + 1, current[column - 1]! + 1));
    }
    above = current;
  }
  return above[to.length]!;
}
