/**
 * Build: the loops as machine code (`addon.c`), where there is a C compiler. Without one nothing is lost but speed: WebAssembly
 * runs the same text.
 *
 *   node dist/native/build.js
 *
 * CC names the compiler; else cc, gcc and clang are tried. The headers come from a package, so that nothing is fetched.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { include_dir as headers } from 'node-api-headers';
import { NATIVE_FILE } from '../src/cli/loops.ts';
import { LOOPS_SOURCE } from '../src/memory/loops-code.ts';

const SOURCE = join(fileURLToPath(import.meta.url), '..', '..', '..', 'native', 'addon.c');

const OPTIONS = ['-O3', '-fPIC', '-shared', '-fvisibility=hidden', '-fno-strict-aliasing', '-DNAPI_VERSION=8'];

/** Compile to `file`; gives what went wrong, or null. */
function compile(compiler: string, file: string): string | null {
  const partial = `${file}.partial`;
  const definitions = [`-DTAGPLANE_SOURCE="${LOOPS_SOURCE}"`, `-I${headers}`];
  const { error, status, stderr } = spawnSync(compiler, [...OPTIONS, ...definitions, '-o', partial, SOURCE], {
    encoding: 'utf8',
  });
  if (error !== undefined)
    return `${compiler}: ${'code' in error && error.code === 'ENOENT' ? 'not found' : error.message}`;
  if (status === 0) {
    renameSync(partial, file);
    return null;
  }
  rmSync(partial, { force: true });
  return `${compiler}: ${stderr.trim().split('\n')[0] ?? `ended with ${status}`}`;
}

function build(): string {
  if (process.platform !== 'linux') return `only built on Linux, this is ${process.platform}`;
  if (!existsSync(SOURCE)) return `no ${SOURCE}`;
  const compilers = process.env.CC === undefined ? ['cc', 'gcc', 'clang'] : [process.env.CC];
  const failures: string[] = [];
  for (const compiler of compilers) {
    const failure = compile(compiler, NATIVE_FILE);
    if (failure === null) return `built with ${compiler}`;
    failures.push(failure);
  }
  // One of another text would only be refused.
  rmSync(NATIVE_FILE, { force: true });
  return `not built (${failures.join('; ')}): WebAssembly runs instead`;
}

process.stdout.write(`native loops: ${build()}\n`);
