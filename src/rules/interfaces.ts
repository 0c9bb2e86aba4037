/**
 * InterfaceNames: interface names as small numbers, so that a rule compares integers on the packet path.
 *
 * Numbers are given out once and never change; 0 is "no interface" (iptables tests an absent interface as the empty
 * name, so that `-i eth0` fails and `! -i eth0` holds on the OUTPUT path).
 */
export class InterfaceNames {
  readonly #numbers = new Map<string, number>([['', 0]]);
  readonly #names: string[] = [''];

  /** The number of `name`, given out now if it is new. */
  number(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const number = this.#names.length;
    this.#numbers.set(name, number);
    this.#names.push(name);
    return number;
  }

  /** The name behind a number that was given out; the empty name for 0 and for numbers never given out. */
  name(number: number): string {
    return this.#names[number] ?? '';
  }

  /** How many numbers were given out, 0 included. */
  get size(): number {
    return this.#names.length;
  }
}

const PLUS = 0x2b;

/** Whether a rule's interface name (which may end in `+`) covers `name`. Negation is the caller's. Allocates nothing. */
export function covers(pattern: string, name: string): boolean {
  const prefix = pattern.length - 1;
  if (prefix < 0 || pattern.charCodeAt(prefix) !== PLUS) return pattern === name;
  if (name.length < prefix) return false;
  for (let at = 0; at < prefix; at += 1) if (name.charCodeAt(at) !== pattern.charCodeAt(at)) return false;
  return true;
}
