/**
 * TCP segments of one connection each, with what nf_conntrack says of every one: its state for the rules, the connection's
 * state, and which timeout runs.
 *
 * `tcp-window.test.ts` holds our windows against them, `conformance/tcp-window.test.ts` the running kernel; neither is derived
 * from the other. Source of the expectations: net/netfilter/nf_conntrack_proto_tcp.c, kernel 6.x.
 */
import { type Ends, FLAG, ipv4, tcp } from './packets.ts';

const { FIN, SYN, RST, ACK } = FLAG;
const OUT: Ends = { source: '10.61.0.1', destination: '10.62.0.1' };
const BACK: Ends = { source: '10.62.0.1', destination: '10.61.0.1' };
const SERVER_PORT = 8080;

export interface WindowStep {
  readonly what: string;
  readonly packet: Uint8Array;
  readonly ctstate: string;
  /** State of the connection; `forgotten` when there is none. */
  readonly state: string;
  /** Whose timeout runs: a state, MAX_RETRANS or UNACKNOWLEDGED. */
  readonly wait: string;
}

export interface WindowSequence {
  readonly name: string;
  readonly steps: readonly WindowStep[];
}

/** What a segment has besides flags and numbers. */
interface Extra {
  readonly window?: number;
  readonly options?: readonly number[];
  readonly length?: number;
}

type Step = readonly [
  way: 'out' | 'back',
  flags: number,
  sequence: number,
  acknowledgement: number,
  says: string,
  extra?: Extra,
];

let port = 40_000;
let identification = 0;

/** `says` is "ctstate state" or "ctstate state wait"; the wait is the state's own where it is left out. */
function sequence(name: string, ...steps: readonly Step[]): WindowSequence {
  port += 1;
  const client = port;
  return {
    name,
    steps: steps.map(
      ([way, flags, number, acknowledgement, says, { window = 5000, options = [], length = 0 } = {}], index) => {
        const back = way === 'back';
        const ends = back ? BACK : OUT;
        const payload = Array<number>(length).fill(7);
        const segment = {
          flags,
          sequence: number >>> 0,
          acknowledgement: acknowledgement >>> 0,
          window,
          options,
          payload,
        };
        const octets = tcp(ends, back ? SERVER_PORT : client, back ? client : SERVER_PORT, segment);
        identification += 1;
        const [ctstate, state, wait = state] = says.split(' ') as [string, string, string?];
        return {
          what: `${name}, segment ${index + 1}`,
          packet: ipv4(ends, 6, octets, { identification }),
          ctstate,
          state,
          wait,
        };
      },
    ),
  };
}

