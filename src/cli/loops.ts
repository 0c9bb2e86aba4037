/**
 * What runs the inner loops of a replay: machine code where `npm run build` found a C compiler (`native/build.ts`), else
 * WebAssembly, which runs the same text. TAGPLANE_LOOPS in the environment chooses.
 *
 * Machine code that was compiled from another text than this program knows is refused, for it would read other tables.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { assembleLoops, type Loops, type MakeLoops } from '../memory/loops.ts';
import { LOOPS_SOURCE } from '../memory/loops-code.ts';
import { UsageError } from './exit.ts';

/** Where the machine code is, if there is any. */
export const NATIVE_FILE = fileURLToPath(
  new URL(`../../native/loops-${process.platform}-${process.arch}.node`, import.meta.url),
);

/** `native/addon.c` */
export interface Native {
  /** Hash of the text that it was compiled from. */
  readonly source: string;
  /** The loops over the octets of `buffer`, which must not be detached. */
  readonly bind: (buffer: ArrayBuffer) => Loops;
}

/** The machine code in `file`, or why there is none. */
export function loadNative(file: string = NATIVE_FILE): Native | string {
  if (!existsSync(file)) return `${file}: not there; npm run build makes it where there is a C compiler`;
  let native: Native;
  try {
    native = createRequire(import.meta.url)(file) as Native;
  } catch (error) {
    return `${file}: ${error instanceof Error ? error.message : String(error)}`;
  }
  return native.source === LOOPS_SOURCE ? native : `${file}: was compiled from another text; npm run build`;
}

/** The environment asks for machine code, and there is none. */
class MissingLoopsError extends Error {
  readonly code = 'ERR_MISSING_LOOPS';
  override readonly name = 'MissingLoopsError';
}

const LOOPS_KINDS = ['native', 'wasm', 'none'] as const;
export type LoopsKind = (typeof LOOPS_KINDS)[number];

/**
 * What TAGPLANE_LOOPS says; without it machine code where there is any, else WebAssembly. Throws a UsageError for a word that is none
 * of LOOPS_KINDS, and a MissingLoopsError for machine code that is not there.
 */
export function chooseLoops(environment: NodeJS.ProcessEnv): MakeLoops {
  const word = environment.TAGPLANE_LOOPS ?? '';
  const kind = LOOPS_KINDS.find((known) => known === word);
  if (kind === undefined && word !== '')
    throw new UsageError(`TAGPLANE_LOOPS: expected ${LOOPS_KINDS.join(', ')}, got ${word}`);
  if (kind === 'none') return () => null;
  if (kind === 'wasm') return assembleLoops;
  const native = loadNative();
  if (typeof native !== 'string') return (memory) => native.bind(memory.buffer);
  if (kind === 'native') throw new MissingLoopsError(`TAGPLANE_LOOPS: no native loops: ${native}`);
  return assembleLoops;
}
