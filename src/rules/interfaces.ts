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

/** Whether a rule's interface name (which may end in `+`) covers `name`. Negation is the caller's. */
export const covers = (pattern: string, name: string): boolean =>
  pattern.endsWith('+') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
