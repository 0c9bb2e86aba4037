/**
 * Connection tracking of GRE, UDP-Lite and what has no tracking of its own, against the running kernel: the state of each packet, and
 * after each packet how long every connection is kept.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Conntrack, ENTRY_DOUBLES, EXPIRES } from '../../src/dataplane/connection-table.ts';
import { PROTOCOL } from '../../src/wire/protocol.ts';
import { type Ends, icmp, ipv4 } from '../dataplane/packets.ts';
import { createTracking } from '../dataplane/tracking.ts';
import { skip } from '../support/shared.ts';
import { lite } from './emulate-frames.ts';
import { natObstacle, withKernelCell } from './nat-kernel.ts';

const test = suite('conformance/lesser-protocols');

/** The state goes into the DSCP field, as its place here and one. */
const STATES = ['NEW', 'ESTABLISHED', 'RELATED', 'INVALID'];
const RULES = [
  '*mangle',
  ':PREROUTING ACCEPT',
  ...STATES.map((state, i) => `-A PREROUTING -m conntrack --ctstate ${state} -j DSCP --set-dscp ${i + 1}`),
  'COMMIT\n',
].join('\n');

/** The kernel takes the checksum of UDP-Lite with another protocol number than senders do; that is not at issue here. */
const UNSUMMED = 'net.netfilter.nf_conntrack_checksum=0';

const CONTAINER = '10.255.1.4';
const HOST = '10.0.0.7';
const THERE: Ends = { source: CONTAINER, destination: HOST };
const BACK: Ends = { source: HOST, destination: CONTAINER };
const DCCP = 33;

/** What it is, the packet, and the state that a reader would expect. */
type Step = readonly [what: string, packet: Uint8Array, state: string];

const gre = (ends: Ends, octets: readonly number[]): Uint8Array => ipv4(ends, PROTOCOL.GRE, octets);
const PLAIN = [0, 0, 8, 0, 1, 2];
const call = (id: number): number[] => [0x20, 1, 0x88, 0x0b, 0, 0, 0, id];
const liteFrom = ({ source, destination }: Ends, covered: number): Uint8Array => lite(source, destination, covered);
const portsSwapped = (packet: Uint8Array): Uint8Array =>
  Uint8Array.from(packet, (octet, at) => (at >= 20 && at < 24 ? packet[20 + ((at - 18) % 4)]! : octet));
/** An error of `packet`'s receiver about it. */
const error = ({ source, destination }: Ends, packet: Uint8Array): Uint8Array =>
  ipv4({ source: destination, destination: source }, PROTOCOL.ICMP, icmp(3, 1, 0, packet));
const dccp = (ends: Ends, port: number): Uint8Array =>
  ipv4(ends, DCCP, [0, port, 0, 80, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

const STEPS: readonly Step[] = [
  ['GRE', gre(THERE, PLAIN), 'NEW'],
  ['once more', gre(THERE, PLAIN), 'NEW'],
  ['an error about it', error(THERE, gre(THERE, PLAIN)), 'RELATED'],
  ['answered', gre(BACK, PLAIN), 'ESTABLISHED'],
  ['a header cut short', gre(THERE, [0, 0, 8]), 'ESTABLISHED'],
  ['version 1 without a call', gre(THERE, call(1).slice(0, 6)), 'ESTABLISHED'],
  ['version 1 that bears no PPP', gre(THERE, [0x20, 1, 8, 0, 0, 0, 0, 1]), 'INVALID'],
  ['an error about that', error(THERE, gre(THERE, [0x20, 1, 8, 0, 0, 0, 0, 1])), 'INVALID'],
  ['version 5', gre(BACK, [0x20, 5, 0x88, 0x0b, 0, 0, 0, 9]), 'ESTABLISHED'],
  ['a call', gre(THERE, call(77)), 'NEW'],
  ['the other way is another', gre(BACK, call(77)), 'NEW'],
  ['another call', gre(THERE, call(78)), 'NEW'],
  ['the first again', gre(THERE, call(77)), 'NEW'],
  ['an error about a call', error(THERE, gre(THERE, call(78))), 'RELATED'],
  ['an error about no call', error(THERE, gre(THERE, call(79))), 'INVALID'],
  ['UDP-Lite', liteFrom(THERE, 8), 'NEW'],
  ['an error about it', error(THERE, liteFrom(THERE, 8)), 'RELATED'],
  ['no answer: the same ports', liteFrom(BACK, 8), 'NEW'],
  ['an answer', portsSwapped(liteFrom(BACK, 0)), 'ESTABLISHED'],
  ['and again', liteFrom(THERE, 20), 'ESTABLISHED'],
  ['less covered than the header', liteFrom(THERE, 7), 'INVALID'],
  ['DCCP, which is tracked by addresses', dccp(THERE, 1), 'NEW'],
  ['answered from another port', dccp(BACK, 2), 'ESTABLISHED'],
  ['an error about it', error(THERE, dccp(THERE, 3)), 'RELATED'],
];

/** Seconds for which each connection is kept at `now`, in order. */
const secondsLeft = ({ times, used }: Conntrack, now: number): number[] =>
  Array.from({ length: used }, (_, slot) => (times[slot * ENTRY_DOUBLES + EXPIRES]! - now) / 1e9).sort((a, b) => a - b);

const NANOSECONDS = 1e6;
/** The kernel counts whole seconds, and is asked a little later. */
const TOLERANCE = 2;

const obstacle = natObstacle('nft');
const NAME = 'GRE, UDP-Lite and DCCP are tracked as the kernel tracks them';
if (obstacle === undefined)
  test(NAME, () =>
    withKernelCell('nft', RULES, [UNSUMMED], async (cell) => {
      const tracking = createTracking(1 << 16, true);
      for (const [what, packet, state] of STEPS) {
        const device = packet[15] === 7 ? 'eth0' : 's-010255001004';
        const [seen] = await cell.send(device, packet, false, true);
        const now = performance.now() * NANOSECONDS;
        const kernel = STATES[(seen!.octets[1]! >>> 2) - 1];
        assert.is(kernel, state, `${what}, the kernel`);
        assert.is(tracking.see(packet, now), state, what);
        const theirs = [...cell.connections().matchAll(/^\S+ +\d+ (\d+) /gm)].map(([, left]) => Number(left));
        theirs.sort((a, b) => a - b);
        const ours = secondsLeft(tracking.table, now);
        assert.is(ours.length, theirs.length, `${what}: connections`);
        for (const [i, left] of theirs.entries())
          assert.ok(Math.abs(ours[i]! - left) < TOLERANCE, `${what}: ${ours.join()} seconds, not ${theirs.join()}`);
      }
    }),
  );
else skip(test, NAME, obstacle.message);

test.run();
