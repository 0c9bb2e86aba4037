/**
 * The table of TCP states in the kernel's own notation (tcp_conntracks, tcp_timeouts and tcp_valid_flags of
 * net/netfilter/nf_conntrack_proto_tcp.c), written down apart from ours. `conformance/conntrack.test.ts` asks the kernel.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  flagsAreValid,
  SEGMENT,
  segmentOf,
  TCP_STATE,
  TCP_TIMEOUTS,
  transition,
} from '../../src/dataplane/tcp-state.ts';
import { FLAG } from './packets.ts';

const test = suite('dataplane/tcp-state');

const NAMES: Readonly<Record<string, number>> = {
  sNO: TCP_STATE.NONE,
  sSS: TCP_STATE.SYN_SENT,
  sSR: TCP_STATE.SYN_RECV,
  sES: TCP_STATE.ESTABLISHED,
  sFW: TCP_STATE.FIN_WAIT,
  sCW: TCP_STATE.CLOSE_WAIT,
  sLA: TCP_STATE.LAST_ACK,
  sTW: TCP_STATE.TIME_WAIT,
  sCL: TCP_STATE.CLOSE,
  sS2: TCP_STATE.SYN_SENT2,
  sIG: TCP_STATE.IGNORE,
  sIV: TCP_STATE.INVALID,
};
const COLUMNS = ['sNO', 'sSS', 'sSR', 'sES', 'sFW', 'sCW', 'sLA', 'sTW', 'sCL', 'sS2'];

const ORIGINAL: Readonly<Record<keyof typeof SEGMENT, string>> = {
  SYN: 'sSS sSS sIG sIG sIG sIG sIG sSS sSS sS2',
  SYN_ACK: 'sIV sIV sSR sIV sIV sIV sIV sIV sIV sSR',
  FIN: 'sIV sIV sFW sFW sLA sLA sLA sTW sCL sIV',
  ACK: 'sES sIV sES sES sCW sCW sTW sTW sCL sIV',
  RST: 'sIV sCL sCL sCL sCL sCL sCL sCL sCL sCL',
  NONE: 'sIV sIV sIV sIV sIV sIV sIV sIV sIV sIV',
};
const REPLY: typeof ORIGINAL = {
  SYN: 'sIV sS2 sIV sIV sIV sIV sIV sSS sIV sS2',
  SYN_ACK: 'sIV sSR sIG sIG sIG sIG sIG sIG sIG sSR',
  FIN: 'sIV sIV sFW sFW sLA sLA sLA sTW sCL sIV',
  ACK: 'sIV sIG sSR sES sCW sCW sTW sTW sCL sIG',
  RST: 'sIV sCL sCL sCL sCL sCL sCL sCL sCL sCL',
  NONE: 'sIV sIV sIV sIV sIV sIV sIV sIV sIV sIV',
};

for (const [reply, table] of [ORIGINAL, REPLY].entries()) {
  test(`transitions of the ${reply === 0 ? 'original' : 'reply'} direction`, () => {
    for (const segment of Object.keys(SEGMENT) as (keyof typeof SEGMENT)[]) {
      for (const [state, name] of table[segment].split(' ').entries()) {
        assert.is(transition(reply, SEGMENT[segment], state), NAMES[name], `${segment} in ${COLUMNS[state]}`);
      }
    }
  });
}

test('timeouts are those of net.netfilter.nf_conntrack_tcp_timeout_*', () => {
  const seconds = { sSS: 120, sSR: 60, sES: 432_000, sFW: 120, sCW: 60, sLA: 30, sTW: 120, sCL: 10, sS2: 120 };
  for (const [name, value] of Object.entries(seconds)) assert.is(TCP_TIMEOUTS[NAMES[name]!]! / 1e9, value, name);
});

test('of 256 combinations of flags, those of the list are segments; PSH, ECE and CWR do not matter', () => {
  const { FIN, SYN, RST, ACK, URG } = FLAG;
  const list = [SYN, SYN | URG, SYN | ACK, RST, RST | ACK, FIN | ACK, FIN | ACK | URG, ACK, ACK | URG];
  for (let flags = 0; flags < 256; flags++) {
    assert.is(flagsAreValid(flags), list.includes(flags & ~0xc8), `flags 0x${flags.toString(16)}`);
  }
});

test('the kind of a segment: RST outranks SYN, SYN outranks FIN', () => {
  const { FIN, SYN, RST, PSH, ACK } = FLAG;
  assert.is(segmentOf(RST | SYN | FIN | ACK), SEGMENT.RST);
  assert.is(segmentOf(SYN | FIN), SEGMENT.SYN);
  assert.is(segmentOf(SYN | FIN | ACK), SEGMENT.SYN_ACK);
  assert.is(segmentOf(FIN | ACK), SEGMENT.FIN);
  assert.is(segmentOf(PSH | ACK), SEGMENT.ACK);
  assert.is(segmentOf(PSH), SEGMENT.NONE);
});

test.run();
