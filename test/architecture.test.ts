/** The import rules of the design, executed: what a floor may import, and what may not appear on it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ROOT } from './support/shared.ts';

const test = suite('architecture');
const SOURCE = join(ROOT, 'src');

/** Each floor and the floors it may import. `foundation` also sees the types of `rules`, which join the two siblings. */
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  memory: [],
  wire: [],
  capture: ['memory', 'wire'],
  rules: ['memory', 'wire'],
  foundation: ['wire'],
  dataplane: ['memory', 'wire', 'capture', 'rules', 'foundation'],
  replay: ['memory', 'wire', 'capture', 'rules', 'foundation', 'dataplane'],
  cli: ['memory', 'wire', 'capture', 'rules', 'foundation', 'dataplane', 'replay'],
};
/** Files of `wire` that are not headers: they may be imported by headers, or know how headers are stacked. */
const WIRE_COMMON = ['fault.ts', 'checksum.ts', 'address.ts', 'protocol.ts', 'options.ts'];
const WIRE_STACKING = ['layers.ts', 'walk.ts', 'stack.ts', 'explain.ts', 'integrity.ts', 'names.ts', 'quote.ts'];
/** The one file of `capture` that touches the machine. */
const CAPTURE_IO = 'capture/file.ts';

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.split(sep).join('/'))
  .sort();

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

const source = (file: string): string => readFileSync(join(SOURCE, file), 'utf8');

/** Source without comments and string contents, so that a word in a sentence is not taken for code. */
const code = (file: string): string =>
  source(file)
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|[^:])\/\/.*$/gm, '$1')
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''");

function importsOf(file: string): Import[] {
  const text = source(file);
  const found: Import[] = [];
  for (const [, type, from] of text.matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from\s+'([^']+)'/gms)) {
    found.push({ from: from!, typeOnly: type !== undefined });
  }
  for (const [, from] of text.matchAll(/\bimport\('([^']+)'\)/g)) found.push({ from: from!, typeOnly: false });
  return found;
}

const floorOf = (file: string): string => (file.includes('/') ? file.slice(0, file.indexOf('/')) : '');
const target = (file: string, from: string): string =>
  relative(SOURCE, join(SOURCE, file, '..', from))
    .split(sep)
    .join('/');

test('every file of src lies on a floor of the design', () => {
  assert.ok(files.length > 0);
  for (const file of files) assert.ok(file === 'index.ts' || floorOf(file) in FLOORS, `src/${file} is on no floor`);
});

test('a floor imports only the floors below it', () => {
  for (const file of files.filter((name) => name !== 'index.ts')) {
    for (const { from, typeOnly } of importsOf(file).filter((one) => one.from.startsWith('.'))) {
      const [mine, theirs] = [floorOf(file), floorOf(target(file, from))];
      const joined = mine === 'foundation' && theirs === 'rules' && typeOnly;
      assert.ok(theirs === mine || FLOORS[mine]!.includes(theirs) || joined, `src/${file} imports ${from}`);
    }
  }
});

test('inside wire a header imports no other header', () => {
  for (const file of files.filter((name) => floorOf(name) === 'wire')) {
    const name = file.slice('wire/'.length);
    if (WIRE_STACKING.includes(name)) continue;
    for (const { from } of importsOf(file)) {
      assert.ok(WIRE_COMMON.includes(from.replace('./', '')), `src/${file} imports ${from}`);
    }
  }
});

test('node: modules appear only where files, workers and people are met', () => {
  for (const file of files) {
    if (file === CAPTURE_IO || floorOf(file) === 'cli' || file === 'replay/workers.ts') continue;
    for (const { from } of importsOf(file)) assert.not.ok(from.startsWith('node:'), `src/${file} imports ${from}`);
  }
});

test('nothing throws in wire or on the packet path', () => {
  for (const file of files.filter((name) => ['wire', 'dataplane'].includes(floorOf(name)))) {
    assert.not.match(code(file), /\bthrow\b/, `src/${file} throws`);
  }
});

test('time, chance and the process are passed in below cli', () => {
  for (const file of files.filter((name) => floorOf(name) !== 'cli')) {
    assert.not.match(code(file), /\b(?:Date|performance|process|console)\b|\bMath\.random\b/, `src/${file}`);
  }
});

test('generated code is loaded in one file at most', () => {
  const loaders = files.filter((file) => /\bnew Function\b|\beval\(/.test(code(file)));
  assert.ok(loaders.length <= 1, loaders.join(', '));
});

test('no file has a default export, and only index.ts re-exports', () => {
  for (const file of files) {
    assert.not.match(code(file), /^export default/m, `src/${file}`);
    if (file !== 'index.ts') assert.not.match(code(file), /^export \*/m, `src/${file}`);
  }
});

test.run();
