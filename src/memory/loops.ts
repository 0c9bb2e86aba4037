/**
 * Loops: the inner loops of a replay, compiled from C (`native/`), over one memory. Here they are WebAssembly; `cli/loops.ts` has
 * them as machine code.
 *
 * They take octet offsets in that memory. What each of them does is defined in TypeScript, by whoever calls it; a machine that
 * cannot run them does without.
 */
import { LOOPS_CODE } from './loops-code.ts';

/** What this project uses of WebAssembly; its types come with browsers, not with Node. */
export interface Memory {
  readonly buffer: ArrayBuffer;
}
interface Assembly {
  readonly Memory: new (size: { initial: number; maximum: number }) => Memory;
  readonly Module: new (code: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
    imports: Readonly<Record<string, Readonly<Record<string, Memory>>>>,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
}
declare const WebAssembly: Assembly;
export const assembly: Assembly = WebAssembly;

/** Octets from 0 on that belong to the compiled code: its stack. */
export const LOOPS_OCTETS = 4096;

/** `control` is the offset of a control block (`dataplane/straight.ts`), rows are those of the burst that it names. */
export interface Loops {
  /** Bring into the cache what rows `from` to `to` come to. The result means nothing. */
  readonly touch: (control: number, from: number, to: number) => number;
  /** Judge rows `from` to `to`. Gives the first row that was not judged. */
  readonly run: (control: number, from: number, to: number) => number;
  /** Add rows to their flows. Gives how many are left. */
  readonly tally: (control: number) => number;
  /** Count what became of rows. */
  readonly count: (control: number) => void;
  /** Put `used` entries of a connection table at `connections` into an empty index of `mask + 1` words at `index`. */
  readonly reindex: (connections: number, index: number, mask: number, used: number) => number;
  /** Locate records of a pcap file; `state` is the offset of a block of `capture/locating.ts`. Gives how many. */
  readonly locate: (state: number) => number;
  /**
   * Locate, judge, count and tally bursts until there is one that TypeScript has to go on with. Gives its rows, which are judged in
   * part and not counted; 0 when no more can be located.
   */
  readonly play: (control: number, state: number) => number;
  /** Write the outlines of rows `from` to `to` (`dataplane/outline.ts`). */
  readonly outline: (control: number, from: number, to: number) => void;
  /** Locate bursts and write their outlines, until there is one with rows that have none. Gives its rows; 0 when no more can be located. */
  readonly survey: (control: number, state: number) => number;
  /** Match the rows of a burst, each by itself (`dataplane/match.ts`). Gives how many are left, which are listed. */
  readonly match: (control: number) => number;
  /**
   * Locate, match and count bursts until there is one with rows that are left. Gives its rows, none of them counted; 0 when no more
   * can be located.
   */
  readonly sift: (control: number, state: number) => number;
}

/** Compiled once, so that what V8 learns of it serves every memory; null on a machine without the instructions. */
let compiled: object | null | undefined;

function moduleOf(): object | null {
  if (compiled !== undefined) return compiled;
  try {
    compiled = new assembly.Module(Uint8Array.from(atob(LOOPS_CODE), (letter) => letter.charCodeAt(0)));
  } catch {
    compiled = null;
  }
  return compiled;
}

/** Makes the loops over `memory`; null when there are none. */
export type MakeLoops = (memory: Memory) => Loops | null;

/** In WebAssembly. */
export function assembleLoops(memory: Memory): Loops | null {
  const module = moduleOf();
  if (module === null) return null;
  return new assembly.Instance(module, { env: { memory } }).exports as unknown as Loops;
}
