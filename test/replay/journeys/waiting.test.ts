/** Queues in order of time and items by name, against arrays that are sorted and searched. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  addNamed,
  type ByName,
  createQueue,
  dropFirst,
  first,
  insert,
  removeNamed,
} from '../../../src/replay/journeys/waiting.ts';

const test = suite('replay/waiting');

interface Item {
  readonly time: number;
  readonly serial: number;
}
const isAfter = (a: Item, b: Item): boolean => a.time > b.time;

test('what comes out of a queue is what a stable sort gives, however it is filled and emptied', () => {
  const moves = fc.array(fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constant(null)), { maxLength: 200 });
  fc.assert(
    fc.property(moves, (given) => {
      const queue = createQueue<Item>();
      let model: Item[] = [];
      for (const [serial, time] of given.entries()) {
        if (time === null) {
          assert.is(first(queue), model[0]);
          if (model.length === 0) continue;
          dropFirst(queue);
          model = model.slice(1);
        } else {
          const item = { time, serial };
          insert(queue, item, isAfter);
          model = [...model, item].sort((a, b) => a.time - b.time || a.serial - b.serial);
        }
      }
      assert.equal(queue.items.slice(queue.next), model);
    }),
  );
});

test('a queue that is emptied as it is filled stays small', () => {
  const queue = createQueue<Item>();
  for (let serial = 0; serial < 100_000; serial++) {
    insert(queue, { time: serial, serial }, isAfter);
    if (serial >= 10) dropFirst(queue);
  }
  assert.is(queue.items.length - queue.next, 10);
  assert.ok(queue.items.length < 5_000, `${queue.items.length}`);
});

test('items by name keep their order, and a name without items is forgotten', () => {
  const items: ByName<number> = new Map();
  for (const item of [1, 2, 3]) addNamed(items, 'a', item);
  addNamed(items, 'b', 4);
  removeNamed(items, 'a', 2);
  removeNamed(items, 'a', 2);
  removeNamed(items, 'c', 2);
  assert.equal(items.get('a'), [1, 3]);
  removeNamed(items, 'b', 4);
  assert.equal([...items.keys()], ['a']);
});

test.run();
