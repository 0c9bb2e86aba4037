/** loops-code.ts is native/, compiled to WebAssembly. `TAGPLANE_WRITE_LOOPS=1` writes it anew (clang and lld). */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LOOPS_OCTETS } from '../../src/memory/loops.ts';
import { LOOPS_CODE, LOOPS_COMPILER, LOOPS_SOURCE } from '../../src/memory/loops-code.ts';
import { ROOT, skip } from '../support/shared.ts';

const test = suite('memory: compiled loops');
const NATIVE = join(ROOT, 'native');

const OPTIONS = [
  '--target=wasm32',
  '-O3',
  '-ffreestanding',
  '-nostdlib',
  '-fno-strict-aliasing',
  '-fno-delete-null-pointer-checks',
  '-mbulk-memory',
  '-mnontrapping-fptoint',
  '-msign-ext',
  '-msimd128',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-Wl,--no-entry',
  '-Wl,--import-memory',
  '-Wl,--strip-all',
  `-Wl,-z,stack-size=${LOOPS_OCTETS}`,
  '-Wl,--stack-first',
];

/** A hash of the text that is compiled, so that it cannot change unnoticed where there is no compiler. */
function sourceOf(): string {
  const hash = createHash('sha256');
  const parts = readdirSync(NATIVE).filter((name) => name.endsWith('.h') || name === 'loops.c');
  for (const name of parts.sort()) hash.update(readFileSync(join(NATIVE, name)));
  return hash.digest('hex');
}

/** `clang version N`, as far as the code depends on it; null without one that knows WebAssembly. */
function compilerOf(): string | null {
  const { status, stdout } = spawnSync('clang', ['--version'], { encoding: 'utf8' });
  if (status !== 0 || spawnSync('wasm-ld', ['--version']).status !== 0) return null;
  return /clang version \d+/.exec(stdout)?.[0] ?? null;
}

function compile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tagplane-test-'));
  try {
    const output = join(folder, 'loops.wasm');
    const { status, stderr } = spawnSync('clang', [...OPTIONS, '-o', output, join(NATIVE, 'loops.c')], {
      encoding: 'utf8',
    });
    assert.is(status, 0, stderr);
    return readFileSync(output).toString('base64');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const lines = (text: string): string => (text.match(/.{1,110}/g) ?? []).map((piece) => `  '${piece}'`).join(' +\n');

function write(compiler: string): void {
  const text = `/** native/loops.c, compiled: do not edit. test/memory/loops-code.test.ts holds the two together. */
export const LOOPS_COMPILER = '${compiler}';
export const LOOPS_SOURCE = '${sourceOf()}';
export const LOOPS_CODE =
${lines(compile())};
`;
  writeFileSync(join(ROOT, 'src', 'memory', 'loops-code.ts'), text);
}

const compiler = compilerOf();
const isWriting = process.env.TAGPLANE_WRITE_LOOPS === '1';
if (isWriting && compiler !== null) write(compiler);

test('the compiled loops belong to the text', () => {
  if (!isWriting) assert.is(LOOPS_SOURCE, sourceOf());
});

const same = 'the same compiler makes the same code of it';
if (compiler === LOOPS_COMPILER || isWriting) {
  test(same, () => {
    if (!isWriting) assert.is(LOOPS_CODE, compile());
  });
} else {
  skip(test, same, `needs ${LOOPS_COMPILER} and lld, got ${compiler ?? 'none'}`);
}

test.run();
