/** SCTP associations packet by packet: the ways through an association that the kernel agrees on (`conformance/sctp.test.ts`). */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SCTP_TIMEOUTS } from '../../src/dataplane/sctp-state.ts';
import { crc32c } from '../../src/wire/crc32c.ts';
import { createSctpMap, SCTP_SECONDS } from './sctp-map.ts';
import { chunk, init, type SctpPacket, sctp } from './sctp-packets.ts';

const test = suite('dataplane/sctp-follow');
const PORT = 1000;
const CLIENT = 0x11111111;
const SERVER = 0x22222222;

type Step = readonly [packet: Omit<SctpPacket, 'port'>, says: string];

/** "ctstate state", and the seconds that are left where they are not the state's own. */
function follow(...steps: readonly Step[]): void {
  const map = createSctpMap();
  for (const [index, [packet, says]] of steps.entries()) {
    const { ctstate, known } = map.see(sctp({ ...packet, port: PORT }), 0);
    assert.is(`${ctstate} ${known?.state ?? 'forgotten'}`, says, `packet ${index + 1}`);
  }
}

const OPEN: readonly Step[] = [
  [{ way: 'out', tag: 0, chunks: [init(1, CLIENT)] }, 'NEW CLOSED'],
  [{ way: 'back', tag: CLIENT, chunks: [init(2, SERVER)] }, 'ESTABLISHED COOKIE_WAIT'],
  [{ way: 'out', tag: SERVER, chunks: [chunk(10, [1])] }, 'ESTABLISHED COOKIE_ECHOED'],
  [{ way: 'back', tag: CLIENT, chunks: [chunk(11)] }, 'ESTABLISHED ESTABLISHED'],
];

test('an association opens, talks and closes', () => {
  follow(
    ...OPEN,
    [{ way: 'out', tag: SERVER, chunks: [chunk(0, [1, 2, 3]), chunk(0, [4])] }, 'ESTABLISHED ESTABLISHED'],
    [{ way: 'back', tag: CLIENT, chunks: [chunk(3)] }, 'ESTABLISHED ESTABLISHED'],
    [{ way: 'back', tag: CLIENT, chunks: [chunk(7)] }, 'ESTABLISHED SHUTDOWN_RECD'],
    [{ way: 'out', tag: SERVER, chunks: [chunk(8)] }, 'ESTABLISHED SHUTDOWN_ACK_SENT'],
    [{ way: 'back', tag: CLIENT, chunks: [chunk(14)] }, 'ESTABLISHED CLOSED'],
  );
});

test('a packet must bear the tag that its receiver gave', () => {
  follow(
    ...OPEN,
    [{ way: 'out', tag: CLIENT, chunks: [chunk(0, [1])] }, 'INVALID ESTABLISHED'],
    [{ way: 'out', tag: CLIENT, chunks: [chunk(6)] }, 'INVALID ESTABLISHED'],
    [{ way: 'out', tag: CLIENT, chunks: [chunk(6, [], 1)] }, 'ESTABLISHED CLOSED'],
  );
});

test('data, an abort, a cookie or a closing of nothing opens nothing; so does a packet that is not whole', () => {
  for (const type of [0, 3, 6, 11, 14, 63]) {
    follow([{ way: 'out', tag: 1, chunks: [chunk(type)] }, 'INVALID forgotten']);
  }
  follow(
    [{ way: 'out', tag: 0, chunks: [] }, 'INVALID forgotten'],
    [{ way: 'out', tag: 7, chunks: [init(1, CLIENT)] }, 'INVALID forgotten'],
    [{ way: 'out', tag: 0, chunks: [init(1, CLIENT)], badChecksum: true }, 'INVALID forgotten'],
    [{ way: 'out', tag: 0, chunks: [init(1, CLIENT).slice(0, 16)] }, 'INVALID forgotten'],
    [{ way: 'out', tag: 0, chunks: [init(1, CLIENT), chunk(0)] }, 'INVALID forgotten'],
    [{ way: 'out', tag: 0, chunks: [chunk(4, [], 0, 0)] }, 'INVALID forgotten'],
  );
});

test('a HEARTBEAT opens a further path of an association, and its ACK establishes it', () => {
  follow(
    [{ way: 'out', tag: SERVER, chunks: [chunk(4)] }, 'NEW HEARTBEAT_SENT'],
    [{ way: 'back', tag: CLIENT, chunks: [chunk(5)] }, 'ESTABLISHED ESTABLISHED'],
    [{ way: 'out', tag: SERVER, chunks: [chunk(0)] }, 'ESTABLISHED ESTABLISHED'],
    [{ way: 'back', tag: SERVER, chunks: [chunk(0)] }, 'INVALID ESTABLISHED'],
  );
});

test('both ends may send an INIT; a late INIT ACK does not change the tag', () => {
  follow(
    [{ way: 'out', tag: 0, chunks: [init(1, CLIENT)] }, 'NEW CLOSED'],
    [{ way: 'back', tag: 0, chunks: [init(1, SERVER)] }, 'ESTABLISHED CLOSED'],
    [{ way: 'out', tag: SERVER, chunks: [init(2, 0x33333333)] }, 'INVALID CLOSED'],
    [{ way: 'back', tag: CLIENT, chunks: [init(2, SERVER)] }, 'ESTABLISHED COOKIE_WAIT'],
    [{ way: 'back', tag: CLIENT, chunks: [chunk(10)] }, 'ESTABLISHED COOKIE_ECHOED'],
    [{ way: 'out', tag: SERVER, chunks: [chunk(11)] }, 'ESTABLISHED ESTABLISHED'],
  );
});

test('an INIT that comes again does not prolong the wait', () => {
  const map = createSctpMap();
  const packet = sctp({ way: 'out', port: PORT, tag: 0, chunks: [init(1, CLIENT)] });
  assert.is(map.see(packet, 0).known?.remaining, SCTP_SECONDS[1]);
  assert.is(map.see(packet, 5).known?.remaining, SCTP_SECONDS[1] - 5);
});

test('timeouts are the defaults of the kernel', () => {
  const seconds = Array.from(SCTP_TIMEOUTS, (nanoseconds) => nanoseconds / 1e9);
  assert.equal(seconds.slice(1), [10, 3, 3, 210, 3, 3, 3, 30]);
});

test('CRC32c: the vectors of RFC 3720 appendix B.4', () => {
  const of = (octets: ArrayLike<number>): number => {
    const view = new DataView(Uint8Array.from(octets).buffer);
    return crc32c(view, 0, view.byteLength, view.byteLength) >>> 0;
  };
  assert.is(of(new Uint8Array(32)), 0x8a9136aa);
  assert.is(of(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assert.is(of(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e);
  assert.is(of(Array.from({ length: 32 }, (_, index) => 31 - index)), 0x113fdb5c);
});

test.run();
