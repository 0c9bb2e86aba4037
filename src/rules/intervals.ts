/**
 * Intervals: a long bucket cut by destination port, as the policies of one container are told apart.
 *
 * The ports fall into elementary intervals, within each of which the same entries want them, and each interval has a list of its own in
 * `positions`, which ends behind the first entry that decides on the port alone. The words, from where the intervals begin: count, then
 * the lowest port of each, then first and end of the list of each.
 */

/** What an entry wants of the port, as words 6 of an entry has it, and whether it ends every walk that meets its port. */
export interface Wanting {
  ports(position: number): number;
  isDecisive(position: number): boolean;
}

export interface Intervals {
  readonly starts: readonly number[];
  readonly lists: readonly (readonly number[])[];
}

/** Lists may hold this many positions per entry of their bucket. */
const GROWTH = 8;

/**
 * The elementary intervals of `bucket`, which is ascending; null when ports do not narrow it down. A sweep from the lowest
 * port up keeps the entries whose interval it is in, ascending by position.
 */
export function cutByPort(bucket: readonly number[], wanting: Wanting): Intervals | null {
  const opening = new Map<number, number[]>([[0, []]]);
  const closing = new Map<number, number[]>();
  for (const position of bucket) {
    const ports = wanting.ports(position);
    collect(opening, ports & 0xffff, position);
    collect(closing, (ports >>> 16) + 1, position);
  }
  const starts = [...new Set([...opening.keys(), ...closing.keys()])].filter((start) => start <= 0xffff);
  if (starts.length === 1) return null;
  starts.sort((one, other) => one - other);
  const active: number[] = [];
  const lists: number[][] = [];
  let budget = bucket.length * GROWTH;
  for (const start of starts) {
    for (const position of closing.get(start) ?? []) active.splice(rank(active, position), 1);
    for (const position of opening.get(start) ?? []) active.splice(rank(active, position), 0, position);
    const decided = active.findIndex((position) => wanting.isDecisive(position));
    const list = decided < 0 ? active.slice() : active.slice(0, decided + 1);
    budget -= list.length;
    if (budget < 0) return null;
    lists.push(list);
  }
  return { starts, lists };
}

/** Write `intervals` behind `cuts` and their lists behind `positions`; gives where they begin. */
export function writeIntervals({ starts, lists }: Intervals, cuts: number[], positions: number[]): number {
  const at = cuts.length;
  cuts.push(starts.length, ...starts);
  for (const list of lists) {
    cuts.push(positions.length, positions.length + list.length);
    for (const position of list) positions.push(position);
  }
  return at;
}

function collect(lists: Map<number, number[]>, port: number, position: number): void {
  const list = lists.get(port);
  if (list === undefined) lists.set(port, [position]);
  else list.push(position);
}

/** Index of the first element of ascending `list` that is not below `value`. */
function rank(list: readonly number[], value: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
