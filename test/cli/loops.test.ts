/**
 * Which loops run: machine code where it was built of the same text, WebAssembly, or none, as TAGPLANE_LOOPS says; and whatever runs,
 * the command says the same. Judge: TypeScript alone (`none`).
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UsageError } from '../../src/cli/exit.ts';
import { chooseLoops, loadNative, NATIVE_FILE } from '../../src/cli/loops.ts';
import { reserve } from '../../src/memory/arena.ts';
import { assembleLoops } from '../../src/memory/loops.ts';
import { LOOPS_SOURCE } from '../../src/memory/loops-code.ts';
import { skip } from '../support/shared.ts';
import { capture, FOUNDATION, inDirectory, tagplane } from './command.ts';

const test = suite('cli/loops');

const native = loadNative();
const nativeTest = (name: string, body: () => void | Promise<void>): void => {
  if (typeof native === 'string') skip(test, name, native);
  else test(name, body);
};

test('the environment chooses', () => {
  assert.is(chooseLoops({ TAGPLANE_LOOPS: 'wasm' }), assembleLoops);
  for (const environment of [{}, { TAGPLANE_LOOPS: '' }])
    assert.is(chooseLoops(environment) === assembleLoops, typeof native === 'string');
  assert.is(reserve(2 ** 20, chooseLoops({ TAGPLANE_LOOPS: 'none' }))!.loops, null);
  assert.throws(
    () => chooseLoops({ TAGPLANE_LOOPS: 'fast' }),
    (error: unknown) =>
      error instanceof UsageError && error.message === 'TAGPLANE_LOOPS: expected native, wasm, none, got fast',
  );
});

test('what is not there is told', () => {
  assert.match(loadNative('/nowhere/loops.node') as string, /^\/nowhere\/loops\.node: not there; npm run build/);
});

test('a file that is no addon is told', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tagplane-test-'));
  try {
    const file = join(folder, 'loops.node');
    writeFileSync(file, 'no addon');
    assert.match(loadNative(file) as string, /loops\.node: .*(invalid ELF|file too short)/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

nativeTest('an addon of another text is refused', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tagplane-test-'));
  try {
    const file = join(folder, 'loops.node');
    const octets = readFileSync(NATIVE_FILE);
    const at = octets.indexOf(LOOPS_SOURCE);
    assert.ok(at > 0);
    octets.write('0', at);
    writeFileSync(file, octets);
    assert.match(loadNative(file) as string, /was compiled from another text/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

nativeTest('only octets can be bound', () => {
  if (typeof native === 'string') return;
  assert.throws(() => native.bind(new Uint8Array(8) as unknown as ArrayBuffer), /bind: expected an ArrayBuffer/);
});

/** Put `used` made-up entries into an index, and sum the index up: a thread that met the memory of another would not agree. */
const REINDEX = `
  const { parentPort, workerData } = require('node:worker_threads');
  Promise.all([import(workerData.arena), import(workerData.loops)]).then(([{ reserve }, { chooseLoops }]) => {
    const arena = reserve(2 ** 24, chooseLoops({ TAGPLANE_LOOPS: workerData.kind }));
    const [entries, index] = [arena.allocate(64 * 4096), arena.allocate(4 * 16384)];
    const words = new Uint32Array(entries.buffer, entries.offset, 16 * 4096);
    for (let word = 0; word < words.length; word++) words[word] = Math.imul(word + workerData.salt, 0x9e3779b1);
    const places = new Uint32Array(index.buffer, index.offset, 16384);
    let sum = 0;
    for (let round = 0; round < 50; round++) {
      places.fill(0);
      arena.loops.reindex(entries.offset, index.offset, 16383, 4096);
      for (const [at, word] of places.entries()) sum = (Math.imul(sum, 31) + (word ^ at)) | 0;
    }
    parentPort.postMessage(sum);
  });
`;

const sumOf = (kind: string, salt: number): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const arena = new URL('../../src/memory/arena.js', import.meta.url).href;
    const loops = new URL('../../src/cli/loops.js', import.meta.url).href;
    const worker = new Worker(REINDEX, { eval: true, workerData: { arena, loops, kind, salt } });
    worker.on('message', resolve);
    worker.on('error', reject);
  });

nativeTest('threads have memories of their own', async () => {
  const salts = [1, 2, 3, 4];
  const expected = await Promise.all(salts.map((salt) => sumOf('wasm', salt)));
  assert.equal(await Promise.all(salts.map((salt) => sumOf('native', salt))), expected);
  assert.is(new Set(expected).size, salts.length);
});

test('all say the same', async () => {
  const kinds = ['none', 'wasm', ...(typeof native === 'string' ? [] : ['native'])];
  await inDirectory(async (folder) => {
    const said: string[] = [];
    for (const kind of kinds) {
      const words = ['replay', capture('cell-b.eth0.pcapng'), '--foundation', FOUNDATION, '--cell', 'cell-b'];
      const { code, stdout, stderr } = await tagplane([...words, '--verdicts', `${folder}/${kind}`, '--top', 'all'], {
        environment: { TAGPLANE_LOOPS: kind },
      });
      assert.is(code, 0, stderr);
      said.push(`${readFileSync(`${folder}/${kind}`, 'utf8')}${stdout.replace(/in [\d.]+ s: .* per second/, '')}`);
    }
    for (const other of said.slice(1)) assert.is(other, said[0]);
  });
});

test('a word that is none, and loops that are not there', async () => {
  const words = ['replay', capture('cell-b.eth0.pcapng'), '--foundation', FOUNDATION];
  const wrong = await tagplane(words, { environment: { TAGPLANE_LOOPS: 'fast' } });
  assert.is(wrong.code, 2);
  assert.is(wrong.stderr, 'tagplane: TAGPLANE_LOOPS: expected native, wasm, none, got fast\n');
  const missing = await tagplane(words, { environment: { TAGPLANE_LOOPS: 'native' } });
  assert.is(missing.code, typeof native === 'string' ? 4 : 0);
  if (typeof native === 'string') assert.match(missing.stderr, /no native loops: .*npm run build/);
});

test.run();
