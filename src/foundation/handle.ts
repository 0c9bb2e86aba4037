/**
 * Stand-in handles: what an instance is called when no input names its container.
 *
 * A handle decides the names of eight chains, so a plan needs one. The stand-in has the form of a real LRP handle
 * (8-4-4-4-4 hexadecimal digits), starts like the app's GUID so that people recognise it, and depends on nothing but the
 * GUID and the instance's index.
 */

const MULTIPLIERS = [0x01000193, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f] as const;

/** The handle of instance `index` (from 0) of the app called `guid`. */
export function standInHandle(guid: string, index: number): string {
  const text = `${guid}/${index}`;
  const words = MULTIPLIERS.map((multiplier) => hash(text, multiplier));
  const digits = words.map((word) => word.toString(16).padStart(8, '0')).join('');
  const head = /^[0-9a-f]{8}/.exec(guid)?.[0] ?? digits.slice(16, 24);
  return [head, digits.slice(0, 4), digits.slice(4, 8), digits.slice(8, 12), digits.slice(12, 16)].join('-');
}

/** FNV-1a over UTF-16 units with a multiplier of choice, then the finaliser of MurmurHash3. */
function hash(text: string, multiplier: number): number {
  let state = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), multiplier);
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
