/** Where a captured frame was on its way, and how its container must have sent it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DIRECTION } from '../../../src/dataplane/emulate/seams.ts';
import {
  directionAt,
  frameFromContainer,
  segmentLengthOf,
  stepOf,
  viewOf,
} from '../../../src/replay/journeys/place.ts';
import { deviceNamed } from '../../../src/replay/journeys/taps.ts';
import { seenIn, travel } from '../../dataplane/emulate/emulating.ts';
import { ethernet, ipv4, silkMac, tcp, udp } from '../../dataplane/packets.ts';
import { planned } from '../../scenarios/support.ts';
import { listen, TWO_CELLS } from './following.ts';

const test = suite('replay/place');
const { devices } = listen().journeys.emulation;
const FRONTEND = '10.255.1.4';
const INSIDE = 'cell-a/s-010255001004/eth0';
const ENDS = { source: FRONTEND, destination: '10.255.2.7' };
const sent = (packet: Iterable<number>): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(ethernet(silkMac('aa', FRONTEND), silkMac('ee', FRONTEND), 0x0800, packet));

test('the steps of a packet count up along its way, in both directions', () => {
  const way = ['cell-a/s-010255001004/eth0', 'cell-a/s-010255001004', 'cell-a/silk-vtep', 'cell-a/eth0'];
  const back = ['cell-b/eth0', 'cell-b/silk-vtep', 'cell-b/s-010255002007', 'cell-b/s-010255002007/eth0'];
  const { OUT, IN } = DIRECTION;
  const directions = [OUT, IN, OUT, OUT, IN, IN, OUT, IN];
  const steps = [...way, ...back].map((tap, i) => stepOf(deviceNamed(devices, tap).kind, directions[i]!));
  assert.equal(steps, [0, 1, 2, 3, 4, 5, 6, 7]);
});

test('a frame goes out of the device whose hardware address it is from', () => {
  const frame = viewOf(sent(ipv4(ENDS, 17, udp(ENDS, 1, 2))));
  assert.is(directionAt(deviceNamed(devices, INSIDE), frame, 0), DIRECTION.OUT);
  assert.is(directionAt(deviceNamed(devices, 'cell-a/s-010255001004'), frame, 0), DIRECTION.IN);
});

test('the frame that a container must have sent is the one that it did send', () => {
  const own = sent(ipv4(ENDS, 6, tcp(ENDS, 40_000, 8080, { flags: 2 })));
  const setup = { foundation: TWO_CELLS, rules: planned(TWO_CELLS), translated: true };
  const draws = { identification: () => 1, sourcePort: () => 40_000, credit: () => 0 };
  const travelled = travel(setup, [{ tap: INSIDE, octets: own, time: 0 }], draws);
  const seen = (tap: string): Uint8Array<ArrayBuffer> =>
    Uint8Array.from(Buffer.from(seenIn(travelled, tap)[0]!.hex, 'hex'));
  for (const [tap, network, hops] of [
    ['cell-a/silk-vtep', 14, 1],
    ['cell-b/eth0', 64, 1],
    ['cell-b/s-010255002007/eth0', 14, 2],
  ] as const) {
    const frame = seen(tap);
    assert.equal(frameFromContainer(viewOf(frame), network, frame.length, hops), own, tap);
  }
});

test('a time to live above 255 was never sent', () => {
  const frame = sent(ipv4(ENDS, 17, udp(ENDS, 1, 2), { timeToLive: 254 }));
  assert.ok(frameFromContainer(viewOf(frame), 14, frame.length, 1));
  assert.is(frameFromContainer(viewOf(frame), 14, frame.length, 2), null);
});

test('octets behind the packet are not a part of it', () => {
  const packet = ipv4(ENDS, 17, udp(ENDS, 1, 2));
  const frame = sent([...packet, 0, 0, 0, 0, 0, 0]);
  assert.equal(frameFromContainer(viewOf(frame), 14, frame.length, 0)!.slice(14), packet);
});

test('a TCP or UDP packet longer than the MTU stands for several; a fragment, and what fits, for itself', () => {
  const device = deviceNamed(devices, INSIDE);
  const lengthOf = (packet: Uint8Array): number => {
    const frame = sent(packet);
    return segmentLengthOf(device, viewOf(frame), 0, frame.length);
  };
  const data = new Uint8Array(3000);
  const long = ipv4(ENDS, 6, [...tcp(ENDS, 1, 2, { flags: 16 }), ...data]);
  assert.is(lengthOf(long), device.mtu);
  assert.is(lengthOf(ipv4(ENDS, 17, udp(ENDS, 1, 2, [...data]))), device.mtu);
  assert.is(lengthOf(ipv4(ENDS, 17, data, { fragment: 0x2000 })), 0);
  assert.is(lengthOf(ipv4(ENDS, 1, data)), 0);
  assert.is(lengthOf(ipv4(ENDS, 17, new Uint8Array(device.mtu - 20))), 0);
});

test.run();
