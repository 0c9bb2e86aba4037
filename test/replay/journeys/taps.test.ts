/** Names of taps that are none: the message says what there is. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { deviceNamed, TapError } from '../../../src/replay/journeys/taps.ts';
import { listen } from './following.ts';

const test = suite('replay/taps');
const { devices } = listen().journeys.emulation;

const messageOf = (tap: string): string => {
  try {
    deviceNamed(devices, tap);
  } catch (error) {
    assert.instance(error, TapError);
    assert.is((error as TapError).code, 'ERR_INPUT_TAP');
    assert.is((error as TapError).tap, tap);
    return (error as TapError).message;
  }
  throw new Error(`${tap} is a tap`);
};

test('every device has its tap', () => {
  for (const device of devices) assert.is(deviceNamed(devices, device.tap), device);
});

test('of a known cell, its taps are named, and the nearest is proposed', () => {
  const message = messageOf('cell-b/s-010255002008/eth1');
  assert.match(message, /^no tap "cell-b\/s-010255002008\/eth1" in this foundation: cell-b has cell-b\/eth0, /);
  assert.match(message, /cell-b\/silk-vtep/);
  assert.not.match(message, /cell-a/);
  assert.match(message, /did you mean cell-b\/s-010255002008\/eth0\?$/);
});

test('an unknown cell is named as one', () => {
  assert.is(
    messageOf('cell-x/eth0'),
    'no cell "cell-x" in this foundation for tap "cell-x/eth0": expected one of cell-a, cell-b; did you mean cell-a/eth0?',
  );
  assert.is(messageOf('diego'), 'no cell "diego" in this foundation for tap "diego": expected one of cell-a, cell-b');
});

test('a cell without an interface is no tap', () => {
  assert.match(messageOf('cell-a'), /^no tap "cell-a" in this foundation: cell-a has cell-a\/eth0/);
});

test.run();
