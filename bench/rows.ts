/**
 * The program with bursts of another number of rows. That number is a constant on both sides, TypeScript and C, so that compilers know it;
 * another one is another program: a copy of what was built, with the constant replaced and the loops compiled anew. The copy runs
 * them as machine code only, for its WebAssembly is still that of the old constant.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './harness.ts';

function replace(file: string, before: string, after: string): void {
  const text = readFileSync(file, 'utf8');
  if (text.split(before).length !== 2) throw new Error(`${file}: expected one ${before}`);
  writeFileSync(file, text.replace(before, after));
}

/** Folder of the compiled `bench/` with bursts of `rows`, made anew; or why there is none. */
export function programWith(rows: number): { folder: string } | { missing: string } {
  const copy = join(ROOT, 'dist', `burst-${rows}`);
  rmSync(copy, { recursive: true, force: true });
  for (const part of ['dist/src', 'dist/bench', 'dist/native', 'native'])
    cpSync(join(ROOT, part), join(copy, part), { recursive: true, filter: (path) => !path.endsWith('.node') });
  replace(join(copy, 'dist/src/capture/burst.js'), 'BURST_CAPACITY = 256;', `BURST_CAPACITY = ${rows};`);
  replace(join(copy, 'native/layout.h'), 'ROWS = 256 ', `ROWS = ${rows} `);
  const built = spawnSync(process.execPath, [join(copy, 'dist/native/build.js')], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(built.stderr);
  const loops = join(copy, 'dist/native', `loops-${process.platform}-${process.arch}.node`);
  return existsSync(loops) ? { folder: join(copy, 'dist/bench') } : { missing: built.stdout.trim() };
}
