/**
 * Waiting: items in order of time, and items by name, for what is followed only as long as something may still answer it.
 *
 * Captures are nearly in order of time, so an item finds its place a step or two from the end.
 */

/** Items in order; those before `next` are gone. */
export interface Queue<T> {
  items: T[];
  next: number;
}

export const createQueue = <T>(): Queue<T> => ({ items: [], next: 0 });

/** The first item; undefined when there is none. */
export const first = <T>(queue: Queue<T>): T | undefined => queue.items[queue.next];

/** Put `item` behind all that are not `after` it. */
export function insert<T>(queue: Queue<T>, item: T, after: (a: T, b: T) => boolean): void {
  const { items } = queue;
  let at = items.length;
  while (at > queue.next && after(items[at - 1]!, item)) at--;
  if (at === items.length) items.push(item);
  else items.splice(at, 0, item);
}

/** Half the array is given back once it is gone, and not before: taking the first item costs no copy on average. */
const LEAST_GONE = 1024;

/** Take the first item away. */
export function dropFirst<T>(queue: Queue<T>): void {
  queue.next += 1;
  if (queue.next < LEAST_GONE || queue.next * 2 < queue.items.length) return;
  queue.items = queue.items.slice(queue.next);
  queue.next = 0;
}

/** Items by name, each name's in the order in which they came. */
export type ByName<T> = Map<string, T[]>;

export function addNamed<T>(items: ByName<T>, name: string, item: T): void {
  const others = items.get(name);
  if (others === undefined) items.set(name, [item]);
  else others.push(item);
}

/** Take `item` away; nothing happens when it is gone already. */
export function removeNamed<T>(items: ByName<T>, name: string, item: T): void {
  const others = items.get(name);
  const at = others?.indexOf(item) ?? -1;
  if (others === undefined || at < 0) return;
  if (others.length === 1) items.delete(name);
  else others.splice(at, 1);
}
