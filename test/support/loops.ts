/** Tests of the compiled loops, each run with all that this machine has: WebAssembly, and machine code where it was built. */
import type { Test } from 'uvu';
import { loadNative } from '../../src/cli/loops.ts';
import { assembleLoops, type MakeLoops } from '../../src/memory/loops.ts';
import { skip } from './shared.ts';

/** Register `body` under `name` for WebAssembly and for machine code; where there is none of that, a skipped test says why. */
export function loopsTest(suite: Test, name: string, body: (makeLoops: MakeLoops) => void | Promise<void>): void {
  suite(`${name}, in WebAssembly`, () => body(assembleLoops));
  const native = loadNative();
  if (typeof native === 'string') skip(suite, `${name}, in machine code`, native);
  else suite(`${name}, in machine code`, () => body(({ buffer }) => native.bind(buffer)));
}
