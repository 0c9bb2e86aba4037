/** The small things that are timed come to what octets say, read here by offsets of the RFCs and of tcpdump's list of link types. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CASES, ROWS, randomHeaders, recordsOf, STRIDE } from '../../bench/micro-cases.ts';
import { hashOf } from '../../src/dataplane/connection-table.ts';

const test = suite('bench: micro cases');

/** Where the added-up field is: octet, octets, and bits that count. */
const FIELDS: Readonly<Record<string, readonly [at: number, octets: number, mask: number]>> = {
  ethernet: [12, 2, 0xffff],
  vlan: [0, 2, 0x0fff],
  sll: [14, 2, 0xffff],
  sll2: [4, 4, 0xffffffff],
  arp: [6, 2, 0xffff],
  ipv4: [16, 4, 0xffffffff],
  ipv6: [7, 1, 0xff],
  extension: [1, 1, 0xff],
  fragment6: [4, 4, 0xffffffff],
  udp: [6, 2, 0xffff],
  tcp: [18, 2, 0xffff],
  icmp: [6, 2, 0xffff],
  icmp6: [2, 2, 0xffff],
  vxlan: [4, 3, 0xffffff],
};

test('decoding', async () => {
  const octets = Buffer.from(randomHeaders().buffer);
  for (const [name, [at, length, mask]] of Object.entries(FIELDS)) {
    let sum = 0;
    for (let row = 0; row < ROWS; row++) sum += (octets.readUIntBE(row * STRIDE + at, length) & mask) >>> 0;
    assert.is((await CASES[`decode ${name}`]!())(), sum, name);
  }
  let families = 0;
  for (let row = 0; row < ROWS; row++) {
    // Random octets: the half that would tell the order is never zero, which means the other order than the network's.
    assert.ok(octets.readUInt16BE(row * STRIDE) !== 0);
    families += octets.readUInt32LE(row * STRIDE);
  }
  assert.is((await CASES['decode loopback']!())(), families);
  const decoded = Object.keys(CASES).filter((name) => name.startsWith('decode '));
  assert.equal(decoded.map((name) => name.slice(7)).sort(), [...Object.keys(FIELDS), 'loopback'].sort());
});

test('packets of a burst', async () => {
  const { octets, at } = await recordsOf();
  const packet = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
  let allowed = 0;
  let words = 0;
  for (let row = 0; row < ROWS; row++) {
    // Policies are for ports from 1024 on, and frames that none allows go to lower ones (bench/trace.ts).
    if (packet.readUInt16BE(at[row]! + 86) >= 1024) allowed += 1;
    words += packet.readUInt32BE(at[row]! + 64);
  }
  assert.ok(allowed > 0 && allowed < ROWS);
  assert.is((await CASES['a word read']!())(), words);
  assert.is((await CASES['checksum of an IPv4 header']!())(), ROWS);
  assert.is((await CASES['connection looked up']!())(), ROWS);
  assert.is((await CASES['NAT tuple looked up']!())(), ROWS);
  assert.is((await CASES['rules looked up by tuples']!())(), allowed);
});

test('the hash of a key is that of both directions', async () => {
  const { octets, at } = await recordsOf();
  const hash = await CASES['hash of a connection key']!();
  const sum = hash();
  const packet = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
  assert.is(hash(), sum);
  let other = 0;
  for (let row = 0; row < ROWS; row++) {
    const [source, destination] = [packet.readUInt32BE(at[row]! + 76), packet.readUInt32BE(at[row]! + 80)];
    const ports = (packet.readUInt16BE(at[row]! + 86) << 16) | packet.readUInt16BE(at[row]! + 84);
    other += hashOf(destination, source, ports);
  }
  assert.is(other, sum);
});

test.run();
