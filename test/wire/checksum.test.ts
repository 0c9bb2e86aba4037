/** The Internet checksum against the numbers of RFC 1071 and RFC 1624 and against packets of a Linux kernel. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as checksum from '../../src/wire/checksum.ts';
import * as frames from '../support/frames.ts';
import { hex, viewOf } from '../support/hex.ts';
import { check } from '../support/property.ts';
import { watched } from '../support/watch.ts';

const test = suite('wire/checksum');

/** RFC 1071 section 4.1, word for word: the slow way. */
function slow(octets: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < octets.length; at += 2) sum += octets[at]! * 256 + (octets[at + 1] ?? 0);
  while (sum > 0xffff) sum = Math.floor(sum / 0x10000) + (sum % 0x10000);
  return sum;
}

test('the example of RFC 1071 section 3', () => {
  const view = hex('0001 f203 f4f5 f6f7');
  assert.is(checksum.fold(checksum.sum(view, 0, 8)), 0xddf2);
  assert.is(checksum.complement(checksum.sum(view, 0, 8)), 0x220d);
  // The same octets, swapped: "0100 03f2 f5f4 f7f6" add up to f2dd.
  assert.is(checksum.swap(0xddf2), 0xf2dd);
});

test('the examples of RFC 1624 section 4', () => {
  // Header checksum DD2F, field 5555 becomes 3285: 0000.
  assert.is(checksum.update16(0xdd2f, 0x5555, 0x3285), 0x0000);
});

test('IPv4 headers of real packets', () => {
  const view = hex(frames.DOCUMENTATION);
  for (const at of [14, 64]) assert.ok(checksum.isGood(checksum.sum(view, at, at + 20)), `header at ${at}`);
  view.setUint8(22, 63);
  assert.not.ok(checksum.isGood(checksum.sum(view, 14, 34)));
});

test('a router that decrements the TTL changes 0f80 to 1080 and 1180 (worked example, hops 1, 2 and 5)', () => {
  assert.is(checksum.update16(0x0f80, 0x4006, 0x3f06), 0x1080);
  assert.is(checksum.update16(0x1080, 0x3f06, 0x3e06), 0x1180);
});

test('pseudo-headers: TCP over IPv4, ICMPv6 over IPv6', () => {
  const tcp = hex(frames.DOCUMENTATION);
  const pseudo = checksum.pseudo4(tcp.getUint32(76), tcp.getUint32(80), 6, 114);
  assert.ok(checksum.isGood(pseudo + checksum.sum(tcp, 84, 198)));
  const icmp6 = hex(frames.SOLICITATION);
  assert.ok(checksum.isGood(checksum.pseudo6(icmp6, 22, 58, 32) + checksum.sum(icmp6, 54, 86)));
  // What Linux left in the UDP header for the card to complete.
  assert.is(checksum.fold(checksum.pseudo4(0x0a000065, 0x0a000066, 17, 90)), 0x1536);
});

const bytesOf = fc.uint8Array({ maxLength: 300 });

test('any range, of odd length too, adds up as RFC 1071 adds', () => {
  const property = fc.property(bytesOf, (bytes) => {
    const view = watched(bytes, 3);
    assert.is(checksum.fold(checksum.sum(view, 3, 3 + bytes.length)), slow(bytes));
  });
  check(property, 500);
});

test('long ranges do not overflow', () => {
  for (const length of [32_768, 32_769, 65_535, 65_536, 262_144, 1_000_001]) {
    const bytes = new Uint8Array(length).fill(0xff);
    bytes[length >> 1] = 0x12;
    assert.is(checksum.fold(checksum.sum(viewOf(bytes), 0, length)), slow(bytes), `${length} octets`);
  }
});

test('partial sums add up, at odd distances after a swap', () => {
  const property = fc.property(bytesOf, fc.nat(300), (bytes, where) => {
    const cut = Math.min(where, bytes.length);
    const view = viewOf(Uint8Array.from(bytes));
    const rest = checksum.sum(view, cut, bytes.length);
    const total = checksum.sum(view, 0, cut) + (cut % 2 === 0 ? rest : checksum.swap(rest));
    assert.is(checksum.fold(total), slow(bytes));
  });
  check(property, 500);
});

test('an update gives what a full computation gives', () => {
  const fields = fc.uint8Array({ minLength: 40, maxLength: 40 });
  const property = fc.property(fields, fc.nat(18), fc.nat(0xffff), fc.nat(0xffffffff), (random, word, half, whole) => {
    const view = viewOf(Uint8Array.from(random));
    view.setUint8(39, 1); // Never all zero, for which the two forms of zero would differ.
    const at = word * 2;
    const before = checksum.complement(checksum.sum(view, 0, 40));
    const old16 = view.getUint16(at);
    view.setUint16(at, half);
    const after16 = checksum.complement(checksum.sum(view, 0, 40));
    assert.is(checksum.update16(before, old16, half), after16);
    const old32 = view.getUint32(at);
    view.setUint32(at, whole);
    view.setUint8(39, 1);
    if (at === 36) return;
    assert.is(checksum.update32(after16, old32, whole), checksum.complement(checksum.sum(view, 0, 40)));
  });
  check(property, 1000);
});

test.run();