const NOP = 1;
const long = (value: number): number[] => [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
const SACK_PERMITTED = [4, 2, NOP, NOP];
const scale = (shift: number): number[] => [3, 3, shift, NOP];
const sack = (left: number, right: number): number[] => [NOP, NOP, 5, 10, ...long(left), ...long(right)];

/** An opening: 1000 is the client's number, 9000 the server's, and both have windows of 5000 octets. */
const OPEN: readonly Step[] = [
  ['out', SYN, 1000, 0, 'NEW SYN_SENT'],
  ['back', SYN | ACK, 9000, 1001, 'ESTABLISHED SYN_RECV'],
  ['out', ACK, 1001, 9001, 'ESTABLISHED ESTABLISHED'],
];

const same = (count: number, step: Step): Step[] => Array<Step>(count).fill(step);

const LIMITS: WindowSequence[] = [
  sequence(
    'I: data may begin at the end of the window and one octet behind it is ignored, farther is invalid',
    ...OPEN,
    ['out', ACK, 6001, 9001, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED'],
    ['out', ACK, 6002, 9001, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED'],
    ['out', ACK, 11_001, 9001, 'INVALID ESTABLISHED UNACKNOWLEDGED'],
  ),
  sequence(
    'II: what ends one window before the last octet is taken, what ends earlier is ignored',
    ...OPEN,
    ['out', ACK, 1001, 9001, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED', { length: 3000 }],
    ['back', ACK, 9001, 4001, 'ESTABLISHED ESTABLISHED'],
    ['back', ACK, 9001, 4001, 'ESTABLISHED ESTABLISHED'],
    ['out', ACK, 4001 - 5000, 9001, 'ESTABLISHED ESTABLISHED'],
    ['out', ACK, 4000 - 5000, 9001, 'ESTABLISHED ESTABLISHED'],
  ),
  sequence(
    'III: what was never sent may not be acknowledged',
    ...OPEN,
    ['back', ACK, 9001, 1001, 'ESTABLISHED ESTABLISHED'],
    ['back', ACK, 9001, 1002, 'INVALID ESTABLISHED'],
  ),
  sequence(
    'IV: an acknowledgment from long ago is ignored, but data may come with one that is 66,000 octets old',
    ...OPEN,
    ['back', ACK, 9001, 1001 - 66_000, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED', { length: 10 }],
    ['back', ACK, 9011, 1000 - 66_000, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED', { length: 10 }],
    // The second one's octets were not counted.
    ['out', ACK, 1001, 9021, 'INVALID ESTABLISHED UNACKNOWLEDGED'],
    ['out', ACK, 1001, 9011, 'ESTABLISHED ESTABLISHED'],
  ),
  sequence(
    'the windows wrap round 2^32',
    ['out', SYN, 0xffffffff, 0, 'NEW SYN_SENT'],
    ['back', SYN | ACK, 0xfffffffe, 0, 'ESTABLISHED SYN_RECV'],
    ['out', ACK, 0, 0xffffffff, 'ESTABLISHED ESTABLISHED'],
    ['back', ACK, 0xffffffff, 0, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED', { length: 4 }],
    ['out', ACK, 0, 3, 'ESTABLISHED ESTABLISHED'],
    ['out', ACK, 0, 4, 'INVALID ESTABLISHED'],
  ),
];

const OPTIONS: WindowSequence[] = [
  sequence(
    'a window is scaled when both SYNs say so, and only behind them',
    ['out', SYN, 1000, 0, 'NEW SYN_SENT', { options: scale(7) }],
    ['back', SYN | ACK, 9000, 1001, 'ESTABLISHED SYN_RECV', { options: scale(2), window: 100 }],
    ['out', ACK, 1001, 9001, 'ESTABLISHED ESTABLISHED', { window: 100 }],
    ['back', ACK, 9001 + 12_800, 1001, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED', { window: 100 }],
    ['back', ACK, 9001 + 25_602, 1001, 'INVALID ESTABLISHED UNACKNOWLEDGED', { window: 100 }],
  ),
  sequence(
    'a window is not scaled when one SYN does not say so',
    ['out', SYN, 1000, 0, 'NEW SYN_SENT', { options: scale(7), window: 100 }],
    ['back', SYN | ACK, 9000, 1001, 'ESTABLISHED SYN_RECV'],
    ['out', ACK, 1001, 9001, 'ESTABLISHED ESTABLISHED', { window: 100 }],
    ['back', ACK, 9001 + 202, 1001, 'INVALID ESTABLISHED'],
  ),
  sequence(
    'a SACK stands for the acknowledgment where both agreed on it',
    ['out', SYN, 1000, 0, 'NEW SYN_SENT', { options: SACK_PERMITTED }],
    ['back', SYN | ACK, 9000, 1001, 'ESTABLISHED SYN_RECV', { options: SACK_PERMITTED }],
    ['out', ACK, 1001, 9001, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED', { length: 100 }],
    ['back', ACK, 9001, 1001, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED', { options: sack(1051, 1101) }],
    ['back', ACK, 9001, 1001, 'INVALID ESTABLISHED UNACKNOWLEDGED', { options: sack(1051, 1102) }],
  ),
  sequence('a SACK is not looked at where nobody agreed on it', ...OPEN, [
    'back',
    ACK,
    9001,
    1001,
    'ESTABLISHED ESTABLISHED',
    { options: sack(1051, 1102) },
  ]),
];

const CLOSED: WindowSequence[] = [
  sequence(
    'into a closed window one octet may be sent',
    ['out', SYN, 1000, 0, 'NEW SYN_SENT'],
    ['back', SYN | ACK, 9000, 1001, 'ESTABLISHED SYN_RECV', { window: 0 }],
    ['out', ACK, 1004, 9001, 'INVALID SYN_RECV'],
    ['out', ACK, 1002, 9001, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED'],
  ),
  sequence(
    'a SYN that closes the window has been seen all the same',
    ['out', SYN, 1000, 0, 'NEW SYN_SENT', { window: 0 }],
    ['back', SYN | ACK, 9000, 1001, 'ESTABLISHED SYN_RECV'],
    ['out', ACK, 900_000, 9001, 'INVALID SYN_RECV'],
  ),
  sequence(
    'so has one that was ignored first',
    ...OPEN,
    ['out', SYN, 70_000, 0, 'ESTABLISHED ESTABLISHED', { window: 0 }],
    ['back', SYN | ACK, 500_000, 70_001, 'ESTABLISHED SYN_RECV'],
    ['out', ACK, 900_000, 500_001, 'INVALID SYN_RECV'],
  ),
];

const TIMEOUTS: WindowSequence[] = [
  sequence(
    'an ACK that comes four times shortens the wait, another one gives it back',
    ...OPEN,
    ...same(3, ['back', ACK, 9001, 1001, 'ESTABLISHED ESTABLISHED']),
    ['back', ACK, 9001, 1001, 'ESTABLISHED ESTABLISHED MAX_RETRANS'],
    ['back', ACK, 9001, 1001, 'ESTABLISHED ESTABLISHED', { window: 4999 }],
  ),
  sequence(
    'a closed window shortens the wait',
    ...OPEN,
    ['back', ACK, 9001, 1001, 'ESTABLISHED ESTABLISHED MAX_RETRANS', { window: 0 }],
    ['out', ACK, 1001, 9001, 'ESTABLISHED ESTABLISHED'],
  ),
  sequence(
    'data that is not acknowledged shortens the wait',
    ...OPEN,
    ['out', ACK, 1001, 9001, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED', { length: 10 }],
    ['back', ACK, 9001, 1010, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED'],
    ['back', ACK, 9001, 1011, 'ESTABLISHED ESTABLISHED'],
  ),
  sequence(
    'two FINs far out of the window, one of each end, shorten the wait',
    ...OPEN,
    ['out', FIN | ACK, 900_000, 9001, 'INVALID ESTABLISHED'],
    ['out', FIN | ACK, 900_000, 9001, 'INVALID ESTABLISHED'],
    ['back', FIN | ACK, 900_000, 1001, 'INVALID ESTABLISHED UNACKNOWLEDGED'],
  ),
];

const RESETS: WindowSequence[] = [
  sequence('a reset at the number that the receiver waits for ends the connection', ...OPEN, [
    'out',
    RST,
    1001,
    0,
    'ESTABLISHED CLOSE',
  ]),
  sequence(
    'a reset in the window, but at another number, ends nothing; the wait is that of CLOSE all the same',
    ...OPEN,
    ['back', ACK, 9001, 1001, 'ESTABLISHED ESTABLISHED'],
    ['out', RST, 1005, 0, 'ESTABLISHED ESTABLISHED CLOSE'],
    // Its number counts as sent.
    ['back', ACK, 9001, 1001, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED'],
    ['back', ACK, 9001, 1005, 'ESTABLISHED ESTABLISHED'],
  ),
  sequence(
    'a reset before the number that the receiver waits for, or beyond the window, belongs to nothing',
    ...OPEN,
    ['out', RST, 1000, 0, 'INVALID ESTABLISHED'],
    ['out', RST, 70_000, 0, 'INVALID ESTABLISHED'],
  ),
  sequence(
    'a reset right behind data that is not acknowledged yet ends the connection',
    ...OPEN,
    ['out', ACK, 1001, 9001, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED', { length: 19 }],
    ['out', RST, 1020, 0, 'ESTABLISHED CLOSE'],
  ),
  sequence(
    'a SYN is refused with number 0, and the connection is forgotten',
    ['out', SYN, 1000, 0, 'NEW SYN_SENT'],
    ['back', RST | ACK, 0, 1003, 'INVALID SYN_SENT'],
    ['back', RST | ACK, 0, 1001, 'ESTABLISHED forgotten'],
  ),
  sequence(
    'a connection that is ending takes any reset',
    ...OPEN,
    ['out', FIN | ACK, 1001, 9001, 'ESTABLISHED FIN_WAIT'],
    ['back', RST, 123_456_789, 0, 'ESTABLISHED CLOSE'],
  ),
  sequence(
    'a reset that answers a SYN of the other side, let through unseen, ends the connection',
    ...OPEN,
    ['out', SYN, 70_000, 0, 'ESTABLISHED ESTABLISHED'],
    ['back', RST | ACK, 500_000, 70_001, 'ESTABLISHED CLOSE'],
  ),
  sequence(
    'but not the reset of the side that sent the SYN',
    ...OPEN,
    ['out', SYN, 70_000, 0, 'ESTABLISHED ESTABLISHED'],
    ['out', RST | ACK, 500_000, 70_001, 'INVALID ESTABLISHED'],
  ),
  sequence(
    'a reset that answers a challenge ACK to a SYN ends the connection',
    ['out', SYN, 1000, 0, 'NEW SYN_SENT'],
    ['back', ACK, 9000, 900_000, 'ESTABLISHED SYN_SENT'],
    ['out', RST, 900_000, 0, 'ESTABLISHED CLOSE'],
  ),
];

const OUT_OF_STEP: WindowSequence[] = [
  sequence(
    'a SYN that was ignored and its SYN/ACK begin a new connection in the place of the old one',
    ...OPEN,
    ['out', SYN, 70_000, 0, 'ESTABLISHED ESTABLISHED', { options: scale(3) }],
    ['back', SYN | ACK, 500_000, 70_002, 'ESTABLISHED ESTABLISHED'],
    ['out', SYN, 70_000, 0, 'ESTABLISHED ESTABLISHED', { options: scale(3) }],
    ['back', SYN | ACK, 500_000, 70_001, 'ESTABLISHED SYN_RECV', { options: scale(3) }],
    ['out', ACK, 70_001, 500_001, 'ESTABLISHED ESTABLISHED', { window: 1000 }],
    ['back', ACK, 508_001, 70_001, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED'],
    // The old numbers are far behind the new windows now: let through, and not looked at.
    ['out', ACK, 1001, 9001, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED'],
    ['back', ACK, 9001 + 2 ** 31, 1001, 'INVALID ESTABLISHED UNACKNOWLEDGED'],
  ),
  sequence(
    'a challenge ACK in LAST_ACK does not acknowledge the FIN, the next ACK does',
    ...OPEN,
    ['out', FIN | ACK, 1001, 9001, 'ESTABLISHED FIN_WAIT'],
    ['back', FIN | ACK, 9001, 1002, 'ESTABLISHED LAST_ACK'],
    ['out', SYN, 70_000, 0, 'ESTABLISHED LAST_ACK'],
    ['back', ACK, 9002, 1002, 'ESTABLISHED LAST_ACK'],
    ['back', ACK, 9002, 1002, 'ESTABLISHED TIME_WAIT'],
  ),
  sequence(
    'a SYN with a later number begins the opening anew',
    ['out', SYN, 1000, 0, 'NEW SYN_SENT'],
    ['out', SYN, 70_000, 0, 'NEW SYN_SENT'],
    ['back', SYN | ACK, 9000, 1001, 'ESTABLISHED SYN_SENT'],
    ['back', SYN | ACK, 9000, 70_001, 'ESTABLISHED SYN_RECV'],
  ),
  sequence(
    'SYNs of both ends at once: an ACK of the called end makes the connection ESTABLISHED',
    ['out', SYN, 1000, 0, 'NEW SYN_SENT'],
    ['back', SYN, 9000, 0, 'ESTABLISHED SYN_SENT2 SYN_SENT'],
    ['out', SYN | ACK, 1000, 9001, 'ESTABLISHED SYN_RECV'],
    ['back', ACK, 9001, 1001, 'ESTABLISHED ESTABLISHED'],
  ),
  sequence(
    'TIME_WAIT: a SYN opens the next connection, of either end',
    ...OPEN,
    ['out', FIN | ACK, 1001, 9001, 'ESTABLISHED FIN_WAIT'],
    ['back', FIN | ACK, 9001, 1002, 'ESTABLISHED LAST_ACK'],
    ['out', ACK, 1002, 9002, 'ESTABLISHED TIME_WAIT'],
    ['back', SYN, 5, 0, 'NEW SYN_SENT'],
    ['out', SYN | ACK, 6, 6, 'ESTABLISHED SYN_RECV'],
  ),
];

const PICKED_UP: WindowSequence[] = [
  sequence(
    'what is picked up in the middle has no limits in the direction that was seen first, and none in the other',
    ['out', ACK, 1000, 0x60000000, 'NEW ESTABLISHED MAX_RETRANS'],
    ['out', ACK, 90_000_000, 0x70000000, 'NEW ESTABLISHED MAX_RETRANS'],
    ['back', ACK, 0x60000000, 1000, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED'],
    ['back', ACK, 0x10000000, 5, 'ESTABLISHED ESTABLISHED'],
    ['out', RST, 1, 0, 'INVALID ESTABLISHED'],
  ),
  sequence(
    'a keepalive and its answer',
    ['out', ACK, 999, 9000, 'NEW ESTABLISHED MAX_RETRANS'],
    ['back', ACK, 9000, 1000, 'ESTABLISHED ESTABLISHED UNACKNOWLEDGED'],
    ['out', ACK, 1000, 9000, 'ESTABLISHED ESTABLISHED'],
  ),
];

export const WINDOW_SEQUENCES: readonly WindowSequence[] = [
  ...LIMITS,
  ...OPTIONS,
  ...CLOSED,
  ...TIMEOUTS,
  ...RESETS,
  ...OUT_OF_STEP,
  ...PICKED_UP,
];
