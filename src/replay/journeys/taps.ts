/** Taps by name, and what to say about names that are none. */
import type { Device } from '../../dataplane/emulate/device.ts';

/** A name that no tap of the foundation has. */
export class TapError extends Error {
  override readonly name = 'TapError';
  readonly code = 'ERR_INPUT_TAP';
  readonly tap: string;

  constructor(tap: string, what: string) {
    super(what);
    this.tap = tap;
  }
}

/** Names that are listed in a message; a cell may have hundreds of containers. */
const MOST_LISTED = 12;

const listed = (names: readonly string[]): string =>
  names.length <= MOST_LISTED
    ? names.join(', ')
    : `${names.slice(0, MOST_LISTED).join(', ')} and ${names.length - MOST_LISTED} more`;

/** How many letters have to be put in, taken out or changed to make `b` of `a` (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + Number(a[i - 1] !== b[j - 1]);
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** A third of a name may be wrong and still be guessed. */
const GUESSABLE = 3;

function nearest(word: string, names: readonly string[]): string | null {
  let found = names.find((name) => name.startsWith(word)) ?? null;
  if (found !== null) return found;
  let least = Math.floor(word.length / GUESSABLE) + 1;
  for (const name of names) {
    const apart = distance(word, name);
    if (apart >= least) continue;
    least = apart;
    found = name;
  }
  return found;
}

/** The device whose tap is called `name`. Throws TapError, which names what there is. */
export function deviceNamed(devices: readonly Device[], name: string): Device {
  const device = devices.find(({ tap }) => tap === name);
  if (device !== undefined) return device;
  const names = devices.map(({ tap }) => tap);
  const cellOf = (tap: string): string => tap.slice(0, tap.indexOf('/'));
  const cells = [...new Set(names.map(cellOf))];
  const cell = name.includes('/') ? cellOf(name) : name;
  const isCell = cells.includes(cell);
  const what = isCell
    ? `no tap "${name}" in this foundation`
    : `no cell "${cell}" in this foundation for tap "${name}"`;
  const guess = nearest(name, names);
  const known = isCell
    ? `${cell} has ${listed(names.filter((tap) => cellOf(tap) === cell))}`
    : `expected one of ${listed(cells)}`;
  throw new TapError(name, `${what}: ${known}${guess === null ? '' : `; did you mean ${guess}?`}`);
}
