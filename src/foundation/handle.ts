/**
 * Stand-in handles: what an instance is called when no input names its container.
 *
 * A handle decides the names of eight chains, so a plan needs one. The stand-in has the form of a real LRP handle
 * (8-4-4-4-4 hexadecimal digits) and depends on nothing but the app's GUID and the instance's index. All of it is hash:
 * some chain names keep no more than the first twelve characters, and containers of one app must differ there.
 */

const MULTIPLIERS = [0x01000193, 0x85ebca6b, 0xc2b2ae35] as const;

/** The handle of instance `index` (from 0) of the app called `guid`. */
export function standInHandle(guid: string, index: number): string {
  const text = `${guid}/${index}`;
  const words = MULTIPLIERS.map((multiplier) => hash(text, multiplier));
  const digits = words.map((word) => word.toString(16).padStart(8, '0')).join('');
  const [a, b, c] = [digits.slice(0, 8), digits.slice(8, 16), digits.slice(16, 24)];
  return `${a}-${b.slice(0, 4)}-${b.slice(4)}-${c.slice(0, 4)}-${c.slice(4)}`;
}

/** FNV-1a over UTF-16 units with a multiplier of choice, then the finaliser of MurmurHash3. */
function hash(text: string, multiplier: number): number {
  let state = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), multiplier);
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
