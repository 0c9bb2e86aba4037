/** The reset of a closed port, with the options that it repeats: what Linux 6.18 has sent, octet for octet. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createIcmpError } from '../../../src/dataplane/answer/icmp-error.ts';
import { receiveOptions } from '../../../src/dataplane/answer/receive-options.ts';
import { writeSocketReset } from '../../../src/dataplane/answer/socket-reset.ts';
import { UNANSWERED } from '../../../src/dataplane/answer/unanswered.ts';
import { address, checksum, FLAG, ipv4, tcp } from '../packets.ts';

const test = suite('dataplane/answer/socket-reset');
const CELL = '10.255.2.0';
/** An ACK to a VTEP with a record route that has room for one address. */
const RECORDED = '4700003004480000400650770aff01050aff020007070400000000008f96ee4994d7781836df73835010faf066ae0000';
/** What the VTEP answered, as its underlay showed it; the header checksum is that of these octets. */
const ANSWER = '4700003000014000400600000aff02000aff01050707080aff020000ee498f9636df738300000000500400006e9b0000';
const ROOM = 120;

/** The reset for `packet` as a cell with `CELL` writes it; a negative number says why there is none. */
function resetFor(packet: Uint8Array): Uint8Array | number {
  const [view, into] = [new DataView(packet.buffer, packet.byteOffset, packet.length), new Uint8Array(ROOM).fill(0xa5)];
  const reset = { ...createIcmpError(), source: address(CELL) };
  receiveOptions(view, 0, reset);
  const length = writeSocketReset(view, 0, packet.length, reset, new DataView(into.buffer), 0);
  return length < 0 ? length : into.slice(0, length);
}

/** Identification 0 and 1 both stand for none in the recorded frames, and their header checksums were not kept. */
const unnumbered = (octets: Uint8Array): string => {
  const copy = Buffer.from(octets);
  copy.writeUInt16BE(1, 4);
  copy.writeUInt16BE(0, 10);
  return copy.toString('hex');
};

test('a record route comes back with the address of the cell in it', () => {
  const reset = resetFor(Uint8Array.from(Buffer.from(RECORDED, 'hex'))) as Uint8Array;
  assert.is(unnumbered(reset), ANSWER);
  assert.is(checksum(reset.slice(0, 28)), 0);
});

const ENDS = { source: '10.255.1.5', destination: CELL };
const segment = (options: number[], typeOfService = 0): Uint8Array =>
  ipv4(ENDS, 6, tcp(ENDS, 40_000, 80, { flags: FLAG.SYN, sequence: 7 }), { options, typeOfService });

test('without options it is 40 octets long, and keeps the type of service but for ECN', () => {
  const reset = resetFor(segment([], 0xb9)) as Uint8Array;
  assert.is(reset.length, 40);
  assert.is(reset[1], 0xb8);
  assert.is(checksum(reset.slice(0, 20)), 0);
});

test('options that answers do not repeat leave nothing behind', () => {
  assert.is((resetFor(segment([148, 4, 0, 0])) as Uint8Array).length, 40);
});

test('no reset is answered', () => {
  const reset = ipv4(ENDS, 6, tcp(ENDS, 40_000, 80, { flags: FLAG.RST }));
  assert.is(resetFor(reset), UNANSWERED.RESET);
});

test.run();
