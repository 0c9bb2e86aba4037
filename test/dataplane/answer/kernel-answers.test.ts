/** Recorded answers of the kernel, without the kernel. What the fixture holds is said at its head. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ROOT } from '../../support/shared.ts';
import { answer } from './cell.ts';

const test = suite('dataplane/answer/kernel-answers');
const octets = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

const lines = readFileSync(join(ROOT, 'test/fixtures/kernel-answers.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split(' | '));

test('every recorded packet is answered with the recorded octets, or not at all', () => {
  let answered = 0;
  for (const [name, tracking, frame, received, replied, packet, recorded] of lines) {
    const theirs = recorded === 'none' ? undefined : octets(recorded!);
    if (theirs !== undefined) answered += 1;
    const ours = answer(octets(packet!), {
      conntrack: tracking === 'tracked',
      groupFrame: frame === 'broadcast',
      identification: theirs === undefined ? 0 : (theirs[4]! << 8) | theirs[5]!,
      received: Number(received),
      answered: Number(replied),
    });
    assert.is(typeof ours === 'number' ? 'none' : Buffer.from(ours).toString('hex'), recorded, name);
  }
  assert.equal([lines.length, answered], [344, 238]);
});

test.run();
