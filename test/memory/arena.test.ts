/** Places in an arena are apart from each other, zero, aligned, and come from the heap when there is no more room. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { heap, type Place, reserve } from '../../src/memory/arena.ts';

const test = suite('memory: arena');
const PAGE = 65_536;

const octets = ({ buffer, offset }: Place, length: number): Uint8Array => new Uint8Array(buffer, offset, length);

test('places do not overlap and begin at lines of 64 octets', () => {
  const arena = reserve(PAGE)!;
  const places = [1, 64, 65, 1000].map((length) => ({ length, place: arena.allocate(length) }));
  for (const [index, { length, place }] of places.entries()) {
    assert.is(place.buffer, arena.memory!.buffer);
    assert.is(place.offset % 64, 0);
    assert.ok(place.offset > 0);
    octets(place, length).fill(index + 1);
  }
  for (const [index, { length, place }] of places.entries()) {
    assert.ok(octets(place, length).every((octet) => octet === index + 1));
  }
});

test('a place that was given back is handed out again, zero', () => {
  const arena = reserve(PAGE)!;
  const first = arena.allocate(500);
  octets(first, 500).fill(7);
  arena.release(first, 500);
  const second = arena.allocate(512);
  assert.is(second.offset, first.offset);
  assert.ok(octets(second, 512).every((octet) => octet === 0));
  assert.is.not(arena.allocate(512).offset, second.offset);
});

test('a full arena hands out places of the heap', () => {
  const arena = reserve(PAGE)!;
  const place = arena.allocate(PAGE);
  assert.is.not(place.buffer, arena.memory!.buffer);
  assert.is(place.buffer.byteLength, PAGE);
  arena.release(place, PAGE);
  assert.is(arena.allocate(64).buffer, arena.memory!.buffer);
});

test('what is spare is a part of what is left, and nothing in the heap', () => {
  const arena = reserve(PAGE * 16)!;
  const before = arena.spare();
  assert.ok(before > 0 && before <= PAGE * 4);
  arena.allocate(PAGE * 8);
  assert.ok(arena.spare() < before);
  arena.allocate(arena.spare() * 4);
  assert.ok(arena.spare() <= 16);
  assert.is(heap.spare(), 0);
});

test('a memory that the machine cannot have is no arena', () => {
  assert.is(reserve(2 ** 40), null);
});

test('places of the heap have nothing in common', () => {
  assert.is(heap.memory, null);
  assert.is.not(heap.allocate(64).buffer, heap.allocate(64).buffer);
});

test.run();
