/**
 * The tests that every header file of `wire` must pass, whatever the header: vectors from outside both ways, every
 * truncation, the executable layout, random octets, round trip. A header's own test file adds its vectors and faults.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import type { Test } from 'uvu';
import * as assert from 'uvu/assert';
import { FAULT, type Fault, name } from '../../src/wire/fault.ts';
import { octets, text, viewOf } from './hex.ts';
import { check } from './property.ts';
import { ROOT } from './shared.ts';
import { watched } from './watch.ts';

type Accessor = (view: DataView, at: number) => number;

export interface HeaderModule<T> {
  readonly HEADER_LENGTH: number;
  create(): T;
  check(view: DataView, at: number, end: number): Fault;
  decode(view: DataView, at: number, into: T): void;
  encode(header: Readonly<T>, view: DataView, at: number): void;
}

export interface HeaderCase<T> {
  /** Name of the file in `src/wire`, without `.ts`. */
  readonly file: string;
  readonly header: HeaderModule<T>;
  /** The fault of a header that is cut. */
  readonly short: Fault;
  /** Octets that `decode` and `encode` deal with, where that is not HEADER_LENGTH. */
  readonly length?: number;
  readonly vectors: readonly { readonly from: string; readonly octets: string; readonly fields: T }[];
  /** Positions and further accessors that must stay in bounds once `check` has passed; positions must be <= end. */
  readonly positions?: readonly Accessor[];
  readonly others?: readonly Accessor[];
  /** Make random octets likelier to pass `check`, in place. */
  readonly mend?: (view: DataView, at: number, size: number) => void;
  /** Bring random octets into the one form that `encode` writes, where there are several. */
  readonly canonical?: (view: DataView) => void;
}

/** Room around the header under test, so that a wrong offset is not hidden by the end of the buffer. */
const MARGIN = 64;

/** Flip every bit of a zeroed header and ask which accessor noticed: rows of `name:width`, one per 32 bits. */
function layout(fields: Readonly<Record<string, Accessor>>, size: number): string[] {
  const view = new DataView(new ArrayBuffer(size + 8));
  const names = Object.keys(fields);
  const zero = names.map((field) => fields[field]!(view, 0));
  const rows: string[] = [];
  let row: [string, number][] = [];
  for (let bit = 0; bit < size * 8; bit++) {
    view.setUint8(bit >> 3, 0x80 >> (bit & 7));
    const owner = names.filter((field, index) => fields[field]!(view, 0) !== zero[index]).join('+') || '-';
    view.setUint8(bit >> 3, 0);
    const last = row.at(-1);
    if (last?.[0] === owner) last[1]++;
    else row.push([owner, 1]);
    if (bit % 32 === 31 || bit === size * 8 - 1) {
      rows.push(`${(bit >> 5) * 4}: ${row.map((part) => part.join(':')).join(' ')}`);
      row = [];
    }
  }
  return rows;
}

/** The layout lines of the head comment of a source file. */
function documented(file: string): string[] {
  const source = readFileSync(join(ROOT, 'src', 'wire', `${file}.ts`), 'utf8');
  const head = source.slice(0, source.indexOf('*/'));
  return [...head.matchAll(/^ \* {2}(\d+: \w+:\d+.*)$/gm)].map((match) => match[1]!);
}

export function testHeader<T extends object>(test: Test, it: HeaderCase<T>): void {
  const { header } = it;
  const size = it.length ?? header.HEADER_LENGTH;
  const fields = Object.keys(header.create());
  const accessors = Object.fromEntries(
    fields.map((field) => [field, (header as unknown as Record<string, Accessor>)[field]!]),
  );

  for (const vector of it.vectors) {
    const bytes = octets(vector.octets);
    test(`decodes ${vector.from}`, () => {
      const view = watched(bytes, MARGIN);
      assert.is(name(header.check(view, MARGIN, MARGIN + bytes.length)), 'NONE');
      const into = header.create();
      header.decode(view, MARGIN, into);
      assert.equal(into, vector.fields);
    });
    test(`encodes ${vector.from}, every octet of it and no other`, () => {
      const view = new DataView(new ArrayBuffer(size + 2 * MARGIN));
      for (let at = 0; at < view.byteLength; at++) view.setUint8(at, 0xa5);
      header.encode(vector.fields, view, MARGIN);
      assert.is(text(view, MARGIN, MARGIN + size), text(viewOf(bytes), 0, size));
      assert.match(text(view, 0, MARGIN), /^(a5)+$/);
      assert.match(text(view, MARGIN + size), /^(a5)+$/);
    });
    test(`refuses ${vector.from} cut anywhere`, () => {
      for (let cut = 0; cut < header.HEADER_LENGTH; cut++) {
        const view = watched(bytes.subarray(0, cut), MARGIN);
        assert.is(header.check(view, MARGIN, MARGIN + cut), it.short, `${cut} octets: ${name(it.short)}`);
      }
    });
  }

  test('reads the layout that its head comment shows', () => {
    assert.ok(documented(it.file).length > 0);
    assert.equal(layout(accessors, size), documented(it.file));
  });

  test('a header that passed its check is read within bounds, whatever it holds', () => {
    let passed = 0;
    const property = fc.property(fc.uint8Array({ minLength: header.HEADER_LENGTH, maxLength: 120 }), (random) => {
      const bytes = Uint8Array.from(random);
      it.mend?.(viewOf(bytes), 0, bytes.length);
      const view = watched(bytes, MARGIN);
      const end = MARGIN + bytes.length;
      if (header.check(view, MARGIN, end) !== FAULT.NONE) return;
      passed++;
      for (const read of [...Object.values(accessors), ...(it.others ?? [])]) {
        const value = read(view, MARGIN);
        assert.ok(Number.isSafeInteger(value) && value >= -1);
      }
      for (const position of it.positions ?? []) {
        const found = position(view, MARGIN);
        assert.ok(found >= MARGIN && found <= end, `position ${found} outside [${MARGIN}, ${end}]`);
      }
    });
    check(property);
    assert.ok(passed > 0, 'no random header passed its check: the property was never tried');
  });

  test('octets come back from decode and encode', () => {
    const property = fc.property(fc.uint8Array({ minLength: size, maxLength: size }), (random) => {
      const before = viewOf(Uint8Array.from(random));
      it.canonical?.(before);
      const into = header.create();
      header.decode(before, 0, into);
      const after = new DataView(new ArrayBuffer(size));
      header.encode(into, after, 0);
      assert.is(text(after), text(before));
    });
    check(property);
  });
}
