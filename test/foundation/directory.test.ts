import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as directory from '../../src/foundation/directory.ts';
import type { Foundation } from '../../src/foundation/model.ts';
import { readFoundation } from '../../src/foundation/read.ts';
import { check } from '../support/property.ts';
import { EXAMPLE } from './example.ts';

const test = suite('foundation/directory');

test('addresses, tags, underlays and VTEPs of the example', () => {
  const found = directory.createDirectory(readFoundation(EXAMPLE, 'f.yml'));
  const instance = directory.lookup(found, 0x0aff0207);
  assert.is(found.instances[instance]?.cell, 'cell-b');
  assert.is(directory.appAt(found, found.instanceApp[instance]!)?.name, 'dest-app');
  assert.is(directory.cellAt(found, found.instanceCell[instance]!)?.name, 'cell-b');
  assert.is(directory.appAt(found, directory.lookupApp(found, 0x0aff0104))?.name, 'source-app');
  assert.is(directory.appAt(found, directory.lookupTag(found, 2))?.name, 'dest-app');
  assert.is(directory.cellAt(found, directory.lookupUnderlay(found, 0x0a000066))?.name, 'cell-b');
  assert.is(directory.cellAt(found, directory.lookupVtep(found, 0x0aff0100))?.name, 'cell-a');
});

test('what is not there is -1, 0.0.0.0 and tags beyond 16 bits included', () => {
  const found = directory.createDirectory(readFoundation(EXAMPLE, 'f.yml'));
  assert.is(directory.lookup(found, 0), -1);
  assert.is(directory.lookup(found, 0x0aff0105), -1);
  assert.is(directory.lookupApp(found, 0xffffffff), -1);
  assert.is(directory.lookupTag(found, 0), -1);
  assert.is(directory.lookupTag(found, 0x10000), -1);
  assert.is(directory.lookupUnderlay(found, 0x0aff0104), -1);
  assert.is(directory.lookupVtep(found, 0x0aff0104), -1);
  assert.is(directory.appAt(found, -1), undefined);
});

/** A foundation of one cell with containers at `addresses`; the directory asks nothing else of it. */
const withAddresses = (addresses: readonly number[]): Foundation => ({
  ...readFoundation('tagplane: 1', 'f.yml'),
  apps: addresses.map((address, index) => ({
    name: `app-${index}`,
    guid: `app-${index}`,
    tag: null,
    routes: [],
    space: null,
    organization: null,
    instances: [{ cell: 'a', address, handle: `h-${index}`, workload: 'app', ports: [] }],
  })),
});

test('a lookup agrees with a Map for any set of addresses', () => {
  const address = fc.oneof(
    fc.integer({ min: 0, max: 0xffffffff }),
    fc.integer({ min: 0x0aff0000, max: 0x0aff00ff }),
    fc.constantFrom(0, 0xffffffff, 0x80000000),
  );
  check(
    fc.property(fc.uniqueArray(address, { maxLength: 300 }), fc.array(address), (present, asked) => {
      const found = directory.createDirectory(withAddresses(present));
      const expected = new Map(present.map((one, index) => [one, index]));
      for (const one of [...present, ...asked]) assert.is(directory.lookup(found, one), expected.get(one) ?? -1);
    }),
  );
});

test.run();
